//! What can still be read of a damaged pack: rows of its footer without the footer's checksum, and
//! the rows that index segments have of it. Every chunk is checked by its own hash after that.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::disk;
use crate::id::{ChunkId, PackId};

use super::pack::{CHUNK_ROW, FRAME_ROW, Footer, TRAILER};
use super::{Location, Result, Store, pack_name};

impl Store {
    /// Every chunk that a damaged pack may still hold and where. Nothing of it is checked but by
    /// [`Reader::at`](super::Reader::at).
    ///
    /// # Errors
    ///
    /// When the pack or the index cannot be read at all.
    pub fn salvage(&self, pack: PackId) -> Result<Vec<(ChunkId, Location)>> {
        let path = self.folder().path(pack_name(pack));
        let tables = File::open(&path)
            .and_then(|file| tables(&file))
            .map_err(disk::Error::on("read", &path))?;
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

/// The bytes of a footer's tables and how many frames they tell, if the trailer's counts fit the
/// file.
fn tables(file: &File) -> io::Result<Option<(usize, Vec<u8>)>> {
    let len = file.metadata()?.len();
    let Some(end) = len.checked_sub(TRAILER as u64) else { return Ok(None) };
    let mut trailer = [0; TRAILER];
    file.read_exact_at(&mut trailer, end)?;
    let Some((frames, chunks)) = Footer::counts(&trailer) else { return Ok(None) };
    let size = u64::from(frames) * FRAME_ROW as u64 + u64::from(chunks) * CHUNK_ROW as u64;
    let Some(start) = end.checked_sub(size) else { return Ok(None) };
    let mut bytes = vec![0; size as usize];
    file.read_exact_at(&mut bytes, start)?;
    Ok(Some((frames as usize, bytes)))
}
