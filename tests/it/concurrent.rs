//! Several processes on one store, and processes that are killed: nothing that was acknowledged is
//! lost, and what is left over goes with a later gc.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

use eart::id::RunId;

use crate::lab::{Lab, Tree, assert_flawless, assert_same, fsck, noise, scratch, seed, tree};

#[track_caller]
fn done(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?} {text}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn run(lab: &Lab, args: &[&str]) -> String {
    done(&lab.eart(args).output().unwrap())
}

#[track_caller]
fn run_id(json: &str) -> RunId {
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    value["id"].as_str().unwrap().parse().unwrap()
}

#[test]
fn adds_to_one_draft_at_once_all_land() {
    let lab = Lab::new();
    for n in 0..6u64 {
        lab.write(format!("part{n}/own.bin"), noise(n, 300_000));
        lab.write(format!("part{n}/shared.txt"), "the same everywhere\n".repeat(500));
    }
    let adds: Vec<Child> =
        (0..6).map(|n| lab.eart(&["add", &format!("part{n}")]).spawn().unwrap()).collect();
    for child in adds {
        done(&child.wait_with_output().unwrap());
    }
    let run = run_id(&run(&lab, &["commit", "--json"]));
    assert_same(&lab.checkout(run), &tree(&lab.work()), "all parts");
    assert_flawless(&lab.repo);
}

#[test]
fn drafts_are_staged_and_committed_at_once() {
    let lab = Lab::new();
    for n in 0..4u64 {
        lab.write(format!("job{n}/own.bin"), noise(n, 200_000));
    }
    let runs: Vec<(String, RunId)> = std::thread::scope(|scope| {
        let jobs: Vec<_> = (0..4)
            .map(|n| {
                let lab = &lab;
                scope.spawn(move || {
                    let (job, draft) = (format!("job{n}"), format!("draft{n}"));
                    run(lab, &["add", "--draft", &draft, &job]);
                    let json = run(lab, &["commit", "--draft", &draft, "--json"]);
                    (job, run_id(&json))
                })
            })
            .collect();
        jobs.into_iter().map(|job| job.join().unwrap()).collect()
    });
    for (job, id) in &runs {
        assert_same(&lab.checkout(*id), &lab.part(job), job);
    }
    // Each commit has a moment of its own: the order of runs is certain.
    let catalog = lab.repo.catalog().unwrap();
    assert_eq!(catalog.len(), 4);
    assert!(catalog.records().map(|r| r.meta.committed).is_sorted_by(|a, b| a > b));
    assert_flawless(&lab.repo);
}

#[test]
fn adds_commits_checkouts_and_two_gcs_at_once_lose_nothing() {
    let lab = Lab::new();
    let pool: Vec<Vec<u8>> = (0..6).map(|n| noise(n, 150_000)).collect();
    let stop = AtomicBool::new(false);
    let made: Mutex<Vec<(RunId, Tree)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2u64)
            .map(|worker| {
                let (lab, pool, made) = (&lab, &pool, &made);
                scope.spawn(move || {
                    let (dir, draft) = (format!("w{worker}"), format!("d{worker}"));
                    for round in 0..6u64 {
                        // Content that was stored before, dropped, and may just be going away.
                        for file in 0..3 {
                            let at = (round * 5 + worker * 3 + file) as usize % pool.len();
                            lab.write(format!("{dir}/f{file}"), &pool[at]);
                        }
                        lab.write(format!("{dir}/round"), format!("{worker} {round}"));
                        run(lab, &["add", "--draft", &draft, &dir]);
                        if round % 3 == 1 {
                            run(lab, &["draft", "drop", &draft]);
                            continue;
                        }
                        let expected = lab.part(&dir);
                        let json = run(lab, &["commit", "--draft", &draft, "--json"]);
                        made.lock().unwrap().push((run_id(&json), expected));
                    }
                })
            })
            .collect();
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Relaxed) {
                    run(&lab, &["gc", "--keep", "3"]);
                }
            });
        }
        scope.spawn(|| {
            while !stop.load(Relaxed) {
                let Some((id, expected)) = made.lock().unwrap().last().cloned() else { continue };
                let to = scratch();
                let output = lab
                    .eart(&["checkout", &id.to_hex(), "--to", to.path().to_str().unwrap()])
                    .output()
                    .unwrap();
                if output.status.success() {
                    assert_same(&tree(to.path()), &expected, "checkout during gc");
                } else {
                    // gc took the run before or while it was written.
                    let text = String::from_utf8_lossy(&output.stderr);
                    assert!(!lab.repo.run_ids().unwrap().contains(&id), "{text}");
                    assert!(
                        text.contains("error: ") || text.contains("could not be restored"),
                        "{text}"
                    );
                }
            }
        });
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        stop.store(true, Relaxed);
    });
    run(&lab, &["gc", "--keep", "3"]);
    let left = lab.repo.run_ids().unwrap();
    assert_eq!(left.len(), 3);
    for (id, expected) in made.into_inner().unwrap() {
        if left.contains(&id) {
            assert_same(&lab.checkout(id), &expected, "a run that stays");
        }
    }
    assert!(fsck(&lab.repo).unwrap().is_clean());
}

