//! A crash at any moment leaves the last good state.
//!
//! Every change of the store is recorded while a scenario runs. Then, for every prefix of the
//! record, the stores that a crash at that moment could have left are built and used.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use eart::disk::{Change, Folder, Watch};
use eart::id::RunId;
use eart::repo::{CONFIG, Init, Repo};

use crate::lab::{
    Lab, Tree, add, add_with, adding, assert_same, checkout, commit, committing, fsck, gc, noise,
    scratch, tree,
};

/// A change, or what the caller knew at that moment.
#[derive(Debug, Clone)]
enum Event {
    CreateDir(PathBuf),
    Create(PathBuf),
    Append(PathBuf, Vec<u8>),
    SyncFile(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    SyncDir(PathBuf),
    /// `commit` returned: the run is there from now on.
    Committed(RunId, Tree),
    /// `add` returned: the draft holds this many entries from now on.
    Staged(&'static str, usize),
    /// A draft is about to be committed or dropped.
    Unstaging(&'static str),
    /// These runs may be gone from now on.
    Removing(Vec<RunId>),
    /// These runs must be gone from now on.
    Removed(Vec<RunId>),
    /// A tag or pin was set.
    Tagged(&'static str, RunId),
    /// The configuration was written.
    Configured(&'static str),
}

#[derive(Debug, Default)]
struct Record(Mutex<Vec<Event>>);

impl Record {
    fn push(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }

    fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Watch for Record {
    fn saw(&self, change: Change<'_>) {
        self.push(match change {
            Change::CreateDir(dir) => Event::CreateDir(dir.to_owned()),
            Change::Create(file) => Event::Create(file.to_owned()),
            Change::Append(file, bytes) => Event::Append(file.to_owned(), bytes.to_vec()),
            Change::SyncFile(file) => Event::SyncFile(file.to_owned()),
            Change::Rename(from, to) => Event::Rename(from.to_owned(), to.to_owned()),
            Change::Remove(file) => Event::Remove(file.to_owned()),
            Change::SyncDir(dir) => Event::SyncDir(dir.to_owned()),
        });
    }
}

/// A file's bytes: as programs see them, and as the disk has them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Inode {
    seen: Vec<u8>,
    synced: Vec<u8>,
}

/// A disk that loses what was not synced.
#[derive(Debug, Clone, Default)]
struct Disk {
    inodes: Vec<Inode>,
    dirs: BTreeSet<PathBuf>,
    /// Names as programs see them.
    seen: BTreeMap<PathBuf, usize>,
    /// Names as the disk has them.
    synced: BTreeMap<PathBuf, usize>,
}

/// What of the changes that were not synced a crash lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Crash {
    /// Nothing.
    LosesAll,
    /// Everything.
    KeepsAll,
    /// Names, not bytes: files that were not synced are empty.
    KeepsNames,
    /// Names, and half the bytes that were not synced, followed by zeros.
    TearsBytes,
    /// Names in some folders, bytes not.
    KeepsSomeFolders,
    /// Bytes, not names.
    KeepsBytes,
}

const CRASHES: [Crash; 6] = [
    Crash::LosesAll,
    Crash::KeepsAll,
    Crash::KeepsNames,
    Crash::TearsBytes,
    Crash::KeepsSomeFolders,
    Crash::KeepsBytes,
];

impl Disk {
    /// What lies in a folder now, all of it on disk.
    fn of(root: &Path) -> Self {
        let mut disk = Self::default();
        disk.dirs.insert(PathBuf::new());
        disk.load(root, Path::new(""));
        disk
    }

    fn load(&mut self, root: &Path, dir: &Path) {
        for entry in fs::read_dir(root.join(dir)).unwrap() {
            let entry = entry.unwrap();
            let name = dir.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                self.dirs.insert(name.clone());
                self.load(root, &name);
            } else {
                let bytes = fs::read(entry.path()).unwrap();
                self.inodes.push(Inode { seen: bytes.clone(), synced: bytes });
                self.seen.insert(name.clone(), self.inodes.len() - 1);
                self.synced.insert(name, self.inodes.len() - 1);
            }
        }
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::CreateDir(dir) => {
                self.dirs.insert(dir.clone());
                if let Some(parent) = dir.parent() {
                    self.sync_dir(parent);
                }
            }
            Event::Create(file) => {
                self.inodes.push(Inode::default());
                self.seen.insert(file.clone(), self.inodes.len() - 1);
            }
            Event::Append(file, bytes) => {
                self.inodes[self.seen[file]].seen.extend_from_slice(bytes);
            }
            Event::SyncFile(file) => {
                let inode = &mut self.inodes[self.seen[file]];
                inode.synced.clone_from(&inode.seen);
            }
            Event::Rename(from, to) => {
                let inode = self.seen.remove(from).unwrap();
                self.seen.insert(to.clone(), inode);
            }
            Event::Remove(file) => {
                self.seen.remove(file).unwrap();
            }
            Event::SyncDir(dir) => self.sync_dir(dir),
            _ => {}
        }
    }

    fn sync_dir(&mut self, dir: &Path) {
        self.synced.retain(|name, _| name.parent() != Some(dir));
        let here = self.seen.iter().filter(|(name, _)| name.parent() == Some(dir));
        self.synced.extend(here.map(|(name, inode)| (name.clone(), *inode)));
    }

    /// The files that are there after a crash.
    fn after(&self, crash: Crash, moment: usize) -> BTreeMap<PathBuf, Vec<u8>> {
        let lucky = |dir: &Path| {
            let seed = [dir.as_os_str().as_bytes(), &moment.to_le_bytes()].concat();
            blake3::hash(&seed).as_bytes()[0] & 1 == 0
        };
        let names: BTreeMap<PathBuf, usize> = match crash {
            Crash::LosesAll | Crash::KeepsBytes => self.synced.clone(),
            Crash::KeepsAll | Crash::KeepsNames | Crash::TearsBytes => self.seen.clone(),
            Crash::KeepsSomeFolders => {
                let here = |name: &PathBuf, wanted| lucky(name.parent().unwrap()) == wanted;
                let seen = self.seen.iter().filter(|(name, _)| here(name, true));
                let synced = self.synced.iter().filter(|(name, _)| here(name, false));
                seen.chain(synced).map(|(name, inode)| (name.clone(), *inode)).collect()
            }
        };
        let bytes = |inode: usize| {
            let Inode { seen, synced } = &self.inodes[inode];
            match crash {
                Crash::KeepsAll | Crash::KeepsBytes => seen.clone(),
                Crash::TearsBytes => {
                    let mut torn = seen[..synced.len().midpoint(seen.len())].to_vec();
                    torn.resize(seen.len(), 0);
                    torn
                }
                _ => synced.clone(),
            }
        };
        names.into_iter().map(|(name, inode)| (name, bytes(inode))).collect()
    }
}

/// What must hold.
#[derive(Debug, Clone, Default)]
struct Promises {
    runs: BTreeMap<RunId, Tree>,
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
struct Wreck {
    label: String,
    files: BTreeMap<PathBuf, Vec<u8>>,
    dirs: BTreeSet<PathBuf>,
    promises: Promises,
}

/// Every different store that a crash could have left.
fn wrecks(base: Disk, promised: Promises, events: &[Event]) -> Vec<Wreck> {
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
        let checked = fsck(repo).unwrap();
        assert_eq!((&checked.lost[..], checked.lost_files), (&[][..], 0));
        for finding in &checked.findings {
            let derived = finding.what.starts_with("catalog/") || finding.what.ends_with("/last");
            assert!(derived, "{finding:?}");
        }
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
fn all_survive(wrecks: &[Wreck]) {
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

/// Runs a scenario on a watched store.
fn recorded(lab: &Lab) -> (Repo, Arc<Record>) {
    let record = Arc::new(Record::default());
    let folder = Folder::new(lab.stored("")).watched(record.clone());
    (Repo::open(folder, &lab.work()).unwrap(), record)
}

fn stage(repo: &Repo, record: &Record, draft: &'static str, paths: &[&str]) {
    let mut options = adding(repo, paths);
    options.draft = draft.into();
    let (added, problems) = add_with(repo, options);
    added.unwrap();
    assert_eq!(problems, []);
    let entries = repo.draft(draft).unwrap().unwrap().entries().len();
    record.push(Event::Staged(draft, entries));
}

fn seal(repo: &Repo, record: &Record, draft: &'static str, tree: Tree) -> RunId {
    record.push(Event::Unstaging(draft));
    let mut options = committing();
    options.drafts = vec![draft.into()];
    let run = repo.commit(&options).unwrap().id;
    record.push(Event::Committed(run, tree));
    run
}

/// What of the working folder lies at or below a name.
fn part(lab: &Lab, name: &str) -> Tree {
    let within = |path: &std::ffi::OsStr| Path::new(path).starts_with(name);
    tree(&lab.work()).into_iter().filter(|(path, _)| within(path)).collect()
}

#[test]
fn every_moment_of_a_first_day_survives() {
    let lab = Lab::new();
    // The store that the lab made is not the one that is watched.
    fs::remove_dir_all(lab.stored("")).unwrap();
    let record = Arc::new(Record::default());
    let folder = Folder::new(lab.stored("")).watched(record.clone());
    let repo = Repo::init(folder, &lab.work()).unwrap().0;
    const SETTINGS: &str = "[gc]\nkeep = 7\n";
    repo.folder().write(CONFIG, SETTINGS.as_bytes()).unwrap();
    record.push(Event::Configured(SETTINGS));

    lab.write("report/index.html", "<h1>first</h1>\n".repeat(500));
    lab.write("report/data/trace.bin", noise(1, 400_000));
    lab.write("report/shared.bin", noise(2, 60_000));
    std::os::unix::fs::symlink("index.html", lab.path("report/start")).unwrap();
    fs::create_dir(lab.path("report/empty")).unwrap();
    stage(&repo, &record, "default", &["report"]);
    let first = seal(&repo, &record, "default", part(&lab, "report"));
    repo.set_tag("release", first).unwrap();
    record.push(Event::Tagged("release", first));

    lab.write("report/index.html", "<h1>second</h1>\n".repeat(500));
    lab.write("report/data/trace.bin", noise(3, 300_000));
    lab.write("report/later.bin", noise(4, 80_000));
    lab.write("logs/pod.log", "line\n".repeat(3000));
    stage(&repo, &record, "default", &["report"]);
    let second = seal(&repo, &record, "default", part(&lab, "report"));
    stage(&repo, &record, "other", &["logs"]);

    lab.write("report/data/trace.bin", noise(5, 200_000));
    stage(&repo, &record, "default", &["report"]);
    let third = seal(&repo, &record, "default", part(&lab, "report"));

    // The third run needs a part of what the second brought: its pack is written anew.
    record.push(Event::Removing(vec![second]));
    repo.rm(&[second.to_hex()], "test", false).unwrap();
    record.push(Event::Removed(vec![second]));
    let collected = gc(&repo, 10).unwrap();
    assert!(collected.packs_rewritten > 0, "{collected:?}");

    let fourth = seal(&repo, &record, "other", part(&lab, "logs"));
    record.push(Event::Removing(vec![third]));
    let collected = gc(&repo, 1).unwrap();
    record.push(Event::Removed(vec![third]));
    let fates: Vec<_> = collected.fates.iter().map(|f| (f.id, f.stays)).collect();
    assert_eq!(fates, [(fourth, true), (third, false), (first, true)]);
    assert!(collected.packs_deleted > 0);

    let wrecks = wrecks(Disk::default(), Promises::default(), &record.take());
    assert!(wrecks.len() > 300, "{}", wrecks.len());
    all_survive(&wrecks);
}

#[test]
fn every_moment_of_merging_index_and_catalog_survives() {
    let lab = Lab::new();
    let mut promises = Promises::default();
    let mut runs = Vec::new();
    for n in 0..16 {
        lab.write("run/log.txt", format!("run {n}\n").repeat(50));
        lab.add(&["run"]);
        let run = lab.commit();
        promises.runs.insert(run, part(&lab, "run"));
        runs.push(run);
    }
    let base = Disk::of(&lab.stored(""));
    let (repo, record) = recorded(&lab);
    for n in 16..18 {
        lab.write("run/log.txt", format!("run {n}\n").repeat(50));
        stage(&repo, &record, "default", &["run"]);
        runs.push(seal(&repo, &record, "default", part(&lab, "run")));
    }
    assert!(!repo.folder().list("index").unwrap().is_empty(), "packs were merged");
    record.push(Event::Removing(runs[..12].to_vec()));
    gc(&repo, 6).unwrap();
    record.push(Event::Removed(runs[..12].to_vec()));

    let wrecks = wrecks(base, promises, &record.take());
    assert!(wrecks.len() > 60, "{}", wrecks.len());
    all_survive(&wrecks);
}
