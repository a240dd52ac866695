//! The stored form of entries: sorted runs of them, column by column, compressed. A row an entry
//! would cost 140 bytes in redb; a block costs little more than the file ids. Touches memory only.
//!
//! Layout: docs/format.md, "Entry blocks".

use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;

use super::canonical::{DIR, FILE, SYMLINK, declared, declared_code, kind};
use super::codec::{Reader, put_bytes, put_signed, put_varint};
use super::entry::{Entry, Mtime, Node};
use super::order::{check_all, shared_prefix};
use super::{Error, Result};
use crate::artifact::ArtifactType;
use crate::id::FileId;
use crate::path::RelPath;

const WHAT: &str = "entry block";

/// The version of the block format, its first byte.
const VERSION: u8 = 1;

/// Bytes of the checksum at a block's end: a damaged block is found and named. It guards against
/// accidents; what was committed is guarded by the run's id.
const SUM: usize = 8;

/// zstd's level for the columns.
const LEVEL: i32 = 3;

/// The most bytes of columns in one block, and of its paths written out, so that a reader knows
/// what it may be asked to hold.
const MAX_COLUMNS: usize = 16 * 1024 * 1024;

/// The most entries in one block.
const MAX_ENTRIES: usize = 64 * 1024;

/// redb puts a row into a page of 4 KiB times a power of two: rows that nearly fill one waste
/// nothing. So large is the page that full blocks aim for.
const PAGE: usize = 32 * 1024;

/// Bytes of a page that redb keeps for itself beside a row's key and value.
const PAGE_OVERHEAD: usize = 64;

/// The share of a page, in percent, above which a block is full enough.
const FULL_ENOUGH: usize = 94;

/// One block, ready to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The path of its first entry.
    pub first: RelPath,
    /// How many entries it holds, at least 1.
    pub count: usize,
    /// Its stored bytes.
    pub bytes: Vec<u8>,
}

/// Encodes entries into blocks; keeps what can be used again from one to the next.
struct Encoder {
    zstd: zstd::bulk::Compressor<'static>,
    columns: Vec<u8>,
}

/// Splits entries into blocks, each nearly filling a page of the run's file.
///
/// # Errors
///
/// When the entries are malformed or not in order, or a single one is too large.
pub fn encode_all(entries: &[Entry]) -> Result<Vec<Block>> {
    check_all(entries)?;
    let mut encoder = Encoder::new()?;
    let mut blocks = Vec::new();
    let mut rest = entries;
    // Bytes an entry, learned from the block before.
    let mut each = 48;
    while let Some(first) = rest.first() {
        let budget = PAGE.saturating_sub(PAGE_OVERHEAD + first.path.as_bytes().len());
        let (count, bytes) = encoder.fill(rest, budget, each)?;
        each = bytes.len() / count + 1;
        blocks.push(Block { first: first.path.clone(), count, bytes });
        rest = rest.get(count..).unwrap_or_default();
    }
    Ok(blocks)
}

/// Reads consecutive stored blocks, on all cores; returns them with their entries.
///
/// # Errors
///
/// When one is damaged, or their entries cannot stand in one run together.
pub(super) fn decode_all(stored: Vec<Vec<u8>>) -> Result<(Vec<Block>, Vec<Entry>)> {
    let decode = |bytes: Vec<u8>| {
        let entries = Block::decode(&bytes)?;
        let first = entries.first().ok_or_else(|| malformed("it is empty"))?.path.clone();
        Ok((Block { first, count: entries.len(), bytes }, entries))
    };
    let decoded = stored.into_par_iter().map(decode).collect::<Result<Vec<_>>>()?;
    let (blocks, entries): (Vec<_>, Vec<_>) = decoded.into_iter().unzip();
    let entries: Vec<Entry> = entries.into_iter().flatten().collect();
    check_all(&entries)?;
    Ok((blocks, entries))
}

impl Block {
    /// Encodes entries, which must be in path order and at least one, as a single block.
    ///
    /// # Errors
    ///
    /// When they are malformed, not in order, none, or too many for one block.
    pub fn encode(entries: &[Entry]) -> Result<Vec<u8>> {
        check_all(entries)?;
        Encoder::new()?.encode(entries)
    }

