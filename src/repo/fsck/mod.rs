//! `fsck`: is everything that the store names there, and is it what it should be?
//!
//! Without `data` every reference is checked: runs, drafts, tags, pins, index, catalog, and that
//! every chunk a run needs lies in a pack. With `data` every byte of every pack is read. What is
//! wrong is named down to the files that are lost with it.

mod gone;
mod repair;

use std::collections::HashMap;

use serde::Serialize;

use super::draft::{file as draft_file, last_file};
use super::{Error, Repo, Result};
use crate::disk::LockMode;
use crate::id::{ChunkId, PackId, RunId};
use crate::manifest::{self, ChunkList, Entry, Last, Node};
use crate::progress::Monitor;
use crate::store::{Index, pack_name};

use super::gc::live::Chunks;

/// Lost files that are named before only their number is.
const NAMED: usize = 1000;

/// What to check.
#[derive(Debug, Clone, Copy, Default)]
pub struct FsckOptions {
    /// Read every byte of every pack.
    pub data: bool,
    /// Mend what can be mended.
    pub repair: bool,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about: a file of the store, or a name.
    pub what: String,
    /// What is wrong with it.
    pub reason: String,
    /// Whether a run or draft is lost with it.
    pub lost: bool,
    /// What was done about it, if it was.
    pub repaired: Option<String>,
}

/// A file of a run that cannot be restored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Lost {
    /// The run; none when a draft lost the file.
    pub run: Option<RunId>,
    /// The run's or the draft's name.
    pub name: String,
    /// The file's path there.
    pub path: String,
}

/// What fsck found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Checked {
    /// Runs that were checked.
    pub runs: u64,
    /// Files of runs and drafts that were checked.
    pub files: u64,
    /// Packs that were checked.
    pub packs: u64,
    /// Chunks in packs.
    pub chunks: u64,
    /// Bytes of packs that were read, with `data`.
    pub bytes: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Files that are lost; at most a thousand are named.
    pub lost: Vec<Lost>,
    /// How many files are lost.
    pub lost_files: u64,
}

impl Checked {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.lost_files == 0
    }

    /// Whether everything that was wrong is mended and nothing is lost.
    pub fn is_mended(&self) -> bool {
        self.lost_files == 0 && self.findings.iter().all(|f| f.repaired.is_some() && !f.lost)
    }

    fn find(&mut self, what: impl Into<String>, reason: impl Into<String>) {
        let (what, reason) = (what.into(), reason.into());
        self.findings.push(Finding { what, reason, lost: false, repaired: None });
    }

    /// Finds a run or draft that is lost.
    fn find_lost(&mut self, what: impl Into<String>, reason: impl Into<String>) {
        let (what, reason) = (what.into(), reason.into());
        self.findings.push(Finding { what, reason, lost: true, repaired: None });
    }

    fn lose(&mut self, run: Option<RunId>, name: &str, path: &dyn std::fmt::Display) {
        self.lost_files += 1;
        if self.lost.len() < NAMED {
            self.lost.push(Lost { run, name: name.into(), path: path.to_string() });
        }
    }
}

/// What of the packs is wrong.
#[derive(Debug, Default)]
struct Packs {
    /// Damaged packs, and the chunks in them that are not whole; where the footer is damaged, all
    /// that are known.
    damaged: HashMap<PackId, Vec<ChunkId>>,
}

