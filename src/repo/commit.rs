//! `commit`: seals a draft, several drafts, or the shards of one run, into a run.
//!
//! Order of writes: packs are on disk since `add`; then the run's file, synced and renamed; then
//! what is derived or no longer needed. A crash before the rename leaves the draft, a crash after
//! it leaves the run and the draft.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rayon::prelude::*;

use super::catalog::Record;
use super::{Error, Repo, Result, draft, runs};
use crate::id::{FileId, RunId};
use crate::manifest::{ChunkList, Draft, Entry, Fingerprint, Node, RunMeta, Status, Summary, seal};
use crate::path::RelPath;

/// What to commit, and what to say about it.
#[derive(Debug, Clone, Default)]
pub struct CommitOptions {
    /// What happened, in words.
    pub message: String,
    /// Names and values to find the run by.
    pub labels: BTreeMap<String, String>,
    /// How the tests went.
    pub status: Option<Status>,
    /// The run's name; made from the time when there is none.
    pub name: Option<String>,
    /// The project; found from git or the folder when there is none.
    pub project: Option<String>,
    /// Drafts to seal; several are joined.
    pub drafts: Vec<String>,
    /// Runs to join.
    pub from: Vec<RunId>,
    /// Puts each part below its own name when parts are joined.
    pub prefix: bool,
    /// Whether a run without entries is wanted.
    pub allow_empty: bool,
}

/// A new run.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Committed {
    /// Its id.
    pub id: RunId,
    /// What it was committed with.
    #[serde(flatten)]
    pub meta: RunMeta,
    /// What it amounts to.
    pub summary: Summary,
    /// Seconds by which the clock lies behind the time that the run got, which is never before that
    /// of the newest run: one of the two clocks was wrong.
    #[serde(skip)]
    pub clock_behind: u64,
}

impl Repo {
    /// Seals drafts or joins runs. When this returns, the run is on disk.
    ///
    /// # Errors
    ///
    /// When there is nothing to commit, the parts disagree on a path, or the run cannot be
    /// written; the drafts are then as they were. Where only a draft cannot be removed, the run is
    /// there.
    pub fn commit(&self, options: &CommitOptions) -> Result<Committed> {
        let _share = self.share()?;
        let _lock = self.lock_drafts()?;
        let mut parts = self.parts(options)?;
        let options = inherit(options, &parts);
        // What was remembered of the files holds where the run is the draft, as it is.
        let as_it_is = parts.len() == 1 && !options.prefix;
        let draft = match parts.len() {
            0 => Draft::new(self.clock.now()),
            1 if as_it_is => parts.remove(0).draft,
            _ => join(parts, options.prefix)?,
        };
        if draft.entries().is_empty() && !options.allow_empty {
            return Err(self.nothing_staged(&options));
        }
        self.must_have_chunks(&draft)?;
        let meta = self.meta(&options, draft.started)?;
        let sealed = seal(&meta, draft.contents())?;
        self.folder.write(runs::file(sealed.id), &sealed.bytes)?;
        let record = Record { id: sealed.id, meta: meta.clone(), summary: sealed.summary.clone() };
        self.catalog_add(&record, draft.entries());
        if let ([name], true) = (&options.drafts[..], as_it_is) {
            // Only to be faster next time: the run is on disk whatever becomes of this.
            let last = draft.into_last(sealed.id).encode();
            drop(self.folder.create_dir(format!("{}/{name}", draft::DRAFTS)));
            drop(self.folder.write_derived(draft::last_file(name), &last));
        }
        for name in &options.drafts {
            if self.folder.path(draft::file(name)).exists() {
                self.remove_draft(name).map_err(|source| Error::DraftStays {
                    run: sealed.id,
                    name: name.clone(),
                    source: Box::new(source),
                })?;
            }
        }
        let behind = meta.committed.duration_since(self.clock.now()).as_secs();
        let clock_behind = u64::try_from(behind).unwrap_or(0);
        Ok(Committed { id: sealed.id, meta, summary: sealed.summary, clock_behind })
    }

