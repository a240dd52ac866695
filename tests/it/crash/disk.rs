//! A record of what a store did, and a disk that loses what was not synced.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use eart::disk::{Change, Watch};
use eart::id::RunId;

use crate::lab::Tree;

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
pub(super) struct Record(Mutex<Vec<Event>>);

impl Record {
    pub(super) fn push(&self, event: Event) {
        self.0.lock().unwrap().push(event);
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
    /// Bytes, not names.
    KeepsBytes,
}

pub(super) const CRASHES: [Crash; 6] = [
    Crash::LosesAll,
    Crash::KeepsAll,
    Crash::KeepsNames,
    Crash::TearsBytes,
    Crash::KeepsSomeFolders,
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
    pub(super) fn after(&self, crash: Crash, moment: usize) -> BTreeMap<PathBuf, Vec<u8>> {
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
