//! Which of a run's entries a command means: paths, folders and globs.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::{Error, Result};
use crate::manifest::{Entry, Manifest};
use crate::path::{RelPath, quote};

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
            let anywhere =
                if text.contains('/') { trimmed.to_owned() } else { format!("**/{trimmed}") };
            let glob = GlobBuilder::new(&anywhere).literal_separator(true).build();
            set.add(glob.map_err(|e| bad(e.kind()))?);
        }
        let set = set.build().map_err(|e| Error::user(format!("Not a glob: {e}")))?;
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
#[derive(Debug)]
pub struct Selection {
    wanted: Vec<Wanted>,
}

#[derive(Debug)]
struct Wanted {
    text: String,
    path: Option<RelPath>,
    glob: Option<Glob>,
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
        let mut wanted = Vec::with_capacity(texts.len());
        let mut everything = false;
        for text in texts {
            let bytes = text.as_ref().as_bytes();
            let trimmed = trim(bytes);
            if matches!(trimmed, b"." | b"") && !bytes.is_empty() {
                everything = true;
                continue;
            }
            let path = RelPath::new(trimmed);
            let is_glob = |text: &&str| {
                text.contains(['*', '?', '[', '{']) && !path.as_ref().is_ok_and(&is_there)
            };
            let glob = std::str::from_utf8(bytes).ok().filter(is_glob);
            let glob = glob.map(|text| Glob::new([text])).transpose()?;
            // A name with a bracket in it may be meant as it is.
            let path = match (path, &glob) {
                (Err(e), None) => return Err(e.into()),
                (path, _) => path.ok(),
            };
            wanted.push(Wanted { text: quote(bytes), path, glob });
        }
        if everything {
            wanted.clear();
        }
        Ok(Self { wanted })
    }

    /// Whether everything is meant.
    pub fn is_everything(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Whether a path is meant.
    pub fn matches(&self, path: &RelPath) -> bool {
        self.wanted.is_empty() || self.meant_by(path).next().is_some()
    }

    /// The places, in what was named, of what means a path.
    pub(super) fn meant_by<'a>(&'a self, path: &'a RelPath) -> impl Iterator<Item = usize> + 'a {
        let means = |wanted: &Wanted| {
            wanted.path.as_ref().is_some_and(|p| path.is_within(p))
                || wanted.glob.as_ref().is_some_and(|g| g.matches_within(path.as_bytes()))
        };
        let each = self.wanted.iter().enumerate();
        each.filter(move |(_, wanted)| means(wanted)).map(|(place, _)| place)
    }

    /// What was named, as it was written; quoted where it is not plain.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.wanted.iter().map(|wanted| wanted.text.as_str())
    }

    /// The entries of a run that are meant, in path order.
    ///
    /// # Errors
    ///
    /// When something that was named matches nothing, or the manifest cannot be read.
    pub fn entries(&self, manifest: &Manifest) -> Result<Vec<Entry>> {
        if let [Wanted { path: Some(path), glob: None, .. }] = &self.wanted[..] {
            let entries =
                manifest.entries_within(path).collect::<crate::manifest::Result<Vec<_>>>()?;
            return if entries.is_empty() { Err(self.nothing(manifest, 0)) } else { Ok(entries) };
        }
        let mut sieve =
            Sieve { selection: self, used: vec![false; self.wanted.len()], above: HashMap::new() };
        let mut entries = Vec::new();
        for entry in manifest.entries() {
            let entry = entry?;
            if self.wanted.is_empty() || sieve.lets_through(&entry.path) {
                entries.push(entry);
            }
        }
        match sieve.used.iter().position(|used| !used) {
            Some(unused) => Err(self.nothing(manifest, unused)),
            None => Ok(entries),
        }
    }

    fn nothing(&self, manifest: &Manifest, which: usize) -> Error {
        let Some(wanted) = self.wanted.get(which) else { return Error::user("Nothing matches") };
        if let (Some(path), None) = (&wanted.path, &wanted.glob) {
            return super::tree::missing(manifest, path);
        }
        let run = manifest.id().short();
        Error::hinted(
            format!("Nothing in the run {run} matches {}", wanted.text),
            format!("`eart ls -r {run}` lists what it has"),
        )
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

/// Looks at many paths, and remembers which texts matched and which folders did.
struct Sieve<'a> {
    selection: &'a Selection,
    used: Vec<bool>,
    above: HashMap<Box<[u8]>, bool>,
}

impl Sieve<'_> {
    fn lets_through(&mut self, path: &RelPath) -> bool {
        let folder = path.parent();
        // Most paths share their folder with the one before.
        let mut through = match folder {
            Some(folder) => match self.above.get(folder) {
                Some(known) => *known,
                None => {
                    let wanted = self.folder(folder);
                    self.above.insert(folder.into(), wanted);
                    wanted
                }
            },
            None => false,
        };
        for (wanted, used) in self.selection.wanted.iter().zip(&mut self.used) {
            let here = wanted.path.as_ref().is_some_and(|p| p == path)
                || wanted.glob.as_ref().is_some_and(|g| g.matches(path.as_bytes()));
            *used |= here;
            through |= here;
        }
        through
    }

    /// Whether a folder or one above it is meant; it need not be an entry itself.
    fn folder(&mut self, folder: &[u8]) -> bool {
        let mut through = false;
        for (wanted, used) in self.selection.wanted.iter().zip(&mut self.used) {
            let is = |at: &[u8]| wanted.path.as_ref().is_some_and(|p| p.as_bytes() == at);
            let here = is(folder)
                || folders_above(folder).any(is)
                || wanted.glob.as_ref().is_some_and(|g| g.matches_within(folder));
            *used |= here;
            through |= here;
        }
        through
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