    /// What a commit of nothing fails with: it may be another draft that was staged into.
    fn nothing_staged(&self, options: &CommitOptions) -> Error {
        const STAGE: &str =
            "stage files with `eart add PATH`, or commit an empty run with --allow-empty";
        let ([name], []) = (&options.drafts[..], &options.from[..]) else {
            return Error::hinted("Nothing to commit: nothing is staged", STAGE);
        };
        let mut others = self.draft_names().unwrap_or_default();
        others.retain(|other| other != name);
        let hint = match others.is_empty() {
            true => STAGE.to_owned(),
            false => format!("other drafts are open: {}; name one with --draft", others.join(", ")),
        };
        Error::hinted(format!("Nothing to commit: nothing is staged in the draft {name}"), hint)
    }

    /// A run must not name what the store has lost since it was staged.
    fn must_have_chunks(&self, draft: &Draft) -> Result<()> {
        let index = self.store.index()?;
        let lost = |entry: &&Entry| match entry.node {
            Node::File { size: 1.., id } => match draft.chunks().get(&id) {
                Some(list) => !list.iter().all(|c| index.contains(&c.id)),
                None => !index.contains(&id.into()),
            },
            _ => false,
        };
        match draft.entries().par_iter().find_first(lost) {
            None => Ok(()),
            Some(entry) => Err(Error::hinted(
                format!("The store has lost what was staged as {}", entry.path),
                "stage it again with `eart add`; `eart fsck` says what else is lost",
            )),
        }
    }

    /// The drafts and runs that were named, each once.
    fn parts(&self, options: &CommitOptions) -> Result<Vec<Part>> {
        let mut parts: Vec<Part> = Vec::new();
        let alone = options.drafts.len() + options.from.len() == 1;
        for name in &options.drafts {
            if parts.iter().any(|part| part.name == *name) {
                continue;
            }
            match self.draft(name)? {
                Some(draft) => parts.push(Part { name: name.clone(), draft, run: None }),
                // A shard that is missing must not go unnoticed.
                None if !alone && !options.allow_empty => {
                    return Err(Error::hinted(
                        format!("Nothing is staged in the draft {name}"),
                        "leave it out, or join what there is with --allow-empty",
                    ));
                }
                None => {}
            }
        }
        for (place, id) in options.from.iter().enumerate() {
            if options.from.iter().take(place).any(|before| before == id) {
                return Err(Error::hinted(
                    format!("The run {} is named twice", id.short()),
                    "a name means its newest run; name the shards by their ids, see `eart log`",
                ));
            }
            let mut part = self.part_of(*id)?;
            if parts.iter().any(|other| other.name == part.name) {
                part.name = format!("{}-{}", part.name, id.short());
            }
            parts.push(part);
        }
        Ok(parts)
    }

    fn meta(&self, options: &CommitOptions, started: Timestamp) -> Result<RunMeta> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(crate::store::Error::from)?;
        let mut committed = self.clock.now();
        // A clock that went backwards must not make the newest run look old.
        if let Some(latest) = self.catalog()?.latest()
            && committed <= latest
        {
            let tick = SignedDuration::from_nanos(1);
            committed = latest.checked_add(tick).unwrap_or(committed);
        }
        let name = options.name.clone();
        let meta = RunMeta {
            nonce,
            started: started.min(committed),
            committed,
            name: name.unwrap_or_else(|| committed.strftime("run-%Y%m%d-%H%M%S").to_string()),
            project: match &options.project {
                Some(project) => project.clone(),
                None => self.project().0,
            },
            message: options.message.clone(),
            labels: options.labels.clone(),
            status: options.status,
            context: BTreeMap::new(),
        };
        meta.validate()?;
        if meta.name == super::resolve::LATEST {
            return Err(Error::user("A run cannot be named latest: that means the newest run"));
        }
        Ok(meta)
    }

    /// A run as a part to be joined.
    fn part_of(&self, id: RunId) -> Result<Part> {
        let manifest = self.manifest(id)?;
        let mut draft = Draft::new(manifest.meta().started);
        let entries = manifest.entries().collect::<std::result::Result<Vec<_>, _>>()?;
        let lists = manifest.chunk_lists().collect::<std::result::Result<BTreeMap<_, _>, _>>()?;
        let staged = entries.into_iter().map(|e| (e, None)).collect();
        draft.replace_within(&[None], staged, lists)?;
        let meta = manifest.meta().clone();
        Ok(Part { name: meta.name.clone(), draft, run: Some(meta) })
    }
}

