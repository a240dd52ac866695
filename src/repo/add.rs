//! `add`: files into the open draft.
//!
//! Walk, compare with what is known, read what is new, store its chunks, then change the draft in
//! one short step. Several adds may run at once, even on one draft.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use super::ingest::{Job, Taken, ingest};
use super::roots::{Missing, agree, may_come_from, roots};
use super::{Error, Repo, Result};
use crate::artifact::ArtifactType;
use crate::id::FileId;
use crate::manifest::{
    Block, ChunkList, Draft, Entry, Fingerprint, Last, Manifest, Node, Source, Staged,
};
use crate::path::{Places, RelPath};
use crate::progress::{Monitor, Problem};
use crate::store::{Compression, Index, Written};
use crate::work::classify::Detected;
use crate::work::long::canonicalize;
use crate::work::stat;
use crate::work::walk::{Filter, Found, FoundKind, Root, walk};

/// What to add, and how.
pub struct AddOptions<'a> {
    /// Files and folders as they were named, relative to `cwd`.
    pub paths: Vec<PathBuf>,
    /// The folder the user is in.
    pub cwd: PathBuf,
    /// Where the one path goes in the run, if not where it lies.
    pub target: Option<RelPath>,
    /// Name of the draft.
    pub draft: String,
    /// Patterns of what to leave out, in gitignore's syntax.
    pub excludes: Vec<String>,
    /// The artifact type that the user gives these files.
    pub declared: Option<ArtifactType>,
    /// Files larger than this many bytes are refused.
    pub max_size: Option<u64>,
    /// How to compress what is of a type.
    pub compression: &'a (dyn Fn(ArtifactType) -> Option<i32> + Sync),
}

/// What an add did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Added {
    /// Files that were taken.
    pub files: u64,
    /// Symbolic links that were taken.
    pub links: u64,
    /// The files' length in bytes.
    pub bytes: u64,
    /// Files among them that were known to be unchanged, and not read.
    pub unchanged: u64,
    /// Entries that left the draft because they are gone from the folders.
    pub removed: u64,
    /// Bytes that the store grew by.
    pub new_bytes: u64,
}

impl Repo {
    /// Stages files. Problems with single files go to the monitor.
    ///
    /// # Errors
    ///
    /// When none of the named paths can be taken, one lies in the store, two sources claim one path,
    /// or the store cannot be written. The draft is then as it was.
    pub fn add(&self, options: &AddOptions<'_>, monitor: &dyn Monitor) -> Result<Added> {
        let _share = self.share()?;
        let (roots, gone) = roots(self, options, monitor)?;
        let gone = self.vanished(gone, &options.draft, monitor)?;
        if roots.is_empty() && gone.is_empty() {
            return Err(Error::hinted(
                "None of the named paths can be taken: nothing was staged",
                "name files and folders that are there, relative to the current folder",
            ));
        }
        let filter = Filter::default()
            .ignore_from(&self.work)
            .exclude(&options.excludes)
            .map_err(|e| Error::user(format!("Could not use an exclude pattern: {e}")))?
            .skip(self.folder.root());
        let clock = stat::now();
        monitor.begin_items("Looking", None);
        let found = walk(&roots, &filter, monitor);
        monitor.end();
        if monitor.interrupted() {
            return Err(Error::Interrupted);
        }
        let mut known = Known::load(self, &options.draft)?;
        let index = self.store.index()?;
        let mut plan = Plan::new(found, &known, &index, &roots, options, monitor)?;
        let written = self.read(&mut plan, index, options, clock, monitor)?;
        let mut added = plan.added;
        added.new_bytes = written.stored;
        let (staged, lists) = plan.staged(options.declared);
        let places: Vec<Option<RelPath>> = roots.iter().map(|root| root.at.clone()).collect();

        let lock = self.lock_drafts()?;
        let mut draft = self.draft(&options.draft)?.unwrap_or_else(|| Draft::new(self.clock.now()));
        claim(&mut draft, &roots)?;
        added.removed = draft.replace_within(&places, staged, lists)? as u64;
        added.removed += draft.remove(&gone) as u64;
        draft.new_bytes += written.stored;
        if let Some((_, entries, _)) = &known.last {
            draft.adopt_blocks(entries, std::mem::take(&mut known.blocks));
        }
        self.save_draft(&options.draft, &draft)?;
        drop(lock);
        if written.chunks > 0 {
            // The files are staged whatever becomes of this: the index is derived.
            drop(self.store.tidy());
        }
        Ok(added)
    }

