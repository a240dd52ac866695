//! Writes files back: never outside the target folder, never through a symbolic link.
//!
//! Every path is opened relative to the open target folder, and no component of it may be a link:
//! the kernel refuses (`openat2`), or, where it cannot, the path is opened component by component.
//!
//! What is made but not complete is told by its mode, [`UNFINISHED`], so that a checkout after one
//! that was killed knows it for its own. Files that take several writes have no name until then.

mod partial;

pub use partial::Partial;

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Timespec, Timestamps, fchmod, fstat,
    futimens, mkdirat, openat, openat2, statat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;

use crate::disk;
use crate::manifest::Mtime;
use crate::path::RelPath;

const DIR: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Mode of a file that is not complete yet; nobody else may read it. The sticky bit tells it from
/// others: runs record none, and nobody sets it on what is not for others at all.
const UNFINISHED: u32 = 0o1600;
/// The same of a folder.
const UNFINISHED_DIR: u32 = 0o1700;

/// What stands at a path of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Present {
    /// Nothing.
    Nothing,
    /// A regular file of this length in bytes.
    File(u64),
    /// A file that a checkout began and was stopped before it was complete.
    Unfinished,
    /// A folder.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A device, pipe or socket.
    Special,
    /// Nothing can: a folder above it is a file or a link.
    Blocked,
}

/// What stood where a folder is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Was {
    /// Nothing.
    Missing,
    /// The folder.
    There,
    /// The folder, and its owner could not write into it; this was its mode.
    Closed(u32),
}

/// The folder that files are written into; one a thread, see [`Target::fork`].
pub struct Target {
    root: Arc<OwnedFd>,
    dir: Option<(Vec<u8>, OwnedFd)>,
}

impl Target {
    /// Opens the folder, and makes it if need be.
    ///
    /// # Errors
    ///
    /// The system's answer.
    pub fn create(path: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(path)?;
        Self::open(path)
    }

