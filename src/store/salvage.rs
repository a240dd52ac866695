//! What can still be read of a damaged pack: rows of its footer without the footer's checksum, and
//! the rows that index segments have of it. Where the trailer is gone too, the tables are found by
//! the ids of chunks that should be there. Every chunk is checked by its own hash after that.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::disk;
use crate::id::{ChunkId, PackId};

use super::frame::MAX_RAW;
use super::pack::{CHUNK_ROW, FRAME_ROW, Footer, HEADER, TRAILER, chunk_row, u32_at};
use super::{Location, Result, Store, pack_name};

/// Bytes at the end of a pack in which its tables are looked for: over 300,000 chunks.
const SEARCHED: u64 = 16 << 20;
/// Places that are tried before the tables are given up.
const HITS: usize = 64;

/// How many frames the tables of a footer tell, and their bytes.
type Tables = (usize, Vec<u8>);

impl Store {
    /// Every chunk that a damaged pack may still hold and where. Nothing of it is checked but by
    /// [`Reader::at`](super::Reader::at). `known` tells the chunks that somebody needs.
    ///
    /// # Errors
    ///
    /// When the pack or the index cannot be read at all.
    pub fn salvage(
        &self,
        pack: PackId,
        known: impl Fn(&ChunkId) -> bool,
    ) -> Result<Vec<(ChunkId, Location)>> {
        let path = self.folder().path(pack_name(pack));
        let found = disk::open(&path).and_then(|file| match tables(&file)? {
            Some((tables, true)) => Ok(Some(tables)),
            // What counts that are wrong lead to is better than nothing.
            told => Ok(searched(&file, known)?.or(told.map(|(tables, _)| tables))),
        });
        let tables = match found {
            Err(e) if disk::is_damage(&e) => None,
            other => other.map_err(disk::Error::on("read", &path))?,
        };
        let mut rows: Vec<_> = self.index()?.chunks().filter(|(_, l)| l.pack == pack).collect();
        if let Some((frames, tables)) = tables {
            let footer = Footer::lenient(&tables, frames);
            rows.extend(footer.chunks.iter().filter_map(|c| {
                let frame = *footer.frames.get(c.frame as usize)?;
                Some((c.id, Location { pack, frame, offset: c.offset, len: c.len }))
            }));
        }
        rows.sort_unstable_by_key(|(id, l)| (l.frame.offset, l.offset, *id));
        rows.dedup();
        Ok(rows)
    }
}

/// Fills `out`, which is zero, with bytes of the file but for what the disk cannot read.
fn read_what_can_be(file: &File, out: &mut [u8], at: u64) -> io::Result<()> {
    const PART: u64 = 4096;
    match file.read_exact_at(out, at) {
        Err(e) if disk::is_damage(&e) => {}
        other => return other,
    }
    out.fill(0);
    let (mut at, mut rest) = (at, out);
    while !rest.is_empty() {
        // Parts end where sectors do.
        let len = rest.len().min((PART - at % PART) as usize);
        let (part, behind) = rest.split_at_mut(len);
        match file.read_exact_at(part, at) {
            Err(e) if disk::is_damage(&e) => part.fill(0),
            other => other?,
        }
        (at, rest) = (at + len as u64, behind);
    }
    Ok(())
}

/// The tables if the trailer's counts fit the file, and whether the frames are as long as they say.
fn tables(file: &File) -> io::Result<Option<(Tables, bool)>> {
    let len = file.metadata()?.len();
    let Some(end) = len.checked_sub(TRAILER as u64) else { return Ok(None) };
    let mut trailer = [0; TRAILER];
    read_what_can_be(file, &mut trailer, end)?;
    let Some((frames, chunks)) = Footer::counts(&trailer) else { return Ok(None) };
    let size = u64::from(frames) * FRAME_ROW as u64 + u64::from(chunks) * CHUNK_ROW as u64;
    let Some(start) = end.checked_sub(size) else { return Ok(None) };
    let mut bytes = vec![0; size as usize];
    read_what_can_be(file, &mut bytes, start)?;
    // Counts may only happen to fit.
    let whole = frames_before(&bytes, frames as usize * FRAME_ROW, start, Some(frames as usize));
    Ok(Some(((frames as usize, bytes), whole.is_some())))
}

/// The same where the trailer tells nothing. The last id of a chunk that is known stands in the
/// chunk table; its neighbours are the rows whose ids are in order, and the frame table before them
/// is the one whose lengths add up to where it begins.
fn searched(file: &File, known: impl Fn(&ChunkId) -> bool) -> io::Result<Option<(usize, Vec<u8>)>> {
    let len = file.metadata()?.len();
    let base = len.saturating_sub(SEARCHED);
    let mut tail = vec![0; (len - base) as usize];
    read_what_can_be(file, &mut tail, base)?;
    let row = |at: usize| {
        let row = chunk_row(tail.get(at..at.checked_add(CHUNK_ROW)?)?)?;
        let fits = u64::from(row.offset) + u64::from(row.len) <= MAX_RAW as u64 && row.len > 0;
        fits.then_some(row)
    };
    let hits = (0..tail.len()).rev().filter(|at| row(*at).is_some_and(|row| known(&row.id)));
    for hit in hits.take(HITS) {
        let in_order = |a: usize, b: usize| match (row(a), row(b)) {
            (Some(a), Some(b)) => a.id < b.id,
            _ => false,
        };
        let mut end = hit;
        while in_order(end, end + CHUNK_ROW) {
            end += CHUNK_ROW;
        }
        end += CHUNK_ROW;
        // Rows of frames may pass for rows of chunks, so each place is tried as the first.
        let mut start = hit;
        loop {
            if let Some(frames) = frames_before(&tail, start, base + start as u64, None) {
                let tables = tail.get(start - frames * FRAME_ROW..end).unwrap_or_default();
                return Ok(Some((frames, tables.to_vec())));
            }
            match start.checked_sub(CHUNK_ROW) {
                Some(before) if in_order(before, start) => start = before,
                _ => break,
            }
        }
    }
    Ok(None)
}

/// How many rows before `end` in `bytes` are a frame table whose lengths add up to where it begins;
/// exactly `count` if that is given. `place` is where `end` lies in the pack, or where the table
/// begins if `count` is given.
fn frames_before(bytes: &[u8], end: usize, place: u64, count: Option<usize>) -> Option<usize> {
    let mut sum = HEADER as u64;
    let mut rows = 0;
    for row in bytes.get(..end)?.rchunks_exact(FRAME_ROW) {
        let (stored, raw) = (u32_at(row, 0)? as usize, u32_at(row, 4)? as usize);
        if stored > MAX_RAW || raw > MAX_RAW || row.get(9..) != Some(&[0; 3]) {
            return None;
        }
        rows += 1;
        sum += stored as u64;
        let begins = match count {
            Some(_) => place,
            None => place.checked_sub((rows * FRAME_ROW) as u64)?,
        };
        match count {
            Some(count) if rows < count => {}
            _ if sum == begins => return Some(rows),
            _ if sum > begins => return None,
            _ => {}
        }
    }
    None
}
