//! Makes a store of 10,000 runs with 1,000,000 files and times what users ask of it, each question
//! as a process of its own.
//!
//!     cargo bench --bench many_runs
//!
//! `EART_BENCH_RUNS` makes fewer runs, `EART_BENCH_DIR` names a folder for the store (it is kept,
//! and used again by the next start). Prints a table in Markdown.
//!
//! A run has 100 files: 60 names that every run has, 40 named by their content, as reports name
//! their pictures. Ten of them are new with each run, the others come from 20,000 that runs share.
//! Ten runs share a pack. The runs' files are written without the commands, and without a sync
//! each, as making the store is not what is measured; a few commits along the way are real.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use eart::artifact::ArtifactType;
use eart::disk::Folder;
use eart::id::{ChunkId, FileId};
use eart::manifest::{Contents, Entry, Mtime, Node, RunMeta, Status, seal};
use eart::path::RelPath;
use eart::repo::Repo;
use eart::store::{Compression, Lane};
use jiff::{SignedDuration, Timestamp};

const FILES: u64 = 100;
const FRESH: u64 = 10;
const POOL: u64 = 20_000;
const RUNS_PER_PACK: u64 = 10;
const REPEATS: usize = 10;
const COMMITS: usize = 10;

/// A little report: some 700 to 3,000 bytes of text, the same for the same number.
fn content(number: u64) -> Vec<u8> {
    let mut digits = [0; 64];
    blake3::Hasher::new().update(&number.to_le_bytes()).finalize_xof().fill(&mut digits);
    let lines = 20 + number % 60;
    let line = |n: u64| {
        let noise = digits[(n % 64) as usize];
        format!("{n:03} step {number:x}-{noise} took {} ms: passed\n", n * number % 9_973)
    };
    (0..lines).flat_map(|n| line(n).into_bytes()).collect()
}

fn hashed_name(id: FileId) -> String {
    format!("report/data/{:.40}.txt", id.to_hex())
}

/// The content and path of a file of a run.
fn pick(run: u64, file: u64) -> (u64, Option<String>) {
    let fresh = file < FRESH;
    // Neighbouring runs share most of what they have.
    let shared = (run / 50 * 31 + file * 197) % POOL;
    let number = if fresh { POOL + run * FRESH + file } else { shared };
    let fixed = (file % 5 < 3)
        .then(|| format!("test-results/suite-{:02}/case-{:02}/output.txt", file % 7, file));
    (number, fixed)
}

fn entries(run: u64, known: &mut BTreeMap<u64, (FileId, u64)>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = (0..FILES)
        .map(|file| {
            let (number, fixed) = pick(run, file);
            let (id, size) = *known.entry(number).or_insert_with(|| {
                let bytes = content(number);
                (FileId::of(&bytes), bytes.len() as u64)
            });
            let path = fixed.unwrap_or_else(|| hashed_name(id));
            Entry {
                path: RelPath::new(path).unwrap(),
                node: Node::File { size, id },
                mode: 0o644,
                mtime: Mtime { secs: 1_790_000_000 + (run * 600 + file) as i64, nanos: 0 },
                declared: None,
                detected: ArtifactType::BuildLog,
                content_type: Some("text/plain".into()),
            }
        })
        .collect();
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    entries.dedup_by(|a, b| a.path == b.path);
    entries
}

fn meta(run: u64, first: Timestamp) -> RunMeta {
    let committed = first + SignedDuration::from_mins(10) * run as i32;
    let branch = if run.is_multiple_of(3) { "main".to_owned() } else { format!("pr-{}", run / 20) };
    let label = |name: &str, value: String| (name.to_owned(), value);
    let labels = [label("branch", branch), label("suite", format!("suite-{}", run % 4))];
    RunMeta {
        nonce: u128::from(run).to_le_bytes(),
        started: committed - SignedDuration::from_mins(5),
        committed,
        name: format!("nightly-{run}"),
        project: "shop".into(),
        message: format!("run {run} of the pipeline"),
        labels: labels.into(),
        status: Some(if run.is_multiple_of(11) { Status::Failed } else { Status::Passed }),
        context: BTreeMap::new(),
    }
}

fn put(lane: &mut Lane, number: u64) {
    let bytes = content(number);
    lane.put(ChunkId::of(&bytes), &bytes, Compression::Zstd(3)).unwrap();
}

