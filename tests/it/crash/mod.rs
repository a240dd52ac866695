//! A crash at any moment leaves the last good state.
//!
//! Every change of the store is recorded while a scenario runs. Then, for every prefix of the
//! record, the stores that a crash at that moment could have left are built and used.

mod disk;
mod promises;
mod repair;
mod wreck;

use disk::{Disk, Event, Record};
use promises::Promises;
use wreck::{all_survive, wrecks};

use std::fs;
use std::path::Path;
use std::sync::Arc;

use eart::disk::Folder;
use eart::id::{ChunkId, RunId};
use eart::repo::{CONFIG, Repo};
use eart::store::Compression;

use crate::lab::{Lab, Tree, add_with, adding, committing, gc, noise};

/// Runs a scenario on a watched store.
fn recorded(lab: &Lab) -> (Repo, Arc<Record>) {
    let record = Arc::new(Record::default());
    let folder = Folder::new(lab.stored("")).watched(record.clone());
    (Repo::open(folder, &lab.work()).unwrap(), record)
}

/// Does something to a draft: until it is done, what was staged is, or what is staged then.
fn change(repo: &Repo, record: &Record, draft: &'static str, act: impl FnOnce()) {
    let before = record.len();
    act();
    let staged = repo.draft(draft).unwrap().map(|d| d.entries().to_vec());
    record.insert(before, Event::Staging(draft, staged));
    record.push(Event::Staged(draft));
}

fn stage(repo: &Repo, record: &Record, draft: &'static str, paths: &[&str]) {
    change(repo, record, draft, || {
        let mut options = adding(repo, paths);
        options.draft = draft.into();
        let (added, problems) = add_with(repo, options);
        added.unwrap();
        assert_eq!(problems, []);
    });
}

