//! Tests of a run's file as a whole: sealed, read back, damaged.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use tempfile::TempDir;

use super::sample::{self, dir, file, link, path};
use super::{ChunkList, Contents, Draft, Entry, Manifest, RunMeta, Sealed, seal};
use crate::id::{FileId, RunId};

fn sealed(meta: &RunMeta, entries: &[Entry], chunks: &BTreeMap<FileId, ChunkList>) -> Sealed {
    seal(meta, Contents { entries, blocks: None, chunks, new_bytes: 5 }).unwrap()
}

fn stored(sealed: &Sealed) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("run");
    fs::write(&path, &sealed.bytes).unwrap();
    (folder, path)
}

fn opened(entries: &[Entry]) -> (TempDir, Manifest) {
    let sealed = sealed(&sample::meta(), entries, &BTreeMap::new());
    let (folder, path) = stored(&sealed);
    let manifest = Manifest::open(&path, sealed.id).unwrap();
    (folder, manifest)
}

fn within(manifest: &Manifest, folder: &str) -> Vec<Entry> {
    manifest.entries_within(&path(folder)).map(|e| e.unwrap()).collect()
}

#[test]
fn a_sealed_run_reads_back() {
    let mut big = file("big.bin");
    let list = sample::chunk_list(9);
    let size = list.iter().map(|c| u64::from(c.len)).sum();
    let id = FileId::of(b"big");
    big.node = super::Node::File { size, id };
    let entries = [dir("a"), file("a/b"), big, link("l", "a/b")];
    let chunks = BTreeMap::from([(id, list.clone())]);
    let sealed = sealed(&sample::meta(), &entries, &chunks);
    let (_folder, at) = stored(&sealed);
    let manifest = Manifest::open(&at, sealed.id).unwrap();
    assert_eq!(manifest.meta(), &sample::meta());
    assert_eq!(manifest.summary(), &sealed.summary);
    assert_eq!(manifest.summary().new_bytes, 5);
    let read: Vec<_> = manifest.entries().map(|e| e.unwrap()).collect();
    assert_eq!(read, entries);
    assert_eq!(manifest.chunk_list(id).unwrap(), Some(list.clone()));
    assert_eq!(manifest.chunk_list(FileId::of(b"other")).unwrap(), None);
    let lists: Vec<_> = manifest.chunk_lists().map(|l| l.unwrap()).collect();
    assert_eq!(lists, [(id, list)]);
    manifest.verify().unwrap();
}

#[test]
fn small_runs_are_small() {
    let one = sealed(&sample::meta(), &[file("a")], &BTreeMap::new());
    assert!(one.bytes.len() <= 40 * 1024, "{} bytes", one.bytes.len());
    let (_folder, manifest) = opened(&[]);
    assert_eq!(manifest.entries().count(), 0);
    assert!(within(&manifest, "a").is_empty());
    assert!(manifest.get(&path("a")).unwrap().is_none());
    manifest.verify().unwrap();
}

#[test]
fn parts_of_a_big_run_are_found() {
    let mut entries = sample::many(5_000);
    entries.extend([file("report-old/x"), dir("report"), file("report.html"), file("z")]);
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    let (_folder, manifest) = opened(&entries);
    assert!(manifest.entries().map(|e| e.unwrap()).eq(entries.iter().cloned()));
    for folder in ["report", "report/007", "report/099/page-000099.html", "z", "none", "re"] {
        let expected = entries.iter().filter(|e| e.path.is_within(&path(folder)));
        assert!(within(&manifest, folder).iter().eq(expected), "{folder}");
    }
    for entry in entries.iter().step_by(97) {
        assert_eq!(manifest.get(&entry.path).unwrap().as_ref(), Some(entry));
    }
    for absent in ["a", "report/007/page", "zz"] {
        assert_eq!(manifest.get(&path(absent)).unwrap(), None);
    }
    manifest.verify().unwrap();
}

#[test]
fn prepared_blocks_give_the_same_run() {
    let entries = sample::many(3_000);
    let blocks = super::encode_all(&entries).unwrap();
    let chunks = BTreeMap::new();
    let plain = Contents { entries: &entries, blocks: None, chunks: &chunks, new_bytes: 0 };
    let prepared = Contents { blocks: Some(&blocks), ..plain };
    let [a, b] = [plain, prepared].map(|c| seal(&sample::meta(), c).unwrap());
    assert_eq!((a.id, &a.summary), (b.id, &b.summary));
    assert_eq!(a.bytes, b.bytes);

    let (_folder, at) = stored(&a);
    let (loaded, loaded_blocks) = Manifest::open(&at, a.id).unwrap().load().unwrap();
    assert_eq!((&loaded, &loaded_blocks), (&entries, &blocks));
    let staged = |entries: &[Entry]| entries.iter().map(|e| (e.clone(), None)).collect();
    let mut draft = Draft::new(sample::meta().started);
    assert!(!draft.adopt_blocks(&loaded, loaded_blocks.clone()));
    draft.replace_within(&[None], staged(&entries), BTreeMap::new()).unwrap();
    assert!(draft.adopt_blocks(&loaded, loaded_blocks));
    draft.replace_within(&[Some(path("report/001"))], staged(&[]), BTreeMap::new()).unwrap();
    let read = Draft::decode(&draft.encode().unwrap()).unwrap();
    assert_eq!(read.entries(), draft.entries());
    assert!(draft.entries().len() < entries.len());
}

