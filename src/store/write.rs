//! Adding chunks: every thread fills frames of its own, all of them append to one pack.
//!
//! A chunk is stored once: the writer knows the index as it was at the start, and what its own
//! lanes have claimed since. Packs are synced and renamed by a thread of their own while the next
//! one fills; [`Writer::finish`] returns when everything is on disk.

use std::collections::HashSet;
use std::fs::File;
use std::hash::{BuildHasherDefault, Hasher};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::disk::{self, Folder, Temp};
use crate::id::{ChunkId, PackId};

use super::frame::{Builder, Compression, Encoder, Frame, MAX_RAW};
use super::pack::{ChunkRow, Footer, FrameRow, HEADER, header};
use super::{Error, Index, PACKS, Result, pack_name};

/// A pack is closed when it reaches this.
const PACK_TARGET: u64 = 64 << 20;

/// So many bytes are written before the disk is told to take them, so that closing a pack does
/// not wait for all of it at once.
const SYNC_EVERY: u64 = 8 << 20;

/// Ids are hashes already: their first bytes serve as they are.
#[derive(Debug, Default, Clone, Copy)]
pub struct IdHasher(u64);

/// Makes hash tables keyed by ids.
pub type IdHash = BuildHasherDefault<IdHasher>;

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            self.0 ^= u64::from_le_bytes(word);
        }
    }

    fn write_usize(&mut self, _: usize) {}
}

type Claims = HashSet<ChunkId, IdHash>;

/// Adds chunks to a store.
pub struct Writer {
    shared: Arc<Shared>,
    keeper: Option<JoinHandle<()>>,
    packs: Named,
}

/// Packs that have got their names; the list grows as they do.
pub type Named = Arc<Mutex<Vec<PackId>>>;

/// What a writer stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// Chunks that the store did not have.
    pub chunks: u64,
    /// Their length in bytes.
    pub raw: u64,
    /// Bytes that the packs grew by.
    pub stored: u64,
}

struct Shared {
    folder: Folder,
    index: Arc<Index>,
    claims: [Mutex<Claims>; 16],
    pack: Mutex<Option<Open>>,
    keeper: Mutex<Option<Sender<Job>>>,
    failed: Arc<Mutex<Option<Error>>>,
    chunks: AtomicU64,
    raw: AtomicU64,
    stored: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Writer {
    pub(super) fn new(folder: Folder, index: Arc<Index>) -> Self {
        let (sender, jobs) = channel();
        let failed = Arc::new(Mutex::new(None));
        let report = failed.clone();
        let packs = Named::default();
        let named = packs.clone();
        let keeper = std::thread::spawn(move || {
            if let Err(e) = keep(jobs, &named) {
                *lock(&report) = Some(e);
            }
        });
        let shared = Shared {
            folder,
            index,
            claims: Default::default(),
            pack: Mutex::new(None),
            keeper: Mutex::new(Some(sender)),
            failed,
            chunks: AtomicU64::new(0),
            raw: AtomicU64::new(0),
            stored: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared), keeper: Some(keeper), packs }
    }

    /// The packs of this writer that are in place. Once it was finished or dropped, no more come.
    pub fn packs(&self) -> Named {
        self.packs.clone()
    }

    /// A lane for one thread. Close it with [`Lane::close`] before [`Writer::finish`].
    pub fn lane(&self) -> Lane {
        Lane { shared: self.shared.clone(), encoder: Encoder::new(), builders: Vec::new() }
    }

    /// Bytes of packs written so far.
    pub fn stored(&self) -> u64 {
        self.shared.stored.load(Relaxed)
    }

    /// Makes everything that closed lanes added durable.
    ///
    /// # Errors
    ///
    /// When anything could not be written or synced; then the packs of this writer may or may not
    /// be there, and nothing may name their chunks.
    pub fn finish(mut self) -> Result<Written> {
        if let Some(open) = lock(&self.shared.pack).take() {
            self.shared.close(open)?;
        }
        drop(lock(&self.shared.keeper).take());
        if let Some(keeper) = self.keeper.take() {
            keeper.join().map_err(|_| Error::Lost)?;
        }
        if let Some(error) = lock(&self.shared.failed).take() {
            return Err(error);
        }
        // Even if none is ours: chunks that were found in another's new pack may be named by what
        // the caller writes next, and its name must be on disk before.
        self.shared.folder.sync_dir(PACKS)?;
        Ok(Written {
            chunks: self.shared.chunks.load(Relaxed),
            raw: self.shared.raw.load(Relaxed),
            stored: self.shared.stored.load(Relaxed),
        })
    }
}

impl Drop for Writer {
    /// After a failure: waits for the thread that syncs packs, so that no temporary file of it is
    /// left when the process ends.
    fn drop(&mut self) {
        drop(lock(&self.shared.pack).take());
        drop(lock(&self.shared.keeper).take());
        if let Some(keeper) = self.keeper.take() {
            drop(keeper.join());
        }
    }
}

/// One thread's way into a [`Writer`].
pub struct Lane {
    shared: Arc<Shared>,
    encoder: Encoder,
    builders: Vec<Builder>,
}

