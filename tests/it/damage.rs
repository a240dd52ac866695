//! The damage matrix: every kind of file of a store, damaged in every way. No command panics, gives
//! wrong bytes or deletes what is needed; fsck names what is damaged and lost; what was whole stays.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use eart::disk::Folder;
use eart::id::RunId;
use eart::progress::Silent;
use eart::repo::{Checked, FsckOptions, Init, Repo, Selection};

use crate::lab::{
    Lab, Tree, add, add_with, adding, assert_same, checkout, commit, copy_dir, fsck, gc, noise,
    repair, tree,
};

/// Files of runs, by run and path.
type Files = BTreeSet<(RunId, OsString)>;

/// A store with something of everything, and its copy to damage.
struct Site {
    lab: Lab,
    whole: PathBuf,
    /// What the runs hold.
    runs: BTreeMap<RunId, Tree>,
    /// One file each in a pack of its own that the index segment covers.
    many: RunId,
    /// Large files, text, links and an archive in one pack that no segment covers.
    mixed: RunId,
    /// One file; tagged.
    small: RunId,
}

#[derive(Debug, Clone)]
enum Harm {
    Remove,
    Empty,
    Cut(usize),
    Flip(usize),
    Swap(PathBuf),
}

impl Site {
    fn new() -> Self {
        let lab = Lab::new();
        for n in 0..18 {
            lab.write(format!("many/{n:02}.txt"), format!("file {n}\n").repeat(20));
        }
        lab.write("mixed/page.html", "<p>text that shrinks</p>\n".repeat(4000));
        lab.write("mixed/video.webm", noise(1, 900_000));
        lab.write("mixed/shot.png", noise(2, 30_000));
        lab.write("mixed/trace.zip", archive());
        lab.write("mixed/empty", "");
        std::os::unix::fs::symlink("nowhere", lab.path("mixed/link")).unwrap();
        lab.write("small/only.txt", "small");
        lab.write("open/staged.txt", "staged");
        // Old enough that their times tell them.
        std::thread::sleep(Duration::from_millis(70));
        for n in 0..18 {
            lab.add(&[&format!("many/{n:02}.txt")]);
        }
        let many = lab.commit();
        lab.add(&["mixed"]);
        let mixed = lab.commit();
        lab.add(&["small"]);
        let small = lab.commit();
        for draft in ["open", "spare"] {
            let mut options = adding(&lab.repo, &["open"]);
            options.draft = draft.into();
            add_with(&lab.repo, options).0.unwrap();
        }
        lab.repo.set_tag("release", small).unwrap();
        lab.repo.set_tag("other", many).unwrap();
        lab.repo.pin(mixed).unwrap();
        lab.repo.folder().write("config.toml", b"# nothing\n").unwrap();
        lab.repo.folder().append("audit.log", b"{}\n").unwrap();
        gc(&lab.repo, 10).unwrap();
        let whole = lab.beside("whole");
        copy_dir(&lab.stored(""), &whole);
        let runs = [many, mixed, small].map(|run| (run, lab.checkout(run))).into();
        Self { lab, whole, runs, many, mixed, small }
    }

    /// The store as it was, then harmed.
    fn harmed(&self, harms: &[(&Path, &Harm)]) -> Repo {
        fs::remove_dir_all(self.lab.stored("")).unwrap();
        copy_dir(&self.whole, &self.lab.stored(""));
        for (file, harm) in harms {
            let path = self.lab.stored(file);
            let mut bytes = fs::read(&path).unwrap();
            match harm {
                Harm::Remove => {
                    fs::remove_file(&path).unwrap();
                    continue;
                }
                Harm::Empty => bytes.clear(),
                Harm::Cut(len) => bytes.truncate(*len),
                Harm::Flip(at) => bytes[*at] ^= 0x10,
                Harm::Swap(other) => {
                    bytes = fs::read(self.lab.stored(other)).unwrap();
                    fs::copy(&path, self.lab.stored(other)).unwrap();
                }
            }
            fs::write(&path, bytes).unwrap();
        }
        self.lab.repo.clone()
    }

