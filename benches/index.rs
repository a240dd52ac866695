//! How fast a chunk is found, or found missing: in 16 packs without a segment, and in merged
//! segments over 1,000,000 chunks; and how long it takes to open either index.

#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use eart::disk::Folder;
use eart::id::ChunkId;
use eart::store::{Compression, Store};

fn id(number: u64) -> ChunkId {
    ChunkId::of(&number.to_le_bytes())
}

fn store(dir: &tempfile::TempDir, packs: u64, chunks: u64) -> Store {
    let store = Store::new(Folder::new(dir.path()));
    store.create().unwrap();
    for pack in 0..packs {
        let writer = store.rewriter();
        let mut lane = writer.lane();
        for number in pack * chunks..(pack + 1) * chunks {
            lane.put(id(number), &number.to_le_bytes(), Compression::None).unwrap();
        }
        lane.close().unwrap();
        writer.finish().unwrap();
    }
    store.tidy().unwrap();
    store
}

fn benches(c: &mut Criterion) {
    let mut group = c.benchmark_group("index");
    for (name, packs, chunks) in [("16 loose packs", 16, 1_000), ("1M chunks merged", 20, 50_000)] {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir, packs, chunks);
        group.bench_function(format!("open {name}"), |b| b.iter(|| store.index().unwrap()));
        let index = store.index().unwrap();
        assert_eq!(index.chunks().count() as u64, packs * chunks);
        let total = packs * chunks;
        for (what, first) in [("hit", 0), ("miss", total)] {
            let ids: Vec<ChunkId> = (0..1_000).map(|n| id(first + n * 7_919 % total)).collect();
            group.bench_function(format!("1,000 times {what}, {name}"), |b| {
                b.iter(|| ids.iter().filter(|id| index.contains(black_box(id))).count());
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = index;
    config = common::criterion();
    targets = benches
}
criterion_main!(index);
