//! `fsck`: is everything that the store names there, and is it what it should be?
//!
//! Without `data` every reference is checked: runs, drafts, tags, pins, index, catalog, and that
//! every chunk a run needs lies in a pack. With `data` every byte of every pack is read. What is
//! wrong is named down to the files that are lost with it.

mod gone;
mod repair;
mod runs;

use std::collections::HashMap;

use rayon::prelude::*;
use serde::Serialize;

use super::draft::{file as draft_file, last_file};
use super::refs::can_be_tag;
use super::{Error, Repo, Result};
use crate::disk::LockMode;
use crate::id::{ChunkId, PackId, RunId};
use crate::manifest::{self, Last};
use crate::progress::Monitor;
use crate::store::{self, Index, Reader, pack_name};

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
    /// Whether it is made anew from others when it is needed. A crash may leave it so: nothing is
    /// wrong with the store.
    pub derived: bool,
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
    /// Whether nothing is wrong but what is derived.
    pub fn is_clean(&self) -> bool {
        self.problems().next().is_none() && self.lost_files == 0
    }

    /// What is wrong and not derived.
    pub fn problems(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|f| !f.derived)
    }

    /// Whether everything that was wrong is mended and nothing is lost.
    pub fn is_mended(&self) -> bool {
        self.lost_files == 0 && self.problems().all(|f| f.repaired.is_some() && !f.lost)
    }

    fn find(&mut self, what: impl Into<String>, reason: impl Into<String>) {
        let (what, reason) = (what.into(), reason.into());
        self.findings.push(Finding { what, reason, lost: false, derived: false, repaired: None });
    }

    /// Finds something that others make up for.
    fn find_derived(&mut self, what: impl Into<String>, reason: impl Into<String>) {
        let (what, reason) = (what.into(), reason.into());
        self.findings.push(Finding { what, reason, lost: false, derived: true, repaired: None });
    }

    /// Finds a run or draft that is lost.
    fn find_lost(&mut self, what: impl Into<String>, reason: impl Into<String>) {
        let (what, reason) = (what.into(), reason.into());
        self.findings.push(Finding { what, reason, lost: true, derived: false, repaired: None });
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

enum PackState {
    /// gc removed it meanwhile.
    Gone,
    /// Why its footer cannot be used.
    Unreadable(&'static str),
    Read {
        chunks: u64,
        /// Those that are not whole.
        bad: Vec<ChunkId>,
    },
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
        let mut index = self.store.index()?;
        for damage in index.verify() {
            let file = damage.file.display().to_string();
            match damage.file.starts_with(store::PACKS) {
                true => checked.find(file, damage.reason),
                false => checked.find_derived(file, damage.reason),
            }
        }
        let packs = self.check_packs(&index, options.data, &mut checked, monitor)?;
        if checked.findings.iter().any(|f| f.derived) {
            index = self.store.index_of_footers()?;
        }
        let mut bad: Chunks = packs.damaged.values().flatten().copied().collect();
        self.check_derived(&mut checked)?;
        let doubtful = self.check_runs(&index, &bad, &mut checked, monitor)?;
        self.check_gone(&known, &mut checked)?;
        self.check_drafts(&mut checked)?;
        self.check_refs(&mut checked)?;
        if options.repair && !checked.findings.is_empty() {
            self.repair(&packs, &mut checked, monitor)?;
        }
        // Only now it is certain what is lost: a chunk may lie whole in another place.
        if options.repair {
            (index, bad) = (self.store.index()?, Chunks::default());
        }
        self.check_files(&doubtful, &index, &bad, &mut checked)?;
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
        let size =
            |pack| std::fs::metadata(self.folder.path(pack_name(pack))).map_or(0, |m| m.len());
        let total = data.then(|| index.packs().iter().map(|p| size(*p)).sum());
        monitor.begin("Checking packs", total);
        let reader = self.store.reader()?;
        let check = |reader: &mut Reader, pack: &PackId| {
            if monitor.interrupted() {
                return Err(Error::Interrupted);
            }
            let state = self.check_pack(reader, *pack, data)?;
            let bytes = if data { size(*pack) } else { 0 };
            monitor.advance(bytes);
            Ok((*pack, state, bytes))
        };
        let states = index.packs().par_iter().map_init(|| reader.fork(), check);
        let states = states.collect::<Result<Vec<_>>>()?;
        monitor.end();
        let mut packs = Packs::default();
        for (pack, state, bytes) in states {
            match state {
                PackState::Gone => continue,
                PackState::Unreadable(reason) => {
                    // A segment may still know what it holds.
                    let known = index.chunks().filter(|(_, l)| l.pack == pack).map(|(id, _)| id);
                    packs.damaged.insert(pack, known.collect());
                    if !checked.findings.iter().any(|f| f.what == pack_name(pack)) {
                        checked.find(pack_name(pack), reason);
                    }
                }
                PackState::Read { chunks, bad } => {
                    checked.chunks += chunks;
                    checked.bytes += bytes;
                    if !bad.is_empty() {
                        let reason = format!("{} of its chunks are damaged", bad.len());
                        checked.find(pack_name(pack), reason);
                        packs.damaged.insert(pack, bad);
                    }
                }
            }
            checked.packs += 1;
        }
        Ok(packs)
    }

    fn check_pack(&self, reader: &mut Reader, pack: PackId, data: bool) -> Result<PackState> {
        let footer = match self.store.footer(pack) {
            Ok(Ok(footer)) => footer,
            Ok(Err(reason)) => return Ok(PackState::Unreadable(reason)),
            Err(store::Error::Disk(e)) if e.is_not_found() => return Ok(PackState::Gone),
            Err(e) => return Err(e.into()),
        };
        let bad = if data { reader.check(pack, &footer) } else { Ok(Vec::new()) };
        match bad {
            Ok(bad) => Ok(PackState::Read { chunks: footer.chunks.len() as u64, bad }),
            Err(store::Error::Disk(e)) if e.is_not_found() => Ok(PackState::Gone),
            Err(e) => Err(e.into()),
        }
    }

    fn check_derived(&self, checked: &mut Checked) -> Result<()> {
        for name in self.damaged_segments()? {
            checked.find_derived(format!("catalog/{name}"), "its bytes are damaged");
        }
        for name in self.folder.list("drafts")? {
            let file = last_file(&name);
            match self.folder.read(&file) {
                Ok(bytes) => {
                    if let Err(e) = Last::decode(&bytes) {
                        checked.find_derived(file, e.to_string());
                    }
                }
                Err(e) if e.is_damage() => checked.find_derived(file, chain(&e)),
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn check_drafts(&self, checked: &mut Checked) -> Result<()> {
        for name in self.draft_names()? {
            match self.draft(&name) {
                Ok(_) => {}
                Err(Error::Draft { source, .. }) if !source.is_damage() => {
                    return Err((*source).into());
                }
                Err(Error::Disk(e)) if !e.is_damage() => return Err(e.into()),
                Err(e) => checked.find_lost(draft_file(&name), reason(&e)),
            }
        }
        Ok(())
    }

    fn check_refs(&self, checked: &mut Checked) -> Result<()> {
        let there = |id: &RunId| self.run_path(*id).is_file();
        for name in self.folder.list("refs/tags")? {
            if !can_be_tag(&name) {
                checked.find(format!("refs/tags/{name}"), "is no tag: none can have this name");
                continue;
            }
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
            match RunId::of_name(&name) {
                Some(id) if there(&id) => {}
                Some(_) => checked.find(
                    format!("refs/pins/{name}"),
                    "pins a run that is not there; remove this file to give it up",
                ),
                None => checked.find(format!("refs/pins/{name}"), "is no pin"),
            }
        }
        Ok(())
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
