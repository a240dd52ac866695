//! One segment of the catalog: some runs, and the paths of their files with who has them.
//!
//! Byte layout: docs/format.md, "Catalog segments". Segments are derived from manifests, written
//! without a sync, and checked by their checksums when they are read.

use std::collections::HashSet;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;

use crate::artifact::ArtifactType;
use crate::disk;
use crate::id::RunId;
use crate::manifest::codec::{Reader, put_bytes, put_varint};
use crate::manifest::{Entry, Error, Node, Result, RunMeta, Summary};
use crate::path::MAX_PATH;
use crate::store::IdHash;

const WHAT: &str = "catalog segment";
const MAGIC: &[u8; 8] = b"eartcatl";
const VERSION: u16 = 1;
/// Magic, version, four lengths, two checksums, one checksum of all this.
const HEADER: usize = 8 + 8 + 4 * 8 + 3 * 32;
const LEVEL: i32 = 3;
/// No section is larger than this when unpacked: 100,000 runs of 1,000 files stay far below.
const MAX_SECTION: u64 = 4 << 30;
/// No section unpacks to more than this many times its stored bytes: what would shrink more is
/// stored as it is.
const MAX_RATIO: usize = 1024;

/// A run as lists show it, without its files.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Record {
    /// The run.
    pub id: RunId,
    /// What it was committed with.
    #[serde(flatten)]
    pub meta: RunMeta,
    /// What it amounts to.
    pub summary: Summary,
}

/// A run of a segment: its id and time at once, its record when somebody wants to see it. Lists of
/// thousands of runs mostly show a few.
#[derive(Debug, Clone)]
pub(in crate::repo) struct Row {
    pub(in crate::repo) id: RunId,
    pub(in crate::repo) committed: Timestamp,
    section: Arc<Vec<u8>>,
    /// Where in the section the run stands: its id, its metadata, its summary.
    place: Range<usize>,
    record: OnceLock<Option<Box<Record>>>,
}

impl Row {
    pub(in crate::repo) fn of(record: &Record) -> Self {
        let mut section = record.id.as_bytes().to_vec();
        let mut meta = Vec::new();
        record.meta.encode(&mut meta);
        put_bytes(&mut section, &meta);
        put_bytes(&mut section, &record.summary.encode());
        let place = 0..section.len();
        let (id, committed) = (record.id, record.meta.committed);
        Self { id, committed, section: Arc::new(section), place, record: OnceLock::new() }
    }

    /// The record; `None` when it makes no sense, which only another program can have written: the
    /// section's checksum is right. `fsck` names such a segment.
    pub(in crate::repo) fn record(&self) -> Option<&Record> {
        self.record.get_or_init(|| self.decode().ok().map(Box::new)).as_deref()
    }

    fn bytes(&self) -> &[u8] {
        self.section.get(self.place.clone()).unwrap_or_default()
    }

    fn decode(&self) -> Result<Record> {
        let mut reader = Reader::new(WHAT, self.bytes());
        let id = RunId::from_bytes(reader.array()?);
        let meta = RunMeta::decode(&mut Reader::new(WHAT, reader.bytes()?))?;
        Ok(Record { id, meta, summary: Summary::decode(reader.bytes()?)? })
    }

    /// The rows of a whole section.
    fn all(section: Vec<u8>) -> Result<Vec<Self>> {
        let section = Arc::new(section);
        let mut reader = Reader::new(WHAT, &section);
        let count = reader.count(32)?;
        let mut rows = Vec::with_capacity(count);
        for _ in 0..count {
            let start = section.len() - reader.rest().len();
            let id = RunId::from_bytes(reader.array()?);
            let committed = RunMeta::committed_of(reader.bytes()?)?;
            reader.bytes()?;
            let place = start..section.len() - reader.rest().len();
            let section = section.clone();
            rows.push(Self { id, committed, section, place, record: OnceLock::new() });
        }
        reader.end()?;
        Ok(rows)
    }
}