    /// Of named paths that are not there, those that the draft has from there: they leave it. The
    /// others are problems.
    fn vanished(
        &self,
        gone: Vec<Missing>,
        draft: &str,
        monitor: &dyn Monitor,
    ) -> Result<Vec<RelPath>> {
        let draft = if gone.is_empty() { None } else { self.draft(draft)? };
        let mut leave = Vec::new();
        for Missing { path, place, at } in gone {
            let has = |d: &Draft, at: &RelPath| {
                d.has_within(Some(at)) && may_come_from(&d.sources, at, &place)
            };
            let staged = |at: &RelPath| draft.as_ref().is_some_and(|d| has(d, at));
            match at.filter(staged) {
                Some(at) => leave.push(at),
                None => monitor.problem(Problem {
                    path: crate::path::quote(path.as_os_str().as_encoded_bytes()),
                    what: "is not there; left out".into(),
                }),
            }
        }
        Ok(leave)
    }

    /// Reads what is not known into the store.
    fn read(
        &self,
        plan: &mut Plan,
        index: Arc<Index>,
        options: &AddOptions<'_>,
        clock: i128,
        monitor: &dyn Monitor,
    ) -> Result<Written> {
        if plan.jobs.is_empty() {
            return Ok(Written::default());
        }
        let policy = |detected: &Detected| {
            let artifact = options.declared.unwrap_or(detected.artifact);
            let Some(level) = (options.compression)(artifact) else { return Compression::None };
            match detected.content_type {
                Some(kind) if is_packed(kind) => Compression::Doubtful(level),
                Some(kind) if is_text(kind) => Compression::Zstd(level),
                _ => Compression::Likely(level),
            }
        };
        monitor.begin("Adding", Some(plan.jobs.iter().map(|j| j.stat.size).sum()));
        let writer = self.store.writer(index);
        let taken = ingest(&plan.jobs, &writer, &policy, monitor)?;
        let written = writer.finish()?;
        monitor.end();
        plan.settle(taken, clock);
        Ok(written)
    }
}

/// Whether content of this type is compressed already, as far as its type tells. Zip archives are
/// not among it: their headers and small entries shrink well in a frame of their own.
fn is_packed(kind: &str) -> bool {
    let picture = kind.starts_with("image/") && !matches!(kind, "image/svg+xml" | "image/bmp");
    picture
        || kind.starts_with("video/")
        || kind.starts_with("font/woff")
        || matches!(kind, "application/gzip" | "application/zstd")
}

/// Whether content of this type is text, which always shrinks.
fn is_text(kind: &str) -> bool {
    kind.starts_with("text/")
        || matches!(kind, "application/json" | "application/javascript" | "application/xml")
}

/// What is known of files without reading them: the draft, and the last run with what `stat` said
/// of its files when they were read.
pub(super) struct Known {
    draft: Option<Draft>,
    last: Option<(Manifest, Vec<Entry>, Last)>,
    /// The blocks that the last run's entries are stored in.
    blocks: Vec<Block>,
}

impl Known {
    pub(super) fn load(repo: &Repo, name: &str) -> Result<Self> {
        let draft = repo.draft(name)?;
        let mut blocks = Vec::new();
        let last = repo.last(name).and_then(|last| {
            // A run that gc removed, or a record that fits no run, only costs reading the files.
            let manifest = repo.manifest(last.run).ok()?;
            let (entries, stored) = manifest.load().ok()?;
            blocks = stored;
            (entries.len() == last.fingerprints.len()).then_some((manifest, entries, last))
        });
        Ok(Self { draft, last, blocks })
    }

