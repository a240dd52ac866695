//! Which of a run's entries a command means: paths, folders and globs.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::{Error, Result};
use crate::manifest::{Entry, Manifest};
use crate::path::RelPath;

/// Paths and globs that a user named. A path means what lies at it and below it.
#[derive(Debug)]
pub struct Selection {
    paths: Vec<RelPath>,
    globs: Option<Glob>,
    texts: Vec<String>,
}

/// Compiled globs. `*` and `?` stay within one component, `**` crosses them; a glob without a `/`
/// matches names at any depth.
#[derive(Debug)]
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
            let anywhere = if text.contains('/') {
                text.trim_start_matches("./").to_owned()
            } else {
                format!("**/{text}")
            };
            let bad = |e: globset::Error| {
                Error::hinted(
                    format!("Not a glob: {text:?} ({})", e.kind()),
                    "write it like **/*.png, test-results/*/trace.zip or junit.xml",
                )
            };
            let glob = GlobBuilder::new(&anywhere).literal_separator(true).build().map_err(bad)?;
            set.add(glob);
        }
        let set = set.build().map_err(|e| Error::user(format!("Not a glob: {e}")))?;
        Ok(Self { set })
    }

    /// Whether a path of a run matches one of them.
    pub fn matches(&self, path: &[u8]) -> bool {
        use std::os::unix::ffi::OsStrExt;
        self.set.is_match(std::ffi::OsStr::from_bytes(path))
    }
}

impl Selection {
    /// Compiles what the user named; nothing means everything.
    ///
    /// # Errors
    ///
    /// A path that cannot stand in a run, or a glob that cannot be read.
    pub fn new(texts: &[String]) -> Result<Self> {
        let is_glob = |t: &&String| t.contains(['*', '?', '[', '{']);
        let globs: Vec<&str> = texts.iter().filter(is_glob).map(String::as_str).collect();
        let mut paths = Vec::new();
        for text in texts {
            let trimmed = text.trim_start_matches("./").trim_end_matches('/');
            if trimmed == "." || trimmed.is_empty() {
                return Ok(Self { paths: Vec::new(), globs: None, texts: Vec::new() });
            }
            // A name with a bracket in it may be meant as it is.
            paths.extend(RelPath::new(trimmed));
            if !is_glob(&text) {
                RelPath::new(trimmed)?;
            }
        }
        let globs = if globs.is_empty() { None } else { Some(Glob::new(globs)?) };
        Ok(Self { paths, globs, texts: texts.to_vec() })
    }

    /// Whether a path is meant.
    pub fn matches(&self, path: &RelPath) -> bool {
        self.texts.is_empty()
            || self.paths.iter().any(|p| path.is_within(p))
            || self.globs.as_ref().is_some_and(|g| g.matches(path.as_bytes()))
    }

    /// The entries of a run that are meant, in path order.
    ///
    /// # Errors
    ///
    /// When something was named and nothing matches, or the manifest cannot be read.
    pub fn entries(&self, manifest: &Manifest) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        if let (None, [path]) = (&self.globs, &self.paths[..]) {
            for entry in manifest.entries_within(path) {
                entries.push(entry?);
            }
        } else {
            for entry in manifest.entries() {
                let entry = entry?;
                if self.matches(&entry.path) {
                    entries.push(entry);
                }
            }
        }
        if entries.is_empty() && !self.texts.is_empty() {
            return Err(Error::hinted(
                format!(
                    "Nothing in the run {} matches {}",
                    manifest.id().short(),
                    self.texts.join(" ")
                ),
                format!("`eart ls {} -r` lists what it has", manifest.id().short()),
            ));
        }
        Ok(entries)
    }
}
