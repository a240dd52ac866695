//! Who may work on the store at the same time.
//!
//! Whoever adds packs, drafts or runs holds `lock` shared from before it reads what it builds on
//! until what it made is named. Only the sweep of gc and repair hold it exclusively. `gate` is taken
//! on the way to `lock`: now and then a waiting sweep closes it for a moment, so that adders which
//! keep overlapping cannot hold it off for ever, and one that takes long does not hold up others.
//! Readers take neither.

use std::time::{Duration, Instant};

use super::{Error, Repo, Result};
use crate::disk::{Lock, LockMode};
use crate::progress::Monitor;

pub(super) const LOCK: &str = "lock";
pub(super) const GATE: &str = "gate";

/// How long a waiting sweep lets others begin to add, and how long it then keeps them from it.
const OPEN: Duration = Duration::from_secs(2);
const CLOSED: Duration = Duration::from_millis(500);
/// The longest pause between two looks at a lock that is held.
const PAUSE: Duration = Duration::from_millis(20);

impl Repo {
    /// Joins those who add.
    pub(super) fn share(&self) -> Result<Lock> {
        let _gate = self.folder.lock(GATE, LockMode::Shared)?;
        Ok(self.folder.lock(LOCK, LockMode::Shared)?)
    }

    /// The same, for who can be interrupted while it waits.
    ///
    /// # Errors
    ///
    /// When the user interrupts.
    pub(super) fn share_or_stop(&self, monitor: &dyn Monitor) -> Result<Option<Lock>> {
        let _gate = self.wait_for(GATE, LockMode::Shared, Duration::MAX, monitor)?;
        self.wait_for(LOCK, LockMode::Shared, Duration::MAX, monitor)
    }

    /// Waits until nobody adds, and keeps others from it while the lock is held.
    ///
    /// # Errors
    ///
    /// When the user interrupts.
    pub(super) fn exclude(&self, monitor: &dyn Monitor) -> Result<Lock> {
        loop {
            if let Some(lock) = self.wait_for(LOCK, LockMode::Exclusive, OPEN, monitor)? {
                return Ok(lock);
            }
            let closed = self.wait_for(GATE, LockMode::Exclusive, OPEN, monitor)?;
            if let Some(lock) = self.wait_for(LOCK, LockMode::Exclusive, CLOSED, monitor)? {
                return Ok(lock);
            }
            drop(closed);
        }
    }

    /// Takes a lock as soon as it is free, if that is before `most` is over.
    ///
    /// # Errors
    ///
    /// When the user interrupts.
    pub(super) fn wait_for(
        &self,
        name: &str,
        mode: LockMode,
        most: Duration,
        monitor: &dyn Monitor,
    ) -> Result<Option<Lock>> {
        let start = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some(lock) = self.folder.try_lock(name, mode)? {
                return Ok(Some(lock));
            }
            if monitor.interrupted() {
                return Err(Error::Interrupted);
            }
            if start.elapsed() >= most {
                return Ok(None);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(PAUSE);
        }
    }

    /// One change to drafts at a time; held for milliseconds, by a commit as long as it takes to
    /// seal its run.
    pub(super) fn lock_drafts(&self) -> Result<Lock> {
        Ok(self.folder.lock("drafts/lock", LockMode::Exclusive)?)
    }

    /// One change to tags and pins at a time; held for milliseconds, by a removal as long as its
    /// files take.
    pub(super) fn lock_refs(&self) -> Result<Lock> {
        Ok(self.folder.lock("refs/lock", LockMode::Exclusive)?)
    }
}
