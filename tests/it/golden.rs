//! Stores that earlier versions made, in `tests/data`: every later version reads them.
//!
//! `tests/data/README.md` says what is in them and how they are made.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use eart::disk::Folder;
use eart::repo::{CommitOptions, FsckOptions, Repo};
use serde::{Deserialize, Serialize};

use crate::lab::{
    Thing, Tree, add, add_with, adding, assert_same, checkout, commit, committing, copy_dir, fsck,
    gc, noise, scratch, tree,
};

/// What a golden store holds, as it stands beside it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Expected {
    /// Runs by id, with their names, messages, labels and entries.
    runs: BTreeMap<String, Run>,
    tags: BTreeMap<String, String>,
    pins: Vec<String>,
    /// Paths in the open drafts.
    drafts: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    name: String,
    message: String,
    project: String,
    committed: String,
    labels: BTreeMap<String, String>,
    status: Option<String>,
    /// By path: kind, mode, time of modification, and size and BLAKE3 or target.
    entries: BTreeMap<String, String>,
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

fn entries(tree: &Tree) -> BTreeMap<String, String> {
    let line = |thing: &Thing| match thing {
        Thing::File { mode, mtime, size, hash } => {
            format!("file {mode:o} {}.{:09} {size} {hash}", mtime.0, mtime.1)
        }
        Thing::Dir { mode, mtime } => format!("dir {mode:o} {}.{:09}", mtime.0, mtime.1),
        Thing::Link { mtime, to } => {
            format!("link {}.{:09} {}", mtime.0, mtime.1, to.escape_ascii())
        }
        Thing::Other => "other".into(),
    };
    let name = |path: &std::ffi::OsString| path.as_encoded_bytes().escape_ascii().to_string();
    tree.iter().map(|(path, thing)| (name(path), line(thing))).collect()
}

/// Reads everything that a store holds.
fn read(repo: &Repo) -> Expected {
    let catalog = repo.catalog().unwrap();
    assert_eq!(catalog.unreadable().len(), 0);
    let mut runs = BTreeMap::new();
    for record in catalog.records() {
        let to = scratch();
        let (done, problems) = checkout(repo, record.id, to.path());
        assert_eq!((done.unwrap().failed, problems), (0, vec![]));
        let manifest = repo.manifest(record.id).unwrap();
        manifest.verify().unwrap();
        assert_eq!(manifest.meta(), &record.meta);
        let run = Run {
            name: record.meta.name.clone(),
            message: record.meta.message.clone(),
            project: record.meta.project.clone(),
            committed: record.meta.committed.to_string(),
            labels: record.meta.labels.clone(),
            status: record.meta.status.map(|s| s.to_string()),
            entries: entries(&tree(to.path())),
        };
        runs.insert(record.id.to_hex(), run);
    }
    let refs = repo.refs().unwrap();
    let draft = |name: String| {
        let draft = repo.draft(&name).unwrap().unwrap();
        (name, draft.entries().iter().map(|e| e.path.to_string()).collect())
    };
    Expected {
        runs,
        tags: refs.tags.iter().map(|(name, id)| (name.clone(), id.to_hex())).collect(),
        pins: refs.pins.iter().map(|id| id.to_hex()).collect(),
        drafts: repo.draft_names().unwrap().into_iter().map(draft).collect(),
    }
}

