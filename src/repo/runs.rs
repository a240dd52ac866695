//! The runs on disk: one manifest file each, named by its id.

use super::{Repo, Result};
use crate::id::RunId;
use crate::manifest::Manifest;

pub(super) const RUNS: &str = "runs";
const SUFFIX: &str = ".redb";

/// The manifest file of a run, relative to the store.
pub(super) fn file(id: RunId) -> String {
    format!("{RUNS}/{id}{SUFFIX}")
}

impl Repo {
    /// Ids of all runs, sorted by id. The folder's listing is the truth; everything else that
    /// knows runs is derived.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub fn run_ids(&self) -> Result<Vec<RunId>> {
        let names = self.folder.list(RUNS)?;
        Ok(names.iter().filter_map(|n| RunId::of_name(n.strip_suffix(SUFFIX)?)).collect())
    }

    /// Where a run's manifest lies.
    pub(super) fn run_path(&self, id: RunId) -> std::path::PathBuf {
        self.folder.path(file(id))
    }

    /// Opens a run's manifest.
    ///
    /// # Errors
    ///
    /// When it is not there or damaged.
    pub fn manifest(&self, id: RunId) -> Result<Manifest> {
        Ok(Manifest::open(&self.run_path(id), id)?)
    }
}
