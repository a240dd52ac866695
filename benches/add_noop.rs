//! How long it takes to add a folder of 10,000 files in which nothing changed since the last
//! commit.

#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

fn benches(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    common::files(&dir.path().join("out"), 10_000, 0);
    // Files that were just written are read again: their times may not tell a change yet.
    std::thread::sleep(Duration::from_millis(100));
    let repo = common::repo(dir.path());
    common::add(&repo, "out");
    common::commit(&repo);
    assert_eq!(common::add(&repo, "out").unchanged, 10_000);
    let mut group = c.benchmark_group("add");
    group.bench_function("10,000 unchanged files", |b| b.iter(|| common::add(&repo, "out")));
    group.finish();
}

criterion_group! {
    name = add_noop;
    config = common::criterion();
    targets = benches
}
criterion_main!(add_noop);
