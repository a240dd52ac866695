//! `checkout`: a run's files back onto disk, with modes and times.
//!
//! First a plan (what to write, what is there already, what is in the way), then the writing. Files
//! are written in the order their chunks lie in the packs, so that every frame is decoded once.

mod plan;

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use plan::{Job, Plan};

use super::batch::Batches;
use super::select::Selection;
use super::{Error, Repo, Result};
use crate::id::{ChunkId, FileId, RunId};
use crate::manifest::Node;
use crate::path::RelPath;
use crate::progress::{Monitor, Problem};
use crate::store::Reader;
use crate::work::restore::{Target, Was};

/// Bytes of a large file in memory at once.
const WINDOW: usize = 1 << 20;

/// What to write back, and where.
#[derive(Debug, Clone)]
pub struct CheckoutOptions {
    /// Paths and globs; everything when there are none.
    pub paths: Vec<OsString>,
    /// The folder to write into; made if need be.
    pub to: PathBuf,
    /// Whether files that differ are overwritten, and folders that were there get the modes and
    /// times of the run.
    pub force: bool,
}

/// What a checkout did.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct CheckedOut {
    /// Files written.
    pub files: u64,
    /// Their length in bytes.
    pub bytes: u64,
    /// Symbolic links written.
    pub links: u64,
    /// Folders given their modes and times: those that were not there before, or all by force.
    pub dirs: u64,
    /// Files that were there with the same content.
    pub unchanged: u64,
    /// Symbolic links that were there and point to the same.
    pub unchanged_links: u64,
    /// Files, links and folders that could not be restored.
    pub failed: u64,
}

impl Repo {
    /// Writes files of a run back. What cannot be restored goes to the monitor and is counted, and
    /// the rest is written.
    ///
    /// # Errors
    ///
    /// When nothing matches, when something is in the way (nothing is written then), or when the
    /// target takes nothing more.
    pub fn checkout(
        &self,
        run: RunId,
        options: &CheckoutOptions,
        monitor: &dyn Monitor,
    ) -> Result<CheckedOut> {
        let manifest = self.manifest(run)?;
        let named = |path: &RelPath| manifest.entries_within(path).next().is_some();
        let entries = Selection::literal_first(&options.paths, named)?.entries(&manifest)?;
        let reader = self.store.reader()?;
        let failed = |source| Error::Write { path: options.to.clone(), source };
        let there = match Target::open(&options.to) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            opened => Some(opened.map_err(failed)?),
        };
        let store = self.folder.root();
        let plan = Plan::new(&manifest, entries, there.as_ref(), &reader, options, store, monitor)?;
        drop(manifest);
        // Made only now: what is refused leaves nothing behind.
        let mut target = match there {
            Some(target) => target,
            None => Target::create(&options.to).map_err(failed)?,
        };
        let report = Report { to: &options.to, monitor, failed: AtomicU64::new(0) };
        monitor.begin("Checking out", Some(plan.files.iter().map(|j| j.entry.size()).sum()));
        let mut were = HashMap::new();
        for dir in &plan.parents {
            let path = RelPath::new(&dir[..])?;
            let made = target.make_dir(dir, plan.is_recorded(dir));
            if let Some(was) = report.take(&path, made)? {
                were.insert(path, was);
            }
        }
        for entry in &plan.same {
            report.take(&entry.path, target.touch(&entry.path, entry.mode, entry.mtime))?;
        }
        for entry in &plan.same_links {
            report.take(&entry.path, target.touch_link(&entry.path, entry.mtime))?;
        }
        let mut done = write_files(&plan.files, &target, &reader, &report)?;
        for (entry, replace) in &plan.links {
            if let Node::Symlink { target: text } = &entry.node {
                let room = if *replace { target.remove(&entry.path) } else { Ok(()) };
                let made = room.and_then(|()| target.link(&entry.path, text, entry.mtime));
                done.links += u64::from(report.take(&entry.path, made)?.is_some());
            }
        }
        // Deepest first: writing into a folder changes its time, and its mode may forbid it.
        for entry in plan.dirs.iter().rev() {
            let was = were.get(&entry.path).copied().unwrap_or(Was::There);
            let meta = (entry.mode, entry.mtime);
            let given = target.finish_dir(&entry.path, meta, options.force, was);
            done.dirs += u64::from(report.take(&entry.path, given)?.unwrap_or(false));
        }
        monitor.end();
        done.unchanged = plan.same.len() as u64;
        done.unchanged_links = plan.same_links.len() as u64;
        done.failed = report.failed.into_inner();
        Ok(done)
    }
}

/// Tells of what could not be restored.
struct Report<'a> {
    to: &'a Path,
    monitor: &'a dyn Monitor,
    failed: AtomicU64,
}

impl Report<'_> {
    /// What came of it, if it was done. What concerns one path is a problem; a target that takes
    /// nothing more is an error.
    fn take<T>(&self, path: &RelPath, done: io::Result<T>) -> Result<Option<T>> {
        match done {
            Ok(done) => Ok(Some(done)),
            Err(source) if is_full(&source) => {
                Err(Error::Write { path: self.to.join(path.as_path()), source })
            }
            Err(e) => {
                self.lost(path, &e);
                Ok(None)
            }
        }
    }

    fn lost(&self, path: &RelPath, why: &dyn std::error::Error) {
        self.failed.fetch_add(1, Relaxed);
        let mut what = format!("could not be restored: {why}");
        let mut cause = why.source();
        while let Some(e) = cause {
            what.push_str(&format!(": {e}"));
            cause = e.source();
        }
        self.monitor.problem(Problem::at(path, what));
    }
}

