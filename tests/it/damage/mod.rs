//! The damage matrix: every kind of file of a store, damaged in every way. No command panics, gives
//! wrong bytes or deletes what is needed; fsck names what is damaged and lost; what was whole stays.

mod chunks;
mod names;
mod others;
mod runs;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use eart::disk::Folder;
use eart::id::RunId;
use eart::progress::Silent;
use eart::repo::{Checked, FsckOptions, Repo, Selection};

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
