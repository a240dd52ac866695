//! The properties of the Kargo pipeline's requirements.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::sync::Mutex;

use eart::id::{ChunkId, PackId, RunId};
use eart::manifest::Node;
use eart::repo::{Clock, CommitOptions, Policy, Repo};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::lab::{
    Lab, Thing, Tree, add_with, adding, assert_flawless, assert_same, checkout, committing,
    copy_dir, fsck, gc, gc_with, noise, repair, scratch, tree,
};

use super::{cases, content, size};

proptest! {
    #![proptest_config(cases())]

    /// Kargo 19: the policy decides as the plain words of the guide do.
    #[test]
    fn property_19_retention_policy(
        runs in prop::collection::vec((0..3u8, 0..3u8, 0..40u64), 1..12),
        tagged in prop::collection::btree_set(0..12usize, 0..3),
        pinned in prop::collection::btree_set(0..12usize, 0..3),
        newest in prop::option::of(1..5u64),
        within in prop::option::of(0..60u64),
        keep_label in prop::option::of(0..3u8),
        per in prop::sample::select(vec![vec![], vec!["suite"], vec!["branch"], vec!["suite", "branch"]]),
    ) {
        let store = STORES.with(|s| s.clone());
        let lab = &store;
        reset(lab);
        let mut now = start();
        let mut made = Vec::new();
        for (suite, branch, hours) in &runs {
            now = now.checked_add(SignedDuration::from_hours(*hours as i64)).unwrap();
            let repo = lab.repo.clone().with_clock(Clock::Fixed(now));
            let mut labels = BTreeMap::from([("suite".to_owned(), suite.to_string())]);
            if *branch > 0 {
                labels.insert("branch".into(), branch.to_string());
            }
            let options = CommitOptions { labels: labels.clone(), allow_empty: true, project: Some("p".into()), ..committing() };
            let run = repo.commit(&options).unwrap();
            made.push((run.id, run.meta.committed, labels));
        }
        let picked = |set: &BTreeSet<usize>| -> Vec<RunId> {
            set.iter().filter_map(|n| made.get(*n)).map(|(id, ..)| *id).collect()
        };
        let (tagged, pinned) = (picked(&tagged), picked(&pinned));
        for (n, run) in tagged.iter().enumerate() {
            lab.repo.set_tag(&format!("t{n}"), *run).unwrap();
        }
        for run in &pinned {
            lab.repo.pin(*run).unwrap();
        }
        let policy = Policy {
            newest,
            within: within.map(|hours| hours * 3600),
            labels: keep_label.map(|v| ("suite".into(), v.to_string())).into_iter().collect(),
            per: per.iter().map(|p| (*p).to_owned()).collect(),
            max_size: None,
        };
        // The model: newest first, one after another.
        made.sort_by_key(|(id, time, _)| (*time, *id));
        made.reverse();
        let mut seen: BTreeMap<Vec<Option<String>>, u64> = BTreeMap::new();
        let (mut stay, mut ruled) = (BTreeSet::new(), false);
        for (id, time, labels) in &made {
            let group = per.iter().map(|p| labels.get(*p).cloned()).collect();
            let rank = seen.entry(group).or_default();
            *rank += 1;
            let age = now.duration_since(*time).as_secs() as u64;
            let by_rule = newest.is_some_and(|n| *rank <= n)
                || within.is_some_and(|hours| age <= hours * 3600)
                || keep_label.is_some_and(|v| labels["suite"] == v.to_string());
            ruled |= by_rule;
            if tagged.contains(id) || pinned.contains(id) || by_rule {
                stay.insert(*id);
            }
        }
        let repo = lab.repo.clone().with_clock(Clock::Fixed(now));
        // No rules, or rules that keep nothing, remove nothing.
        let slip = !ruled && stay.len() < made.len();
        if (newest, within, keep_label) == (None, None, None) || slip {
            prop_assert!(gc_with(&repo, policy).is_err());
            prop_assert_eq!(lab.repo.run_ids().unwrap().len(), runs.len());
            return Ok(());
        }
        let collected = gc_with(&repo, policy).unwrap();
        let decided: BTreeSet<RunId> = collected.fates.iter().filter(|f| f.stays).map(|f| f.id).collect();
        prop_assert_eq!(&decided, &stay);
        prop_assert!(collected.fates.iter().all(|f| !f.reasons.is_empty()));
        let left: BTreeSet<RunId> = lab.repo.run_ids().unwrap().into_iter().collect();
        prop_assert_eq!(&left, &stay);
        // Each removal has its line.
        let log = String::from_utf8(lab.repo.folder().read("audit.log").unwrap_or_default()).unwrap();
        let gone: BTreeSet<String> = made.iter().map(|(id, ..)| *id).filter(|id| !stay.contains(id)).map(|id| id.to_hex()).collect();
        let logged: BTreeSet<String> = log.lines().map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["run"].as_str().unwrap().to_owned()
        }).collect();
        prop_assert_eq!(logged, gone);
    }

    /// Kargo 20: after gc every run that stays is whole, and of the others nothing is left.
    #[test]
    fn property_20_cleanup_leaves_whole_directories(
        runs in prop::collection::vec(prop::collection::btree_map("[a-d]", content(), 1..4), 2..6),
        keep in 1..5u64,
    ) {
        let lab = Lab::new();
        let mut made = Vec::new();
        for files in &runs {
            drop(fs::remove_dir_all(lab.path("run")));
            for (name, content) in files {
                lab.write(format!("run/{name}"), content.bytes());
            }
            lab.add(&["run"]);
            made.push((lab.commit(), lab.part("run")));
        }
        let collected = gc(&lab.repo, keep).unwrap();
        let gone = made.len().saturating_sub(keep as usize);
        for (run, _) in made.drain(..gone) {
            prop_assert!(lab.repo.manifest(run).is_err());
            prop_assert!(!lab.repo.run_ids().unwrap().contains(&run));
        }
        let mut needed: BTreeSet<ChunkId> = BTreeSet::new();
        for (run, tree) in &made {
            assert_same(&lab.checkout(*run), tree, "a run that stays");
            let manifest = lab.repo.manifest(*run).unwrap();
            for entry in manifest.entries().map(|e| e.unwrap()) {
                let Node::File { size: 1.., id } = entry.node else { continue };
                match manifest.chunk_list(id).unwrap() {
                    Some(list) => needed.extend(list.iter().map(|chunk| chunk.id)),
                    None => drop(needed.insert(id.into())),
                }
            }
        }
        prop_assert!(fsck(&lab.repo).unwrap().is_clean());
        prop_assert_eq!(collected.stored, size(&lab, "packs") + size(&lab, "runs"));
        // No pack is left that nobody needs.
        let index = lab.repo.store().index_of_footers().unwrap();
        let used: BTreeSet<PackId> = needed.iter().filter_map(|id| Some(index.find(id)?.pack)).collect();
        prop_assert_eq!(used, index.packs().iter().copied().collect());
        // A second look finds nothing to do.
        let again = gc(&lab.repo, keep).unwrap();
        prop_assert_eq!((again.packs_deleted, again.freed), (0, 0), "{:?}", again);
    }

    /// Kargo 21: where gc cannot know what is needed, it says so and deletes nothing that is.
    #[test]
    fn property_21_cleanup_errors_handled(
        at in any::<prop::sample::Index>(),
        which in any::<prop::sample::Index>(),
        byte in any::<prop::sample::Index>(),
        kind in 0..4u8,
    ) {
        let lab = Lab::new();
        let mut made = Vec::new();
        for n in 0..4u64 {
            lab.write("run/shared", noise(9, 3000));
            lab.write("run/own", noise(n, 20_000));
            lab.write(format!("run/since{n}"), noise(100 + n, 5000));
            lab.add(&["run"]);
            made.push((lab.commit(), lab.part("run")));
        }
        lab.write("open/file", b"staged");
        lab.add(&["open"]);
        let dir = ["runs", "packs", "drafts/default", "runs"][kind as usize];
        let names = lab.repo.folder().list(dir).unwrap();
        let victim = lab.stored(dir).join(&names[which.index(names.len())]);
        let mut bytes = fs::read(&victim).unwrap();
        let place = byte.index(bytes.len());
        match at.index(3) {
            0 => bytes.truncate(place),
            1 => bytes[place] ^= 0x40,
            _ => bytes.clear(),
        }
        fs::write(&victim, &bytes).unwrap();
        let before = lab.beside("before");
        copy_dir(&lab.stored(""), &before);
        let readable = |repo: &Repo| -> BTreeSet<(RunId, OsString)> {
            made.iter().flat_map(|(run, expected)| {
                let to = scratch();
                drop(checkout(repo, *run, to.path()));
                let files: Vec<_> = tree(to.path()).into_iter()
                    .filter(|(_, thing)| !matches!(thing, Thing::Dir { .. })).collect();
                for (path, thing) in &files {
                    assert_eq!(expected.get(path), Some(thing));
                }
                files.into_iter().map(|(path, _)| (*run, path))
            }).collect()
        };
        let could = readable(&lab.repo);
        let keep = 2;
        let outcome = gc(&lab.repo, keep);
        let can = readable(&lab.repo);
        let there: BTreeSet<RunId> = lab.repo.run_ids().unwrap().into_iter().collect();
        for file in &could {
            // Whatever stays can be read as before.
            prop_assert!(can.contains(file) || !there.contains(&file.0), "{outcome:?} lost {file:?}");
        }
        for (run, _) in &made[2..] {
            prop_assert!(there.contains(run));
        }
        if let Err(e) = outcome {
            prop_assert!(e.hint().is_some(), "{e}");
        }
        // Mended, it goes on, and loses nothing more.
        repair(&lab.repo).unwrap();
        gc(&lab.repo, keep).unwrap();
        let still = readable(&lab.repo);
        let there: BTreeSet<RunId> = lab.repo.run_ids().unwrap().into_iter().collect();
        for file in &can {
            prop_assert!(still.contains(file) || !there.contains(&file.0), "lost {file:?}");
        }
    }

    /// Kargo 27: cleaning up while others add, drop and commit takes nothing that is needed.
    #[test]
    fn property_27_concurrent_cleanup_is_safe(
        threads in prop::collection::vec(prop::collection::vec(act(), 1..5), 2..4),
    ) {
        let lab = Lab::new();
        let pool: Vec<Vec<u8>> = (0..5).map(|n| match n {
            0..3 => noise(n, 40_000),
            _ => format!("text {n}\n").repeat(3000).into_bytes(),
        }).collect();
        let made: Mutex<Vec<(RunId, Tree)>> = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for (number, acts) in threads.iter().enumerate() {
                let (lab, pool, made) = (&lab, &pool, &made);
                scope.spawn(move || {
                    let (dir, draft) = (format!("w{number}"), format!("d{number}"));
                    // Locks are on open files: a handle of its own is like a process of its own.
                    let repo = Repo::open(lab.repo.folder().clone(), &lab.work()).unwrap();
                    let stage = |contents: &[u8]| {
                        drop(fs::remove_dir_all(lab.path(&dir)));
                        for (n, content) in contents.iter().enumerate() {
                            lab.write(format!("{dir}/{n}"), &pool[usize::from(*content)]);
                        }
                        let mut options = adding(&repo, &[&dir]);
                        options.draft = draft.clone();
                        add_with(&repo, options).0.unwrap();
                    };
                    for act in acts {
                        match act {
                            Act::Run(contents) => {
                                stage(contents);
                                let expected = lab.part(&dir);
                                let mut options = committing();
                                options.drafts = vec![draft.clone()];
                                let id = repo.commit(&options).unwrap().id;
                                made.lock().unwrap().push((id, expected));
                            }
                            Act::Drop(contents) => {
                                stage(contents);
                                repo.drop_draft(&draft).unwrap();
                            }
                            Act::Gc(keep) => drop(gc(&repo, (*keep).into()).unwrap()),
                        }
                    }
                });
            }
        });
        assert_flawless(&lab.repo);
        let left = lab.repo.run_ids().unwrap();
        let made = made.into_inner().unwrap();
        prop_assert!(left.iter().all(|id| made.iter().any(|(known, _)| known == id)));
        for (id, expected) in made.iter().filter(|(id, _)| left.contains(id)) {
            let to = scratch();
            let (done, problems) = checkout(&lab.repo, *id, to.path());
            prop_assert_eq!(problems, []);
            done.unwrap();
            assert_same(&tree(to.path()), expected, "a run that stays");
        }
    }
}

thread_local! {
    /// One store for many cases that need no files.
    static STORES: std::rc::Rc<Lab> = std::rc::Rc::new(Lab::new());
}

/// Takes every run, tag and pin out of a store.
fn reset(lab: &Lab) {
    for dir in ["runs", "catalog", "refs/tags", "refs/pins"] {
        for name in lab.repo.folder().list(dir).unwrap() {
            if name != "lock" {
                fs::remove_file(lab.stored(dir).join(name)).unwrap();
            }
        }
    }
    drop(fs::remove_file(lab.stored("audit.log")));
}

fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// What one of several threads does.
#[derive(Debug, Clone)]
enum Act {
    /// Stage contents of the pool and commit them.
    Run(Vec<u8>),
    /// Stage contents of the pool and drop them.
    Drop(Vec<u8>),
    Gc(u8),
}

fn act() -> impl Strategy<Value = Act> {
    let some = || prop::collection::vec(0..5u8, 1..4);
    prop_oneof![
        3 => some().prop_map(Act::Run),
        1 => some().prop_map(Act::Drop),
        2 => (1..4u8).prop_map(Act::Gc),
    ]
}
