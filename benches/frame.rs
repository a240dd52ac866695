//! How fast chunks become frames in a pack and come back: 16 MiB of small texts, which share
//! frames and are compressed, and of random bytes, which are kept as they are. Writing includes
//! the pack's file and its sync, so compare it with itself only; a reader keeps the frames it decoded
//! last, so reading is looking up and hashing, and "one small chunk" is decoding a frame.

#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use eart::disk::Folder;
use eart::id::ChunkId;
use eart::store::{Compression, Store};

const SIZE: usize = 16 << 20;

type Chunks = Vec<(ChunkId, Vec<u8>)>;

fn chunks(size: usize, text: bool) -> Chunks {
    let noise = common::noise(0, SIZE);
    let chunk = |(number, noise): (usize, &[u8])| {
        let words = noise.chunks(8).enumerate();
        let lines = words.flat_map(|(n, w)| {
            format!("{number} {n:04} step {} took {} ms: passed\n", w[0], w[1]).into_bytes()
        });
        let bytes = if text { lines.take(size).collect() } else { noise.to_vec() };
        (ChunkId::of(&bytes), bytes)
    };
    noise.chunks(size).enumerate().map(chunk).collect()
}

fn store(dir: &tempfile::TempDir) -> Store {
    let store = Store::new(Folder::new(dir.path()));
    store.create().unwrap();
    store
}

fn write(store: &Store, chunks: &Chunks, wish: Compression) -> u64 {
    let writer = store.rewriter();
    let mut lane = writer.lane();
    for (id, bytes) in chunks {
        lane.put(*id, bytes, wish).unwrap();
    }
    lane.close().unwrap();
    writer.finish().unwrap().stored
}

fn benches(c: &mut Criterion) {
    let mut group = c.benchmark_group("frame");
    group.throughput(Throughput::Bytes(SIZE as u64));
    let inputs = [
        ("text of 2 KiB", chunks(2 << 10, true), Compression::Zstd(3)),
        ("text of 256 KiB", chunks(256 << 10, true), Compression::Zstd(3)),
        ("random of 256 KiB", chunks(256 << 10, false), Compression::Likely(3)),
    ];
    for (name, chunks, wish) in &inputs {
        let empty = || tempfile::tempdir().unwrap();
        group.bench_function(format!("write {name}"), |b| {
            b.iter_batched_ref(
                empty,
                |dir| write(&store(dir), chunks, *wish),
                BatchSize::PerIteration,
            );
        });
        let dir = empty();
        let store = store(&dir);
        write(&store, chunks, *wish);
        let mut reader = store.reader().unwrap();
        group.bench_function(format!("read {name}"), |b| {
            b.iter(|| {
                for (id, _) in chunks {
                    black_box(reader.chunk(id).unwrap());
                }
            });
        });
    }
    group.finish();

    // What somebody pays who wants one small file: a frame.
    let dir = tempfile::tempdir().unwrap();
    let (store, chunks) = (store(&dir), &inputs[0].1);
    write(&store, chunks, Compression::Zstd(3));
    let reader = store.reader().unwrap();
    c.bench_function("read one small chunk", |b| {
        b.iter_batched(
            || reader.fork(),
            |mut reader| reader.chunk(&chunks[chunks.len() / 2].0).unwrap().len(),
            BatchSize::SmallInput,
        );
    });
}

criterion_group! {
    name = frame;
    config = common::criterion();
    targets = benches
}
criterion_main!(frame);