fn is_full(e: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(e.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem)
}

fn write_files(
    jobs: &[Job],
    target: &Target,
    reader: &Reader,
    report: &Report<'_>,
) -> Result<CheckedOut> {
    let batches = Batches::new(jobs.iter().map(|job| job.entry.size()));
    let (files, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
    let fatal: Mutex<Option<Error>> = Mutex::new(None);
    let work = || {
        let mut writer = FileWriter { target: target.fork(), reader: reader.fork(), report };
        while let Some(range) = batches.take() {
            for job in &jobs[range] {
                match writer.write_or_report(job) {
                    Ok(true) => {
                        files.fetch_add(1, Relaxed);
                        bytes.fetch_add(job.entry.size(), Relaxed);
                    }
                    Ok(false) => {}
                    Err(e) => {
                        batches.stop();
                        fatal.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(e);
                        return;
                    }
                }
            }
        }
    };
    rayon::scope(|scope| {
        for _ in 0..rayon::current_num_threads() {
            scope.spawn(|_| work());
        }
    });
    match fatal.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(e) => Err(e),
        None => Ok(CheckedOut {
            files: files.into_inner(),
            bytes: bytes.into_inner(),
            ..CheckedOut::default()
        }),
    }
}

/// Why a file was not written.
enum Failure {
    /// Its content is not to be had.
    Chunk(crate::store::Error),
    /// Its content is not what its id says.
    Other,
    /// The target did not take it.
    Target(io::Error),
    /// The user wants no more.
    Interrupted,
}

/// Chunks that are each whole, but not the file.
#[derive(Debug, thiserror::Error)]
#[error("its chunks are not the file its id says")]
struct OtherFile;

impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Self {
        Self::Target(e)
    }
}

impl From<crate::store::Error> for Failure {
    fn from(e: crate::store::Error) -> Self {
        Self::Chunk(e)
    }
}

struct FileWriter<'a> {
    target: Target,
    reader: Reader,
    report: &'a Report<'a>,
}

impl FileWriter<'_> {
    /// Whether the file was written.
    fn write_or_report(&mut self, job: &Job) -> Result<bool> {
        let path = &job.entry.path;
        match self.write(job) {
            Ok(()) => return Ok(true),
            Err(Failure::Interrupted) => return Err(Error::Interrupted),
            Err(Failure::Target(e)) => return Ok(self.report.take::<()>(path, Err(e))?.is_some()),
            Err(Failure::Chunk(e)) => self.report.lost(path, &e),
            Err(Failure::Other) => self.report.lost(path, &OtherFile),
        }
        Ok(false)
    }

    fn write(&mut self, job: &Job) -> std::result::Result<(), Failure> {
        let monitor = self.report.monitor;
        if monitor.interrupted() {
            return Err(Failure::Interrupted);
        }
        let entry = &job.entry;
        let Node::File { id, size } = entry.node else { return Ok(()) };
        let Some(chunks) = &job.chunks else {
            let bytes = match size {
                0 => &[][..],
                _ => self.reader.chunk(&id.into())?,
            };
            if bytes.len() as u64 != size {
                return Err(Failure::Other);
            }
            if job.replace {
                let mut partial = self.target.begin(&entry.path, true)?;
                partial.append(bytes)?;
                partial.finish(entry.mode, entry.mtime)?;
            } else {
                self.target.write(&entry.path, bytes, entry.mode, entry.mtime)?;
            }
            monitor.advance(size);
            return Ok(());
        };
        let mut partial = self.target.begin(&entry.path, job.replace)?;
        let mut hasher = blake3::Hasher::new();
        let mut ids = chunks.iter().map(|c| c.id);
        let (mut current, mut next) = (Vec::new(), Vec::new());
        self.gather(&mut ids, &mut current)?;
        while !current.is_empty() {
            if monitor.interrupted() {
                return Err(Failure::Interrupted);
            }
            // One thread brings the next window while the other hashes and writes this one.
            let (wrote, read) = rayon::join(
                || {
                    hasher.update(&current);
                    partial.append(&current)
                },
                || self.gather(&mut ids, &mut next),
            );
            wrote?;
            read?;
            monitor.advance(current.len() as u64);
            std::mem::swap(&mut current, &mut next);
        }
        if FileId::from(hasher.finalize()) != id {
            return Err(Failure::Other);
        }
        Ok(partial.finish(entry.mode, entry.mtime)?)
    }

    /// Reads chunks until a window is full or there are no more.
    fn gather(
        &mut self,
        ids: &mut impl Iterator<Item = ChunkId>,
        window: &mut Vec<u8>,
    ) -> std::result::Result<(), Failure> {
        window.clear();
        while window.len() < WINDOW {
            let Some(id) = ids.next() else { break };
            window.extend_from_slice(self.reader.chunk(&id)?);
        }
        Ok(())
    }
}
