//! Tags and pins: small named files, changed one at a time under a lock.

use std::collections::{BTreeMap, BTreeSet};

use super::{Error, Repo, Result};
use crate::id::{ParseIdError, RunId};
use crate::manifest::check_name;

pub(super) const TAGS: &str = "refs/tags";
pub(super) const PINS: &str = "refs/pins";

pub(super) fn tag_file(name: &str) -> String {
    format!("{TAGS}/{name}")
}

pub(super) fn pin_file(run: RunId) -> String {
    format!("{PINS}/{run}")
}

/// Whether a tag can have this name. Files of other names are no tags; `fsck` tells of them.
pub(super) fn can_be_tag(name: &str) -> bool {
    check_name("The tag's name", name).is_ok()
        && name != super::resolve::LATEST
        && !name.starts_with('-')
}

/// The error for a tag that says nothing.
pub(super) fn damaged_tag(name: &str, message: &str) -> Error {
    Error::hinted(
        message,
        format!("set it again with `eart tag {name} RUN`, or remove it with `eart tag -d {name}`"),
    )
}

/// The tags and pins at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refs {
    /// Tags by name.
    pub tags: BTreeMap<String, RunId>,
    /// Pinned runs.
    pub pins: BTreeSet<RunId>,
    /// Tags that cannot be read, and what to say about each.
    pub damaged: BTreeMap<String, String>,
}

impl Refs {
    /// Names of the tags on a run.
    pub fn tags_of(&self, id: RunId) -> impl Iterator<Item = &str> {
        self.tags.iter().filter(move |(_, run)| **run == id).map(|(name, _)| name.as_str())
    }
}

impl Repo {
    /// All tags and pins.
    ///
    /// # Errors
    ///
    /// When one cannot be read: what decides about runs must know all of them.
    pub fn refs(&self) -> Result<Refs> {
        let refs = self.readable_refs()?;
        match refs.damaged.iter().next() {
            Some((name, reason)) => Err(damaged_tag(name, reason)),
            None => Ok(refs),
        }
    }

    /// The tags and pins that can be read, and which tags cannot; for showing and resolving.
    ///
    /// # Errors
    ///
    /// When the folders cannot be read.
    pub fn readable_refs(&self) -> Result<Refs> {
        let mut refs = Refs::default();
        for name in self.folder.list(TAGS)?.into_iter().filter(|name| can_be_tag(name)) {
            match self.read_tag(&name) {
                Ok(Some(id)) => drop(refs.tags.insert(name, id)),
                Ok(None) => {}
                Err(e) => drop(refs.damaged.insert(name, e.to_string())),
            }
        }
        refs.pins = self.folder.list(PINS)?.iter().filter_map(|n| RunId::of_name(n)).collect();
        Ok(refs)
    }

    /// Reads a tag's file; `None` when there is none.
    pub(super) fn read_tag(&self, name: &str) -> Result<Option<RunId>> {
        let bytes = match self.folder.read(tag_file(name)) {
            Err(e) if e.is_not_found() => return Ok(None),
            other => other?,
        };
        let id = String::from_utf8_lossy(&bytes).trim().parse();
        id.map(Some).map_err(|e: ParseIdError| {
            damaged_tag(name, &format!("The tag {name} is damaged: {e}"))
        })
    }

    /// Points a tag at a run, wherever it pointed before; returns that.
    ///
    /// # Errors
    ///
    /// When the name cannot be a tag, or the run is not there.
    pub fn set_tag(&self, name: &str, run: RunId) -> Result<Option<RunId>> {
        check_name("The tag's name", name)?;
        if !can_be_tag(name) {
            return Err(Error::user(format!("A tag cannot be named {name}")));
        }
        let _lock = self.lock_refs()?;
        // gc removes runs under the same lock: the run that is here now stays.
        self.must_exist(run)?;
        let before = self.read_tag(name).unwrap_or(None);
        self.folder.write(tag_file(name), format!("{run}\n").as_bytes())?;
        Ok(before)
    }

    /// Removes a tag; returns the run it was on.
    ///
    /// # Errors
    ///
    /// When there is no such tag.
    pub fn remove_tag(&self, name: &str) -> Result<Option<RunId>> {
        let _lock = self.lock_refs()?;
        if !can_be_tag(name) || !self.folder.path(tag_file(name)).is_file() {
            return Err(Error::hinted(
                format!("No tag {name:?}"),
                "`eart tag` lists the tags there are",
            ));
        }
        let before = self.read_tag(name).unwrap_or(None);
        self.folder.remove(tag_file(name))?;
        self.folder.sync_dir(TAGS)?;
        Ok(before)
    }

    /// Pins a run: it stays until it is unpinned. Whether it was not pinned before.
    ///
    /// # Errors
    ///
    /// When the run is not there.
    pub fn pin(&self, run: RunId) -> Result<bool> {
        let _lock = self.lock_refs()?;
        self.must_exist(run)?;
        let file = pin_file(run);
        if self.folder.path(&file).exists() {
            return Ok(false);
        }
        self.folder.write(file, b"")?;
        Ok(true)
    }

    /// Takes a pin away. Whether there was one.
    ///
    /// # Errors
    ///
    /// When it cannot be removed.
    pub fn unpin(&self, run: RunId) -> Result<bool> {
        let _lock = self.lock_refs()?;
        let file = pin_file(run);
        let pinned = self.folder.path(&file).exists();
        if pinned {
            self.folder.remove(file)?;
            self.folder.sync_dir(PINS)?;
        }
        Ok(pinned)
    }

    fn must_exist(&self, run: RunId) -> Result<()> {
        if self.run_path(run).is_file() {
            return Ok(());
        }
        Err(Error::user(format!("The run {} is not there any more", run.short())))
    }
}
