//! The one place that maps files into memory, and so the one place with `unsafe`.

use std::fs::File;
use std::io;
use std::ops::Deref;

/// An immutable file of the store, mapped.
///
/// Only files that the store itself made, that are never changed after their rename and never
/// truncated may be mapped; the user's files are read. Removing a mapped file is harmless.
#[derive(Debug)]
pub struct Map(memmap2::Mmap);

impl Map {
    /// Maps a whole file.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn of(file: &File) -> io::Result<Self> {
        // SAFETY: a mapping is unsound when its file changes beneath it. The files mapped here
        // are written under a temporary name, renamed when complete, and never opened for
        // writing again; that is an invariant of the store (docs/format.md, "The folder").
        #[allow(unsafe_code)]
        unsafe { memmap2::Mmap::map(file) }.map(Self)
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
