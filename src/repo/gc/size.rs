//! `--max-size`: the oldest runs go until what the others need fits.

use std::collections::HashMap;

use crate::id::{ChunkId, RunId};
use crate::repo::{Repo, Result};
use crate::store::IdHash;

use super::retention::{Fate, Reason};

impl Repo {
    /// Marks runs to go, oldest first, until what stays needs at most `limit` bytes of packs and
    /// manifests, as far as can be told before. Runs with a tag or pin and the newest of the policy
    /// stay in any case.
    pub(super) fn shrink(&self, fates: &mut [Fate], limit: u64) -> Result<()> {
        let index = self.store.index()?;
        let mut users: HashMap<ChunkId, u32, IdHash> = HashMap::default();
        let mut needs: Vec<(RunId, Vec<ChunkId>)> = Vec::new();
        let mut total = 0;
        // A chunk costs its share of its frame.
        let cost = |id: &ChunkId| {
            index.find(id).map_or(0, |l| {
                u64::from(l.frame.stored) * u64::from(l.len) / u64::from(l.frame.raw.max(1))
            })
        };
        for name in self.draft_names()? {
            self.chunks_of_draft(&name, |id| *users.entry(id).or_default() += 1)?;
        }
        for fate in fates.iter().filter(|f| f.stays) {
            let mut chunks = Vec::new();
            self.chunks_of_run(fate.id, |id| chunks.push(id))?;
            chunks.sort_unstable();
            chunks.dedup();
            chunks.iter().for_each(|id| *users.entry(*id).or_default() += 1);
            total += super::size_of(&self.run_path(fate.id));
            if fate.may_go_for_size() {
                needs.push((fate.id, chunks));
            }
        }
        total += users.keys().map(&cost).sum::<u64>();
        for (id, chunks) in needs.into_iter().rev() {
            if total <= limit {
                break;
            }
            total -= super::size_of(&self.run_path(id)).min(total);
            for chunk in chunks {
                if let Some(count) = users.get_mut(&chunk) {
                    *count -= 1;
                    if *count == 0 {
                        total -= cost(&chunk).min(total);
                    }
                }
            }
            if let Some(fate) = fates.iter_mut().find(|f| f.id == id) {
                fate.stays = false;
                fate.reasons = vec![Reason::Size { limit }];
            }
        }
        Ok(())
    }
}
