//! `fsck --repair` cut at any moment: what was whole stays readable, and repairing again finishes.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use eart::id::RunId;
use eart::repo::{Repo, Selection};
use eart::store::pack_name;

use crate::lab::{Lab, Thing, Tree, checkout, fsck, gc, noise, repair, scratch, tree};

use super::disk::Disk;
use super::promises::Promises;
use super::recorded;
use super::wreck::{try_all, wrecks};

/// A store with a run in one pack, a run in many packs that an index segment covers, and a draft.
struct Site {
    lab: Lab,
    large: RunId,
    /// What both runs hold.
    runs: [(RunId, Tree); 2],
}

/// Files of runs that come back as they were.
type Files = BTreeSet<(RunId, OsString)>;

impl Site {
    fn new() -> Self {
        let lab = Lab::new();
        lab.write("large/page.html", "<p>text that shrinks</p>\n".repeat(400));
        lab.write("large/shot.png", noise(1, 30_000));
        lab.write("large/video.webm", noise(2, 50_000));
        for n in 0..18 {
            lab.write(format!("many/{n:02}.txt"), format!("file {n}\n").repeat(20));
        }
        // Old enough that their times tell them.
        std::thread::sleep(Duration::from_millis(70));
        lab.add(&["large"]);
        let large = lab.commit();
        for n in 0..18 {
            lab.add(&[&format!("many/{n:02}.txt")]);
        }
        let many = lab.commit();
        // Also needs what lies in the pack that is to be damaged.
        lab.add(&["large/shot.png"]);
        let draft = lab.repo.draft("default").unwrap().unwrap();
        assert!(draft.fingerprints().iter().any(Option::is_some));
        assert!(!lab.repo.folder().list("index").unwrap().is_empty());
        let runs = [large, many].map(|run| (run, lab.checkout(run)));
        Self { lab, large, runs }
    }

    /// The pack that holds the large run.
    fn pack(&self) -> PathBuf {
        let manifest = self.lab.repo.manifest(self.large).unwrap();
        let shot = Selection::new(&["large/shot.png"]).unwrap().entries(&manifest).unwrap();
        let id = shot[0].file_id().unwrap();
        let index = self.lab.repo.store().index().unwrap();
        self.lab.stored(pack_name(index.find(&id.into()).unwrap().pack))
    }

    /// Which files can be had. Fails if one comes back as something else.
    fn readable(&self, repo: &Repo) -> Files {
        let mut readable = Files::new();
        for (run, expected) in &self.runs {
            let to = scratch();
            drop(checkout(repo, *run, to.path()));
            for (path, thing) in tree(to.path()) {
                // The times of a folder say that something in it could not be written.
                if !matches!(thing, Thing::Dir { .. }) {
                    assert_eq!(expected.get(&path), Some(&thing), "{run}: {path:?}");
                    readable.insert((*run, path));
                }
            }
        }
        readable
    }

    /// Repairs the store while every change is recorded, and tries what a crash would have left.
    fn survives(&self, what: &str) {
        let base = Disk::of(&self.lab.stored(""));
        let (repo, record) = recorded(&self.lab);
        let whole = self.readable(&repo);
        let lost = repair(&repo).unwrap().lost;
        assert_eq!(self.readable(&repo), whole, "{what}");
        assert_eq!(repo.folder().list("damaged").unwrap().len(), 1, "{what}");
        let wrecks = wrecks(base, Promises::default(), &record.take());
        assert!(wrecks.len() > 30, "{what}: {}", wrecks.len());
        try_all(&wrecks, |wreck| {
            let (_place, repo) = wreck.raise();
            assert_eq!(self.readable(&repo), whole, "{what}");
            let mended = repair(&repo).unwrap();
            assert!(mended.findings.iter().all(|f| f.repaired.is_some()), "{what}: {mended:?}");
            let left = fsck(&repo).unwrap();
            assert_eq!((&left.findings[..], &left.lost), (&[][..], &lost), "{what}");
            assert_eq!(self.readable(&repo), whole, "{what}");
            // The next add must read again what is lost.
            let draft = repo.draft("default").unwrap().unwrap();
            let known = draft.fingerprints().iter().any(Option::is_some);
            let last = repo.folder().path("drafts/default/last").exists();
            assert!(lost.is_empty() || !known && !last, "{what}");
            gc(&repo, 100).unwrap();
            assert_eq!(repo.folder().list("tmp").unwrap(), [""; 0], "{what}: leftovers");
            assert_eq!(self.readable(&repo), whole, "{what}");
        });
    }
}

fn flip(file: &Path, at: impl FnOnce(usize) -> usize) {
    let mut bytes = fs::read(file).unwrap();
    let at = at(bytes.len());
    bytes[at] ^= 0x10;
    fs::write(file, bytes).unwrap();
}

#[test]
fn every_moment_of_repairing_a_damaged_chunk_survives() {
    let site = Site::new();
    let files = site.runs.iter().map(|(_, tree)| tree.len()).sum::<usize>();
    // The noise is not compressed, and nearly all of the pack.
    flip(&site.pack(), |len| len / 2);
    assert!(site.readable(&site.lab.repo).len() < files);
    site.survives("a chunk");
}

#[test]
fn every_moment_of_repairing_a_damaged_footer_and_what_is_derived_survives() {
    let site = Site::new();
    flip(&site.pack(), |len| len - 20);
    for dir in ["index", "catalog"] {
        for name in site.lab.repo.folder().list(dir).unwrap() {
            if name != "lock" {
                flip(&site.lab.stored(dir).join(name), |len| len - 1);
            }
        }
    }
    site.survives("a footer, the index and the catalog");
}
