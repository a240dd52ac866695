//! Reading chunks back, each checked against its id.
//!
//! Packs are read, never mapped, so memory stays flat in their size. A reader keeps the frames it
//! decoded last: files of one folder lie in few frames.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::disk::{self, Folder};
use crate::id::{ChunkId, PackId};

use super::frame::{Codec, Decoder, MAX_RAW};
use super::index::{UNREADABLE, list_packs};
use super::pack::{ChunkRow, Footer, FrameRow};
use super::segment::Location;
use super::{Error, Index, Result, pack_name};

/// Decoded frames a reader keeps, at about 2 MiB each.
const FRAMES: usize = 8;
/// Open packs that readers share.
const FILES: usize = 64;

/// Reads chunks of a store; one a thread, see [`Reader::fork`].
pub struct Reader {
    shared: Arc<Shared>,
    decoder: Decoder,
    frames: Vec<Decoded>,
    next: usize,
    stored: Vec<u8>,
    raw: Vec<u8>,
}

struct Shared {
    folder: Folder,
    index: RwLock<Arc<Index>>,
    /// The index as the packs tell it, once it was needed.
    footers: Mutex<Option<Arc<Index>>>,
    files: Mutex<HashMap<PackId, Arc<File>>>,
}

struct Decoded {
    /// Which frame it is; `None` while it is not whole.
    frame: Option<(PackId, FrameRow)>,
    bytes: Vec<u8>,
}

impl Reader {
    pub(super) fn new(folder: Folder, index: Arc<Index>) -> Self {
        Self::over(Arc::new(Shared {
            folder,
            index: RwLock::new(index),
            footers: Mutex::new(None),
            files: Mutex::new(HashMap::new()),
        }))
    }