    /// Reads a stored block. Its entries are checked as those of a listing are.
    ///
    /// # Errors
    ///
    /// When the bytes are not a whole block. No more is allocated than a small multiple of what is
    /// there and of what its compressed part really holds, up to 16 MiB.
    pub fn decode(stored: &[u8]) -> Result<Vec<Entry>> {
        let Some((body, sum)) = stored.split_last_chunk::<SUM>() else {
            return Err(malformed("it ends too early"));
        };
        if !blake3::hash(body).as_bytes().starts_with(sum) {
            return Err(malformed("its checksum does not match"));
        }
        let mut reader = Reader::new(WHAT, body);
        let version = reader.byte()?;
        if version != VERSION {
            let (version, known) = (version.into(), VERSION.into());
            return Err(Error::Version { what: WHAT, version, known });
        }
        let count = reader.varint()?;
        let files = reader.count(FileId::LEN)?;
        let len = reader.varint()?;
        let ids = reader.take(files * FileId::LEN)?;
        let count = usize::try_from(count).ok().filter(|c| (1..=MAX_ENTRIES).contains(c));
        let len = usize::try_from(len).ok().filter(|&len| len <= MAX_COLUMNS);
        let (Some(count), Some(len)) = (count, len) else {
            return Err(malformed("it holds nothing or too much"));
        };
        let columns = zstd::bulk::decompress(reader.rest(), len)
            .map_err(|e| malformed(format!("its columns do not decompress ({e})")))?;
        if columns.len() != len {
            return Err(malformed("its columns have another length than it says"));
        }
        let entries = read_columns(Reader::new(WHAT, &columns), count, ids)?;
        check_all(&entries)?;
        Ok(entries)
    }
}

fn malformed(reason: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::Malformed { what: WHAT, reason: reason.into() }
}

fn build(source: std::io::Error) -> Error {
    Error::Build { source: source.into() }
}

impl Encoder {
    fn new() -> Result<Self> {
        let mut zstd = zstd::bulk::Compressor::new(LEVEL).map_err(build)?;
        zstd.include_checksum(false).map_err(build)?;
        Ok(Self { zstd, columns: Vec::new() })
    }

    /// Encodes as many of the entries as fill `budget` bytes, but at least one; `each` is a guess
    /// of what one takes. Tries a few times to come near the budget, never above it.
    fn fill(&mut self, entries: &[Entry], budget: usize, each: usize) -> Result<(usize, Vec<u8>)> {
        let limit = room(entries);
        let mut count = (budget * 97 / 100 / each.max(1)).clamp(1, limit);
        let mut best: Option<(usize, Vec<u8>)> = None;
        let mut too_many = limit + 1;
        for _ in 0..4 {
            let bytes = self.encode(entries.get(..count).unwrap_or(entries))?;
            let len = bytes.len();
            if len > budget && count > 1 {
                too_many = count;
            } else {
                let full = len >= budget * FULL_ENOUGH / 100 || count + 1 >= too_many;
                best = Some((count, bytes));
                if full {
                    break;
                }
            }
            let least = best.as_ref().map_or(1, |(count, _)| count + 1);
            count = (count * budget * 97 / 100 / len).clamp(least.min(too_many - 1), too_many - 1);
        }
        match best {
            Some(best) => Ok(best),
            // Sizes jump about so much that no guess was right: one entry alone always stands.
            None => Ok((1, self.encode(entries.get(..1).unwrap_or(entries))?)),
        }
    }

