//! The properties that the requirements name, each over many random cases.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use eart::id::RunId;
use eart::manifest::Status;
use eart::repo::{CheckoutOptions, Clock, CommitOptions, Policy, Repo};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::lab::{
    Lab, Thing, Tree, add, assert_same, checkout, commit, committing, copy_dir, fsck, gc, gc_with,
    noise, repair, scratch, tree,
};

const CASES: u32 = 100;

fn cases() -> ProptestConfig {
    // Every case works on disk: shrinking far costs more than it tells.
    ProptestConfig {
        cases: CASES,
        max_shrink_iters: 200,
        failure_persistence: None,
        ..Default::default()
    }
}

/// Something to write into a folder.
#[derive(Debug, Clone)]
enum Sprout {
    File { content: Content, mode: u32, mtime: i64 },
    Dir { mode: u32 },
    Link(Vec<u8>),
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Text(u16),
    Noise(u8, u32),
    Zeros(u32),
}

impl Content {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(lines) => {
                (0..*lines).flat_map(|n| format!("line {n}\n").into_bytes()).collect()
            }
            Self::Noise(seed, len) => noise((*seed).into(), *len as usize),
            Self::Zeros(len) => vec![0; *len as usize],
        }
    }
}

fn content() -> impl Strategy<Value = Content> {
    prop_oneof![
        6 => (0..400u16).prop_map(Content::Text),
        4 => (any::<u8>(), 0..5000u32).prop_map(|(seed, len)| Content::Noise(seed, len)),
        1 => (0..4u8, 60_000..700_000u32).prop_map(|(seed, len)| Content::Noise(seed, len)),
        1 => (0..2_500_000u32).prop_map(Content::Zeros),
    ]
}

/// A name: mostly plain, at times with everything that a name may hold.
fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => "[a-e]{1,2}".prop_map(String::into_bytes),
        2 => prop::collection::vec(1..=255u8, 1..12),
        1 => prop::sample::select(vec![
            "...", "-", "a\nb", " ", "*", ".hidden", "\u{1b}[31m", "é", ".eartignore~", "C:\\x", "~",
        ]).prop_map(|s| s.as_bytes().to_vec()),
        1 => Just(vec![b'n'; 255]),
    ]
    .prop_map(|mut name| {
        name.iter_mut().filter(|b| **b == b'/').for_each(|b| *b = b'_');
        name
    })
    .prop_filter("names that mean something", |name| {
        !matches!(&name[..], b"." | b".." | b".git" | b".eart" | b".eartignore")
    })
}

fn sprout() -> impl Strategy<Value = Sprout> {
    let mode = prop::sample::select(vec![0o644, 0o755, 0o600, 0o444, 0o4755, 0o640]);
    let mtime = prop_oneof![Just(0i64), -2_000_000_000..4_000_000_000i64];
    prop_oneof![
        7 => (content(), mode, mtime).prop_map(|(content, mode, mtime)| Sprout::File { content, mode, mtime }),
        2 => prop::sample::select(vec![0o755, 0o700, 0o555, 0o1777]).prop_map(|mode| Sprout::Dir { mode }),
        1 => prop::collection::vec(1..=255u8, 1..30).prop_map(Sprout::Link),
    ]
}

/// Paths and what stands there; a path below one that is no folder is passed over.
fn forest(size: usize) -> impl Strategy<Value = Vec<(Vec<Vec<u8>>, Sprout)>> {
    prop::collection::vec((prop::collection::vec(name(), 1..4), sprout()), 0..size)
}

