//! `fsck --repair`: derived files are made anew, and what is whole is copied out of damaged packs
//! before they are moved aside. Nothing is deleted but what is derived: it goes to `damaged/`.

use std::path::Path;

use super::{Checked, Finding, Packs};
use crate::id::RunId;
use crate::progress::Monitor;
use crate::repo::draft::{DRAFTS, last_file};
use crate::repo::gc::live::Chunks;
use crate::repo::refs::can_be_tag;
use crate::repo::{Repo, Result};
use crate::store::{Codec, Compression, pack_name};

const DAMAGED: &str = "damaged";
/// For chunks that move to new packs.
const LEVEL: i32 = 3;

impl Repo {
    pub(super) fn repair(
        &self,
        packs: &Packs,
        checked: &mut Checked,
        monitor: &dyn Monitor,
    ) -> Result<()> {
        let _exclusive = self.exclude(monitor)?;
        let needed = if packs.damaged.is_empty() { Chunks::default() } else { self.needed()? };
        let mut saved = std::collections::HashMap::new();
        let writer = self.store.rewriter();
        let mut lane = writer.lane();
        let mut reader = self.store.reader()?;
        for &pack in packs.damaged.keys() {
            let rows = self.store.salvage(pack, |id| needed.contains(id))?;
            let (mut whole, all) = (0, rows.len());
            for (id, place) in rows {
                let wish = match place.frame.codec {
                    Codec::Raw => Compression::None,
                    Codec::Zstd => Compression::Zstd(LEVEL),
                };
                if let Ok(bytes) = reader.at(&id, &place) {
                    lane.put(id, bytes, wish)?;
                    whole += 1;
                }
            }
            saved.insert(pack_name(pack), format!("{whole} of {all} chunks saved"));
        }
        lane.close()?;
        writer.finish()?;
        for &pack in packs.damaged.keys() {
            self.set_aside(&pack_name(pack))?;
        }
        // What is no file cannot be replaced by one.
        for finding in checked.findings.iter_mut().filter(|f| f.derived) {
            if self.folder.path(&finding.what).symlink_metadata().is_ok_and(|m| !m.is_file()) {
                self.set_aside(&finding.what)?;
                finding.repaired = Some(format!("made anew when needed; it is in {DAMAGED}/"));
            }
        }
        self.store.reindex(self.store.index()?.packs())?;
        for finding in checked.findings.iter_mut().filter(|f| f.repaired.is_none()) {
            let file = finding.what.clone();
            let (room, _) = file.split_once('/').unwrap_or((&file, ""));
            finding.repaired = match room {
                "packs" => saved.get(&file).map(|s| format!("{s}; the pack is in {DAMAGED}/")),
                "index" => Some("made anew".into()),
                "catalog" => Some("made anew".into()),
                "runs" if !self.is_there(&file) => {
                    Some("the run is lost; the catalog forgets it".into())
                }
                "runs" => {
                    self.set_aside(&file)?;
                    Some(format!("the run is lost; its file is in {DAMAGED}/"))
                }
                "drafts" if file.ends_with("/last") => {
                    self.folder.remove(&file)?;
                    Some("removed; the next add reads every file".into())
                }
                "drafts" => {
                    self.set_aside(&file)?;
                    Some(format!("the draft is lost; its file is in {DAMAGED}/"))
                }
                // What names a run stays: only the user knows whether the run comes back.
                "refs" if self.names_a_run(&file) => None,
                "refs" => {
                    self.set_aside(&file)?;
                    Some(format!("removed; it is in {DAMAGED}/"))
                }
                _ => None,
            };
        }
        self.find_dangling(checked)?;
        self.catalog_rebuild()
    }

    /// The chunks that runs and drafts need, as far as those can be read.
    fn needed(&self) -> Result<Chunks> {
        let mut needed = Chunks::default();
        for run in self.run_ids()? {
            drop(self.chunks_of_run(run, |id| needed.extend([id])));
        }
        for name in self.draft_names()? {
            drop(self.chunks_of_draft(&name, |id| needed.extend([id])));
        }
        Ok(needed)
    }

    /// Finds tags and pins whose runs were just found to be lost.
    fn find_dangling(&self, checked: &mut Checked) -> Result<()> {
        let mut dangling = Checked::default();
        self.check_refs(&mut dangling)?;
        let fresh = |f: &Finding| !checked.findings.iter().any(|known| known.what == f.what);
        dangling.findings.retain(fresh);
        checked.findings.append(&mut dangling.findings);
        Ok(())
    }

    /// Whether a tag or pin says which run it is on.
    fn names_a_run(&self, file: &str) -> bool {
        match file.strip_prefix("refs/tags/") {
            Some(tag) => can_be_tag(tag) && matches!(self.read_tag(tag), Ok(Some(_))),
            None => file.rsplit('/').next().and_then(RunId::of_name).is_some(),
        }
    }

    /// Makes the next `add` read every file again: what is lost of a run that a file was committed
    /// or staged with must not be taken for stored.
    pub(super) fn forget_files(&self) -> Result<()> {
        let _share = self.share()?;
        let _lock = self.lock_drafts()?;
        for name in self.folder.list(DRAFTS)? {
            if !self.folder.path(DRAFTS).join(&name).is_dir() {
                continue;
            }
            self.folder.remove(last_file(&name))?;
            if let Ok(Some(mut draft)) = self.draft(&name) {
                draft.forget_fingerprints();
                self.save_draft(&name, &draft)?;
            }
        }
        Ok(())
    }

    /// Whether anything has this name, were it a link to nowhere.
    fn is_there(&self, file: &str) -> bool {
        self.folder.path(file).symlink_metadata().is_ok()
    }

    /// Moves a file of the store to `damaged/`, under a name that tells where it was.
    fn set_aside(&self, file: &str) -> Result<()> {
        if !self.is_there(file) {
            return Ok(());
        }
        self.folder.create_dir(DAMAGED)?;
        let mut name = file.replace('/', "-");
        while self.folder.path(Path::new(DAMAGED).join(&name)).exists() {
            name.push('+');
        }
        Ok(self.folder.rename(file, Path::new(DAMAGED).join(name))?)
    }
}
