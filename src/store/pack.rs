//! The pack file: header, frames, footer, trailer. Byte layout: docs/format.md, "Packs".

use crate::id::{ChunkId, PackId};

use super::frame::{Codec, MAX_RAW};

pub(super) const HEADER: usize = 32;
pub(super) const TRAILER: usize = 56;
pub(super) const FRAME_ROW: usize = 12;
pub(super) const CHUNK_ROW: usize = 44;
const MAGIC: &[u8; 8] = b"eartpack";
const END: &[u8; 8] = b"eartpend";
const VERSION: u16 = 1;

/// One frame as the footer tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameRow {
    /// Where it begins in the pack, in bytes.
    pub offset: u32,
    /// Bytes in the pack.
    pub stored: u32,
    /// Bytes when decoded, at most 4 MiB.
    pub raw: u32,
    /// How it is stored.
    pub codec: Codec,
}

/// One chunk as the footer tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChunkRow {
    /// The chunk.
    pub id: ChunkId,
    /// Number of its frame.
    pub frame: u32,
    /// Where it begins in the decoded frame.
    pub offset: u32,
    /// Its length in bytes.
    pub len: u32,
}

/// What a pack holds: its frames in file order, its chunks sorted by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footer {
    /// Frames in the order they lie in the pack.
    pub frames: Vec<FrameRow>,
    /// Chunks sorted by id, each once.
    pub chunks: Vec<ChunkRow>,
}

/// The first bytes of a pack.
pub(super) fn header(id: PackId) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
    bytes[16..].copy_from_slice(id.as_bytes());
    bytes
}

/// The little-endian number at `at`, if the bytes reach that far.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(field.try_into().ok()?))
}

pub(super) fn id_at(bytes: &[u8], at: usize) -> Option<ChunkId> {
    let field = bytes.get(at..at.checked_add(32)?)?;
    Some(ChunkId::from_bytes(field.try_into().ok()?))
}

impl Footer {
    /// Footer and trailer as they stand at the end of the pack `id`.
    pub(super) fn encode(&self, id: PackId) -> Vec<u8> {
        let len = self.frames.len() * FRAME_ROW + self.chunks.len() * CHUNK_ROW + TRAILER;
        let mut out = Vec::with_capacity(len);
        for frame in &self.frames {
            out.extend_from_slice(&frame.stored.to_le_bytes());
            out.extend_from_slice(&frame.raw.to_le_bytes());
            out.extend_from_slice(&[frame.codec as u8, 0, 0, 0]);
        }
        for chunk in &self.chunks {
            out.extend_from_slice(chunk.id.as_bytes());
            out.extend_from_slice(&chunk.frame.to_le_bytes());
            out.extend_from_slice(&chunk.offset.to_le_bytes());
            out.extend_from_slice(&chunk.len.to_le_bytes());
        }
        let tables = out.len();
        out.extend_from_slice(&(self.frames.len() as u32).to_le_bytes());
        out.extend_from_slice(&(self.chunks.len() as u32).to_le_bytes());
        out.extend_from_slice(&[0; 8]);
        let sum = checksum(&header(id), &out[..tables + 16]);
        out.extend_from_slice(sum.as_bytes());
        out.extend_from_slice(END);
        out
    }