/// Writes a forest into a folder, and modes of folders last.
fn plant(root: &Path, forest: &[(Vec<Vec<u8>>, Sprout)]) {
    fs::create_dir_all(root).unwrap();
    let mut modes = BTreeMap::new();
    for (names, sprout) in forest {
        let path = names
            .iter()
            .fold(root.to_owned(), |at, name| at.join(OsString::from_vec(name.clone())));
        let parent = path.parent().unwrap();
        if fs::symlink_metadata(&path).is_ok() || fs::create_dir_all(parent).is_err() {
            continue;
        }
        // What a link leads to is not ours to write into.
        if fs::canonicalize(parent).ok().as_deref()
            != Some(&fs::canonicalize(root).unwrap().join(parent.strip_prefix(root).unwrap()))
        {
            continue;
        }
        match sprout {
            Sprout::File { content, mode, mtime } => {
                fs::write(&path, content.bytes()).unwrap();
                let time = match u64::try_from(*mtime) {
                    Ok(after) => SystemTime::UNIX_EPOCH + Duration::new(after, 123_456_789),
                    Err(_) => SystemTime::UNIX_EPOCH - Duration::from_secs(mtime.unsigned_abs()),
                };
                fs::File::options()
                    .write(true)
                    .open(&path)
                    .and_then(|f| f.set_modified(time))
                    .unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
            }
            Sprout::Dir { mode } => {
                fs::create_dir(&path).unwrap();
                modes.insert(path, *mode);
            }
            Sprout::Link(to) => {
                std::os::unix::fs::symlink(OsString::from_vec(to.clone()), &path).unwrap();
            }
        }
    }
    for (path, mode) in modes {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
}

/// Writes one file of a lab anew, with an own time.
fn put(lab: &Lab, name: &str, bytes: &[u8]) {
    lab.write(name, bytes);
}

/// Takes everything below a name out of a tree.
fn below(tree: &Tree, name: &str) -> Tree {
    tree.iter()
        .filter(|(path, _)| Path::new(path).starts_with(name))
        .map(|(p, t)| (p.clone(), t.clone()))
        .collect()
}

proptest! {
    #![proptest_config(cases())]

    /// E2E 1: whatever lies in a folder is in the run, and comes back as it was.
    #[test]
    fn property_1_capture_completeness(forest in forest(25)) {
        let lab = Lab::new();
        plant(&lab.path("in"), &forest);
        lab.add(&["in"]);
        let mut expected = tree(&lab.work());
        for thing in expected.values_mut() {
            // Set-id and sticky bits are not kept.
            if let Thing::File { mode, .. } | Thing::Dir { mode, .. } = thing {
                *mode &= 0o777;
            }
        }
        let run = lab.commit();
        assert_same(&lab.checkout(run), &expected, "checkout");
        let entries = lab.repo.manifest(run).unwrap().entries().count();
        prop_assert_eq!(entries, expected.len());
        prop_assert!(fsck(&lab.repo).unwrap().is_clean());
    }

    /// E2E 3: every file of a run can be listed, read by itself and written back by itself, and the
    /// run's own form is what its id says.
    #[test]
    fn property_3_accessibility_and_format_compliance(forest in forest(10)) {
        let lab = Lab::new();
        plant(&lab.path("in"), &forest);
        lab.add(&["in"]);
        let run = lab.commit();
        let manifest = lab.repo.manifest(run).unwrap();
        manifest.verify().unwrap();
        let entries: Vec<_> = manifest.entries().map(|e| e.unwrap()).collect();
        prop_assert_eq!(eart::manifest::run_id(manifest.meta(), &entries).unwrap(), run);
        prop_assert!(entries.is_sorted_by(|a, b| a.path < b.path));
        prop_assert_eq!(lab.repo.list(run, None, true).unwrap().len(), entries.len());
        for entry in &entries {
            prop_assert!(manifest.entries_within(&entry.path).any(|e| e.unwrap() == *entry));
            let Some(id) = entry.file_id() else { continue };
            let on_disk = fs::read(lab.work().join(entry.path.as_path())).unwrap();
            let mut read = Vec::new();
            lab.repo.cat(run, entry, &mut read).unwrap();
            prop_assert_eq!(eart::id::FileId::of(&read), id);
            prop_assert!(read == on_disk);
        }
        // What could be a glob is one: such names take brackets around those characters.
        let plain = |e: &&eart::manifest::Entry| !e.path.as_bytes().iter().any(|b| b"*?[{".contains(b));
        if let Some(entry) = entries.iter().rev().find(plain) {
            let to = scratch();
            let options = CheckoutOptions {
                paths: vec![OsString::from_vec(entry.path.as_bytes().to_vec())],
                to: to.path().to_owned(),
                force: false,
            };
            lab.repo.checkout(run, &options, &eart::progress::Silent).unwrap();
            prop_assert!(fs::symlink_metadata(to.path().join(entry.path.as_path())).is_ok());
        }
    }

    /// E2E 4: content is stored once, added again it costs nothing, and what is stored is not
    /// larger than what came in, but for a bounded overhead.
    #[test]
    fn property_4_storage_efficiency(forest in forest(15), copies in 1..4usize) {
        let lab = Lab::new();
        plant(&lab.path("in"), &forest);
        let added = lab.add(&["in"]);
        let run = lab.commit();
        let packs = size(&lab, "packs");
        prop_assert_eq!(packs, added.new_bytes);
        let files = tree(&lab.path("in"));
        let distinct: BTreeMap<[u8; 32], u64> = files.values().filter_map(|t| match t {
            Thing::File { size, hash, .. } => Some((*hash.as_bytes(), *size)),
            _ => None,
        }).collect();
        let input: u64 = distinct.values().sum();
        let rows = distinct.len() as u64 + input / (64 << 10);
        prop_assert!(packs <= input + 200 + 60 * rows, "{packs} bytes for {input}");
        // The same content under other names, and the same folder again, read once more.
        for n in 0..copies {
            plant(&lab.path(format!("copy{n}")), &forest);
            prop_assert_eq!(lab.add(&[&format!("copy{n}")]).new_bytes, 0);
        }
        let other = lab.commit();
        prop_assert_eq!(size(&lab, "packs"), packs);
        prop_assert_eq!(tree(&lab.path("copy0")).len(), files.len());
        prop_assert!(lab.repo.run_ids().unwrap().contains(&run));
        prop_assert!(lab.repo.run_ids().unwrap().contains(&other));
    }

    /// E2E 5: what is said of a run is kept as it is; what cannot be kept is refused by name, and
    /// then nothing is stored.
    #[test]
    fn property_5_metadata_completeness_and_error_handling(
        message in prop_oneof![any::<String>(), "\\PC{0,40}", Just("m".repeat(70_000))],
        labels in prop::collection::btree_map(
            prop_oneof![6 => "[A-Za-z0-9._/-]{1,12}", 1 => "\\PC{0,6}", 1 => Just("k".repeat(129))],
            prop_oneof![6 => "\\PC{0,20}", 1 => Just("v".repeat(1025)), 1 => Just("a\0b".into())],
            0..4,
        ),
        name in prop_oneof![3 => "[A-Za-z0-9._-]{1,20}", 1 => "\\PC{0,10}", 1 => Just("latest".to_owned())],
        status in prop::option::of(prop::sample::select(Status::ALL.to_vec())),
    ) {
        let lab = Lab::new();
        put(&lab, "in/file", b"content");
        lab.add(&["in"]);
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let good_name = !name.is_empty() && name != "." && name != ".." && name != "latest" && name.chars().all(plain);
        let good_labels = labels.iter().all(|(key, value)| {
            !key.is_empty() && key.len() <= 128 && key.chars().all(|c| plain(c) || c == '/')
                && value.len() <= 1024 && !value.contains('\0')
        });
        let good_message = message.len() <= 64 * 1024 && !message.contains('\0');
        let options = CommitOptions {
            message: message.clone(), labels: labels.clone(), name: Some(name.clone()), status,
            project: Some("shop".into()), ..committing()
        };
        match lab.repo.commit(&options) {
            Ok(run) => {
                prop_assert!(good_name && good_labels && good_message, "{options:?}");
                let again = Repo::open(lab.repo.folder().clone(), &lab.work()).unwrap();
                for meta in [again.manifest(run.id).unwrap().meta(), &again.catalog().unwrap().get(&run.id).unwrap().meta] {
                    prop_assert_eq!(&meta.message, &message);
                    prop_assert_eq!(&meta.labels, &labels);
                    prop_assert_eq!(&meta.name, &name);
                    prop_assert_eq!(meta.status, status);
                    prop_assert_eq!(&meta.project, "shop");
                }
                prop_assert!(again.manifest(run.id).unwrap().verify().is_ok());
            }
            Err(e) => {
                prop_assert!(!(good_name && good_labels && good_message), "{e}: {options:?}");
                let text = e.to_string();
                let told = ["name", "label", "message"].iter().any(|what| text.contains(what));
                prop_assert!(told, "{text}");
                prop_assert!(lab.repo.run_ids().unwrap().is_empty());
                prop_assert!(lab.repo.folder().list("tmp").unwrap().is_empty());
                prop_assert_eq!(lab.repo.draft("default").unwrap().unwrap().entries().len(), 2);
            }
        }
    }

    /// Kargo 19: the policy decides as the plain words of the guide do.
    #[test]
    fn property_19_retention_policy(
        runs in prop::collection::vec((0..3u8, 0..3u8, 0..40u64), 1..12),
        tagged in prop::collection::btree_set(0..12usize, 0..3),
        pinned in prop::collection::btree_set(0..12usize, 0..3),
        newest in prop::option::of(1..5u64),
        within in prop::option::of(0..60u64),
        keep_label in prop::option::of(0..3u8),
        per in prop::sample::select(vec![vec![], vec!["suite"], vec!["branch"], vec!["suite", "branch"]]),
    ) {
        let store = STORES.with(|s| s.clone());
        let lab = &store;
        reset(lab);
        let mut now = start();
        let mut made = Vec::new();
        for (suite, branch, hours) in &runs {
            now = now.checked_add(SignedDuration::from_hours(*hours as i64)).unwrap();
            let repo = lab.repo.clone().with_clock(Clock::Fixed(now));
            let mut labels = BTreeMap::from([("suite".to_owned(), suite.to_string())]);
            if *branch > 0 {
                labels.insert("branch".into(), branch.to_string());
            }
            let options = CommitOptions { labels: labels.clone(), allow_empty: true, project: Some("p".into()), ..committing() };
            let run = repo.commit(&options).unwrap();
            made.push((run.id, run.meta.committed, labels));
        }
        let picked = |set: &BTreeSet<usize>| -> Vec<RunId> {
            set.iter().filter_map(|n| made.get(*n)).map(|(id, ..)| *id).collect()
        };
        let (tagged, pinned) = (picked(&tagged), picked(&pinned));
        for (n, run) in tagged.iter().enumerate() {
            lab.repo.set_tag(&format!("t{n}"), *run).unwrap();
        }
        for run in &pinned {
            lab.repo.pin(*run).unwrap();
        }
        let policy = Policy {
            newest,
            within: within.map(|hours| hours * 3600),
            labels: keep_label.map(|v| ("suite".into(), v.to_string())).into_iter().collect(),
            per: per.iter().map(|p| (*p).to_owned()).collect(),
            max_size: None,
        };
        // The model: newest first, one after another.
        made.sort_by_key(|(id, time, _)| (*time, *id));
        made.reverse();
        let mut seen: BTreeMap<Vec<Option<String>>, u64> = BTreeMap::new();
        let (mut stay, mut ruled) = (BTreeSet::new(), false);
        for (id, time, labels) in &made {
            let group = per.iter().map(|p| labels.get(*p).cloned()).collect();
            let rank = seen.entry(group).or_default();
            *rank += 1;
            let age = now.duration_since(*time).as_secs() as u64;
            let by_rule = newest.is_some_and(|n| *rank <= n)
                || within.is_some_and(|hours| age <= hours * 3600)
                || keep_label.is_some_and(|v| labels["suite"] == v.to_string());
            ruled |= by_rule;
            if tagged.contains(id) || pinned.contains(id) || by_rule {
                stay.insert(*id);
            }
        }
        let repo = lab.repo.clone().with_clock(Clock::Fixed(now));
        // No rules, or rules that keep nothing, remove nothing.
        let slip = !ruled && stay.len() < made.len();
        if (newest, within, keep_label) == (None, None, None) || slip {
            prop_assert!(gc_with(&repo, policy).is_err());
            prop_assert_eq!(lab.repo.run_ids().unwrap().len(), runs.len());
            return Ok(());
        }
        let collected = gc_with(&repo, policy).unwrap();
        let decided: BTreeSet<RunId> = collected.fates.iter().filter(|f| f.stays).map(|f| f.id).collect();
        prop_assert_eq!(&decided, &stay);
        prop_assert!(collected.fates.iter().all(|f| !f.reasons.is_empty()));
        let left: BTreeSet<RunId> = lab.repo.run_ids().unwrap().into_iter().collect();
        prop_assert_eq!(&left, &stay);
        // Each removal has its line.
        let log = String::from_utf8(lab.repo.folder().read("audit.log").unwrap_or_default()).unwrap();
        let gone: BTreeSet<String> = made.iter().map(|(id, ..)| *id).filter(|id| !stay.contains(id)).map(|id| id.to_hex()).collect();
        let logged: BTreeSet<String> = log.lines().map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["run"].as_str().unwrap().to_owned()
        }).collect();
        prop_assert_eq!(logged, gone);
    }

    /// Kargo 20: after gc every run that stays is whole, and of the others nothing is left.
    #[test]
    fn property_20_cleanup_leaves_whole_directories(
        runs in prop::collection::vec(prop::collection::btree_map("[a-d]", content(), 1..4), 2..6),
        keep in 1..5u64,
    ) {
        let lab = Lab::new();
        let mut made = Vec::new();
        for files in &runs {
            drop(fs::remove_dir_all(lab.path("run")));
            for (name, content) in files {
                put(&lab, &format!("run/{name}"), &content.bytes());
            }
            lab.add(&["run"]);
            made.push((lab.commit(), below(&tree(&lab.work()), "run")));
        }
        let collected = gc(&lab.repo, keep).unwrap();
        let gone = made.len().saturating_sub(keep as usize);
        for (run, _) in made.drain(..gone) {
            prop_assert!(lab.repo.manifest(run).is_err());
            prop_assert!(!lab.repo.run_ids().unwrap().contains(&run));
        }
        let mut needed = BTreeSet::new();
        for (run, tree) in &made {
            assert_same(&lab.checkout(*run), tree, "a run that stays");
            for thing in tree.values() {
                if let Thing::File { hash, size, .. } = thing && *size <= 64 << 10 && *size > 0 {
                    needed.insert(*hash.as_bytes());
                }
            }
        }
        prop_assert!(fsck(&lab.repo).unwrap().is_clean());
        prop_assert_eq!(collected.stored, size(&lab, "packs") + size(&lab, "runs"));
        // A second look finds nothing to do.
        let again = gc(&lab.repo, keep).unwrap();
        prop_assert_eq!((again.packs_deleted, again.freed), (0, 0), "{:?}", again);
        // Small files that nobody needs are gone, but for the waste that gc puts up with.
        let index = lab.repo.store().index_of_footers().unwrap();
        let waste = index.chunks().filter(|(id, _)| !needed.contains(id.as_bytes())).count();
        prop_assert!(waste <= index.chunks().count());
        for id in &needed {
            prop_assert!(index.contains(&eart::id::ChunkId::from_bytes(*id)));
        }
    }

    /// Kargo 21: where gc cannot know what is needed, it says so and deletes nothing that is.
    #[test]
    fn property_21_cleanup_errors_handled(
        at in any::<prop::sample::Index>(),
        which in any::<prop::sample::Index>(),
        byte in any::<prop::sample::Index>(),
        kind in 0..4u8,
    ) {
        let lab = Lab::new();
        let mut made = Vec::new();
        for n in 0..4u64 {
            put(&lab, "run/shared", &noise(9, 3000));
            put(&lab, "run/own", &noise(n, 20_000));
            put(&lab, &format!("run/since{n}"), &noise(100 + n, 5000));
            lab.add(&["run"]);
            made.push((lab.commit(), below(&tree(&lab.work()), "run")));
        }
        put(&lab, "open/file", b"staged");
        lab.add(&["open"]);
        let dir = ["runs", "packs", "drafts/default", "runs"][kind as usize];
        let names = lab.repo.folder().list(dir).unwrap();
        let victim = lab.stored(dir).join(&names[which.index(names.len())]);
        let mut bytes = fs::read(&victim).unwrap();
        let place = byte.index(bytes.len());
        match at.index(3) {
            0 => bytes.truncate(place),
            1 => bytes[place] ^= 0x40,
            _ => bytes.clear(),
        }
        fs::write(&victim, &bytes).unwrap();
        let before = lab.beside("before");
        copy_dir(&lab.stored(""), &before);
        let readable = |repo: &Repo| -> BTreeSet<(RunId, OsString)> {
            made.iter().flat_map(|(run, expected)| {
                let to = scratch();
                drop(checkout(repo, *run, to.path()));
                let files: Vec<_> = tree(to.path()).into_iter()
                    .filter(|(_, thing)| !matches!(thing, Thing::Dir { .. })).collect();
                for (path, thing) in &files {
                    assert_eq!(expected.get(path), Some(thing));
                }
                files.into_iter().map(|(path, _)| (*run, path))
            }).collect()
        };
        let could = readable(&lab.repo);
        let keep = 2;
        let outcome = gc(&lab.repo, keep);
        let can = readable(&lab.repo);
        let there: BTreeSet<RunId> = lab.repo.run_ids().unwrap().into_iter().collect();
        for file in &could {
            // Whatever stays can be read as before.
            prop_assert!(can.contains(file) || !there.contains(&file.0), "{outcome:?} lost {file:?}");
        }
        for (run, _) in &made[2..] {
            prop_assert!(there.contains(run));
        }
        if let Err(e) = outcome {
            prop_assert!(e.hint().is_some(), "{e}");
        }
        // Mended, it goes on, and loses nothing more.
        repair(&lab.repo).unwrap();
        gc(&lab.repo, keep).unwrap();
        let still = readable(&lab.repo);
        let there: BTreeSet<RunId> = lab.repo.run_ids().unwrap().into_iter().collect();
        for file in &can {
            prop_assert!(still.contains(file) || !there.contains(&file.0), "lost {file:?}");
        }
    }

    /// Kargo 23: whatever is done in whatever order, the store holds what a model in memory says.
    #[test]
    fn property_23_storage_consistent(steps in prop::collection::vec(step(), 1..40)) {
        let lab = Lab::new();
        let mut model = Model::default();
        for step in &steps {
            model.take(&lab, step);
        }
        model.check(&lab);
    }
}

