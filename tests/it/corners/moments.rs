//! Odd moments: files that change while they are read, and clocks that tick too slowly or go back.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use eart::id::FileId;
use eart::manifest::Node;
use eart::repo::Clock;

use crate::lab::{Lab, add, checkout, commit, fsck, gc, noise};

use super::paths;

/// A thread does something to the files over and over while they are added.
fn while_something(act: impl Fn(u64) + Sync, work: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0;
            while !stop.load(Relaxed) {
                act(n);
                n += 1;
            }
        });
        work();
        stop.store(true, Relaxed);
    });
}

#[test]
fn files_that_change_while_they_are_read_are_named_and_whole_in_themselves() {
    let lab = Lab::new();
    lab.write("steady.txt", "steady");
    lab.write("busy.log", noise(1, 24 << 20));
    // Old enough to be told by its times.
    std::thread::sleep(Duration::from_millis(70));
    let path = lab.path("busy.log");
    let mut told = Vec::new();
    let writer = |n: u64| {
        let file = fs::File::options().write(true).open(&path).unwrap();
        match n % 3 {
            0 => {
                std::os::unix::fs::FileExt::write_all_at(&file, &n.to_le_bytes(), n % 9000).unwrap()
            }
            1 => file.set_len((24 << 20) + n * 10).unwrap(),
            _ => file.set_len((24 << 20) - n % 1000).unwrap(),
        }
    };
    while_something(writer, || {
        let (added, problems) = add(&lab.repo, &["."]);
        assert_eq!(added.unwrap().files, 2);
        told = problems;
    });
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].path, "busy.log");
    assert!(told[0].what.contains("changed while it was read"), "{told:?}");
    let run = lab.commit();
    // What was read is consistent: the size is that of the bytes, and their hash is theirs.
    let to = lab.beside("out");
    let (done, problems) = checkout(&lab.repo, run, &to);
    assert_eq!((done.unwrap().failed, problems), (0, vec![]));
    let entries: Vec<_> = lab.repo.manifest(run).unwrap().entries().map(|e| e.unwrap()).collect();
    let bytes = fs::read(to.join("busy.log")).unwrap();
    assert_eq!(entries[0].node, Node::File { size: bytes.len() as u64, id: FileId::of(&bytes) });
    // It is read again, though nothing touched it since.
    std::thread::sleep(Duration::from_millis(70));
    let (added, problems) = add(&lab.repo, &["."]);
    // Only the other one need not be.
    assert_eq!((added.unwrap().unchanged, problems), (1, vec![]));
    assert!(fsck(&lab.repo).unwrap().is_clean());
}

#[test]
fn files_that_come_and_go_are_named() {
    let lab = Lab::new();
    for n in 0..400 {
        lab.write(format!("dir/{n}"), noise(n, 2000));
    }
    lab.write("dir/stays", "here");
    let flicker = |n: u64| {
        let path = lab.path(format!("dir/{}", n * 7919 % 400));
        if fs::remove_file(&path).is_err() {
            drop(fs::write(&path, noise(n, 2000)));
        }
    };
    while_something(flicker, || {
        for _ in 0..5 {
            let (added, problems) = add(&lab.repo, &["dir"]);
            added.unwrap();
            for problem in problems {
                let known = ["vanished before it was read", "changed while it was read"];
                assert!(known.iter().any(|what| problem.what.contains(what)), "{problem:?}");
            }
            assert!(paths(&lab).contains(&"dir/stays".to_owned()));
        }
    });
    let run = lab.commit();
    let to = lab.beside("out");
    assert_eq!(checkout(&lab.repo, run, &to).1, []);
    assert!(fsck(&lab.repo).unwrap().is_clean());
}

#[test]
fn a_clock_that_goes_backwards_keeps_the_order_of_runs() {
    let lab = Lab::new();
    let at = |text: &str| lab.repo.clone().with_clock(Clock::Fixed(text.parse().unwrap()));
    let mut runs = Vec::new();
    for time in ["2026-05-01T00:00:00Z", "2026-04-01T00:00:00Z", "1971-01-01T00:00:00Z"] {
        let repo = at(time);
        lab.write("file", time);
        add(&repo, &["file"]).0.unwrap();
        runs.push(commit(&repo).unwrap());
    }
    let catalog = lab.repo.catalog().unwrap();
    let mut listed: Vec<_> = catalog.records().map(|r| r.id).collect();
    listed.reverse();
    assert_eq!(listed, runs.iter().map(|r| r.id).collect::<Vec<_>>());
    assert!(runs.windows(2).all(|w| w[0].meta.committed < w[1].meta.committed));
    assert!(runs.iter().all(|r| r.meta.started <= r.meta.committed));
    // gc takes nothing for younger or older than it is because of it.
    let collected = gc(&at("1970-01-01T00:00:00Z"), 2).unwrap();
    let stays: Vec<bool> = collected.fates.iter().map(|f| f.stays).collect();
    assert_eq!(stays, [true, true, false]);
}

#[test]
fn a_change_within_a_tick_of_the_clock_is_seen() {
    let lab = Lab::new();
    // Same size, same times as far as the kernel's clock ticks: only reading can tell.
    for n in 0..40 {
        lab.write("file", format!("{n:04}"));
        lab.add(&["file"]);
        lab.write("file", format!("{:04}", n + 5000));
        lab.add(&["file"]);
        let draft = lab.repo.draft("default").unwrap().unwrap();
        assert_eq!(
            draft.entries()[0].file_id(),
            Some(FileId::of(format!("{:04}", n + 5000).as_bytes()))
        );
    }
    // The same with the time put back by hand: the time of change cannot be.
    let old = SystemTime::now() - Duration::from_secs(100_000);
    lab.write("file", "aaaa");
    fs::File::options().write(true).open(lab.path("file")).unwrap().set_modified(old).unwrap();
    std::thread::sleep(Duration::from_millis(70));
    lab.add(&["file"]);
    assert_eq!(lab.add(&["file"]).unchanged, 1);
    lab.write("file", "bbbb");
    fs::File::options().write(true).open(lab.path("file")).unwrap().set_modified(old).unwrap();
    assert_eq!(lab.add(&["file"]).unchanged, 0);
}
