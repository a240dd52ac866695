//! How long it takes to commit a draft of 10,000 files.

#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

fn benches(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    common::files(&dir.path().join("out"), 10_000, 0);
    let repo = common::repo(dir.path());
    common::add(&repo, "out");
    let draft = repo.folder().path("drafts/default/draft");
    let staged = fs::read(&draft).unwrap();
    let mut group = c.benchmark_group("commit");
    group.bench_function("10,000 files", |b| {
        b.iter_batched(
            || fs::write(&draft, &staged).unwrap(),
            |()| common::commit(&repo),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group! {
    name = commit;
    config = common::criterion();
    targets = benches
}
criterion_main!(commit);
