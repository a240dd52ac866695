//! A real Playwright run goes the whole way: made by the example below `tests/playwright`, stored,
//! written back, and opened from there in a browser.
//!
//! Needs what `tests/setup.sh` installs, and fails without it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use eart::disk::Folder;
use eart::repo::Repo;

use crate::lab::{Tree, assert_same, fsck, tree};

/// What a run leaves behind.
const LEFT: [&str; 4] = ["playwright-report", "test-results", "results.json", "junit.xml"];

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/playwright")
}

#[track_caller]
fn done(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{:?}\n{said}\n{text}", output.status);
    said
}

/// `node` as the example's own scripts find it.
fn node() -> Command {
    let own = example().join(".node/bin");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("node");
    command
        .current_dir(example())
        .env("PATH", format!("{}:{path}", own.display()))
        .env("PLAYWRIGHT_BROWSERS_PATH", example().join(".browsers"));
    command
}

fn run_tests(out: &Path) {
    let script = example().join("run.sh");
    done(&Command::new("bash").arg(script).arg(out).output().unwrap());
    for name in LEFT {
        assert!(out.join(name).exists(), "{name}");
    }
}

#[test]
fn a_run_is_stored_and_its_report_opens_from_the_checkout() {
    let place = tempfile::tempdir().unwrap();
    let (work, out) = (place.path().join("work"), place.path().join("out"));
    fs::create_dir(&work).unwrap();
    let eart = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eart"));
        command.current_dir(&work).env_clear().env("HOME", place.path()).args(args);
        done(&command.output().unwrap())
    };
    let add: Vec<&str> = ["add"].into_iter().chain(LEFT).collect();

    run_tests(&work);
    eart(&["init"]);
    let first: Tree = tree(&work);
    eart(&add);
    let commit =
        ["commit", "-m", "nightly", "--label", "suite=example", "--status", "failed", "--json"];
    let run: serde_json::Value = serde_json::from_str(&eart(&commit)).unwrap();
    assert_eq!(run["message"], "nightly");

    // The same tests once more: most of what they leave is there already.
    run_tests(&work);
    let second = tree(&work);
    eart(&add);
    eart(&["commit", "-m", "again"]);
    let log = eart(&["log", "--json"]);
    assert!(log.contains("nightly") && log.contains("again"), "{log}");

    eart(&["checkout", "latest~1", "--to", out.join("first").to_str().unwrap()]);
    assert_same(&tree(&out.join("first")), &first, "the first run");
    eart(&["gc", "--keep", "1"]);
    eart(&["checkout", "latest", "--to", out.join("second").to_str().unwrap()]);
    assert_same(&tree(&out.join("second")), &second, "the second run");
    let repo = Repo::open(Folder::new(work.join(".eart")), &work).unwrap();
    assert_eq!(repo.run_ids().unwrap().len(), 1);
    assert!(fsck(&repo).unwrap().is_clean());

    // Both reports open: one whose run is gone from the store, one that was written after gc.
    for checkout in ["first", "second"] {
        let report = out.join(checkout).join("playwright-report");
        done(&node().arg("open-report.mjs").arg(report).output().unwrap());
    }
}
