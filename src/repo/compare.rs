//! `diff`: what changed from one run to another, and how their texts did.

use std::cell::RefCell;
use std::ffi::OsStr;

use serde::Serialize;

use super::{Contents, Error, Repo, Result, Selection};
use crate::id::RunId;
use crate::manifest::{Change, Entry, Node, diff};
use crate::path::RelPath;

/// Files longer than this many bytes are not compared as text.
const MAX_TEXT: u64 = 4 << 20;

/// The differences between two runs. Folders are not told of, but where one took the place of a
/// file.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// What is not the same, in path order.
    pub changes: Vec<Change<Entry, Entry>>,
    /// What they amount to.
    pub totals: Totals,
}

/// How much differs. Sizes are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Totals {
    /// Files only in the new run.
    pub added: u64,
    /// Their length together.
    pub added_bytes: u64,
    /// Files only in the old run.
    pub removed: u64,
    /// Their length together.
    pub removed_bytes: u64,
    /// Files that changed.
    pub changed: u64,
    /// Their length together in the old run.
    pub old_bytes: u64,
    /// Their length together in the new run.
    pub new_bytes: u64,
    /// Files that are the same.
    pub same: u64,
}

/// Two texts to compare, or why they cannot be.
#[derive(Debug)]
pub enum Texts {
    /// The old and the new text.
    Both(String, String),
    /// Why there are none.
    Not(&'static str),
}

impl Repo {
    /// Compares two runs, in what `paths` select.
    ///
    /// # Errors
    ///
    /// When a manifest cannot be read, or neither run has something that was named.
    pub fn diff(&self, old: RunId, new: RunId, paths: &[impl AsRef<OsStr>]) -> Result<Comparison> {
        let manifests = (self.manifest(old)?, self.manifest(new)?);
        let is_there = |path: &RelPath| {
            let mut entries =
                manifests.0.entries_within(path).chain(manifests.1.entries_within(path));
            entries.next().is_some()
        };
        let paths = Selection::literal_first(paths, is_there)?;
        let sieve = RefCell::new(paths.sieve());
        let selected = |entry: &crate::manifest::Result<Entry>| {
            entry.as_ref().map_or(true, |entry| sieve.borrow_mut().lets_through(&entry.path))
        };
        let mut files = 0u64;
        let count = |entry: &crate::manifest::Result<Entry>| {
            files += u64::from(entry.as_ref().is_ok_and(|e| e.node != Node::Dir));
        };
        let mut changes = Vec::new();
        let mut totals = Totals::default();
        let mut differing = 0;
        for change in diff(
            manifests.0.entries().filter(selected),
            manifests.1.entries().filter(selected).inspect(count),
        ) {
            let change = change?;
            if totals.count(&change) {
                differing += match &change {
                    Change::Added(new) | Change::Changed { new, .. } => {
                        u64::from(new.node != Node::Dir)
                    }
                    Change::Removed(_) => 0,
                };
                changes.push(change);
            }
        }
        let missing: Vec<_> = sieve.into_inner().unused().collect();
        if !missing.is_empty() {
            let (old, new) = (old.short(), new.short());
            return Err(Error::hinted(
                format!("Neither {old} nor {new} has {}", missing.join(" or ")),
                format!("`eart ls -r {new}` lists what a run has"),
            ));
        }
        totals.same = files.saturating_sub(differing);
        Ok(Comparison { changes, totals })
    }
}

impl Contents<'_> {
    /// The texts of a file in two runs.
    ///
    /// # Errors
    ///
    /// When they cannot be read.
    pub fn texts(&mut self, old: (RunId, &Entry), new: (RunId, &Entry)) -> Result<Texts> {
        let mut texts = Vec::with_capacity(2);
        for (run, entry) in [old, new] {
            if entry.file_id().is_none() {
                return Ok(Texts::Not("not both are files"));
            }
            if entry.size() > MAX_TEXT {
                return Ok(Texts::Not("larger than 4 MiB"));
            }
            let mut bytes = Vec::new();
            self.write(run, entry, &mut bytes)?;
            match String::from_utf8(bytes) {
                Ok(text) if !text.contains('\0') => texts.push(text),
                _ => return Ok(Texts::Not("binary")),
            }
        }
        Ok(match (texts.pop(), texts.pop()) {
            (Some(new), Some(old)) => Texts::Both(old, new),
            _ => Texts::Not("not both are files"),
        })
    }
}

impl Totals {
    /// Counts a change; whether it is about a file.
    fn count(&mut self, change: &Change<Entry, Entry>) -> bool {
        match change {
            Change::Added(Entry { node: Node::Dir, .. })
            | Change::Removed(Entry { node: Node::Dir, .. }) => return false,
            Change::Added(new) => {
                self.added += 1;
                self.added_bytes = self.added_bytes.saturating_add(new.size());
            }
            Change::Removed(old) => {
                self.removed += 1;
                self.removed_bytes = self.removed_bytes.saturating_add(old.size());
            }
            Change::Changed { old, new, .. } => {
                self.changed += 1;
                self.old_bytes = self.old_bytes.saturating_add(old.size());
                self.new_bytes = self.new_bytes.saturating_add(new.size());
            }
        }
        true
    }
}