    /// The names of the files in a folder of the store.
    fn files(&self, dir: &str, end: &str) -> Vec<PathBuf> {
        let names = Folder::new(&self.whole).list(dir).unwrap();
        names.iter().filter(|n| n.ends_with(end)).map(|n| Path::new(dir).join(n)).collect()
    }

    fn len(&self, file: &Path) -> usize {
        fs::metadata(self.whole.join(file)).unwrap().len() as usize
    }

    /// The pack that holds a run's first file of this name.
    fn pack_of(&self, run: RunId, name: &str) -> PathBuf {
        let entries =
            Selection::new(&[name]).unwrap().entries(&self.lab.repo.manifest(run).unwrap());
        let id = entries.unwrap()[0].file_id().unwrap();
        let chunks = self.lab.repo.manifest(run).unwrap().chunk_list(id).unwrap();
        let chunk = chunks.map_or(id.into(), |list| list[0].id);
        let index = self.lab.repo.store().index().unwrap();
        eart::store::pack_name(index.find(&chunk).unwrap().pack).into()
    }

    /// Which files of the runs can be had. Fails if any comes back as something else.
    fn readable(&self, repo: &Repo) -> Files {
        let mut readable = Files::new();
        for (run, expected) in &self.runs {
            let to = self.lab.beside("to");
            let (_, problems) = checkout(repo, *run, &to);
            for (path, thing) in if to.is_dir() { tree(&to) } else { Tree::new() } {
                let right = expected.get(&path) == Some(&thing);
                // The times of a folder say that something in it could not be written.
                let dir = matches!(thing, crate::lab::Thing::Dir { .. });
                assert!(right || dir, "{run}: {path:?} is {thing:?}, {problems:?}");
                if right && !dir {
                    readable.insert((*run, path));
                }
            }
            drop(fs::remove_dir_all(&to));
        }
        readable
    }

    /// Every file and link of every run.
    fn everything(&self) -> Files {
        let mut all = Files::new();
        for (run, tree) in &self.runs {
            let files = tree.iter().filter(|(_, t)| !matches!(t, crate::lab::Thing::Dir { .. }));
            all.extend(files.map(|(path, _)| (*run, path.clone())));
        }
        all
    }

