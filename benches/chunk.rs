//! How fast files are cut: 16 MiB of random bytes, of text, and of an archive with entries as
//! Playwright's traces have them; and how fast the cuts of that archive are found.

#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs::File;
use std::hint::black_box;
use std::io::{Cursor, Write};

use ::zip::write::{SimpleFileOptions, ZipWriter};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use eart::chunk::{Cutter, Params, zip};

const SIZE: usize = 16 << 20;

fn text() -> Vec<u8> {
    let line = |n: u64| format!("{n:08} step {} took {} ms: passed\n", n * n % 97, n * n % 9_973);
    (0..).flat_map(|n| line(n).into_bytes()).take(SIZE).collect()
}

fn archive() -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(::zip::CompressionMethod::Stored);
    for (n, frame) in common::noise(0, SIZE).chunks(38_000).enumerate() {
        writer.start_file(format!("screencast/page@1f0c-{n}.jpeg"), options).unwrap();
        writer.write_all(frame).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Cuts all of a file and returns the number of chunks.
fn cut(file: &[u8], boundaries: Vec<u64>) -> usize {
    let mut cutter = Cutter::new(&Params::V1, boundaries);
    let mut rest = file;
    let mut chunks = 0;
    while let Some(length) = cutter.next(rest, true) {
        rest = &rest[length..];
        chunks += 1;
    }
    chunks
}

fn benches(c: &mut Criterion) {
    let archive = archive();
    let boundaries = zip::inspect(&archive[..], archive.len() as u64).boundaries;
    let inputs = [
        ("random", common::noise(0, SIZE), vec![]),
        ("text", text(), vec![]),
        ("zip", archive.clone(), boundaries),
    ];
    let mut group = c.benchmark_group("cut");
    for (name, file, boundaries) in &inputs {
        group.throughput(Throughput::Bytes(file.len() as u64));
        group.bench_function(*name, |b| b.iter(|| cut(black_box(file), boundaries.clone())));
    }
    group.finish();

    let mut on_disk: File = tempfile::tempfile().unwrap();
    on_disk.write_all(&archive).unwrap();
    let len = archive.len() as u64;
    let mut group = c.benchmark_group("inspect zip");
    group.bench_function("in memory", |b| b.iter(|| zip::inspect(black_box(&archive[..]), len)));
    group.bench_function("file", |b| b.iter(|| zip::inspect(black_box(&on_disk), len)));
    group.finish();
}

criterion_group!(chunk, benches);
criterion_main!(chunk);
