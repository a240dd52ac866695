//! `gc`: whole runs go as the retention policy says, and the space that only they needed comes
//! back.
//!
//! First the runs: an audit line each, then their files. Then the space: a plan of packs to delete
//! and to write anew, made and carried out next to those who add. Only the sweep excludes them, and
//! is short: under the exclusive lock it reads runs and drafts again, spares packs that were named
//! meanwhile, writes the index without the rest, and deletes. A crash at any point leaves garbage
//! for the next gc, nothing else.

pub(super) mod live;
mod retention;
mod size;
mod space;

pub use retention::{Fate, Policy, Reason};

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::{Error, Refs, Repo, Result};
use crate::disk::{LockMode, TMP};
use crate::id::{PackId, RunId};
use crate::progress::{Monitor, Problem};
use crate::store::pack_name;
use live::Chunks;
use space::Plan;

/// Held by whoever plans what becomes of packs and carries it out.
pub(super) const LOCK: &str = "gc.lock";

/// Temporary files older than this belong to nobody: small ones live for milliseconds, and packs
/// are only written by those whom the sweep excludes.
const STALE: Duration = Duration::from_secs(600);

/// What to collect.
#[derive(Debug, Clone, Default)]
pub struct GcOptions {
    /// Which runs stay.
    pub policy: Policy,
    /// Only say what would happen.
    pub dry_run: bool,
    /// Drafts untouched for longer than this are dropped.
    pub drafts: Option<Duration>,
    /// The zstd level for what is compressed anew.
    pub level: i32,
}

/// How much the store may hold.
#[derive(Debug, Clone, Copy)]
struct Goal {
    /// Bytes of packs and runs.
    max: u64,
    /// What it had after it was tried before.
    stored: Option<u64>,
}

/// What a gc did, or would do.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Collected {
    /// Every run, newest first, with what became of it and why.
    pub fates: Vec<Fate>,
    /// Runs that would have gone, but got a tag or pin meanwhile.
    pub spared: Vec<RunId>,
    /// Drafts that were dropped.
    pub drafts: Vec<String>,
    /// Bytes by which packs, runs, drafts and index shrank; exact, or an estimate in a dry run.
    #[serde(rename = "freed_bytes")]
    pub freed: u64,
    /// Whether `freed` is an estimate.
    pub estimate: bool,
    /// Packs deleted, and packs whose needed part was moved to new ones.
    pub packs_deleted: u64,
    /// See `packs_deleted`.
    pub packs_rewritten: u64,
    /// Bytes of packs and manifests afterwards.
    #[serde(rename = "stored_bytes")]
    pub stored: u64,
    /// Whether the store is still larger than `max_size` allows.
    pub too_large: bool,
}

impl Repo {
    /// Applies the retention policy and gives the space back.
    ///
    /// # Errors
    ///
    /// When a run that stays cannot be read: then nobody can tell which chunks it needs, and nothing
    /// is deleted. When a tag or pin names a run that is not there: whoever puts the run back needs
    /// its chunks. When the rules keep no run. When the store cannot be written; runs may be gone
    /// then, and the error says so.
    pub fn gc(&self, options: &GcOptions, monitor: &dyn Monitor) -> Result<Collected> {
        check_policy(&options.policy)?;
        let _alone = match options.dry_run {
            true => None,
            false => self.wait_for(LOCK, LockMode::Exclusive, Duration::MAX, monitor)?,
        };
        let max = options.policy.max_size;
        let mut goal = max.map(|max| Goal { max, stored: None });
        let mut collected = self.collect(options, goal, monitor)?;
        while collected.is_shrinkable(options) {
            // What fits was an estimate, and too high.
            goal = max.map(|max| Goal { max, stored: Some(collected.stored) });
            let gone = collected.gone();
            collected.join(self.collect(options, goal, monitor).map_err(|e| unswept(gone, e))?);
            if collected.gone() == gone {
                break;
            }
        }
        // A dry run knows only about how much its runs would free: the real one goes on.
        let more = options.dry_run && collected.fates.iter().any(Fate::may_go_for_size);
        collected.too_large = !more && max.is_some_and(|max| collected.stored > max);
        Ok(collected)
    }

