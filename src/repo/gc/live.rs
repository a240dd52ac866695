//! Which chunks are needed: those of the runs that stay and of the drafts.

use std::collections::HashSet;
use std::sync::Mutex;

use rayon::prelude::*;

use crate::id::{ChunkId, RunId};
use crate::manifest::{ChunkList, Entry, Node};
use crate::repo::{Repo, Result};
use crate::store::IdHash;

/// A set of chunks.
pub(in crate::repo) type Chunks = HashSet<ChunkId, IdHash>;

/// The chunks of an entry, given how to find the list of a file of several.
fn chunks_of(
    entry: &Entry,
    list: impl FnOnce() -> Result<Option<ChunkList>>,
    mut take: impl FnMut(ChunkId),
) -> Result<()> {
    if let Node::File { size: 1.., id } = entry.node {
        match list()? {
            Some(list) => list.iter().for_each(|c| take(c.id)),
            None => take(id.into()),
        }
    }
    Ok(())
}

impl Repo {
    /// Visits every chunk that a run needs.
    pub(in crate::repo) fn chunks_of_run(
        &self,
        run: RunId,
        mut take: impl FnMut(ChunkId),
    ) -> Result<()> {
        let manifest = self.manifest(run)?;
        let lists = manifest
            .chunk_lists()
            .collect::<std::result::Result<std::collections::HashMap<_, _>, _>>()?;
        for entry in manifest.entries() {
            let entry = entry?;
            let list = || Ok(entry.file_id().and_then(|id| lists.get(&id).cloned()));
            chunks_of(&entry, list, &mut take)?;
        }
        Ok(())
    }

    /// Visits every chunk that a draft needs.
    pub(in crate::repo) fn chunks_of_draft(
        &self,
        name: &str,
        mut take: impl FnMut(ChunkId),
    ) -> Result<()> {
        let Some(draft) = self.draft(name)? else { return Ok(()) };
        for entry in draft.entries() {
            let list = || Ok(entry.file_id().and_then(|id| draft.chunks().get(&id).cloned()));
            chunks_of(entry, list, &mut take)?;
        }
        Ok(())
    }

    /// Every chunk that these runs need. A run that is gone by now needs nothing.
    pub(in crate::repo) fn live_of_runs(&self, runs: &[RunId], live: &mut Chunks) -> Result<()> {
        let live = Mutex::new(live);
        runs.par_iter().try_for_each(|run| {
            let mut some = Vec::new();
            match self.chunks_of_run(*run, |id| some.push(id)) {
                Err(e) if e.is_not_found() => {}
                other => other?,
            }
            live.lock().unwrap_or_else(|e| e.into_inner()).extend(some);
            Ok(())
        })
    }

    /// Every chunk that the drafts need.
    pub(in crate::repo) fn live_of_drafts(&self, live: &mut Chunks) -> Result<()> {
        for name in self.draft_names()? {
            self.chunks_of_draft(&name, |id| {
                live.insert(id);
            })?;
        }
        Ok(())
    }
}
