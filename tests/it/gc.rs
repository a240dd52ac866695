//! `eart gc`: what it refuses, and what it says.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

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

/// A store with runs that each have bytes of their own.
fn runs(count: u64, own: usize) -> TestEnv {
    let env = TestEnv::new();
    for n in 0..count {
        env.write("out/own.bin", noise(n, own));
        env.write("out/shared.bin", noise(1000, 300_000));
        env.eart(["add", "out"]).done();
        env.eart(["commit", "--name", &format!("r{n}")]).done();
    }
    env
}

#[test]
fn the_oldest_go_until_the_store_is_as_small_as_it_should_be() {
    let env = runs(8, 40_000);
    let stored = |json: &serde_json::Value| json["stored_bytes"].as_u64().unwrap();
    let dry = env.eart(["gc", "--keep", "1000", "--dry-run", "--json"]).json();
    // Just too large, by less than what packs need besides their frames.
    for (over, goes) in [(100, 1), (45_000, 1)] {
        let before = env.eart(["log"]).done().lines().count();
        let size = stored(&env.eart(["gc", "--keep-within", "1000d", "--json"]).json());
        let max = (size - over).to_string();
        let collected = env.eart(["gc", "--keep-within", "1000d", "--max-size", &max, "--json"]);
        assert_eq!(collected.code(), 0, "{collected}");
        assert!(stored(&collected.json()) <= size - over, "{collected}");
        assert_eq!(env.eart(["log"]).done().lines().count(), before - goes, "{collected}");
    }
    assert!(stored(&dry) > 0);
    // Nothing is left that may go.
    env.eart(["pin", "r7"]).done();
    let collected = env.eart(["gc", "--keep-within", "1000d", "--max-size", "1KB"]);
    assert_eq!(collected.code(), 3, "{collected}");
    assert!(collected.stderr.contains("what is left is pinned, tagged or among the newest"));
    assert_eq!(env.eart(["log"]).done().lines().count(), 1);
}

#[test]
fn a_frame_that_is_damaged_is_not_taken_over_into_a_new_pack() {
    let env = TestEnv::new();
    // Two frames, of which one is needed as it is.
    env.write("out/a.bin", noise(1, 3_000_000));
    env.write("out/b.txt", "line of text\n".repeat(100_000));
    env.eart(["add", "out"]).done();
    env.eart(["commit", "--name", "old"]).done();
    fs::remove_file(env.path("out/a.bin")).unwrap();
    env.eart(["add", "out"]).done();
    env.eart(["commit", "--name", "new"]).done();
    let pack = fs::read_dir(env.path(".eart/packs")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&pack).unwrap();
    let text = bytes.windows(4).position(|w| w == [0x28, 0xb5, 0x2f, 0xfd]).unwrap();
    bytes[text + 40] ^= 1;
    fs::write(&pack, &bytes).unwrap();
    let collected = env.eart(["gc", "--keep", "1"]);
    assert_eq!(collected.code(), 3, "{collected}");
    assert!(pack.exists() && collected.stderr.contains("is damaged"), "{collected}");
}

#[test]
fn a_leftover_that_cannot_be_removed_is_named() {
    let env = runs(3, 1000);
    let odd = env.path(".eart/tmp/odd");
    fs::create_dir(&odd).unwrap();
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    fs::File::open(&odd).unwrap().set_modified(old).unwrap();
    let collected = env.eart(["gc", "--keep", "1"]);
    assert_eq!(collected.code(), 3, "{collected}");
    assert!(collected.stdout.starts_with("Removed 2 runs, 1 run stays"), "{collected}");
    assert!(collected.stderr.contains("warning: tmp/odd is left over"), "{collected}");
}

#[test]
fn who_adds_is_not_held_up_by_a_gc_that_waits_for_another() {
    let env = runs(3, 1000);
    // A command that adds, and takes long.
    let lock = fs::File::open(env.path(".eart/lock")).unwrap();
    lock.lock_shared().unwrap();
    let mut gc = env.command();
    gc.args(["gc", "--keep", "1"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let gc = gc.spawn().unwrap();
    while env.eart(["log"]).done().lines().count() > 1 {}
    for n in 0..3 {
        env.write("out/own.bin", noise(50 + n, 1000));
        env.eart(["add", "out"]).done();
        env.eart(["commit"]).done();
    }
    drop(lock);
    assert!(gc.wait_with_output().unwrap().status.success());
    assert_eq!(env.eart(["log"]).done().lines().count(), 4);
    env.eart(["fsck", "--data"]).done();
}

#[test]
fn ctrl_c_ends_a_gc_that_waits() {
    let env = runs(3, 1000);
    for name in [".eart/gc.lock", ".eart/lock"] {
        let lock =
            fs::File::options().write(true).create(true).truncate(false).open(env.path(name));
        let lock = lock.unwrap();
        lock.lock().unwrap();
        let mut gc = env.command();
        gc.args(["gc", "--keep", "1"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let gc = gc.spawn().unwrap();
        // Once it waits, its lock file is open.
        let open = || {
            let fds = fs::read_dir(format!("/proc/{}/fd", gc.id())).unwrap();
            fds.filter_map(|fd| fs::read_link(fd.ok()?.path()).ok()).any(|p| p == env.path(name))
        };
        while !open() {}
        let pid = rustix::process::Pid::from_child(&gc);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        let output = gc.wait_with_output().unwrap();
        assert_eq!(output.status.signal(), Some(2), "{name}: {output:?}");
    }
}

#[test]
fn what_is_added_beside_it_costs_no_more_runs_than_it_must() {
    let env = runs(8, 400_000);
    // Somebody adds while gc waits: 1.3 MB more than it counted with.
    let lock = fs::File::open(env.path(".eart/lock")).unwrap();
    lock.lock_shared().unwrap();
    let mut gc = env.command();
    gc.args(["gc", "--keep-within", "1000d", "--max-size", "3MB"]);
    let gc = gc.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It has decided, and waits to sweep, once its first removal is in the log.
    while env.eart(["log"]).done().lines().count() == 8 {}
    env.write("other/big.bin", noise(99, 1_300_000));
    env.eart(["add", "other", "--draft", "other"]).done();
    drop(lock);
    let output = gc.wait_with_output().unwrap();
    // 0.3 MB are shared, 1.3 MB are staged: three runs of 0.4 MB fit beside them.
    assert_eq!(env.eart(["log"]).done().lines().count(), 3, "{output:?}");
    let log = String::from_utf8(env.read(".eart/audit.log")).unwrap();
    assert!(log.lines().all(|line| line.contains("more than 3000000 bytes")), "{log}");
}
