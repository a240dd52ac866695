//! The store as a whole: what goes in comes out, once, and damage is noticed.

use super::*;
use std::fs;
use std::path::Path;

fn store(root: &Path) -> Store {
    let store = Store::new(Folder::new(root));
    store.create().unwrap();
    store
}

/// Deterministic bytes that do not compress.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut out);
    out
}

fn put(store: &Store, chunks: &[Vec<u8>]) -> Written {
    let writer = store.writer(store.index().unwrap());
    let mut lane = writer.lane();
    for chunk in chunks {
        lane.put(ChunkId::of(chunk), chunk, Compression::Likely(3)).unwrap();
    }
    lane.close().unwrap();
    writer.finish().unwrap()
}

fn mixed() -> Vec<Vec<u8>> {
    (0..200u64)
        .map(|n| match n % 3 {
            0 => noise(n, 1 + (n as usize * 997) % 300_000),
            1 => format!("line {n} of a log\n").repeat(1 + n as usize * 7).into_bytes(),
            _ => vec![n as u8; 1 << (n % 20)],
        })
        .collect()
}

#[test]
fn chunks_come_back_and_are_stored_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let chunks = mixed();
    let first = put(&store, &chunks);
    assert_eq!(first.chunks, 200);
    assert_eq!(first.raw, chunks.iter().map(|c| c.len() as u64).sum::<u64>());
    assert!(first.stored < first.raw, "{first:?}");
    assert_eq!(put(&store, &chunks), Written::default());
    let mut reader = store.reader().unwrap();
    for chunk in chunks.iter().rev() {
        assert_eq!(reader.chunk(&ChunkId::of(chunk)).unwrap(), chunk);
    }
    let missing = reader.chunk(&ChunkId::of(b"never stored"));
    assert!(matches!(missing, Err(Error::Missing(_))));
}

#[test]
fn lanes_of_many_threads_store_a_chunk_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let chunks = mixed();
    let writer = store.writer(store.index().unwrap());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut lane = writer.lane();
                for chunk in &chunks {
                    lane.put(ChunkId::of(chunk), chunk, Compression::Likely(1)).unwrap();
                }
                lane.close().unwrap();
            });
        }
    });
    assert_eq!(writer.finish().unwrap().chunks, 200);
    let index = store.index().unwrap();
    assert_eq!(index.chunks().count(), 200);
}

#[test]
fn many_packs_are_merged_into_few_segments_and_all_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    for n in 0..60u64 {
        put(&store, &[noise(n, 100), noise(1000 + n, 100)]);
        store.tidy().unwrap();
    }
    let segments = store.folder().list("index").unwrap();
    assert!(segments.len() <= 5, "{segments:?}");
    let mut reader = store.reader().unwrap();
    for n in 0..60 {
        assert_eq!(reader.chunk(&ChunkId::of(&noise(n, 100))).unwrap(), noise(n, 100));
    }
    // What a segment names and the folder lacks is not there.
    let gone = reader.index().find(&ChunkId::of(&noise(7, 100))).unwrap().pack;
    fs::remove_file(store.folder().path(pack_name(gone))).unwrap();
    assert!(!store.index().unwrap().contains(&ChunkId::of(&noise(7, 100))));
}

#[test]
fn a_flipped_bit_is_an_error_and_never_wrong_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let chunks: Vec<_> = mixed().into_iter().take(12).collect();
    put(&store, &chunks);
    let pack = store.folder().path(pack_name(store.index().unwrap().packs()[0]));
    let good = fs::read(&pack).unwrap();
    for at in (0..good.len()).step_by(good.len() / 150) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&pack, &bad).unwrap();
        let mut reader = store.reader().unwrap();
        for chunk in &chunks {
            if let Ok(bytes) = reader.chunk(&ChunkId::of(chunk)) {
                assert_eq!(bytes, chunk, "byte {at}");
            }
        }
    }
    for len in (0..good.len()).step_by(good.len() / 50) {
        fs::write(&pack, &good[..len]).unwrap();
        assert_eq!(store.index().unwrap().damaged().len(), 1, "cut at {len}");
    }
}

#[test]
fn a_chunk_stored_twice_survives_the_loss_of_one_copy() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let chunk = noise(1, 50_000);
    put(&store, std::slice::from_ref(&chunk));
    let first = store.index().unwrap().packs()[0];
    let writer = store.rewriter();
    let mut lane = writer.lane();
    lane.put(ChunkId::of(&chunk), &chunk, Compression::None).unwrap();
    lane.close().unwrap();
    writer.finish().unwrap();
    for &pack in store.index().unwrap().packs() {
        let path = store.folder().path(pack_name(pack));
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        bad[1000] ^= 1;
        fs::write(&path, bad).unwrap();
        assert_eq!(store.reader().unwrap().chunk(&ChunkId::of(&chunk)).unwrap(), chunk);
        let footer = store.footer(pack).unwrap().unwrap();
        let found = store.reader().unwrap().check(pack, &footer).unwrap();
        assert_eq!(found, [ChunkId::of(&chunk)], "{pack} {first}");
        fs::write(&path, good).unwrap();
    }
}

#[test]
fn a_frame_that_is_copied_whole_may_repeat_a_chunk() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let (a, b, shared) = (noise(1, 900), noise(2, 900), noise(3, 100));
    for own in [&a, &b] {
        let writer = store.rewriter();
        let mut lane = writer.lane();
        for chunk in [own, &shared] {
            lane.put(ChunkId::of(chunk), chunk, Compression::None).unwrap();
        }
        lane.close().unwrap();
        writer.finish().unwrap();
    }
    let old = store.index().unwrap().packs().to_vec();
    let writer = store.rewriter();
    let mut lane = writer.lane();
    let mut reader = store.reader().unwrap();
    for &pack in &old {
        let footer = store.footer(pack).unwrap().unwrap();
        let mut rows = footer.chunks.clone();
        rows.sort_unstable_by_key(|r| r.offset);
        let bytes = reader.verified(pack, &footer.frames[0], &[]).unwrap();
        lane.copy(&footer.frames[0], bytes, &rows).unwrap();
    }
    lane.close().unwrap();
    writer.finish().unwrap();
    for pack in old {
        fs::remove_file(store.folder().path(pack_name(pack))).unwrap();
    }
    assert_eq!(store.index().unwrap().damaged(), []);
    for chunk in [&a, &b, &shared] {
        assert_eq!(store.reader().unwrap().chunk(&ChunkId::of(chunk)).unwrap(), chunk);
    }
}
