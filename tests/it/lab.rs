//! A store and a folder to work in, driven through the library; and trees to put into it.

#![allow(dead_code)]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::SystemTime;

use eart::disk::Folder;
use eart::id::RunId;
use eart::progress::{Problem, Recorder, Silent};
use eart::repo::{
    AddOptions, Added, Checked, CheckedOut, CheckoutOptions, Collected, CommitOptions, Committed,
    FsckOptions, GcOptions, Policy, Repo, Result,
};
use tempfile::TempDir;

/// A temporary folder; in memory where there is room for that, because tests sync a lot.
pub fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let builder = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix("eart-test-");
        builder
    };
    match builder().tempdir_in(memory) {
        Ok(dir) => dir,
        Err(_) => builder().tempdir().unwrap(),
    }
}

/// A store in `.eart` of a working folder.
pub struct Lab {
    root: TempDir,
    pub repo: Repo,
}

impl Lab {
    pub fn new() -> Self {
        Self::below(scratch())
    }

    /// The same on disk, for what is too large for memory.
    pub fn on_disk() -> Self {
        Self::below(tempfile::tempdir().unwrap())
    }

    fn below(root: TempDir) -> Self {
        let work = root.path().join("work");
        fs::create_dir(&work).unwrap();
        let repo = Repo::init(Folder::new(work.join(".eart")), &work).unwrap().0;
        Self { root, repo }
    }

    /// The working folder.
    pub fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    /// A path beside the working folder.
    pub fn beside(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.path().join(name)
    }

    /// A path in the working folder.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.work().join(name)
    }

    /// A path in the store.
    pub fn stored(&self, name: impl AsRef<Path>) -> PathBuf {
        self.repo.folder().path(name)
    }

    /// Writes a file of the working folder, and the folders above it.
    pub fn write(&self, name: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// What of the working folder lies in the folder `name`, and that folder itself.
    pub fn part(&self, name: &str) -> Tree {
        tree_within(&self.work(), name)
    }

    /// `eart` in the working folder, its output piped.
    pub fn eart(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eart"));
        command
            .current_dir(self.work())
            .env_clear()
            .env("HOME", self.beside("home"))
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Adds paths without a problem.
    #[track_caller]
    pub fn add(&self, paths: &[&str]) -> Added {
        let (added, problems) = add(&self.repo, paths);
        assert_eq!(problems, []);
        added.unwrap()
    }

    /// Commits the default draft.
    #[track_caller]
    pub fn commit(&self) -> RunId {
        commit(&self.repo).unwrap().id
    }

    /// Runs `eart` as a user without privileges, who gets everything here to own.
    #[track_caller]
    pub fn as_nobody(&self, args: &[&str]) -> Output {
        let own = ["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--"];
        let mut command = Command::new(env!("CARGO_BIN_EXE_eart"));
        if fs::metadata("/proc/self").unwrap().uid() == 0 {
            // The build's folder may be out of reach for others: the program is copied. Not by us: a
            // process that another test starts meanwhile would hold the copy open for writing.
            let copy = self.beside("eart");
            let cp = Command::new("cp").arg(env!("CARGO_BIN_EXE_eart")).arg(&copy).status();
            assert!(cp.unwrap().success());
            let chown =
                Command::new("chown").arg("-hR").arg("65534:65534").arg(self.beside("")).status();
            assert!(chown.unwrap().success());
            command = Command::new("setpriv");
            command.args(own).arg(copy);
        }
        command.current_dir(self.work()).env_clear().env("PATH", "/usr/bin:/bin").args(args);
        command.output().unwrap()
    }

    /// Checks a run out and returns what was written.
    #[track_caller]
    pub fn checkout(&self, run: RunId) -> Tree {
        let to = tempfile::tempdir_in(self.root.path()).unwrap();
        let (done, problems) = checkout(&self.repo, run, to.path());
        assert_eq!(problems, []);
        assert_eq!(done.unwrap().failed, 0);
        tree(to.path())
    }
}

/// Options to add paths of the working folder to the default draft.
pub fn adding(repo: &Repo, paths: &[impl AsRef<OsStr>]) -> AddOptions<'static> {
    AddOptions {
        paths: paths.iter().map(PathBuf::from).collect(),
        cwd: repo.work().to_owned(),
        target: None,
        draft: "default".into(),
        excludes: Vec::new(),
        declared: None,
        max_size: None,
        compression: &|_| Some(3),
    }
}

/// Adds paths of the working folder to the default draft.
pub fn add(repo: &Repo, paths: &[&str]) -> (Result<Added>, Vec<Problem>) {
    add_with(repo, adding(repo, paths))
}

/// Adds with these options.
pub fn add_with(repo: &Repo, options: AddOptions<'_>) -> (Result<Added>, Vec<Problem>) {
    let monitor = Recorder::default();
    let added = repo.add(&options, &monitor);
    (added, monitor.problems())
}

/// Options to commit the default draft.
pub fn committing() -> CommitOptions {
    CommitOptions { drafts: vec!["default".into()], ..CommitOptions::default() }
}

/// Commits the default draft.
pub fn commit(repo: &Repo) -> Result<Committed> {
    repo.commit(&committing())
}

/// Writes a whole run into a folder.
pub fn checkout(repo: &Repo, run: RunId, to: &Path) -> (Result<CheckedOut>, Vec<Problem>) {
    let monitor = Recorder::default();
    let options = CheckoutOptions { paths: Vec::new(), to: to.to_owned(), force: false };
    let done = repo.checkout(run, &options, &monitor);
    (done, monitor.problems())
}