    fn encode(&mut self, entries: &[Entry]) -> Result<Vec<u8>> {
        if entries.is_empty() || room(entries) < entries.len() {
            return Err(malformed("it would hold nothing or too much"));
        }
        let files = write_columns(entries, &mut self.columns);
        let mut out = Vec::with_capacity(files * FileId::LEN + self.columns.len() / 3 + 64);
        out.push(VERSION);
        put_varint(&mut out, entries.len() as u64);
        put_varint(&mut out, files as u64);
        put_varint(&mut out, self.columns.len() as u64);
        for id in entries.iter().filter_map(Entry::file_id) {
            out.extend_from_slice(id.as_bytes());
        }
        out.extend_from_slice(&self.zstd.compress(&self.columns).map_err(build)?);
        let sum = blake3::hash(&out);
        out.extend(sum.as_bytes().iter().take(SUM));
        Ok(out)
    }
}

/// How many of the entries one block may hold, at least one.
fn room(entries: &[Entry]) -> usize {
    let mut left = MAX_COLUMNS;
    let fits = |e: &&Entry| {
        let target = if let Node::Symlink { target } = &e.node { target.len() } else { 0 };
        let content_type = e.content_type.as_ref().map_or(0, |t| t.len());
        let size = 64 + e.path.as_bytes().len() + target + content_type;
        left = left.saturating_sub(size);
        left > 0
    };
    entries.iter().take(MAX_ENTRIES).take_while(fits).count().max(1)
}

/// Writes every column but the ids; returns how many files there are.
fn write_columns(entries: &[Entry], out: &mut Vec<u8>) -> usize {
    out.clear();
    let mut types: Vec<&str> = Vec::new();
    let mut places: HashMap<&str, u64> = HashMap::new();
    let mut last = ("", 0);
    let mut placed = Vec::with_capacity(entries.len());
    for entry in entries {
        // Neighbours are mostly of one type.
        match entry.content_type.as_deref() {
            None => {
                placed.push(0);
                continue;
            }
            Some(content_type) if content_type == last.0 => {}
            Some(content_type) => {
                let place = *places.entry(content_type).or_insert_with(|| {
                    types.push(content_type);
                    types.len() as u64
                });
                last = (content_type, place);
            }
        }
        placed.push(last.1);
    }
    let files = entries.iter().filter(|e| matches!(e.node, Node::File { .. })).count();
    put_varint(out, types.len() as u64);
    types.iter().for_each(|text| put_bytes(out, text.as_bytes()));

    out.extend(entries.iter().map(|e| kind(&e.node)));
    out.extend(entries.iter().map(|e| declared_code(e.declared)));
    out.extend(entries.iter().map(|e| e.detected.code()));
    placed.iter().for_each(|&place| put_varint(out, place));
    entries.iter().for_each(|e| put_varint(out, u64::from(e.mode)));

    let paths = || entries.iter().map(|e| e.path.as_bytes());
    let before = || std::iter::once(&b""[..]).chain(paths());
    let shared: Vec<usize> = before().zip(paths()).map(|(a, b)| shared_prefix(a, b)).collect();
    shared.iter().for_each(|&len| put_varint(out, len as u64));
    paths().zip(&shared).for_each(|(path, len)| put_varint(out, (path.len() - len) as u64));
    paths().zip(&shared).for_each(|(path, &len)| out.extend_from_slice(&path[len..]));

    let mut last = 0;
    for entry in entries {
        put_signed(out, entry.mtime.secs.wrapping_sub(last));
        last = entry.mtime.secs;
    }
    entries.iter().for_each(|e| out.extend_from_slice(&e.mtime.nanos.to_le_bytes()));
    for entry in entries {
        match &entry.node {
            Node::File { size, .. } => put_varint(out, *size),
            Node::Symlink { target } => put_varint(out, target.len() as u64),
            Node::Dir => {}
        }
    }
    for entry in entries {
        if let Node::Symlink { target } = &entry.node {
            out.extend_from_slice(target);
        }
    }
    files
}