/// Something to do with a store.
#[derive(Debug, Clone)]
enum Step {
    /// Write a file of one of the folders.
    Write(u8, u8, Content),
    /// Remove a file.
    Delete(u8, u8),
    /// Add a folder.
    Add(u8),
    Commit,
    /// Tag the run of this age.
    Tag(u8, u8),
    Untag(u8),
    Remove(u8),
    Gc(u8),
    Repair,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..2u8, 0..3u8, content()).prop_map(|(d, f, c)| Step::Write(d, f, c)),
        1 => (0..2u8, 0..3u8).prop_map(|(d, f)| Step::Delete(d, f)),
        4 => (0..2u8).prop_map(Step::Add),
        4 => Just(Step::Commit),
        1 => (0..3u8, 0..4u8).prop_map(|(t, r)| Step::Tag(t, r)),
        1 => (0..3u8).prop_map(Step::Untag),
        1 => (0..4u8).prop_map(Step::Remove),
        2 => (1..4u8).prop_map(Step::Gc),
        1 => Just(Step::Repair),
    ]
}

/// What should be in a store.
#[derive(Debug, Default)]
struct Model {
    staged: BTreeMap<OsString, Thing>,
    draft: bool,
    /// Oldest first.
    runs: Vec<(RunId, Tree)>,
    tags: BTreeMap<u8, RunId>,
}