/// When to kill in this round, at most `limit` milliseconds after the start.
fn moment(seed: u64, round: u64, limit: u64) -> Duration {
    let bytes = noise(seed ^ round << 32, 8);
    let micros = bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    Duration::from_micros(micros % (limit * 1000))
}

#[test]
fn kill_at_any_moment_loses_nothing_that_was_acknowledged() {
    let seed = seed();
    let lab = Lab::new();
    let mut runs: BTreeMap<RunId, Tree> = BTreeMap::new();
    lab.write("base/file.bin", noise(999, 500_000));
    run(&lab, &["add", "base"]);
    runs.insert(run_id(&run(&lab, &["commit", "--json"])), lab.part("base"));
    for round in 0..24u64 {
        drop(fs::remove_dir_all(lab.path("in")));
        for file in 0..4 {
            lab.write(format!("in/{file}.bin"), noise(round * 10 + file, 400_000));
        }
        lab.write("in/many.txt", format!("round {round}\n").repeat(20_000));
        let expected = lab.part("in");
        let victim: &[&str] = match round % 3 {
            0 => &["add", "in"],
            1 => &["commit", "--json"],
            _ => &["gc", "--keep", "100"],
        };
        if round % 3 == 1 {
            run(&lab, &["add", "in"]);
        }
        let mut child = lab.eart(victim).spawn().unwrap();
        std::thread::sleep(moment(seed, round, if round % 3 == 0 { 60 } else { 25 }));
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        if output.status.success() && round % 3 == 1 {
            runs.insert(run_id(&String::from_utf8(output.stdout).unwrap()), expected);
        }
        assert_flawless(&lab.repo);
        let there = lab.repo.run_ids().unwrap();
        assert!(runs.keys().all(|id| there.contains(id)));
        // No lock survives its holder, and a commit that was cut off can be made again.
        run(&lab, &["add", "in"]);
        if round % 4 == 3 {
            let expected = lab.part("in");
            runs.insert(run_id(&run(&lab, &["commit", "--json"])), expected);
        }
    }
    for (id, expected) in &runs {
        assert_same(&lab.checkout(*id), expected, "an acknowledged run");
    }
    // What the killed ones began lies in tmp/ until it is old enough.
    let old = SystemTime::now() - Duration::from_secs(3600);
    for name in lab.repo.folder().list("tmp").unwrap() {
        let file = fs::File::options().write(true).open(lab.stored("tmp").join(name)).unwrap();
        file.set_modified(old).unwrap();
    }
    run(&lab, &["gc", "--keep", "100"]);
    assert_eq!(lab.repo.folder().list("tmp").unwrap(), [""; 0]);
    for (id, expected) in &runs {
        assert_same(&lab.checkout(*id), expected, "an acknowledged run after gc");
    }
}

/// Sends Ctrl-C once `begun` says that there is something to clean up.
fn interrupt(mut child: Child, begun: impl Fn() -> bool) -> Output {
    let start = Instant::now();
    while !begun() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be interrupted");
        assert!(start.elapsed() < Duration::from_secs(60), "it never began");
        std::thread::sleep(Duration::from_micros(200));
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    child.wait_with_output().unwrap()
}

#[test]
fn ctrl_c_leaves_no_temporary_files() {
    let lab = Lab::new();
    lab.write("big/video.webm", noise(1, 160 << 20));
    let tmp = lab.stored("tmp");
    let count = |dir: &Path| fs::read_dir(dir).map_or(0, |entries| entries.count());
    let child = lab.eart(&["add", "big"]).spawn().unwrap();
    let output = interrupt(child, || count(&tmp) > 0);
    assert_eq!(output.status.signal(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("error: Interrupted"), "{output:?}");
    assert_eq!(count(&tmp), 0);
    assert!(lab.repo.draft("default").unwrap().is_none());

    run(&lab, &["add", "big"]);
    let id = run_id(&run(&lab, &["commit", "--json"]));
    let to = lab.beside("out");
    let args = ["checkout", &id.to_hex(), "--to", to.to_str().unwrap()];
    let child = lab.eart(&args).spawn().unwrap();
    let output = interrupt(child, || to.join("big").exists());
    assert_eq!(output.status.signal(), Some(2), "{output:?}");
    assert_eq!(count(&to.join("big")), 0, "{:?}", tree(&to));
    // Nothing is in the way of the next attempt.
    run(&lab, &args);
    assert_same(&tree(&to), &tree(&lab.work()), "second attempt");
    assert_flawless(&lab.repo);
}
