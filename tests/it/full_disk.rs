//! A full disk and one that cannot be written: a clear error, nothing lost, nothing left over.
//!
//! These tests mount file systems, which takes root. CI has it; elsewhere they say that they are
//! skipped.

#![allow(clippy::print_stderr)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use eart::disk::Folder;
use eart::id::RunId;
use eart::repo::{Repo, Result};
use tempfile::TempDir;

use crate::lab::{
    Tree, add, assert_same, checkout, commit, fsck, gc, noise, scratch, tree, tree_within,
};

/// A store on a small file system of its own, and a working folder elsewhere.
struct Small {
    root: TempDir,
    repo: Repo,
}

impl Small {
    /// A disk of 8 MiB; `None` where nothing can be mounted.
    fn new() -> Option<Self> {
        Self::sized("8m")
    }

    fn sized(size: &str) -> Option<Self> {
        let root = scratch();
        let disk = root.path().join("disk");
        for dir in ["disk", "work"] {
            fs::create_dir(root.path().join(dir)).unwrap();
        }
        let options = ["-t", "tmpfs", "-o", &format!("size={size},mode=755"), "tmpfs"];
        let mounted = Command::new("mount").args(options).arg(&disk).output();
        if !mounted.as_ref().is_ok_and(|m| m.status.success()) {
            assert!(std::env::var_os("CI").is_none(), "CI must be able to mount: {mounted:?}");
            eprintln!("skipped: nothing can be mounted here ({mounted:?})");
            return None;
        }
        let repo = Repo::init(Folder::new(disk.join("store")), &root.path().join("work"));
        Some(Self { root, repo: repo.unwrap().0 })
    }

    fn disk(&self) -> PathBuf {
        self.root.path().join("disk")
    }

    fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.work().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn run(&self, dir: &str) -> RunId {
        let (added, problems) = add(&self.repo, &[dir]);
        added.unwrap();
        assert_eq!(problems, []);
        commit(&self.repo).unwrap().id
    }

    /// Something else takes space: all but `left` bytes of it.
    fn fill(&self, left: usize) {
        let mut ballast = fs::File::create(self.disk().join("ballast")).unwrap();
        let block = [7; 4096];
        while ballast.write_all(&block).is_ok() {}
        let len = ballast.metadata().unwrap().len();
        ballast.set_len(len.saturating_sub(left as u64)).unwrap();
    }

    fn drain(&self) {
        fs::remove_file(self.disk().join("ballast")).unwrap();
    }

    fn eart(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_eart"))
            .current_dir(self.work())
            .env_clear()
            .env("HOME", self.root.path())
            .env("EART_DIR", self.disk().join("store"))
            .args(args)
            .output()
            .unwrap()
    }

    #[track_caller]
    fn holds(&self, run: RunId, expected: &Tree) {
        let to = scratch();
        let (done, problems) = checkout(&self.repo, run, to.path());
        assert_eq!(problems, []);
        assert_eq!(done.unwrap().failed, 0);
        assert_same(&tree(to.path()), expected, "a run on the small disk");
    }

    fn leftovers(&self) -> Vec<String> {
        self.repo.folder().list("tmp").unwrap()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let done = Command::new("umount").arg(self.disk()).output();
        if !done.as_ref().is_ok_and(|d| d.status.success()) {
            eprintln!("could not unmount {}: {done:?}", self.disk().display());
        }
    }
}

#[track_caller]
fn says_full<T: std::fmt::Debug>(outcome: Result<T>, place: &Path) {
    let error = outcome.unwrap_err();
    let text = error.to_string();
    assert!(text.contains(place.to_str().unwrap()), "{text}");
    assert!(error.hint().unwrap().contains("free some space"), "{:?}", error.hint());
}