    /// The entry of a file that still has its fingerprint, and its chunks if it has several. A file
    /// of which the store lost a chunk is not known: reading it again heals the store.
    fn find(
        &self,
        path: &RelPath,
        print: Fingerprint,
        index: &Index,
    ) -> Result<Option<(&Entry, Option<ChunkList>)>> {
        let Some(entry) = self.entry(path, print) else { return Ok(None) };
        let Node::File { size: 1.., id } = entry.node else { return Ok(Some((entry, None))) };
        let list = self.chunks(id)?;
        let whole = match &list {
            Some(list) => list.iter().all(|c| index.contains(&c.id)),
            None => index.contains(&id.into()),
        };
        Ok(whole.then_some((entry, list)))
    }

    fn entry(&self, path: &RelPath, print: Fingerprint) -> Option<&Entry> {
        let same = |found: Option<Fingerprint>| found == Some(print);
        if let Some((entry, found)) = self.draft.as_ref().and_then(|d| d.get(path))
            && same(found)
        {
            return Some(entry);
        }
        let (_, entries, last) = self.last.as_ref()?;
        let at = entries.binary_search_by(|e| e.path.cmp(path)).ok()?;
        same(last.fingerprints.get(at).copied().flatten()).then(|| &entries[at])
    }

    /// The chunks of a known file of two or more.
    fn chunks(&self, id: FileId) -> Result<Option<ChunkList>> {
        if let Some(list) = self.draft.as_ref().and_then(|d| d.chunks().get(&id)) {
            return Ok(Some(list.clone()));
        }
        match &self.last {
            Some((manifest, ..)) => Ok(manifest.chunk_list(id)?),
            None => Ok(None),
        }
    }
}

/// What is to become of everything that the walk found.
struct Plan {
    items: Vec<Item>,
    jobs: Vec<Job>,
    /// The chunk lists of the files that have one.
    lists: BTreeMap<FileId, ChunkList>,
    added: Added,
}

struct Item {
    entry: Entry,
    print: Option<Fingerprint>,
    state: State,
}

enum State {
    Ready,
    ToRead,
    Lost,
}

impl Plan {
    fn new(
        found: Vec<Found>,
        known: &Known,
        index: &Index,
        roots: &[Root],
        options: &AddOptions<'_>,
        monitor: &dyn Monitor,
    ) -> Result<Self> {
        let mut plan = Self {
            items: Vec::with_capacity(found.len()),
            jobs: Vec::new(),
            lists: BTreeMap::new(),
            added: Added::default(),
        };
        for f in found {
            if let (FoundKind::File, Some(max)) = (&f.kind, options.max_size)
                && f.stat.size > max
            {
                let what = format!(
                    "has {} bytes, more than the {max} that max-size allows; left out",
                    f.stat.size
                );
                monitor.problem(Problem::at(&f.path, what));
                continue;
            }
            plan.push(f, known, index, roots)?;
        }
        Ok(plan)
    }

    fn push(&mut self, f: Found, known: &Known, index: &Index, roots: &[Root]) -> Result<()> {
        let mut entry = Entry {
            path: f.path,
            node: Node::Dir,
            mode: f.stat.mode,
            mtime: f.stat.mtime,
            declared: None,
            detected: ArtifactType::Custom,
            content_type: None,
        };
        let (mut print, mut state) = (None, State::Ready);
        match f.kind {
            FoundKind::Dir => {}
            FoundKind::Symlink(target) => {
                entry.node = Node::Symlink { target };
                self.added.links += 1;
            }
            FoundKind::File => match known.find(&entry.path, f.stat.digest(), index)? {
                Some((same, list)) => {
                    print = Some(f.stat.digest());
                    entry.node = same.node.clone();
                    entry.detected = same.detected;
                    entry.content_type = same.content_type.clone();
                    if let (Node::File { id, .. }, Some(list)) = (&entry.node, list) {
                        self.lists.insert(*id, list);
                    }
                    self.added.files += 1;
                    self.added.unchanged += 1;
                    self.added.bytes += f.stat.size;
                }
                None => {
                    state = State::ToRead;
                    let source = match roots.get(f.root as usize) {
                        Some(root) => root.locate(entry.path.as_bytes()),
                        None => return Ok(()),
                    };
                    self.jobs.push(Job { path: entry.path.clone(), source, stat: f.stat });
                }
            },
        }
        self.items.push(Item { entry, print, state });
        Ok(())
    }

