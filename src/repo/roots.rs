//! From the paths a user typed to what is walked and where it goes in the run.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, statat};
use rustix::io::Errno;

use super::{AddOptions, Error, Repo, Result, lies_at};
use crate::manifest::Source;
use crate::path::{RelPath, quote};
use crate::progress::{Monitor, Problem};
use crate::work::long::{canonicalize, holder};
use crate::work::walk::Root;

/// A path that is not there.
pub(super) struct Missing {
    /// As it was typed.
    pub path: PathBuf,
    /// Where it would lie; absolute.
    pub place: PathBuf,
    /// Where it would go in the run.
    pub at: Option<RelPath>,
}

/// Finds where each of the named paths lies and where it goes: below the working folder to its own
/// path, outside of it to its base name, or to the target. One that cannot be looked at is a
/// problem.
///
/// # Errors
///
/// When two paths would go to one place in the run, or one lies in the store.
pub(super) fn roots(
    repo: &Repo,
    options: &AddOptions<'_>,
    monitor: &dyn Monitor,
) -> Result<(Vec<Root>, Vec<Missing>)> {
    if options.target.is_some() && options.paths.len() != 1 {
        let message = "--as names one place, so it goes with exactly one path";
        return Err(Error::usage(message, None));
    }
    let (work, store) = (real(&repo.work)?, real(repo.folder.root())?);
    let mut folders = Folders::default();
    let mut roots: Vec<Root> = Vec::with_capacity(options.paths.len());
    let mut missing = Vec::new();
    for path in &options.paths {
        let tell = |what| {
            monitor.problem(Problem { path: quote(path.as_os_str().as_bytes()), what });
        };
        let full = options.cwd.join(path);
        let (place, seen) = match folders.place(path, &full) {
            Ok(place) => (place.clone(), look(place, path)),
            Err(e) => (lies_at(&full), Err(e)),
        };
        let at = goes_to(&place, &work, options.target.as_ref());
        match seen {
            Ok(seen) if seen.source.starts_with(&store) => {
                let name = quote(path.as_os_str().as_bytes());
                return Err(Error::hinted(
                    format!("{name} belongs to the store, which cannot hold itself"),
                    "name something else; a copy of a store is made with `cp -a`",
                ));
            }
            Ok(seen) => {
                if seen.folder_behind {
                    let name = quote(&[path.as_os_str().as_bytes(), b"/"].concat());
                    tell(format!("is a link to a folder; add {name} for what is in it"));
                }
                roots.push(Root { source: seen.source, at: at?, covered: false });
            }
            Err(e) if e.kind() == ErrorKind::NotFound || is_below_a_file(&e) => {
                missing.push(Missing { path: path.clone(), place, at: at.ok().flatten() });
            }
            Err(e) => tell(format!("could not be looked at ({e}); left out")),
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
    for root in &mut roots {
        root.covered = root.at.as_ref().is_some_and(covered);
    }
    Ok((roots, missing))
}

/// Where what lies at `place` goes in the run.
fn goes_to(place: &Path, work: &Path, target: Option<&RelPath>) -> Result<Option<RelPath>> {
    if target.is_some() {
        return Ok(target.cloned());
    }
    let path = match place.strip_prefix(work) {
        Ok(inside) if inside.as_os_str().is_empty() => return Ok(None),
        Ok(inside) => inside.as_os_str(),
        Err(_) => place.file_name().ok_or_else(|| {
            let message = format!("{} has no name of its own", place.display());
            Error::hinted(message, "give it one with --as")
        })?,
    };
    Ok(Some(RelPath::new(path.as_bytes())?))
}

/// The folders that hold a path of the run, its top among them.
fn above(at: &RelPath) -> impl Iterator<Item = &[u8]> {
    std::iter::once(&b""[..]).chain(at.folders())
}

/// A place in the run as bytes; empty for its top.
fn place(at: Option<&RelPath>) -> &[u8] {
    at.map_or(b"", RelPath::as_bytes)
}

/// Whether the system says that what should be a folder of the path is none: nothing is there then.
fn is_below_a_file(e: &std::io::Error) -> bool {
    Errno::from_io_error(e) == Some(Errno::NOTDIR)
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
            let expected = below(from, outer, path);
            if expected != source {
                return Err(disagree(at, &expected, source));
            }
        }
    }
    Ok(())
}

