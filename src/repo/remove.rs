//! Taking runs away: for `rm`, and for `gc` once it knows which. The space comes back when gc
//! sweeps.
//!
//! Order of writes: the audit lines, synced; then, if that was forced, the tags and pins; then the
//! runs' files, and one sync of their folder. A crash in between leaves lines about runs that are
//! still there, and nothing that is half removed.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Seek, SeekFrom};

use serde::Serialize;

use super::{Catalog, Error, Repo, Result, refs, runs};
use crate::disk;
use crate::id::RunId;

/// The log of what was removed: one JSON object a line.
pub const AUDIT: &str = "audit.log";

/// What became of runs that were to be removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// Runs that are gone.
    pub runs: Vec<RunId>,
    /// Runs that stay, because they have a tag or a pin.
    pub spared: Vec<RunId>,
    /// Bytes of the manifests that are gone.
    pub bytes: u64,
}

/// What tags and pins do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guard {
    /// They keep their runs; the others are removed.
    Keep,
    /// They refuse everything.
    Refuse,
    /// They go with their runs.
    Force,
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
    pid: u32,
}

impl Repo {
    /// Removes runs, each for a reason, and says so in the audit log as done by `verb`. Runs that
    /// have a tag or a pin by now stay. The caller must not hold the lock on refs.
    ///
    /// # Errors
    ///
    /// When the log or the runs cannot be written.
    pub(super) fn remove_runs(&self, removals: &[(RunId, String)], verb: &str) -> Result<Removed> {
        Ok(self.remove(removals, verb, Guard::Keep, self.catalog()?)?.0)
    }

    /// `rm`: removes the runs that revisions name, and returns them with their names. A run whose
    /// manifest is damaged is named by the beginning of its id.
    ///
    /// # Errors
    ///
    /// When a revision names none; when one has a tag or a pin and it is not `forced`: nothing is
    /// removed then; when the log or the runs cannot be written.
    pub fn rm(
        &self,
        revisions: &[impl AsRef<str>],
        reason: &str,
        forced: bool,
    ) -> Result<Vec<(RunId, Option<String>)>> {
        let catalog = self.catalog()?;
        let refs = self.readable_refs()?;
        let mut removals = Vec::with_capacity(revisions.len());
        for text in revisions.iter().map(AsRef::as_ref) {
            let id = match super::resolve(text, &catalog, &refs) {
                Ok(record) => record.id,
                Err(e) => damaged(text, &catalog).ok_or(e)?,
            };
            removals.push((id, reason.to_owned()));
        }
        let guard = if forced { Guard::Force } else { Guard::Refuse };
        let (removed, mut names) = self.remove(&removals, "rm", guard, catalog)?;
        Ok(removed.runs.iter().map(|id| (*id, names.remove(id))).collect())
    }

