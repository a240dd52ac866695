//! What a checkout will do: which files to write, what is there already, what is in the way. Reads
//! the target and changes nothing in it.

use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rayon::prelude::*;

use super::CheckoutOptions;
use crate::id::{FileId, PackId};
use crate::manifest::{ChunkList, Entry, Manifest, Node};
use crate::path::RelPath;
use crate::progress::Monitor;
use crate::repo::{Error, Result, leads_to};
use crate::store::{Index, Reader};
use crate::work::restore::{Present, Target};

/// Paths that an error names before it says "and more".
const NAMED: usize = 10;

/// A file to write: where in its pack it begins, and what it is.
pub(super) struct Job {
    place: (PackId, u32, u32),
    pub(super) entry: Entry,
    pub(super) chunks: Option<ChunkList>,
    /// Whether it takes the place of something else.
    pub(super) replace: bool,
}

/// Everything that a checkout will do.
#[derive(Default)]
pub(super) struct Plan {
    /// Folders that something is written into, and new ones; outer ones first.
    pub(super) parents: Vec<Vec<u8>>,
    /// Files, in the order in which their chunks lie in the packs.
    pub(super) files: Vec<Job>,
    /// Links, and whether each takes the place of something else.
    pub(super) links: Vec<(Entry, bool)>,
    /// Folders of the run, outer ones first.
    pub(super) dirs: Vec<Entry>,
    /// Files that are there, but for their modes and times.
    pub(super) same: Vec<Entry>,
    /// Links that are there, but for their times.
    pub(super) same_links: Vec<Entry>,
}

impl Plan {
    /// Compares the entries with the target, if that is there.
    ///
    /// # Errors
    ///
    /// When something is in the way, or the target cannot be read.
    pub(super) fn new(
        manifest: &Manifest,
        entries: Vec<Entry>,
        target: Option<&Target>,
        reader: &Reader,
        options: &CheckoutOptions,
        store: &Path,
        monitor: &dyn Monitor,
    ) -> Result<Self> {
        let off_limits = OffLimits::new(&options.to, store);
        let empty = target.map_or(Ok(true), Target::is_empty);
        let target = match empty {
            Ok(empty) => target.filter(|_| !empty),
            Err(source) => return Err(Error::Source { path: options.to.clone(), source }),
        };
        if target.is_some() {
            monitor.begin("Comparing", Some(entries.iter().map(Entry::size).sum()));
        }
        let verdicts: Vec<io::Result<Verdict>> = entries
            .par_iter()
            .map_init(
                || target.map(Target::fork),
                |target, entry| match (off_limits.reason(&entry.path), target) {
                    (Some(why), _) => Ok(Verdict::Blocked(why)),
                    (None, None) => Ok(Verdict::Write),
                    (None, Some(_)) if monitor.interrupted() => Ok(Verdict::Write),
                    (None, Some(target)) => {
                        let verdict = judge(entry, target);
                        monitor.advance(entry.size());
                        verdict
                    }
                },
            )
            .collect();
        if monitor.interrupted() {
            return Err(Error::Interrupted);
        }
        let index = reader.index();
        let mut contents = target.map(|target| (target.fork(), reader.fork()));
        let mut plan = Self::default();
        let mut in_the_way: Vec<InTheWay> = Vec::new();
        for (entry, verdict) in entries.into_iter().zip(verdicts) {
            let verdict = verdict.map_err(|source| Error::Source {
                path: options.to.join(entry.path.as_path()),
                source,
            })?;
            let replace = match verdict {
                Verdict::Same => {
                    match entry.node {
                        Node::File { .. } => plan.same.push(entry),
                        Node::Symlink { .. } => plan.same_links.push(entry),
                        Node::Dir => plan.dirs.push(entry),
                    }
                    continue;
                }
                Verdict::Write => false,
                Verdict::Differs(_) | Verdict::CutOff if options.force => true,
                Verdict::CutOff if is_beginning(&entry, manifest, contents.as_mut())? => true,
                Verdict::CutOff => {
                    in_the_way.push(InTheWay { path: entry.path, why: DIFFERS, forcible: true });
                    continue;
                }
                Verdict::Differs(why) => {
                    in_the_way.push(InTheWay { path: entry.path, why, forcible: true });
                    continue;
                }
                Verdict::Blocked(why) => {
                    in_the_way.push(InTheWay { path: entry.path, why, forcible: false });
                    continue;
                }
            };
            plan.sort_in(entry, replace, manifest, &index)?;
        }
        if !in_the_way.is_empty() {
            return Err(refusal(&in_the_way, options));
        }
        plan.parents.sort_unstable();
        plan.parents.dedup();
        plan.files.sort_by_key(|job| job.place);
        Ok(plan)
    }

    /// Whether the run has a folder; what lies in it may have been named alone.
    pub(super) fn is_recorded(&self, dir: &[u8]) -> bool {
        self.dirs.binary_search_by(|entry| entry.path.as_bytes().cmp(dir)).is_ok()
    }

