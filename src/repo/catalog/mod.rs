//! The catalog: every run with its metadata and paths, so that lists and searches read a few
//! files and not thousands.
//!
//! It is derived. The truth is which manifests lie in `runs/`: runs the catalog lacks are read from
//! their manifests, runs it has in excess are passed over. Segments are merged geometrically as
//! commits go by; losing them costs time only.

mod segment;
#[cfg(test)]
mod tests;

pub use segment::Record;

use std::collections::{HashMap, HashSet};

pub(super) use segment::Row;
use segment::{Posting, Segment, SegmentFile};

use jiff::Timestamp;

use super::{Repo, Result};
use crate::artifact::ArtifactType;
use crate::disk::LockMode;
use crate::id::{PackId, RunId};
use crate::manifest::Entry;
use crate::store::IdHash;

const CATALOG: &str = "catalog";
const SUFFIX: &str = ".cat";
const LOCK: &str = "catalog/lock";
/// So many runs without a segment are put up with before a reader writes one.
const MISSING: usize = 8;
/// Fewer segments than this are not worth merging.
const SEGMENTS: usize = 8;
/// Segments of at most so many bytes are written without a sync. Those that a crash kept from the
/// disk are found by reading them, which is quick; larger ones are too few for a sync to matter.
const UNSYNCED: u64 = 1 << 20;

/// All runs, newest first.
///
/// Ids and times are at hand; what else is known of a run is read when somebody looks at it.
#[derive(Debug)]
pub struct Catalog {
    repo: Repo,
    rows: Vec<Row>,
    /// Where each segment's paths lie: in its file, or in memory.
    sources: Vec<Source>,
    /// Runs whose manifests cannot be read, and why.
    unreadable: Vec<(RunId, crate::manifest::Error)>,
}

#[derive(Debug)]
struct Source {
    runs: Vec<RunId>,
    paths: Paths,
}

#[derive(Debug)]
enum Paths {
    File(SegmentFile),
    Ready(Segment),
}

/// A file that a search met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit<'a> {
    /// The run that has it.
    pub run: &'a Record,
    /// Its length in bytes.
    pub size: u64,
    /// Its artifact type.
    pub artifact: ArtifactType,
}

impl Catalog {
    /// The runs of these segments that `wants` takes, each once.
    fn of(repo: &Repo, read: Vec<(SegmentFile, Vec<Row>)>, wants: impl Fn(&RunId) -> bool) -> Self {
        let (rows, sources, unreadable) = (Vec::new(), Vec::new(), Vec::new());
        let mut catalog = Self { repo: repo.clone(), rows, sources, unreadable };
        let mut known: HashSet<RunId, IdHash> = HashSet::default();
        for (file, rows) in read {
            let mut runs = Vec::with_capacity(rows.len());
            for row in rows {
                let fresh = wants(&row.id) && known.insert(row.id);
                // A place that is passed over must still count, but names no run.
                runs.push(if fresh { row.id } else { NOBODY });
                if fresh {
                    catalog.rows.push(row);
                }
            }
            catalog.sources.push(Source { runs, paths: Paths::File(file) });
        }
        catalog
    }

    /// How many runs there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The runs newest first: by commit time, then by id.
    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Their records, newest first.
    pub fn records(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.rows.iter().filter_map(Row::record)
    }

    /// When the newest run was committed.
    pub fn latest(&self) -> Option<Timestamp> {
        self.rows.first().map(|row| row.committed)
    }

    /// A run's record.
    pub fn get(&self, id: &RunId) -> Option<&Record> {
        self.rows.iter().find(|row| row.id == *id)?.record()
    }

    /// Runs whose manifest is damaged; they are in no list.
    pub fn unreadable(&self) -> &[(RunId, crate::manifest::Error)] {
        &self.unreadable
    }

    /// Visits every path of every run that `wants` the path, in path order within each segment.
    ///
    /// # Errors
    ///
    /// When a segment's paths are damaged; `eart fsck --repair` makes it anew.
    pub fn search<'a>(
        &'a self,
        wants: impl Fn(&[u8]) -> bool,
        mut visit: impl FnMut(&[u8], Hit<'a>),
    ) -> Result<()> {
        let by_id: HashMap<RunId, &Row, IdHash> = self.rows.iter().map(|r| (r.id, r)).collect();
        for source in &self.sources {
            let rows: Vec<Option<&Row>> =
                source.runs.iter().map(|id| by_id.get(id).copied()).collect();
            let mut tell = |path: &[u8], postings: &[Posting]| {
                for p in postings {
                    let row = rows.get(p.run as usize).copied().flatten();
                    if let Some(run) = row.and_then(Row::record) {
                        visit(path, Hit { run, size: p.size, artifact: p.artifact });
                    }
                }
            };
            match &source.paths {
                Paths::File(file) => {
                    let path = std::path::Path::new(CATALOG);
                    let on = || crate::disk::Error::on("read a segment in", path);
                    match file.search(rows.len(), &wants, &mut tell).map_err(on())? {
                        Err(e) if file.is_intact().map_err(on())? => return Err(e.into()),
                        // Nothing was told yet: the paths are in the manifests, too.
                        Err(_) => self.search_manifests(&source.runs, &wants, &mut tell)?,
                        Ok(()) => {}
                    }
                }
                Paths::Ready(segment) => {
                    let rows = segment.paths.iter().filter(|(path, _)| wants(path));
                    rows.for_each(|(path, postings)| tell(path, postings));
                }
            }
        }
        Ok(())
    }