    /// Removes runs; also returns the names that they had.
    fn remove(
        &self,
        removals: &[(RunId, String)],
        verb: &str,
        guard: Guard,
        catalog: Catalog,
    ) -> Result<(Removed, HashMap<RunId, String>)> {
        let going: HashSet<RunId> = removals.iter().map(|(id, _)| *id).collect();
        let rows = catalog.rows().iter().filter(|row| going.contains(&row.id));
        let names: HashMap<RunId, String> =
            rows.filter_map(|row| Some((row.id, row.record()?.meta.name.clone()))).collect();
        let before = catalog.len();
        // Open segments would hold their space, and on a full disk they must give it.
        drop(catalog);
        // Who tags or pins a run looks for it under the same lock.
        let lock = self.lock_refs()?;
        let refs = self.refs()?;
        let mut tags: HashMap<RunId, Vec<&str>> = HashMap::new();
        for (tag, id) in &refs.tags {
            tags.entry(*id).or_default().push(tag);
        }
        let mut outcome = Removed::default();
        let mut seen = HashSet::new();
        let (mut log, mut names_gone) = (Vec::new(), Vec::new());
        let (user, pid) = (user(), std::process::id());
        let mut refused = Refused::default();
        for (id, reason) in removals {
            if !seen.insert(*id) || !self.run_path(*id).exists() {
                continue;
            }
            let tags = tags.get(id).map(Vec::as_slice).unwrap_or_default();
            let pinned = refs.pins.contains(id);
            if guard != Guard::Force && (pinned || !tags.is_empty()) {
                let why = match tags {
                    [] => "it is pinned".to_owned(),
                    [tag] => format!("it has the tag {tag}"),
                    tags => format!("it has the tags {}", tags.join(", ")),
                };
                outcome.spared.push(*id);
                refused.why.push(format!("{} stays: {why}", id.short()));
                refused.tags.extend_from_slice(tags);
                refused.pins.extend(pinned.then_some(*id));
                continue;
            }
            names_gone.extend(tags.iter().map(|tag| refs::tag_file(tag)));
            names_gone.extend(pinned.then(|| refs::pin_file(*id)));
            let name = names.get(id).map(String::as_str);
            let line =
                Line { time: self.clock.now(), verb, run: *id, name, reason, user: &user, pid };
            serde_json::to_writer(&mut log, &line)
                .map_err(|e| disk::Error::new("write", self.folder.path(AUDIT), e.into()))?;
            log.push(b'\n');
            outcome.runs.push(*id);
        }
        if guard == Guard::Refuse && !refused.why.is_empty() {
            return Err(refused.error());
        }
        if outcome.runs.is_empty() {
            return Ok((outcome, names));
        }
        self.append_audit(&log)?;
        for file in &names_gone {
            self.folder.remove(file)?;
        }
        if !names_gone.is_empty() {
            self.folder.sync_dir(refs::TAGS)?;
            self.folder.sync_dir(refs::PINS)?;
        }
        // Whoever was killed while it committed may have left a run that is not on disk yet: those
        // that stay must be, before others go.
        self.folder.sync_dir(runs::RUNS)?;
        for id in &outcome.runs {
            outcome.bytes += self.run_path(*id).metadata().map_or(0, |m| m.len());
            self.folder.remove(runs::file(*id))?;
        }
        self.folder.sync_dir(runs::RUNS)?;
        drop(lock);
        if outcome.runs.len() * 4 > before {
            // The runs are gone; a catalog that still has them is only slower to read.
            drop(self.catalog_rebuild());
        }
        Ok((outcome, names))
    }

    /// Writes lines to the log. On a full disk the catalog makes room for them: it is made anew from
    /// the manifests, and whoever removes runs needs space.
    fn append_audit(&self, lines: &[u8]) -> Result<()> {
        let append = || {
            let torn = if self.audit_is_torn() { &b"\n"[..] } else { b"" };
            self.folder.append(AUDIT, &[torn, lines].concat())
        };
        match append() {
            Err(e) if e.is_full() => {
                self.catalog_clear()?;
                Ok(append()?)
            }
            other => Ok(other?),
        }
    }

    /// Whether the log ends within a line, as a crash or a full disk may leave it.
    fn audit_is_torn(&self) -> bool {
        let Ok(mut file) = self.folder.open(AUDIT) else { return false };
        let mut last = [b'\n'];
        let read = file.seek(SeekFrom::End(-1)).and_then(|_| file.read_exact(&mut last));
        read.is_ok() && last != *b"\n"
    }
}

/// A damaged run by the beginning of its id, if that is the only one.
fn damaged(text: &str, catalog: &Catalog) -> Option<RunId> {
    let prefix = text.to_ascii_lowercase();
    let begins = |id: &&RunId| prefix.len() >= 4 && id.to_hex().starts_with(&prefix);
    let mut found = catalog.unreadable().iter().map(|(id, _)| id).filter(begins);
    found.next().copied().filter(|_| found.next().is_none())
}

/// Runs that stay, and what keeps them.
#[derive(Default)]
struct Refused<'a> {
    why: Vec<String>,
    tags: Vec<&'a str>,
    pins: Vec<RunId>,
}

impl Refused<'_> {
    fn error(&self) -> Error {
        let message = match &self.why[..] {
            [line] => format!("Removed nothing: {line}"),
            lines => format!("Removed nothing:\n  {}", lines.join("\n  ")),
        };
        let pins: Vec<String> = self.pins.iter().map(|id| id.short()).collect();
        let tags =
            (!self.tags.is_empty()).then(|| format!("`eart tag -d {}`", self.tags.join(" ")));
        let pins = (!pins.is_empty()).then(|| format!("`eart unpin {}`", pins.join(" ")));
        let undo: Vec<String> = tags.into_iter().chain(pins).collect();
        Error::hinted(
            message,
            format!("remove what keeps them with {}, or use --force", undo.join(" and ")),
        )
    }
}

/// Who removes: the name that the environment has, else the number.
fn user() -> String {
    let named = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    named
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}
