//! `status`: what is staged, against the run that was committed before it.
//!
//! That run is the one that was last committed from the draft of the same name, so that parallel
//! jobs which keep drafts of their own are compared with themselves; without one, it is the newest.

use super::{Record, Repo, Result};
use crate::id::RunId;
use crate::manifest::{Change, Draft, Entry, Summary, Tally, diff};

/// What is staged in a draft.
#[derive(Debug)]
pub struct DraftStatus {
    /// Name of the draft.
    pub draft: String,
    /// The run it is compared with; none in a store without runs.
    pub base: Option<Record>,
    /// When the draft was begun; none if nothing was staged.
    pub started: Option<jiff::Timestamp>,
    /// What is staged, in numbers; `new_bytes` is what the store grew by for it so far.
    pub summary: Summary,
    /// What differs from the base, in path order.
    pub changes: Vec<Change<Entry, Entry>>,
    /// Files that are as they are in the base.
    pub same: Tally,
}

impl Repo {
    /// Compares a draft with the run before it. An empty draft has no changes: what is not staged
    /// again is not gone.
    ///
    /// # Errors
    ///
    /// When the draft or the run cannot be read.
    pub fn status(&self, draft: &str) -> Result<DraftStatus> {
        let base = self.base_of(draft)?;
        let open = self.draft(draft)?;
        let mut status = DraftStatus {
            draft: draft.to_owned(),
            base: None,
            started: open.as_ref().map(|d| d.started),
            summary: Summary::default(),
            changes: Vec::new(),
            same: Tally::default(),
        };
        if let Some(open) = &open {
            status.summary = Summary::of(open.entries(), open.new_bytes);
            (status.changes, status.same) = self.compare(base.as_ref().map(|r| r.id), open)?;
        }
        status.base = base;
        Ok(status)
    }

    fn base_of(&self, draft: &str) -> Result<Option<Record>> {
        let catalog = self.catalog()?;
        let own = self.last(draft).and_then(|last| catalog.get(&last.run));
        Ok(own.or_else(|| catalog.records().next()).cloned())
    }

    fn compare(
        &self,
        base: Option<RunId>,
        draft: &Draft,
    ) -> Result<(Vec<Change<Entry, Entry>>, Tally)> {
        let mut changes = Vec::new();
        let mut same = Tally::default();
        for file in draft.entries().iter().filter(|e| e.file_id().is_some()) {
            same.files += 1;
            same.bytes += file.size();
        }
        let mut differs = |new: &Entry| {
            if new.file_id().is_some() {
                same.files -= 1;
                same.bytes -= new.size();
            }
            new.clone()
        };
        let manifest = base.map(|id| self.manifest(id)).transpose()?;
        let old = manifest.iter().flat_map(|m| m.entries());
        for change in diff(old, draft.entries().iter().map(Ok)) {
            changes.push(match change? {
                Change::Removed(old) => Change::Removed(old),
                Change::Added(new) => Change::Added(differs(new)),
                Change::Changed { old, new, what } => {
                    Change::Changed { old, new: differs(new), what }
                }
            });
        }
        Ok((changes, same))
    }
}