    fn over(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            decoder: Decoder::new(),
            frames: Vec::new(),
            next: 0,
            stored: Vec::new(),
            raw: Vec::new(),
        }
    }

    /// A reader for another thread; open packs and the index are shared with it.
    pub fn fork(&self) -> Self {
        Self::over(self.shared.clone())
    }

    /// The index this reader looks things up in.
    pub fn index(&self) -> Arc<Index> {
        self.shared.index.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The bytes of a chunk, checked against its id.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] when no pack has it, [`Error::Damaged`] when a pack has other bytes in
    /// its place.
    pub fn chunk(&mut self, id: &ChunkId) -> Result<&[u8]> {
        let index = self.index();
        let place = match self.find(&index, id) {
            Err(e) if e.may_be_stale() => self.find_anew(id, index, e)?,
            other => other?,
        };
        Ok(self.held(&place))
    }

    /// Looks a chunk up again after a `failure`: gc may have moved it since the index was read, and
    /// where a segment of the index is damaged, the packs themselves still say what they hold.
    fn find_anew(
        &mut self,
        id: &ChunkId,
        mut index: Arc<Index>,
        mut failure: Error,
    ) -> Result<Held> {
        let shared = self.shared.clone();
        let newer = self.index();
        if !Arc::ptr_eq(&index, &newer) {
            // Another thread met the same and has read it again.
            index = newer;
            match self.find(&index, id) {
                Err(e) if e.may_be_stale() => failure = e,
                other => return other,
            }
        }
        // Packs never change: the same packs hold the same chunks. Each round gc removed one more.
        for _ in 0..16 {
            if index.packs() == list_packs(&shared.folder)? {
                break;
            }
            index = Arc::new(Index::load(&shared.folder)?);
            *shared.index.write().unwrap_or_else(PoisonError::into_inner) = index.clone();
            match self.find(&index, id) {
                Err(e) if e.may_be_stale() => failure = e,
                other => return other,
            }
        }
        if !index.has_segments() {
            return Err(failure);
        }
        let footers = {
            let mut kept = shared.footers.lock().unwrap_or_else(PoisonError::into_inner);
            match &*kept {
                Some(footers) if footers.packs() == index.packs() => footers.clone(),
                _ => kept.insert(Arc::new(Index::of_footers(&shared.folder)?)).clone(),
            }
        };
        self.find(&footers, id).map_err(|_| failure)
    }

    /// Loads a chunk from the first of its places that has it whole.
    fn find(&mut self, index: &Index, id: &ChunkId) -> Result<Held> {
        let mut failure = Error::Missing(*id);
        for place in index.places(id) {
            match self.load(id, &place) {
                Ok(held) => return Ok(held),
                Err(e) => failure = e,
            }
        }
        Err(failure)
    }

    /// The bytes of a chunk at a place that need not be in the index, checked against its id.
    ///
    /// # Errors
    ///
    /// When other bytes, or none, lie there.
    pub fn at(&mut self, id: &ChunkId, place: &Location) -> Result<&[u8]> {
        let held = self.load(id, place)?;
        Ok(self.held(&held))
    }

    fn held(&self, held: &Held) -> &[u8] {
        match held {
            Held::Frame { slot, from, to } => &self.frames[*slot].bytes[*from..*to],
            Held::Raw => &self.raw,
        }
    }

    /// Brings a chunk into memory and checks it.
    fn load(&mut self, id: &ChunkId, place: &Location) -> Result<Held> {
        let damaged = |reason: &str| Error::Damaged { pack: place.pack, reason: reason.into() };
        let (from, len) = (place.offset as usize, place.len as usize);
        let to = from.saturating_add(len);
        let frame = &place.frame;
        if to > frame.raw as usize || frame.raw.max(frame.stored) as usize > MAX_RAW {
            return Err(damaged("the index points outside a frame"));
        }
        let held = if place.frame.codec == Codec::Raw {
            let at = u64::from(place.frame.offset) + u64::from(place.offset);
            read_at(&self.shared, place.pack, at, len, &mut self.raw)?;
            Held::Raw
        } else {
            Held::Frame { slot: self.frame(place.pack, &place.frame)?, from, to }
        };
        if ChunkId::of(self.held(&held)) != *id {
            return Err(damaged("a chunk has other bytes than its id says"));
        }
        Ok(held)
    }

    /// The slot that holds a decoded frame, after decoding it if need be.
    fn frame(&mut self, pack: PackId, row: &FrameRow) -> Result<usize> {
        let held = |f: &Decoded| f.frame == Some((pack, *row));
        if let Some(slot) = self.frames.iter().position(held) {
            return Ok(slot);
        }
        read_at(&self.shared, pack, row.offset.into(), row.stored as usize, &mut self.stored)?;
        let mut bytes = if self.frames.len() < FRAMES {
            Vec::new()
        } else {
            std::mem::take(&mut self.frames[self.next].bytes)
        };
        let decoded = self.decoder.decode(row.codec, &self.stored, row.raw as usize, &mut bytes);
        let slot = self.next;
        // What is half decoded must not be taken for the frame.
        let frame = Decoded { frame: decoded.is_ok().then_some((pack, *row)), bytes };
        if slot < self.frames.len() {
            self.frames[slot] = frame;
        } else {
            self.frames.push(frame);
        }
        self.next = (slot + 1) % FRAMES;
        decoded.map_err(|reason| Error::Damaged { pack, reason: reason.into() })?;
        Ok(slot)
    }

    /// The stored bytes of a frame as they are, after each of its `chunks` was checked.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] when a chunk is not what its id says.
    pub fn verified(&mut self, pack: PackId, row: &FrameRow, chunks: &[ChunkRow]) -> Result<&[u8]> {
        match self.damaged_of(pack, row, chunks)?.is_empty() {
            true => Ok(&self.stored),
            false => Err(Error::Damaged { pack, reason: "a frame has other bytes".into() }),
        }
    }

    /// Reads a frame and finds which of its `chunks` are not what their ids say.
    fn damaged_of(
        &mut self,
        pack: PackId,
        row: &FrameRow,
        chunks: &[impl std::borrow::Borrow<ChunkRow>],
    ) -> Result<Vec<ChunkId>> {
        let (at, len) = (row.offset.into(), row.stored as usize);
        let whole = match read_at(&self.shared, pack, at, len, &mut self.stored) {
            Ok(()) => {
                let raw = row.raw as usize;
                self.decoder.decode(row.codec, &self.stored, raw, &mut self.raw).is_ok()
            }
            Err(Error::Damaged { .. }) => false,
            Err(e) => return Err(e),
        };
        let good = |r: &ChunkRow| {
            let bytes = self.raw.get(r.offset as usize..r.offset as usize + r.len as usize);
            whole && bytes.is_some_and(|b| ChunkId::of(b) == r.id)
        };
        let chunks = chunks.iter().map(std::borrow::Borrow::borrow);
        Ok(chunks.filter(|r| !good(r)).map(|r| r.id).collect())
    }

    /// Reads every byte of a pack's frames and returns the chunks that are not what their ids say,
    /// each once, sorted.
    ///
    /// # Errors
    ///
    /// When the pack is gone or may not be read. A part that the disk cannot give back is damaged.
    pub fn check(&mut self, pack: PackId, footer: &Footer) -> Result<Vec<ChunkId>> {
        let mut rows: Vec<&ChunkRow> = footer.chunks.iter().collect();
        rows.sort_unstable_by_key(|r| (r.frame, r.offset));
        let mut bad = Vec::new();
        for same in rows.chunk_by(|a, b| a.frame == b.frame) {
            let Some(row) = same.first().and_then(|r| footer.frames.get(r.frame as usize)) else {
                continue;
            };
            bad.extend(self.damaged_of(pack, row, same)?);
        }
        bad.sort_unstable();
        Ok(bad)
    }
}

enum Held {
    Frame { slot: usize, from: usize, to: usize },
    Raw,
}

/// Reads `len` bytes of a pack into `out`. No frame is longer than [`MAX_RAW`]: what names a place
/// in a pack was checked for that.
fn read_at(shared: &Shared, pack: PackId, at: u64, len: usize, out: &mut Vec<u8>) -> Result<()> {
    let damaged = |reason: &str| Error::Damaged { pack, reason: reason.into() };
    let file = match open(shared, pack) {
        Err(Error::Disk(e)) if e.is_damage() => return Err(damaged(UNREADABLE)),
        other => other?,
    };
    // What it holds from before is overwritten, not cleared first.
    out.resize(len, 0);
    match file.read_exact_at(out, at) {
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Err(damaged("it is cut off")),
        Err(e) if disk::is_damage(&e) => Err(damaged("the disk cannot read a part of it")),
        other => Ok(other.map_err(disk::Error::on("read", &shared.folder.path(pack_name(pack))))?),
    }
}

fn open(shared: &Shared, pack: PackId) -> Result<Arc<File>> {
    let mut files = shared.files.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(file) = files.get(&pack) {
        return Ok(file.clone());
    }
    let file = Arc::new(shared.folder.open(pack_name(pack))?);
    if files.len() >= FILES {
        files.clear();
    }
    files.insert(pack, file.clone());
    Ok(file)
}

impl Error {
    /// Whether another index may know better.
    fn may_be_stale(&self) -> bool {
        match self {
            Self::Missing(_) | Self::Damaged { .. } => true,
            Self::Disk(e) => e.is_not_found(),
            _ => false,
        }
    }
}