#[test]
fn many_may_read_at_once_where_nothing_can_be_written() {
    let sealed = sealed(&sample::meta(), &[file("a")], &BTreeMap::new());
    let (_folder, at) = stored(&sealed);
    let mut permissions = fs::metadata(&at).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&at, permissions).unwrap();
    let open = || Manifest::open(&at, sealed.id).unwrap();
    let readers: Vec<_> = (0..5).map(|_| open()).collect();
    assert!(readers.iter().all(|r| r.get(&path("a")).unwrap().is_some()));
}

/// What a look at a damaged file says; it must not panic, nor believe the file.
fn complaint(bytes: &[u8], id: RunId) -> String {
    let folder = TempDir::new().unwrap();
    let at = folder.path().join("run");
    fs::write(&at, bytes).unwrap();
    Manifest::open(&at, id).unwrap_err().to_string()
}

#[test]
fn every_damage_of_the_file_is_named() {
    let Sealed { id, bytes, .. } = sealed(&sample::meta(), &sample::many(3_000), &BTreeMap::new());
    for place in (0..bytes.len()).step_by(211).chain(2048..2128).chain([bytes.len() - 1]) {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x10;
        let complaint = complaint(&damaged, id);
        assert!(complaint.contains(&id.short()), "{complaint}");
        assert!(complaint.contains("run `eart fsck`"), "{complaint}");
    }
    for len in [0, 1, 320, 2048, 2100, 2128, 4096, bytes.len() - 4096, bytes.len() - 1] {
        assert!(complaint(&bytes[..len], id).contains("cut short"));
    }
    assert!(complaint(&[&bytes[..], &[0; 4096]].concat(), id).contains("changed"));
    let other = RunId::from_bytes([1; 32]);
    assert!(complaint(&bytes, other).contains("another run's"));
}

#[test]
fn a_missing_run_is_told_from_a_damaged_one() {
    let folder = TempDir::new().unwrap();
    let id = RunId::from_bytes([1; 32]);
    assert!(Manifest::open(&folder.path().join("none"), id).unwrap_err().is_not_found());
    assert!(!Manifest::open(folder.path(), id).unwrap_err().is_not_found());
}

#[test]
fn contents_of_another_id_do_not_verify() {
    let sealed = sealed(&sample::meta(), &[file("a")], &BTreeMap::new());
    let (_folder, at) = stored(&sealed);
    let other = RunId::from_bytes([1; 32]);
    let restamped = super::image::restamp(&sealed.bytes, other);
    fs::write(&at, restamped).unwrap();
    let error = Manifest::open(&at, other).unwrap().verify().unwrap_err();
    assert!(error.to_string().contains("its contents have another id"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_tree_is_sealed_and_read_back(entries in sample::any_tree()) {
        let (_folder, manifest) = opened(&entries);
        prop_assert!(manifest.entries().map(|e| e.unwrap()).eq(entries.iter().cloned()));
        for entry in &entries {
            let expected = entries.iter().filter(|e| e.path.is_within(&entry.path));
            let read: Vec<_> =
                manifest.entries_within(&entry.path).map(|e| e.unwrap()).collect();
            prop_assert!(read.iter().eq(expected));
        }
    }
}

proptest! {
    /// The stamp guards against accidents; somebody who means harm can make it anew.
    #[test]
    fn pages_that_make_no_sense_are_answered(
        entries in 0..2_500usize,
        places in prop::collection::vec((any::<usize>(), any::<u8>()), 0..20),
        pages in prop::collection::vec((any::<usize>(), any::<u64>()), 0..4),
    ) {
        let mut many = sample::many(entries);
        many.push(file("zz"));
        let lists = many.iter().filter_map(Entry::file_id).step_by(3);
        let lists = lists.map(|id| (id, sample::chunk_list(9))).collect();
        let mut sealed = sealed(&sample::meta(), &many, &lists);
        let (id, bytes) = (sealed.id, &mut sealed.bytes);
        // Few of redb's numbers are large: small changes lead further than random bytes.
        for (place, value) in places {
            let len = bytes.len();
            bytes[place % len] = value % 8;
        }
        for (page, seed) in pages {
            let page = page % (bytes.len() / 4096) * 4096;
            blake3::Hasher::new()
                .update(&seed.to_le_bytes())
                .finalize_xof()
                .fill(&mut bytes[page..page + 4096]);
        }
        sealed.bytes = super::image::restamp(&sealed.bytes, id);
        let (_folder, at) = stored(&sealed);
        let manifest = match Manifest::open(&at, id) {
            Ok(manifest) => manifest,
            Err(e) => {
                prop_assert!(e.is_damage(), "{e:?}");
                return Ok(());
            }
        };
        if let Err(e) = manifest.verify() {
            prop_assert!(e.is_damage(), "{e:?}");
        }
        manifest.load().map(drop).unwrap_or_default();
        manifest.entries_within(&path("report")).for_each(drop);
        manifest.chunk_lists().for_each(drop);
        drop(manifest.get(&path("report/007/x")));
    }
}