impl Model {
    fn aged(&self, age: u8) -> Option<RunId> {
        self.runs.iter().rev().nth(age.into()).map(|(id, _)| *id)
    }

    fn take(&mut self, lab: &Lab, step: &Step) {
        match step {
            Step::Write(dir, file, content) => {
                put(lab, &format!("d{dir}/f{file}"), &content.bytes())
            }
            Step::Delete(dir, file) => drop(fs::remove_file(lab.path(format!("d{dir}/f{file}")))),
            Step::Add(dir) => {
                let name = format!("d{dir}");
                let (added, problems) = add(&lab.repo, &[&name]);
                assert_eq!(added.is_ok(), lab.path(&name).is_dir());
                assert_eq!(problems.is_empty(), added.is_ok());
                if added.is_ok() {
                    self.draft = true;
                    self.staged.retain(|path, _| !Path::new(path).starts_with(&name));
                    self.staged.extend(below(&tree(&lab.work()), &name));
                }
            }
            Step::Commit => match commit(&lab.repo) {
                Ok(run) => {
                    assert!(self.draft && !self.staged.is_empty());
                    self.runs.push((run.id, std::mem::take(&mut self.staged)));
                    self.draft = false;
                }
                Err(e) => assert!(self.staged.is_empty(), "{e}"),
            },
            Step::Tag(tag, age) => {
                if let Some(run) = self.aged(*age) {
                    assert_eq!(
                        lab.repo.set_tag(&format!("t{tag}"), run).unwrap(),
                        self.tags.insert(*tag, run)
                    );
                }
            }
            Step::Untag(tag) => {
                assert_eq!(
                    lab.repo.remove_tag(&format!("t{tag}")).ok(),
                    self.tags.remove(tag).map(Some)
                );
            }
            Step::Remove(age) => {
                if let Some(run) = self.aged(*age) {
                    let removed = lab.repo.rm(&[run.to_hex()], "test", false);
                    let tagged = self.tags.values().any(|id| *id == run);
                    assert_eq!(removed.is_err(), tagged);
                    self.runs.retain(|(id, _)| *id != run || tagged);
                }
            }
            Step::Gc(keep) => {
                gc(&lab.repo, (*keep).into()).unwrap();
                let cut = self.runs.len().saturating_sub((*keep).into());
                let mut at = 0;
                self.runs.retain(|(id, _)| {
                    at += 1;
                    at > cut || self.tags.values().any(|run| run == id)
                });
            }
            Step::Repair => assert!(repair(&lab.repo).unwrap().is_clean()),
        }
    }