    /// Decides about runs, removes those that go, and gives back the space that only they needed.
    fn collect(
        &self,
        options: &GcOptions,
        goal: Option<Goal>,
        monitor: &dyn Monitor,
    ) -> Result<Collected> {
        let mut fates = self.decide(options)?;
        if let Some(goal) = goal {
            self.shrink(&mut fates, goal)?;
        }
        let mut drafts = match options.drafts {
            Some(age) => self.abandoned_drafts(age)?,
            None => Vec::new(),
        };
        let stays: Vec<RunId> = fates.iter().filter(|f| f.stays).map(|f| f.id).collect();
        monitor.begin_items("Looking", None);
        // Before anything goes, everything that stays must have been read.
        let mut live = Chunks::default();
        self.live_of_runs(&stays, &mut live)?;
        for name in self.draft_names()?.iter().filter(|name| !drafts.contains(name)) {
            self.draft(name)?;
        }
        let stored = self.stored()?;
        let tight = goal.is_some_and(|goal| stored > goal.max);
        let mut collected = Collected { fates, estimate: options.dry_run, ..Collected::default() };
        if options.dry_run {
            self.live_of_drafts(&mut live)?;
            let plan = self.plan_space(&live, tight)?;
            monitor.end();
            collected.plans(&plan, drafts);
            return self.foresee(collected, &plan);
        }
        let mut tally = Tally::default();
        collected.spared = self.remove_expired(&mut collected.fates, &mut tally).map_err(|e| {
            let gone = |f: &&Fate| !f.stays && !self.run_path(f.id).exists();
            unswept(collected.fates.iter().filter(gone).count(), e)
        })?;
        let (gone, spared) = (collected.gone(), collected.spared.clone());
        let sweep = || {
            self.live_of_runs(&spared, &mut live)?;
            let stays: Vec<RunId> = stays.iter().chain(&spared).copied().collect();
            let age = options.drafts.unwrap_or(Duration::MAX);
            drafts.retain(|name| {
                let size = self.size_of_draft(name);
                let dropped = self.drop_abandoned(name, age).unwrap_or(false);
                tally.removed += if dropped { size } else { 0 };
                dropped
            });
            self.forget_gone()?;
            let plan = self.move_live(&mut live, tight, options.level, &mut tally, monitor)?;
            collected.plans(&plan, std::mem::take(&mut drafts));
            self.sweep(plan, live, &stays, &mut tally, monitor)?;
            collected.freed = tally.removed.saturating_sub(tally.added);
            collected.stored = self.stored()?;
            Ok(collected)
        };
        sweep().map_err(|e| unswept(gone, e))
    }

    /// About how much would be freed.
    fn foresee(&self, mut collected: Collected, plan: &Plan) -> Result<Collected> {
        let gone = collected.fates.iter().filter(|f| !f.stays);
        let runs = gone.map(|f| size_of(&self.run_path(f.id))).sum::<u64>();
        collected.freed = plan.frees + runs;
        collected.stored = self.stored()?.saturating_sub(collected.freed);
        Ok(collected)
    }

    /// What the policy says about every run; sizes are not looked at here.
    fn decide(&self, options: &GcOptions) -> Result<Vec<Fate>> {
        let catalog = self.catalog()?;
        if let Some((id, _)) = catalog.unreadable().first() {
            return Err(Error::hinted(
                format!("The run {} cannot be read, so nobody knows what it needs", id.short()),
                format!("look with `eart fsck`; `eart rm {id}` gives the run up"),
            ));
        }
        let refs = self.refs_to_runs()?;
        let records: Vec<_> = catalog.records().collect();
        let fates = retention::decide(&records, &refs, &options.policy, self.clock.now());
        if options.policy.has_rules() && retention::empties(&fates) {
            return Err(Error::hinted(
                "The rules keep no run at all, so nothing was removed",
                "add --keep 1 to keep the newest at least, or name runs with `eart rm RUN...`",
            ));
        }
        Ok(fates)
    }

    /// Plans what becomes of the packs, and moves what is needed out of those that go.
    fn move_live(
        &self,
        live: &mut Chunks,
        tight: bool,
        level: i32,
        tally: &mut Tally,
        monitor: &dyn Monitor,
    ) -> Result<Plan> {
        let _share = self.share_or_stop(monitor)?;
        self.live_of_drafts(live)?;
        let mut plan = self.plan_space(live, tight)?;
        monitor.end();
        monitor.begin_items("Moving", Some(plan.rewrite.len() as u64));
        tally.added += plan.rewrite(self, live, level, monitor)?;
        monitor.end();
        Ok(plan)
    }

