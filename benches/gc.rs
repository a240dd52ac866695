//! How long gc takes to find what is needed, plan, write packs anew and sweep: of 20 runs of 1,000
//! small files each, of which a tenth is new with every run, the newest 5 stay.

#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use eart::disk::Folder;
use eart::progress::Silent;
use eart::repo::{GcOptions, Policy, Repo};

fn benches(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let repo = common::repo(dir.path());
    common::files(&dir.path().join("out/all"), 900, 0);
    for round in 0..20 {
        common::files(&dir.path().join("out/new"), 100, 1 + round);
        common::add(&repo, "out");
        common::commit(&repo);
    }
    let policy = Policy { newest: Some(5), ..Policy::default() };
    let options = GcOptions { policy, level: 3, ..GcOptions::default() };
    let mut group = c.benchmark_group("gc");
    group.bench_function("20 runs of 1,000 files to 5", |b| {
        b.iter_batched_ref(
            || {
                let to = tempfile::tempdir_in(dir.path()).unwrap();
                common::copy_dir(repo.folder().root(), to.path());
                let repo = Repo::open(Folder::new(to.path()), dir.path()).unwrap();
                (to, repo)
            },
            |(_, repo)| repo.gc(&options, &Silent).unwrap(),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group! {
    name = gc;
    config = common::criterion();
    targets = benches
}
criterion_main!(gc);
