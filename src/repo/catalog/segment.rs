//! One segment of the catalog: some runs, and the paths of their files with who has them.
//!
//! Byte layout: docs/format.md, "Catalog segments". Segments are derived from manifests, written
//! without a sync, and checked by their checksums when they are read.

use std::collections::HashSet;

use crate::artifact::ArtifactType;
use crate::id::RunId;
use crate::manifest::codec::{Reader, put_bytes, put_varint};
use crate::manifest::{Entry, Error, Node, Result, RunMeta, Summary};

const WHAT: &str = "catalog segment";
const MAGIC: &[u8; 8] = b"eartcatl";
const VERSION: u16 = 1;
/// Magic, version, four lengths, two checksums, one checksum of all this.
const HEADER: usize = 8 + 8 + 4 * 8 + 3 * 32;
const LEVEL: i32 = 3;
/// No section is larger than this when unpacked: 100,000 runs of 1,000 files stay far below.
const MAX_SECTION: u64 = 4 << 30;

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
    pub(super) records: Vec<Record>,
    /// In path order, each path once.
    pub(super) paths: Vec<PathRow>,
}

impl Segment {
    /// The segment of one run.
    pub(super) fn of<'a>(record: Record, entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let posting = |e: &Entry| Posting { run: 0, size: e.size(), artifact: e.artifact_type() };
        let files = entries.into_iter().filter(|e| e.node != Node::Dir);
        let paths = files.map(|e| (e.path.as_bytes().into(), vec![posting(e)])).collect();
        Self { records: vec![record], paths }
    }

    /// All runs of `segments` that `keep` wants, each once.
    pub(super) fn merge(segments: Vec<Self>, keep: impl Fn(&RunId) -> bool) -> Self {
        let mut merged = Self::default();
        let mut seen = HashSet::new();
        for segment in segments {
            let mut places = Vec::with_capacity(segment.records.len());
            for record in segment.records {
                let wanted = keep(&record.id) && seen.insert(record.id);
                places.push(wanted.then_some(merged.records.len() as u32));
                if wanted {
                    merged.records.push(record);
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

    /// How much it is to merge, in rows.
    pub(super) fn weight(runs: usize, paths_len: u64) -> u64 {
        runs as u64 + paths_len / 16
    }

    pub(super) fn encode(&self) -> std::io::Result<Vec<u8>> {
        let mut runs = Vec::new();
        put_varint(&mut runs, self.records.len() as u64);
        let mut field = Vec::new();
        for record in &self.records {
            runs.extend_from_slice(record.id.as_bytes());
            field.clear();
            record.meta.encode(&mut field);
            put_bytes(&mut runs, &field);
            put_bytes(&mut runs, &record.summary.encode());
        }
        let mut paths = Vec::new();
        put_varint(&mut paths, self.paths.len() as u64);
        let mut before: &[u8] = b"";
        for (path, postings) in &self.paths {
            let shared = before.iter().zip(path.iter()).take_while(|(a, b)| a == b).count();
            put_varint(&mut paths, shared as u64);
            put_bytes(&mut paths, &path[shared..]);
            put_varint(&mut paths, postings.len() as u64);
            let mut last = 0;
            for posting in postings {
                put_varint(&mut paths, u64::from(posting.run - last));
                put_varint(&mut paths, posting.size);
                paths.push(posting.artifact.code());
                last = posting.run;
            }
            before = path;
        }
        let packed = [zstd::bulk::compress(&runs, LEVEL)?, zstd::bulk::compress(&paths, LEVEL)?];
        let mut out = Vec::with_capacity(HEADER + packed[0].len() + packed[1].len());
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.resize(16, 0);
        for len in [runs.len(), packed[0].len(), paths.len(), packed[1].len()] {
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

    /// Reads only the runs; the second value is how long the paths are.
    pub(super) fn decode_runs(bytes: &[u8]) -> Result<(Vec<Record>, u64)> {
        let sections = Sections::of(bytes)?;
        let runs = sections.unpack(0)?;
        let mut reader = Reader::new(WHAT, &runs);
        let count = reader.count(32)?;
        let mut records = Vec::with_capacity(count);
        for _ in 0..count {
            let id = RunId::from_bytes(reader.array()?);
            let mut meta = Reader::new(WHAT, reader.bytes()?);
            let meta = RunMeta::decode(&mut meta)?;
            let summary = Summary::decode(reader.bytes()?)?;
            records.push(Record { id, meta, summary });
        }
        reader.end()?;
        Ok((records, sections.len(2)))
    }

    /// Reads the paths of a segment that has `runs` runs.
    pub(super) fn decode_paths(bytes: &[u8], runs: usize) -> Result<Vec<PathRow>> {
        let unpacked = Sections::of(bytes)?.unpack(1)?;
        let mut reader = Reader::new(WHAT, &unpacked);
        let count = reader.count(5)?;
        let mut paths: Vec<PathRow> = Vec::with_capacity(count);
        let mut path: Vec<u8> = Vec::new();
        for _ in 0..count {
            let shared = reader.varint()? as usize;
            if shared > path.len() {
                return Err(reader.error("a path shares more than there is"));
            }
            path.truncate(shared);
            path.extend_from_slice(reader.bytes()?);
            let holders = reader.count(3)?;
            let mut postings = Vec::with_capacity(holders);
            let mut run = 0u64;
            for _ in 0..holders {
                run = run.saturating_add(reader.varint()?);
                if run >= runs as u64 {
                    return Err(reader.error("a path names a run that is not there"));
                }
                let size = reader.varint()?;
                let artifact = ArtifactType::from_code(reader.byte()?)
                    .ok_or_else(|| reader.error("an artifact type is unknown"))?;
                postings.push(Posting { run: run as u32, size, artifact });
            }
            paths.push((path.as_slice().into(), postings));
        }
        reader.end()?;
        Ok(paths)
    }
}

struct Sections<'a> {
    header: &'a [u8],
    body: &'a [u8],
}

impl<'a> Sections<'a> {
    fn of(bytes: &'a [u8]) -> Result<Self> {
        let bad = |reason: &'static str| Error::Malformed { what: WHAT, reason: reason.into() };
        let (header, body) = bytes.split_at_checked(HEADER).ok_or_else(|| bad("it is cut off"))?;
        let (fields, sum) = header.split_at(HEADER - 32);
        if !header.starts_with(MAGIC) || blake3::hash(fields).as_bytes() != sum {
            return Err(bad("its header is damaged"));
        }
        if header[8..10] != VERSION.to_le_bytes() {
            return Err(bad("its version is unknown to this eart"));
        }
        Ok(Self { header, body })
    }

    fn len(&self, field: usize) -> u64 {
        let at = 16 + field * 8;
        self.header
            .get(at..at + 8)
            .map_or(0, |b| b.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn unpack(&self, section: usize) -> Result<Vec<u8>> {
        let bad = |reason: &'static str| Error::Malformed { what: WHAT, reason: reason.into() };
        let start = if section == 0 { 0 } else { self.len(1) };
        let stored = usize::try_from(start)
            .ok()
            .zip(usize::try_from(start.saturating_add(self.len(section * 2 + 1))).ok())
            .and_then(|(start, end)| self.body.get(start..end))
            .ok_or_else(|| bad("it is cut off"))?;
        let sum = 48 + section * 32;
        if blake3::hash(stored).as_bytes()[..] != self.header[sum..sum + 32] {
            return Err(bad("its bytes are damaged"));
        }
        // The length is under the header's checksum, so it is what eart wrote.
        let raw = self.len(section * 2).min(MAX_SECTION) as usize;
        let unpacked =
            zstd::bulk::decompress(stored, raw).map_err(|_| bad("it does not unpack"))?;
        if unpacked.len() != raw { Err(bad("it unpacks to another length")) } else { Ok(unpacked) }
    }
}