    /// Visits the paths of these runs, told by their place.
    fn search_manifests(
        &self,
        runs: &[RunId],
        wants: impl Fn(&[u8]) -> bool,
        mut tell: impl FnMut(&[u8], &[Posting]),
    ) -> Result<()> {
        for (place, id) in runs.iter().enumerate().filter(|(_, id)| **id != NOBODY) {
            let Some(segment) = self.repo.read_segment(*id)? else { continue };
            for (path, postings) in segment.paths.iter().filter(|(path, _)| wants(path)) {
                let here = |p: &Posting| Posting { run: place as u32, ..*p };
                tell(path, &postings.iter().map(here).collect::<Vec<_>>());
            }
        }
        Ok(())
    }
}

/// A segment of the folder.
struct Loaded {
    name: String,
    file: SegmentFile,
}

impl Repo {
    /// All runs.
    ///
    /// # Errors
    ///
    /// When the store cannot be read. Runs that are damaged are listed in
    /// [`Catalog::unreadable`].
    pub fn catalog(&self) -> Result<Catalog> {
        let read = self.read_segments()?;
        // Listed after the segments: a run that is committed meanwhile is seen as missing.
        let present: HashSet<RunId, IdHash> = self.run_ids()?.into_iter().collect();
        let mut catalog = Catalog::of(self, read, |id| present.contains(id));
        let known: HashSet<RunId, IdHash> = catalog.rows.iter().map(|row| row.id).collect();
        let mut missing = Vec::new();
        for id in present.difference(&known) {
            match self.read_segment(*id) {
                Ok(Some(segment)) => missing.push(segment),
                Ok(None) => {}
                Err(e) => catalog.unreadable.push((*id, e)),
            }
        }
        if !missing.is_empty() {
            let persist = missing.len() > MISSING;
            let merged = Segment::merge(missing, |_| true);
            if persist {
                // Only to be faster next time: a store that cannot be written is still read.
                drop(self.write_segment(&merged));
            }
            let runs = merged.rows.iter().map(|row| row.id).collect();
            catalog.rows.extend(merged.rows.iter().cloned());
            catalog.sources.push(Source { runs, paths: Paths::Ready(merged) });
        }
        catalog
            .rows
            .sort_unstable_by(|a, b| b.committed.cmp(&a.committed).then_with(|| b.id.cmp(&a.id)));
        catalog.unreadable.sort_by_key(|(id, _)| *id);
        Ok(catalog)
    }

    /// The runs that the segments know, in no particular order, whether they are there or not.
    pub(super) fn catalog_as_written(&self) -> Result<Catalog> {
        Ok(Catalog::of(self, self.read_segments()?, |_| true))
    }

    fn read_segments(&self) -> Result<Vec<(SegmentFile, Vec<Row>)>> {
        let (loaded, _) = self.load_segments()?;
        let mut read = Vec::with_capacity(loaded.len());
        for segment in loaded {
            if let Ok(rows) = segment.file.rows().map_err(self.unread(&segment.name))? {
                read.push((segment.file, rows));
            }
        }
        Ok(read)
    }

    /// The segment of a run, read from its manifest; `None` when gc removed it meanwhile.
    fn read_segment(&self, id: RunId) -> crate::manifest::Result<Option<Segment>> {
        let manifest = match crate::manifest::Manifest::open(&self.run_path(id), id) {
            Err(e) if e.is_not_found() => return Ok(None),
            other => other?,
        };
        let (meta, summary) = (manifest.meta().clone(), manifest.summary().clone());
        let entries = manifest.entries().collect::<crate::manifest::Result<Vec<_>>>()?;
        Ok(Some(Segment::of(&Record { id, meta, summary }, &entries)))
    }

    /// Adds a new run and merges what has become too much. Never fails a commit: what is missing
    /// is read from the manifest.
    pub(super) fn catalog_add(&self, record: &Record, entries: &[Entry]) {
        let segment = Segment::of(record, entries);
        let Ok(Some(_lock)) = self.folder.try_lock(LOCK, LockMode::Exclusive) else {
            drop(self.write_segment(&segment));
            return;
        };
        drop(self.merge_segments(segment));
    }

    fn merge_segments(&self, new: Segment) -> Result<()> {
        let (mut loaded, mut replaced) = self.load_intact_segments()?;
        if loaded.len() < SEGMENTS {
            self.write_segment(&new)?;
            return self.remove_segments(&replaced);
        }
        loaded.sort_by_key(|l| l.file.weight());
        let mut total = new.weight();
        let mut parts = Vec::new();
        for segment in loaded {
            let weight = segment.file.weight();
            if weight > 2 * total {
                break;
            }
            total += weight;
            parts.extend(segment.file.load().map_err(self.unread(&segment.name))?.ok());
            replaced.push(segment.name);
        }
        parts.push(new);
        self.write_segment(&Segment::merge(parts, |_| true))?;
        self.remove_segments(&replaced)
    }