    /// All tags and pins, each on a run that is there.
    fn refs_to_runs(&self) -> Result<Refs> {
        let there = |id: &RunId| self.run_path(*id).is_file();
        let whole = |refs: &Refs| refs.tags.values().chain(&refs.pins).all(there);
        let mut refs = self.refs()?;
        if !whole(&refs) {
            // Whoever removes a run with its tags removes the tags first.
            refs = self.refs()?;
        }
        if let Some((name, id)) = refs.tags.iter().find(|(_, id)| !there(id)) {
            return Err(Error::hinted(
                format!("The tag {name} names the run {}, which is not there", id.short()),
                format!(
                    "put {} back from a copy of the store and look with `eart fsck`, or give the \
                     run up with `eart tag -d {name}`",
                    super::runs::file(*id)
                ),
            ));
        }
        if let Some(id) = refs.pins.iter().find(|id| !there(id)) {
            return Err(Error::hinted(
                format!("The run {} is pinned and not there", id.short()),
                format!(
                    "put {} back from a copy of the store and look with `eart fsck`, or give the \
                     run up with `eart unpin {id}`",
                    super::runs::file(*id)
                ),
            ));
        }
        Ok(refs)
    }

    /// Removes the runs that go; those that got a tag or pin meanwhile stay.
    fn remove_expired(&self, fates: &mut [Fate], tally: &mut Tally) -> Result<Vec<RunId>> {
        let going: Vec<(RunId, String)> = fates
            .iter()
            .filter(|f| !f.stays)
            .map(|f| (f.id, f.reasons.iter().map(ToString::to_string).collect()))
            .collect();
        if going.is_empty() {
            return Ok(Vec::new());
        }
        let removed = self.remove_runs(&going, "gc")?;
        tally.removed += removed.bytes;
        for fate in fates.iter_mut().filter(|f| removed.spared.contains(&f.id)) {
            fate.stays = true;
        }
        Ok(removed.spared)
    }

    /// Deletes what the plan gives up, but for packs that were named since it was made.
    fn sweep(
        &self,
        plan: Plan,
        live: Chunks,
        planned: &[RunId],
        tally: &mut Tally,
        monitor: &dyn Monitor,
    ) -> Result<()> {
        let doomed = plan.delete.iter().chain(&plan.rewrite).chain(&plan.given_up);
        let doomed: HashSet<PackId> = doomed.copied().collect();
        if doomed.is_empty() && self.leftovers()?.is_empty() {
            return Ok(());
        }
        monitor.begin_items("Waiting for those who add", None);
        let _exclusive = self.exclude(monitor)?;
        monitor.end();
        if !doomed.is_empty() {
            self.delete_packs(&doomed, live, planned, tally)?;
        }
        for name in self.leftovers()? {
            let size = size_of(&self.folder.path(&name));
            match self.folder.remove(&name) {
                Ok(()) => tally.removed += size,
                Err(e) => monitor.problem(Problem {
                    path: name,
                    what: format!("is left over from a command that was killed, and stays: {e}"),
                }),
            }
        }
        Ok(())
    }

    /// Deletes packs, but for those that alone hold what somebody needs. Nobody may be adding.
    fn delete_packs(
        &self,
        doomed: &HashSet<PackId>,
        live: Chunks,
        planned: &[RunId],
        tally: &mut Tally,
    ) -> Result<()> {
        let planned: HashSet<&RunId> = planned.iter().collect();
        // What the packs say themselves: a damaged segment must not send a chunk elsewhere.
        let index = self.store.index_of_footers()?;
        let mut spared: HashSet<PackId> = HashSet::new();
        let mut spare = |id| {
            let mut places = index.places(&id).map(|l| l.pack).peekable();
            let first = places.peek().copied();
            if !places.any(|pack| !doomed.contains(&pack)) {
                spared.extend(first);
            }
        };
        // Whatever went wrong before: no pack goes that alone holds something needed.
        live.iter().copied().for_each(&mut spare);
        for id in self.run_ids()?.iter().filter(|id| !planned.contains(id)) {
            match self.chunks_of_run(*id, &mut spare) {
                // Somebody removed it just now.
                Err(e) if e.is_not_found() => {}
                other => other?,
            }
        }
        for name in self.draft_names()? {
            self.chunks_of_draft(&name, &mut spare)?;
        }
        let gone = |pack: &PackId| doomed.contains(pack) && !spared.contains(pack);
        let (delete, keep): (Vec<PackId>, Vec<PackId>) =
            index.packs().iter().copied().partition(gone);
        if delete.is_empty() {
            return Ok(());
        }
        tally.removed += self.size_of_folder("index")?;
        match self.store.reindex(&keep).map_err(Error::from) {
            // Readers pass over packs that an older index names.
            Err(e) if e.is_full() => {}
            other => other?,
        }
        tally.added += self.size_of_folder("index")?;
        // Whoever was killed while it added may have named a pack that is not on disk yet: those that
        // stay must be, before another one with the same chunks goes.
        self.folder.sync_dir(crate::store::PACKS)?;
        for pack in delete {
            tally.removed += size_of(&self.folder.path(pack_name(pack)));
            self.folder.remove(pack_name(pack))?;
        }
        Ok(self.folder.sync_dir(crate::store::PACKS)?)
    }

