//! The stores that a crash could have left, and whether they are of use.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use eart::disk::Folder;
use eart::id::RunId;
use eart::repo::{CONFIG, Init, Repo};

use crate::lab::{Tree, add, assert_same, assert_whole, checkout, commit, gc, scratch, tree};

use super::disk::{CRASHES, Disk, Event};

/// What must hold.
#[derive(Debug, Clone, Default)]
pub(super) struct Promises {
    pub(super) runs: BTreeMap<RunId, Tree>,
    maybe_gone: BTreeSet<RunId>,
    gone: BTreeSet<RunId>,
    drafts: BTreeMap<&'static str, usize>,
    tags: BTreeMap<&'static str, RunId>,
    config: Option<&'static str>,
}

impl Promises {
    fn apply(&mut self, event: &Event) {
        match event {
            Event::Committed(run, tree) => {
                self.runs.insert(*run, tree.clone());
            }
            Event::Staged(draft, entries) => {
                self.drafts.insert(draft, *entries);
            }
            Event::Unstaging(draft) => {
                self.drafts.remove(draft);
            }
            Event::Removing(runs) => self.maybe_gone.extend(runs),
            Event::Removed(runs) => self.gone.extend(runs),
            Event::Tagged(name, run) => {
                self.tags.insert(name, *run);
            }
            Event::Configured(text) => self.config = Some(text),
            _ => {}
        }
    }
}

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
    let mut known = HashSet::new();
    let mut wrecks = Vec::new();
    for moment in 0..=events.len() {
        for crash in CRASHES {
            let files = disk.after(crash, moment);
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
    /// Uses the store as somebody would who does not know of the crash.
    fn survives(&self) {
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
        self.is_whole(&repo, &self.promises.drafts);
        // What add and commit do next, on top of what is there.
        fs::write(work.join("after.txt"), self.label.as_bytes()).unwrap();
        let (added, problems) = add(&repo, &["after.txt"]);
        added.unwrap();
        assert_eq!(problems, []);
        let after = commit(&repo).unwrap();
        assert!(after.summary.files >= 1);
        gc(&repo, 100).unwrap();
        assert_eq!(repo.folder().list("tmp").unwrap(), [""; 0], "leftovers");
        let mut drafts = self.promises.drafts.clone();
        drafts.remove("default");
        self.is_whole(&repo, &drafts);
        let to = place.path().join("after");
        let (done, problems) = checkout(&repo, after.id, &to);
        done.unwrap();
        assert_eq!(problems, []);
        assert_eq!(fs::read(to.join("after.txt")).unwrap(), self.label.as_bytes());
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

    /// The store's own opinion, and whether everything promised is there.
    fn is_whole(&self, repo: &Repo, drafts: &BTreeMap<&str, usize>) {
        assert_whole(repo);
        let catalog = repo.catalog().unwrap();
        assert_eq!(catalog.unreadable().len(), 0);
        let promises = &self.promises;
        for run in promises.runs.keys() {
            let there = catalog.get(run).is_some();
            assert!(there || promises.maybe_gone.contains(run), "{run} is lost");
            assert!(!there || !promises.gone.contains(run), "{run} is back");
        }
        let refs = repo.refs().unwrap();
        for (name, run) in &promises.tags {
            assert_eq!(refs.tags.get(*name), Some(run));
        }
        for (name, entries) in drafts {
            let draft = repo.draft(name).unwrap();
            assert!(draft.is_some_and(|d| d.entries().len() >= *entries), "draft {name}");
        }
        if let Some(text) = promises.config {
            assert_eq!(repo.folder().read(CONFIG).unwrap(), text.as_bytes());
        }
    }
}

/// Uses every wreck; fails with the labels of those that are no good.
pub(super) fn all_survive(wrecks: &[Wreck]) {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(wreck) = wrecks.get(next.fetch_add(1, Relaxed)) {
                    if let Err(e) = std::panic::catch_unwind(|| wreck.survives()) {
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
