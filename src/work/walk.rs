//! Walks the user's files: every file counts, hidden and git-ignored ones too.
//!
//! Folders are read in parallel and the result is sorted by path. Only `.git` and `.eart` below a
//! root, the store itself, and what `.eartignore` files and excludes name are left out. Special
//! files and unreadable folders are reported and passed over.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, readlinkat, statat};
use rustix::io::Errno;

use super::long::{holder, open_dir};
use super::stat::Stat;
use crate::path::{MAX_BRACES, RelPath, braces, folders, quote};
use crate::progress::{Monitor, Problem};

/// File of patterns, in gitignore's syntax, for what not to take.
pub const IGNORE_FILE: &str = ".eartignore";

/// A file or folder to take, and where it goes in the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// Where it is; absolute.
    pub source: PathBuf,
    /// Where it goes; `None` is the top of the run.
    pub at: Option<RelPath>,
    /// Whether it lies in another root, with which it is taken.
    pub covered: bool,
}

/// Something the walk found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Where it goes in the run.
    pub path: RelPath,
    /// What it is.
    pub kind: FoundKind,
    /// What `stat` said of it.
    pub stat: Stat,
    /// Which of the walked roots it belongs to.
    pub root: u32,
}

impl Root {
    /// Where something that goes to `path` in the run lies on disk.
    pub fn locate(&self, path: &[u8]) -> PathBuf {
        let below = match &self.at {
            None => path,
            Some(at) => path.get(at.as_bytes().len() + 1..).unwrap_or_default(),
        };
        if below.is_empty() {
            return self.source.clone();
        }
        self.source.join(OsStr::from_bytes(below))
    }
}

/// What a found path is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundKind {
    /// A regular file.
    File,
    /// A folder.
    Dir,
    /// A symbolic link and its text.
    Symlink(Box<[u8]>),
}

/// What to leave out of a walk.
#[derive(Debug, Default)]
pub struct Filter {
    excludes: Option<Gitignore>,
    skip: Option<(u64, u64)>,
    base: Option<PathBuf>,
}

impl Filter {
    /// Leaves out what goes to where these patterns say; gitignore's syntax, relative to the top of
    /// the run.
    ///
    /// # Errors
    ///
    /// The pattern that cannot be read, and why.
    pub fn exclude(mut self, patterns: &[String]) -> Result<Self, String> {
        let mut builder = GitignoreBuilder::new("");
        for pattern in patterns {
            if braces(pattern) > MAX_BRACES {
                return Err(format!("it opens more than {MAX_BRACES} braces"));
            }
            builder.add_line(None, pattern).map_err(|e| format!("{pattern}: {e}"))?;
        }
        let matcher = builder.build().map_err(|e| e.to_string())?;
        self.excludes = Some(matcher);
        Ok(self)
    }

    /// Leaves out what the `.eartignore` files from `base` down to each root name.
    pub fn ignore_from(mut self, base: &Path) -> Self {
        self.base = std::fs::canonicalize(base).ok();
        self
    }

    /// What the excludes say of something that goes to `at`.
    fn excluded(&self, at: &[u8], is_dir: bool) -> Match<()> {
        let Some(excludes) = &self.excludes else { return Match::None };
        excludes.matched(Path::new(OsStr::from_bytes(at)), is_dir).map(|_| ())
    }

    /// Whether something that lies at `path` and goes to `at` is left out: the excludes decide
    /// first, then the innermost folder's patterns.
    fn ignores(&self, layers: Option<&Arc<Layer>>, path: &Path, at: &[u8], is_dir: bool) -> bool {
        match self.excluded(at, is_dir) {
            Match::Ignore(()) => true,
            Match::Whitelist(()) => false,
            Match::None => ignored(layers, path, is_dir),
        }
    }