    /// Opens the folder.
    ///
    /// # Errors
    ///
    /// The system's answer.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = Arc::new(openat(CWD, path, flags, Mode::empty())?);
        Ok(Self { root, dir: None })
    }

    /// The same target for another thread.
    pub fn fork(&self) -> Self {
        Self { root: self.root.clone(), dir: None }
    }

    /// Whether nothing lies in the folder.
    ///
    /// # Errors
    ///
    /// The system's answer.
    pub fn is_empty(&self) -> io::Result<bool> {
        for entry in rustix::fs::Dir::read_from(&self.root)? {
            if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What stands at a path.
    ///
    /// # Errors
    ///
    /// The system's answer, other than that nothing is there.
    pub fn look(&mut self, path: &RelPath) -> io::Result<Present> {
        let (dir, name) = match self.parent(path) {
            Ok(found) => found,
            Err(Errno::NOENT) => return Ok(Present::Nothing),
            Err(Errno::LOOP | Errno::NOTDIR) => return Ok(Present::Blocked),
            Err(e) => return Err(e.into()),
        };
        let stat = match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(Present::Nothing),
            Err(e) => return Err(e.into()),
        };
        Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile if stat.st_mode & 0o7777 == UNFINISHED => Present::Unfinished,
            FileType::RegularFile => Present::File(stat.st_size.max(0) as u64),
            FileType::Directory => Present::Dir,
            FileType::Symlink => Present::Symlink,
            _ => Present::Special,
        })
    }

    /// Opens a file of the target for reading.
    ///
    /// # Errors
    ///
    /// The system's answer.
    pub fn read(&mut self, path: &RelPath) -> io::Result<File> {
        let (dir, name) = self.parent(path)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(File::from(openat(dir, name, flags, Mode::empty())?))
    }

    /// The text of a link in the target.
    ///
    /// # Errors
    ///
    /// The system's answer.
    pub fn read_link(&mut self, path: &RelPath) -> io::Result<Vec<u8>> {
        let (dir, name) = self.parent(path)?;
        Ok(rustix::fs::readlinkat(dir, name, Vec::new())?.into_bytes())
    }

    /// Makes a folder to write into, and those above it; says what was there. One that the run has,
    /// `recorded`, is unfinished until [`Target::finish_dir`]; if it was there and could not be
    /// written into, it can be now.
    ///
    /// # Errors
    ///
    /// The system's answer; a link or file in the way is one.
    pub fn make_dir(&mut self, path: &[u8], recorded: bool) -> io::Result<Was> {
        match open_below(&self.root, path) {
            Ok(dir) if recorded => return open_up(&dir),
            Ok(_) => return Ok(Was::There),
            Err(Errno::NOENT) => {}
            Err(e) => return Err(e.into()),
        }
        let mut end = 0;
        while end < path.len() {
            end = path[end..].iter().position(|b| *b == b'/').map_or(path.len(), |at| end + at);
            let (parent, name) = split(&path[..end]);
            let dir = open_below(&self.root, parent)?;
            let mode = if recorded && end == path.len() { UNFINISHED_DIR } else { 0o777 };
            match mkdirat(&dir, OsStr::from_bytes(name), Mode::from_raw_mode(mode)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(e) => return Err(e.into()),
            }
            end += 1;
        }
        drop(open_below(&self.root, path)?);
        Ok(Was::Missing)
    }

    /// Gives a folder its mode and time, once everything in it is written, and says so. One that
    /// `was` there keeps its own, unless it is to `replace` them.
    ///
    /// # Errors
    ///
    /// The system's answer.
    pub fn finish_dir(
        &mut self,
        path: &RelPath,
        (mode, mtime): (u32, Mtime),
        replace: bool,
        was: Was,
    ) -> io::Result<bool> {
        let dir = open_below(&self.root, path.as_bytes())?;
        let now = fstat(&dir)?.st_mode & 0o7777;
        // A checkout that was stopped made it, or this one. A set-id bit comes from the folder above.
        let unfinished = now & 0o1777 == UNFINISHED_DIR;
        match was {
            Was::Missing => {}
            _ if unfinished || replace => {}
            Was::There => return Ok(false),
            Was::Closed(mode) => {
                fchmod(&dir, Mode::from_raw_mode(mode))?;
                return Ok(false);
            }
        }
        // A folder that was there keeps its sticky and set-id bits, which runs do not record.
        let special = if unfinished { now & 0o6000 } else { now & 0o7000 };
        futimens(&dir, &times(mtime))?;
        // Last, as it ends what tells that the folder is unfinished.
        fchmod(&dir, Mode::from_raw_mode(special | mode))?;
        Ok(true)
    }

    /// Writes a whole new file in one go. Fails with `AlreadyExists` when something is there.
    ///
    /// # Errors
    ///
    /// The system's answer; the file is then removed again.
    pub fn write(
        &mut self,
        path: &RelPath,
        bytes: &[u8],
        mode: u32,
        mtime: Mtime,
    ) -> io::Result<()> {
        let (dir, name) = self.parent(path)?;
        let mut file = create(dir, name, UNFINISHED)?;
        let written = disk::write_all(&mut file, bytes).and_then(|()| finish(&file, mode, mtime));
        written.inspect_err(|_| {
            let _ = unlinkat(dir, name, AtFlags::empty());
        })
    }

    /// Starts a file that takes several writes; it appears at its path when it is complete, and only
    /// then takes the place of what is there, if it is to `replace` that.
    ///
    /// # Errors
    ///
    /// The system's answer.
    pub fn begin(&mut self, path: &RelPath, replace: bool) -> io::Result<Partial> {
        let (dir, name) = self.parent(path)?;
        Partial::new(dir.try_clone()?, name, replace)
    }

    /// Writes a symbolic link. Fails with `AlreadyExists` when something is there.
    ///
    /// # Errors
    ///
    /// The system's answer.
    pub fn link(&mut self, path: &RelPath, target: &[u8], mtime: Mtime) -> io::Result<()> {
        let (dir, name) = self.parent(path)?;
        symlinkat(OsStr::from_bytes(target), dir, name)?;
        Ok(utimensat(dir, name, &times(mtime), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Removes a file, link or special file that is in the way.
    ///
    /// # Errors
    ///
    /// The system's answer.
    pub fn remove(&mut self, path: &RelPath) -> io::Result<()> {
        let (dir, name) = self.parent(path)?;
        Ok(unlinkat(dir, name, AtFlags::empty())?)
    }

    /// Gives a file that has the right content the right mode and time, if it has not.
    ///
    /// # Errors
    ///
    /// The system's answer.
    pub fn touch(&mut self, path: &RelPath, mode: u32, mtime: Mtime) -> io::Result<()> {
        let file = self.read(path)?;
        let stat = fstat(&file)?;
        let kept = (stat.st_mtime, stat.st_mtime_nsec as u32);
        if stat.st_mode & 0o7777 != mode {
            fchmod(&file, Mode::from_raw_mode(mode))?;
        }
        if kept != (mtime.secs, mtime.nanos) {
            futimens(&file, &times(mtime))?;
        }
        Ok(())
    }

    /// Gives a symbolic link that has the right text the right time.
    ///
    /// # Errors
    ///
    /// The system's answer.
    pub fn touch_link(&mut self, path: &RelPath, mtime: Mtime) -> io::Result<()> {
        let (dir, name) = self.parent(path)?;
        Ok(utimensat(dir, name, &times(mtime), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// The open folder of a path, and its name there.
    fn parent<'a>(&mut self, path: &'a RelPath) -> Result<(&OwnedFd, &'a OsStr), Errno> {
        let (parent, name) = split(path.as_bytes());
        let name = OsStr::from_bytes(name);
        if parent.is_empty() {
            return Ok((&self.root, name));
        }
        if self.dir.as_ref().is_none_or(|(at, _)| at != parent) {
            self.dir = Some((parent.to_vec(), open_below(&self.root, parent)?));
        }
        match &self.dir {
            Some((_, dir)) => Ok((dir, name)),
            None => Ok((&self.root, name)),
        }
    }
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|b| *b == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

/// Opens a folder below `root`, no component of which may be a link.
fn open_below(root: &OwnedFd, path: &[u8]) -> Result<OwnedFd, Errno> {
    let path = if path.is_empty() { b"." } else { path };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    match openat2(root, OsStr::from_bytes(path), DIR, Mode::empty(), resolve) {
        Err(Errno::NOSYS | Errno::PERM | Errno::NAMETOOLONG) => {}
        other => return other,
    }
    let mut dir = openat(root, ".", DIR, Mode::empty())?;
    for name in path.split(|b| *b == b'/') {
        dir = openat(&dir, OsStr::from_bytes(name), DIR, Mode::empty())?;
    }
    Ok(dir)
}

/// Lets us write into a folder that is there, if it takes that and we may.
fn open_up(dir: &OwnedFd) -> io::Result<Was> {
    let mode = fstat(dir)?.st_mode & 0o7777;
    let closed = mode & 0o700 != 0o700;
    // If that fails, so does what is to be written, and says so.
    if closed && fchmod(dir, Mode::from_raw_mode(mode | 0o700)).is_ok() {
        return Ok(Was::Closed(mode));
    }
    Ok(Was::There)
}

fn create(dir: impl AsFd, name: &OsStr, mode: u32) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(openat(dir, name, flags, Mode::from_raw_mode(mode))?))
}

/// Time and mode of a complete file. The mode is last, as it ends what tells that it is unfinished.
fn finish(file: &File, mode: u32, mtime: Mtime) -> io::Result<()> {
    futimens(file, &times(mtime))?;
    Ok(fchmod(file, Mode::from_raw_mode(mode))?)
}

fn times(mtime: Mtime) -> Timestamps {
    let time = Timespec { tv_sec: mtime.secs, tv_nsec: mtime.nanos.into() };
    Timestamps { last_access: time, last_modification: time }
}