#[test]
fn add_on_a_full_disk() {
    let Some(small) = Small::new() else { return };
    small.write("first/a.bin", &noise(1, 500_000));
    let first = small.run("first");
    let expected = tree_within(&small.work(), "first");
    small.write("second/b.bin", &noise(2, 3_000_000));
    small.write("second/c.txt", "text\n".repeat(10_000).as_bytes());
    for left in [1_500_000, 4096, 0] {
        small.fill(left);
        says_full(add(&small.repo, &["second"]).0, &small.disk());
        assert_eq!(small.leftovers(), [""; 0]);
        let output = small.eart(&["add", "second"]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.starts_with("error: Could not "), "{text}");
        assert!(text.contains("hint: nothing was lost; free some space"), "{text}");
        assert_eq!(small.leftovers(), [""; 0]);
        small.holds(first, &expected);
        assert!(fsck(&small.repo).unwrap().is_clean());
        assert!(small.repo.draft("default").unwrap().is_none());
        small.drain();
    }
    let second = small.run("second");
    small.holds(second, &tree_within(&small.work(), "second"));
    small.holds(first, &expected);
}

#[test]
fn commit_on_a_full_disk() {
    let Some(small) = Small::new() else { return };
    small.write("first/a.bin", &noise(1, 500_000));
    add(&small.repo, &["first"]).0.unwrap();
    small.fill(0);
    says_full(commit(&small.repo), &small.disk());
    assert_eq!(small.leftovers(), [""; 0]);
    assert_eq!(small.repo.run_ids().unwrap(), []);
    let output = small.eart(&["commit"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    small.drain();
    let run = commit(&small.repo).unwrap().id;
    small.holds(run, &tree_within(&small.work(), "first"));
    assert!(fsck(&small.repo).unwrap().is_clean());
}

#[test]
fn commit_when_only_the_run_fits() {
    let Some(small) = Small::new() else { return };
    small.write("first/a.bin", &noise(1, 500_000));
    // From too little to enough, a page at a time: a commit that fails leaves no run, one that
    // does not fail leaves one.
    let mut outcomes = Vec::new();
    for pages in 0..40 {
        add(&small.repo, &["first"]).0.unwrap();
        let before = small.repo.run_ids().unwrap().len();
        small.fill(pages * 4096);
        let outcome = commit(&small.repo);
        outcomes.push(outcome.is_ok());
        let after = small.repo.run_ids().unwrap().len();
        assert_eq!(after, before + usize::from(outcome.is_ok()), "{outcome:?}");
        small.drain();
        let checked = fsck(&small.repo).unwrap();
        assert!(checked.is_clean(), "{checked:?}");
        if outcome.is_ok() && before > 1 {
            break;
        }
    }
    assert!(outcomes.contains(&true) && outcomes.contains(&false), "{outcomes:?}");
}

#[test]
fn gc_on_a_full_disk_gives_space_back() {
    let Some(small) = Small::new() else { return };
    let mut runs = Vec::new();
    for n in 0..5 {
        small.write("run/own.bin", &noise(n, 300_000));
        small.write("run/next.bin", &noise(n / 2, 200_000));
        small.write("run/kept.txt", "the same in every run\n".repeat(100).as_bytes());
        runs.push((small.run("run"), tree_within(&small.work(), "run")));
    }
    small.fill(0);
    let collected = gc(&small.repo, 2).unwrap();
    assert!(collected.freed > 300_000, "{collected:?}");
    assert_eq!(small.repo.run_ids().unwrap().len(), 2);
    for (run, expected) in &runs[3..] {
        small.holds(*run, expected);
    }
    assert!(fsck(&small.repo).unwrap().is_clean());
    assert_eq!(small.leftovers(), [""; 0]);
    // With room again, the next gc moves what the first could not.
    gc(&small.repo, 2).unwrap();
    small.drain();
    gc(&small.repo, 1).unwrap();
    let (last, expected) = &runs[4];
    small.holds(*last, expected);
    let log = String::from_utf8(small.repo.folder().read("audit.log").unwrap()).unwrap();
    let whole = log.lines().filter(|l| serde_json::from_str::<serde_json::Value>(l).is_ok());
    assert_eq!(whole.count(), 4, "{log}");
}

#[test]
fn gc_takes_back_what_a_full_disk_kept_it_from_finishing() {
    let Some(small) = Small::sized("320m") else { return };
    for n in 0..100 {
        small.write(&format!("run/{n:03}-own.bin"), &noise(n, 1_000_000));
        small.write(&format!("run/{n:03}-shared.bin"), &noise(1000 + n, 1_000_000));
    }
    small.run("run");
    for n in 0..100 {
        fs::remove_file(small.work().join(format!("run/{n:03}-own.bin"))).unwrap();
    }
    let last = small.run("run");
    // Room for the first of two new packs: it is in place when the second does not fit.
    let packs = || small.repo.folder().list("packs").unwrap();
    let before = packs();
    small.fill(80 << 20);
    let collected = gc(&small.repo, 1).unwrap();
    assert_eq!(packs(), before);
    assert_eq!((collected.packs_rewritten, collected.freed < 1 << 20), (0, true), "{collected:?}");
    small.holds(last, &part(&small.work(), "run"));
    small.drain();
    let collected = gc(&small.repo, 1).unwrap();
    assert!(collected.freed > 95_000_000, "{collected:?}");
    small.holds(last, &part(&small.work(), "run"));
    assert!(fsck(&small.repo).unwrap().is_clean());
}

#[test]
fn gc_makes_room_for_its_own_log() {
    let Some(small) = Small::new() else { return };
    let mut runs = Vec::new();
    for n in 0..4 {
        small.write("run/own.bin", &noise(n, 100_000));
        runs.push(small.run("run"));
    }
    // The log ends with its page: one more line takes one more page.
    small.repo.folder().append("audit.log", &[&[b' '; 4095][..], b"\n"].concat()).unwrap();
    small.fill(0);
    gc(&small.repo, 1).unwrap();
    assert_eq!(small.repo.run_ids().unwrap(), [runs[3]]);
    assert_eq!(small.repo.catalog().unwrap().len(), 1);
    assert!(fsck(&small.repo).unwrap().is_clean());
}

#[test]
fn a_store_that_cannot_be_written_can_be_read() {
    let Some(small) = Small::new() else { return };
    small.write("first/a.bin", &noise(1, 500_000));
    let first = small.run("first");
    let expected = tree_within(&small.work(), "first");
    let remount = |mode: &str| {
        let options = format!("remount,{mode}");
        let done = Command::new("mount").args(["-o", &options]).arg(small.disk()).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    remount("ro");
    let repo = Repo::open(small.repo.folder().clone(), &small.work()).unwrap();
    assert_eq!(repo.catalog().unwrap().len(), 1);
    assert_eq!(repo.resolve("latest").unwrap(), first);
    small.holds(first, &expected);
    assert!(fsck(&repo).unwrap().is_clean());
    for args in
        [&["log"][..], &["show", "latest"], &["ls", "latest"], &["stats"], &["fsck"], &["status"]]
    {
        let output = small.eart(args);
        assert!(output.status.success(), "{args:?} {output:?}");
    }
    small.write("second/b.txt", b"new");
    let hex = first.to_hex();
    for args in [
        &["add", "second"][..],
        &["add", "first"],
        &["commit", "--allow-empty"],
        &["gc", "--keep", "1"],
        &["tag", "release"],
        &["pin", &hex],
        &["rm", &hex],
    ] {
        let output = small.eart(args);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?} {text}");
        assert!(text.contains("Read-only file system"), "{args:?} {text}");
        assert!(text.contains("hint: check who may write to"), "{args:?} {text}");
    }
    remount("rw");
    small.holds(first, &expected);
    assert!(fsck(&small.repo).unwrap().is_clean());
    small.run("second");
}
