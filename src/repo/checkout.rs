//! `checkout`: a run's files back onto disk, with modes and times.
//!
//! First a plan (what to write, what is there already, what is in the way), then the writing. Files
//! are written in the order their chunks lie in the packs, so that every frame is decoded once.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use super::select::Selection;
use super::{Error, Repo, Result};
use crate::id::{ChunkId, FileId, PackId, RunId};
use crate::manifest::{ChunkList, Entry, Manifest, Node};
use crate::path::RelPath;
use crate::progress::{Monitor, Problem};
use crate::store::{Index, Reader};
use crate::work::restore::{Present, Target};

/// Bytes of a large file in memory at once.
const WINDOW: usize = 4 << 20;
/// Files that a thread takes at once.
const BATCH: usize = 128;

/// What to write back, and where.
#[derive(Debug, Clone)]
pub struct CheckoutOptions {
    /// Paths and globs; everything when there are none.
    pub paths: Vec<String>,
    /// The folder to write into; made if need be.
    pub to: PathBuf,
    /// Whether files that differ are overwritten.
    pub force: bool,
}

/// What a checkout did.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct CheckedOut {
    /// Files written.
    pub files: u64,
    /// Their length in bytes.
    pub bytes: u64,
    /// Files that were there with the same content.
    pub unchanged: u64,
    /// Files that could not be restored.
    pub failed: u64,
}

/// A file to write: where in its pack it begins, and what it is.
struct Job {
    place: (PackId, u32, u32),
    entry: Entry,
    chunks: Option<ChunkList>,
}

impl Repo {
    /// Writes files of a run back. Files that cannot be restored go to the monitor and are counted.
    ///
    /// # Errors
    ///
    /// When nothing matches, when files that differ are in the way (nothing is written then), or
    /// when the target cannot be written.
    pub fn checkout(
        &self,
        run: RunId,
        options: &CheckoutOptions,
        monitor: &dyn Monitor,
    ) -> Result<CheckedOut> {
        let manifest = self.manifest(run)?;
        let entries = Selection::new(&options.paths)?.entries(&manifest)?;
        let on = |source| Error::Source { path: options.to.clone(), source };
        let mut target = Target::open(&options.to).map_err(on)?;
        let reader = self.store.reader()?;
        let plan = self.plan(&manifest, entries, &mut target, &reader.index(), options)?;
        monitor.begin("Checking out", Some(plan.files.iter().map(|j| j.entry.size()).sum()));
        for path in &plan.clear {
            target.remove(path).map_err(|e| failed(path, e, options))?;
        }
        for dir in &plan.parents {
            target.make_dir(dir).map_err(on)?;
        }
        let done = write_files(&plan.files, &target, &reader, monitor)?;
        for entry in &plan.links {
            if let Node::Symlink { target: text } = &entry.node {
                let made = target.link(&entry.path, text, entry.mtime);
                made.map_err(|e| failed(&entry.path, e, options))?;
            }
        }
        // Deepest first: writing into a folder changes its time, and its mode may forbid it.
        for entry in plan.dirs.iter().rev() {
            let made = target.finish_dir(&entry.path, entry.mode, entry.mtime);
            made.map_err(|e| failed(&entry.path, e, options))?;
        }
        monitor.end();
        Ok(CheckedOut { unchanged: plan.unchanged, ..done })
    }

