//! A store against a model of it in memory.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use eart::id::RunId;
use proptest::prelude::*;

use crate::lab::{Lab, Thing, Tree, add, assert_same, commit, fsck, gc, repair};

use super::{Content, cases, content};

proptest! {
    #![proptest_config(cases())]

    /// Kargo 23: whatever is done in whatever order, the store holds what a model in memory says.
    #[test]
    fn property_23_storage_consistent(steps in prop::collection::vec(step(), 1..40)) {
        let lab = Lab::new();
        let mut model = Model::default();
        for step in &steps {
            model.take(&lab, step);
        }
        model.check(&lab);
    }
}

/// Something to do with a store.
#[derive(Debug, Clone)]
enum Step {
    /// Write a file of one of the folders.
    Write(u8, u8, Content),
    /// Remove a file.
    Delete(u8, u8),
    /// Add a folder.
    Add(u8),
    Commit,
    /// Tag the run of this age.
    Tag(u8, u8),
    Untag(u8),
    Remove(u8),
    Gc(u8),
    Repair,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..2u8, 0..3u8, content()).prop_map(|(d, f, c)| Step::Write(d, f, c)),
        1 => (0..2u8, 0..3u8).prop_map(|(d, f)| Step::Delete(d, f)),
        4 => (0..2u8).prop_map(Step::Add),
        4 => Just(Step::Commit),
        1 => (0..3u8, 0..4u8).prop_map(|(t, r)| Step::Tag(t, r)),
        1 => (0..3u8).prop_map(Step::Untag),
        1 => (0..4u8).prop_map(Step::Remove),
        2 => (1..4u8).prop_map(Step::Gc),
        1 => Just(Step::Repair),
    ]
}

/// What should be in a store.
#[derive(Debug, Default)]
struct Model {
    staged: BTreeMap<OsString, Thing>,
    draft: bool,
    /// Oldest first.
    runs: Vec<(RunId, Tree)>,
    tags: BTreeMap<u8, RunId>,
}

impl Model {
    fn aged(&self, age: u8) -> Option<RunId> {
        self.runs.iter().rev().nth(age.into()).map(|(id, _)| *id)
    }

    fn take(&mut self, lab: &Lab, step: &Step) {
        match step {
            Step::Write(dir, file, content) => {
                lab.write(format!("d{dir}/f{file}"), content.bytes())
            }
            Step::Delete(dir, file) => drop(fs::remove_file(lab.path(format!("d{dir}/f{file}")))),
            Step::Add(dir) => {
                let name = format!("d{dir}");
                let (added, problems) = add(&lab.repo, &[&name]);
                assert_eq!(added.is_ok(), lab.path(&name).is_dir());
                assert_eq!(problems.is_empty(), added.is_ok());
                if added.is_ok() {
                    self.draft = true;
                    self.staged.retain(|path, _| !Path::new(path).starts_with(&name));
                    self.staged.extend(lab.part(&name));
                }
            }
            Step::Commit => match commit(&lab.repo) {
                Ok(run) => {
                    assert!(self.draft && !self.staged.is_empty());
                    self.runs.push((run.id, std::mem::take(&mut self.staged)));
                    self.draft = false;
                }
                Err(e) => assert!(self.staged.is_empty(), "{e}"),
            },
            Step::Tag(tag, age) => {
                if let Some(run) = self.aged(*age) {
                    assert_eq!(
                        lab.repo.set_tag(&format!("t{tag}"), run).unwrap(),
                        self.tags.insert(*tag, run)
                    );
                }
            }
            Step::Untag(tag) => {
                assert_eq!(
                    lab.repo.remove_tag(&format!("t{tag}")).ok(),
                    self.tags.remove(tag).map(Some)
                );
            }
            Step::Remove(age) => {
                if let Some(run) = self.aged(*age) {
                    let removed = lab.repo.rm(&[run.to_hex()], "test", false);
                    let tagged = self.tags.values().any(|id| *id == run);
                    assert_eq!(removed.is_err(), tagged);
                    self.runs.retain(|(id, _)| *id != run || tagged);
                }
            }
            Step::Gc(keep) => {
                gc(&lab.repo, (*keep).into()).unwrap();
                let cut = self.runs.len().saturating_sub((*keep).into());
                let mut at = 0;
                self.runs.retain(|(id, _)| {
                    at += 1;
                    at > cut || self.tags.values().any(|run| run == id)
                });
            }
            Step::Repair => assert!(repair(&lab.repo).unwrap().is_clean()),
        }
    }

    fn check(&self, lab: &Lab) {
        assert!(fsck(&lab.repo).unwrap().is_clean());
        let catalog = lab.repo.catalog().unwrap();
        let listed: Vec<RunId> = {
            let mut ids: Vec<RunId> = catalog.records().map(|r| r.id).collect();
            ids.reverse();
            ids
        };
        assert_eq!(listed, self.runs.iter().map(|(id, _)| *id).collect::<Vec<_>>());
        for (run, expected) in &self.runs {
            assert_same(&lab.checkout(*run), expected, "a run of the model");
        }
        let tags: BTreeMap<String, RunId> =
            self.tags.iter().map(|(t, r)| (format!("t{t}"), *r)).collect();
        assert_eq!(lab.repo.refs().unwrap().tags, tags);
        let draft = lab.repo.draft("default").unwrap();
        let staged: Vec<OsString> = draft
            .iter()
            .flat_map(|d| d.entries())
            .map(|e| OsString::from_vec(e.path.as_bytes().to_vec()))
            .collect();
        assert_eq!(staged, self.staged.keys().cloned().collect::<Vec<_>>());
    }
}
