//! Runs, the catalog over them, drafts, tags and pins.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use eart::id::RunId;
use eart::progress::Silent;
use eart::repo::FsckOptions;

use crate::lab::{fsck, gc, noise, repair};

use super::{Harm, Site, names};

#[test]
fn run_manifests() {
    let site = Site::new();
    let file = |run: RunId| PathBuf::from(format!("runs/{run}.redb"));
    let (mixed, small) = (file(site.mixed), file(site.small));
    let len = site.len(&mixed);
    let mut harms = site.harms(&mixed, Some(&small));
    harms.extend((0..len).step_by(len / 20).map(Harm::Flip));
    for harm in harms {
        let (readable, checked, mended) = site.trial(&[(&mixed, &harm)]);
        assert!(names(&checked, &mixed), "{harm:?} {checked:?}");
        assert!(checked.lost.iter().any(|l| l.path == "mixed/shot.png"), "{checked:?}");
        assert!(!mended.is_mended(), "{harm:?} {mended:?}");
        for (run, path) in site.everything().difference(&readable) {
            let swapped = matches!(harm, Harm::Swap(_)) && *run == site.small;
            assert!(*run == site.mixed || swapped, "{harm:?} lost {path:?}");
        }
    }
}

#[test]
fn catalog_segments() {
    let site = Site::new();
    let segments = site.files("catalog", ".cat");
    for harm in site.harms(&segments[0], Some(&segments[1])) {
        let (readable, checked, _) = site.trial(&[(&segments[0], &harm)]);
        assert_eq!(readable, site.everything(), "{harm:?}");
        if !matches!(harm, Harm::Remove | Harm::Swap(_)) {
            assert!(names(&checked, &segments[0]), "{harm:?} {checked:?}");
        }
        let repo = site.harmed(&[(&segments[0], &harm)]);
        let catalog = repo.catalog().unwrap();
        let listed: BTreeSet<RunId> = catalog.records().map(|r| r.id).collect();
        assert_eq!(listed, site.runs.keys().copied().collect(), "{harm:?}");
    }
}

#[test]
fn drafts_and_what_is_remembered_of_them() {
    let site = Site::new();
    let (open, spare) = (Path::new("drafts/open/draft"), Path::new("drafts/spare/draft"));
    for harm in site.harms(open, Some(spare)) {
        let (readable, checked, _) = site.trial(&[(open, &harm)]);
        assert_eq!(readable, site.everything(), "{harm:?}");
        if !matches!(harm, Harm::Remove | Harm::Swap(_)) {
            assert!(names(&checked, open), "{harm:?} {checked:?}");
            // A draft that nobody can read may need anything.
            let repo = site.harmed(&[(open, &harm)]);
            let error = gc(&repo, 10).unwrap_err();
            assert!(error.to_string().contains("\"open\""), "{error}");
            assert!(error.hint().unwrap().contains("eart draft drop open"));
            repo.drop_draft("open").unwrap();
            gc(&repo, 10).unwrap();
        }
    }
    let last = Path::new("drafts/default/last");
    for harm in site.harms(last, None) {
        let (readable, checked, _) = site.trial(&[(last, &harm)]);
        assert_eq!(readable, site.everything(), "{harm:?}");
        assert_eq!(names(&checked, last), !matches!(harm, Harm::Remove), "{harm:?}");
    }
}

#[test]
fn tags_and_pins() {
    let site = Site::new();
    let (tag, other) = (Path::new("refs/tags/release"), Path::new("refs/tags/other"));
    for harm in site.harms(tag, Some(other)) {
        let (readable, checked, _) = site.trial(&[(tag, &harm)]);
        assert_eq!(readable, site.everything(), "{harm:?}");
        // The last byte is the line's end.
        let newline = matches!(harm, Harm::Cut(at) | Harm::Flip(at) if at == site.len(tag) - 1);
        if !newline && !matches!(harm, Harm::Remove | Harm::Swap(_)) {
            assert!(names(&checked, tag), "{harm:?} {checked:?}");
        }
    }
    let pin = site.files("refs/pins", "").remove(0);
    site.trial(&[(&pin, &Harm::Remove)]);
    // A pin is its name; what is in it does not matter, and what is no name is named.
    let repo = site.harmed(&[]);
    fs::write(site.lab.stored("refs/pins/nonsense"), "").unwrap();
    let checked = repo.fsck(FsckOptions::default(), &Silent).unwrap();
    assert_eq!(checked.findings[0].what, "refs/pins/nonsense");
    assert!(repair(&repo).unwrap().is_mended());
    assert!(fsck(&repo).unwrap().is_clean());
}

#[test]
fn pages_that_make_no_sense_under_a_stamp_that_is_right() {
    let site = Site::new();
    let path = site.lab.stored(format!("runs/{}.redb", site.mixed));
    let good = fs::read(&path).unwrap();
    let mut named = 0;
    for seed in 0..60 {
        let mut bytes = good.clone();
        let page = seed as usize % (bytes.len() / 4096) * 4096;
        match seed % 3 {
            0 => bytes[page..page + 2048].copy_from_slice(&noise(seed, 2048)),
            _ => bytes[page..page + 64].copy_from_slice(&[(seed % 7) as u8; 64]),
        }
        // docs/format.md, "The file of a run".
        let mut sum = blake3::Hasher::new();
        sum.update(&bytes[..2096]).update(&bytes[2128..]);
        bytes[2096..2128].copy_from_slice(sum.finalize().as_bytes());
        fs::write(&path, bytes).unwrap();
        let repo = &site.lab.repo;
        let whole = repo.manifest(site.mixed).is_ok_and(|manifest| manifest.verify().is_ok());
        let checked = fsck(repo).unwrap();
        assert_eq!(checked.is_clean(), whole, "{seed}: {checked:?}");
        let listed = checked.findings.iter().any(|f| f.what.contains(&site.mixed.to_hex()));
        assert_eq!(listed, !whole, "{seed}: {checked:?}");
        assert_eq!(repo.catalog().unwrap().len(), 3);
        named += u64::from(listed);
    }
    assert!(named > 20, "{named}");
}
