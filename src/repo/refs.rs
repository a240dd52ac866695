//! Tags and pins: small named files, changed one at a time under a lock.

use std::collections::{BTreeMap, BTreeSet};

use super::{Error, Repo, Result};
use crate::id::RunId;
use crate::manifest::check_name;

const TAGS: &str = "refs/tags";
const PINS: &str = "refs/pins";

/// The tags and pins at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refs {
    /// Tags by name.
    pub tags: BTreeMap<String, RunId>,
    /// Pinned runs.
    pub pins: BTreeSet<RunId>,
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
    /// When one cannot be read.
    pub fn refs(&self) -> Result<Refs> {
        let mut refs = Refs::default();
        for name in self.folder.list(TAGS)? {
            if let Some(id) = self.read_tag(&name)? {
                refs.tags.insert(name, id);
            }
        }
        refs.pins = self.folder.list(PINS)?.iter().filter_map(|n| n.parse().ok()).collect();
        Ok(refs)
    }

    pub(super) fn read_tag(&self, name: &str) -> Result<Option<RunId>> {
        let file = format!("{TAGS}/{name}");
        let bytes = match self.folder.read(&file) {
            Err(e) if e.is_not_found() => return Ok(None),
            other => other?,
        };
        let text = String::from_utf8_lossy(&bytes);
        text.trim().parse().map(Some).map_err(|e: crate::id::ParseIdError| {
            let path = self.folder.path(&file);
            Error::hinted(
                format!("The tag {name} is damaged: {e} ({})", path.display()),
                format!("set it again with `eart tag {name} RUN`, or remove it with `eart tag -d {name}`"),
            )
        })
    }

    /// Points a tag at a run, wherever it pointed before; returns that.
    ///
    /// # Errors
    ///
    /// When the name cannot be a tag, or the run is not there.
    pub fn set_tag(&self, name: &str, run: RunId) -> Result<Option<RunId>> {
        check_name("The tag's name", name)?;
        if name == super::resolve::LATEST || name.starts_with('-') {
            return Err(Error::user(format!("A tag cannot be named {name}")));
        }
        let _lock = self.lock_refs()?;
        // gc removes runs under the same lock: the run that is here now stays.
        self.must_exist(run)?;
        let before = self.read_tag(name).unwrap_or(None);
        self.folder.write(format!("{TAGS}/{name}"), format!("{run}\n").as_bytes())?;
        Ok(before)
    }

    /// Removes a tag; returns the run it was on.
    ///
    /// # Errors
    ///
    /// When there is no such tag.
    pub fn remove_tag(&self, name: &str) -> Result<Option<RunId>> {
        let _lock = self.lock_refs()?;
        if check_name("The tag's name", name).is_err()
            || !self.folder.path(format!("{TAGS}/{name}")).is_file()
        {
            return Err(Error::hinted(
                format!("No tag {name:?}"),
                "`eart tag` lists the tags there are",
            ));
        }
        let before = self.read_tag(name).unwrap_or(None);
        self.folder.remove(format!("{TAGS}/{name}"))?;
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
        let file = format!("{PINS}/{run}");
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
        let file = format!("{PINS}/{run}");
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
