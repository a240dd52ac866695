//! Opens the user's files for reading, and tells whether one changed meanwhile.
//!
//! Files are read, never mapped: one that is truncated while it is mapped kills the process.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, fstat, openat};

use super::long::open_dir;
use super::stat::Stat;

/// Opens files one after another; those of one folder are opened relative to it.
#[derive(Default)]
pub struct Opener {
    folder: Option<(PathBuf, OwnedFd)>,
}

impl Opener {
    /// Opens a regular file for reading, without following a link at its end or waiting for a
    /// named pipe that took its place.
    ///
    /// # Errors
    ///
    /// The system's answer. What was opened may be no regular file: [`stat_of`] tells.
    pub fn open(&mut self, path: &Path) -> io::Result<File> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let dir = match &mut self.folder {
            Some((at, dir)) if at == folder => dir,
            slot => &mut slot.insert((folder.to_owned(), open_dir(folder)?)).1,
        };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let name = OsStr::from_bytes(name.as_bytes());
        Ok(File::from(openat(&*dir, name, flags, Mode::empty())?))
    }
}

/// What `stat` says of an open file now.
///
/// # Errors
///
/// The system's answer, or `InvalidInput` when it is no regular file.
pub fn stat_of(file: &File) -> io::Result<Stat> {
    let stat = fstat(file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(Stat::from(&stat))
}

/// Reads until `buffer` has `want` bytes or the file ends; whether it ended. A short read ends the
/// file when at least `expected` more bytes came, so that a small file costs one read.
///
/// # Errors
///
/// The system's answer.
pub fn fill(file: &File, buffer: &mut Vec<u8>, want: usize, expected: u64) -> io::Result<bool> {
    let start = buffer.len();
    buffer.reserve_exact(want.saturating_sub(start));
    while buffer.len() < want {
        let room = buffer.capacity() - buffer.len();
        let got = match rustix::io::read(file, rustix::buffer::spare_capacity(buffer)) {
            Ok(got) => got,
            Err(rustix::io::Errno::INTR) => continue,
            Err(e) => return Err(e.into()),
        };
        if got == 0 || got < room && (buffer.len() - start) as u64 >= expected {
            return Ok(true);
        }
    }
    Ok(false)
}