/// Makes runs `from..to`.
fn grow(repo: &Repo, from: u64, to: u64, first: Timestamp) {
    let batches: Vec<u64> = (from..to).step_by(RUNS_PER_PACK as usize).collect();
    let share = batches.len().div_ceil(rayon::current_num_threads()).max(1);
    rayon::scope(|scope| {
        for batches in batches.chunks(share) {
            scope.spawn(move |_| {
                let mut known = BTreeMap::new();
                for &start in batches {
                    let runs = start..to.min(start + RUNS_PER_PACK);
                    let writer = repo.store().rewriter();
                    let mut lane = writer.lane();
                    for run in runs.clone() {
                        (0..FRESH).for_each(|n| put(&mut lane, POOL + run * FRESH + n));
                    }
                    lane.close().unwrap();
                    writer.finish().unwrap();
                    for run in runs {
                        let entries = entries(run, &mut known);
                        let contents = Contents {
                            entries: &entries,
                            blocks: None,
                            chunks: &BTreeMap::new(),
                            new_bytes: 9_000,
                        };
                        let sealed = seal(&meta(run, first), contents).unwrap();
                        let name = format!("runs/{}.redb", sealed.id);
                        repo.folder().write_derived(name, &sealed.bytes).unwrap();
                    }
                    known.retain(|number, _| *number < POOL);
                }
            });
        }
    });
    repo.store().tidy().unwrap();
}

/// Adds and commits a folder of 100 small files a few times; the median time of each.
fn commits(repo: &Repo) -> (Duration, Duration) {
    let (mut adds, mut seals) = (Vec::new(), Vec::new());
    for round in 0..COMMITS {
        for n in 0..FILES {
            let file = repo.work().join(format!("results/{n:03}.txt"));
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            if n < FRESH || round == 0 {
                fs::write(&file, format!("{round} {n} {:?}", Instant::now())).unwrap();
            }
        }
        let start = Instant::now();
        common::add(repo, "results");
        adds.push(start.elapsed());
        let start = Instant::now();
        common::commit(repo);
        seals.push(start.elapsed());
    }
    (median(adds), median(seals))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn eart(store: &Path, args: &[&str]) -> Duration {
    let start = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_eart"))
        .args(args)
        .env_clear()
        .env("HOME", store)
        .env("EART_DIR", store)
        .current_dir(store)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let time = start.elapsed();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {} {said}", output.status);
    time
}

/// A copy of a store made of hard links: no file of a store is changed in place but logs, and this
/// one has none yet.
fn clone(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => clone(&entry.path(), &target),
            false => fs::hard_link(entry.path(), target).unwrap(),
        }
    }
}

fn row(what: &str, time: Duration) {
    println!("| {what} | {:.1} ms |", time.as_secs_f64() * 1e3);
}

fn main() {
    // `cargo test --benches` only asks whether it starts.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let runs = std::env::var("EART_BENCH_RUNS").map_or(10_000, |n| n.parse::<u64>().unwrap());
    let temp = tempfile::tempdir().unwrap();
    let dir = std::env::var_os("EART_BENCH_DIR").map_or(temp.path().to_owned(), PathBuf::from);
    let (store, work) = (dir.join("store"), dir.join("work"));
    println!("| what | time |\n| --- | ---: |");
    if !store.exists() {
        fs::create_dir_all(&work).unwrap();
        let start = Instant::now();
        let (repo, _) = Repo::init(Folder::new(&store), &work).unwrap();
        let writer = repo.store().writer(repo.store().index().unwrap());
        let mut lane = writer.lane();
        (0..POOL).for_each(|number| put(&mut lane, number));
        lane.close().unwrap();
        writer.finish().unwrap();
        let first = Timestamp::now() - SignedDuration::from_mins(10 * (runs as i64 + 10));
        let mut made = 0;
        for stop in [0, runs / 10, runs] {
            grow(&repo, made, stop, first);
            made = stop;
            let list = Instant::now();
            repo.catalog().unwrap();
            let list = list.elapsed();
            let (add, commit) = commits(&repo);
            if made > 0 {
                row(&format!("{made} runs: the first list after the catalog was lost"), list);
            }
            row(&format!("{made} runs: add of 100 files, 10 of them new"), add);
            row(&format!("{made} runs: commit of them"), commit);
        }
        eprintln!("made {runs} runs in {:.0?}", start.elapsed());
    }
    let glob = "report/data/00*";
    let questions: &[&[&str]] = &[
        &["--version"],
        &["log", "-n", "20"],
        &["log", "-n", "20", "--label", "branch=main"],
        &["log", "-n", "20", "--path", glob],
        &["show", "latest"],
        &["show", "nightly-77"],
        &["ls", "latest", "-r"],
        &["find", glob],
        &["stats"],
        &["gc", "--keep", "10", "--dry-run"],
    ];
    for args in questions {
        eart(&store, args);
        let times = (0..REPEATS).map(|_| eart(&store, args)).collect();
        row(&format!("`eart {}`", args.join(" ")), median(times));
    }
    let times = (0..3)
        .map(|n| {
            let copy = dir.join(format!("copy-{n}"));
            clone(&store, &copy);
            let time = eart(&copy, &["gc", "--keep", "10"]);
            fs::remove_dir_all(&copy).unwrap();
            time
        })
        .collect();
    row("`eart gc --keep 10`", median(times));
}
