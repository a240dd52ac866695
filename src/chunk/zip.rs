//! Zip archives: where to cut them, and whether they are whole. It reads, at given offsets, and
//! nothing more.
//!
//! Archives of one tool hold many equal entries, but never at equal offsets, and between headers
//! that differ in names and times. So the data of an entry is cut out of its archive, from
//! [`CUT_FROM`] bytes on; smaller entries stay together with the headers around them.
//!
//! Layout as in PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3. Everything read is untrusted:
//! what looks odd is left uncut, and memory grows with the entries that are really there.

mod data;

use std::io;

pub use data::DataCheck;

/// Entries whose stored data has at least this many bytes become chunks of their own.
///
/// Three runs of Playwright with 297 MB of distinct traces: a store of 344.1 MB without cuts, and
/// of 337.8, 337.7, 338.5 and 339.2 MB with cuts from 1, 4, 8 and 32 KiB on. From 64 KiB on it is
/// 343.4 MB: most entries are the pictures of a screencast, of some 40 KiB each.
pub const CUT_FROM: u64 = 4 << 10;

/// Archives of more entries are neither cut nor checked, to bound what one file may cost.
const MAX_ENTRIES: usize = 1 << 18;

/// Longer central directories, in bytes, likewise.
const MAX_DIRECTORY: u64 = 64 << 20;

/// Bytes read at once from the end, where the end record lies before a comment of up to 64 KiB,
/// and from the central directory.
const BLOCK: usize = 66 << 10;

/// Bytes read at once to look at a local header; the next one is in them when entries are small.
const HEADER_BLOCK: usize = 4 << 10;

const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8] = b"PK\x01\x02";
const SIGNATURE: &[u8] = b"PK\x05\x05";
const END: &[u8] = b"PK\x05\x06";
const END64: &[u8] = b"PK\x06\x06";
const LOCATOR64: &[u8] = b"PK\x06\x07";

/// The flag of an entry that is encrypted.
const ENCRYPTED: u16 = 1;

const LOCAL_LEN: usize = 30;
const CENTRAL_LEN: usize = 46;
const END_LEN: usize = 22;
const END64_LEN: usize = 56;
const LOCATOR64_LEN: usize = 20;

/// Something that can be read at any offset.
pub trait ReadAt {
    /// Fills `buf` with the bytes at `offset`.
    ///
    /// # Errors
    ///
    /// When they cannot be read, or end early.
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;
}

#[cfg(unix)]
impl ReadAt for std::fs::File {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buf, offset)
    }
}

impl ReadAt for [u8] {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = start.checked_add(buf.len()).and_then(|end| self.get(start..end));
        buf.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// What [`inspect`] found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Zip {
    /// Offsets where the archive should be cut, ascending, for [`Cutter::new`](super::Cutter::new).
    pub boundaries: Vec<u64>,
    /// Why the archive cannot be whole, in a few words; `None` when its structure is sound, or
    /// could not be checked. The data of its entries is not looked at: see [`DataCheck`].
    pub broken: Option<String>,
    /// The entries whose data can be checked as it lies there, in the order of their data.
    pub entries: Vec<Data>,
}

/// The data of an entry that is stored as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data {
    /// Offset in the archive of its first byte.
    pub start: u64,
    /// Offset of the byte behind its last one.
    pub end: u64,
    /// The CRC-32 that it should have.
    pub crc: u32,
    /// Its place in the directory, from 1.
    pub number: usize,
    /// How many entries the archive has.
    pub of: usize,
}

/// Whether a file that starts with these bytes is a zip archive, possibly an empty one.
pub fn is_zip(start: &[u8]) -> bool {
    start.starts_with(LOCAL) || start.starts_with(END)
}

/// Finds where to cut an archive of `len` bytes, and whether it is broken.
///
/// A broken archive has no boundaries. Neither has one that cannot be read or has more entries
/// than are worth it; that is no reason to call it broken.
pub fn inspect<R: ReadAt + ?Sized>(archive: &R, len: u64) -> Zip {
    let mut window = Window { archive, len, start: 0, bytes: Vec::new() };
    match read(&mut window) {
        Ok(zip) => zip,
        Err(Stop::Broken(reason)) => Zip { broken: Some(reason), ..Zip::default() },
        Err(Stop::Unknown) => Zip::default(),
    }
}

