//! `--max-size`: the oldest runs go until what the others need fits.

use crate::id::ChunkId;
use crate::repo::{Repo, Result};

use super::Goal;
use super::live::Chunks;
use super::retention::{Fate, Reason};

impl Repo {
    /// Marks runs to go, oldest first, until what stays needs no more than the goal, as far as can be
    /// told before. Runs with a tag or pin and the newest of the policy stay in any case.
    pub(super) fn shrink(&self, fates: &mut [Fate], goal: Goal) -> Result<()> {
        let index = self.store.index()?;
        // A chunk costs its share of its frame.
        let cost = |id: &ChunkId| {
            index.find(id).map_or(0, |l| {
                u64::from(l.frame.stored) * u64::from(l.len) / u64::from(l.frame.raw.max(1))
            })
        };
        // Who goes last is counted first: what each run adds is what would go with it, those older
        // than it being gone.
        let mut counted = Chunks::default();
        let mut new = |id: ChunkId| if counted.insert(id) { cost(&id) } else { 0 };
        let mut total = 0;
        for name in self.draft_names()? {
            self.chunks_of_draft(&name, |id| total += new(id))?;
        }
        let (may_go, stay): (Vec<_>, Vec<_>) =
            fates.iter_mut().filter(|f| f.stays).partition(|f| f.may_go_for_size());
        let mut sums = Vec::with_capacity(stay.len() + may_go.len());
        // Fates come newest first.
        for fate in stay.into_iter().chain(may_go) {
            total += super::size_of(&self.run_path(fate.id));
            self.chunks_of_run(fate.id, |id| total += new(id))?;
            sums.push((fate, total));
        }
        // What the store really has beyond what was counted, it will have then, too.
        let more = goal.stored.map_or(0, |stored| stored.saturating_sub(total));
        let most = goal.max.saturating_sub(more);
        for (fate, sum) in sums {
            if sum > most && fate.may_go_for_size() {
                fate.stays = false;
                fate.reasons = vec![Reason::Size { limit: goal.max }];
            }
        }
        Ok(())
    }
}