impl Repo {
    /// Checks the store, and mends it if asked to.
    ///
    /// # Errors
    ///
    /// When something can be neither read nor called damaged: no permission, say.
    pub fn fsck(&self, options: FsckOptions, monitor: &dyn Monitor) -> Result<Checked> {
        // A gc under way trusts that packs stay where it found them.
        let _alone = match options.repair {
            true => {
                let most = std::time::Duration::MAX;
                self.wait_for(super::gc::LOCK, LockMode::Exclusive, most, monitor)?
            }
            false => None,
        };
        let mut checked = Checked::default();
        // First, since repair writes the catalog anew.
        let known = self.catalog_as_written()?;
        let index = self.store.index()?;
        for damage in index.verify() {
            checked.find(damage.file.display().to_string(), damage.reason);
        }
        let packs = self.check_packs(&index, options.data, &mut checked, monitor)?;
        self.check_derived(&mut checked)?;
        let runs = self.check_runs(&mut checked, monitor)?;
        self.check_gone(&known, &mut checked)?;
        self.check_drafts(&mut checked)?;
        self.check_refs(&mut checked)?;
        if options.repair && !checked.is_clean() {
            self.repair(&packs, &mut checked, monitor)?;
        }
        // Only now it is certain what is lost: a chunk may lie whole in another place.
        let (index, bad) = match options.repair {
            true => (self.store.index()?, Chunks::default()),
            false => (index, packs.damaged.values().flatten().copied().collect()),
        };
        self.check_files(&runs, &index, &bad, &mut checked, monitor)?;
        if options.repair && checked.lost_files > 0 {
            self.forget_files()?;
        }
        Self::lose_runs(&known, &mut checked);
        Ok(checked)
    }

    fn check_packs(
        &self,
        index: &Index,
        data: bool,
        checked: &mut Checked,
        monitor: &dyn Monitor,
    ) -> Result<Packs> {
        let mut packs = Packs::default();
        let mut reader = self.store.reader()?;
        let size =
            |pack| std::fs::metadata(self.folder.path(pack_name(pack))).map_or(0, |m| m.len());
        let total = data.then(|| index.packs().iter().map(|p| size(*p)).sum());
        monitor.begin("Checking packs", total);
        for &pack in index.packs() {
            if monitor.interrupted() {
                return Err(super::Error::Interrupted);
            }
            checked.packs += 1;
            let footer = match self.store.footer(pack) {
                Ok(Ok(footer)) => footer,
                Ok(Err(reason)) => {
                    // A segment may still know what it holds.
                    let known = index.chunks().filter(|(_, l)| l.pack == pack).map(|(id, _)| id);
                    packs.damaged.insert(pack, known.collect());
                    let known = checked.findings.iter().any(|f| f.what == pack_name(pack));
                    if !known {
                        checked.find(pack_name(pack), reason);
                    }
                    continue;
                }
                Err(crate::store::Error::Disk(e)) if e.is_not_found() => continue,
                Err(e) => return Err(e.into()),
            };
            checked.chunks += footer.chunks.len() as u64;
            if data {
                let bad = reader.check(pack, &footer)?;
                if !bad.is_empty() {
                    let reason = format!("{} of its chunks are damaged", bad.len());
                    checked.find(pack_name(pack), reason);
                    packs.damaged.insert(pack, bad);
                }
                checked.bytes += size(pack);
                monitor.advance(size(pack));
            }
        }
        monitor.end();
        Ok(packs)
    }

    fn check_derived(&self, checked: &mut Checked) -> Result<()> {
        for name in self.damaged_segments()? {
            checked.find(format!("catalog/{name}"), "its bytes are damaged");
        }
        for name in self.folder.list("drafts")? {
            let file = last_file(&name);
            if let Ok(bytes) = self.folder.read(&file)
                && let Err(e) = Last::decode(&bytes)
            {
                checked.find(file, e.to_string());
            }
        }
        Ok(())
    }

    /// The runs that are whole.
    fn check_runs(&self, checked: &mut Checked, monitor: &dyn Monitor) -> Result<Vec<RunId>> {
        let ids = self.run_ids()?;
        monitor.begin("Checking runs", Some(ids.len() as u64));
        let mut whole = Vec::with_capacity(ids.len());
        for id in ids {
            checked.runs += 1;
            let opened = self.manifest(id);
            match opened.and_then(|manifest| Ok(manifest.verify()?)) {
                Ok(()) => whole.push(id),
                Err(e) if e.is_not_found() => {}
                Err(Error::Manifest(e)) if !e.is_damage() => return Err(e.into()),
                Err(e) => checked.find_lost(super::runs::file(id), reason(&e)),
            }
            monitor.advance(1);
        }
        monitor.end();
        Ok(whole)
    }