/// Why an archive was not read to its end.
enum Stop {
    Broken(String),
    Unknown,
}

fn broken<T>(reason: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Broken(reason.into()))
}

/// Where the central directory lies, and what the end record says of it.
struct Directory {
    start: u64,
    end: u64,
    /// Added to every offset in the directory: bytes that were put before the archive.
    base: u64,
    /// Number of entries; without ZIP64 only its lower 16 bits.
    entries: u64,
}

/// An entry of the central directory.
struct Entry {
    /// Offset of its local header.
    header: u64,
    /// Length of its stored data.
    size: u64,
    /// Its place in the directory, from 1.
    number: usize,
    /// What its data should have as CRC-32, if that is stored as it is.
    crc: Option<u32>,
}

fn read<R: ReadAt + ?Sized>(window: &mut Window<'_, R>) -> Result<Zip, Stop> {
    let directory = find_directory(window)?;
    let mut entries = read_directory(window, &directory)?;
    entries.sort_unstable_by_key(|entry| entry.header);
    let (mut boundaries, mut stored) = (Vec::new(), Vec::new());
    for &Entry { header, size, number, crc } in &entries {
        let of = entries.len();
        let Some(local) = window.get(header, LOCAL_LEN, HEADER_BLOCK)? else {
            return broken(format!("entry {number} of {of} lies past the end"));
        };
        if !local.starts_with(LOCAL) {
            return broken(format!("entry {number} of {of} has no header where one should be"));
        }
        let lengths = u64::from(u16_at(local, 26)) + u64::from(u16_at(local, 28));
        // The header lies within the file, so its end cannot overflow.
        let start = header + LOCAL_LEN as u64 + lengths;
        match start.checked_add(size) {
            Some(end) if end <= directory.start => {
                if size >= CUT_FROM {
                    boundaries.extend([start, end]);
                }
                stored.extend(crc.map(|crc| Data { start, end, crc, number, of }));
            }
            _ => return broken(format!("the data of entry {number} of {of} is cut off")),
        }
    }
    // In a sound archive they are in order already; entries that overlap are no reason to refuse.
    boundaries.sort_unstable();
    boundaries.dedup();
    Ok(Zip { boundaries, broken: None, entries: stored })
}

fn find_directory<R: ReadAt + ?Sized>(window: &mut Window<'_, R>) -> Result<Directory, Stop> {
    let tail_start = window.len.saturating_sub(BLOCK as u64);
    let tail_len = (window.len - tail_start) as usize;
    let tail = window.get(tail_start, tail_len, BLOCK)?.unwrap_or_default();
    let end_record = tail.windows(END_LEN).enumerate().rev().find(|&(at, record)| {
        record.starts_with(END) && at + END_LEN + usize::from(u16_at(record, 20)) <= tail.len()
    });
    let Some((at, record)) = end_record else {
        return broken("the central directory is cut off (end record missing)");
    };
    if ![0, u16::MAX].contains(&u16_at(record, 4)) {
        return broken("it is one part of an archive in several files");
    }
    let mut limit = tail_start + at as u64;
    let mut entries = u64::from(u16_at(record, 10));
    let mut size = u64::from(u32_at(record, 12));
    let mut offset = u64::from(u32_at(record, 16));
    let locator = at.checked_sub(LOCATOR64_LEN).and_then(|at| tail.get(at..));
    if let Some(locator) = locator.filter(|locator| locator.starts_with(LOCATOR64)) {
        let position = u64_at(locator, 8);
        match window.get(position, END64_LEN, BLOCK)? {
            Some(record) if record.starts_with(END64) && position < limit => {
                limit = position;
                entries = u64_at(record, 32);
                size = u64_at(record, 40);
                offset = u64_at(record, 48);
            }
            _ => return broken("the ZIP64 end record is missing"),
        }
    }
    let Some(base) = limit.checked_sub(size).and_then(|start| start.checked_sub(offset)) else {
        return broken("bytes are missing before the central directory");
    };
    if size == 0 && entries == 0 {
        return Ok(Directory { start: offset, end: offset, base: 0, entries });
    }
    for base in [base, 0] {
        let start = base + offset;
        let record = window.get(start, CENTRAL_LEN, BLOCK)?;
        if record.is_some_and(|record| record.starts_with(CENTRAL)) {
            return Ok(Directory { start, end: start + size, base, entries });
        }
    }
    broken("the central directory is not where the end record says")
}