    /// Leaves out the folder `path`, wherever the walk meets it: the store itself.
    pub fn skip(mut self, path: &Path) -> Self {
        self.skip = statat(CWD, path, AtFlags::empty()).ok().map(|s| (s.st_dev, s.st_ino));
        self
    }
}

/// Ignore patterns of one folder on top of those of the folders around it.
#[derive(Debug)]
struct Layer {
    matcher: Gitignore,
    outer: Option<Arc<Layer>>,
}

/// Whether the patterns of the folders around a path leave it out; the innermost decide.
fn ignored(mut layer: Option<&Arc<Layer>>, path: &Path, is_dir: bool) -> bool {
    while let Some(l) = layer {
        match l.matcher.matched(path, is_dir) {
            Match::Ignore(_) => return true,
            Match::Whitelist(_) => return false,
            Match::None => layer = l.outer.as_ref(),
        }
    }
    false
}

/// Walks `roots` and returns what is there, sorted by path. What is wrong goes to the monitor.
pub fn walk(roots: &[Root], filter: &Filter, monitor: &dyn Monitor) -> Vec<Found> {
    let found = Mutex::new(Vec::new());
    let mut layers = Layers::new();
    for (number, root) in roots.iter().enumerate() {
        Walker { filter, monitor, found: &found, root: number as u32 }.root(root, &mut layers);
    }
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    rayon::slice::ParallelSliceMut::par_sort_unstable_by(&mut found[..], |a: &Found, b: &Found| {
        a.path.cmp(&b.path)
    });
    found
}

/// The patterns that hold in folders above roots.
type Layers = HashMap<PathBuf, Option<Arc<Layer>>>;

#[derive(Clone, Copy)]
struct Walker<'a> {
    filter: &'a Filter,
    monitor: &'a dyn Monitor,
    found: &'a Mutex<Vec<Found>>,
    root: u32,
}

impl<'a> Walker<'a> {
    fn keep(&self, mut batch: Vec<Found>) {
        self.monitor.advance(batch.len() as u64);
        self.found.lock().unwrap_or_else(PoisonError::into_inner).append(&mut batch);
    }

    /// Tells of something that goes to `at` in the run, or lies at `path` if that is its top.
    fn problem(&self, at: &[u8], path: &Path, what: impl Into<String>) {
        let path = quote(if at.is_empty() { path.as_os_str().as_bytes() } else { at });
        self.monitor.problem(Problem { path, what: what.into() });
    }

    /// Takes a root with all that is in it.
    fn root(self, root: &Root, known: &mut Layers) {
        let at = root.at.as_ref().map_or(&b""[..], RelPath::as_bytes);
        let (dir, name) = match holder(&root.source) {
            Ok(found) => found,
            Err(e) => return self.problem(at, &root.source, unseen(e)),
        };
        let is_dir = is_dir(&dir, name, FileType::Unknown);
        let layers = match self.layers(root, is_dir, known) {
            Ok(layers) => layers,
            Err(why) => return self.problem(at, &root.source, why),
        };
        if root.covered {
            return;
        }
        let enter = root.at.as_ref().is_none_or(|at| {
            let mut batch = Vec::new();
            let enter = self.take(&dir, name, at.clone(), &root.source, &mut batch);
            self.keep(batch);
            enter
        });
        if enter {
            rayon::scope(|scope| self.folder(scope, root.source.clone(), at.to_vec(), layers));
        }
    }

