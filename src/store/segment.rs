//! One index segment: the footers of many packs, merged and sorted by chunk id.
//!
//! The same bytes serve on disk, mapped, and in memory for the packs no segment on disk covers
//! yet. Byte layout: docs/format.md, "Index segments". A segment is derived: it is rebuilt from
//! pack footers alone.

use std::ops::Deref;

use crate::disk::Map;
use crate::id::{ChunkId, PackId};

use super::frame::Codec;
use super::pack::{CHUNK_ROW, ChunkRow, Footer, FrameRow, chunk_row, id_at, u32_at};

const MAGIC: &[u8; 8] = b"eartindx";
const VERSION: u16 = 1;
const HEADER: usize = 64;
const FANOUT: usize = 256 * 4;
const FRAME: usize = 20;

enum Bytes {
    Mapped(Map),
    Owned(Vec<u8>),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Owned(bytes) => bytes,
        }
    }
}

/// Where a chunk lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// The pack that holds it.
    pub pack: PackId,
    /// The frame that holds it.
    pub frame: FrameRow,
    /// Where it begins in the decoded frame, in bytes.
    pub offset: u32,
    /// Its length in bytes.
    pub len: u32,
}

/// A sorted table of chunks over some packs.
pub(super) struct Segment {
    bytes: Bytes,
    packs: Vec<PackId>,
    frames_at: usize,
    fanout_at: usize,
    chunks_at: usize,
    chunks: usize,
}

impl Segment {
    /// The table over these packs, as bytes for disk or memory.
    pub(super) fn encode(packs: &[(PackId, &Footer)]) -> Vec<u8> {
        let frames: usize = packs.iter().map(|(_, f)| f.frames.len()).sum();
        let chunks: usize = packs.iter().map(|(_, f)| f.chunks.len()).sum();
        let len = HEADER + packs.len() * 16 + frames * FRAME + FANOUT + chunks * CHUNK_ROW;
        let mut out = Vec::with_capacity(len);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        for count in [packs.len(), frames, chunks] {
            out.extend_from_slice(&(count as u32).to_le_bytes());
        }
        out.resize(HEADER, 0);
        for (id, _) in packs {
            out.extend_from_slice(id.as_bytes());
        }
        let mut rows = Vec::with_capacity(chunks);
        let mut first_frame = 0;
        for (number, (_, footer)) in packs.iter().enumerate() {
            for frame in &footer.frames {
                for field in [number as u32, frame.offset, frame.stored, frame.raw] {
                    out.extend_from_slice(&field.to_le_bytes());
                }
                out.extend_from_slice(&[frame.codec as u8, 0, 0, 0]);
            }
            rows.extend(
                footer.chunks.iter().map(|c| ChunkRow { frame: first_frame + c.frame, ..*c }),
            );
            first_frame += footer.frames.len() as u32;
        }
        if packs.len() > 1 {
            rows.sort_unstable();
        }
        let mut end = 0;
        for first in 0..=255u8 {
            end += rows[end..].partition_point(|r| r.id.as_bytes()[0] <= first);
            out.extend_from_slice(&(end as u32).to_le_bytes());
        }
        for row in &rows {
            out.extend_from_slice(row.id.as_bytes());
            for field in [row.frame, row.offset, row.len] {
                out.extend_from_slice(&field.to_le_bytes());
            }
        }
        let sum = blake3::Hasher::new().update(&out[..32]).update(&out[HEADER..]).finalize();
        out[32..HEADER].copy_from_slice(sum.as_bytes());
        out
    }

