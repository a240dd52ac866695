//! A file that takes several writes: it has no name before it is complete, so that a process that
//! is killed leaves nothing of it.
//!
//! Where the file system has no files without names, it has a temporary one, `.eart-` and 16 digits.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, RenameFlags, linkat, openat, renameat, renameat_with, unlinkat,
};
use rustix::io::Errno;

use super::{create, finish};
use crate::disk;
use crate::manifest::Mtime;

/// The open files of this process as links, by which one without a name can be given one.
const OPEN_FILES: &str = "/proc/self/fd";
/// Until it is complete, nobody else may read it.
const MODE: u32 = 0o600;

/// A file that is being written; dropped before [`Partial::finish`], it is gone.
pub struct Partial {
    dir: OwnedFd,
    name: Vec<u8>,
    replace: bool,
    file: File,
    len: u64,
    /// The name that it has before it is complete.
    temp: Option<String>,
}

impl Partial {
    pub(super) fn new(dir: OwnedFd, name: &OsStr, replace: bool) -> io::Result<Self> {
        let file = nameless(&dir);
        Self::over(file, dir, name, replace)
    }

    /// A file in what has no name yet, or else under a temporary one.
    fn over(nameless: Option<File>, dir: OwnedFd, name: &OsStr, replace: bool) -> io::Result<Self> {
        let (file, temp) = match nameless {
            Some(file) => (file, None),
            None => {
                let temp = temp_name()?;
                (create(&dir, OsStr::new(&temp), MODE)?, Some(temp))
            }
        };
        Ok(Self { dir, name: name.as_bytes().to_vec(), replace, file, len: 0, temp })
    }

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
            disk::write_all(&mut self.file, bytes)
        }
    }

    /// Gives the file its mode, its time and its name.
    ///
    /// # Errors
    ///
    /// The system's answer.
    pub fn finish(mut self, mode: u32, mtime: Mtime) -> io::Result<()> {
        self.file.set_len(self.len)?;
        finish(&self.file, mode, mtime)?;
        let name = std::mem::take(&mut self.name);
        let name = OsStr::from_bytes(&name);
        if self.temp.is_none() {
            if !self.replace {
                return self.link(name);
            }
            // A link takes no other's place; a name that is moved does.
            let temp = temp_name()?;
            self.link(OsStr::new(&temp))?;
            self.temp = Some(temp);
        }
        let Some(temp) = &self.temp else { return Ok(()) };
        let (dir, from) = (&self.dir, temp.as_str());
        let flags = if self.replace { RenameFlags::empty() } else { RenameFlags::NOREPLACE };
        match renameat_with(dir, from, dir, name, flags) {
            // Not every file system can; that nothing was there is known from before.
            Err(Errno::INVAL | Errno::NOSYS) => renameat(dir, from, dir, name)?,
            other => other?,
        }
        self.temp = None;
        Ok(())
    }

    /// Gives a file without a name one that nothing else has.
    fn link(&self, name: &OsStr) -> io::Result<()> {
        let open = format!("{OPEN_FILES}/{}", self.file.as_raw_fd());
        Ok(linkat(CWD, open, &self.dir, name, AtFlags::SYMLINK_FOLLOW)?)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if let Some(temp) = &self.temp {
            let _ = unlinkat(&self.dir, temp.as_str(), AtFlags::empty());
        }
    }
}

/// A file without a name, where there can be one and it can be given one later.
fn nameless(dir: &OwnedFd) -> Option<File> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = File::from(openat(dir, ".", flags, Mode::from_raw_mode(MODE)).ok()?);
    Path::new(OPEN_FILES).join(file.as_raw_fd().to_string()).exists().then_some(file)
}

fn temp_name() -> io::Result<String> {
    let mut unique = [0; 8];
    getrandom::fill(&mut unique).map_err(io::Error::other)?;
    Ok(format!(".eart-{:016x}", u64::from_le_bytes(unique)))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_appears_when_it_is_complete_with_and_without_a_name_before() {
        let temp = tempfile::tempdir().unwrap();
        let names = || -> Vec<_> {
            fs::read_dir(temp.path()).unwrap().map(|e| e.unwrap().file_name()).collect()
        };
        let open = || OwnedFd::from(File::open(temp.path()).unwrap());
        let mtime = Mtime { secs: 1_000_000_000, nanos: 5 };
        for nameless in [|_: &OwnedFd| None, nameless] {
            let begin = |replace| {
                let dir = open();
                Partial::over(nameless(&dir), dir, OsStr::new("f"), replace).unwrap()
            };
            let write = |replace, text: &[u8]| {
                let mut partial = begin(replace);
                partial.append(text).unwrap();
                assert!(
                    !temp.path().join("f").exists()
                        || fs::read(temp.path().join("f")).unwrap() != text
                );
                partial.finish(0o640, mtime)
            };
            drop(begin(false));
            assert!(names().is_empty());
            write(false, b"first").unwrap();
            assert_eq!(write(false, b"second").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read(temp.path().join("f")).unwrap(), b"first");
            write(true, b"third").unwrap();
            assert_eq!(fs::read(temp.path().join("f")).unwrap(), b"third");
            let meta = fs::metadata(temp.path().join("f")).unwrap();
            assert_eq!(meta.permissions().mode() & 0o7777, 0o640);
            assert_eq!(names(), ["f"]);
            fs::remove_file(temp.path().join("f")).unwrap();
        }
    }
}
