//! The way of file contents into the store: read, cut, hash, claim, compress, append.
//!
//! Files are taken in path order, a batch at a time, by as many threads as there are; each fills
//! frames of its own, so that neighbours share a frame. Memory stays flat in the size of files.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::chunk::{Cutter, Params};
use crate::id::{ChunkId, FileId};
use crate::manifest::{ChunkList, ChunkRef};
use crate::path::RelPath;
use crate::progress::{Monitor, Problem};
use crate::store::{Compression, Lane, Writer};
use crate::work::classify::{Detected, classify};
use crate::work::read::{Opener, fill, stat_of};
use crate::work::stat::Stat;

use super::batch::Batches;
use super::check::{Check, Inspected};
use super::{Error, Result};

/// Bytes of a file in memory at once; most files are read whole.
const WINDOW: usize = 8 << 20;
/// Windows from here on are hashed and chunked by two threads.
const SPLIT: usize = 2 << 20;
/// Bytes at the start of a file that its type is told from.
const HEAD: usize = 4096;

/// A file to read.
pub(super) struct Job {
    /// Where it goes in the run.
    pub(super) path: RelPath,
    /// Where it lies.
    pub(super) source: PathBuf,
    /// What `stat` said when it was found.
    pub(super) stat: Stat,
}

/// What became of a file.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) id: FileId,
    /// Bytes that were read; the id is theirs.
    pub(super) size: u64,
    pub(super) stat: Stat,
    /// Whether the file held still while it was read.
    pub(super) steady: bool,
    /// Whether it is an archive or report that is broken: it is read, and named, each time.
    pub(super) broken: bool,
    /// Only for files of two or more chunks.
    pub(super) chunks: Option<ChunkList>,
    pub(super) detected: Detected,
}

/// How to store a file's chunks, by what it is.
pub(super) type Policy<'a> = dyn Fn(&Detected) -> Compression + Sync + 'a;

/// Reads `jobs` into the store. The answer has one place for each job, empty where the file
/// could not be read; the monitor was told why.
///
/// # Errors
///
/// When the store cannot be written, or the user interrupts.
pub(super) fn ingest(
    jobs: &[Job],
    writer: &Writer,
    policy: &Policy<'_>,
    monitor: &dyn Monitor,
) -> Result<Vec<Option<Taken>>> {
    let batches = Batches::new(jobs.iter().map(|job| job.stat.size));
    let stop = AtomicBool::new(false);
    let outcomes = Mutex::new(Vec::new());
    let failures = Mutex::new(Vec::new());
    let work = || {
        let mut worker = Worker::new(writer.lane(), policy, monitor);
        let outcome = (|| {
            while let Some(range) = batches.take() {
                let mut taken = Vec::with_capacity(range.len());
                for job in &jobs[range.clone()] {
                    if stop.load(Relaxed) || monitor.interrupted() {
                        return Err(Error::Interrupted);
                    }
                    taken.push(worker.take(job)?);
                }
                lock(&outcomes).push((range.start, taken));
            }
            worker.lane.close().map_err(Error::from)
        })();
        if let Err(e) = outcome {
            stop.store(true, Relaxed);
            lock(&failures).push(e);
        }
    };
    rayon::scope(|scope| {
        for _ in 0..rayon::current_num_threads() {
            scope.spawn(|_| work());
        }
    });
    // Of several failures, one thread's own reason says more than that it had to stop.
    let mut failures = failures.into_inner().unwrap_or_else(|e| e.into_inner());
    failures.sort_by_key(|e| match e {
        Error::Interrupted => 2,
        Error::Store(crate::store::Error::Lost) => 1,
        _ => 0,
    });
    if let Some(first) = failures.into_iter().next() {
        return Err(first);
    }
    let mut outcomes = outcomes.into_inner().unwrap_or_else(|e| e.into_inner());
    outcomes.sort_unstable_by_key(|(start, _)| *start);
    Ok(outcomes.into_iter().flat_map(|(_, taken)| taken).collect())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

struct Worker<'a> {
    lane: Lane,
    policy: &'a Policy<'a>,
    monitor: &'a dyn Monitor,
    opener: Opener,
    window: Vec<u8>,
}

/// What one reading of a file gave.
struct Reading {
    taken: Taken,
    /// What is wrong with it as an archive or report.
    broken: Option<String>,
}

impl<'a> Worker<'a> {
    fn new(lane: Lane, policy: &'a Policy<'a>, monitor: &'a dyn Monitor) -> Self {
        Self { lane, policy, monitor, opener: Opener::default(), window: Vec::new() }
    }

    /// Reads a file, once more if it changed meanwhile. `None` when there is nothing to keep.
    fn take(&mut self, job: &Job) -> Result<Option<Taken>> {
        let mut reading = self.read(job, Some(job.stat));
        if reading.as_ref().is_ok_and(|r| !r.taken.steady) {
            reading = self.read(job, None);
        }
        let tell = |what: String| self.monitor.problem(Problem::at(&job.path, what));
        match reading {
            Ok(reading) => {
                if !reading.taken.steady {
                    tell("changed while it was read; kept as it was read last".into());
                }
                reading.broken.map(tell);
                Ok(Some(reading.taken))
            }
            Err(Failure::Source(e)) => {
                tell(match e.kind() {
                    io::ErrorKind::NotFound => "vanished before it was read".into(),
                    io::ErrorKind::InvalidInput => "is no regular file any more; left out".into(),
                    _ => format!("could not be read ({e}); left out"),
                });
                Ok(None)
            }
            Err(Failure::Ours(e)) => Err(e),
        }
    }