    /// Temporary files that belong to nobody any more, as names in the store.
    fn leftovers(&self) -> Result<Vec<String>> {
        let names = self.folder.list(TMP)?.into_iter().map(|name| format!("{TMP}/{name}"));
        let old = |name: &String| {
            let modified = self.folder.path(name).symlink_metadata().and_then(|m| m.modified());
            let age = modified.map(|t| SystemTime::now().duration_since(t).unwrap_or_default());
            age.is_ok_and(|age| age > STALE)
        };
        Ok(names.filter(old).collect())
    }

    /// Bytes of packs and manifests.
    pub(super) fn stored(&self) -> Result<u64> {
        Ok(self.size_of_folder(crate::store::PACKS)? + self.size_of_folder(super::runs::RUNS)?)
    }

    /// Bytes of the files in a folder of the store.
    pub(super) fn size_of_folder(&self, name: &str) -> Result<u64> {
        let names = self.folder.list(name)?;
        Ok(names.iter().map(|n| size_of(&self.folder.path(format!("{name}/{n}")))).sum())
    }
}

/// A failure after so many runs were removed.
fn unswept(removed: usize, e: Error) -> Error {
    match e {
        Error::Unswept { removed: more, source } => {
            Error::Unswept { removed: removed + more, source }
        }
        e if removed == 0 => e,
        e => Error::Unswept { removed, source: Box::new(e) },
    }
}

fn check_policy(policy: &Policy) -> Result<()> {
    if policy.newest == Some(0) {
        return Err(Error::hinted(
            "A policy that keeps 0 runs would delete everything",
            "name the runs with `eart rm RUN...`, then run `eart gc`",
        ));
    }
    if !policy.has_rules() && policy.max_size.is_none() {
        return Err(Error::hinted(
            "No rule says which runs stay",
            "name one, such as --keep 10 or --keep-within 30d, or set it with `eart config`",
        ));
    }
    Ok(())
}

impl Collected {
    fn plans(&mut self, plan: &Plan, drafts: Vec<String>) {
        self.drafts = drafts;
        self.packs_deleted = plan.delete.len() as u64;
        self.packs_rewritten = plan.rewrite.len() as u64;
    }

    /// How many runs are gone.
    fn gone(&self) -> usize {
        self.fates.iter().filter(|f| !f.stays).count()
    }

    /// Whether the store is still too large, and there are runs that may go for that.
    fn is_shrinkable(&self, options: &GcOptions) -> bool {
        !options.dry_run
            && options.policy.max_size.is_some_and(|max| self.stored > max)
            && self.fates.iter().any(Fate::may_go_for_size)
    }

    /// What another round did.
    fn join(&mut self, more: Self) {
        for fate in more.fates.into_iter().filter(|f| !f.stays) {
            if let Some(old) = self.fates.iter_mut().find(|old| old.id == fate.id) {
                *old = fate;
            }
        }
        self.spared.extend(more.spared);
        self.drafts.extend(more.drafts);
        self.freed += more.freed;
        self.packs_deleted += more.packs_deleted;
        self.packs_rewritten += more.packs_rewritten;
        self.stored = more.stored;
    }
}

/// Bytes that came and went.
#[derive(Debug, Default)]
struct Tally {
    removed: u64,
    added: u64,
}

fn size_of(path: &std::path::Path) -> u64 {
    std::fs::metadata(path).map_or(0, |m| m.len())
}