/// Where that of the run's `path` lies which comes from the source of the folder `outer`.
fn below(from: &Path, outer: &[u8], path: &RelPath) -> PathBuf {
    let rest = path.as_bytes().get(outer.len()..).unwrap_or_default();
    from.join(OsStr::from_bytes(rest.strip_prefix(b"/").unwrap_or(rest)))
}

/// Whether what a draft has at `path` may come from `place`: no source of it, which are sorted,
/// says that it lies elsewhere.
pub(super) fn may_come_from(sources: &[Source], path: &RelPath, place: &Path) -> bool {
    let source = |outer: &[u8]| {
        let found = sources.binary_search_by(|s| self::place(s.at.as_ref()).cmp(outer)).ok()?;
        sources.get(found)
    };
    let outer = above(path).find_map(|outer| Some((outer, source(outer)?)));
    match outer {
        Some((outer, source)) => below(&source.from, outer, path) == place,
        None => source(path.as_bytes()).is_none_or(|source| source.from == place),
    }
}

fn disagree(at: Option<&RelPath>, one: &Path, other: &Path) -> Error {
    let place = at.map_or_else(|| "the top".into(), |p| quote(p.as_bytes()));
    Error::hinted(
        format!("Two sources for {place} in the run: {} and {}", one.display(), other.display()),
        "give one of them another place with --as, or take the first out with `eart reset`",
    )
}

fn real(path: &Path) -> Result<PathBuf> {
    canonicalize(path).map_err(|source| Error::Source { path: path.to_owned(), source })
}

/// Folders that named paths lie in, and where they are in truth.
#[derive(Default)]
struct Folders(HashMap<PathBuf, PathBuf>);

impl Folders {
    /// Where the named `path` lies, which is `full` with the current folder: absolute and without
    /// links, but for the last component.
    fn place(&mut self, path: &Path, full: &Path) -> io::Result<PathBuf> {
        let (Some(Component::Normal(name)), Some(parent)) =
            (path.components().next_back(), full.parent())
        else {
            return canonicalize(full);
        };
        let parent = match self.0.get(parent) {
            Some(known) => known,
            None => self.0.entry(parent.to_owned()).or_insert(canonicalize(parent)?),
        };
        Ok(parent.join(name))
    }
}

/// What stands at a named path.
struct Seen {
    /// Where it is; absolute and, where a link is followed, behind that.
    source: PathBuf,
    /// Whether it is a link to a folder, and not followed.
    folder_behind: bool,
}

/// Looks at what was named as `path`. A link is followed when a slash behind it asks for that.
fn look(place: PathBuf, path: &Path) -> io::Result<Seen> {
    let typed = path.as_os_str().as_bytes();
    let follow = typed.ends_with(b"/") || typed.ends_with(b"/.");
    let (dir, name) = holder(&place)?;
    let kind = |flags| statat(&dir, name, flags).map(|s| FileType::from_raw_mode(s.st_mode));
    if kind(AtFlags::SYMLINK_NOFOLLOW)? != FileType::Symlink {
        return Ok(Seen { source: place, folder_behind: false });
    }
    let behind = kind(AtFlags::empty());
    if !follow {
        return Ok(Seen { source: place, folder_behind: behind == Ok(FileType::Directory) });
    }
    match behind? {
        FileType::Directory => Ok(Seen { source: canonicalize(&place)?, folder_behind: false }),
        _ => Err(ErrorKind::NotADirectory.into()),
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