    /// Fills in what reading the files gave.
    fn settle(&mut self, taken: Vec<Option<Taken>>, clock: i128) {
        let waiting = self.items.iter_mut().filter(|i| matches!(i.state, State::ToRead));
        let mut names: HashMap<&'static str, Arc<str>> = HashMap::new();
        for (item, taken) in waiting.zip(taken) {
            let Some(taken) = taken else {
                item.state = State::Lost;
                continue;
            };
            item.state = State::Ready;
            item.entry.node = Node::File { size: taken.size, id: taken.id };
            item.entry.mode = taken.stat.mode;
            item.entry.mtime = taken.stat.mtime;
            item.entry.detected = taken.detected.artifact;
            item.entry.content_type = taken
                .detected
                .content_type
                .map(|name| names.entry(name).or_insert_with(|| name.into()).clone());
            item.print =
                (taken.steady && !taken.broken).then(|| taken.stat.fingerprint(clock)).flatten();
            self.added.files += 1;
            self.added.bytes += taken.size;
            if let Some(list) = taken.chunks {
                self.lists.insert(taken.id, list);
            }
        }
    }

    /// The entries to stage in path order, and the chunk lists of all.
    fn staged(self, declared: Option<ArtifactType>) -> (Vec<Staged>, BTreeMap<FileId, ChunkList>) {
        let ready = self.items.into_iter().filter(|item| matches!(item.state, State::Ready));
        let staged = ready.map(|Item { mut entry, print, .. }| {
            entry.declared = declared.filter(|_| matches!(entry.node, Node::File { .. }));
            (entry, print)
        });
        (staged.collect(), self.lists)
    }
}

/// Notes where the roots come from; fails when the draft has their paths from elsewhere.
fn claim(draft: &mut Draft, roots: &[Root]) -> Result<()> {
    let held = draft.sources.iter();
    let held = held.filter(|s| draft.has_within(s.at.as_ref()) && !gives_way(draft, s, roots));
    let held = held.cloned();
    let new = roots.iter().map(|r| Source { at: r.at.clone(), from: r.source.clone() });
    let sources: Vec<Source> = held.chain(new).collect();
    agree(sources.iter().map(|s| (s.at.as_ref(), &*s.from)))?;
    // As they agree, each outermost one tells where all below it comes from.
    let places = Places::new(sources.iter().map(|s| s.at.as_ref()));
    let outermost = |s: &&Source| {
        s.at.as_ref()
            .is_none_or(|at| places.find(at).and_then(|n| places.get(n)) == Some(at.as_bytes()))
    };
    let mut kept: Vec<Source> = sources.iter().filter(outermost).cloned().collect();
    kept.sort_by(|a, b| a.at.cmp(&b.at));
    kept.dedup();
    draft.sources = kept;
    Ok(())
}

/// Whether a source is a staged link, and one of the roots, which are sorted, is what it leads to.
fn gives_way(draft: &Draft, source: &Source, roots: &[Root]) -> bool {
    let Some(at) = &source.at else { return false };
    let is_link = |entry: &Entry| matches!(entry.node, Node::Symlink { .. });
    let root = roots.binary_search_by(|root| root.at.as_ref().cmp(&Some(at)));
    draft.get(at).is_some_and(|(entry, _)| is_link(entry))
        && root.is_ok_and(|n| canonicalize(&source.from).is_ok_and(|to| to == roots[n].source))
}