    /// Puts one store through everything, and returns which files it still had, what fsck said, and
    /// what repair said.
    fn trial(&self, harms: &[(&Path, &Harm)]) -> (Files, Checked, Checked) {
        let what = format!("{harms:?}");
        let repo = self.harmed(harms);
        let readable = self.readable(&repo);
        drop(repo.catalog().unwrap());
        drop(repo.fsck(FsckOptions::default(), &Silent).unwrap());
        let checked = fsck(&repo).unwrap();

        // fsck and checkout agree on what is lost.
        let lost: BTreeSet<(Option<RunId>, String)> =
            checked.lost.iter().map(|l| (l.run, l.path.clone())).collect();
        for (run, path) in self.everything() {
            let named = lost.contains(&(Some(run), path.to_str().unwrap().to_owned()));
            let file = format!("runs/{run}.redb");
            let whole_run = repo.run_ids().unwrap().contains(&run)
                && !checked.findings.iter().any(|f| f.what == file);
            let there = readable.contains(&(run, path.clone()));
            assert_eq!(whole_run && !named, there, "{what}: {path:?} of {run}, {checked:?}");
        }

        // Whatever gc makes of it, it deletes nothing that is needed.
        let collected = gc(&repo, 10);
        let left = self.readable(&repo);
        assert!(left.is_superset(&readable), "{what}: gc {collected:?} lost {readable:?} {left:?}");

        // Adding and committing either works or says no.
        let repo = self.harmed(harms);
        if let (Ok(_), problems) = add(&repo, &["mixed"]) {
            assert_eq!(problems, [], "{what}");
            if let Ok(run) = commit(&repo) {
                assert!(repo.run_ids().unwrap().contains(&run.id));
            }
        }
        drop(gc(&repo, 10));
        let left = self.readable(&repo);
        assert!(left.is_superset(&readable), "{what}: lost after add {readable:?} {left:?}");

        // Repair keeps what is whole, and leaves nothing that is wrong.
        let repo = self.harmed(harms);
        let mended = repair(&repo).unwrap();
        let dangling = |f: &eart::repo::Finding| f.what.starts_with("refs/");
        let unmended = mended.findings.iter().filter(|f| f.repaired.is_none());
        for finding in unmended {
            assert!(dangling(finding) && finding.reason.contains("not there"), "{mended:?}");
        }
        // Exit 0 only when nothing is lost.
        if mended.is_mended() {
            assert_eq!(repo.run_ids().unwrap().len(), self.runs.len(), "{what}: {mended:?}");
        }
        let left = self.readable(&repo);
        assert!(left.is_superset(&readable), "{what}: repair lost {readable:?} {left:?}");
        let again = fsck(&repo).unwrap();
        assert!(again.findings.iter().all(dangling), "{what}: {again:?}");
        let there = repo.run_ids().unwrap();
        let held = |l: &&eart::repo::Lost| l.run.is_none_or(|run| there.contains(&run));
        let lost: Vec<_> = mended.lost.iter().filter(held).cloned().collect();
        assert_eq!(again.lost, lost, "{what}");
        // The user gives up what was tagged and is gone.
        for finding in &again.findings {
            assert!(gc(&repo, 10).is_err(), "{what}");
            fs::remove_file(self.lab.stored(&finding.what)).unwrap();
        }

        // What was lost comes back with the files.
        for draft in ["open", "spare"] {
            drop(repo.drop_draft(draft));
        }
        let (added, problems) = add(&repo, &["many", "mixed", "small"]);
        added.unwrap();
        assert_eq!(problems, [], "{what}");
        let fresh = commit(&repo).unwrap().id;
        gc(&repo, 10).unwrap_or_else(|e| panic!("{what}: {e}"));
        let mut expected = Tree::new();
        for (path, thing) in tree(&self.lab.work()) {
            if !path.to_str().unwrap().starts_with("open") {
                expected.insert(path, thing);
            }
        }
        assert_same(&self.lab.checkout(fresh), &expected, &what);
        let left = self.readable(&repo);
        assert!(left.is_superset(&readable), "{what}: lost after repair and gc");
        (readable, checked, mended)
    }

    /// The ways to harm one file.
    fn harms(&self, file: &Path, swap: Option<&Path>) -> Vec<Harm> {
        let len = self.len(file);
        let mut harms = vec![Harm::Remove, Harm::Empty, Harm::Cut(len / 2), Harm::Cut(len - 1)];
        harms.extend([0, 9, 20, len / 4, len / 2, len / 4 * 3, len - 1].map(Harm::Flip));
        harms.extend(swap.map(|other| Harm::Swap(other.to_owned())));
        harms.retain(|h| !matches!(h, Harm::Flip(at) if *at >= len));
        harms
    }
}