    /// The patterns that hold for a root, but for its own `.eartignore`.
    ///
    /// # Errors
    ///
    /// What leaves the root out, or a folder that holds it.
    fn layers(
        &self,
        root: &Root,
        is_dir: bool,
        known: &mut Layers,
    ) -> Result<Option<Arc<Layer>>, &'static str> {
        let at = root.at.as_ref().map_or(&b""[..], RelPath::as_bytes);
        let mut places = folders(at).map(|folder| (folder, true)).chain([(at, is_dir)]);
        if !at.is_empty() && places.any(|(at, dir)| self.filter.excluded(at, dir).is_ignore()) {
            return Err("is named, and excluded; left out");
        }
        let base = self.filter.base.as_ref();
        let below = base.and_then(|base| root.source.strip_prefix(base).ok());
        let depth = below.map_or(0, |below| below.components().count());
        let mut paths: Vec<&Path> = root.source.ancestors().take(depth).collect();
        paths.reverse();
        let mut layers = None;
        for path in paths {
            let Some(folder) = path.parent() else { continue };
            layers = match known.get(folder) {
                Some(known) => known.clone(),
                None => {
                    let layer = self.patterns(folder, layers);
                    known.entry(folder.to_owned()).or_insert(layer).clone()
                }
            };
            let left_out = match path == root.source {
                true => self.filter.ignores(layers.as_ref(), path, at, is_dir),
                false => ignored(layers.as_ref(), path, true),
            };
            if left_out {
                return Err("is named, and left out by .eartignore");
            }
        }
        Ok(layers)
    }

    /// Reads the folder `source`, which goes to `at`, and sets out for its subfolders.
    fn folder(
        self,
        scope: &rayon::Scope<'a>,
        source: PathBuf,
        at: Vec<u8>,
        layers: Option<Arc<Layer>>,
    ) {
        if self.monitor.interrupted() {
            return;
        }
        let unreadable = |e: Errno| format!("could not be read ({e}); what is in it is left out");
        let mut dir = match open_dir(&source).and_then(Dir::new) {
            Ok(dir) => dir,
            Err(e) => return self.problem(&at, &source, unreadable(e)),
        };
        let names = self.names(&mut dir, &at, &source);
        let dir = match dir.fd() {
            Ok(dir) => dir,
            Err(e) => return self.problem(&at, &source, unreadable(e)),
        };
        let layers = self.layer(&source, &names, layers);
        let filtered = layers.is_some() || self.filter.excludes.is_some();
        let mut batch = Vec::with_capacity(names.len());
        for (name, kind) in names {
            let name = OsStr::from_bytes(&name);
            let path = source.join(name);
            let mut inner = at.clone();
            if !inner.is_empty() {
                inner.push(b'/');
            }
            inner.extend_from_slice(name.as_bytes());
            let is_dir = || is_dir(dir, name, kind);
            if filtered && self.filter.ignores(layers.as_ref(), &path, &inner, is_dir()) {
                continue;
            }
            let taken = match RelPath::new(inner.clone()) {
                Ok(inner) => self.take(dir, name, inner, &path, &mut batch),
                Err(e) => {
                    self.problem(&inner, &path, format!("is left out: {e}"));
                    false
                }
            };
            if taken {
                let layers = layers.clone();
                scope.spawn(move |scope| self.folder(scope, path, inner, layers));
            }
        }
        self.keep(batch);
    }

    /// What lies in a folder, but for what is never taken unasked.
    fn names(&self, dir: &mut Dir, at: &[u8], source: &Path) -> Vec<(Vec<u8>, FileType)> {
        let mut names = Vec::new();
        while let Some(entry) = dir.read() {
            match entry {
                Ok(e) => match e.file_name().to_bytes() {
                    b"." | b".." | b".git" | b".eart" => {}
                    name => names.push((name.to_vec(), e.file_type())),
                },
                Err(e) => {
                    self.problem(at, source, format!("could not be read to its end ({e})"));
                    break;
                }
            }
        }
        names
    }

    /// The patterns that hold in a folder.
    fn layer(
        &self,
        source: &Path,
        names: &[(Vec<u8>, FileType)],
        outer: Option<Arc<Layer>>,
    ) -> Option<Arc<Layer>> {
        if !names.iter().any(|(name, _)| name == IGNORE_FILE.as_bytes()) {
            return outer;
        }
        self.patterns(source, outer)
    }

    /// The patterns of the `.eartignore` of a folder, if there is one, on top of `outer`.
    fn patterns(&self, source: &Path, outer: Option<Arc<Layer>>) -> Option<Arc<Layer>> {
        let file = source.join(IGNORE_FILE);
        let text = match read_ignore_file(&file) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return outer,
            Err(e) => {
                self.problem(b"", &file, format!("is not used: {e}"));
                return outer;
            }
        };
        let mut builder = GitignoreBuilder::new(source);
        for line in text.lines() {
            if braces(line) > MAX_BRACES {
                let what =
                    format!("opens more than {MAX_BRACES} braces in a pattern that is not used");
                self.problem(b"", &file, what);
            } else if let Err(e) = builder.add_line(Some(file.clone()), line) {
                self.problem(b"", &file, format!("has a pattern that is not used: {e}"));
            }
        }
        match builder.build() {
            Ok(matcher) => Some(Arc::new(Layer { matcher, outer })),
            Err(_) => outer,
        }
    }

    /// Takes one name of a folder; whether it is a folder to go into.
    fn take(
        &self,
        dir: impl AsFd,
        name: &OsStr,
        inner: RelPath,
        path: &Path,
        batch: &mut Vec<Found>,
    ) -> bool {
        let stat = match statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => {
                self.problem(inner.as_bytes(), path, "vanished before it was read");
                return false;
            }
            Err(e) => {
                self.problem(inner.as_bytes(), path, unseen(e));
                return false;
            }
        };
        if self.filter.skip == Some((stat.st_dev, stat.st_ino)) {
            return false;
        }
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => FoundKind::File,
            FileType::Directory => FoundKind::Dir,
            FileType::Symlink => match readlinkat(&dir, name, Vec::new()) {
                Ok(target) => FoundKind::Symlink(target.into_bytes().into_boxed_slice()),
                Err(e) => {
                    self.problem(
                        inner.as_bytes(),
                        path,
                        format!("could not be read ({e}); left out"),
                    );
                    return false;
                }
            },
            other => {
                self.problem(inner.as_bytes(), path, format!("is {}; left out", special(other)));
                return false;
            }
        };
        let is_dir = kind == FoundKind::Dir;
        batch.push(Found { path: inner, kind, stat: Stat::from(&stat), root: self.root });
        is_dir
    }
}

