//! `fsck --repair`: derived files are made anew, and what is whole is copied out of damaged packs
//! before they are moved aside. Nothing is deleted but what is derived: it goes to `damaged/`.

use std::path::Path;

use super::{Checked, Packs};
use crate::repo::draft::{DRAFTS, last_file};
use crate::repo::{Repo, Result};
use crate::store::{Codec, Compression, pack_name};

const DAMAGED: &str = "damaged";
/// For chunks that move to new packs.
const LEVEL: i32 = 3;

impl Repo {
    pub(super) fn repair(&self, packs: &Packs, checked: &mut Checked) -> Result<()> {
        let _exclusive = self.exclude()?;
        let mut saved = std::collections::HashMap::new();
        let writer = self.store.rewriter();
        let mut lane = writer.lane();
        let mut reader = self.store.reader()?;
        for &pack in packs.damaged.keys() {
            let rows = self.store.salvage(pack)?;
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
        self.store.reindex(self.store.index()?.packs())?;
        for finding in &mut checked.findings {
            let file = finding.what.clone();
            let (room, _) = file.split_once('/').unwrap_or((&file, ""));
            finding.repaired = match room {
                "packs" => saved.get(&file).map(|s| format!("{s}; the pack is in {DAMAGED}/")),
                "index" => Some("made anew".into()),
                "catalog" => Some("made anew".into()),
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
                "refs" => {
                    self.set_aside(&file)?;
                    Some(format!("removed; it is in {DAMAGED}/"))
                }
                _ => None,
            };
        }
        self.drop_dangling(checked)?;
        self.catalog_rebuild()
    }

    /// Sets tags and pins aside whose runs were just found to be lost.
    fn drop_dangling(&self, checked: &mut Checked) -> Result<()> {
        let mut dangling = Checked::default();
        self.check_refs(&[], &mut dangling)?;
        for mut finding in dangling.findings {
            self.set_aside(&finding.what)?;
            finding.repaired = Some(format!("removed; it is in {DAMAGED}/"));
            checked.findings.push(finding);
        }
        Ok(())
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

    /// Moves a file of the store to `damaged/`, under a name that tells where it was.
    fn set_aside(&self, file: &str) -> Result<()> {
        if !self.folder.path(file).exists() {
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