/// A store with something of everything, in `dir/store`, and what it holds in `dir/expected.json`.
fn generate(dir: &Path) {
    let work = scratch();
    let put = |name: &str, bytes: &[u8], mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        let path = work.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 123_456_789);
        fs::File::options().read(true).open(&path).unwrap().set_modified(time).unwrap();
    };
    drop(fs::remove_dir_all(dir.join("store")));
    fs::create_dir_all(dir).unwrap();
    let repo = Repo::init(Folder::new(dir.join("store")), work.path()).unwrap().0;
    // It would keep git from keeping the store.
    repo.folder().remove(".gitignore").unwrap();
    // Text shares a compressed frame, noise is raw; the archive and the large text have chunk lists.
    put("report/index.html", "<p>a page</p>\n".repeat(200).as_bytes(), 0o644);
    put("report/large.log", "a line that repeats\n".repeat(120_000).as_bytes(), 0o600);
    put("report/shot.png", &[b"\x89PNG\r\n\x1a\n", &noise(1, 6000)[..]].concat(), 0o644);
    put("report/trace.zip", &archive(), 0o444);
    put("report/empty", b"", 0o755);
    put("report/caf\u{e9} \"quoted\"", b"odd name", 0o644);
    std::os::unix::fs::symlink("../elsewhere", work.path().join("report/link")).unwrap();
    fs::create_dir_all(work.path().join("report/nothing/here")).unwrap();
    let stage = |paths: &[&str], draft: &str| {
        let mut options = adding(&repo, paths);
        options.draft = draft.into();
        add_with(&repo, options).0.unwrap();
    };
    stage(&["report"], "default");
    let options = CommitOptions {
        name: Some("nightly".into()),
        message: "The first\nof two".into(),
        labels: [("branch", "main"), ("suite", "e2e")].map(|(k, v)| (k.into(), v.into())).into(),
        status: Some(eart::manifest::Status::Failed),
        project: Some("shop".into()),
        ..committing()
    };
    let first = repo.commit(&options).unwrap().id;
    put("report/index.html", "<p>another page</p>\n".repeat(200).as_bytes(), 0o644);
    fs::remove_file(work.path().join("report/large.log")).unwrap();
    stage(&["report"], "default");
    let options = CommitOptions { project: Some("shop".into()), ..committing() };
    let second = repo.commit(&options).unwrap().id;
    put("open/staged.txt", b"staged", 0o644);
    stage(&["open"], "left-open");
    repo.set_tag("release", first).unwrap();
    repo.pin(second).unwrap();
    let text = serde_json::to_string_pretty(&read(&repo)).unwrap();
    fs::write(dir.join("expected.json"), text + "\n").unwrap();
}

/// An archive whose entries are large enough to be cut out.
fn archive() -> Vec<u8> {
    use std::io::Write;
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for n in 0..3 {
        zip.start_file(format!("{n}.txt"), stored).unwrap();
        zip.write_all("an entry of an archive\n".repeat(5000 + n).as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Uses a copy of a golden store as its owner would.
fn is_as_expected(dir: &Path) {
    let text = fs::read_to_string(dir.join("expected.json")).unwrap();
    let expected: Expected = serde_json::from_str(&text).unwrap();
    let place = scratch();
    let work = place.path().join("work");
    copy_dir(&dir.join("store"), &work.join(".eart"));
    let repo = Repo::open(Folder::new(work.join(".eart")), &work).unwrap();
    let checked = repo.fsck(FsckOptions { data: true, repair: false }, &eart::progress::Silent);
    let checked = checked.unwrap();
    assert!(checked.is_clean(), "{checked:?}");
    assert!(expected.runs.len() >= 2 && !expected.drafts.is_empty());
    assert_eq!(read(&repo), expected);
    // Without what is derived it is the same.
    for derived in ["index", "catalog"] {
        for name in repo.folder().list(derived).unwrap() {
            fs::remove_file(repo.folder().path(derived).join(name)).unwrap();
        }
    }
    assert_eq!(read(&repo), expected);
    // And it goes on.
    fs::write(work.join("new.txt"), "new").unwrap();
    assert_eq!(add(&repo, &["new.txt"]).1, []);
    let run = commit(&repo).unwrap().id;
    gc(&repo, 1).unwrap();
    assert_eq!(repo.run_ids().unwrap().len(), 3, "tag and pin keep theirs");
    let to = place.path().join("to");
    assert_eq!(checkout(&repo, run, &to).0.unwrap().failed, 0);
    let mut expected = tree(&work);
    expected.retain(|path, _| path == "new.txt");
    assert_same(&tree(&to), &expected, "a new run in an old store");
    assert!(fsck(&repo).unwrap().is_clean());
}

#[test]
fn a_store_made_now_holds_what_it_should() {
    let made = scratch();
    generate(made.path());
    is_as_expected(made.path());
    // To make the files in tests/data anew; see the README there.
    if let Some(version) = std::env::var_os("EART_WRITE_GOLDEN") {
        generate(&data().join(version));
    }
}

#[test]
fn every_golden_store_is_read() {
    let mut stores = 0;
    for entry in fs::read_dir(data()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().as_encoded_bytes().starts_with(b"v") {
            is_as_expected(&entry.path());
            stores += 1;
        }
    }
    assert!(stores >= 1);
}