    /// How many bytes at the end of a pack hold footer and trailer, read from its trailer.
    pub(super) fn len_from_trailer(trailer: &[u8]) -> Result<u64, &'static str> {
        if trailer.len() != TRAILER || !trailer.ends_with(END) {
            return Err("its end is missing");
        }
        let (frames, chunks) = Self::counts(trailer).ok_or("its end is missing")?;
        Ok(u64::from(frames) * FRAME_ROW as u64
            + u64::from(chunks) * CHUNK_ROW as u64
            + TRAILER as u64)
    }

    /// The numbers of frames and chunks that a trailer tells.
    pub(super) fn counts(trailer: &[u8]) -> Option<(u32, u32)> {
        Some((u32_at(trailer, 0)?, u32_at(trailer, 4)?))
    }

    /// Reads what it can of tables that are known to be damaged. A row that makes no sense is left
    /// out where it can be, and nothing is certain of the others.
    pub(super) fn lenient(tables: &[u8], frames: usize) -> Self {
        let split = (frames * FRAME_ROW).min(tables.len());
        let (frame_table, chunk_table) = tables.split_at(split);
        let mut offset = HEADER as u32;
        let frame = |row: &[u8]| {
            let (stored, raw) = (u32_at(row, 0)?, u32_at(row, 4)?);
            let codec = Codec::from_code(row[8]).unwrap_or(Codec::Raw);
            let frame = FrameRow { offset, stored, raw, codec };
            offset = offset.saturating_add(stored);
            Some(frame)
        };
        Self {
            frames: frame_table.chunks_exact(FRAME_ROW).map_while(frame).collect(),
            chunks: chunk_table.chunks_exact(CHUNK_ROW).filter_map(chunk_row).collect(),
        }
    }

    /// Reads footer and trailer (`tail`) of a pack with this header and file length, and checks
    /// everything in them: checksum, order, and that every frame and chunk lies where it may.
    pub(super) fn decode(
        id: PackId,
        head: &[u8],
        tail: &[u8],
        file_len: u64,
    ) -> Result<Self, &'static str> {
        if head.get(..8) != Some(&MAGIC[..]) {
            return Err("it does not begin like a pack");
        }
        if head.get(8..10) != Some(&VERSION.to_le_bytes()[..]) {
            return Err("its version is unknown to this eart");
        }
        if head != header(id) {
            return Err("it carries another pack's name");
        }
        let split = tail.len().checked_sub(TRAILER).ok_or("its end is missing")?;
        let trailer = &tail[split..];
        if Self::len_from_trailer(trailer)? != tail.len() as u64 {
            return Err("its footer has another length than it says");
        }
        if checksum(head, &tail[..split + 16]).as_bytes() != &trailer[16..48] {
            return Err("its footer is damaged");
        }
        let frame_bytes = u32_at(trailer, 0).ok_or("its end is missing")? as usize * FRAME_ROW;
        let (frame_table, chunk_table) = tail[..split].split_at(frame_bytes);
        let mut frames = Vec::with_capacity(frame_table.len() / FRAME_ROW);
        let mut offset = HEADER as u64;
        for row in frame_table.chunks_exact(FRAME_ROW) {
            let (stored, raw) = (u32_at(row, 0).unwrap_or(0), u32_at(row, 4).unwrap_or(0));
            let codec = Codec::from_code(row[8]).ok_or("a frame's codec is unknown")?;
            if raw as usize > MAX_RAW || stored as usize > MAX_RAW {
                return Err("a frame is too large");
            }
            if raw == 0 || stored == 0 {
                return Err("a frame is empty");
            }
            let start = u32::try_from(offset).map_err(|_| "it is too large")?;
            frames.push(FrameRow { offset: start, stored, raw, codec });
            offset += u64::from(stored);
        }
        if offset + tail.len() as u64 != file_len {
            return Err("its frames have another length than its footer says");
        }
        let mut chunks: Vec<ChunkRow> = Vec::with_capacity(chunk_table.len() / CHUNK_ROW);
        for row in chunk_table.chunks_exact(CHUNK_ROW) {
            let chunk = chunk_row(row).ok_or("its footer is damaged")?;
            let frame = frames.get(chunk.frame as usize).ok_or("a chunk names no frame")?;
            if chunk.len == 0 {
                return Err("a chunk is empty");
            }
            if u64::from(chunk.offset) + u64::from(chunk.len) > u64::from(frame.raw) {
                return Err("a chunk reaches beyond its frame");
            }
            if chunks.last().is_some_and(|last| last.id >= chunk.id) {
                return Err("its chunks are out of order");
            }
            chunks.push(chunk);
        }
        Ok(Self { frames, chunks })
    }
}

/// A chunk row of a footer or an index; both have the same layout.
pub(super) fn chunk_row(row: &[u8]) -> Option<ChunkRow> {
    Some(ChunkRow {
        id: id_at(row, 0)?,
        frame: u32_at(row, 32)?,
        offset: u32_at(row, 36)?,
        len: u32_at(row, 40)?,
    })
}

fn checksum(head: &[u8], tables: &[u8]) -> blake3::Hash {
    blake3::Hasher::new().update(head).update(tables).finalize()
}