/// One run that has a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Posting {
    /// The run's place in the segment.
    pub(super) run: u32,
    /// Length of the file in bytes.
    pub(super) size: u64,
    pub(super) artifact: ArtifactType,
}

/// A path and the runs that have it, by their place.
pub(super) type PathRow = (Box<[u8]>, Vec<Posting>);

/// A segment's contents in memory.
#[derive(Debug, Default)]
pub(super) struct Segment {
    pub(super) rows: Vec<Row>,
    /// In path order, each path once.
    pub(super) paths: Vec<PathRow>,
}

impl Segment {
    /// The segment of one run.
    pub(super) fn of<'a>(record: &Record, entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let posting = |e: &Entry| Posting { run: 0, size: e.size(), artifact: e.artifact_type() };
        let files = entries.into_iter().filter(|e| e.node != Node::Dir);
        let paths = files.map(|e| (e.path.as_bytes().into(), vec![posting(e)])).collect();
        Self { rows: vec![Row::of(record)], paths }
    }

    /// All runs of `segments` that `keep` wants, each once.
    pub(super) fn merge(segments: Vec<Self>, keep: impl Fn(&RunId) -> bool) -> Self {
        let mut merged = Self::default();
        let mut seen: HashSet<RunId, IdHash> = HashSet::default();
        for segment in segments {
            let mut places = Vec::with_capacity(segment.rows.len());
            for row in segment.rows {
                let wanted = keep(&row.id) && seen.insert(row.id);
                places.push(wanted.then_some(merged.rows.len() as u32));
                if wanted {
                    merged.rows.push(row);
                }
            }
            for (path, mut postings) in segment.paths {
                postings.retain_mut(|p| match places.get(p.run as usize) {
                    Some(Some(place)) => {
                        p.run = *place;
                        true
                    }
                    _ => false,
                });
                if !postings.is_empty() {
                    merged.paths.push((path, postings));
                }
            }
        }
        merged.paths.sort_by(|(a, _), (b, _)| a.cmp(b));
        merged.paths.dedup_by(|(path, more), (kept_path, kept)| {
            let same = path == kept_path;
            if same {
                kept.append(more);
            }
            same
        });
        merged.paths.iter_mut().for_each(|(_, postings)| postings.sort_unstable());
        merged
    }

    pub(super) fn encode(&self) -> std::io::Result<Vec<u8>> {
        let mut runs = Vec::new();
        put_varint(&mut runs, self.rows.len() as u64);
        self.rows.iter().for_each(|row| runs.extend_from_slice(row.bytes()));
        let mut paths = Vec::new();
        put_varint(&mut paths, self.paths.len() as u64);
        let (mut before, mut list): (&[u8], _) = (b"", Vec::new());
        for (path, postings) in &self.paths {
            let shared = before.iter().zip(path.iter()).take_while(|(a, b)| a == b).count();
            put_varint(&mut paths, shared as u64);
            put_bytes(&mut paths, &path[shared..]);
            list.clear();
            let mut last = 0;
            for posting in postings {
                put_varint(&mut list, u64::from(posting.run - last));
                put_varint(&mut list, posting.size);
                list.push(posting.artifact.code());
                last = posting.run;
            }
            put_bytes(&mut paths, &list);
            before = path;
        }
        let lens = [runs.len(), paths.len()];
        let packed = [pack(runs)?, pack(paths)?];
        let mut out = Vec::with_capacity(HEADER + packed[0].len() + packed[1].len());
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.resize(16, 0);
        for len in [lens[0], packed[0].len(), lens[1], packed[1].len()] {
            out.extend_from_slice(&(len as u64).to_le_bytes());
        }
        for section in &packed {
            out.extend_from_slice(blake3::hash(section).as_bytes());
        }
        let sum = blake3::hash(&out);
        out.extend_from_slice(sum.as_bytes());
        for section in &packed {
            out.extend_from_slice(section);
        }
        Ok(out)
    }

    /// How much it is to merge: the bytes of its sections.
    pub(super) fn weight(&self) -> u64 {
        let paths = self.paths.iter().map(|(path, postings)| path.len() / 2 + 4 * postings.len());
        let rows = self.rows.iter().map(|row| row.place.len());
        rows.chain(paths).sum::<usize>() as u64
    }
}