/// Collects garbage; the newest `keep` runs stay.
pub fn gc(repo: &Repo, keep: u64) -> Result<Collected> {
    let policy = Policy { newest: Some(keep), ..Policy::default() };
    gc_with(repo, policy)
}

/// Collects garbage by a policy.
pub fn gc_with(repo: &Repo, policy: Policy) -> Result<Collected> {
    let options = GcOptions { policy, level: 3, ..GcOptions::default() };
    repo.gc(&options, &Silent)
}

/// Checks every byte.
pub fn fsck(repo: &Repo) -> Result<Checked> {
    repo.fsck(FsckOptions { data: true, repair: false }, &Silent)
}

/// Checks every byte and mends.
pub fn repair(repo: &Repo) -> Result<Checked> {
    repo.fsck(FsckOptions { data: true, repair: true }, &Silent)
}

/// Nothing is wrong; only derived files that are written without a sync may be damaged.
#[track_caller]
pub fn assert_whole(repo: &Repo) {
    let checked = fsck(repo).unwrap();
    assert!(checked.is_clean(), "{checked:?}");
    for finding in &checked.findings {
        let unsynced = finding.what.starts_with("catalog/") || finding.what.ends_with("/last");
        assert!(unsynced, "{finding:?}");
    }
}

/// Nothing at all is wrong.
#[track_caller]
pub fn assert_flawless(repo: &Repo) {
    let checked = fsck(repo).unwrap();
    assert!(checked.is_clean() && checked.findings.is_empty(), "{checked:?}");
}

/// What stands at a path, with everything that eart keeps of it.
#[derive(Clone, PartialEq, Eq)]
pub enum Thing {
    File { mode: u32, mtime: (i64, i64), size: u64, hash: blake3::Hash },
    Dir { mode: u32, mtime: (i64, i64) },
    Link { mtime: (i64, i64), to: Vec<u8> },
    Other,
}

impl std::fmt::Debug for Thing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File { mode, mtime, size, hash } => {
                write!(f, "file {mode:o} {mtime:?} {size} {}", &hash.to_hex()[..8])
            }
            Self::Dir { mode, mtime } => write!(f, "dir {mode:o} {mtime:?}"),
            Self::Link { mtime, to } => write!(f, "link {mtime:?} {}", to.escape_ascii()),
            Self::Other => write!(f, "other"),
        }
    }
}

/// A folder's contents by path, without the folder itself.
pub type Tree = BTreeMap<OsString, Thing>;

/// Reads a folder; `.eart` is left out.
pub fn tree(root: &Path) -> Tree {
    let mut tree = Tree::new();
    collect(root, &mut Vec::new(), &mut tree);
    tree
}

/// What lies in the folder `name` of `work`, and the folder itself; nothing else is looked at.
pub fn tree_within(work: &Path, name: &str) -> Tree {
    let mut tree = Tree::new();
    let meta = fs::symlink_metadata(work.join(name)).unwrap();
    let (mode, mtime) = (meta.permissions().mode() & 0o7777, (meta.mtime(), meta.mtime_nsec()));
    tree.insert(name.into(), Thing::Dir { mode, mtime });
    collect(&work.join(name), &mut name.as_bytes().to_vec(), &mut tree);
    tree
}

fn collect(dir: &Path, prefix: &mut Vec<u8>, tree: &mut Tree) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if prefix.is_empty() && name == ".eart" {
            continue;
        }
        let (path, length) = (entry.path(), prefix.len());
        if length > 0 {
            prefix.push(b'/');
        }
        prefix.extend_from_slice(name.as_bytes());
        let meta = fs::symlink_metadata(&path).unwrap();
        let (mode, mtime) = (meta.permissions().mode() & 0o7777, (meta.mtime(), meta.mtime_nsec()));
        let thing = if meta.is_dir() {
            collect(&path, prefix, tree);
            Thing::Dir { mode, mtime }
        } else if meta.is_symlink() {
            Thing::Link { mtime, to: fs::read_link(&path).unwrap().into_os_string().into_vec() }
        } else if meta.is_file() {
            let mut hasher = blake3::Hasher::new();
            std::io::copy(&mut fs::File::open(&path).unwrap(), &mut hasher).unwrap();
            Thing::File { mode, mtime, size: meta.len(), hash: hasher.finalize() }
        } else {
            Thing::Other
        };
        tree.insert(OsString::from_vec(prefix.clone()), thing);
        prefix.truncate(length);
    }
}

/// Fails with the paths that differ.
#[track_caller]
pub fn assert_same(found: &Tree, expected: &Tree, what: &str) {
    if found != expected {
        let paths = found.keys().chain(expected.keys()).collect::<std::collections::BTreeSet<_>>();
        let differ: Vec<String> = paths
            .into_iter()
            .filter(|p| found.get(*p) != expected.get(*p))
            .map(|p| format!("{p:?}: {:?} instead of {:?}", found.get(p), expected.get(p)))
            .collect();
        panic!("{what}: {}", differ.join("\n  "));
    }
}

/// Decides what a test leaves to chance: `EART_TEST_SEED`, else a new one each time. A test that
/// fails shows it.
#[allow(clippy::print_stdout)]
pub fn seed() -> u64 {
    let given = std::env::var("EART_TEST_SEED").ok();
    let fresh =
        || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seed = given.map_or_else(fresh, |seed| seed.parse().expect("EART_TEST_SEED is a number"));
    println!("EART_TEST_SEED={seed} takes the same again");
    seed
}

/// Bytes that do not compress and differ from seed to seed.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.finalize_xof().fill(&mut out);
    out
}

/// Copies a folder with everything in it, as it is.
pub fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
