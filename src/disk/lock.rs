//! Kernel locks: released when their process ends, however it ends, so none is ever stale.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

use super::{Error, Result};

/// Who else may hold a lock at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMode {
    /// Others may hold it shared.
    Shared,
    /// Nobody else may hold it.
    Exclusive,
}

/// A held lock; dropping it releases it. The file it is on stays: removing a lock file would let
/// two processes hold "the same" lock.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    pub(super) fn wait(path: &Path, mode: LockMode) -> Result<Self> {
        let file = open(path, mode)?;
        match mode {
            LockMode::Shared => file.lock_shared(),
            LockMode::Exclusive => file.lock(),
        }
        .map_err(Error::on("lock", path))?;
        Ok(Self { _file: file })
    }

    pub(super) fn attempt(path: &Path, mode: LockMode) -> Result<Option<Self>> {
        let file = open(path, mode)?;
        let taken = match mode {
            LockMode::Shared => file.try_lock_shared(),
            LockMode::Exclusive => file.try_lock(),
        };
        match taken {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(Error::new("lock", path, e)),
        }
    }
}

fn open(path: &Path, mode: LockMode) -> Result<File> {
    // A shared lock on a store that cannot be written is taken on the file as it is.
    let opened = match (File::open(path), mode) {
        (Ok(file), LockMode::Shared) => return Ok(file),
        (Err(e), LockMode::Shared) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path),
    };
    opened.map_err(Error::on("open the lock", path))
}
