//! `eart gc`: what it refuses, and what it says.

use std::fs;

use insta::assert_snapshot;

use crate::env::TestEnv;
use crate::lab::noise;
use crate::log::three_runs;

/// The file of a run's manifest.
fn manifest(env: &TestEnv, run: &str) -> std::path::PathBuf {
    // The environment shows ids by name; files have the real ones.
    let names = fs::read_dir(env.path(".eart/runs")).unwrap().map(|e| e.unwrap().path());
    let mut files: Vec<_> = names.collect();
    files.retain(|file| {
        let id = file.file_stem().unwrap().to_str().unwrap();
        env.eart(["show", id]).done().contains(run)
    });
    assert_eq!(files.len(), 1, "{run}: {files:?}");
    files.remove(0)
}

#[test]
fn a_tag_or_pin_whose_run_is_gone_stops_it() {
    let env = three_runs();
    env.eart(["tag", "base", "two"]).done();
    let (file, aside) = (manifest(&env, "two"), env.path("aside"));
    let content = env.eart(["cat", "two:report.txt"]).stdout;
    fs::rename(&file, &aside).unwrap();
    for args in [&["gc", "--keep", "1"][..], &["gc", "--keep", "1", "--dry-run"]] {
        let refused = env.eart(args);
        assert_eq!(refused.code(), 1);
        assert!(refused.stderr.contains("The tag base names the run"), "{refused}");
        assert!(refused.stderr.contains("eart tag -d base"), "{refused}");
        assert!(refused.stderr.contains("eart fsck"), "{refused}");
    }
    // Put back, the run has everything it had.
    fs::rename(&aside, &file).unwrap();
    env.eart(["gc", "--keep", "1"]).done();
    assert_eq!(env.eart(["cat", "two:report.txt"]).stdout, content);
    // Given up, it stops nobody.
    env.eart(["pin", "two"]).done();
    fs::remove_file(&file).unwrap();
    env.eart(["tag", "-d", "base"]).done();
    let refused = env.eart(["gc", "--keep", "1"]);
    assert!(refused.code() == 1 && refused.stderr.contains("is pinned and not there"), "{refused}");
    let pin = fs::read_dir(env.path(".eart/refs/pins")).unwrap().next().unwrap().unwrap();
    let unpinned = env.eart(["unpin", pin.file_name().to_str().unwrap()]).done();
    assert!(unpinned.ends_with("(a run that is not there)\n"), "{unpinned}");
    env.eart(["gc", "--keep", "1"]).done();
}

#[test]
fn rules_that_keep_no_run_are_a_slip() {
    let env = three_runs();
    env.eart(["tag", "base", "two"]).done();
    assert_snapshot!(env.eart(["gc", "--keep-label", "sweet=e2e"]), @r"
    --- stderr
    error: The rules keep no run at all, so nothing was removed
    hint: add --keep 1 to keep the newest at least, or name runs with `eart rm RUN...`
    --- exit 1
    ");
    assert_eq!(env.eart(["gc", "--keep-label", "sweet=e2e", "--dry-run"]).code(), 1);
    assert_eq!(env.eart(["gc", "--keep-within", "0d"]).code(), 2);
    assert_eq!(fs::read_dir(env.path(".eart/runs")).unwrap().count(), 3);
    env.eart(["gc", "--keep-label", "sweet=e2e", "--keep", "1"]).done();
    assert_eq!(fs::read_dir(env.path(".eart/runs")).unwrap().count(), 2);
}

#[test]
fn a_dry_run_says_that_the_store_would_stay_too_large() {
    let env = three_runs();
    let dry = env.eart(["gc", "--keep", "1", "--max-size", "1", "--dry-run"]);
    assert_eq!(dry.code(), 3, "{dry}");
    assert!(dry.stderr.contains("would still have about"), "{dry}");
    let real = env.eart(["gc", "--keep", "1", "--max-size", "1"]);
    assert!(real.code() == 3 && real.stderr.contains("the store has"), "{real}");
}

#[test]
fn what_was_remembered_of_a_run_goes_with_it() {
    let env = TestEnv::new();
    env.write("a", "a");
    for job in ["job-1", "job-2"] {
        env.eart(["add", "a", "--draft", job]).done();
        env.eart(["commit", "--draft", job]).done();
    }
    assert!(env.path(".eart/drafts/job-1/last").is_file());
    env.eart(["gc", "--keep", "1"]).done();
    assert!(!env.path(".eart/drafts/job-1").exists());
    assert!(env.path(".eart/drafts/job-2/last").is_file());
}

#[test]
fn a_damaged_pack_stays_and_is_named() {
    let env = TestEnv::new();
    for n in 0..10 {
        let text =
            |seed| noise(seed, 10_000).iter().map(|b| format!("{b:02x}")).collect::<String>();
        env.write(format!("out/own-{n}.txt"), text(n));
        env.write(format!("out/shared-{n}.txt"), text(100 + n));
    }
    env.eart(["add", "out"]).done();
    env.eart(["commit", "--name", "old"]).done();
    for n in 0..10 {
        fs::remove_file(env.path(format!("out/own-{n}.txt"))).unwrap();
    }
    env.eart(["add", "out"]).done();
    env.eart(["commit", "--name", "new"]).done();
    let packs = || fs::read_dir(env.path(".eart/packs")).unwrap().map(|e| e.unwrap().path());
    let packs = || packs().collect::<Vec<_>>();
    let before = packs();
    let mut bytes = fs::read(&before[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&before[0], &bytes).unwrap();

    let collected = env.eart(["gc", "--keep", "1"]);
    assert_eq!(collected.code(), 3, "{collected}");
    assert!(collected.stderr.contains("is damaged"), "{collected}");
    assert!(collected.stderr.contains("eart fsck --data"), "{collected}");
    assert!(env.eart(["log"]).done().lines().count() == 1);
    assert!(packs().contains(&before[0]));
    let again = env.eart(["gc", "--keep", "1", "--json"]);
    assert_eq!(again.code(), 3, "{again}");
    assert_eq!(again.json()["problems"].as_array().unwrap().len(), 1, "{again}");
}