fn read_directory<R: ReadAt + ?Sized>(
    window: &mut Window<'_, R>,
    directory: &Directory,
) -> Result<Vec<Entry>, Stop> {
    let Directory { start, end, base, entries: expected } = *directory;
    if end - start > MAX_DIRECTORY {
        return Err(Stop::Unknown);
    }
    let mut entries = Vec::new();
    let mut position = start;
    while position < end {
        if entries.len() == MAX_ENTRIES {
            return Err(Stop::Unknown);
        }
        let number = entries.len() + 1;
        let record = window.get(position, CENTRAL_LEN, BLOCK)?.unwrap_or_default();
        if record.starts_with(SIGNATURE) {
            break;
        }
        if !record.starts_with(CENTRAL) {
            return broken(format!("the central directory is damaged at entry {number}"));
        }
        let extra_len = usize::from(u16_at(record, 30));
        let extra_start = position + (CENTRAL_LEN + usize::from(u16_at(record, 28))) as u64;
        let comment_len = u64::from(u16_at(record, 32));
        let (mut size, full) = (u64::from(u32_at(record, 20)), u32_at(record, 24));
        let mut header = u64::from(u32_at(record, 42));
        position = extra_start + extra_len as u64 + comment_len;
        if position > end {
            return broken(format!("the central directory is cut off at entry {number}"));
        }
        let (flags, method, crc) = (u16_at(record, 8), u16_at(record, 10), u32_at(record, 16));
        let crc = (method == 0 && flags & ENCRYPTED == 0).then_some(crc);
        let in_extra = |field: u64| field == u64::from(u32::MAX);
        if in_extra(size) || in_extra(header) {
            let extra = window.get(extra_start, extra_len, BLOCK)?.unwrap_or_default();
            let mut fields = zip64_fields(extra).chunks_exact(8).map(|field| u64_at(field, 0));
            if full == u32::MAX {
                fields.next();
            }
            if in_extra(size) {
                size = fields.next().unwrap_or(size);
            }
            if in_extra(header) {
                header = fields.next().unwrap_or(header);
            }
        }
        entries.push(Entry { header: header.saturating_add(base), size, number, crc });
    }
    if entries.len() as u64 & 0xFFFF != expected & 0xFFFF {
        let found = entries.len();
        return broken(format!("the central directory has {found} entries instead of {expected}"));
    }
    Ok(entries)
}

/// The content of the ZIP64 field among the extra fields of an entry; empty when there is none.
fn zip64_fields(mut extra: &[u8]) -> &[u8] {
    while let Some((head, rest)) = extra.split_first_chunk::<4>() {
        let len = usize::from(u16_at(head, 2)).min(rest.len());
        let (content, next) = rest.split_at(len);
        if u16_at(head, 0) == 1 {
            return content;
        }
        extra = next;
    }
    &[]
}

/// A part of the archive, in memory.
struct Window<'a, R: ?Sized> {
    archive: &'a R,
    len: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl<R: ReadAt + ?Sized> Window<'_, R> {
    /// `n` bytes at `offset`, or `None` past the end. Reads `block` bytes when they are not there.
    fn get(&mut self, offset: u64, n: usize, block: usize) -> Result<Option<&[u8]>, Stop> {
        if self.range(offset, n).is_none() {
            let rest = self.len.saturating_sub(offset);
            if rest < n as u64 {
                return Ok(None);
            }
            self.start = offset;
            self.bytes.resize(rest.min(block.max(n) as u64) as usize, 0);
            let read = self.archive.read_exact_at(&mut self.bytes, offset);
            read.map_err(|_| Stop::Unknown)?;
        }
        Ok(self.range(offset, n))
    }

    fn range(&self, offset: u64, n: usize) -> Option<&[u8]> {
        let from = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        self.bytes.get(from..from.checked_add(n)?)
    }
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array_at(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

#[cfg(test)]
mod tests;