fn read_columns(mut columns: Reader<'_>, count: usize, ids: &[u8]) -> Result<Vec<Entry>> {
    let types = columns.count(1)?;
    if types > count {
        return Err(malformed("it has more content types than entries"));
    }
    let types = (0..types).map(|_| columns.text().map(Arc::from)).collect::<Result<Vec<_>>>()?;
    let kinds = columns.take(count)?;
    let declared_codes = columns.take(count)?;
    let detected_codes = columns.take(count)?;
    let places = numbers(&mut columns, count)?;
    let modes = numbers(&mut columns, count)?;
    let shared = numbers(&mut columns, count)?;
    let added = numbers(&mut columns, count)?;
    let suffixes = columns.take(total(&columns, &added)?)?;
    let mut deltas = Vec::with_capacity(count);
    for _ in 0..count {
        deltas.push(columns.signed()?);
    }
    let mut nanos = Reader::new(WHAT, columns.take(4 * count)?);
    let mut sizes = Vec::with_capacity(count);
    for &kind in kinds {
        sizes.push(if kind == DIR { 0 } else { columns.varint()? });
    }
    let mut suffixes = Reader::new(WHAT, suffixes);
    let mut ids = Reader::new(WHAT, ids);
    let mut entries = Vec::with_capacity(count);
    let mut path = Vec::new();
    let mut written_out = 0;
    let mut secs: i64 = 0;
    let facts = kinds.iter().zip(declared_codes).zip(detected_codes).zip(&places).zip(&modes);
    let lens = shared.iter().zip(&added).zip(&deltas).zip(&sizes);
    for (fact, len) in facts.zip(lens) {
        let ((((&kind, &declared_code), &detected_code), &place), &mode) = fact;
        let (((&shared, &added), &delta), &size) = len;
        match usize::try_from(shared) {
            Ok(shared) if shared <= path.len() => path.truncate(shared),
            _ => return Err(malformed("a path shares more than the one before it has")),
        }
        path.extend_from_slice(suffixes.take(added as usize)?);
        written_out += path.len();
        if written_out > MAX_COLUMNS {
            return Err(malformed("its paths are too long together"));
        }
        secs = secs.wrapping_add(delta);
        let node = match kind {
            FILE => Node::File { size, id: FileId::from_bytes(ids.array()?) },
            DIR => Node::Dir,
            SYMLINK => {
                let len = usize::try_from(size).unwrap_or(usize::MAX);
                Node::Symlink { target: columns.take(len)?.into() }
            }
            _ => return Err(malformed(format!("it has an entry of unknown kind {kind}"))),
        };
        let Some(detected) = ArtifactType::from_code(detected_code) else {
            return Err(malformed("it has an unknown artifact type"));
        };
        let content_type = match usize::try_from(place).ok().and_then(|p| p.checked_sub(1)) {
            None => None,
            Some(place) => match types.get(place) {
                Some(content_type) => Some(Arc::clone(content_type)),
                None => return Err(malformed("it has an unknown content type")),
            },
        };
        entries.push(Entry {
            path: RelPath::new(path.as_slice()).map_err(|e| malformed(e.to_string()))?,
            node,
            mode: u32::try_from(mode).unwrap_or(u32::MAX),
            mtime: Mtime { secs, nanos: u32::from_le_bytes(nanos.array()?) },
            declared: declared(&suffixes, declared_code)?,
            detected,
            content_type,
        });
    }
    ids.end()?;
    columns.end()?;
    Ok(entries)
}

/// `count` numbers, each of which takes at least a byte.
fn numbers(columns: &mut Reader<'_>, count: usize) -> Result<Vec<u64>> {
    if count > columns.rest().len() {
        return Err(malformed("its columns end too early"));
    }
    (0..count).map(|_| columns.varint()).collect()
}