    fn check(&self, lab: &Lab) {
        assert!(fsck(&lab.repo).unwrap().is_clean());
        let catalog = lab.repo.catalog().unwrap();
        let listed: Vec<RunId> = {
            let mut ids: Vec<RunId> = catalog.records().map(|r| r.id).collect();
            ids.reverse();
            ids
        };
        assert_eq!(listed, self.runs.iter().map(|(id, _)| *id).collect::<Vec<_>>());
        for (run, expected) in &self.runs {
            assert_same(&lab.checkout(*run), expected, "a run of the model");
        }
        let tags: BTreeMap<String, RunId> =
            self.tags.iter().map(|(t, r)| (format!("t{t}"), *r)).collect();
        assert_eq!(lab.repo.refs().unwrap().tags, tags);
        let draft = lab.repo.draft("default").unwrap();
        let staged: Vec<OsString> = draft
            .iter()
            .flat_map(|d| d.entries())
            .map(|e| OsString::from_vec(e.path.as_bytes().to_vec()))
            .collect();
        assert_eq!(staged, self.staged.keys().cloned().collect::<Vec<_>>());
    }
}

thread_local! {
    /// One store for many cases that need no files.
    static STORES: std::rc::Rc<Lab> = std::rc::Rc::new(Lab::new());
}

/// Takes every run, tag and pin out of a store.
fn reset(lab: &Lab) {
    for dir in ["runs", "catalog", "refs/tags", "refs/pins"] {
        for name in lab.repo.folder().list(dir).unwrap() {
            if name != "lock" {
                fs::remove_file(lab.stored(dir).join(name)).unwrap();
            }
        }
    }
    drop(fs::remove_file(lab.stored("audit.log")));
}

fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// Bytes of the files in a folder of a store.
fn size(lab: &Lab, dir: &str) -> u64 {
    let names = lab.repo.folder().list(dir).unwrap();
    names.iter().map(|n| fs::metadata(lab.stored(dir).join(n)).unwrap().len()).sum()
}
