//! What must hold of a store whatever happens to the machine.

use std::collections::{BTreeMap, BTreeSet};

use eart::id::RunId;
use eart::repo::{CONFIG, Repo};

use crate::lab::{Tree, assert_whole};

use super::disk::{Event, Staged};

/// What the caller was promised. Where a change is under way, several things may be.
#[derive(Debug, Clone, Default)]
pub(super) struct Promises {
    pub(super) runs: BTreeMap<RunId, Tree>,
    maybe_gone: BTreeSet<RunId>,
    gone: BTreeSet<RunId>,
    drafts: BTreeMap<&'static str, Vec<Staged>>,
    /// Drafts of which each is there, or this run is.
    sealing: Option<(Vec<&'static str>, RunId)>,
    tags: BTreeMap<&'static str, Vec<Option<RunId>>>,
    config: Option<&'static str>,
}

impl Promises {
    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            Event::Staging(draft, staged) => self.may_hold(draft, staged.clone()),
            Event::Staged(draft) => settle(&mut self.drafts, draft),
            Event::Sealing(drafts, run, tree) => {
                for draft in drafts {
                    self.may_hold(draft, None);
                }
                self.runs.insert(*run, tree.clone());
                self.maybe_gone.insert(*run);
                self.sealing = Some((drafts.clone(), *run));
            }
            Event::Sealed => {
                let (drafts, run) = self.sealing.take().unwrap();
                drafts.iter().for_each(|draft| settle(&mut self.drafts, draft));
                self.maybe_gone.remove(&run);
            }
            Event::Removing(runs) => self.maybe_gone.extend(runs),
            Event::Removed(runs) => self.gone.extend(runs),
            Event::Tagging(tag, run) => {
                self.tags.entry(tag).or_insert_with(|| vec![None]).push(*run);
            }
            Event::Tagged(tag) => settle(&mut self.tags, tag),
            Event::Configured(text) => self.config = Some(text),
            _ => {}
        }
    }

    fn may_hold(&mut self, draft: &'static str, staged: Staged) {
        self.drafts.entry(draft).or_insert_with(|| vec![None]).push(staged);
    }

    /// What is promised once somebody has committed the default draft, whatever it held.
    pub(super) fn with_default_sealed(&self) -> Self {
        let mut promises = self.clone();
        promises.drafts.insert("default", vec![None]);
        promises.sealing = self.sealing.clone().filter(|(drafts, _)| !drafts.contains(&"default"));
        promises
    }

    /// The store's own opinion, and whether everything promised is there.
    pub(super) fn hold(&self, repo: &Repo) {
        assert_whole(repo);
        let catalog = repo.catalog().unwrap();
        assert_eq!(catalog.unreadable().len(), 0);
        for run in self.runs.keys() {
            let there = catalog.get(run).is_some();
            assert!(there || self.maybe_gone.contains(run), "{run} is lost");
            assert!(!there || !self.gone.contains(run), "{run} is back");
        }
        let staged = |draft| repo.draft(draft).unwrap().map(|d| d.entries().to_vec());
        for (draft, may) in &self.drafts {
            let staged = staged(draft);
            assert!(may.contains(&staged), "draft {draft}: {staged:?} is none of {may:?}");
        }
        if let Some((drafts, run)) = &self.sealing {
            let there = catalog.get(run).is_some() || drafts.iter().all(|d| staged(d).is_some());
            assert!(there, "neither the drafts {drafts:?} nor their run {run} are there");
        }
        let refs = repo.refs().unwrap();
        for (tag, may) in &self.tags {
            assert!(may.contains(&refs.tags.get(*tag).copied()), "tag {tag}");
        }
        if let Some(text) = self.config {
            assert_eq!(repo.folder().read(CONFIG).unwrap(), text.as_bytes());
        }
    }
}

/// Of what may be, the last one is.
fn settle<T>(may: &mut BTreeMap<&'static str, Vec<T>>, name: &str) {
    let may = may.get_mut(name).unwrap();
    may.drain(..may.len() - 1);
}
