//! Whether the data of zip entries has the checksums that the central directory says.

use std::vec::IntoIter;

use flate2::Crc;

use super::Data;

/// Checks the stored entries of an archive while it goes by.
///
/// Entries that are compressed would have to be inflated for it, which takes longer than all else
/// that is done with an archive; those that are encrypted cannot be checked.
#[derive(Debug)]
pub struct DataCheck {
    entries: IntoIter<Data>,
    current: Option<Data>,
    /// Offset in the archive of the next byte.
    position: u64,
    crc: Crc,
    broken: Option<String>,
}

impl DataCheck {
    /// A check of these entries, which [`inspect`](super::inspect) found.
    pub fn new(entries: Vec<Data>) -> Self {
        let mut entries = entries.into_iter();
        let current = entries.next();
        Self { entries, current, position: 0, crc: Crc::new(), broken: None }
    }

    /// Takes the next bytes of the archive.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while let Some(entry) = &self.current {
            let until = if self.position < entry.start { entry.start } else { entry.end };
            let wanted = usize::try_from(until.saturating_sub(self.position)).unwrap_or(usize::MAX);
            let (part, rest) = bytes.split_at(wanted.min(bytes.len()));
            if self.position >= entry.start {
                self.crc.update(part);
            }
            self.position += part.len() as u64;
            bytes = rest;
            if self.position >= entry.end {
                self.end();
            } else if bytes.is_empty() {
                return;
            }
        }
    }

    /// Compares what was read of the current entry, and goes to the next that does not overlap it.
    fn end(&mut self) {
        if let Some(entry) = self.current.take()
            && entry.crc != self.crc.sum()
        {
            let Data { number, of, .. } = entry;
            self.broken = Some(format!("the checksum of entry {number} of {of} differs"));
            return;
        }
        self.crc.reset();
        let position = self.position;
        self.current = self.entries.find(|entry| entry.start >= position);
    }

    /// Why the archive is broken, in a few words; `None` when nothing was found.
    pub fn finish(self) -> Option<String> {
        self.broken
    }
}
