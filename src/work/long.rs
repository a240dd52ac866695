//! Paths of any length: the system takes 4,096 bytes at a time, so longer ones go in stretches.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, openat, statat};
use rustix::io::Errno;

/// Bytes after which a stretch ends; with one more name it is still short enough.
const STRETCH: usize = 2048;
const DIR_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// To pass through a folder, which need not be readable.
const PASS_FLAGS: OFlags = DIR_FLAGS.union(OFlags::PATH);

/// Opens a folder to read it.
pub(super) fn open_dir(path: &Path) -> Result<OwnedFd, Errno> {
    open(path, DIR_FLAGS)
}

/// The folder that holds a path, and the name of the path in it; `.` for a path without a name.
/// The folder serves to look up names, not to be read.
///
/// # Errors
///
/// The system's answer when the folder is not there or cannot be passed through.
pub fn holder(path: &Path) -> Result<(OwnedFd, &OsStr), Errno> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => Ok((open(parent, PASS_FLAGS)?, name)),
        _ => Ok((open(path, PASS_FLAGS)?, OsStr::new("."))),
    }
}

fn open(path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    match openat(CWD, path, flags, Mode::empty()) {
        Err(Errno::NAMETOOLONG) => {}
        other => return other,
    }
    let mut dir: Option<OwnedFd> = None;
    let mut stretch = PathBuf::new();
    let mut parts = path.components().peekable();
    while let Some(part) = parts.next() {
        stretch.push(part);
        let last = parts.peek().is_none();
        if last || stretch.as_os_str().len() > STRETCH {
            let from = dir.as_ref().map_or(CWD, AsFd::as_fd);
            let flags = if last { flags } else { PASS_FLAGS };
            dir = Some(openat(from, &stretch, flags, Mode::empty())?);
            stretch = PathBuf::new();
        }
    }
    dir.ok_or(Errno::NOENT)
}

/// The absolute path without links, `.` and `..`, as [`std::fs::canonicalize`] finds it. Of a path
/// that is too long for the system, only the beginning may lead through links.
///
/// # Errors
///
/// The system's answer when the path is not there, or a note on the link.
pub fn canonicalize(path: &Path) -> io::Result<PathBuf> {
    let short = |path: &&Path| path.as_os_str().len() <= STRETCH;
    let (begin, rest) = match std::fs::canonicalize(path) {
        Err(e) if Errno::from_io_error(&e) == Some(Errno::NAMETOOLONG) && !short(&path) => {
            let begin = path.ancestors().find(short).unwrap_or(Path::new("/"));
            (begin, path.strip_prefix(begin).unwrap_or(path))
        }
        other => return other,
    };
    let mut found = std::fs::canonicalize(begin)?;
    let mut at = open(&found, PASS_FLAGS)?;
    for part in rest.components() {
        match part {
            Component::ParentDir => _ = found.pop(),
            part => found.push(part),
        }
        if is_link(at.as_fd(), part.as_os_str())? {
            return Err(io::Error::other("a path longer than 4,096 bytes with a link in it"));
        }
        at = openat(&at, part.as_os_str(), PASS_FLAGS, Mode::empty())?;
    }
    Ok(found)
}

fn is_link(dir: BorrowedFd<'_>, name: &OsStr) -> Result<bool, Errno> {
    let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Symlink)
}
