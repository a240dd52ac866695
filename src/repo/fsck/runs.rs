//! Whether every run is what its id says, and whether the chunks of its files are there and whole.

use std::collections::HashMap;

use rayon::prelude::*;

use super::{Checked, reason};
use crate::id::{ChunkId, FileId, RunId};
use crate::manifest::{ChunkList, Entry, Node};
use crate::progress::Monitor;
use crate::repo::gc::live::Chunks;
use crate::repo::{Error, Repo, Result, runs};
use crate::store::Index;

enum State {
    /// Somebody removed it meanwhile.
    Gone,
    /// Why it is lost.
    Damaged(String),
    Whole {
        files: u64,
        /// Whether it needs a chunk that is bad or not where the index says.
        doubtful: bool,
    },
}

impl Repo {
    /// Checks every run, and returns those whose files may be lost with chunks that are `bad` or
    /// that `index` lacks.
    pub(super) fn check_runs(
        &self,
        index: &Index,
        bad: &Chunks,
        checked: &mut Checked,
        monitor: &dyn Monitor,
    ) -> Result<Vec<RunId>> {
        let ids = self.run_ids()?;
        monitor.begin("Checking runs", Some(ids.len() as u64));
        let check = |id: &RunId| {
            if monitor.interrupted() {
                return Err(Error::Interrupted);
            }
            let state =
                self.check_run(*id, |chunk| bad.contains(&chunk) || !index.contains(&chunk));
            monitor.advance(1);
            state
        };
        let states = ids.par_iter().map(check).collect::<Result<Vec<_>>>()?;
        let mut doubtful = Vec::new();
        for (id, state) in ids.into_iter().zip(states) {
            checked.runs += 1;
            match state {
                State::Gone => {}
                State::Damaged(reason) => checked.find_lost(runs::file(id), reason),
                State::Whole { files, doubtful: some } => {
                    checked.files += files;
                    doubtful.extend(some.then_some(id));
                }
            }
        }
        monitor.end();
        Ok(doubtful)
    }

    fn check_run(&self, id: RunId, doubted: impl Fn(ChunkId) -> bool) -> Result<State> {
        let (mut files, mut doubtful) = (0, false);
        let opened = self.manifest(id);
        let verified = opened.and_then(|manifest| {
            Ok(manifest.verify_with(|entry, list| {
                files += u64::from(entry.file_id().is_some());
                doubtful = doubtful || needs(entry, |_| list).into_iter().any(&doubted);
            })?)
        });
        match verified {
            Ok(()) => Ok(State::Whole { files, doubtful }),
            Err(e) if e.is_not_found() => Ok(State::Gone),
            Err(Error::Manifest(e)) if !e.is_damage() => Err(e.into()),
            Err(e) => Ok(State::Damaged(reason(&e))),
        }
    }

    /// Names the files of these runs, and of the drafts, that cannot be had.
    pub(super) fn check_files(
        &self,
        doubtful: &[RunId],
        index: &Index,
        bad: &Chunks,
        checked: &mut Checked,
    ) -> Result<()> {
        // A damaged chunk may have a second copy that is whole, and one that a damaged index lacks
        // may be there.
        let mut reader = self.store.reader()?;
        let mut gone: HashMap<ChunkId, bool> = HashMap::new();
        let mut lost = |id: ChunkId| {
            (bad.contains(&id) || !index.contains(&id))
                && *gone.entry(id).or_insert_with(|| reader.chunk(&id).is_err())
        };
        for run in doubtful {
            let manifest = match self.manifest(*run) {
                Err(e) if e.is_not_found() => continue,
                other => other?,
            };
            let lists =
                manifest.chunk_lists().collect::<std::result::Result<HashMap<_, _>, _>>()?;
            for entry in manifest.entries() {
                let entry = entry?;
                if needs(&entry, |id| lists.get(id)).into_iter().any(&mut lost) {
                    checked.lose(Some(*run), &manifest.meta().name, &entry.path);
                }
            }
        }
        for name in self.draft_names()? {
            let Ok(Some(draft)) = self.draft(&name) else { continue };
            for entry in draft.entries() {
                checked.files += u64::from(entry.file_id().is_some());
                if needs(entry, |id| draft.chunks().get(id)).into_iter().any(&mut lost) {
                    checked.lose(None, &name, &entry.path);
                }
            }
        }
        Ok(())
    }
}

/// The chunks of an entry.
fn needs<'a>(entry: &Entry, list: impl FnOnce(&FileId) -> Option<&'a ChunkList>) -> Vec<ChunkId> {
    match entry.node {
        Node::File { size: 1.., id } => match list(&id) {
            Some(list) => list.iter().map(|c| c.id).collect(),
            None => vec![id.into()],
        },
        _ => Vec::new(),
    }
}
