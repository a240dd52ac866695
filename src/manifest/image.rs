//! A run's file as a whole: the memory it is built in, and the stamp that guards every byte of it.
//! Touches memory, and reads what it is given.
//!
//! redb panics on some damaged files and believes others. So no damaged byte may reach it: the
//! stamp, which stands in a part of the first page that redb leaves unused (docs/format.md,
//! "The file of a run"), holds a hash of the whole file, and is checked before redb opens it.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use redb::StorageBackend;

use crate::id::RunId;

/// Where the stamp begins. redb's header ends at byte 320, and is documented to take at most 512;
/// the rest of its first page, up to byte 4096, is padding.
const STAMP: usize = 2048;
const MAGIC: &[u8; 8] = b"eartmani";
const VERSION: u32 = 1;
/// Where the run's id begins: after magic, version and four zero bytes.
const ID: usize = STAMP + 16;
/// Where the hash of all bytes before and all bytes behind the hash begins.
const SUM: usize = ID + RunId::LEN;
/// Where the stamp ends.
const END: usize = SUM + 32;

/// Bytes read at once while a file is checked.
const READ: usize = 256 * 1024;

/// Storage that redb builds a file in. Clones are the same storage.
#[derive(Clone, Default)]
pub(super) struct Image(Arc<Mutex<Vec<u8>>>);

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Image")
    }
}

impl Image {
    fn with<T>(&self, work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The file, with its stamp; redb must have closed it.
    pub(super) fn stamped(self, run: RunId) -> io::Result<Vec<u8>> {
        let mut bytes = self.with(std::mem::take);
        let stamp = bytes.get(STAMP..END).ok_or_else(outside)?;
        if stamp.iter().any(|&b| b != 0) {
            return Err(io::Error::other("redb uses what was padding in its first page"));
        }
        stamp_with(&mut bytes, run)?;
        Ok(bytes)
    }
}

/// Writes the stamp of `run` over whatever stands in its place.
fn stamp_with(bytes: &mut [u8], run: RunId) -> io::Result<()> {
    let head = [&MAGIC[..], &VERSION.to_le_bytes(), &[0; 4], run.as_bytes()].concat();
    bytes.get_mut(STAMP..SUM).ok_or_else(outside)?.copy_from_slice(&head);
    let mut hasher = blake3::Hasher::new();
    hasher.update(bytes.get(..SUM).ok_or_else(outside)?);
    hasher.update(bytes.get(END..).ok_or_else(outside)?);
    let sum = hasher.finalize();
    bytes.get_mut(SUM..END).ok_or_else(outside)?.copy_from_slice(sum.as_bytes());
    Ok(())
}

/// The same file, said to be of another run.
#[cfg(test)]
pub(super) fn restamp(bytes: &[u8], run: RunId) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    stamp_with(&mut bytes, run).unwrap();
    bytes
}

fn outside() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "outside of the file")
}

fn range(offset: u64, len: usize) -> io::Result<std::ops::Range<usize>> {
    let start = usize::try_from(offset).map_err(|_| outside())?;
    Ok(start..start.checked_add(len).ok_or_else(outside)?)
}

impl StorageBackend for Image {
    fn len(&self) -> io::Result<u64> {
        Ok(self.with(|bytes| bytes.len()) as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let range = range(offset, out.len())?;
        self.with(|bytes| bytes.get(range).map(|from| out.copy_from_slice(from)))
            .ok_or_else(outside)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(|_| outside())?;
        self.with(|bytes| match bytes.is_empty() {
            true => *bytes = vec![0; len],
            false => bytes.resize(len, 0),
        });
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let range = range(offset, data.len())?;
        self.with(|bytes| bytes.get_mut(range).map(|to| to.copy_from_slice(data)))
            .ok_or_else(outside)
    }
}

/// What a look at a whole file found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checked {
    /// Every byte is as it was written.
    Whole,
    /// Something is wrong, and what.
    Damaged(&'static str),
    /// The file is of a later version of the format.
    Newer(u32),
}

/// Reads a whole file and checks that it is the one of `run`, unchanged.
pub(super) fn check(mut file: impl Read, run: RunId) -> io::Result<Checked> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; READ];
    let mut filled = fill(&mut file, &mut buffer)?;
    let Some((before, behind)) = buffer.get(..filled).and_then(|b| b.split_at_checked(SUM)) else {
        return Ok(Checked::Damaged("its file is cut short"));
    };
    let Some((sum, behind)) = behind.split_first_chunk::<32>() else {
        return Ok(Checked::Damaged("its file is cut short"));
    };
    let (sum, stamp) = (*sum, before.get(STAMP..).unwrap_or_default());
    let (magic, rest) = stamp.split_at(MAGIC.len());
    let (version, _) = rest.split_first_chunk().unwrap_or((&[0; 4], &[]));
    let version = u32::from_le_bytes(*version);
    let id = before.get(ID..).unwrap_or_default() == run.as_bytes();
    let magic = magic == MAGIC;
    hasher.update(before);
    hasher.update(behind);
    while filled == READ {
        filled = fill(&mut file, &mut buffer)?;
        hasher.update(buffer.get(..filled).unwrap_or_default());
    }
    Ok(if !magic {
        Checked::Damaged("its file is not one of a run, or its first page is damaged")
    } else if hasher.finalize().as_bytes() != &sum {
        Checked::Damaged("its file was changed or cut short")
    } else if version != VERSION {
        Checked::Newer(version)
    } else if !id {
        Checked::Damaged("its file is another run's")
    } else {
        Checked::Whole
    })
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}