/// Reads a small regular file; nothing else that stands at its place is waited for or followed.
fn read_ignore_file(path: &Path) -> std::io::Result<String> {
    const MOST: u64 = 1 << 20;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let (dir, name) = holder(path)?;
    let file = std::fs::File::from(openat(dir, name, flags, Mode::empty())?);
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(std::io::Error::other("it is no regular file"));
    }
    if about.len() > MOST {
        return Err(std::io::Error::other("it is larger than 1 MiB"));
    }
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(file, MOST), &mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Whether a name of a folder is a folder; not every file system says so with the names.
fn is_dir(dir: impl AsFd, name: &OsStr, told: FileType) -> bool {
    let kind = match told {
        FileType::Unknown => statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_or(told, |stat| FileType::from_raw_mode(stat.st_mode)),
        _ => told,
    };
    kind == FileType::Directory
}

fn unseen(e: Errno) -> String {
    format!("could not be looked at ({e}); left out")
}

fn special(kind: FileType) -> &'static str {
    match kind {
        FileType::Fifo => "a named pipe",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        _ => "neither file, folder nor link",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_one_where_names_come_without_kinds() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::create_dir(temp.path().join("folder")).unwrap();
        std::fs::write(temp.path().join("file"), "").unwrap();
        std::os::unix::fs::symlink("folder", temp.path().join("link")).unwrap();
        let dir = open_dir(temp.path()).unwrap();
        let is_folder = |name: &str| is_dir(&dir, OsStr::new(name), FileType::Unknown);
        assert_eq!(["folder", "file", "link", "gone"].map(is_folder), [true, false, false, false]);
    }
}
