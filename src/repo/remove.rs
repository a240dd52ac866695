//! Taking runs away: for `rm`, and for `gc` once it knows which. The space comes back when gc
//! sweeps.
//!
//! Order of writes: the audit lines, synced; then, if that was forced, the tags and pins; then the
//! runs' files, and one sync of their folder. A crash in between leaves lines about runs that are
//! still there, and nothing that is half removed.

use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};

use serde::Serialize;

use super::{Repo, Result, refs, runs};
use crate::id::RunId;

/// The log of what was removed: one JSON object a line.
pub const AUDIT: &str = "audit.log";

/// What became of runs that were to be removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// Runs that are gone now.
    pub removed: Vec<RunId>,
    /// Runs that stay, and why.
    pub kept: Vec<(RunId, String)>,
}

/// One line of the audit log.
#[derive(Serialize)]
struct Line<'a> {
    time: jiff::Timestamp,
    verb: &'a str,
    run: RunId,
    name: Option<&'a str>,
    reason: &'a str,
    user: &'a str,
}

impl Repo {
    /// Removes runs, each for a reason, and says so in the audit log. Runs with a tag or a pin
    /// stay. The caller must not hold the lock on refs.
    ///
    /// # Errors
    ///
    /// When the log or the runs cannot be written.
    pub(super) fn remove_runs(&self, removals: &[(RunId, String)], verb: &str) -> Result<Removed> {
        self.remove_all(removals, verb, false)
    }

    /// `rm`: removes runs. Those with a tag or a pin stay, unless it is `forced`: then tags and
    /// pins go too.
    ///
    /// # Errors
    ///
    /// When the log or the runs cannot be written.
    pub fn rm(&self, ids: &[RunId], reason: &str, forced: bool) -> Result<Removed> {
        let removals: Vec<_> = ids.iter().map(|id| (*id, reason.to_owned())).collect();
        self.remove_all(&removals, "rm", forced)
    }

    fn remove_all(
        &self,
        removals: &[(RunId, String)],
        verb: &str,
        forced: bool,
    ) -> Result<Removed> {
        let catalog = self.catalog()?;
        let names: HashMap<RunId, &str> =
            catalog.records().iter().map(|r| (r.id, r.meta.name.as_str())).collect();
        // Who tags or pins a run looks for it under the same lock.
        let lock = self.lock_refs()?;
        let refs = self.refs()?;
        let mut outcome = Removed::default();
        let (mut log, mut names_gone) = (Vec::new(), Vec::new());
        let user = user();
        for (id, reason) in removals {
            if outcome.removed.contains(id) || !self.run_path(*id).exists() {
                continue;
            }
            let tags: Vec<&str> = refs.tags_of(*id).collect();
            if !forced && let Some(tag) = tags.first() {
                outcome.kept.push((*id, format!("the tag {tag} is on it")));
                continue;
            }
            if !forced && refs.pins.contains(id) {
                outcome.kept.push((*id, "it is pinned".into()));
                continue;
            }
            names_gone.extend(tags.iter().map(|tag| refs::tag_file(tag)));
            names_gone.extend(refs.pins.contains(id).then(|| refs::pin_file(*id)));
            let name = names.get(id).copied();
            let line = Line { time: self.clock.now(), verb, run: *id, name, reason, user: &user };
            serde_json::to_writer(&mut log, &line)
                .map_err(|e| crate::disk::Error::new("write", self.folder.path(AUDIT), e.into()))?;
            log.push(b'\n');
            outcome.removed.push(*id);
        }
        if outcome.removed.is_empty() {
            return Ok(outcome);
        }
        if self.audit_is_torn() {
            log.insert(0, b'\n');
        }
        self.folder.append(AUDIT, &log)?;
        for file in &names_gone {
            self.folder.remove(file)?;
        }
        if !names_gone.is_empty() {
            self.folder.sync_dir(refs::TAGS)?;
            self.folder.sync_dir(refs::PINS)?;
        }
        for id in &outcome.removed {
            self.folder.remove(runs::file(*id))?;
        }
        self.folder.sync_dir(runs::RUNS)?;
        drop(lock);
        if outcome.removed.len() * 4 > catalog.records().len() {
            // The runs are gone; a catalog that still has them is only slower to read.
            drop(self.catalog_rebuild());
        }
        Ok(outcome)
    }

    /// Whether the log ends within a line, as a crash or a full disk may leave it.
    fn audit_is_torn(&self) -> bool {
        let Ok(mut file) = self.folder.open(AUDIT) else { return false };
        let mut last = [b'\n'];
        let read = file.seek(SeekFrom::End(-1)).and_then(|_| file.read_exact(&mut last));
        read.is_ok() && last != *b"\n"
    }
}

/// Who removes: the name that the environment has, else the number.
fn user() -> String {
    let named = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    named
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}
