//! Durable writes below one folder, and nothing else.
//!
//! A [`Folder`] is the only way the store changes its own files. A file becomes visible under its
//! final name by a rename, after its bytes are synced; the rename is made durable by syncing the
//! folder it happened in. What was begun and not finished lies in `tmp/` and is nobody's.
//!
//! Every change can be watched ([`Watch`]), so that a test can rebuild what a crash at any
//! moment would have left on disk.

mod lock;
mod map;

pub use lock::{Lock, LockMode};
pub use map::Map;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// Folder for files that are still being written.
pub const TMP: &str = "tmp";

/// An operation on a file that failed. It names the path and says what to do where that is known.
#[derive(Debug, thiserror::Error)]
#[error("Could not {action} {}", path.display())]
pub struct Error {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl Error {
    /// An error of `action` ("read", "create", ...) on `path`.
    pub fn new(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self { action, path: path.into(), source }
    }

    /// For `map_err`: `read(..).map_err(Error::on("read", path))`.
    pub fn on(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::new(action, path, source)
    }

    /// What kind of failure it was.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// Where it happened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file is not there.
    pub fn is_not_found(&self) -> bool {
        self.kind() == io::ErrorKind::NotFound
    }

    /// Whether the medium or the file itself is bad; see [`is_damage`].
    pub fn is_damage(&self) -> bool {
        is_damage(&self.source)
    }

