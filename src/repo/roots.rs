//! From the paths a user typed to what is walked and where it goes in the run.

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
    let mut roots: Vec<Root> = Vec::with_capacity(paths.len());
    let mut missing = Vec::new();
    for path in paths {
        let (source, there) = locate(&cwd.join(path))?;
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
        if !there {
            missing.push((path.clone(), at));
            continue;
        }
        let root = Root { source, at };
        for other in &roots {
            agree(&root, other)?;
        }
        roots.push(root);
    }
    // A path below another that is taken anyway is walked once; outer ones come first.
    roots.sort_by(|a, b| a.at.cmp(&b.at));
    roots.dedup();
    let all = roots.clone();
    let covered = |r: &Root, o: &Root| {
        below(&r.at, &o.at).is_some_and(|rest| o != r && !rest.split(|b| *b == b'/').any(is_hidden))
    };
    roots.retain(|r| !all.iter().any(|o| covered(r, o)));
    Ok((roots, missing))
}

/// Whether a walk passes this name over, so that it must be named to be taken.
fn is_hidden(name: &[u8]) -> bool {
    matches!(name, b".git" | b".eart")
}

/// Fails when two roots mean two files for one path of the run.
pub(super) fn agree(a: &Root, b: &Root) -> Result<()> {
    let (inner, outer) = if below(&a.at, &b.at).is_some() { (a, b) } else { (b, a) };
    let Some(rest) = below(&inner.at, &outer.at) else { return Ok(()) };
    let expected = match rest {
        b"" => outer.source.clone(),
        rest => outer.source.join(std::ffi::OsStr::from_bytes(rest)),
    };
    if expected == inner.source {
        return Ok(());
    }
    let place = inner.at.as_ref().map_or_else(|| "the top".into(), |p| quote(p.as_bytes()));
    Err(Error::hinted(
        format!(
            "Two sources for {place} in the run: {} and {}",
            expected.display(),
            inner.source.display()
        ),
        "give one of them another place with --as, or take the first out with `eart reset`",
    ))
}

/// The rest of `path` below `folder`, if it lies there; `None` stands for the top.
fn below<'a>(path: &'a Option<RelPath>, folder: &Option<RelPath>) -> Option<&'a [u8]> {
    match (path, folder) {
        (None, None) => Some(b""),
        (Some(path), None) => Some(path.as_bytes()),
        (None, Some(_)) => None,
        (Some(path), Some(folder)) if path.is_within(folder) => {
            let rest = &path.as_bytes()[folder.as_bytes().len()..];
            Some(rest.strip_prefix(b"/").unwrap_or(rest))
        }
        _ => None,
    }
}

fn real(path: &Path) -> Result<PathBuf> {
    fs::canonicalize(path).map_err(|source| Error::Source { path: path.to_owned(), source })
}

/// The absolute path without links, but for the last component: a link that is named is taken as a
/// link. And whether something is there.
fn locate(path: &Path) -> Result<(PathBuf, bool)> {
    let failed = |source| Error::Source { path: path.to_owned(), source };
    match (path.components().next_back(), path.parent()) {
        (Some(Component::Normal(name)), Some(parent)) => {
            let parent = match fs::canonicalize(parent) {
                Ok(parent) => parent,
                Err(e) if e.kind() == ErrorKind::NotFound => return Ok((path.to_owned(), false)),
                Err(e) => return Err(failed(e)),
            };
            let found = parent.join(name);
            match fs::symlink_metadata(&found) {
                Ok(_) => Ok((found, true)),
                Err(e) if e.kind() == ErrorKind::NotFound => Ok((found, false)),
                Err(e) => Err(failed(e)),
            }
        }
        _ => Ok((real(path)?, true)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(source: &str, at: Option<&str>) -> Root {
        Root { source: source.into(), at: at.map(|p| RelPath::new(p).unwrap()) }
    }

    #[test]
    fn one_path_has_one_source() {
        assert!(agree(&root("/w/a", Some("a")), &root("/w/a/b", Some("a/b"))).is_ok());
        assert!(agree(&root("/w", None), &root("/w/a/b", Some("a/b"))).is_ok());
        assert!(agree(&root("/w/a", Some("a")), &root("/x/b", Some("b"))).is_ok());
        assert!(agree(&root("/w/a", Some("a")), &root("/x/a", Some("a"))).is_err());
        assert!(agree(&root("/x/a/b", Some("a/b")), &root("/w", None)).is_err());
        assert!(agree(&root("/x", None), &root("/y", None)).is_err());
    }
}