    fn sort_in(
        &mut self,
        entry: Entry,
        replace: bool,
        manifest: &Manifest,
        index: &Index,
    ) -> Result<()> {
        if let Some(parent) = entry.path.parent()
            && self.parents.last().map(Vec::as_slice) != Some(parent)
        {
            self.parents.push(parent.to_vec());
        }
        match entry.node {
            Node::Dir => {
                self.parents.push(entry.path.as_bytes().to_vec());
                self.dirs.push(entry);
            }
            Node::Symlink { .. } => self.links.push((entry, replace)),
            Node::File { id, size } => {
                let chunks = if size > 1 { manifest.chunk_list(id)? } else { None };
                let first = chunks.as_ref().and_then(|c| c.first()).map_or(id.into(), |c| c.id);
                let place = index.find(&first).map_or((PackId::from_bytes([0; 16]), 0, 0), |l| {
                    (l.pack, l.frame.offset, l.offset)
                });
                self.files.push(Job { place, entry, chunks, replace });
            }
        }
        Ok(())
    }
}

enum Verdict {
    Write,
    Same,
    /// What looks like what a checkout leaves that was killed is there.
    CutOff,
    /// Something else is there; `force` replaces it.
    Differs(&'static str),
    Blocked(&'static str),
}

const DIFFERS: &str = "differs";

/// Compares an entry with what stands at its path.
fn judge(entry: &Entry, target: &mut Target) -> io::Result<Verdict> {
    let present = target.look(&entry.path)?;
    Ok(match (present, &entry.node) {
        (Present::Blocked, _) => Verdict::Blocked("lies below a file or a symbolic link"),
        (Present::Dir, Node::Dir) => Verdict::Same,
        (Present::Dir, _) => Verdict::Blocked("is a folder there"),
        // What git runs and believes changes only when the user says so.
        (Present::Nothing, Node::File { .. } | Node::Symlink { .. }) if in_git(&entry.path) => {
            Verdict::Differs("would be new in a .git folder")
        }
        (Present::Nothing, _) => Verdict::Write,
        (_, Node::Dir) => Verdict::Blocked("is no folder there"),
        (Present::Unfinished, Node::File { .. }) => Verdict::CutOff,
        (Present::Symlink, Node::Symlink { target: text }) => {
            let same = target.read_link(&entry.path)? == **text;
            if same { Verdict::Same } else { Verdict::Differs(DIFFERS) }
        }
        (Present::File(size), Node::File { size: wanted, id }) if size == *wanted => {
            let mut hasher = blake3::Hasher::new();
            let read =
                target.read(&entry.path).and_then(|file| hasher.update_reader(file).map(drop));
            match read {
                Ok(()) if FileId::from(hasher.finalize()) == *id => Verdict::Same,
                Ok(()) => Verdict::Differs(DIFFERS),
                Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                    Verdict::Differs("cannot be read to compare it")
                }
                Err(e) => return Err(e),
            }
        }
        _ => Verdict::Differs(DIFFERS),
    })
}

/// Whether what stands there is the beginning of the run's file, as a killed checkout leaves it. It
/// does so only with files of one chunk.
fn is_beginning(
    entry: &Entry,
    manifest: &Manifest,
    contents: Option<&mut (Target, Reader)>,
) -> Result<bool> {
    let (Node::File { id, size }, Some((target, reader))) = (&entry.node, contents) else {
        return Ok(false);
    };
    if manifest.chunk_list(*id)?.is_some() {
        return Ok(false);
    }
    let mut there = Vec::new();
    let read = target.read(&entry.path);
    let read = read.and_then(|file| file.take(size + 1).read_to_end(&mut there));
    let begins = |bytes: &[u8]| bytes.starts_with(&there);
    Ok(read.is_ok() && (there.is_empty() || reader.chunk(&(*id).into()).is_ok_and(begins)))
}

fn in_git(path: &RelPath) -> bool {
    path.as_bytes().split(|b| *b == b'/').any(|name| name.eq_ignore_ascii_case(b".git"))
}

/// The store, as seen from the target: nothing is written into it, whatever a run holds.
enum OffLimits {
    /// It lies elsewhere.
    Nothing,
    /// It lies below the target, at this path.
    Below(Vec<u8>),
    /// The target lies in it.
    Everything,
}

impl OffLimits {
    fn new(to: &Path, store: &Path) -> Self {
        let Ok(store) = store.canonicalize() else { return Self::Nothing };
        let to = leads_to(to);
        if to.starts_with(&store) {
            return Self::Everything;
        }
        match store.strip_prefix(&to) {
            Ok(below) => Self::Below(below.as_os_str().as_bytes().to_vec()),
            Err(_) => Self::Nothing,
        }
    }

    fn reason(&self, path: &RelPath) -> Option<&'static str> {
        const WHY: &str = "lies in the store itself";
        match self {
            Self::Nothing => None,
            Self::Everything => Some(WHY),
            Self::Below(store) => {
                let rest = path.as_bytes().strip_prefix(&store[..])?;
                matches!(rest.first(), None | Some(b'/')).then_some(WHY)
            }
        }
    }
}

struct InTheWay {
    path: RelPath,
    why: &'static str,
    forcible: bool,
}

fn refusal(in_the_way: &[InTheWay], options: &CheckoutOptions) -> Error {
    let mut message = format!(
        "{} of the run's paths cannot be written to {}, so nothing was",
        in_the_way.len(),
        options.to.display()
    );
    for InTheWay { path, why, .. } in in_the_way.iter().take(NAMED) {
        message.push_str(&format!("\n  {path} {why}"));
    }
    if in_the_way.len() > NAMED {
        message.push_str(&format!("\n  and {} more", in_the_way.len() - NAMED));
    }
    let hint = if in_the_way.iter().all(|path| path.forcible) {
        "overwrite with --force, or check out to another folder with --to"
    } else {
        "move what is in the way, or check out to another folder with --to"
    };
    Error::hinted(message, hint)
}
