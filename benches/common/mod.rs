//! What several benches share: a store beside a folder of files, driven as the tests do it.

#![allow(dead_code, reason = "each bench uses a part of it")]
#![allow(unused_imports, unreachable_pub, missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../tests/it/lab.rs"]
mod lab;

pub use lab::{copy_dir, noise};

use std::fs;
use std::path::Path;
use std::time::Duration;

use criterion::Criterion;
use eart::disk::Folder;
use eart::progress::Silent;
use eart::repo::{Added, Committed, Repo};

/// Short measurements: all benches together take less than three minutes.
pub fn criterion() -> Criterion {
    let short = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(500));
    short.measurement_time(Duration::from_secs(2))
}

/// Writes `count` small texts of some 200 to 2,000 bytes below `dir`, in folders of 100. Texts with
/// another `salt` differ.
pub fn files(dir: &Path, count: usize, salt: usize) {
    for number in 0..count {
        let folder = dir.join(format!("suite-{:03}", number / 100));
        fs::create_dir_all(&folder).unwrap();
        let line = |n: usize| format!("{salt} {number} step {n} took {} ms\n", n * number % 9_973);
        let text: String = (0..10 + number % 60).map(line).collect();
        fs::write(folder.join(format!("case-{number:05}.log")), text).unwrap();
    }
}

pub fn repo(dir: &Path) -> Repo {
    Repo::init(Folder::new(dir.join("store")), dir).unwrap().0
}

pub fn add(repo: &Repo, path: &str) -> Added {
    repo.add(&lab::adding(repo, &[path]), &Silent).unwrap()
}

pub fn commit(repo: &Repo) -> Committed {
    lab::commit(repo).unwrap()
}