impl Lane {
    /// Stores a chunk unless the store has it. `id` must be the chunk's hash.
    ///
    /// # Errors
    ///
    /// When a full frame cannot be written.
    pub fn put(&mut self, id: ChunkId, bytes: &[u8], wish: Compression) -> Result<()> {
        debug_assert!(bytes.len() <= MAX_RAW && !bytes.is_empty());
        if !self.shared.claim(&id) {
            return Ok(());
        }
        let level = self.encoder.decide(bytes, wish);
        let builder = match self.builders.iter_mut().position(|b| b.level() == level) {
            Some(at) => &mut self.builders[at],
            None => {
                self.builders.push(Builder::new(level));
                let last = self.builders.len() - 1;
                &mut self.builders[last]
            }
        };
        if builder.is_full_for(bytes.len()) {
            builder.close(&mut self.encoder, |frame| self.shared.append(frame))?;
        }
        builder.push(id, bytes);
        Ok(())
    }

    /// Stores a frame as it lies in another pack: `rows` are its chunks, by offset, without gaps.
    /// Chunks that this writer has already are kept in it all the same.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn copy(&mut self, frame: &FrameRow, bytes: &[u8], rows: &[ChunkRow]) -> Result<()> {
        let chunks: Vec<(ChunkId, u32)> = rows.iter().map(|r| (r.id, r.len)).collect();
        for (id, _) in &chunks {
            self.shared.claim(id);
        }
        let (codec, raw_len) = (frame.codec, frame.raw);
        self.shared.append(Frame { codec, raw_len, bytes, chunks: &chunks })
    }

    /// Writes what is left in this lane.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn close(mut self) -> Result<()> {
        for builder in self.builders.iter_mut().filter(|b| !b.is_empty()) {
            builder.close(&mut self.encoder, |frame| self.shared.append(frame))?;
        }
        Ok(())
    }
}

impl Shared {
    /// Whether the chunk is new to the store and to this writer; it is then the caller's to add.
    fn claim(&self, id: &ChunkId) -> bool {
        let claims = &self.claims[usize::from(id.as_bytes()[31] & 15)];
        !self.index.contains(id) && lock(claims).insert(*id)
    }

    fn append(&self, frame: Frame<'_>) -> Result<()> {
        let mut pack = lock(&self.pack);
        let open = match &mut *pack {
            Some(open) => open,
            none => none.insert(Open::new(&self.folder)?),
        };
        open.append(&frame)?;
        self.chunks.fetch_add(frame.chunks.len() as u64, Relaxed);
        self.raw.fetch_add(u64::from(frame.raw_len), Relaxed);
        if open.len - open.synced >= SYNC_EVERY {
            open.synced = open.len;
            let path = self.folder.path(PACKS);
            let file = open.temp.file().try_clone().map_err(disk::Error::on("sync", &path))?;
            self.send(Job::Flush(file, path))?;
        }
        if open.len >= PACK_TARGET
            && let Some(open) = pack.take()
        {
            drop(pack);
            self.close(open)?;
        }
        Ok(())
    }

    fn close(&self, mut open: Open) -> Result<()> {
        // A frame that was copied whole may repeat a chunk; the footer names each once.
        open.footer.chunks.sort_unstable();
        open.footer.chunks.dedup_by_key(|chunk| chunk.id);
        let tail = open.footer.encode(open.id);
        open.temp.append(&tail)?;
        self.stored.fetch_add(open.len + tail.len() as u64, Relaxed);
        self.send(Job::Keep(open.temp, open.id))
    }

    fn send(&self, job: Job) -> Result<()> {
        // The receiver is gone only when it failed: the first to notice returns what it said.
        let sent = lock(&self.keeper).as_ref().is_some_and(|k| k.send(job).is_ok());
        if sent { Ok(()) } else { Err(lock(&self.failed).take().unwrap_or(Error::Lost)) }
    }
}

/// The pack that is being filled.
struct Open {
    id: PackId,
    temp: Temp,
    len: u64,
    synced: u64,
    footer: Footer,
}

impl Open {
    fn new(folder: &Folder) -> Result<Self> {
        let id = PackId::random()?;
        let mut temp = folder.temp()?;
        temp.append(&header(id))?;
        let footer = Footer { frames: Vec::new(), chunks: Vec::new() };
        Ok(Self { id, temp, len: HEADER as u64, synced: 0, footer })
    }

    fn append(&mut self, frame: &Frame<'_>) -> Result<()> {
        self.temp.append(frame.bytes)?;
        let number = self.footer.frames.len() as u32;
        self.footer.frames.push(FrameRow {
            offset: self.len as u32,
            stored: frame.bytes.len() as u32,
            raw: frame.raw_len,
            codec: frame.codec,
        });
        let mut offset = 0;
        for &(id, len) in frame.chunks {
            self.footer.chunks.push(ChunkRow { id, frame: number, offset, len });
            offset += len;
        }
        self.len += frame.bytes.len() as u64;
        Ok(())
    }
}

enum Job {
    /// Write out what the file has so far, so that less is left to wait for.
    Flush(File, PathBuf),
    /// Sync the pack and give it its name.
    Keep(Temp, PackId),
}

/// Syncs packs as they come and gives them their names.
fn keep(jobs: std::sync::mpsc::Receiver<Job>, named: &Mutex<Vec<PackId>>) -> Result<()> {
    for job in jobs {
        match job {
            // The system tells of a failed write once: what is not said here is never said.
            Job::Flush(file, path) => file.sync_data().map_err(disk::Error::on("sync", &path))?,
            Job::Keep(temp, id) => {
                temp.place(pack_name(id))?;
                lock(named).push(id);
            }
        }
    }
    Ok(())
}