    /// Writes the catalog anew from the runs that there are, reading manifests only of those that
    /// no segment has; after gc removed many, and for repair.
    pub(super) fn catalog_rebuild(&self) -> Result<()> {
        let _lock = self.folder.lock(LOCK, LockMode::Exclusive)?;
        let (loaded, mut replaced) = self.load_segments()?;
        // Listed after the segments, so that a run that is committed meanwhile is in one of both.
        let present: HashSet<RunId, IdHash> = self.run_ids()?.into_iter().collect();
        let mut parts: Vec<Segment> = Vec::new();
        let mut known: HashSet<RunId, IdHash> = HashSet::default();
        for segment in loaded {
            let read = segment.file.load().map_err(self.unread(&segment.name))?;
            let sound = |s: &Segment| s.rows.iter().all(|row| row.record().is_some());
            if let Some(part) = read.ok().filter(sound) {
                known.extend(part.rows.iter().map(|row| row.id));
                parts.push(part);
            }
            replaced.push(segment.name);
        }
        for id in present.difference(&known) {
            parts.extend(self.read_segment(*id).ok().flatten());
        }
        let merged = Segment::merge(parts, |id| present.contains(id));
        if !merged.rows.is_empty() {
            self.write_segment(&merged)?;
        }
        self.remove_segments(&replaced)
    }

    /// Removes every segment; the next reader makes them anew from the manifests.
    pub(super) fn catalog_clear(&self) -> Result<()> {
        self.remove_segments(&self.list_segments()?)
    }

    /// The names of the segments; what else lies there is nobody's.
    fn list_segments(&self) -> Result<Vec<String>> {
        let mut names = self.folder.list(CATALOG)?;
        names.retain(|n| n.strip_suffix(SUFFIX).is_some_and(|id| PackId::of_name(id).is_some()));
        Ok(names)
    }

    fn write_segment(&self, segment: &Segment) -> Result<()> {
        let name = PackId::random().map_err(crate::store::Error::from)?;
        let path = self.folder.path(CATALOG);
        let bytes =
            segment.encode().map_err(crate::disk::Error::on("pack the catalog in", &path))?;
        let name = format!("{CATALOG}/{name}{SUFFIX}");
        let written = match bytes.len() as u64 > UNSYNCED {
            true => self.folder.write(name, &bytes),
            false => self.folder.write_derived(name, &bytes),
        };
        Ok(written?)
    }

    fn remove_segments(&self, names: &[String]) -> Result<()> {
        for name in names {
            match self.folder.remove(format!("{CATALOG}/{name}")) {
                // A folder of that name, which readers pass over, is for repair to set aside.
                Err(e) if e.is_damage() => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// As [`Repo::load_segments`], but what a crash kept from the disk counts as damaged.
    fn load_intact_segments(&self) -> Result<(Vec<Loaded>, Vec<String>)> {
        let (loaded, mut damaged) = self.load_segments()?;
        let mut intact = Vec::with_capacity(loaded.len());
        for segment in loaded {
            let synced = segment.file.size() > UNSYNCED;
            if synced || segment.file.is_intact().map_err(self.unread(&segment.name))? {
                intact.push(segment);
            } else {
                damaged.push(segment.name);
            }
        }
        Ok((intact, damaged))
    }

    /// The segments that can be used, and the names of those that cannot.
    fn load_segments(&self) -> Result<(Vec<Loaded>, Vec<String>)> {
        // A merge may remove a segment between the listing and the reading; what it wrote instead
        // is in the next listing.
        'again: for _ in 0..16 {
            let (mut loaded, mut damaged) = (Vec::new(), Vec::new());
            for name in self.list_segments()? {
                let path = self.folder.path(format!("{CATALOG}/{name}"));
                match SegmentFile::open(&path) {
                    Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue 'again,
                    Err(e) => return Err(crate::disk::Error::new("read", path, e).into()),
                    Ok(Ok(file)) => loaded.push(Loaded { name, file }),
                    Ok(Err(_)) => damaged.push(name),
                }
            }
            return Ok((loaded, damaged));
        }
        Ok((Vec::new(), Vec::new()))
    }

    /// For `map_err` of what reads a segment.
    fn unread(&self, name: &str) -> impl FnOnce(std::io::Error) -> crate::disk::Error {
        let path = self.folder.path(format!("{CATALOG}/{name}"));
        move |e| crate::disk::Error::new("read", path, e)
    }

    /// Names of catalog files that cannot be used; for fsck.
    pub(super) fn damaged_segments(&self) -> Result<Vec<String>> {
        let (loaded, mut damaged) = self.load_segments()?;
        for segment in loaded {
            if !segment.file.is_whole().map_err(self.unread(&segment.name))? {
                damaged.push(segment.name);
            }
        }
        Ok(damaged)
    }
}

/// Stands for a run that is not there any more.
const NOBODY: RunId = RunId::from_bytes([0; 32]);