/// One of several drafts or runs that are joined.
struct Part {
    name: String,
    draft: Draft,
    /// What a run was committed with.
    run: Option<RunMeta>,
}

/// What joined runs hand down where nothing else is said: the labels that all of them have alike,
/// and the worst of their statuses.
fn inherit(options: &CommitOptions, parts: &[Part]) -> CommitOptions {
    let mut options = options.clone();
    let runs: Vec<&RunMeta> = parts.iter().filter_map(|p| p.run.as_ref()).collect();
    if runs.len() < parts.len() {
        return options;
    }
    if let Some((first, others)) = runs.split_first() {
        for (name, value) in &first.labels {
            if others.iter().all(|r| r.labels.get(name) == Some(value)) {
                options.labels.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
    }
    let rank = |s: &Status| match s {
        Status::Passed => 0,
        Status::Unknown => 1,
        Status::Failed => 2,
        Status::Error => 3,
    };
    options.status =
        options.status.or_else(|| runs.iter().filter_map(|r| r.status).max_by_key(rank));
    options
}

/// Joins parts. The same content at one path is one entry; different content is an error, unless
/// each part goes below its own name.
fn join(parts: Vec<Part>, prefix: bool) -> Result<Draft> {
    let started = parts.iter().map(|p| p.draft.started).min().unwrap_or(Timestamp::UNIX_EPOCH);
    let mut all: Vec<(Entry, Option<Fingerprint>, usize)> = Vec::new();
    let mut lists: BTreeMap<FileId, ChunkList> = BTreeMap::new();
    let mut new_bytes = 0;
    for (number, part) in parts.iter().enumerate() {
        new_bytes += part.draft.new_bytes;
        lists.extend(part.draft.chunks().iter().map(|(id, list)| (*id, list.clone())));
        let folder = RelPath::new(part.name.as_bytes())?;
        let prints = part.draft.fingerprints().iter();
        for (entry, print) in part.draft.entries().iter().zip(prints) {
            let mut entry = entry.clone();
            if prefix {
                entry.path = folder.join(entry.path.as_bytes())?;
            }
            all.push((entry, *print, number));
        }
    }
    all.sort_by(|(a, _, x), (b, _, y)| a.path.cmp(&b.path).then(x.cmp(y)));
    let name = |number: usize| parts.get(number).map_or("", |p| p.name.as_str());
    let mut staged: Vec<(Entry, Option<Fingerprint>)> = Vec::with_capacity(all.len());
    let mut holders: Vec<usize> = Vec::with_capacity(all.len());
    for (entry, print, number) in all {
        match (staged.last(), holders.last()) {
            (Some((last, _)), Some(&holder)) if last.path == entry.path => {
                if last.node != entry.node {
                    return Err(Error::hinted(
                        format!(
                            "{} differs between {} and {}",
                            entry.path,
                            name(holder),
                            name(number)
                        ),
                        "keep the parts apart with --prefix: each goes below its own name",
                    ));
                }
            }
            _ => {
                staged.push((entry, print));
                holders.push(number);
            }
        }
    }
    let mut draft = Draft::new(started);
    draft.new_bytes = new_bytes;
    draft.replace_within(&[None], staged, lists)?;
    Ok(draft)
}
