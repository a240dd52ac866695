//! A full disk and one that cannot be written: a clear error, nothing lost, nothing left over.
//!
//! These tests mount small file systems: one in memory, and ext4 in a file, where room is taken and
//! given back in other ways. That takes root and a loop device. CI has both; elsewhere the tests say
//! what they skip.

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

/// Runs a test on every kind of disk of 8 MiB that can be mounted here.
#[track_caller]
fn on_small_disks(test: impl Fn(&Small)) {
    on_disks_of(8, test);
}

/// Runs a test on every kind of disk of some MiB that can be mounted here.
#[track_caller]
fn on_disks_of(mib: u64, test: impl Fn(&Small)) {
    if in_a_process_of_its_own() {
        return;
    }
    for kind in ["tmpfs", "ext4"] {
        match Small::new(kind, mib) {
            Ok(small) => test(&small),
            Err(why) => {
                assert!(std::env::var_os("CI").is_none(), "CI must be able to mount {kind}: {why}");
                eprintln!("skipped: {kind} cannot be mounted here: {why}");
            }
        }
    }
}

/// Runs the calling test in another process, unless this one has no other tests. A program that
/// another test starts has our files open for a moment, and what is open gives no space back.
#[track_caller]
fn in_a_process_of_its_own() -> bool {
    const ALONE: &str = "EART_TEST_ALONE";
    let thread = std::thread::current();
    let Some(name) = thread.name().filter(|name| name.contains("::")) else { return false };
    if std::env::var_os(ALONE).is_some() || std::env::var_os("NEXTEST").is_some() {
        return false;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.args([name, "--exact", "--nocapture"]).env(ALONE, "1").output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    eprintln!("{text}");
    true
}

/// Runs a program; what it said if it failed.
fn run(program: &str, args: &[&str]) -> std::result::Result<(), String> {
    match Command::new(program).args(args).output() {
        Ok(output) if output.status.success() => Ok(()),
        other => Err(format!("{program} {args:?}: {other:?}")),
    }
}

impl Small {
    fn new(kind: &str, mib: u64) -> std::result::Result<Self, String> {
        let root = scratch();
        let disk = root.path().join("disk");
        for dir in ["disk", "work"] {
            fs::create_dir(root.path().join(dir)).unwrap();
        }
        let at = disk.to_str().unwrap();
        if kind == "tmpfs" {
            let options = format!("size={mib}m,mode=755");
            run("mount", &["-t", "tmpfs", "-o", &options, "tmpfs", at])?;
        } else {
            let image = root.path().join("image");
            // A part of it is for ext4 itself.
            fs::File::create(&image).and_then(|file| file.set_len((mib * 5 / 4) << 20)).unwrap();
            let image = image.to_str().unwrap();
            run("mkfs.ext4", &["-q", "-m", "0", image])?;
            run("mount", &["-o", "loop", image, at])?;
        }
        let repo = Repo::init(Folder::new(disk.join("store")), &root.path().join("work"));
        Ok(Self { root, repo: repo.unwrap().0 })
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

    fn made(&self, dir: &str) -> RunId {
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
    on_small_disks(|small| {
        small.write("first/a.bin", &noise(1, 500_000));
        let first = small.made("first");
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
        let second = small.made("second");
        small.holds(second, &tree_within(&small.work(), "second"));
        small.holds(first, &expected);
    });
}

#[test]
fn commit_on_a_full_disk() {
    on_small_disks(|small| {
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
    });
}

#[test]
fn commit_when_only_the_run_fits() {
    on_small_disks(|small| {
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
    });
}

#[test]
fn gc_on_a_full_disk_gives_space_back() {
    on_small_disks(|small| {
        let mut runs = Vec::new();
        for n in 0..5 {
            small.write("run/own.bin", &noise(n, 300_000));
            small.write("run/next.bin", &noise(n / 2, 200_000));
            small.write("run/kept.txt", "the same in every run\n".repeat(100).as_bytes());
            runs.push((small.made("run"), tree_within(&small.work(), "run")));
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
    });
}

#[test]
fn gc_takes_back_what_a_full_disk_kept_it_from_finishing() {
    on_disks_of(320, |small| {
        for n in 0..100 {
            small.write(&format!("run/{n:03}-own.bin"), &noise(n, 1_000_000));
            small.write(&format!("run/{n:03}-shared.bin"), &noise(1000 + n, 1_000_000));
        }
        small.made("run");
        for n in 0..100 {
            fs::remove_file(small.work().join(format!("run/{n:03}-own.bin"))).unwrap();
        }
        let last = small.made("run");
        // Room for the first of two new packs: it is in place when the second does not fit.
        let packs = || small.repo.folder().list("packs").unwrap();
        let before = packs();
        small.fill(80 << 20);
        let collected = gc(&small.repo, 1).unwrap();
        assert_eq!(packs(), before);
        let freed = collected.freed;
        assert_eq!((collected.packs_rewritten, freed < 1 << 20), (0, true), "{collected:?}");
        small.holds(last, &tree_within(&small.work(), "run"));
        small.drain();
        let collected = gc(&small.repo, 1).unwrap();
        assert!(collected.freed > 95_000_000, "{collected:?}");
        small.holds(last, &tree_within(&small.work(), "run"));
        assert!(fsck(&small.repo).unwrap().is_clean());
    });
}

#[test]
fn gc_makes_room_for_its_own_log() {
    on_small_disks(|small| {
        let mut runs = Vec::new();
        for n in 0..4 {
            small.write("run/own.bin", &noise(n, 100_000));
            runs.push(small.made("run"));
        }
        // The log ends with its page: one more line takes one more page.
        small.repo.folder().append("audit.log", &[&[b' '; 4095][..], b"\n"].concat()).unwrap();
        small.fill(0);
        gc(&small.repo, 1).unwrap();
        assert_eq!(small.repo.run_ids().unwrap(), [runs[3]]);
        assert_eq!(small.repo.catalog().unwrap().len(), 1);
        assert!(fsck(&small.repo).unwrap().is_clean());
    });
}

#[test]
fn a_store_that_cannot_be_written_can_be_read() {
    on_small_disks(|small| {
        small.write("first/a.bin", &noise(1, 500_000));
        let first = small.made("first");
        let expected = tree_within(&small.work(), "first");
        let remount = |mode: &str| {
            let options = format!("remount,{mode}");
            run("mount", &["-o", &options, small.disk().to_str().unwrap()]).unwrap();
        };
        small.write("second/b.txt", b"new");
        add(&small.repo, &["second"]).0.unwrap();
        remount("ro");
        let repo = Repo::open(small.repo.folder().clone(), &small.work()).unwrap();
        assert_eq!(repo.catalog().unwrap().len(), 1);
        assert_eq!(repo.resolve("latest").unwrap(), first);
        small.holds(first, &expected);
        assert!(fsck(&repo).unwrap().is_clean());
        for args in [
            &["log"][..],
            &["show", "latest"],
            &["ls", "latest"],
            &["stats"],
            &["fsck"],
            &["status"],
        ] {
            let output = small.eart(args);
            assert!(output.status.success(), "{args:?} {output:?}");
        }
        small.write("second/c.txt", b"newer");
        let hex = first.to_hex();
        for args in [
            &["add", "second"][..],
            &["add", "first"],
            &["commit"],
            &["commit", "--draft", "other", "--allow-empty"],
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
        // What was staged before is what is committed now.
        let second = commit(&small.repo).unwrap();
        assert_eq!(second.summary.files, 1);
        assert_eq!(small.repo.run_ids().unwrap().len(), 2);
    });
}