    /// Whether the failure only says that this place cannot be written: no permission, or a
    /// read-only file system.
    pub fn is_read_only(&self) -> bool {
        matches!(self.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
    }

    /// Whether the disk, or the user's part of it, is full.
    pub fn is_full(&self) -> bool {
        matches!(self.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(
                "nothing was lost; free some space, for instance with `eart gc`, and run it again"
                    .into(),
            ),
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                Some(format!("check who may write to {}", self.path.display()))
            }
            _ => None,
        }
    }
}

/// Whether a failure to open or read a file says that the medium or the file is bad, not that it is
/// gone, forbidden, or that the process ran out of something: trying again gives nothing else.
pub fn is_damage(e: &io::Error) -> bool {
    const BAD: [Errno; 4] = [Errno::IO, Errno::UCLEAN, Errno::BADMSG, Errno::ISDIR];
    Errno::from_io_error(e).is_some_and(|errno| BAD.contains(&errno))
        || matches!(e.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

/// Opens a file of the store for reading. Whatever else has its name (a folder, a pipe, a link to
/// nowhere) is [damage](is_damage), and does not hold the process up.
///
/// # Errors
///
/// When it cannot be opened, or is no regular file.
pub fn open(path: &Path) -> io::Result<File> {
    let irregular = || io::Error::new(io::ErrorKind::InvalidData, "It is not a regular file");
    let mut options = OpenOptions::new();
    match options.read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path) {
        Ok(file) if file.metadata()?.is_file() => Ok(file),
        Ok(_) => Err(irregular()),
        Err(e) => {
            let special = [Errno::NOENT, Errno::LOOP, Errno::NXIO];
            let special = Errno::from_io_error(&e).is_some_and(|errno| special.contains(&errno));
            let there = || fs::symlink_metadata(path).is_ok_and(|meta| !meta.is_file());
            Err(if special && there() { irregular() } else { e })
        }
    }
}

/// Bytes that are written to a file in one go.
const PIECE: usize = 512 << 10;

/// Writes all bytes, in pieces: what has just been computed is then still in the processor's cache,
/// and the kernel needs no large stretches of memory for it, which it may have to get first. A
/// write of several MiB took up to ten times as long (see docs/performance.md).
///
/// # Errors
///
/// The system's answer.
pub fn write_all(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    bytes.chunks(PIECE).try_for_each(|piece| file.write_all(piece))
}

/// Result of an operation on a file.
pub type Result<T> = std::result::Result<T, Error>;

/// One change that a [`Folder`] made, told right after it was made. Paths are relative to it.
#[derive(Debug)]
pub enum Change<'a> {
    /// A folder was created, and the folder that holds it was synced.
    CreateDir(&'a Path),
    /// An empty file was created.
    Create(&'a Path),
    /// Bytes were appended to a file.
    Append(&'a Path, &'a [u8]),
    /// A file's bytes were synced.
    SyncFile(&'a Path),
    /// A file was renamed.
    Rename(&'a Path, &'a Path),
    /// A file was removed.
    Remove(&'a Path),
    /// A folder's names were synced.
    SyncDir(&'a Path),
}

/// Sees every change as it happens; for crash tests.
pub trait Watch: Send + Sync {
    /// Called after each change, from the thread that made it.
    fn saw(&self, change: Change<'_>);
}

/// A folder whose files are written durably.
#[derive(Clone)]
pub struct Folder {
    root: PathBuf,
    watch: Option<Arc<dyn Watch>>,
}

impl std::fmt::Debug for Folder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Folder").field(&self.root).finish()
    }
}

impl Folder {
    /// The folder at `root`, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), watch: None }
    }

    /// The same folder, with every change told to `watch`.
    pub fn watched(mut self, watch: Arc<dyn Watch>) -> Self {
        self.watch = Some(watch);
        self
    }

    /// Where the folder is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The absolute path of something in it.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.join(name)
    }

    fn saw(&self, change: Change<'_>) {
        if let Some(watch) = &self.watch {
            watch.saw(change);
        }
    }

    /// Creates a folder in it, parents too, durably. Does nothing when it is there.
    ///
    /// # Errors
    ///
    /// When it cannot be created or synced.
    pub fn create_dir(&self, name: impl AsRef<Path>) -> Result<()> {
        let path = self.path(name.as_ref());
        let missing = path.ancestors().take_while(|p| !p.as_os_str().is_empty() && !p.is_dir());
        let missing: Vec<_> = missing.collect();
        for path in missing.into_iter().rev() {
            match fs::create_dir(path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
                other => other.map_err(Error::on("create the folder", path))?,
            }
            let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
            sync_dir(parent.unwrap_or(Path::new(".")))?;
            if let Ok(name) = path.strip_prefix(&self.root) {
                self.saw(Change::CreateDir(name));
            }
        }
        Ok(())
    }

    /// All bytes of a small file.
    ///
    /// # Errors
    ///
    /// When it cannot be read; see [`Error::is_not_found`].
    pub fn read(&self, name: impl AsRef<Path>) -> Result<Vec<u8>> {
        let path = self.path(name);
        let mut bytes = Vec::new();
        let read = open(&path).and_then(|mut file| file.read_to_end(&mut bytes));
        read.map_err(Error::on("read", &path))?;
        Ok(bytes)
    }

    /// Opens a file for reading; see [`open`].
    ///
    /// # Errors
    ///
    /// When it cannot be opened; see [`Error::is_not_found`].
    pub fn open(&self, name: impl AsRef<Path>) -> Result<File> {
        let path = self.path(name);
        open(&path).map_err(Error::on("open", &path))
    }

    /// Names of what lies in a folder of it, sorted; nothing when the folder is not there. Names
    /// that are not UTF-8 are left out: the store makes none.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub fn list(&self, name: impl AsRef<Path>) -> Result<Vec<String>> {
        let path = self.path(name);
        let mut names = Vec::new();
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(names),
            Err(e) => return Err(Error::new("list", path, e)),
        };
        for entry in entries {
            let entry = entry.map_err(Error::on("list", &path))?;
            names.extend(entry.file_name().into_string());
        }
        names.sort_unstable();
        Ok(names)
    }

    /// A new file in `tmp/`, removed again unless it is [kept](Temp::keep).
    ///
    /// # Errors
    ///
    /// When it cannot be created.
    pub fn temp(&self) -> Result<Temp> {
        let tmp = self.path(TMP);
        let mut unique = [0; 8];
        getrandom::fill(&mut unique)
            .map_err(|e| Error::new("create a file in", &tmp, io::Error::other(e)))?;
        let name = Path::new(TMP).join(format!("{:016x}", u64::from_le_bytes(unique)));
        let path = self.path(&name);
        let create = || OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        let file = match create() {
            Err(e) if e.kind() == io::ErrorKind::NotFound && self.root.is_dir() => {
                self.create_dir(TMP)?;
                create()
            }
            other => other,
        }
        .map_err(Error::on("create", &path))?;
        self.saw(Change::Create(&name));
        Ok(Temp { folder: self.clone(), name, path, file, kept: false })
    }

    /// Writes a small file: a crash leaves the old one or the new one, whole.
    ///
    /// # Errors
    ///
    /// When any step fails. The old file is then still there, or, if only the folder could not be
    /// synced, the new one, which a crash may still undo.
    pub fn write(&self, name: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
        let mut temp = self.temp()?;
        temp.append(bytes)?;
        temp.keep(name)
    }

    /// Writes a small file that can be made again from others: renamed into place, not synced. Its
    /// reader must notice bytes that a crash kept from the disk.
    ///
    /// # Errors
    ///
    /// When a step fails.
    pub fn write_derived(&self, name: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
        let mut temp = self.temp()?;
        temp.append(bytes)?;
        temp.rename(name.as_ref())
    }

    /// Appends to a log file and syncs it.
    ///
    /// # Errors
    ///
    /// When any step fails; part of the bytes may then stand at the end of the file.
    pub fn append(&self, name: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
        let name = name.as_ref();
        let path = self.path(name);
        let fresh = !path.exists();
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .map_err(Error::on("open", &path))?;
        if fresh {
            self.saw(Change::Create(name));
        }
        file.write_all(bytes).map_err(Error::on("write", &path))?;
        self.saw(Change::Append(name, bytes));
        file.sync_data().map_err(Error::on("sync", &path))?;
        self.saw(Change::SyncFile(name));
        if fresh {
            self.sync_dir(name.parent().unwrap_or(Path::new("")))?;
        }
        Ok(())
    }

    /// Removes a file. Gone already is as good. Not durable until [`Folder::sync_dir`].
    ///
    /// # Errors
    ///
    /// When it is there and cannot be removed.
    pub fn remove(&self, name: impl AsRef<Path>) -> Result<()> {
        let name = name.as_ref();
        let path = self.path(name);
        match fs::remove_file(&path) {
            Ok(()) => self.saw(Change::Remove(name)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(Error::new("remove", path, e)),
        }
        Ok(())
    }

    /// Renames a file within the folder and makes that durable.
    ///
    /// # Errors
    ///
    /// When a step fails.
    pub fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<()> {
        let (from, to) = (from.as_ref(), to.as_ref());
        let target = self.path(to);
        fs::rename(self.path(from), &target).map_err(Error::on("rename a file to", &target))?;
        self.saw(Change::Rename(from, to));
        self.sync_dir(to.parent().unwrap_or(Path::new("")))?;
        if from.parent() != to.parent() {
            self.sync_dir(from.parent().unwrap_or(Path::new("")))?;
        }
        Ok(())
    }

    /// Makes the names in a folder durable: what was renamed into it or removed from it.
    ///
    /// # Errors
    ///
    /// When the folder cannot be synced.
    pub fn sync_dir(&self, name: impl AsRef<Path>) -> Result<()> {
        let name = name.as_ref();
        sync_dir(&self.path(name))?;
        self.saw(Change::SyncDir(name));
        Ok(())
    }

    /// Takes a kernel lock on a file of the folder, waiting for it; see [`Lock`].
    ///
    /// # Errors
    ///
    /// When the lock file cannot be made or locked.
    pub fn lock(&self, name: impl AsRef<Path>, mode: LockMode) -> Result<Lock> {
        Lock::wait(&self.path(name), mode)
    }

    /// Takes a kernel lock if nobody holds it in a way that excludes ours.
    ///
    /// # Errors
    ///
    /// When the lock file cannot be made or locked for another reason than that it is held.
    pub fn try_lock(&self, name: impl AsRef<Path>, mode: LockMode) -> Result<Option<Lock>> {
        Lock::attempt(&self.path(name), mode)
    }
}

fn sync_dir(path: &Path) -> Result<()> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(Error::on("sync the folder", path))
}

/// A file that is being written, in `tmp/`. Dropped without [`Temp::keep`], it is removed.
#[derive(Debug)]
pub struct Temp {
    folder: Folder,
    name: PathBuf,
    path: PathBuf,
    file: File,
    kept: bool,
}

impl Temp {
    /// Appends bytes.
    ///
    /// # Errors
    ///
    /// When they cannot be written.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        write_all(&mut self.file, bytes).map_err(Error::on("write", &self.path))?;
        self.folder.saw(Change::Append(&self.name, bytes));
        Ok(())
    }

