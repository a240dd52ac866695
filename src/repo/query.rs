//! `log`, `show` and `find`: questions over all runs, answered from the catalog alone.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::{Catalog, Glob, Hit, Record, Refs, Repo, Result};
use crate::artifact::ArtifactType;
use crate::id::RunId;
use crate::manifest::Status;
use crate::path::RelPath;

/// Which runs are meant, and which of their files. Every condition must hold; those on files must
/// hold of one and the same file.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Committed at this moment or later.
    pub since: Option<Timestamp>,
    /// Committed at this moment or earlier.
    pub until: Option<Timestamp>,
    /// With these labels.
    pub labels: Vec<(String, String)>,
    /// With this declared status.
    pub status: Option<Status>,
    /// With a file of this type.
    pub artifact: Option<ArtifactType>,
    /// With a file that matches one of these globs.
    pub path: Option<Glob>,
    /// With a file of more bytes than this.
    pub larger: Option<u64>,
    /// So many results at most.
    pub limit: Option<usize>,
}

/// A run with the names that point to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// The run.
    #[serde(flatten)]
    pub record: Record,
    /// Its tags, sorted.
    pub tags: Vec<String>,
    /// Whether it is pinned.
    pub pinned: bool,
}

/// A file that a search found.
#[derive(Debug, Clone)]
pub struct FoundFile<'a> {
    /// The run that has it.
    pub run: &'a Record,
    /// Where it stands there.
    pub path: Arc<RelPath>,
    /// Its length in bytes.
    pub size: u64,
    /// Its artifact type.
    pub artifact: ArtifactType,
}

impl Query {
    fn wants_run(&self, run: &Record) -> bool {
        self.since.is_none_or(|since| run.meta.committed >= since)
            && self.until.is_none_or(|until| run.meta.committed <= until)
            && self.status.is_none_or(|status| run.meta.status == Some(status))
            && self.labels.iter().all(|(name, value)| run.meta.labels.get(name) == Some(value))
            // Whoever has no such file at all need not be searched.
            && self.artifact.is_none_or(|artifact| run.summary.types.contains_key(&artifact))
            && self.larger.is_none_or(|size| run.summary.largest.as_ref().is_some_and(|l| l.size > size))
    }

    fn wants_file(&self, hit: &Hit<'_>) -> bool {
        self.artifact.is_none_or(|artifact| hit.artifact == artifact)
            && self.larger.is_none_or(|size| hit.size > size)
    }

    /// Whether a run's summary cannot tell if it has such a file.
    fn must_search(&self) -> bool {
        self.path.is_some() || (self.artifact.is_some() && self.larger.is_some())
    }
}

impl Repo {
    /// The runs that are meant, newest first.
    ///
    /// # Errors
    ///
    /// When tags, or the paths that a condition asks for, cannot be read.
    pub fn log(&self, catalog: &Catalog, query: &Query) -> Result<Vec<Listed>> {
        let refs = self.readable_refs()?;
        let searched = if query.must_search() { Some(catalog.holders(query)?) } else { None };
        let meant = |run: &&Record| {
            query.wants_run(run) && searched.as_ref().is_none_or(|ids| ids.contains(&run.id))
        };
        let limit = query.limit.unwrap_or(usize::MAX);
        let runs: Vec<&Record> = catalog.records().filter(meant).take(limit).collect();
        Ok(Listed::all(runs, &refs))
    }

    /// All that lists know of one run.
    ///
    /// # Errors
    ///
    /// When the revision names no run.
    pub fn show(&self, revision: &str) -> Result<Listed> {
        let (catalog, refs) = (self.catalog()?, self.readable_refs()?);
        let record = super::resolve(revision, &catalog, &refs)?;
        let tags = refs.tags_of(record.id).map(str::to_owned).collect();
        Ok(Listed { record: record.clone(), tags, pinned: refs.pins.contains(&record.id) })
    }
}

impl Listed {
    fn all(runs: Vec<&Record>, refs: &Refs) -> Vec<Self> {
        let mut tags: HashMap<RunId, Vec<String>> = HashMap::new();
        for (name, id) in &refs.tags {
            tags.entry(*id).or_default().push(name.clone());
        }
        let listed = |record: &Record| Self {
            record: record.clone(),
            tags: tags.get(&record.id).cloned().unwrap_or_default(),
            pinned: refs.pins.contains(&record.id),
        };
        runs.into_iter().map(listed).collect()
    }
}

impl Catalog {
    /// The files that are meant: of the newest run first, and there in path order. A glob means
    /// files that match it themselves, not what lies in folders that do.
    ///
    /// # Errors
    ///
    /// When a segment's paths are damaged.
    pub fn find(&self, query: &Query) -> Result<Vec<FoundFile<'_>>> {
        let wanted = self.wanted(query);
        let mut found: Vec<(usize, FoundFile<'_>)> = Vec::new();
        let mut last: Option<Arc<RelPath>> = None;
        let wants = |path: &[u8]| query.path.as_ref().is_none_or(|glob| glob.matches(path));
        self.search(wants, |path, hit| {
            let Some(place) = wanted.get(&hit.run.id).filter(|_| query.wants_file(&hit)) else {
                return;
            };
            // One path comes with all its runs in a row.
            let path = match &last {
                Some(known) if known.as_bytes() == path => known.clone(),
                _ => match RelPath::new(path) {
                    Ok(path) => last.insert(Arc::new(path)).clone(),
                    Err(_) => return,
                },
            };
            let Hit { run, size, artifact } = hit;
            found.push((*place, FoundFile { run, path, size, artifact }));
        })?;
        found.sort_unstable_by(|(a, x), (b, y)| a.cmp(b).then_with(|| x.path.cmp(&y.path)));
        found.truncate(query.limit.unwrap_or(usize::MAX));
        Ok(found.into_iter().map(|(_, file)| file).collect())
    }

    /// The runs that have a file as it is meant. A glob that matches a folder means what is in it.
    fn holders(&self, query: &Query) -> Result<HashSet<RunId>> {
        let wanted = self.wanted(query);
        let mut holders = HashSet::new();
        let wants = |path: &[u8]| query.path.as_ref().is_none_or(|glob| glob.matches_within(path));
        self.search(wants, |_, hit| {
            if query.wants_file(&hit) && wanted.contains_key(&hit.run.id) {
                holders.insert(hit.run.id);
            }
        })?;
        Ok(holders)
    }

    /// The runs that may be meant, with their place among all.
    fn wanted(&self, query: &Query) -> HashMap<RunId, usize> {
        let runs = self.records().enumerate();
        runs.filter(|(_, run)| query.wants_run(run)).map(|(place, run)| (run.id, place)).collect()
    }
}