/// A section as it is stored: compressed, or as it is where that is not shorter, or so much shorter
/// that a reader would not believe it.
fn pack(section: Vec<u8>) -> std::io::Result<Vec<u8>> {
    let packed = zstd::bulk::compress(&section, LEVEL)?;
    let fits = packed.len() < section.len() && section.len() <= packed.len() * MAX_RATIO;
    Ok(if fits { packed } else { section })
}

fn bad(reason: &'static str) -> Error {
    Error::Malformed { what: WHAT, reason: reason.into() }
}

/// What is wrong with a segment that cannot be read for this reason, if that is its own fault.
fn unreadable(e: std::io::Error) -> std::io::Result<Error> {
    match e.kind() {
        std::io::ErrorKind::UnexpectedEof => Ok(bad("it is cut off")),
        _ if disk::is_damage(&e) => Ok(bad("it cannot be read, or is not a regular file")),
        _ => Err(e),
    }
}

/// A segment's file. What is in it is read when it is asked for.
#[derive(Debug)]
pub(super) struct SegmentFile {
    file: File,
    header: [u8; HEADER],
}

impl SegmentFile {
    /// Reads and checks the header. The outer error is the disk's.
    pub(super) fn open(path: &Path) -> std::io::Result<Result<Self>> {
        let bad = |reason: &'static str| Err(bad(reason));
        let mut header = [0; HEADER];
        let read = disk::open(path).and_then(|file| {
            file.read_exact_at(&mut header, 0)?;
            Ok(file)
        });
        let file = match read {
            Err(e) => return unreadable(e).map(Err),
            Ok(file) => file,
        };
        let (fields, sum) = header.split_at(HEADER - 32);
        if !header.starts_with(MAGIC) || blake3::hash(fields).as_bytes() != sum {
            return Ok(bad("its header is damaged"));
        }
        if header[8..10] != VERSION.to_le_bytes() {
            return Ok(bad("its version is unknown to this eart"));
        }
        let found = Self { file, header };
        let end = [HEADER as u64, found.len(1), found.len(3)]
            .iter()
            .fold(0u64, |a, b| a.saturating_add(*b));
        if found.file.metadata()?.len() != end {
            return Ok(bad("it has another length than it says"));
        }
        Ok(Ok(found))
    }

    /// See [`Segment::weight`].
    pub(super) fn weight(&self) -> u64 {
        self.len(0).saturating_add(self.len(2))
    }

    /// The runs.
    pub(super) fn rows(&self) -> std::io::Result<Result<Vec<Row>>> {
        Ok(self.section(0)?.and_then(Row::all))
    }

    /// Visits the paths that are wanted, in order, with the runs that have them. `runs` is how many
    /// runs the segment has.
    pub(super) fn search(
        &self,
        runs: usize,
        wants: impl Fn(&[u8]) -> bool,
        mut visit: impl FnMut(&[u8], &[Posting]),
    ) -> std::io::Result<Result<()>> {
        let section = self.section(1)?;
        Ok(section.and_then(|unpacked| read_paths(&unpacked, runs, wants, &mut visit)))
    }

    /// Everything, to be merged. Every record is looked at.
    pub(super) fn load(&self) -> std::io::Result<Result<Segment>> {
        let rows = match self.rows()? {
            Ok(rows) => rows,
            Err(e) => return Ok(Err(e)),
        };
        let mut paths: Vec<PathRow> = Vec::new();
        let keep = |path: &[u8], postings: &[Posting]| paths.push((path.into(), postings.to_vec()));
        let read = self.search(rows.len(), |_| true, keep)?;
        Ok(read.map(|()| Segment { rows, paths }))
    }

