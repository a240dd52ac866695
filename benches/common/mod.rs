//! What several benches share: a store beside a folder of files.

#![allow(dead_code, reason = "each bench uses a part of it")]
#![allow(unreachable_pub, clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use criterion::Criterion;
use eart::disk::Folder;
use eart::progress::Silent;
use eart::repo::{AddOptions, Added, CommitOptions, Committed, Repo};

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
    let compression = |_| Some(3);
    let options = AddOptions {
        paths: vec![path.into()],
        cwd: repo.work().to_owned(),
        target: None,
        draft: "default".into(),
        excludes: Vec::new(),
        declared: None,
        max_size: None,
        compression: &compression,
    };
    repo.add(&options, &Silent).unwrap()
}

pub fn commit(repo: &Repo) -> Committed {
    let options = CommitOptions { drafts: vec!["default".into()], ..CommitOptions::default() };
    repo.commit(&options).unwrap()
}
