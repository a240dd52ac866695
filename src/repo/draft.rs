//! Drafts on disk: `drafts/NAME/draft` is what is staged, `drafts/NAME/last` what `stat` said of
//! the files of the run that was committed last.

use std::time::{Duration, SystemTime};

use super::{Error, Repo, Result};
use crate::manifest::{Draft, Last};

pub(super) const DRAFTS: &str = "drafts";

/// A draft as `draft list` shows it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct DraftInfo {
    /// Its name.
    pub name: String,
    /// When it was begun.
    pub started: jiff::Timestamp,
    /// Files staged.
    pub files: u64,
    /// Their length in bytes.
    pub bytes: u64,
}

pub(super) fn file(name: &str) -> String {
    format!("{DRAFTS}/{name}/draft")
}

pub(super) fn last_file(name: &str) -> String {
    format!("{DRAFTS}/{name}/last")
}

impl Repo {
    /// The open draft of this name, if something was staged.
    ///
    /// # Errors
    ///
    /// When its file cannot be read or is damaged.
    pub fn draft(&self, name: &str) -> Result<Option<Draft>> {
        check(name)?;
        match self.folder.read(file(name)) {
            Ok(bytes) => Draft::decode(&bytes)
                .map(Some)
                .map_err(|source| Error::Draft { name: name.to_owned(), source: Box::new(source) }),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// What is known of the files of the last commit; nothing when the record cannot be used.
    pub(super) fn last(&self, name: &str) -> Option<Last> {
        Last::decode(&self.folder.read(last_file(name)).ok()?).ok()
    }

    /// Writes a draft. The caller holds the lock on drafts.
    pub(super) fn save_draft(&self, name: &str, draft: &Draft) -> Result<()> {
        check(name)?;
        self.folder.create_dir(format!("{DRAFTS}/{name}"))?;
        Ok(self.folder.write(file(name), &draft.encode()?)?)
    }

    /// Removes what is staged under a name. The caller holds the lock on drafts.
    pub(super) fn remove_draft(&self, name: &str) -> Result<()> {
        self.folder.remove(file(name))?;
        Ok(self.folder.sync_dir(format!("{DRAFTS}/{name}"))?)
    }

    /// Names under which something is staged, sorted.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub fn draft_names(&self) -> Result<Vec<String>> {
        let names = self.folder.list(DRAFTS)?;
        Ok(names.into_iter().filter(|n| self.folder.path(file(n)).is_file()).collect())
    }

    /// The drafts, by name.
    ///
    /// # Errors
    ///
    /// When one cannot be read.
    pub fn drafts(&self) -> Result<Vec<DraftInfo>> {
        let mut drafts = Vec::new();
        for name in self.draft_names()? {
            let Some(draft) = self.draft(&name)? else { continue };
            drafts.push(DraftInfo {
                name,
                started: draft.started,
                files: draft.entries().iter().filter(|e| e.file_id().is_some()).count() as u64,
                bytes: draft.entries().iter().map(|e| e.size()).sum(),
            });
        }
        Ok(drafts)
    }

    /// Drops a draft and what is remembered under its name.
    ///
    /// # Errors
    ///
    /// When there is none, or it cannot be removed.
    pub fn drop_draft(&self, name: &str) -> Result<()> {
        check(name)?;
        let _share = self.share()?;
        let _lock = self.lock_drafts()?;
        if !self.folder.path(file(name)).is_file() {
            return Err(Error::hinted(
                format!("No draft {name:?}"),
                "`eart draft list` shows the drafts there are",
            ));
        }
        self.folder.remove(last_file(name))?;
        self.remove_draft(name)
    }

    /// Drops a draft if nobody touched it for `age`, looking once more when nobody else can change
    /// it. Whether it was dropped.
    ///
    /// # Errors
    ///
    /// When it cannot be removed.
    pub(super) fn drop_abandoned(&self, name: &str, age: Duration) -> Result<bool> {
        let _share = self.share()?;
        let _lock = self.lock_drafts()?;
        if !self.abandoned_drafts(age)?.iter().any(|n| n == name) {
            return Ok(false);
        }
        self.folder.remove(last_file(name))?;
        self.remove_draft(name)?;
        Ok(true)
    }

    /// Bytes of what is staged and remembered under a name.
    pub(super) fn size_of_draft(&self, name: &str) -> u64 {
        let size = |file| std::fs::metadata(self.folder.path(file)).map_or(0, |m| m.len());
        size(file(name)) + size(last_file(name))
    }

    /// Forgets what is remembered of the files of runs that are gone.
    ///
    /// # Errors
    ///
    /// When a record cannot be removed.
    pub(super) fn forget_gone(&self) -> Result<()> {
        let _lock = self.lock_drafts()?;
        for name in self.folder.list(DRAFTS)? {
            if self.last(&name).is_some_and(|last| !self.run_path(last.run).is_file()) {
                self.folder.remove(last_file(&name))?;
                // Fails where something is staged, and then the folder is needed.
                drop(std::fs::remove_dir(self.folder.path(format!("{DRAFTS}/{name}"))));
            }
        }
        Ok(())
    }

    /// Names of drafts that were not touched for `age`.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub fn abandoned_drafts(&self, age: Duration) -> Result<Vec<String>> {
        let old = |name: &String| {
            let touched =
                std::fs::metadata(self.folder.path(file(name))).and_then(|m| m.modified());
            touched.is_ok_and(|t| SystemTime::now().duration_since(t).is_ok_and(|d| d > age))
        };
        Ok(self.draft_names()?.into_iter().filter(old).collect())
    }
}

/// Names of drafts become folder names.
fn check(name: &str) -> Result<()> {
    match crate::manifest::check_name("The draft's name", name) {
        Err(crate::manifest::Error::Meta { reason }) => Err(Error::user(reason)),
        other => Ok(other?),
    }
}
