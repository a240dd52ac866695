//! The files beside them, and several damaged files at once.

use std::fs;
use std::path::{Path, PathBuf};

use eart::disk::Folder;
use eart::repo::{Init, Repo};

use crate::lab::{gc, noise};

use super::{Harm, Site, names};

#[test]
fn locks_log_and_configuration_hold_nothing_that_runs_need() {
    let site = Site::new();
    let locks = ["gate", "lock", "gc.lock", "drafts/lock", "refs/lock", "catalog/lock"];
    for file in locks.into_iter().chain(["index/lock"]) {
        let file = Path::new(file);
        let (readable, checked, _) = site.trial(&[(file, &Harm::Remove)]);
        assert_eq!(readable, site.everything(), "{file:?}");
        assert!(checked.is_clean(), "{checked:?}");
        let repo = site.harmed(&[]);
        fs::write(site.lab.stored(file), noise(3, 100)).unwrap();
        assert_eq!(site.readable(&repo), site.everything());
        gc(&repo, 10).unwrap();
    }
    for file in ["audit.log", "config.toml"] {
        let file = Path::new(file);
        for harm in site.harms(file, None) {
            let (readable, ..) = site.trial(&[(file, &harm)]);
            assert_eq!(readable, site.everything(), "{harm:?}");
        }
    }
}

#[test]
fn a_damaged_log_of_removals_keeps_its_lines_apart() {
    let site = Site::new();
    let log = Path::new("audit.log");
    let repo = site.harmed(&[(log, &Harm::Cut(site.len(log) - 1))]);
    repo.rm(&[site.many.to_hex()], "test", true).unwrap();
    let text = String::from_utf8(repo.folder().read(log).unwrap()).unwrap();
    let lines: Vec<&str> = text.lines().filter(|l| l.contains(&site.many.to_hex())).collect();
    assert_eq!(lines.len(), 1);
    assert!(lines.iter().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}

#[test]
fn the_stores_description() {
    let site = Site::new();
    let file = Path::new("format.json");
    for harm in site.harms(file, None) {
        site.harmed(&[(file, &harm)]);
        let folder = Folder::new(site.lab.stored(""));
        match Repo::open(folder.clone(), &site.lab.work()) {
            Ok(repo) => assert_eq!(site.readable(&repo), site.everything(), "{harm:?}"),
            Err(e) => assert!(e.hint().is_some(), "{harm:?}: {e}"),
        }
        // Where it is gone nothing is made on top, and what the hint says mends it.
        if matches!(harm, Harm::Remove) {
            let error = Repo::init(folder.clone(), &site.lab.work()).unwrap_err();
            assert!(error.to_string().contains("without its format.json"), "{error}");
            let hint = error.hint().unwrap();
            folder.write(file, &hint.as_bytes()[hint.find('{').unwrap()..]).unwrap();
            let (repo, init) = Repo::init(folder, &site.lab.work()).unwrap();
            assert_eq!(init, Init::Existed);
            assert_eq!(site.readable(&repo), site.everything());
        }
    }
}

#[test]
fn one_damaged_file_does_not_hide_another() {
    let site = Site::new();
    let pack = site.pack_of(site.many, "many/03.txt");
    let second = site.pack_of(site.many, "many/04.txt");
    let run = PathBuf::from(format!("runs/{}.redb", site.mixed));
    let (tag, draft) = (Path::new("refs/tags/release"), Path::new("drafts/open/draft"));
    let (index, catalog) = (site.files("index", ".idx"), site.files("catalog", ".cat"));
    let last = Path::new("drafts/default/last");
    let files = [&*pack, &*second, &*run, tag, draft, &*index[0], &*catalog[0], last];
    for harm in [Harm::Empty, Harm::Cut(40), Harm::Flip(30)] {
        let harms: Vec<_> = files.iter().map(|file| (*file, &harm)).collect();
        let (readable, checked, mended) = site.trial(&harms);
        for file in files {
            assert!(names(&checked, file), "{harm:?} {file:?} {checked:?}");
            assert!(names(&mended, file), "{harm:?} {file:?} {mended:?}");
        }
        assert!(readable.contains(&(site.small, "small/only.txt".into())));
        assert!(readable.contains(&(site.many, "many/05.txt".into())));
    }
}
