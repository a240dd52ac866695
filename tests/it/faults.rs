//! A disk that fails to write what it was given: every sync is asked how it went, and the answer
//! reaches the user.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::io::Errno;

use crate::env::{Output, TestEnv};
use crate::lab::noise;

/// A library to be loaded before others, from a source beside this; `cc` is there wherever Rust
/// links programs.
pub fn library(env: &TestEnv, name: &str) -> PathBuf {
    let library = env.home().join(name).with_extension("so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it").join(name);
    let mut cc = Command::new("cc");
    let built = cc.args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"]).arg(&library).arg(source);
    assert!(built.status().unwrap().success());
    library
}

/// Runs a command in a new store again and again, each time with another sync that fails, until
/// it needs no more. How many failed.
fn with_each_sync_failing(
    env: &TestEnv,
    errno: Errno,
    args: &[&str],
    prepare: impl Fn(),
    check: impl Fn(&Output),
) -> usize {
    let library = library(env, "faults.c");
    for number in 1.. {
        fs::remove_dir_all(env.path(".eart")).unwrap();
        env.eart(["init"]).done();
        prepare();
        let mut command = env.command();
        command
            .args(args)
            .env("LD_PRELOAD", &library)
            .env("EART_TEST_FAULT", number.to_string())
            .env("EART_TEST_ERRNO", errno.raw_os_error().to_string());
        let output = env.run(&mut command);
        if !output.stderr.contains("[fault]") {
            output.done();
            return number - 1;
        }
        assert_eq!(output.code(), 1, "sync {number} failed unnoticed: {output}");
        assert!(output.stderr.contains("Could not sync"), "sync {number}: {output}");
        env.eart(["fsck", "--data"]).done();
        check(&output);
    }
    unreachable!()
}

#[test]
fn add_tells_of_every_sync_that_fails() {
    let env = TestEnv::new();
    // Enough that the pack is synced twice before it is complete.
    env.write("in/video.webm", noise(1, 20 << 20));
    env.write("in/page.html", "<p>text</p>\n".repeat(1000));
    let check = |output: &Output| {
        assert!(output.stderr.contains("Input/output error"), "{output}");
        assert_eq!(fs::read_dir(env.path(".eart/tmp")).unwrap().count(), 0);
        env.eart(["add", "in"]).done();
        env.eart(["commit"]).done();
        env.eart(["fsck", "--data"]).done();
    };
    let failed = with_each_sync_failing(&env, Errno::IO, &["add", "in"], || (), check);
    // Two early ones, the pack, its folder, the draft's folder, the draft, its folder.
    assert!(failed >= 7, "{failed}");
}

#[test]
fn a_disk_that_is_full_when_it_is_synced_is_told_as_one() {
    let env = TestEnv::new();
    env.write("in/video.webm", noise(1, 10 << 20));
    let check = |output: &Output| {
        assert!(output.stderr.contains("hint: nothing was lost; free some space"), "{output}");
    };
    let failed = with_each_sync_failing(&env, Errno::NOSPC, &["add", "in"], || (), check);
    assert!(failed >= 6, "{failed}");
}

#[test]
fn commit_tells_of_every_sync_that_keeps_its_run_from_the_disk() {
    let env = TestEnv::new();
    env.write("in/page.html", "<p>text</p>");
    let prepare = || drop(env.eart(["add", "in"]).done());
    // What was staged is there to be committed, or it is in the run.
    let check = |output: &Output| {
        if output.stderr.contains("is committed, but its draft default could not be removed") {
            assert!(!env.eart(["log"]).done().is_empty());
        } else {
            env.eart(["commit"]).done();
        }
    };
    let failed = with_each_sync_failing(&env, Errno::IO, &["commit"], prepare, check);
    // The run, its folder, and the folder that the draft leaves.
    assert_eq!(failed, 3);
}

#[test]
fn gc_tells_which_runs_are_gone_when_a_sync_fails() {
    let env = TestEnv::new();
    let prepare = || {
        for n in 0..3 {
            env.write("in/own.bin", noise(n, 10_000));
            env.write("in/shared.bin", noise(9, 10_000));
            env.eart(["add", "in"]).done();
            env.eart(["commit"]).done();
        }
    };
    let check = |output: &Output| {
        let left = env.eart(["log"]).done().lines().count();
        let told = output.stderr.contains("Removed 2 runs, but the space could not be given back");
        assert!(told == (left == 1) && (told || left == 3), "{output}");
        env.eart(["gc", "--keep", "1"]).done();
        assert_eq!(env.eart(["log"]).done().lines().count(), 1);
    };
    let failed = with_each_sync_failing(&env, Errno::IO, &["gc", "--keep", "1"], prepare, check);
    // The audit log and its folder, the runs twice, a pack, and the packs three times.
    assert!(failed >= 7, "{failed}");
}