/// A small archive, deflated as far as zip's own crate does it.
fn archive() -> Vec<u8> {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for n in 0..3 {
        zip.start_file(format!("{n}.css"), zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all("a { color: red }\n".repeat(9000 + n).as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn names(checked: &Checked, file: &Path) -> bool {
    checked.findings.iter().any(|f| Path::new(&f.what) == file)
}

#[test]
fn packs() {
    let site = Site::new();
    let (indexed, loose) =
        (site.pack_of(site.many, "many/03.txt"), site.pack_of(site.mixed, "mixed/video.webm"));
    for (pack, other, holds) in [(&indexed, &loose, "many/03.txt"), (&loose, &indexed, "mixed/")] {
        for harm in site.harms(pack, Some(other)) {
            let (readable, checked, _) = site.trial(&[(pack, &harm)]);
            if !matches!(harm, Harm::Remove) {
                assert!(names(&checked, pack), "{harm:?} {checked:?}");
            }
            for (_, path) in site.everything().difference(&readable) {
                let path = path.to_str().unwrap();
                let swapped = matches!(harm, Harm::Swap(_));
                assert!(path.starts_with(holds) || swapped, "{harm:?} lost {path}");
            }
        }
    }
}

#[test]
fn a_pack_gives_back_its_chunks_when_only_its_ends_are_damaged() {
    let site = Site::new();
    let (indexed, loose) =
        (site.pack_of(site.many, "many/03.txt"), site.pack_of(site.mixed, "mixed/video.webm"));
    for pack in [&indexed, &loose] {
        let len = site.len(pack);
        let header = [0, 8, 17, 31];
        // In the trailer: magic, checksum, reserved bytes.
        let trailer = [len - 1, len - 8, len - 20, len - 46];
        for at in header.into_iter().chain(trailer) {
            site.trial(&[(pack, &Harm::Flip(at))]);
            let all = site.readable(&site.lab.repo);
            assert_eq!(all, site.everything(), "byte {at} of {len}");
        }
        // In the tables a row may be beyond reading, but not all of them.
        for at in [len - 57, len - 80, len - 100] {
            site.harmed(&[(pack, &Harm::Flip(at))]);
            let mended = repair(&site.lab.repo).unwrap();
            assert!(mended.lost.len() <= 1, "byte {at}: {mended:?}");
        }
        // Without its trailer, the tables are found by what runs need.
        for cut in [1, 10, 56] {
            for segments in [true, false] {
                site.harmed(&[(pack, &Harm::Cut(len - cut))]);
                if !segments {
                    fs::remove_dir_all(site.lab.stored("index")).unwrap();
                }
                assert_eq!(repair(&site.lab.repo).unwrap().lost, [], "cut {cut}");
                assert_eq!(site.readable(&site.lab.repo), site.everything(), "cut {cut}");
            }
        }
        if pack == &loose {
            // One row is cut off, and only what it tells is lost.
            site.harmed(&[(pack, &Harm::Cut(len - 100))]);
            assert_eq!(repair(&site.lab.repo).unwrap().lost_files, 1);
        }
        // Cut within the trailer or the footer: the index still knows the indexed pack.
        if pack == &indexed {
            site.harmed(&[(pack, &Harm::Cut(len - 60))]);
            assert_eq!(repair(&site.lab.repo).unwrap().lost, []);
        }
    }
}

#[test]
fn index_segments() {
    let site = Site::new();
    let segments = site.files("index", ".idx");
    assert!(!segments.is_empty());
    let len = site.len(&segments[0]);
    let mut harms = site.harms(&segments[0], None);
    // Rows of packs, frames, the fan-out and chunks.
    harms.extend((64..len).step_by(len / 24).map(Harm::Flip));
    for harm in harms {
        let (_, checked, mended) = site.trial(&[(&segments[0], &harm)]);
        if !matches!(harm, Harm::Remove) {
            assert!(names(&checked, &segments[0]), "{harm:?} {checked:?}");
        }
        assert_eq!(mended.lost, [], "{harm:?}");
        assert_eq!(site.readable(&site.lab.repo), site.everything(), "{harm:?}");
    }
}

#[test]
fn run_manifests() {
    let site = Site::new();
    let file = |run: RunId| PathBuf::from(format!("runs/{run}.redb"));
    let (mixed, small) = (file(site.mixed), file(site.small));
    let len = site.len(&mixed);
    let mut harms = site.harms(&mixed, Some(&small));
    harms.extend((0..len).step_by(len / 20).map(Harm::Flip));
    for harm in harms {
        let (readable, checked, mended) = site.trial(&[(&mixed, &harm)]);
        assert!(names(&checked, &mixed), "{harm:?} {checked:?}");
        assert!(checked.lost.iter().any(|l| l.path == "mixed/shot.png"), "{checked:?}");
        assert!(!mended.is_mended(), "{harm:?} {mended:?}");
        for (run, path) in site.everything().difference(&readable) {
            let swapped = matches!(harm, Harm::Swap(_)) && *run == site.small;
            assert!(*run == site.mixed || swapped, "{harm:?} lost {path:?}");
        }
    }
}

#[test]
fn catalog_segments() {
    let site = Site::new();
    let segments = site.files("catalog", ".cat");
    for harm in site.harms(&segments[0], Some(&segments[1])) {
        let (readable, checked, _) = site.trial(&[(&segments[0], &harm)]);
        assert_eq!(readable, site.everything(), "{harm:?}");
        if !matches!(harm, Harm::Remove | Harm::Swap(_)) {
            assert!(names(&checked, &segments[0]), "{harm:?} {checked:?}");
        }
        let repo = site.harmed(&[(&segments[0], &harm)]);
        let catalog = repo.catalog().unwrap();
        let listed: BTreeSet<RunId> = catalog.records().map(|r| r.id).collect();
        assert_eq!(listed, site.runs.keys().copied().collect(), "{harm:?}");
    }
}

#[test]
fn drafts_and_what_is_remembered_of_them() {
    let site = Site::new();
    let (open, spare) = (Path::new("drafts/open/draft"), Path::new("drafts/spare/draft"));
    for harm in site.harms(open, Some(spare)) {
        let (readable, checked, _) = site.trial(&[(open, &harm)]);
        assert_eq!(readable, site.everything(), "{harm:?}");
        if !matches!(harm, Harm::Remove | Harm::Swap(_)) {
            assert!(names(&checked, open), "{harm:?} {checked:?}");
            // A draft that nobody can read may need anything.
            let repo = site.harmed(&[(open, &harm)]);
            let error = gc(&repo, 10).unwrap_err();
            assert!(error.to_string().contains("\"open\""), "{error}");
            assert!(error.hint().unwrap().contains("eart draft drop open"));
            repo.drop_draft("open").unwrap();
            gc(&repo, 10).unwrap();
        }
    }
    let last = Path::new("drafts/default/last");
    for harm in site.harms(last, None) {
        let (readable, checked, _) = site.trial(&[(last, &harm)]);
        assert_eq!(readable, site.everything(), "{harm:?}");
        assert_eq!(names(&checked, last), !matches!(harm, Harm::Remove), "{harm:?}");
    }
}

#[test]
fn tags_and_pins() {
    let site = Site::new();
    let (tag, other) = (Path::new("refs/tags/release"), Path::new("refs/tags/other"));
    for harm in site.harms(tag, Some(other)) {
        let (readable, checked, _) = site.trial(&[(tag, &harm)]);
        assert_eq!(readable, site.everything(), "{harm:?}");
        // The last byte is the line's end.
        let newline = matches!(harm, Harm::Cut(at) | Harm::Flip(at) if at == site.len(tag) - 1);
        if !newline && !matches!(harm, Harm::Remove | Harm::Swap(_)) {
            assert!(names(&checked, tag), "{harm:?} {checked:?}");
        }
    }
    let pin = site.files("refs/pins", "").remove(0);
    site.trial(&[(&pin, &Harm::Remove)]);
    // A pin is its name; what is in it does not matter, and what is no name is named.
    let repo = site.harmed(&[]);
    fs::write(site.lab.stored("refs/pins/nonsense"), "").unwrap();
    let checked = repo.fsck(FsckOptions::default(), &Silent).unwrap();
    assert_eq!(checked.findings[0].what, "refs/pins/nonsense");
    assert!(repair(&repo).unwrap().is_mended());
    assert!(fsck(&repo).unwrap().is_clean());
}

#[test]
fn locks_log_and_configuration_hold_nothing_that_runs_need() {
    let site = Site::new();
    let locks = ["gate", "lock", "gc.lock", "drafts/lock", "refs/lock", "catalog/lock"];
    for file in locks.into_iter().chain(["index/lock"]) {
        let file = Path::new(file);
        let (readable, checked, _) = site.trial(&[(file, &Harm::Remove)]);
        assert_eq!(readable, site.everything(), "{file:?}");
        assert!(checked.is_clean(), "{checked:?}");
        let repo = site.harmed(&[]);
        fs::write(site.lab.stored(file), noise(3, 100)).unwrap();
        assert_eq!(site.readable(&repo), site.everything());
        gc(&repo, 10).unwrap();
    }
    for file in ["audit.log", "config.toml"] {
        let file = Path::new(file);
        for harm in site.harms(file, None) {
            let (readable, ..) = site.trial(&[(file, &harm)]);
            assert_eq!(readable, site.everything(), "{harm:?}");
        }
    }
}

#[test]
fn a_damaged_log_of_removals_keeps_its_lines_apart() {
    let site = Site::new();
    let log = Path::new("audit.log");
    let repo = site.harmed(&[(log, &Harm::Cut(site.len(log) - 1))]);
    repo.rm(&[site.many.to_hex()], "test", true).unwrap();
    let text = String::from_utf8(repo.folder().read(log).unwrap()).unwrap();
    let lines: Vec<&str> = text.lines().filter(|l| l.contains(&site.many.to_hex())).collect();
    assert_eq!(lines.len(), 1);
    assert!(lines.iter().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}

#[test]
fn the_stores_description() {
    let site = Site::new();
    let file = Path::new("format.json");
    for harm in site.harms(file, None) {
        site.harmed(&[(file, &harm)]);
        let folder = Folder::new(site.lab.stored(""));
        match Repo::open(folder.clone(), &site.lab.work()) {
            Ok(repo) => assert_eq!(site.readable(&repo), site.everything(), "{harm:?}"),
            Err(e) => assert!(e.hint().is_some(), "{harm:?}: {e}"),
        }
        // Where it is gone nothing is made on top, and what the hint says mends it.
        if matches!(harm, Harm::Remove) {
            let error = Repo::init(folder.clone(), &site.lab.work()).unwrap_err();
            assert!(error.to_string().contains("without its format.json"), "{error}");
            let hint = error.hint().unwrap();
            folder.write(file, &hint.as_bytes()[hint.find('{').unwrap()..]).unwrap();
            let (repo, init) = Repo::init(folder, &site.lab.work()).unwrap();
            assert_eq!(init, Init::Existed);
            assert_eq!(site.readable(&repo), site.everything());
        }
    }
}

#[test]
fn one_damaged_file_does_not_hide_another() {
    let site = Site::new();
    let pack = site.pack_of(site.many, "many/03.txt");
    let second = site.pack_of(site.many, "many/04.txt");
    let run = PathBuf::from(format!("runs/{}.redb", site.mixed));
    let (tag, draft) = (Path::new("refs/tags/release"), Path::new("drafts/open/draft"));
    let (index, catalog) = (site.files("index", ".idx"), site.files("catalog", ".cat"));
    let last = Path::new("drafts/default/last");
    let files = [&*pack, &*second, &*run, tag, draft, &*index[0], &*catalog[0], last];
    for harm in [Harm::Empty, Harm::Cut(40), Harm::Flip(30)] {
        let harms: Vec<_> = files.iter().map(|file| (*file, &harm)).collect();
        let (readable, checked, mended) = site.trial(&harms);
        for file in files {
            assert!(names(&checked, file), "{harm:?} {file:?} {checked:?}");
            assert!(names(&mended, file), "{harm:?} {file:?} {mended:?}");
        }
        assert!(readable.contains(&(site.small, "small/only.txt".into())));
        assert!(readable.contains(&(site.many, "many/05.txt".into())));
    }
}
