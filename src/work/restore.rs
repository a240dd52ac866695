//! Writes files back: never outside the target folder, never through a symbolic link.
//!
//! Every path is opened relative to the open target folder, and no component of it may be a link:
//! the kernel refuses (`openat2`), or, where it cannot, the path is opened component by component.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, RenameFlags, ResolveFlags, Timespec, Timestamps, fchmod,
    futimens, mkdirat, openat, openat2, renameat, renameat_with, statat, symlinkat, unlinkat,
    utimensat,
};
use rustix::io::Errno;

use crate::manifest::Mtime;
use crate::path::RelPath;

const DIR: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What stands at a path of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Present {
    /// Nothing.
    Nothing,
    /// A regular file of this length in bytes.
    File(u64),
    /// A folder.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A device, pipe or socket.
    Special,
    /// Nothing can: a folder above it is a file or a link.
    Blocked,
}

/// The folder that files are written into; one a thread, see [`Target::fork`].
pub struct Target {
    root: Arc<OwnedFd>,
    umask: u32,
    dir: Option<(Vec<u8>, OwnedFd)>,
}

impl Target {
    /// Opens the folder, and makes it if need be.
    ///
    /// # Errors
    ///
    /// The system's answer.
    pub fn open(path: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = Arc::new(openat(CWD, path, flags, Mode::empty())?);
        Ok(Self { root, umask: umask(), dir: None })
    }

    /// The same target for another thread.
    pub fn fork(&self) -> Self {
        Self { root: self.root.clone(), umask: self.umask, dir: None }
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

    /// Makes a folder and those above it, writable for now; see [`Target::finish_dir`].
    ///
    /// # Errors
    ///
    /// The system's answer; a link or file in the way is one.
    pub fn make_dir(&mut self, path: &[u8]) -> io::Result<()> {
        match open_below(&self.root, path) {
            Ok(_) => return Ok(()),
            Err(Errno::NOENT) => {}
            Err(e) => return Err(e.into()),
        }
        let mut end = 0;
        while end < path.len() {
            end = path[end..].iter().position(|b| *b == b'/').map_or(path.len(), |at| end + at);
            let (parent, name) = split(&path[..end]);
            let dir = open_below(&self.root, parent)?;
            match mkdirat(&dir, OsStr::from_bytes(name), Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(e) => return Err(e.into()),
            }
            end += 1;
        }
        drop(open_below(&self.root, path)?);
        Ok(())
    }

    /// Lets us write into a folder that was there; [`Target::finish_dir`] gives it its mode.
    ///
    /// # Errors
    ///
    /// The system's answer.
    pub fn open_up(&mut self, path: &RelPath) -> io::Result<()> {
        let dir = open_below(&self.root, path.as_bytes())?;
        let mode = rustix::fs::fstat(&dir)?.st_mode & 0o7777;
        if mode & 0o700 != 0o700 {
            fchmod(&dir, Mode::from_raw_mode(mode | 0o700))?;
        }
        Ok(())
    }

    /// Gives a folder its mode and time, once everything in it is written.
    ///
    /// # Errors
    ///
    /// The system's answer.
    pub fn finish_dir(&mut self, path: &RelPath, mode: u32, mtime: Mtime) -> io::Result<()> {
        let dir = open_below(&self.root, path.as_bytes())?;
        // A folder that was there keeps its sticky and set-id bits, which runs do not record.
        let special = rustix::fs::fstat(&dir)?.st_mode & 0o7000;
        fchmod(&dir, Mode::from_raw_mode(special | mode))?;
        Ok(futimens(&dir, &times(mtime))?)
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
        let umask = self.umask;
        let (dir, name) = self.parent(path)?;
        let mut file = create(dir, name, mode)?;
        let written = file.write_all(bytes).and_then(|()| finish(&file, umask, mode, mtime));
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
        let dir = dir.try_clone()?;
        let mut unique = [0; 8];
        getrandom::fill(&mut unique).map_err(io::Error::other)?;
        let temp = format!(".eart-{:016x}", u64::from_le_bytes(unique));
        let file = create(&dir, OsStr::new(&temp), 0o600)?;
        let name = name.as_bytes().to_vec();
        Ok(Partial { dir, temp, name, replace, file, len: 0, done: false })
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
        let stat = rustix::fs::fstat(&file)?;
        let kept = (stat.st_mtime, stat.st_mtime_nsec as u32);
        if stat.st_mode & 0o7777 != mode {
            fchmod(&file, Mode::from_raw_mode(mode))?;
        }
        if kept != (mtime.secs, mtime.nanos) {
            futimens(&file, &times(mtime))?;
        }
        Ok(())
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

/// The mode bits that new files of this process lack.
fn umask() -> u32 {
    // The call that tells it also sets it, for the files of every other thread too: Linux says it
    // elsewhere.
    let told = std::fs::read_to_string("/proc/self/status").ok().and_then(|status| {
        let line = status.lines().find_map(|line| line.strip_prefix("Umask:"))?;
        u32::from_str_radix(line.trim(), 8).ok()
    });
    told.unwrap_or_else(|| {
        let mask = rustix::process::umask(Mode::from_raw_mode(0o077));
        rustix::process::umask(mask);
        mask.as_raw_mode()
    })
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

fn create(dir: impl AsFd, name: &OsStr, mode: u32) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(openat(dir, name, flags, Mode::from_raw_mode(mode | 0o200))?))
}

/// Mode and time of a complete file. `create` gave it its mode but for the mask.
fn finish(file: &File, umask: u32, mode: u32, mtime: Mtime) -> io::Result<()> {
    if mode & umask != 0 || mode & 0o200 == 0 {
        fchmod(file, Mode::from_raw_mode(mode))?;
    }
    Ok(futimens(file, &times(mtime))?)
}

fn times(mtime: Mtime) -> Timestamps {
    let time = Timespec { tv_sec: mtime.secs, tv_nsec: mtime.nanos.into() };
    Timestamps { last_access: time, last_modification: time }
}

/// A file that is being written under another name; dropped before [`Partial::finish`], it is gone.
pub struct Partial {
    dir: OwnedFd,
    temp: String,
    name: Vec<u8>,
    replace: bool,
    file: File,
    len: u64,
    done: bool,
}

impl Partial {
    /// Appends bytes; a stretch of zeros becomes a hole.
    ///
    /// # Errors
    ///
    /// The system's answer.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.len += bytes.len() as u64;
        if bytes.iter().all(|b| *b == 0) {
            self.file.seek(SeekFrom::Current(bytes.len() as i64)).map(drop)
        } else {
            self.file.write_all(bytes)
        }
    }

    /// Gives the file its mode, its time and its name.
    ///
    /// # Errors
    ///
    /// The system's answer.
    pub fn finish(mut self, mode: u32, mtime: Mtime) -> io::Result<()> {
        self.file.set_len(self.len)?;
        // The name it was created under had another mode.
        finish(&self.file, 0o777, mode, mtime)?;
        let (dir, from, to) = (&self.dir, self.temp.as_str(), OsStr::from_bytes(&self.name));
        let flags = if self.replace { RenameFlags::empty() } else { RenameFlags::NOREPLACE };
        match renameat_with(dir, from, dir, to, flags) {
            // Not every file system can; that nothing was there is known from before.
            Err(Errno::INVAL | Errno::NOSYS) => renameat(dir, from, dir, to)?,
            other => other?,
        }
        self.done = true;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.done {
            let _ = unlinkat(&self.dir, self.temp.as_str(), AtFlags::empty());
        }
    }
}