    /// The open file, for reading back what was appended.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Makes the bytes written so far durable.
    ///
    /// # Errors
    ///
    /// When they cannot be synced: what was written may then be lost.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(Error::on("sync", &self.path))?;
        self.folder.saw(Change::SyncFile(&self.name));
        Ok(())
    }

    /// Syncs the bytes, renames the file to `name` in its folder and makes that durable.
    ///
    /// # Errors
    ///
    /// When a step fails. The file is then removed again unless it was renamed already: if only
    /// the folder could not be synced it stays, and a crash may still undo that.
    pub fn keep(self, name: impl AsRef<Path>) -> Result<()> {
        let name = name.as_ref().to_owned();
        let folder = self.folder.clone();
        self.place(&name)?;
        folder.sync_dir(name.parent().unwrap_or(Path::new("")))
    }

    /// As [`Temp::keep`], but leaves it to the caller to [sync the folder](Folder::sync_dir).
    ///
    /// # Errors
    ///
    /// When a step fails; the file is then removed again.
    pub fn place(self, name: impl AsRef<Path>) -> Result<()> {
        self.sync()?;
        self.rename(name.as_ref())
    }

    fn rename(mut self, name: &Path) -> Result<()> {
        let target = self.folder.path(name);
        fs::rename(&self.path, &target).map_err(Error::on("rename a file to", &target))?;
        self.kept = true;
        self.folder.saw(Change::Rename(&self.name, name));
        Ok(())
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if !self.kept && fs::remove_file(&self.path).is_ok() {
            self.folder.saw(Change::Remove(&self.name));
        }
    }
}