fn seal(repo: &Repo, record: &Record, drafts: &[&'static str], tree: Tree) -> RunId {
    let before = record.len();
    let mut options = committing();
    options.drafts = drafts.iter().map(ToString::to_string).collect();
    let run = repo.commit(&options).unwrap().id;
    record.insert(before, Event::Sealing(drafts.to_vec(), run, tree));
    record.push(Event::Sealed);
    run
}

fn set_tag(repo: &Repo, record: &Record, tag: &'static str, run: RunId) {
    record.push(Event::Tagging(tag, Some(run)));
    repo.set_tag(tag, run).unwrap();
    record.push(Event::Tagged(tag));
}

#[test]
fn every_moment_of_a_first_day_survives() {
    let lab = Lab::new();
    // The store that the lab made is not the one that is watched.
    fs::remove_dir_all(lab.stored("")).unwrap();
    let record = Arc::new(Record::default());
    let folder = Folder::new(lab.stored("")).watched(record.clone());
    let repo = Repo::init(folder, &lab.work()).unwrap().0;
    const SETTINGS: &str = "[gc]\nkeep = 7\n";
    repo.folder().write(CONFIG, SETTINGS.as_bytes()).unwrap();
    record.push(Event::Configured(SETTINGS));

    lab.write("report/index.html", "<h1>first</h1>\n".repeat(500));
    lab.write("report/data/trace.bin", noise(1, 400_000));
    lab.write("report/shared.bin", noise(2, 60_000));
    std::os::unix::fs::symlink("index.html", lab.path("report/start")).unwrap();
    fs::create_dir(lab.path("report/empty")).unwrap();
    stage(&repo, &record, "default", &["report"]);
    let first = seal(&repo, &record, &["default"], lab.part("report"));
    set_tag(&repo, &record, "release", first);

    lab.write("report/index.html", "<h1>second</h1>\n".repeat(500));
    lab.write("report/data/trace.bin", noise(3, 300_000));
    lab.write("report/later.bin", noise(4, 80_000));
    lab.write("logs/pod.log", "line\n".repeat(3000));
    stage(&repo, &record, "default", &["report"]);
    let second = seal(&repo, &record, &["default"], lab.part("report"));
    stage(&repo, &record, "other", &["logs"]);

    lab.write("report/data/trace.bin", noise(5, 200_000));
    stage(&repo, &record, "default", &["report"]);
    let third = seal(&repo, &record, &["default"], lab.part("report"));

    // The third run needs a part of what the second brought: its pack is written anew.
    record.push(Event::Removing(vec![second]));
    repo.rm(&[second.to_hex()], "test", false).unwrap();
    record.push(Event::Removed(vec![second]));
    let collected = gc(&repo, 10).unwrap();
    assert!(collected.packs_rewritten > 0, "{collected:?}");

    let fourth = seal(&repo, &record, &["other"], lab.part("logs"));
    record.push(Event::Removing(vec![third]));
    let collected = gc(&repo, 1).unwrap();
    record.push(Event::Removed(vec![third]));
    let fates: Vec<_> = collected.fates.iter().map(|f| (f.id, f.stays)).collect();
    assert_eq!(fates, [(fourth, true), (third, false), (first, true)]);
    assert!(collected.packs_deleted > 0);

    let wrecks = wrecks(Disk::default(), Promises::default(), &record.take());
    assert!(wrecks.len() > 300, "{}", wrecks.len());
    all_survive(&wrecks);
}

#[test]
fn every_moment_of_joining_resetting_dropping_and_removing_survives() {
    let lab = Lab::new();
    let base = Disk::of(&lab.stored(""));
    let (repo, record) = recorded(&lab);
    for (n, name) in ["shard-1", "shard-2", "third"].into_iter().enumerate() {
        lab.write(format!("{name}/report.html"), format!("<p>{name}</p>\n").repeat(200));
        lab.write(format!("{name}/video.webm"), noise(n as u64, 30_000));
    }
    stage(&repo, &record, "a", &["shard-1"]);
    stage(&repo, &record, "b", &["shard-2"]);
    let both = [lab.part("shard-1"), lab.part("shard-2")].into_iter().flatten().collect();
    let joined = seal(&repo, &record, &["a", "b"], both);

    stage(&repo, &record, "default", &["shard-1", "shard-2"]);
    for (paths, removed) in [(&["shard-1".to_owned()][..], 2), (&[], 2)] {
        change(&repo, &record, "default", || {
            assert_eq!(repo.reset("default", paths, repo.work()).unwrap().removed, removed);
        });
    }
    assert_eq!(repo.draft_names().unwrap(), [""; 0]);

    stage(&repo, &record, "c", &["third"]);
    let third = seal(&repo, &record, &["c"], lab.part("third"));
    stage(&repo, &record, "c", &["shard-1", "third"]);
    change(&repo, &record, "c", || repo.drop_draft("c").unwrap());

    set_tag(&repo, &record, "release", joined);
    repo.pin(joined).unwrap();
    record.push(Event::Removing(vec![joined]));
    record.push(Event::Tagging("release", None));
    repo.rm(&[joined.to_hex()], "test", true).unwrap();
    record.push(Event::Removed(vec![joined]));
    record.push(Event::Tagged("release"));
    assert_eq!(repo.run_ids().unwrap(), [third]);

    let wrecks = wrecks(base, Promises::default(), &record.take());
    assert!(wrecks.len() > 200, "{}", wrecks.len());
    all_survive(&wrecks);
}

#[test]
fn every_moment_of_merging_index_and_catalog_survives() {
    let lab = Lab::new();
    let mut promises = Promises::default();
    let mut runs = Vec::new();
    for n in 0..16 {
        lab.write("run/log.txt", format!("run {n}\n").repeat(50));
        lab.add(&["run"]);
        let run = lab.commit();
        promises.runs.insert(run, lab.part("run"));
        runs.push(run);
    }
    let base = Disk::of(&lab.stored(""));
    let (repo, record) = recorded(&lab);
    for n in 16..18 {
        lab.write("run/log.txt", format!("run {n}\n").repeat(50));
        stage(&repo, &record, "default", &["run"]);
        runs.push(seal(&repo, &record, &["default"], lab.part("run")));
    }
    assert!(!repo.folder().list("index").unwrap().is_empty(), "packs were merged");
    record.push(Event::Removing(runs[..12].to_vec()));
    gc(&repo, 6).unwrap();
    record.push(Event::Removed(runs[..12].to_vec()));

    let wrecks = wrecks(base, promises, &record.take());
    assert!(wrecks.len() > 60, "{}", wrecks.len());
    all_survive(&wrecks);
}

#[test]
fn what_another_writer_stored_is_on_disk_before_it_is_named() {
    let lab = Lab::new();
    let base = Disk::of(&lab.stored(""));
    let (repo, record) = recorded(&lab);
    // Another process has given its pack a name, and ends before it syncs the folder.
    let bytes = noise(1, 50_000);
    let writer = repo.store().rewriter();
    let mut lane = writer.lane();
    lane.put(ChunkId::of(&bytes), &bytes, Compression::None).unwrap();
    lane.close().unwrap();
    writer.finish().unwrap();
    let mut events = record.take();
    let last = events.pop();
    assert!(matches!(&last, Some(Event::SyncDir(dir)) if dir == Path::new("packs")), "{last:?}");

    lab.write("run/file.bin", &bytes);
    stage(&repo, &record, "default", &["run"]);
    assert_eq!(repo.folder().list("packs").unwrap().len(), 1);
    seal(&repo, &record, &["default"], lab.part("run"));
    events.extend(record.take());
    all_survive(&wrecks(base, Promises::default(), &events));
}
