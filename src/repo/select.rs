//! Which of a run's entries a command means: paths, folders and globs.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::{Error, Result};
use crate::manifest::{Entry, Manifest};
use crate::path::{MAX_BRACES, RelPath, braces, quote, unquote};

/// Compiled globs. `*` and `?` stay within one component, `**` crosses them; a glob without a `/`
/// matches names at any depth.
#[derive(Debug, Clone)]
pub struct Glob {
    set: GlobSet,
}

impl Glob {
    /// Compiles globs.
    ///
    /// # Errors
    ///
    /// The glob that cannot be read, and why.
    pub fn new<'a>(globs: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut set = GlobSetBuilder::new();
        for text in globs {
            let trimmed = text.trim_start_matches("./").trim_end_matches('/');
            let bad = |why: &dyn std::fmt::Display| {
                Error::usage(
                    format!("Not a glob: {text:?} ({why})"),
                    Some("write it like **/*.png, test-results/*/trace.zip or junit.xml"),
                )
            };
            if trimmed.is_empty() {
                return Err(bad(&"it is empty"));
            }
            if braces(trimmed) > MAX_BRACES {
                return Err(bad(&format_args!("it opens more than {MAX_BRACES} braces")));
            }
            let anywhere =
                if text.contains('/') { trimmed.to_owned() } else { format!("**/{trimmed}") };
            let glob = GlobBuilder::new(&anywhere).literal_separator(true).build();
            set.add(glob.map_err(|e| bad(e.kind()))?);
        }
        let set = set.build().map_err(|e| Error::user(format!("The globs are too long: {e}")))?;
        Ok(Self { set })
    }

    /// Whether a path of a run matches one of them.
    pub fn matches(&self, path: &[u8]) -> bool {
        self.set.is_match(OsStr::from_bytes(path))
    }

    /// Whether a path or a folder above it matches one of them.
    pub fn matches_within(&self, path: &[u8]) -> bool {
        self.matches(path) || folders_above(path).any(|folder| self.matches(folder))
    }
}

/// The folders above a path, innermost first.
fn folders_above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().rev().filter(|(_, b)| **b == b'/');
    slashes.map(|(at, _)| &path[..at])
}

/// Paths and globs that a user named. A path or glob means what lies at it and, if that is a
/// folder, below it.
#[derive(Debug, Default)]
pub struct Selection {
    /// What was named, as it was written; quoted where it is not plain. Nothing is everything.
    names: Vec<String>,
    /// The paths among it, with their places in `names`: looked up, as there may be many.
    paths: HashMap<RelPath, usize>,
    /// The globs among it, with theirs.
    globs: Vec<(usize, Glob)>,
}

impl Selection {
    /// Compiles what the user named, where nothing is known of what there is.
    ///
    /// # Errors
    ///
    /// As [`Selection::literal_first`].
    pub fn new(texts: &[impl AsRef<OsStr>]) -> Result<Self> {
        Self::literal_first(texts, |_| false)
    }

    /// Compiles what the user named; nothing means everything, and so does `.`. What is there by
    /// the very name is no glob, whatever brackets and stars it has in it.
    ///
    /// # Errors
    ///
    /// A path that cannot stand in a run, or a glob that cannot be read.
    pub fn literal_first(
        texts: &[impl AsRef<OsStr>],
        is_there: impl Fn(&RelPath) -> bool,
    ) -> Result<Self> {
        let mut selection = Self::default();
        let mut everything = false;
        for text in texts {
            let bytes = as_listed(text.as_ref().as_bytes(), &is_there);
            let trimmed = trim(&bytes);
            if matches!(trimmed, b"." | b"") && !bytes.is_empty() {
                everything = true;
                continue;
            }
            let path = RelPath::new(trimmed);
            let is_glob = |text: &&str| has_glob(text) && !path.as_ref().is_ok_and(&is_there);
            let glob = std::str::from_utf8(&bytes).ok().filter(is_glob);
            let place = selection.names.len();
            match (path, glob) {
                (Err(e), None) => return Err(e.into()),
                (path, glob) => {
                    if let Some(glob) = glob {
                        selection.globs.push((place, Glob::new([glob])?));
                    }
                    // A name with a bracket in it may be meant as it is. One that is named twice
                    // has one place.
                    if let Ok(path) = path
                        && *selection.paths.entry(path).or_insert(place) != place
                        && glob.is_none()
                    {
                        continue;
                    }
                }
            }
            selection.names.push(quote(&bytes));
        }
        Ok(if everything { Self::default() } else { selection })
    }

    /// Whether a path is meant.
    pub fn matches(&self, path: &RelPath) -> bool {
        self.sieve().lets_through(path)
    }

