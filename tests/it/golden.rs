//! Stores that earlier versions made, in `tests/data`: every later version reads them.
//!
//! `tests/data/README.md` says what is in them and how they are made.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use eart::artifact::ArtifactType;
use eart::config::{Config, Origin, SourceFile, Sources};
use eart::disk::Folder;
use eart::id::RunId;
use eart::repo::{AUDIT, CONFIG, Catalog, CommitOptions, Hit, Record, Repo};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

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
    /// What its configuration sets.
    settings: BTreeMap<String, String>,
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
        settings: settings(repo),
    }
}

/// What the store's configuration sets.
fn settings(repo: &Repo) -> BTreeMap<String, String> {
    let store = SourceFile::read(repo.folder().path(CONFIG)).unwrap();
    let config = Config::resolve(&Sources { store, ..Sources::default() }).unwrap();
    let set = config.settings().iter().filter(|s| matches!(s.origin, Origin::Store { .. }));
    set.map(|s| (s.key.to_owned(), s.text.clone())).collect()
}

/// What lists and searches show: the runs, and size and type of every file by run and path.
type Listing = (Vec<Record>, BTreeMap<(RunId, Vec<u8>), (u64, ArtifactType)>);

fn listing(catalog: &Catalog) -> Listing {
    assert_eq!(catalog.unreadable().len(), 0);
    let mut files = BTreeMap::new();
    let visit = |path: &[u8], hit: Hit<'_>| {
        files.insert((hit.run.id, path.to_vec()), (hit.size, hit.artifact));
    };
    catalog.search(|_| true, visit).unwrap();
    (catalog.records().cloned().collect(), files)
}

const SETTINGS: &str = "\
# Of a golden store.
project = \"shop\"
exclude = [\"*.tmp\", \"cache/**\"]

[keep]
newest = 5
within = \"14d\"
label = [\"branch=main\"]

[compression]
level = 7
";

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
    repo.folder().write(CONFIG, SETTINGS.as_bytes()).unwrap();
    let first = repo.commit(&options).unwrap().id;
    put("report/index.html", "<p>another page</p>\n".repeat(200).as_bytes(), 0o644);
    fs::remove_file(work.path().join("report/large.log")).unwrap();
    stage(&["report"], "default");
    let options = CommitOptions { project: Some("shop".into()), ..committing() };
    let seal = || repo.commit(&options).unwrap().id;
    let second = seal();
    // A pack each; with the two before they are enough to be merged into an index segment.
    for n in 0..15 {
        let name = format!("small/{n:02}.txt");
        put(&name, format!("file {n}\n").repeat(20).as_bytes(), 0o644);
        stage(&[&name], "default");
    }
    // The folder's own time, too.
    stage(&["small"], "default");
    seal();
    // So many of the runs go that the catalog is written anew, as one segment.
    let brief = |name: &str| {
        put(name, name.as_bytes(), 0o644);
        stage(&[name], "default");
        seal().to_hex()
    };
    repo.rm(&[brief("gone/one"), brief("gone/two")], "not needed", false).unwrap();
    // And so few that it keeps a segment of a run that only the log knows to be removed.
    repo.rm(&[brief("gone/three")], "not needed either", false).unwrap();
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

/// A copy of a golden store, in the folder that is returned.
fn copied(dir: &Path) -> (TempDir, Repo) {
    let place = scratch();
    let work = place.path().join("work");
    copy_dir(&dir.join("store"), &work.join(".eart"));
    let repo = Repo::open(Folder::new(work.join(".eart")), &work).unwrap();
    (place, repo)
}

/// The files in a folder of a store whose names end like this.
fn files(repo: &Repo, room: &str, end: &str) -> Vec<PathBuf> {
    let names = repo.folder().list(room).unwrap();
    let names = names.iter().filter(|name| name.ends_with(end));
    names.map(|name| repo.folder().path(room).join(name)).collect()
}

/// What a golden store holds is what it should, whole and by every way that leads to it.
fn is_as_expected(dir: &Path) {
    let text = fs::read_to_string(dir.join("expected.json")).unwrap();
    let expected: Expected = serde_json::from_str(&text).unwrap();
    assert!(expected.runs.len() >= 3 && !expected.drafts.is_empty());
    let (_place, repo) = copied(dir);
    let checked = fsck(&repo).unwrap();
    assert!(checked.is_clean(), "{checked:?}");
    assert_eq!(read(&repo), expected);
    index_finds_every_chunk(dir, &expected);
    catalog_lists_every_file(dir);
    log_tells_of_every_removal(dir);
    goes_on(dir);
}

/// Where the packs do not say what they hold, the index segment does.
fn index_finds_every_chunk(dir: &Path, expected: &Expected) {
    let (_place, repo) = copied(dir);
    assert_eq!(files(&repo, "index", ".idx").len(), 1);
    for pack in files(&repo, "packs", ".pack") {
        let mut bytes = fs::read(&pack).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&pack, bytes).unwrap();
    }
    assert_eq!(read(&repo), *expected);
}

/// What the catalog shows, without a look at the runs, is what they are.
fn catalog_lists_every_file(dir: &Path) {
    let (_place, repo) = copied(dir);
    assert_eq!(files(&repo, "catalog", ".cat").len(), 2);
    for run in files(&repo, "runs", ".redb") {
        fs::write(run, "").unwrap();
    }
    let shown = listing(&repo.catalog().unwrap());
    let (_place, repo) = copied(dir);
    for segment in files(&repo, "catalog", ".cat") {
        fs::remove_file(segment).unwrap();
    }
    let held = listing(&repo.catalog().unwrap());
    assert!(held.1.len() > 20);
    assert_eq!(shown, held);
}

/// The catalog still has a run that was removed; without the log it would be lost.
fn log_tells_of_every_removal(dir: &Path) {
    let (_place, repo) = copied(dir);
    fs::remove_file(repo.folder().path(AUDIT)).unwrap();
    let lost = fsck(&repo).unwrap().findings;
    assert!(lost.len() == 1 && lost[0].reason.contains("no log says who removed it"), "{lost:?}");
}

/// Its owner goes on using it.
fn goes_on(dir: &Path) {
    let (place, repo) = copied(dir);
    let expected = read(&repo);
    // Without what is derived it is the same.
    for file in [files(&repo, "index", ".idx"), files(&repo, "catalog", ".cat")].concat() {
        fs::remove_file(file).unwrap();
    }
    assert_eq!(read(&repo), expected);
    fs::write(repo.work().join("new.txt"), "new").unwrap();
    assert_eq!(add(&repo, &["new.txt"]).1, []);
    let run = commit(&repo).unwrap().id;
    gc(&repo, 1).unwrap();
    assert_eq!(repo.run_ids().unwrap().len(), 3, "tag and pin keep theirs");
    let to = place.path().join("to");
    assert_eq!(checkout(&repo, run, &to).0.unwrap().failed, 0);
    let mut expected = tree(repo.work());
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
