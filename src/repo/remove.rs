//! Removing whole runs: an audit line first, then the files. Space comes back with gc.

use serde::Serialize;

use super::{Repo, Result, runs};
use crate::id::RunId;

/// The audit log, one JSON object a line.
pub const AUDIT: &str = "audit.log";

/// What became of runs that were to be removed.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Removed {
    /// Runs that are gone.
    pub runs: Vec<RunId>,
    /// Runs that stay, because they have a tag or a pin.
    pub spared: Vec<RunId>,
    /// Bytes of the manifests that are gone.
    pub bytes: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    time: jiff::Timestamp,
    action: &'a str,
    run: RunId,
    reason: &'a str,
    user: Option<&'a str>,
    pid: u32,
}

impl Repo {
    /// Removes runs for the given reasons, but for those with a tag or pin.
    ///
    /// The audit lines are on disk before the first file goes: a crash may leave a run that the log
    /// calls removed, and never a removal that the log does not know.
    pub(super) fn remove_runs(&self, going: &[(RunId, String)], action: &str) -> Result<Removed> {
        let _lock = self.lock_refs()?;
        let refs = self.refs()?;
        let kept = |id: RunId| refs.pins.contains(&id) || refs.tags_of(id).next().is_some();
        let mut removed = Removed::default();
        let user = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
        let mut lines = Vec::new();
        for (run, reason) in going {
            if kept(*run) {
                removed.spared.push(*run);
                continue;
            }
            let (time, pid) = (self.clock.now(), std::process::id());
            let line = Line { time, action, run: *run, reason, user: user.as_deref(), pid };
            let path = self.folder.path(AUDIT);
            serde_json::to_writer(&mut lines, &line)
                .map_err(|e| crate::disk::Error::new("write", path, e.into()))?;
            lines.push(b'\n');
            removed.runs.push(*run);
        }
        if removed.runs.is_empty() {
            return Ok(removed);
        }
        self.folder.append(AUDIT, &lines)?;
        let before = self.run_ids()?.len();
        for run in &removed.runs {
            removed.bytes += std::fs::metadata(self.run_path(*run)).map_or(0, |m| m.len());
            self.folder.remove(runs::file(*run))?;
        }
        self.folder.sync_dir(runs::RUNS)?;
        // Lists pass over runs that are gone; many of them are worth a new catalog.
        if removed.runs.len() * 4 > before {
            self.catalog_rebuild()?;
        }
        Ok(removed)
    }
}
