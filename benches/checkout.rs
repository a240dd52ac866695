//! How fast a run is written back: 2,000 small files, and one of 64 MiB.

#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use eart::progress::Silent;
use eart::repo::CheckoutOptions;

const LARGE: usize = 64 << 20;

fn benches(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    common::files(&dir.path().join("out/small"), 2_000, 0);
    fs::write(dir.path().join("out/large.bin"), common::noise(0, LARGE)).unwrap();
    let repo = common::repo(dir.path());
    common::add(&repo, "out");
    let run = common::commit(&repo).id;
    let mut group = c.benchmark_group("checkout");
    // No folder is removed before the end: ext4 takes long to find an inode that was not freed in
    // the last seconds.
    let mut targets = 0;
    for (name, path, amount) in [
        ("2,000 small files", "out/small", Throughput::Elements(2_000)),
        ("a file of 64 MiB", "out/large.bin", Throughput::Bytes(LARGE as u64)),
    ] {
        group.throughput(amount);
        group.bench_function(name, |b| {
            b.iter_batched(
                || {
                    targets += 1;
                    dir.path().join(format!("to-{targets}"))
                },
                |to| {
                    let options = CheckoutOptions { paths: vec![path.into()], to, force: false };
                    repo.checkout(run, &options, &Silent).unwrap()
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group! {
    name = checkout;
    config = common::criterion();
    targets = benches
}
criterion_main!(checkout);