/// The sum of lengths, if so much is left.
fn total(columns: &Reader<'_>, lens: &[u64]) -> Result<usize> {
    let sum = lens.iter().try_fold(0u64, |sum, &len| sum.checked_add(len));
    sum.and_then(|sum| usize::try_from(sum).ok())
        .filter(|&sum| sum <= columns.rest().len())
        .ok_or_else(|| malformed("its columns end too early"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::manifest::sample::{self, dir, file, link};

    #[test]
    fn a_big_run_takes_few_bytes_an_entry_and_fills_its_pages() {
        let entries = sample::many(20_000);
        let blocks = encode_all(&entries).unwrap();
        let stored: usize = blocks.iter().map(|b| b.bytes.len()).sum();
        assert!(stored < 45 * entries.len(), "{} bytes an entry", stored / entries.len());
        for block in &blocks[..blocks.len() - 1] {
            assert!(block.bytes.len() <= PAGE - PAGE_OVERHEAD);
            assert!(block.bytes.len() > PAGE * 9 / 10);
        }
        let back = blocks.iter().flat_map(|b| Block::decode(&b.bytes).unwrap());
        assert!(back.eq(entries));
    }

    #[test]
    fn the_longest_paths_and_targets_are_stored() {
        let name = "x".repeat(crate::path::MAX_PATH - 2);
        let entries: Vec<_> = (0..3)
            .map(|i| link(&format!("{i}/{name}"), &name))
            .chain((3..9).map(|i| file(&format!("{i}/{name}"))))
            .collect();
        let blocks = encode_all(&entries).unwrap();
        let back: Vec<_> = blocks.iter().flat_map(|b| Block::decode(&b.bytes).unwrap()).collect();
        assert_eq!(back, entries);
    }

    #[test]
    fn a_flipped_bit_is_found() {
        let stored = Block::encode(&[dir("a"), file("a/b"), link("c", "a")]).unwrap();
        for place in 0..stored.len() {
            let mut damaged = stored.clone();
            damaged[place] ^= 4;
            assert!(Block::decode(&damaged).is_err());
        }
    }

    #[test]
    fn paths_that_only_grow_when_read_are_bounded() {
        // Two thousand paths of 32 KiB, each said to share almost all with the one before.
        let mut columns = Vec::new();
        let count = 2000;
        put_varint(&mut columns, 0);
        columns.extend([DIR; 2000]);
        columns.extend([0; 3 * 2000]);
        (0..count).for_each(|_| put_varint(&mut columns, 0o755));
        (0..count).for_each(|i| put_varint(&mut columns, if i == 0 { 0 } else { 32_000 }));
        (0..count).for_each(|i| put_varint(&mut columns, if i == 0 { 32_000 } else { 2 }));
        columns.extend([b'x'; 32_000]);
        let ending = |i: u16| [b'A' + (i / 50) as u8, b'A' + (i % 50) as u8];
        (1..count).for_each(|i| columns.extend(ending(i)));
        columns.extend([0; 5 * 2000]);
        let result = read_columns(Reader::new(WHAT, &columns), count.into(), &[]);
        assert!(result.unwrap_err().to_string().contains("too long together"));
    }

    /// A block around any columns, so that tests reach behind the checksum.
    fn seal(count: u64, ids: &[u8], columns: &[u8]) -> Vec<u8> {
        let mut out = vec![VERSION];
        put_varint(&mut out, count);
        put_varint(&mut out, (ids.len() / 32) as u64);
        put_varint(&mut out, columns.len() as u64);
        out.extend_from_slice(ids);
        out.extend(zstd::bulk::compress(columns, LEVEL).unwrap());
        let sum = blake3::hash(&out);
        out.extend(&sum.as_bytes()[..SUM]);
        out
    }

    proptest! {
        #[test]
        fn blocks_read_back(entries in sample::any_tree()) {
            let blocks = encode_all(&entries).unwrap();
            let back: Vec<_> =
                blocks.iter().flat_map(|b| Block::decode(&b.bytes).unwrap()).collect();
            prop_assert_eq!(back, entries);
        }

        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Block::decode(&bytes);
            let _ = Block::decode(&seal(3, &[], &bytes));
        }

        #[test]
        fn changed_columns_give_entries_that_may_stand_or_an_error(
            entries in sample::any_tree(),
            changes in prop::collection::vec((any::<usize>(), any::<u8>()), 1..4),
        ) {
            let mut columns = Vec::new();
            let files = write_columns(&entries, &mut columns);
            sample::mutate(&mut columns, &changes);
            let stored = seal(entries.len() as u64, &vec![7; 32 * files], &columns);
            if let Ok(entries) = Block::decode(&stored) {
                check_all(&entries).unwrap();
            }
        }
    }
}
