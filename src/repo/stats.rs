//! `stats`: what the store holds and what it saves. Reads the catalog, the index, and the lengths
//! of files; no manifest.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::{Catalog, Repo, Result, runs};
use crate::artifact::ArtifactType;
use crate::manifest::Tally;
use crate::store::PACKS;

/// What the store holds. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Stats {
    /// Runs.
    pub runs: u64,
    /// Files of all runs, each counted as often as a run has it.
    pub files: u64,
    /// Length of these files together.
    pub logical_bytes: u64,
    /// Length of the chunks in the store, each counted once. Chunks of drafts, and those that gc
    /// has not collected yet, are among them.
    pub unique_bytes: u64,
    /// Length of the packs that hold them.
    pub stored_bytes: u64,
    /// What sharing chunks saves: logical less unique.
    #[serde(rename = "saved_by_deduplication_bytes")]
    pub saved_by_deduplication: u64,
    /// What compression saves: unique less stored.
    #[serde(rename = "saved_by_compression_bytes")]
    pub saved_by_compression: u64,
    /// Chunks in the store.
    pub chunks: u64,
    /// Packs in the store.
    pub packs: u64,
    /// What the store needs besides the packs.
    pub overhead: Overhead,
    /// All of the store's files together.
    pub total_bytes: u64,
    /// Files by their type.
    pub types: BTreeMap<ArtifactType, Tally>,
}

/// What the store needs besides the packs, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Overhead {
    /// The runs' manifests.
    #[serde(rename = "manifest_bytes")]
    pub manifests: u64,
    /// The index of chunks.
    #[serde(rename = "index_bytes")]
    pub index: u64,
    /// The catalog of runs.
    #[serde(rename = "catalog_bytes")]
    pub catalog: u64,
    /// Drafts, with what is remembered of the files that were committed last.
    #[serde(rename = "draft_bytes")]
    pub drafts: u64,
    /// All else: the audit log, temporary files, tags and pins, damaged packs that were put aside.
    #[serde(rename = "other_bytes")]
    pub other: u64,
}

impl Repo {
    /// Counts everything.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn stats(&self, catalog: &Catalog) -> Result<Stats> {
        let mut stats = Stats { runs: catalog.len() as u64, ..Stats::default() };
        for run in catalog.records() {
            stats.files += run.summary.files;
            stats.logical_bytes = stats.logical_bytes.saturating_add(run.summary.bytes);
            for (artifact, tally) in &run.summary.types {
                let sum = stats.types.entry(*artifact).or_default();
                sum.files += tally.files;
                sum.bytes = sum.bytes.saturating_add(tally.bytes);
            }
        }
        let index = self.store.index()?;
        stats.packs = index.packs().len() as u64;
        // 16 bytes of an id tell chunks apart well enough to be counted.
        let half = |id: &crate::id::ChunkId| {
            id.as_bytes().iter().take(16).fold(0u128, |n, byte| n << 8 | u128::from(*byte))
        };
        let mut chunks: Vec<(u128, u32)> =
            index.chunks().map(|(id, place)| (half(&id), place.len)).collect();
        chunks.sort_unstable();
        chunks.dedup_by_key(|(id, _)| *id);
        stats.chunks = chunks.len() as u64;
        stats.unique_bytes = chunks.iter().map(|(_, len)| u64::from(*len)).sum();
        stats.stored_bytes = self.length_of(PACKS)?;
        stats.saved_by_deduplication = stats.logical_bytes.saturating_sub(stats.unique_bytes);
        stats.saved_by_compression = stats.unique_bytes.saturating_sub(stats.stored_bytes);
        let drafts = self.folder.list("drafts")?;
        let drafts = drafts.iter().map(|name| self.length_of(&format!("drafts/{name}")));
        stats.overhead = Overhead {
            manifests: self.length_of(runs::RUNS)?,
            index: self.length_of("index")?,
            catalog: self.length_of("catalog")?,
            drafts: drafts.sum::<Result<u64>>()?,
            other: 0,
        };
        let Overhead { manifests, index, catalog, drafts, .. } = stats.overhead;
        let known = stats.stored_bytes + manifests + index + catalog + drafts;
        stats.overhead.other = below(self.folder.root()).saturating_sub(known);
        stats.total_bytes = known + stats.overhead.other;
        Ok(stats)
    }

    /// Length of the files in a folder of the store together; 0 for what is no folder. What is
    /// removed meanwhile is not counted.
    fn length_of(&self, folder: &str) -> Result<u64> {
        let path = self.folder.path(folder);
        if !path.is_dir() {
            return Ok(0);
        }
        let names = self.folder.list(folder)?;
        let lengths = names.iter().filter_map(|name| path.join(name).symlink_metadata().ok());
        Ok(lengths.filter(std::fs::Metadata::is_file).map(|m| m.len()).sum())
    }
}

/// Length of the files in a folder and below it together. What cannot be read is not counted.
fn below(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let length = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => below(&entry.path()),
        Ok(meta) if meta.is_file() => meta.len(),
        _ => 0,
    };
    entries.map(length).sum()
}