    fn plan(
        &self,
        manifest: &Manifest,
        entries: Vec<Entry>,
        target: &mut Target,
        index: &Index,
        options: &CheckoutOptions,
    ) -> Result<Plan> {
        let on = |source| Error::Source { path: options.to.clone(), source };
        let fresh = target.is_empty().map_err(on)?;
        let mut plan = Plan::default();
        let mut in_the_way: Vec<(RelPath, &'static str)> = Vec::new();
        for entry in entries {
            if let Some(parent) = entry.path.parent()
                && plan.parents.last().map(Vec::as_slice) != Some(parent)
            {
                plan.parents.push(parent.to_vec());
            }
            let verdict = if fresh {
                Verdict::Write
            } else {
                judge(&entry, target).map_err(|e| failed(&entry.path, e, options))?
            };
            match verdict {
                Verdict::Same => {
                    let touched = match entry.node {
                        Node::File { .. } => target.touch(&entry.path, entry.mode, entry.mtime),
                        _ => Ok(()),
                    };
                    touched.map_err(|e| failed(&entry.path, e, options))?;
                    plan.unchanged += u64::from(matches!(entry.node, Node::File { .. }));
                    continue;
                }
                Verdict::Differs if options.force => plan.clear.push(entry.path.clone()),
                Verdict::Differs => in_the_way.push((entry.path.clone(), "differs")),
                Verdict::Blocked(why) => in_the_way.push((entry.path.clone(), why)),
                Verdict::Write => {}
            }
            plan.sort_in(entry, manifest, index)?;
        }
        if !in_the_way.is_empty() {
            return Err(refusal(&in_the_way, options));
        }
        plan.parents.sort_unstable();
        plan.parents.dedup();
        plan.files.sort_by_key(|job| job.place);
        Ok(plan)
    }
}

#[derive(Default)]
struct Plan {
    parents: Vec<Vec<u8>>,
    clear: Vec<RelPath>,
    files: Vec<Job>,
    links: Vec<Entry>,
    dirs: Vec<Entry>,
    unchanged: u64,
}

impl Plan {
    fn sort_in(&mut self, entry: Entry, manifest: &Manifest, index: &Index) -> Result<()> {
        match entry.node {
            Node::Dir => {
                self.parents.push(entry.path.as_bytes().to_vec());
                self.dirs.push(entry);
            }
            Node::Symlink { .. } => self.links.push(entry),
            Node::File { id, size } => {
                let chunks = if size > 1 { manifest.chunk_list(id)? } else { None };
                let first = chunks.as_ref().and_then(|c| c.first()).map_or(id.into(), |c| c.id);
                let place = index.find(&first).map_or((PackId::from_bytes([0; 16]), 0, 0), |l| {
                    (l.pack, l.frame.offset, l.offset)
                });
                self.files.push(Job { place, entry, chunks });
            }
        }
        Ok(())
    }
}

enum Verdict {
    Write,
    Same,
    Differs,
    Blocked(&'static str),
}

/// Compares an entry with what stands at its path.
fn judge(entry: &Entry, target: &mut Target) -> std::io::Result<Verdict> {
    let present = target.look(&entry.path)?;
    Ok(match (present, &entry.node) {
        (Present::Nothing, _) => Verdict::Write,
        (Present::Blocked, _) => Verdict::Blocked("lies below a file or a symbolic link"),
        (Present::Dir, Node::Dir) => Verdict::Write,
        (Present::Dir, _) => Verdict::Blocked("is a folder there"),
        (_, Node::Dir) => Verdict::Blocked("is no folder there"),
        (Present::Symlink, Node::Symlink { target: text }) => {
            let same = target.read_link(&entry.path)? == **text;
            if same { Verdict::Same } else { Verdict::Differs }
        }
        (Present::File(size), Node::File { size: wanted, id }) if size == *wanted => {
            let mut hasher = blake3::Hasher::new();
            std::io::copy(&mut target.read(&entry.path)?, &mut hasher)?;
            if FileId::from(hasher.finalize()) == *id { Verdict::Same } else { Verdict::Differs }
        }
        _ => Verdict::Differs,
    })
}

/// Paths that an error names before it says "and more".
const NAMED: usize = 10;

fn refusal(in_the_way: &[(RelPath, &'static str)], options: &CheckoutOptions) -> Error {
    let blocked = in_the_way.iter().any(|(_, why)| *why != "differs");
    let mut message = format!(
        "{} of the run's paths cannot be written to {}, so nothing was",
        in_the_way.len(),
        options.to.display()
    );
    for (path, why) in in_the_way.iter().take(NAMED) {
        message.push_str(&format!("\n  {path} {why}"));
    }
    if in_the_way.len() > NAMED {
        message.push_str(&format!("\n  and {} more", in_the_way.len() - NAMED));
    }
    let hint = if blocked {
        "move what is in the way, or check out to another folder with --to"
    } else {
        "overwrite with --force, or check out to another folder with --to"
    };
    Error::hinted(message, hint)
}

fn failed(path: &RelPath, source: std::io::Error, options: &CheckoutOptions) -> Error {
    Error::Write { path: options.to.join(path.as_path()), source }
}

fn write_files(
    jobs: &[Job],
    target: &Target,
    reader: &Reader,
    monitor: &dyn Monitor,
) -> Result<CheckedOut> {
    let next = AtomicUsize::new(0);
    let (files, bytes, lost) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let fatal = Mutex::new(None);
    let work = || {
        let mut writer = FileWriter { target: target.fork(), reader: reader.fork() };
        loop {
            let start = next.fetch_add(BATCH, Relaxed);
            let Some(batch) = jobs.get(start..jobs.len().min(start + BATCH)) else { return };
            if batch.is_empty() {
                return;
            }
            for job in batch {
                if monitor.interrupted() {
                    fatal
                        .lock()
                        .unwrap_or_else(|e| e.into_inner())
                        .get_or_insert(Error::Interrupted);
                    return;
                }
                match writer.write(job, monitor) {
                    Ok(()) => {
                        files.fetch_add(1, Relaxed);
                        bytes.fetch_add(job.entry.size(), Relaxed);
                    }
                    Err(Failure::Chunk(e)) => {
                        lost.fetch_add(1, Relaxed);
                        let what = format!("could not be restored: {e}");
                        monitor.problem(Problem::at(&job.entry.path, what));
                    }
                    Err(Failure::Ours(e)) => {
                        next.store(jobs.len(), Relaxed);
                        fatal.lock().unwrap_or_else(|e| e.into_inner()).get_or_insert(e);
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
    match fatal.into_inner().unwrap_or_else(|e| e.into_inner()) {
        Some(e) => Err(e),
        None => Ok(CheckedOut {
            files: files.into_inner(),
            bytes: bytes.into_inner(),
            unchanged: 0,
            failed: lost.into_inner(),
        }),
    }
}

enum Failure {
    /// The content is damaged or missing: this file is lost, others are not.
    Chunk(String),
    /// The target cannot be written, or the user interrupts.
    Ours(Error),
}

struct FileWriter {
    target: Target,
    reader: Reader,
}

impl FileWriter {
    fn write(&mut self, job: &Job, monitor: &dyn Monitor) -> std::result::Result<(), Failure> {
        let entry = &job.entry;
        let Node::File { id, size } = entry.node else { return Ok(()) };
        let on =
            |source| Failure::Ours(Error::Write { path: entry.path.as_path().to_owned(), source });
        let Some(chunks) = &job.chunks else {
            let bytes = match size {
                0 => &[][..],
                _ => self.reader.chunk(&id.into()).map_err(chunk_failure)?,
            };
            if bytes.len() as u64 != size {
                return Err(Failure::Chunk("its chunks have another length".into()));
            }
            self.target.write(&entry.path, bytes, entry.mode, entry.mtime).map_err(on)?;
            monitor.advance(size);
            return Ok(());
        };
        let mut partial = self.target.begin(&entry.path).map_err(on)?;
        let mut hasher = blake3::Hasher::new();
        let mut ids = chunks.iter().map(|c| c.id);
        let (mut current, mut next) = (Vec::new(), Vec::new());
        self.gather(&mut ids, &mut current)?;
        while !current.is_empty() {
            if monitor.interrupted() {
                return Err(Failure::Ours(Error::Interrupted));
            }
            // One thread brings the next window while the other hashes and writes this one.
            let (wrote, read) = rayon::join(
                || {
                    hasher.update(&current);
                    partial.append(&current)
                },
                || self.gather(&mut ids, &mut next),
            );
            wrote.map_err(on)?;
            read?;
            monitor.advance(current.len() as u64);
            std::mem::swap(&mut current, &mut next);
        }
        if FileId::from(hasher.finalize()) != id {
            return Err(Failure::Chunk("its chunks are not the file its id says".into()));
        }
        partial.finish(entry.mode, entry.mtime).map_err(on)
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
            window.extend_from_slice(self.reader.chunk(&id).map_err(chunk_failure)?);
        }
        Ok(())
    }
}

fn chunk_failure(e: crate::store::Error) -> Failure {
    match e {
        crate::store::Error::Disk(_) => Failure::Ours(e.into()),
        other => Failure::Chunk(other.to_string()),
    }
}
