//! A record of what a store did, and a disk that loses what was not synced.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use eart::disk::{Change, Watch};
use eart::id::RunId;
use eart::manifest::Entry;

use crate::lab::Tree;

/// What a draft holds, if it is there.
pub(super) type Staged = Option<Vec<Entry>>;

/// A change, or what the caller knew at that moment.
#[derive(Debug, Clone)]
pub(super) enum Event {
    CreateDir(PathBuf),
    Create(PathBuf),
    Append(PathBuf, Vec<u8>),
    SyncFile(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    SyncDir(PathBuf),
    /// From now on the draft may hold this, or not be there.
    Staging(&'static str, Staged),
    /// From now on it holds what it was last said that it may.
    Staged(&'static str),
    /// These drafts are being sealed: until `commit` returns they are there, or the run is.
    Sealing(Vec<&'static str>, RunId, Tree),
    /// `commit` returned: the run is there from now on, and its drafts are not.
    Sealed,
    /// These runs may be gone from now on.
    Removing(Vec<RunId>),
    /// These runs must be gone from now on.
    Removed(Vec<RunId>),
    /// From now on the tag may be on this run, or not be there.
    Tagging(&'static str, Option<RunId>),
    /// From now on it is as it was last said that it may be.
    Tagged(&'static str),
    /// The configuration was written.
    Configured(&'static str),
}

#[derive(Debug, Default)]
pub(super) struct Record(Mutex<Vec<Event>>);

impl Record {
    pub(super) fn push(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }

    /// How much happened so far.
    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Notes what the caller only knew later.
    pub(super) fn insert(&self, at: usize, event: Event) {
        self.0.lock().unwrap().insert(at, event);
    }

    pub(super) fn take(&self) -> Vec<Event> {
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
pub(super) struct Disk {
    inodes: Vec<Inode>,
    pub(super) dirs: BTreeSet<PathBuf>,
    /// Names as programs see them.
    seen: BTreeMap<PathBuf, usize>,
    /// Names as the disk has them.
    synced: BTreeMap<PathBuf, usize>,
    /// What became of names since their folders were synced, oldest first.
    pending: Vec<Pending>,
    /// How many changes of names there were.
    changes: usize,
}

/// One name that a change gave to a file, or took away.
#[derive(Debug, Clone)]
struct Pending {
    /// The same for both names of a rename: it happens as a whole, but for a folder that was synced.
    change: usize,
    name: PathBuf,
    inode: Option<usize>,
}

/// What of the changes that were not synced a crash lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Crash {
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
    /// Some of the changes of names in each folder, bytes not; one choice for each number.
    KeepsSomeNames(u8),
    /// Bytes, not names.
    KeepsBytes,
}

pub(super) const CRASHES: [Crash; 10] = [
    Crash::LosesAll,
    Crash::KeepsAll,
    Crash::KeepsNames,
    Crash::TearsBytes,
    Crash::KeepsSomeFolders,
    Crash::KeepsSomeNames(0),
    Crash::KeepsSomeNames(1),
    Crash::KeepsSomeNames(2),
    Crash::KeepsSomeNames(3),
    Crash::KeepsBytes,
];

impl Disk {
    /// What lies in a folder now, all of it on disk.
    pub(super) fn of(root: &Path) -> Self {
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

    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            // Told when the folder above was synced.
            Event::CreateDir(dir) => {
                self.dirs.insert(dir.clone());
                if let Some(parent) = dir.parent() {
                    self.sync_dir(parent);
                }
            }
            Event::Create(file) => {
                self.inodes.push(Inode::default());
                self.name(&[(file, Some(self.inodes.len() - 1))]);
            }
            Event::Append(file, bytes) => {
                self.inodes[self.seen[file]].seen.extend_from_slice(bytes);
            }
            Event::SyncFile(file) => {
                let inode = &mut self.inodes[self.seen[file]];
                inode.synced.clone_from(&inode.seen);
            }
            Event::Rename(from, to) => {
                self.name(&[(from, None), (to, Some(self.seen[from]))]);
            }
            Event::Remove(file) => self.name(&[(file, None)]),
            Event::SyncDir(dir) => self.sync_dir(dir),
            _ => {}
        }
    }

    /// One change of names.
    fn name(&mut self, names: &[(&PathBuf, Option<usize>)]) {
        self.changes += 1;
        for (name, inode) in names {
            rename(&mut self.seen, name, *inode);
            let (change, name, inode) = (self.changes, name.to_path_buf(), *inode);
            self.pending.push(Pending { change, name, inode });
        }
    }

    fn sync_dir(&mut self, dir: &Path) {
        self.pending.retain(|change| change.name.parent() != Some(dir));
        self.synced.retain(|name, _| name.parent() != Some(dir));
        let here = self.seen.iter().filter(|(name, _)| name.parent() == Some(dir));
        self.synced.extend(here.map(|(name, inode)| (name.clone(), *inode)));
    }

    /// The files that are there after a crash; the seed decides what is left to chance.
    pub(super) fn after(
        &self,
        crash: Crash,
        moment: usize,
        seed: u64,
    ) -> BTreeMap<PathBuf, Vec<u8>> {
        let lucky = |what: &[u8]| {
            let seed = [what, &moment.to_le_bytes(), &seed.to_le_bytes()].concat();
            blake3::hash(&seed).as_bytes()[0] & 1 == 0
        };
        let names: BTreeMap<PathBuf, usize> = match crash {
            Crash::LosesAll | Crash::KeepsBytes => self.synced.clone(),
            Crash::KeepsAll | Crash::KeepsNames | Crash::TearsBytes => self.seen.clone(),
            Crash::KeepsSomeFolders => {
                let here = |name: &PathBuf| lucky(name.parent().unwrap().as_os_str().as_bytes());
                let seen = self.seen.iter().filter(|(name, _)| here(name));
                let synced = self.synced.iter().filter(|(name, _)| !here(name));
                seen.chain(synced).map(|(name, inode)| (name.clone(), *inode)).collect()
            }
            Crash::KeepsSomeNames(choice) => {
                let mut names = self.synced.clone();
                let kept = |p: &&Pending| lucky(&[&p.change.to_le_bytes()[..], &[choice]].concat());
                for pending in self.pending.iter().filter(kept) {
                    rename(&mut names, &pending.name, pending.inode);
                }
                names
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

fn rename(names: &mut BTreeMap<PathBuf, usize>, name: &Path, inode: Option<usize>) {
    match inode {
        Some(inode) => drop(names.insert(name.to_owned(), inode)),
        None => drop(names.remove(name)),
    }
}
