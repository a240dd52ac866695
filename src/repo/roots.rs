//! From the paths a user typed to what is walked and where it goes in the run.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::{Error, Result};
use crate::path::{RelPath, quote};
use crate::work::walk::Root;

/// A path that is not there: as it was typed, and where it would go in the run.
pub(super) type Missing = (PathBuf, Option<RelPath>);

/// Finds where each of `paths` lies and where it goes: below the working folder to its own path,
/// outside of it to its base name, or to `target`.
///
/// # Errors
///
/// When a path does not exist, or two paths would go to one place in the run.
pub(super) fn roots(
    paths: &[PathBuf],
    cwd: &Path,
    work: &Path,
    target: Option<&RelPath>,
) -> Result<(Vec<Root>, Vec<Missing>)> {
    if target.is_some() && paths.len() != 1 {
        let message = "--as names one place, so it goes with exactly one path";
        return Err(Error::usage(message, None));
    }
    let work = real(work)?;
    let mut folders = Folders::default();
    let mut roots: Vec<Root> = Vec::with_capacity(paths.len());
    let mut missing = Vec::new();
    for path in paths {
        let (source, there) = folders.locate(&cwd.join(path))?;
        let at = match (target, source.strip_prefix(&work)) {
            (Some(target), _) => Some(target.clone()),
            (None, Ok(inside)) if inside.as_os_str().is_empty() => None,
            (None, Ok(inside)) => Some(RelPath::new(inside.as_os_str().as_bytes())?),
            (None, Err(_)) => match source.file_name() {
                Some(name) => Some(RelPath::new(name.as_bytes())?),
                None => {
                    let message = format!("{} has no name of its own", path.display());
                    return Err(Error::hinted(message, "give it one with --as"));
                }
            },
        };
        match there {
            true => roots.push(Root { source, at }),
            false => missing.push((path.clone(), at)),
        }
    }
    agree(roots.iter().map(|r| (r.at.as_ref(), &*r.source)))?;
    // A path below another that is taken anyway is walked once; outer ones come first.
    roots.sort_by(|a, b| a.at.cmp(&b.at));
    roots.dedup();
    let named: HashSet<Vec<u8>> = roots.iter().map(|r| place(r.at.as_ref()).to_vec()).collect();
    let covered = |at: &RelPath| {
        let rest = |outer: &[u8]| at.as_bytes().get(outer.len()..).unwrap_or_default();
        above(at).any(|o| named.contains(o) && !rest(o).split(|b| *b == b'/').any(is_hidden))
    };
    roots.retain(|r| !r.at.as_ref().is_some_and(covered));
    Ok((roots, missing))
}

/// The folders that hold a path of the run, its top among them.
fn above(at: &RelPath) -> impl Iterator<Item = &[u8]> {
    std::iter::once(&b""[..]).chain(at.folders())
}

/// A place in the run as bytes; empty for its top.
fn place(at: Option<&RelPath>) -> &[u8] {
    at.map_or(b"", RelPath::as_bytes)
}

/// Whether a walk passes this name over, so that it must be named to be taken.
fn is_hidden(name: &[u8]) -> bool {
    matches!(name, b".git" | b".eart")
}

/// Fails when two sources mean two files for one path of the run.
pub(super) fn agree<'a>(
    sources: impl Iterator<Item = (Option<&'a RelPath>, &'a Path)> + Clone,
) -> Result<()> {
    let mut taken: HashMap<&[u8], &Path> = HashMap::new();
    for (at, source) in sources.clone() {
        let first = taken.entry(place(at)).or_insert(source);
        if *first != source {
            return Err(disagree(at, first, source));
        }
    }
    for (at, source) in sources {
        let Some(path) = at else { continue };
        for outer in above(path) {
            let Some(from) = taken.get(outer) else { continue };
            let rest = path.as_bytes().get(outer.len()..).unwrap_or_default();
            let rest = rest.strip_prefix(b"/").unwrap_or(rest);
            let expected = from.join(OsStr::from_bytes(rest));
            if expected != source {
                return Err(disagree(at, &expected, source));
            }
        }
    }
    Ok(())
}

fn disagree(at: Option<&RelPath>, one: &Path, other: &Path) -> Error {
    let place = at.map_or_else(|| "the top".into(), |p| quote(p.as_bytes()));
    Error::hinted(
        format!("Two sources for {place} in the run: {} and {}", one.display(), other.display()),
        "give one of them another place with --as, or take the first out with `eart reset`",
    )
}

fn real(path: &Path) -> Result<PathBuf> {
    fs::canonicalize(path).map_err(|source| Error::Source { path: path.to_owned(), source })
}

/// Folders that named paths lie in, and where they are in truth.
#[derive(Default)]
struct Folders(HashMap<PathBuf, PathBuf>);

impl Folders {
    /// The absolute path without links, but for the last component: a link that is named is taken
    /// as a link. And whether something is there.
    fn locate(&mut self, path: &Path) -> Result<(PathBuf, bool)> {
        let failed = |source| Error::Source { path: path.to_owned(), source };
        let (Some(Component::Normal(name)), Some(parent)) =
            (path.components().next_back(), path.parent())
        else {
            return Ok((real(path)?, true));
        };
        let parent = match self.0.get(parent) {
            Some(known) => known.clone(),
            None => match fs::canonicalize(parent) {
                Ok(found) => self.0.entry(parent.to_owned()).or_insert(found).clone(),
                Err(e) if e.kind() == ErrorKind::NotFound => return Ok((path.to_owned(), false)),
                Err(e) => return Err(failed(e)),
            },
        };
        let found = parent.join(name);
        match fs::symlink_metadata(&found) {
            Ok(_) => Ok((found, true)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok((found, false)),
            Err(e) => Err(failed(e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agree(sources: &[(&str, Option<&str>)]) -> Result<()> {
        let sources: Vec<_> =
            sources.iter().map(|(s, at)| (at.map(|p| RelPath::new(p).unwrap()), s)).collect();
        super::agree(sources.iter().map(|(at, source)| (at.as_ref(), Path::new(source))))
    }

    #[test]
    fn one_path_has_one_source() {
        for (one, other) in [
            (("/w/a", Some("a")), ("/w/a/b", Some("a/b"))),
            (("/w", None), ("/w/a/b", Some("a/b"))),
            (("/w/a", Some("a")), ("/x/b", Some("b"))),
            (("/w/a", Some("a")), ("/w/a", Some("a"))),
            (("/w/a", Some("a")), ("/x/a-b", Some("a-b"))),
        ] {
            assert!(agree(&[one, other]).is_ok(), "{one:?} {other:?}");
            assert!(agree(&[other, one]).is_ok(), "{other:?} {one:?}");
        }
        for (one, other) in [
            (("/w/a", Some("a")), ("/x/a", Some("a"))),
            (("/x/a/b", Some("a/b")), ("/w", None)),
            (("/x/a/b/c", Some("a/b/c")), ("/w/a", Some("a"))),
            (("/x", None), ("/y", None)),
        ] {
            assert!(agree(&[one, ("/w/z", Some("z")), other]).is_err(), "{one:?} {other:?}");
            assert!(agree(&[other, ("/w/z", Some("z")), one]).is_err(), "{other:?} {one:?}");
        }
    }
}