    /// Whether every byte is as it was written.
    pub(super) fn is_intact(&self) -> std::io::Result<bool> {
        Ok(self.stored(0)?.is_ok() && self.stored(1)?.is_ok())
    }

    /// Whether every byte is as it was written, and makes sense.
    pub(super) fn is_whole(&self) -> std::io::Result<bool> {
        match self.rows()? {
            Ok(rows) if rows.iter().all(|row| row.decode().is_ok()) => {
                Ok(self.search(rows.len(), |_| true, |_, _| {})?.is_ok())
            }
            _ => Ok(false),
        }
    }

    /// Bytes of its sections as they are stored.
    pub(super) fn size(&self) -> u64 {
        self.len(1).saturating_add(self.len(3))
    }

    /// One of the four lengths.
    fn len(&self, field: usize) -> u64 {
        let at = 16 + field * 8;
        self.header
            .get(at..at + 8)
            .map_or(0, |b| b.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// The stored bytes of a section, after comparing them with their checksum.
    fn stored(&self, section: usize) -> std::io::Result<Result<Vec<u8>>> {
        let start = HEADER as u64 + if section == 0 { 0 } else { self.len(1) };
        // The lengths were compared with the file's when it was opened.
        let mut stored = vec![0; self.len(section * 2 + 1) as usize];
        if let Err(e) = self.file.read_exact_at(&mut stored, start) {
            return unreadable(e).map(Err);
        }
        let sum = 48 + section * 32;
        let intact = blake3::hash(&stored).as_bytes()[..] == self.header[sum..sum + 32];
        Ok(if intact { Ok(stored) } else { Err(bad("its bytes are damaged")) })
    }

    fn section(&self, section: usize) -> std::io::Result<Result<Vec<u8>>> {
        let len = self.len(section * 2);
        Ok(self.stored(section)?.and_then(|stored| unpack(stored, len)))
    }
}

/// A section of `len` bytes, from how it is stored.
fn unpack(stored: Vec<u8>, len: u64) -> Result<Vec<u8>> {
    if len == stored.len() as u64 {
        return Ok(stored);
    }
    let most = (stored.len() as u64).saturating_mul(MAX_RATIO as u64).min(MAX_SECTION);
    if len > most {
        return Err(bad("it unpacks to more than it may"));
    }
    let unpacked = zstd::bulk::decompress(&stored, len as usize);
    match unpacked.map_err(|_| bad("it does not unpack"))? {
        unpacked if unpacked.len() as u64 == len => Ok(unpacked),
        _ => Err(bad("it unpacks to another length")),
    }
}

/// Reads the paths of a segment that has `runs` runs.
fn read_paths(
    section: &[u8],
    runs: usize,
    wants: impl Fn(&[u8]) -> bool,
    visit: &mut impl FnMut(&[u8], &[Posting]),
) -> Result<()> {
    let mut reader = Reader::new(WHAT, section);
    let mut path: Vec<u8> = Vec::new();
    let mut postings = Vec::new();
    for _ in 0..reader.count(3)? {
        let shared = reader.varint()? as usize;
        if shared > path.len() {
            return Err(reader.error("a path shares more than there is"));
        }
        path.truncate(shared);
        path.extend_from_slice(reader.bytes()?);
        if path.len() > MAX_PATH {
            return Err(reader.error("a path is too long"));
        }
        postings.clear();
        let list = reader.bytes()?;
        if !wants(&path) {
            continue;
        }
        let (mut list, mut run) = (Reader::new(WHAT, list), 0u64);
        while !list.rest().is_empty() {
            run = run.saturating_add(list.varint()?);
            if run >= runs as u64 {
                return Err(list.error("a path names a run that is not there"));
            }
            let size = list.varint()?;
            let artifact = ArtifactType::from_code(list.byte()?)
                .ok_or_else(|| list.error("an artifact type is unknown"))?;
            postings.push(Posting { run: run as u32, size, artifact });
        }
        visit(&path, &postings);
    }
    reader.end()
}