    /// A segment that lies on disk.
    pub(super) fn mapped(map: Map) -> Result<Self, &'static str> {
        Self::new(Bytes::Mapped(map))
    }

    /// A segment in memory.
    pub(super) fn owned(bytes: Vec<u8>) -> Result<Self, &'static str> {
        Self::new(Bytes::Owned(bytes))
    }

    /// Checks what a lookup relies on: magic, version and lengths. The checksum over everything
    /// is [`Segment::verify`]'s, because reading all of a large index costs more than most
    /// commands do; a damaged row can at worst point a read to bytes that then fail their hash.
    fn new(bytes: Bytes) -> Result<Self, &'static str> {
        const SHORT: &str = "it is too short";
        if bytes.get(..8) != Some(&MAGIC[..]) {
            return Err("it does not begin like an index segment");
        }
        if bytes.get(8..10) != Some(&VERSION.to_le_bytes()[..]) {
            return Err("its version is unknown to this eart");
        }
        let count = |at| u32_at(&bytes, at).map(|n| n as usize).ok_or(SHORT);
        let (packs, frames, chunks) = (count(12)?, count(16)?, count(20)?);
        let frames_at = HEADER + packs * 16;
        let fanout_at = frames_at + frames * FRAME;
        let chunks_at = fanout_at + FANOUT;
        if bytes.len() != chunks_at + chunks * CHUNK_ROW {
            return Err("it has another length than it says");
        }
        let packs = bytes[HEADER..frames_at]
            .chunks_exact(16)
            .filter_map(|id| Some(PackId::from_bytes(id.try_into().ok()?)))
            .collect();
        Ok(Self { bytes, packs, frames_at, fanout_at, chunks_at, chunks })
    }

    /// Whether every byte is what was written.
    pub(super) fn verify(&self) -> bool {
        let sum = blake3::Hasher::new()
            .update(&self.bytes[..32])
            .update(&self.bytes[HEADER..])
            .finalize();
        sum.as_bytes() == &self.bytes[32..HEADER]
    }

    pub(super) fn packs(&self) -> &[PackId] {
        &self.packs
    }

    pub(super) fn chunks(&self) -> usize {
        self.chunks
    }

    fn id(&self, row: usize) -> Option<ChunkId> {
        id_at(&self.bytes, self.chunks_at + row * CHUNK_ROW)
    }

    fn fanout(&self, first: u8) -> usize {
        u32_at(&self.bytes, self.fanout_at + usize::from(first) * 4).unwrap_or(0) as usize
    }

    /// Every place this segment knows for a chunk; more than one when it was stored twice.
    pub(super) fn find(&self, id: &ChunkId) -> impl Iterator<Item = Location> + '_ {
        let first = id.as_bytes()[0];
        let mut low = if first == 0 { 0 } else { self.fanout(first - 1) }.min(self.chunks);
        let mut high = self.fanout(first).clamp(low, self.chunks);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.id(middle).is_some_and(|at| at < *id) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        let id = *id;
        (low..self.chunks)
            .take_while(move |&row| self.id(row) == Some(id))
            .filter_map(|row| self.location(row).map(|(_, location)| location))
    }

    /// The chunk in a row of the table and where it lies.
    pub(super) fn location(&self, row: usize) -> Option<(ChunkId, Location)> {
        let at = self.chunks_at + row * CHUNK_ROW;
        let chunk = chunk_row(self.bytes.get(at..at + CHUNK_ROW)?)?;
        let at = self.frames_at.checked_add(chunk.frame as usize * FRAME)?;
        let frame = self.bytes[..self.fanout_at].get(at..at + FRAME)?;
        let pack = *self.packs.get(u32_at(frame, 0)? as usize)?;
        let row = FrameRow {
            offset: u32_at(frame, 4)?,
            stored: u32_at(frame, 8)?,
            raw: u32_at(frame, 12)?,
            codec: Codec::from_code(frame[16])?,
        };
        Some((chunk.id, Location { pack, frame: row, offset: chunk.offset, len: chunk.len }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(n: u8, texts: &[&str]) -> (PackId, Footer) {
        let mut offset = 0;
        let mut chunks = Vec::new();
        for text in texts {
            let len = text.len() as u32;
            chunks.push(ChunkRow { id: ChunkId::of(text.as_bytes()), frame: 0, offset, len });
            offset += len;
        }
        chunks.sort_unstable();
        let frame = FrameRow { offset: 32, stored: offset, raw: offset, codec: Codec::Raw };
        (PackId::from_bytes([n; 16]), Footer { frames: vec![frame], chunks })
    }

    #[test]
    fn every_chunk_is_found_where_it_lies_and_no_other() {
        let (a, b) = (pack(1, &["one", "two", "shared"]), pack(2, &["three", "shared"]));
        let bytes = Segment::encode(&[(a.0, &a.1), (b.0, &b.1)]);
        let segment = Segment::owned(bytes).unwrap();
        assert!(segment.verify());
        let found = |text: &str| {
            let mut places: Vec<_> = segment
                .find(&ChunkId::of(text.as_bytes()))
                .map(|l| (l.pack, l.offset, l.len))
                .collect();
            places.sort_unstable();
            places
        };
        assert_eq!(found("two"), [(a.0, 3, 3)]);
        assert_eq!(found("three"), [(b.0, 0, 5)]);
        assert_eq!(found("shared"), [(a.0, 6, 6), (b.0, 5, 6)]);
        assert_eq!(found("four"), []);
    }

    #[test]
    fn no_flipped_or_missing_byte_leads_to_a_panic() {
        let (id, footer) = pack(1, &["one", "two", "three"]);
        let good = Segment::encode(&[(id, &footer)]);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x55;
            if let Ok(segment) = Segment::owned(bad) {
                assert!(!segment.verify(), "byte {at}");
                segment.find(&ChunkId::of(b"one")).for_each(drop);
            }
            assert!(Segment::owned(good[..at].to_vec()).is_err(), "cut at {at}");
        }
    }
}