    fn check_drafts(&self, checked: &mut Checked) -> Result<()> {
        for name in self.draft_names()? {
            match self.draft(&name) {
                Ok(_) => {}
                Err(Error::Draft { source, .. }) if !source.is_damage() => {
                    return Err((*source).into());
                }
                Err(Error::Disk(e)) => return Err(e.into()),
                Err(e) => checked.find_lost(draft_file(&name), reason(&e)),
            }
        }
        Ok(())
    }

    fn check_refs(&self, checked: &mut Checked) -> Result<()> {
        let there = |id: &RunId| self.run_path(*id).is_file();
        for name in self.folder.list("refs/tags")? {
            match self.read_tag(&name) {
                Ok(Some(id)) if !there(&id) => checked.find(
                    format!("refs/tags/{name}"),
                    format!(
                        "names the run {}, which is not there; `eart tag -d {name}` gives it up",
                        id.short()
                    ),
                ),
                Ok(_) => {}
                Err(e) => checked.find(format!("refs/tags/{name}"), e.to_string()),
            }
        }
        for name in self.folder.list("refs/pins")? {
            match name.parse::<RunId>() {
                Ok(id) if there(&id) => {}
                Ok(_) => checked.find(
                    format!("refs/pins/{name}"),
                    "pins a run that is not there; remove this file to give it up",
                ),
                Err(_) => checked.find(format!("refs/pins/{name}"), "is no pin"),
            }
        }
        Ok(())
    }

    /// Checks that the chunks of every file are there and whole.
    fn check_files(
        &self,
        runs: &[RunId],
        index: &Index,
        bad: &Chunks,
        checked: &mut Checked,
        monitor: &dyn Monitor,
    ) -> Result<()> {
        // A damaged chunk may have a second copy that is whole, and one that a damaged index lacks
        // may be there.
        let mut reader = self.store.reader()?;
        let mut gone: HashMap<ChunkId, bool> = HashMap::new();
        let mut lost = |id: ChunkId| {
            (bad.contains(&id) || !index.contains(&id))
                && *gone.entry(id).or_insert_with(|| reader.chunk(&id).is_err())
        };
        monitor.begin("Checking files", Some(runs.len() as u64));
        for run in runs {
            let manifest = match self.manifest(*run) {
                Err(e) if e.is_not_found() => continue,
                other => other?,
            };
            let lists =
                manifest.chunk_lists().collect::<std::result::Result<HashMap<_, _>, _>>()?;
            for entry in manifest.entries() {
                let entry = entry?;
                checked.files += u64::from(entry.file_id().is_some());
                if needs(&entry, |id| lists.get(id)).into_iter().any(&mut lost) {
                    checked.lose(Some(*run), &manifest.meta().name, &entry.path);
                }
            }
            monitor.advance(1);
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
        monitor.end();
        Ok(())
    }
}

/// The chunks of an entry.
fn needs<'a>(
    entry: &Entry,
    list: impl FnOnce(&crate::id::FileId) -> Option<&'a ChunkList>,
) -> Vec<ChunkId> {
    match entry.node {
        Node::File { size: 1.., id } => match list(&id) {
            Some(list) => list.iter().map(|c| c.id).collect(),
            None => vec![id.into()],
        },
        _ => Vec::new(),
    }
}

/// What is wrong with a file of the store, without the file's name.
fn reason(e: &super::Error) -> String {
    match e {
        super::Error::Manifest(manifest::Error::Damaged { reason, .. }) => (*reason).to_owned(),
        super::Error::Manifest(manifest::Error::Read { source, .. }) => {
            format!("it cannot be read: {}", chain(&**source))
        }
        super::Error::Draft { source, .. } => chain(&**source),
        e => chain(e),
    }
}

/// An error with its causes in one line.
fn chain(e: &dyn std::error::Error) -> String {
    let mut text = e.to_string();
    let mut cause = e.source();
    while let Some(e) = cause {
        text.push_str(": ");
        text.push_str(&e.to_string());
        cause = e.source();
    }
    text
}