    /// Looks at many paths.
    pub(super) fn sieve(&self) -> Sieve<'_> {
        Sieve { selection: self, used: vec![false; self.names.len()], above: HashMap::new() }
    }

    /// The entries of a run that are meant, in path order.
    ///
    /// # Errors
    ///
    /// When something that was named matches nothing, or the manifest cannot be read.
    pub fn entries(&self, manifest: &Manifest) -> Result<Vec<Entry>> {
        if let ([], Some(path), 1) = (&self.globs[..], self.paths.keys().next(), self.paths.len()) {
            let entries =
                manifest.entries_within(path).collect::<crate::manifest::Result<Vec<_>>>()?;
            return if entries.is_empty() { Err(self.nothing(manifest, 0)) } else { Ok(entries) };
        }
        let mut sieve = self.sieve();
        let mut entries = Vec::new();
        for entry in manifest.entries() {
            let entry = entry?;
            if sieve.lets_through(&entry.path) {
                entries.push(entry);
            }
        }
        match sieve.used.iter().position(|used| !used) {
            Some(unused) => Err(self.nothing(manifest, unused)),
            None => Ok(entries),
        }
    }

    fn nothing(&self, manifest: &Manifest, which: usize) -> Error {
        let is_glob = self.globs.iter().any(|(place, _)| *place == which);
        let path = self.paths.iter().find(|(_, place)| **place == which);
        if let (Some((path, _)), false) = (path, is_glob) {
            return super::tree::missing(manifest, path);
        }
        let run = manifest.id().short();
        let name = self.names.get(which).map_or("what was named", String::as_str);
        Error::hinted(
            format!("Nothing in the run {run} matches {name}"),
            format!("`eart ls -r {run}` lists what it has"),
        )
    }
}

/// Whether a text has in it what makes a glob.
pub(super) fn has_glob(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

/// A path as it is, or without the quotes in which eart lists it, if only that is there.
pub(super) fn as_listed(text: &[u8], is_there: impl Fn(&RelPath) -> bool) -> Cow<'_, [u8]> {
    let there = |bytes: &[u8]| RelPath::new(trim(bytes)).is_ok_and(|path| is_there(&path));
    match unquote(trim(text)) {
        Some(plain) if !there(text) && there(&plain) => plain.into(),
        _ => text.into(),
    }
}

/// A path that somebody typed without `./` before and `/` behind it; an absolute one as it is.
pub(super) fn trim(mut bytes: &[u8]) -> &[u8] {
    if bytes.starts_with(b"/") {
        return bytes;
    }
    while let Some(rest) = bytes.strip_prefix(b"./") {
        bytes = rest;
    }
    while let Some(rest) = bytes.strip_suffix(b"/") {
        bytes = rest;
    }
    bytes
}

/// Looks at many paths, and remembers what of the selection was used and which folders are meant.
pub(super) struct Sieve<'a> {
    selection: &'a Selection,
    used: Vec<bool>,
    above: HashMap<Box<[u8]>, bool>,
}

impl<'a> Sieve<'a> {
    /// Whether a path is meant.
    pub(super) fn lets_through(&mut self, path: &RelPath) -> bool {
        if self.selection.names.is_empty() {
            return true;
        }
        // Most paths share their folder with the one before.
        let above = match path.parent() {
            Some(folder) => match self.above.get(folder) {
                Some(known) => *known,
                None => {
                    let meant =
                        folders_above(path.as_bytes()).fold(false, |m, f| m | self.meant(f));
                    self.above.insert(folder.into(), meant);
                    meant
                }
            },
            None => false,
        };
        above | self.meant(path.as_bytes())
    }

    /// What was named and let nothing through.
    pub(super) fn unused(&self) -> impl Iterator<Item = &'a str> {
        let each = self.selection.names.iter().zip(&self.used);
        each.filter(|(_, used)| !**used).map(|(name, _)| name.as_str())
    }

    /// Whether a path is named itself, or matches a glob.
    fn meant(&mut self, path: &[u8]) -> bool {
        let Selection { paths, globs, .. } = self.selection;
        let by_name = paths.get(path).copied();
        let by_glob = globs.iter().filter(|(_, g)| g.matches(path)).map(|(place, _)| *place);
        let mut meant = false;
        for place in by_name.into_iter().chain(by_glob) {
            meant = true;
            if let Some(used) = self.used.get_mut(place) {
                *used = true;
            }
        }
        meant
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(texts: &[&str], path: &str) -> bool {
        Selection::new(texts).unwrap().matches(&RelPath::new(path).unwrap())
    }

    #[test]
    fn a_path_or_glob_means_what_lies_below_it_too() {
        assert!(wants(&["a"], "a/b") && wants(&["./a/"], "a/b"));
        assert!(!wants(&["a"], "ab"));
        assert!(wants(&["a*"], "x/ab/c") && wants(&["*.png"], "x/y.png"));
        assert!(wants(&["x/*"], "x/y/z") && !wants(&["x/*"], "y/x/z"));
        assert!(wants(&["a[1].txt"], "a[1].txt"));
        assert!(wants(&["."], "anything") && wants(&["x", "."], "anything"));
    }

    #[test]
    fn an_empty_name_is_not_everything() {
        for bad in ["", "/", "..", "/etc", "a//b"] {
            assert!(Selection::new(&[bad]).is_err(), "{bad:?}");
        }
        let refused = |text| Selection::literal_first(&[text], |path| path.as_bytes() == b"a[z");
        assert!(refused("./a[z").unwrap().matches(&RelPath::new("a[z/b").unwrap()));
        let message = refused("a[z-").unwrap_err().to_string();
        assert!(message.starts_with("Not a glob: \"a[z-\""), "{message}");
    }
}
