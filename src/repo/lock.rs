//! Who may work on the store at the same time.
//!
//! Whoever adds packs, drafts or runs holds `lock` shared from before it reads what it builds on
//! until what it made is named. Only the sweep of gc holds it exclusively. `gate` is taken on the
//! way to `lock`, so that adders which keep overlapping cannot hold a waiting sweep off for ever.
//! Readers take neither.

use super::{Repo, Result};
use crate::disk::{Lock, LockMode};

pub(super) const LOCK: &str = "lock";
pub(super) const GATE: &str = "gate";

impl Repo {
    /// Joins those who add.
    pub(super) fn share(&self) -> Result<Lock> {
        let _gate = self.folder.lock(GATE, LockMode::Shared)?;
        Ok(self.folder.lock(LOCK, LockMode::Shared)?)
    }

    /// Waits until nobody adds, and keeps others from it while the locks are held.
    pub(super) fn exclude(&self) -> Result<(Lock, Lock)> {
        let gate = self.folder.lock(GATE, LockMode::Exclusive)?;
        Ok((gate, self.folder.lock(LOCK, LockMode::Exclusive)?))
    }

    /// One change to drafts at a time; held for milliseconds.
    pub(super) fn lock_drafts(&self) -> Result<Lock> {
        Ok(self.folder.lock("drafts/lock", LockMode::Exclusive)?)
    }

    /// One change to tags and pins at a time; held for milliseconds.
    pub(super) fn lock_refs(&self) -> Result<Lock> {
        Ok(self.folder.lock("refs/lock", LockMode::Exclusive)?)
    }
}
