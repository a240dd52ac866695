//! What lists show of many runs, whatever became of the segments.

use std::fs;

use super::segment::{PathRow, Posting, Record, Segment, SegmentFile};
use super::*;
use crate::disk::Folder;
use crate::manifest::{Mtime, Node, RunMeta, Summary, seal};
use crate::path::RelPath;

fn entries(names: &[&str]) -> Vec<Entry> {
    let entry = |name: &&str| Entry {
        path: RelPath::new(*name).unwrap(),
        node: Node::File { size: name.len() as u64, id: crate::id::FileId::of(name.as_bytes()) },
        mode: 0o644,
        mtime: Mtime::default(),
        declared: None,
        detected: ArtifactType::Trace,
        content_type: None,
    };
    names.iter().map(entry).collect()
}

fn meta(number: u8) -> RunMeta {
    let committed = Timestamp::from_second(1_000_000 + i64::from(number)).unwrap();
    RunMeta {
        nonce: [number; 16],
        started: committed,
        committed,
        name: format!("run-{number}"),
        project: "shop".into(),
        message: String::new(),
        labels: [("branch".to_owned(), "main".to_owned())].into(),
        status: None,
        context: Default::default(),
    }
}

/// A run as `commit` leaves it.
fn commit(repo: &Repo, number: u8, names: &[&str]) -> RunId {
    let entries = entries(names);
    let lists = Default::default();
    let contents =
        crate::manifest::Contents { entries: &entries, blocks: None, chunks: &lists, new_bytes: 0 };
    let sealed = seal(&meta(number), contents).unwrap();
    repo.folder().write(super::super::runs::file(sealed.id), &sealed.bytes).unwrap();
    let record = Record { id: sealed.id, meta: meta(number), summary: sealed.summary };
    repo.catalog_add(&record, &entries);
    sealed.id
}

fn repo(dir: &std::path::Path) -> Repo {
    Repo::init(Folder::new(dir.join("store")), dir).unwrap().0
}

fn found(catalog: &Catalog, name: &[u8]) -> Vec<String> {
    let mut runs = Vec::new();
    catalog.search(|path| path == name, |_, hit| runs.push(hit.run.meta.name.clone())).unwrap();
    runs.sort();
    runs
}

#[test]
fn every_run_is_listed_and_found_however_segments_were_merged() {
    let dir = tempfile::tempdir().unwrap();
    let repo = repo(dir.path());
    let ids: Vec<RunId> =
        (0..40).map(|n| commit(&repo, n, &["all", &format!("only-{n}")])).collect();
    let segments = repo.folder().list(CATALOG).unwrap();
    assert!(segments.len() < 20, "{segments:?}");
    let catalog = repo.catalog().unwrap();
    let listed: Vec<RunId> = catalog.records().map(|r| r.id).collect();
    assert_eq!(listed, ids.iter().rev().copied().collect::<Vec<_>>());
    assert_eq!(catalog.latest(), Some(meta(39).committed));
    assert_eq!(found(&catalog, b"all").len(), 40);
    assert_eq!(found(&catalog, b"only-17"), ["run-17"]);
}

#[test]
fn the_runs_folder_is_the_truth() {
    let dir = tempfile::tempdir().unwrap();
    let repo = repo(dir.path());
    let ids: Vec<RunId> = (0..30).map(|n| commit(&repo, n, &["all"])).collect();
    repo.folder().remove(super::super::runs::file(ids[3])).unwrap();
    let catalog = repo.catalog().unwrap();
    assert!(catalog.get(&ids[3]).is_none());
    assert_eq!((catalog.len(), found(&catalog, b"all").len()), (29, 29));
    // Without any segment it is the same, and one is made.
    for name in repo.folder().list(CATALOG).unwrap() {
        repo.folder().remove(format!("{CATALOG}/{name}")).unwrap();
    }
    let anew = repo.catalog().unwrap();
    assert_eq!(anew.records().collect::<Vec<_>>(), catalog.records().collect::<Vec<_>>());
    assert_eq!(found(&anew, b"all"), found(&catalog, b"all"));
    assert_eq!(repo.folder().list(CATALOG).unwrap().len(), 1);
}

