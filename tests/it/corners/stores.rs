//! Odd stores: of a newer format, and such as gc must look at twice.

use std::fs;

use eart::id::ChunkId;
use eart::repo::Repo;

use crate::lab::{Lab, assert_same, checkout, gc, noise, tree};

#[test]
fn a_store_of_a_newer_format_is_left_alone() {
    let lab = Lab::new();
    lab.write("file", "file");
    let format = lab.stored("format.json");
    let text = fs::read_to_string(&format).unwrap();
    let newer = text.replace("\"format\": 1", "\"format\": 2");
    assert_ne!(text, newer);
    fs::write(&format, &newer).unwrap();
    let before = tree(&lab.stored(""));
    for args in
        [&["add", "file"][..], &["log"], &["gc", "--keep", "1"], &["fsck", "--repair"], &["init"]]
    {
        let output = lab.eart(args).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?} {text}");
        assert!(text.contains("format 2") && text.contains("hint: use a newer eart"), "{text}");
    }
    assert_same(&tree(&lab.stored("")), &before, "a newer store");
}

#[test]
fn gc_keeps_a_small_chunk_of_a_frame_that_shrank_to_nothing() {
    let lab = Lab::new();
    // One frame: megabytes of zeros that take some bytes, and a few bytes that are needed longer.
    lab.write("run/small.txt", "needed");
    lab.write("run/zeros.txt", vec![b'0'; 1_900_000]);
    lab.add(&["run"]);
    lab.commit();
    fs::remove_file(lab.path("run/zeros.txt")).unwrap();
    lab.add(&["run"]);
    let last = lab.commit();
    gc(&lab.repo, 1).unwrap();
    assert_same(&lab.checkout(last), &tree(&lab.work()), "after gc");
    assert!(lab.repo.store().index().unwrap().contains(&ChunkId::of(b"needed")));
}

#[test]
fn gc_keeps_the_whole_one_of_two_copies() {
    let lab = Lab::new();
    // Two writers that knew nothing of each other stored the same.
    let bytes = noise(5, 40_000);
    lab.write("run/file.bin", &bytes);
    lab.add(&["run"]);
    let store = lab.repo.store();
    let first = store.index().unwrap().packs()[0];
    let writer = store.rewriter();
    let mut lane = writer.lane();
    lane.put(ChunkId::of(&bytes), &bytes, eart::store::Compression::None).unwrap();
    lane.close().unwrap();
    writer.finish().unwrap();
    let run = lab.commit();
    for pack in store.index().unwrap().packs().to_vec() {
        let copy = lab.beside("copy");
        crate::lab::copy_dir(&lab.stored(""), &copy);
        let path = lab.stored(eart::store::pack_name(pack));
        let mut harmed = fs::read(&path).unwrap();
        harmed[1000] ^= 1;
        fs::write(&path, harmed).unwrap();
        gc(&lab.repo, 1).unwrap();
        let repo = Repo::open(lab.repo.folder().clone(), &lab.work()).unwrap();
        let to = tempfile::tempdir_in(lab.beside("")).unwrap();
        let (done, problems) = checkout(&repo, run, to.path());
        assert_eq!((done.unwrap().failed, problems), (0, vec![]), "{pack} of {first}");
        fs::remove_dir_all(lab.stored("")).unwrap();
        fs::rename(copy, lab.stored("")).unwrap();
    }
}