    /// Reads a file whose stat was `before`; without it, it is looked at once it is open.
    fn read(&mut self, job: &Job, before: Option<Stat>) -> std::result::Result<Reading, Failure> {
        let file = self.opener.open(&job.source).map_err(Failure::Source)?;
        let before = before.map_or_else(|| stat_of(&file), Ok).map_err(Failure::Source)?;
        self.window.clear();
        // One byte more than expected, so that one read also finds the end.
        let want = usize::try_from(before.size).unwrap_or(WINDOW).min(WINDOW - 1) + 1;
        let ended = fill(&file, &mut self.window, want, before.size).map_err(Failure::Source)?;
        let head = &self.window[..self.window.len().min(HEAD)];
        let detected = classify(&job.path, head);
        let wish = (self.policy)(&detected);
        let inspected = match ended {
            true => {
                let size = self.window.len() as u64;
                Inspected::of(&job.path, head, &detected, &self.window[..], size)
            }
            false => Inspected::of(&job.path, head, &detected, &file, before.size),
        };
        let (cut, mut check) = (!inspected.boundaries.is_empty(), inspected.check);
        let mut pieces = Pieces::new(inspected.boundaries, wish);
        let (id, length) = if ended && !cut && self.window.len() <= Params::V1.min() {
            self.monitor.advance(self.window.len() as u64);
            check.feed(&self.window);
            (pieces.whole(&mut self.lane, &self.window)?, self.window.len() as u64)
        } else {
            self.stream(&file, before.size, ended, &mut pieces, &mut check)?
        };
        let after = stat_of(&file).map_err(Failure::Source)?;
        let broken = check.finish();
        Ok(Reading {
            taken: Taken {
                broken: broken.is_some(),
                id,
                size: length,
                stat: after,
                steady: before == after && length == after.size,
                chunks: pieces.list(),
                detected,
            },
            broken,
        })
    }

    /// Takes a file window by window; its id and length.
    fn stream(
        &mut self,
        file: &File,
        size: u64,
        mut ended: bool,
        pieces: &mut Pieces,
        check: &mut Check,
    ) -> std::result::Result<(FileId, u64), Failure> {
        let mut hasher = blake3::Hasher::new();
        let (mut length, mut hashed) = (0, 0);
        loop {
            let (window, lane) = (&self.window[..], &mut self.lane);
            let fresh = &window[hashed..];
            length += fresh.len() as u64;
            self.monitor.advance(fresh.len() as u64);
            let used = if window.len() >= SPLIT {
                let look = || {
                    hasher.update(fresh);
                    check.feed(fresh);
                };
                rayon::join(|| pieces.cut(lane, window, ended), look).0?
            } else {
                hasher.update(fresh);
                check.feed(fresh);
                pieces.cut(lane, window, ended)?
            };
            if ended {
                return Ok((FileId::from(hasher.finalize()), length));
            }
            if self.monitor.interrupted() {
                return Err(Failure::Ours(Error::Interrupted));
            }
            self.window.drain(..used);
            hashed = self.window.len();
            let left = size.saturating_sub(length);
            ended = fill(file, &mut self.window, WINDOW, left).map_err(Failure::Source)?;
        }
    }
}

enum Failure {
    /// The user's file.
    Source(io::Error),
    /// The store, or an interruption.
    Ours(Error),
}

impl From<crate::store::Error> for Failure {
    fn from(e: crate::store::Error) -> Self {
        Self::Ours(e.into())
    }
}

/// The chunks of one file as they are cut.
struct Pieces {
    cutter: Cutter,
    wish: Compression,
    chunks: Vec<ChunkRef>,
}

impl Pieces {
    fn new(boundaries: Vec<u64>, wish: Compression) -> Self {
        Self { cutter: Cutter::new(&Params::V1, boundaries), wish, chunks: Vec::new() }
    }

    /// A file that is one chunk at most.
    fn whole(&mut self, lane: &mut Lane, bytes: &[u8]) -> std::result::Result<FileId, Failure> {
        let id = ChunkId::of(bytes);
        if !bytes.is_empty() {
            lane.put(id, bytes, self.wish)?;
        }
        Ok(id.into())
    }

    /// Stores every chunk whose end is certain; how many bytes those were.
    fn cut(
        &mut self,
        lane: &mut Lane,
        window: &[u8],
        ended: bool,
    ) -> std::result::Result<usize, Failure> {
        let mut used = 0;
        while let Some(len) = self.cutter.next(&window[used..], ended) {
            let bytes = &window[used..used + len];
            let id = ChunkId::of(bytes);
            lane.put(id, bytes, self.wish)?;
            self.chunks.push(ChunkRef { id, len: len as u32 });
            used += len;
        }
        Ok(used)
    }

    fn list(self) -> Option<ChunkList> {
        (self.chunks.len() > 1).then(|| self.chunks.into())
    }
}