#[test]
fn damage_is_noticed_and_costs_only_the_segment() {
    let dir = tempfile::tempdir().unwrap();
    let repo = repo(dir.path());
    let id = commit(&repo, 7, &["a", "b/c", "d"]);
    let name = repo.folder().list(CATALOG).unwrap().into_iter().find(|n| n.ends_with(SUFFIX));
    let path = repo.folder().path(format!("{CATALOG}/{}", name.unwrap()));
    let good = fs::read(&path).unwrap();
    assert!(repo.damaged_segments().unwrap().is_empty());
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x55;
        fs::write(&path, bad).unwrap();
        assert_eq!(repo.damaged_segments().unwrap().len(), 1, "byte {at}");
        let catalog = repo.catalog().unwrap();
        assert_eq!(catalog.get(&id).map(|r| r.meta.name.as_str()), Some("run-7"), "byte {at}");
        fs::write(&path, &good[..at]).unwrap();
        assert_eq!(repo.damaged_segments().unwrap().len(), 1, "cut at {at}");
        assert_eq!(repo.catalog().unwrap().len(), 1, "cut at {at}");
    }
}

#[test]
fn a_segment_reads_back() {
    let files = entries(&["a", "a-b", "b/c"]);
    let record =
        Record { id: RunId::from_bytes([1; 32]), meta: meta(1), summary: Summary::of(&files, 9) };
    let segment = Segment::of(&record, &files);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("segment");
    fs::write(&file, segment.encode().unwrap()).unwrap();
    let read = SegmentFile::open(&file).unwrap().unwrap().load().unwrap().unwrap();
    assert_eq!(read.rows[0].record(), Some(&record));
    let posting = |size| vec![Posting { run: 0, size, artifact: ArtifactType::Trace }];
    let expected: [PathRow; 3] = [
        (b"a"[..].into(), posting(1)),
        (b"a-b"[..].into(), posting(3)),
        (b"b/c"[..].into(), posting(3)),
    ];
    assert_eq!(read.paths, expected);
}

#[test]
fn what_shrinks_beyond_belief_is_stored_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("segment");
    let mut long = meta(1);
    long.message = "x".repeat(64 << 10);
    let rows = (0..40).map(|n| {
        let id = RunId::from_bytes([n; 32]);
        Row::of(&Record { id, meta: long.clone(), summary: Summary::default() })
    });
    let segment = Segment { rows: rows.collect(), paths: Vec::new() };
    let bytes = segment.encode().unwrap();
    assert!(bytes.len() > 2 << 20, "{}", bytes.len());
    fs::write(&path, &bytes).unwrap();
    let read = SegmentFile::open(&path).unwrap().unwrap().load().unwrap().unwrap();
    assert_eq!(read.rows[39].record().unwrap().meta, long);

    // One that claims more than 1,024 times what it has is not unpacked.
    let section = zstd::bulk::compress(&vec![0; 16 << 20], 19).unwrap();
    let mut bytes = bytes[..16].to_vec();
    for len in [16 << 20, section.len() as u64, 0, 0] {
        bytes.extend_from_slice(&len.to_le_bytes());
    }
    bytes.extend_from_slice(blake3::hash(&section).as_bytes());
    bytes.extend_from_slice(blake3::hash(b"").as_bytes());
    let sum = blake3::hash(&bytes);
    bytes.extend_from_slice(sum.as_bytes());
    bytes.extend_from_slice(&section);
    fs::write(&path, &bytes).unwrap();
    let error = SegmentFile::open(&path).unwrap().unwrap().rows().unwrap().unwrap_err();
    assert!(error.to_string().contains("unpacks to more than it may"), "{error}");
}

#[test]
fn a_search_goes_on_without_paths_that_a_crash_kept_from_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let repo = repo(dir.path());
    commit(&repo, 1, &["a", "b"]);
    let name = repo.list_segments().unwrap().remove(0);
    let path = repo.folder().path(format!("{CATALOG}/{name}"));
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(found(&repo.catalog().unwrap(), b"b"), ["run-1"]);
    assert_eq!(repo.damaged_segments().unwrap(), [name]);
    commit(&repo, 2, &["b"]);
    assert!(repo.damaged_segments().unwrap().is_empty());
    assert_eq!(found(&repo.catalog().unwrap(), b"b"), ["run-1", "run-2"]);
}
