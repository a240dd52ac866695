//! The stores that a crash could have left, and whether they are of use.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use eart::disk::Folder;
use eart::repo::{Init, Repo};
use tempfile::TempDir;

use crate::lab::{add, assert_same, checkout, commit, fsck, gc, scratch, seed, tree};

use super::disk::{CRASHES, Disk, Event};
use super::promises::Promises;

/// A store that a crash left, with the promises made before it.
pub(super) struct Wreck {
    label: String,
    files: BTreeMap<PathBuf, Vec<u8>>,
    dirs: BTreeSet<PathBuf>,
    promises: Promises,
}

/// Every different store that a crash could have left.
pub(super) fn wrecks(base: Disk, promised: Promises, events: &[Event]) -> Vec<Wreck> {
    let (mut disk, mut promises) = (base, promised);
    let (seed, mut known) = (seed(), HashSet::new());
    let mut wrecks = Vec::new();
    for moment in 0..=events.len() {
        for crash in CRASHES {
            let files = disk.after(crash, moment, seed);
            let mut key = blake3::Hasher::new();
            key.update(format!("{promises:?}{:?}", disk.dirs).as_bytes());
            for (name, bytes) in &files {
                key.update(format!("{name:?}{}", bytes.len()).as_bytes()).update(bytes);
            }
            if known.insert(key.finalize()) {
                let last = moment.checked_sub(1).map(|last| brief(&events[last]));
                let label = format!("{crash:?} after {moment}: {}", last.unwrap_or_default());
                let (dirs, promises) = (disk.dirs.clone(), promises.clone());
                wrecks.push(Wreck { label, files, dirs, promises });
            }
        }
        if let Some(event) = events.get(moment) {
            disk.apply(event);
            promises.apply(event);
        }
    }
    wrecks
}

fn brief(event: &Event) -> String {
    format!("{event:?}").chars().take(120).collect()
}

impl Wreck {
    /// The store and a folder to work in, both in the folder that is returned.
    pub(super) fn raise(&self) -> (TempDir, Repo) {
        let place = scratch();
        let work = place.path().join("work");
        fs::create_dir(&work).unwrap();
        let root = work.join(".eart");
        if self.dirs.contains(Path::new("")) {
            for dir in &self.dirs {
                fs::create_dir_all(root.join(dir)).unwrap();
            }
        }
        let old = SystemTime::now() - Duration::from_secs(3600);
        for (name, bytes) in &self.files {
            fs::write(root.join(name), bytes).unwrap();
            if name.starts_with("tmp") {
                fs::File::options()
                    .write(true)
                    .open(root.join(name))
                    .and_then(|file| file.set_modified(old))
                    .unwrap();
            }
        }
        let whole = self.files.contains_key(Path::new("format.json"));
        let (repo, init) = Repo::init(Folder::new(&root), &work).unwrap();
        assert_eq!(init, if whole { Init::Existed } else { Init::Created });
        if !whole {
            assert!(self.promises.runs.is_empty());
        }
        (place, repo)
    }

    /// Uses the store as somebody would who does not know of the crash.
    fn survives(&self) {
        let (place, repo) = self.raise();
        self.promises.hold(&repo);
        let staged = repo.draft("default").unwrap();
        // What add and commit do next, on top of what is there.
        fs::write(repo.work().join("after.txt"), self.label.as_bytes()).unwrap();
        let (added, problems) = add(&repo, &["after.txt"]);
        added.unwrap();
        assert_eq!(problems, []);
        let after = commit(&repo).unwrap();
        assert!(after.summary.files >= 1);
        gc(&repo, 100).unwrap();
        assert_eq!(repo.folder().list("tmp").unwrap(), [""; 0], "leftovers");
        // The commit made anew what the crash kept from the disk.
        for finding in fsck(&repo).unwrap().findings {
            assert!(finding.what.ends_with("/last"), "{finding:?}");
        }
        self.promises.with_default_sealed().hold(&repo);
        let to = place.path().join("after");
        let (done, problems) = checkout(&repo, after.id, &to);
        done.unwrap();
        assert_eq!(problems, []);
        assert_eq!(fs::read(to.join("after.txt")).unwrap(), self.label.as_bytes());
        for entry in staged.iter().flat_map(|draft| draft.entries()) {
            assert!(
                fs::symlink_metadata(to.join(entry.path.as_path())).is_ok(),
                "{} is lost",
                entry.path
            );
        }
        for (n, (run, tree_then)) in self.promises.runs.iter().enumerate() {
            if repo.run_ids().unwrap().contains(run) {
                let to = place.path().join(format!("run{n}"));
                let (done, problems) = checkout(&repo, *run, &to);
                assert_eq!(problems, []);
                assert_eq!(done.unwrap().failed, 0);
                assert_same(&tree(&to), tree_then, "a run after the crash");
            }
        }
    }
}

/// Uses every wreck; fails with the labels of those that are no good.
pub(super) fn all_survive(wrecks: &[Wreck]) {
    try_all(wrecks, Wreck::survives);
}

/// Puts every wreck to a trial; fails with the labels of those that do not stand it.
pub(super) fn try_all(wrecks: &[Wreck], trial: impl Fn(&Wreck) + Sync) {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(wreck) = wrecks.get(next.fetch_add(1, Relaxed)) {
                    if let Err(e) = std::panic::catch_unwind(AssertUnwindSafe(|| trial(wreck))) {
                        let text = e.downcast_ref::<String>().map(String::as_str);
                        let text = text.or_else(|| e.downcast_ref().copied()).unwrap_or_default();
                        failed.lock().unwrap().push(format!("{}\n    {text}", wreck.label));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    let shown: Vec<&str> = failed.iter().take(12).map(String::as_str).collect();
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), wrecks.len(), shown.join("\n"));
}
