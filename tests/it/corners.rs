//! The corners that must be right: odd files, odd names, odd moments.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use eart::id::{ChunkId, FileId};
use eart::manifest::Node;
use eart::path::RelPath;
use eart::repo::{Clock, Repo};
use rustix::fs::{Mode, OFlags, mkdirat, openat, symlinkat};

use crate::lab::{
    Lab, Tree, add, add_with, adding, assert_same, checkout, commit, fsck, gc, noise, tree,
};

fn paths(lab: &Lab) -> Vec<String> {
    let draft = lab.repo.draft("default").unwrap().unwrap();
    draft.entries().iter().map(|e| e.path.to_string()).collect()
}

/// Adds, commits and checks out everything, and compares.
#[track_caller]
fn round_trip(lab: &Lab) {
    lab.add(&["."]);
    let run = lab.commit();
    assert_same(&lab.checkout(run), &tree(&lab.work()), "round trip");
    assert!(fsck(&lab.repo).unwrap().is_clean());
}

#[test]
fn links_dangling_looping_and_to_folders() {
    let lab = Lab::new();
    lab.write("dir/file", "content");
    for (to, name) in [
        ("nowhere", "dangling"),
        ("loop", "loop"),
        ("b", "a"),
        ("a", "b"),
        ("dir", "to-dir"),
        ("/etc/passwd", "outside"),
        ("..", "dir/up"),
        ("a\nb\u{1b}", "odd"),
    ] {
        symlink(to, lab.path(name)).unwrap();
    }
    symlink(OsStr::from_bytes(&[0xff; 4000]), lab.path("long")).unwrap();
    round_trip(&lab);
    // A link that is named is taken as a link; below one nothing is taken.
    lab.repo.drop_draft("default").unwrap_err();
    lab.add(&["to-dir"]);
    assert_eq!(paths(&lab), ["to-dir"]);
    let draft = lab.repo.draft("default").unwrap().unwrap();
    assert!(matches!(draft.entries()[0].node, Node::Symlink { .. }));
}

#[test]
fn empty_files_and_folders() {
    let lab = Lab::new();
    lab.write("empty", "");
    lab.write("dir/empty", "");
    fs::create_dir_all(lab.path("deep/er/est")).unwrap();
    fs::set_permissions(lab.path("deep/er"), fs::Permissions::from_mode(0o500)).unwrap();
    round_trip(&lab);
}

#[test]
fn names_that_are_no_text() {
    let lab = Lab::new();
    for name in
        [&b"\xff\xfe"[..], b"a\nb", b"\x1b[2J", b" ", b"*", b"-rf", b"a\\b", b"%s", b"\xc3\x28"]
    {
        lab.write(OsStr::from_bytes(name), name);
    }
    for byte in (1..=255u8).filter(|b| *b != b'/' && *b != b'.') {
        lab.write(Path::new("bytes").join(OsStr::from_bytes(&[byte])), [byte]);
    }
    round_trip(&lab);
}

#[test]
fn paths_longer_than_the_system_takes_at_once() {
    let lab = Lab::new();
    let name = "n".repeat(255);
    // Made one below the other, as no call takes so long a path.
    let open = |dir: &OwnedFd, name: &str| {
        openat(dir, name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap()
    };
    let mut dir = OwnedFd::from(fs::File::open(lab.work()).unwrap());
    for _ in 0..20 {
        mkdirat(&dir, &*name, Mode::from_raw_mode(0o755)).unwrap();
        dir = open(&dir, &name);
    }
    for (file, text) in [("f", "deep\n"), (&*name, "a long name\n")] {
        let flags = OFlags::WRONLY | OFlags::CREATE;
        let file = openat(&dir, file, flags, Mode::from_raw_mode(0o640)).unwrap();
        fs::File::from(file).write_all(text.as_bytes()).unwrap();
    }
    symlinkat("f", &dir, "l").unwrap();
    let added = lab.add(&[&name]);
    assert_eq!(added.files, 2);
    let run = lab.commit();
    let entries: Vec<_> = lab.repo.manifest(run).unwrap().entries().map(|e| e.unwrap()).collect();
    assert_eq!(entries.len(), 23);
    let longest = entries.iter().map(|e| e.path.as_bytes().len()).max().unwrap();
    assert!(longest > 5000, "{longest}");
    let to = lab.beside("out");
    let (done, problems) = checkout(&lab.repo, run, &to);
    assert_eq!(problems, []);
    assert_eq!(done.unwrap().files, 2);
    let from = lab.path(&name);
    // find walks with open folders, so it has no limit either.
    let listing = |dir: &Path| {
        let list = "cd \"$1\" && find . -printf '%M %s %T@ %p\\n' | sort && \
                    find . -type f -execdir sha256sum {} + | sort";
        Command::new("bash").args(["-c", list, "-"]).arg(dir).output().unwrap()
    };
    let (same, other) = (listing(&from), listing(&to.join(&name)));
    assert!(same.status.success() && !same.stdout.is_empty());
    assert_eq!(same.stdout, other.stdout);
    // Taken again without reading, and checked out over itself.
    let again = add(&lab.repo, &[&name]).0.unwrap();
    assert_eq!((again.files, again.new_bytes), (2, 0));
    let (done, problems) = checkout(&lab.repo, run, &to);
    assert_eq!(problems, []);
    let done = done.unwrap();
    assert_eq!((done.unchanged, done.unchanged_links), (2, 1));
    // std cannot remove such folders.
    for dir in [from, to] {
        assert!(Command::new("rm").arg("-rf").arg(dir).status().unwrap().success());
    }
}

#[test]
fn many_files_in_one_folder() {
    let lab = Lab::new();
    fs::create_dir(lab.path("many")).unwrap();
    for n in 0..20_000 {
        fs::write(lab.path(format!("many/{n:06}.txt")), format!("{}\n", n % 500)).unwrap();
    }
    let added = lab.add(&["many"]);
    assert_eq!(added.files, 20_000);
    let run = lab.commit();
    assert_same(&lab.checkout(run), &tree(&lab.work()), "20,000 files");
    std::thread::sleep(Duration::from_millis(70));
    lab.add(&["many"]);
    assert_eq!(lab.add(&["many"]).unchanged, 20_000);
}

#[test]
fn a_sparse_file_of_gigabytes_stays_sparse() {
    let lab = Lab::new();
    let file = fs::File::create(lab.path("disk.img")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"start", 0).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"middle", 3 << 30).unwrap();
    file.set_len(4 << 30).unwrap();
    let added = lab.add(&["disk.img"]);
    assert_eq!(added.bytes, 4 << 30);
    assert!(added.new_bytes < 100_000, "{added:?}");
    let run = lab.commit();
    let to = lab.beside("out");
    let (done, problems) = checkout(&lab.repo, run, &to);
    assert_eq!((done.unwrap().bytes, problems), (4 << 30, vec![]));
    let meta = fs::metadata(to.join("disk.img")).unwrap();
    assert_eq!(meta.len(), 4 << 30);
    assert!(meta.blocks() * 512 < 64 << 20, "{} bytes on disk", meta.blocks() * 512);
    let restored = fs::File::open(to.join("disk.img")).unwrap();
    for (at, text) in [(0, &b"start\0"[..]), (3 << 30, b"middle"), ((4 << 30) - 6, &[0; 6])] {
        let mut bytes = [1; 6];
        std::os::unix::fs::FileExt::read_exact_at(&restored, &mut bytes, at).unwrap();
        assert_eq!(bytes[..], text[..]);
    }
}

/// A thread does something to the files over and over while they are added.
fn while_something(act: impl Fn(u64) + Sync, work: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0;
            while !stop.load(Relaxed) {
                act(n);
                n += 1;
            }
        });
        work();
        stop.store(true, Relaxed);
    });
}

#[test]
fn files_that_change_while_they_are_read_are_named_and_whole_in_themselves() {
    let lab = Lab::new();
    lab.write("steady.txt", "steady");
    lab.write("busy.log", noise(1, 24 << 20));
    // Old enough to be told by its times.
    std::thread::sleep(Duration::from_millis(70));
    let path = lab.path("busy.log");
    let mut told = Vec::new();
    let writer = |n: u64| {
        let file = fs::File::options().write(true).open(&path).unwrap();
        match n % 3 {
            0 => {
                std::os::unix::fs::FileExt::write_all_at(&file, &n.to_le_bytes(), n % 9000).unwrap()
            }
            1 => file.set_len((24 << 20) + n * 10).unwrap(),
            _ => file.set_len((24 << 20) - n % 1000).unwrap(),
        }
    };
    while_something(writer, || {
        let (added, problems) = add(&lab.repo, &["."]);
        assert_eq!(added.unwrap().files, 2);
        told = problems;
    });
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].path, "busy.log");
    assert!(told[0].what.contains("changed while it was read"), "{told:?}");
    let run = lab.commit();
    // What was read is consistent: the size is that of the bytes, and their hash is theirs.
    let to = lab.beside("out");
    let (done, problems) = checkout(&lab.repo, run, &to);
    assert_eq!((done.unwrap().failed, problems), (0, vec![]));
    let entries: Vec<_> = lab.repo.manifest(run).unwrap().entries().map(|e| e.unwrap()).collect();
    let bytes = fs::read(to.join("busy.log")).unwrap();
    assert_eq!(entries[0].node, Node::File { size: bytes.len() as u64, id: FileId::of(&bytes) });
    // It is read again, though nothing touched it since.
    std::thread::sleep(Duration::from_millis(70));
    let (added, problems) = add(&lab.repo, &["."]);
    // Only the other one need not be.
    assert_eq!((added.unwrap().unchanged, problems), (1, vec![]));
    assert!(fsck(&lab.repo).unwrap().is_clean());
}

#[test]
fn files_that_come_and_go_are_named() {
    let lab = Lab::new();
    for n in 0..400 {
        lab.write(format!("dir/{n}"), noise(n, 2000));
    }
    lab.write("dir/stays", "here");
    let flicker = |n: u64| {
        let path = lab.path(format!("dir/{}", n * 7919 % 400));
        if fs::remove_file(&path).is_err() {
            drop(fs::write(&path, noise(n, 2000)));
        }
    };
    while_something(flicker, || {
        for _ in 0..5 {
            let (added, problems) = add(&lab.repo, &["dir"]);
            added.unwrap();
            for problem in problems {
                let known = ["vanished before it was read", "changed while it was read"];
                assert!(known.iter().any(|what| problem.what.contains(what)), "{problem:?}");
            }
            assert!(paths(&lab).contains(&"dir/stays".to_owned()));
        }
    });
    let run = lab.commit();
    let to = lab.beside("out");
    assert_eq!(checkout(&lab.repo, run, &to).1, []);
    assert!(fsck(&lab.repo).unwrap().is_clean());
}

#[test]
fn unreadable_files_and_folders_are_named() {
    let lab = Lab::new();
    lab.write("in/fine.txt", "fine");
    lab.write("in/secret.txt", "secret");
    lab.write("in/closed/file", "hidden");
    for (path, mode) in [("in/secret.txt", 0o000), ("in/closed", 0o000)] {
        fs::set_permissions(lab.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    let output = lab.as_nobody(&["add", "in"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{text}");
    for name in ["in/secret.txt", "in/closed"] {
        assert!(
            text.lines().any(|l| l.contains(name) && l.contains("could not be read")),
            "{text}"
        );
    }
    assert_eq!(paths(&lab), ["in", "in/closed", "in/fine.txt"]);
    // Named itself, it is an error.
    let output = lab.as_nobody(&["add", "in/closed"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn pipes_and_sockets_are_named_and_left_out() {
    let lab = Lab::new();
    lab.write("in/file", "file");
    assert!(Command::new("mkfifo").arg(lab.path("in/pipe")).status().unwrap().success());
    let _socket = UnixListener::bind(lab.path("in/socket")).unwrap();
    assert!(fs::symlink_metadata(lab.path("in/socket")).unwrap().file_type().is_socket());
    let output = Command::new(env!("CARGO_BIN_EXE_eart"))
        .args(["add", "in"])
        .current_dir(lab.work())
        .env_clear()
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.lines().any(|l| l.contains("in/pipe") && l.contains("named pipe")), "{text}");
    assert!(text.lines().any(|l| l.contains("in/socket") && l.contains("socket")), "{text}");
    assert_eq!(paths(&lab), ["in", "in/file"]);
}

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
        let output = Command::new(env!("CARGO_BIN_EXE_eart"))
            .args(args)
            .current_dir(lab.work())
            .env_clear()
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?} {text}");
        assert!(text.contains("format 2") && text.contains("hint: use a newer eart"), "{text}");
    }
    assert_same(&tree(&lab.stored("")), &before, "a newer store");
}

#[test]
fn a_clock_that_goes_backwards_keeps_the_order_of_runs() {
    let lab = Lab::new();
    let at = |text: &str| lab.repo.clone().with_clock(Clock::Fixed(text.parse().unwrap()));
    let mut runs = Vec::new();
    for time in ["2026-05-01T00:00:00Z", "2026-04-01T00:00:00Z", "1971-01-01T00:00:00Z"] {
        let repo = at(time);
        lab.write("file", time);
        add(&repo, &["file"]).0.unwrap();
        runs.push(commit(&repo).unwrap());
    }
    let catalog = lab.repo.catalog().unwrap();
    let mut listed: Vec<_> = catalog.records().map(|r| r.id).collect();
    listed.reverse();
    assert_eq!(listed, runs.iter().map(|r| r.id).collect::<Vec<_>>());
    assert!(runs.windows(2).all(|w| w[0].meta.committed < w[1].meta.committed));
    assert!(runs.iter().all(|r| r.meta.started <= r.meta.committed));
    // gc takes nothing for younger or older than it is because of it.
    let collected = gc(&at("1970-01-01T00:00:00Z"), 2).unwrap();
    let stays: Vec<bool> = collected.fates.iter().map(|f| f.stays).collect();
    assert_eq!(stays, [true, true, false]);
}

#[test]
fn a_change_within_a_tick_of_the_clock_is_seen() {
    let lab = Lab::new();
    // Same size, same times as far as the kernel's clock ticks: only reading can tell.
    for n in 0..40 {
        lab.write("file", format!("{n:04}"));
        lab.add(&["file"]);
        lab.write("file", format!("{:04}", n + 5000));
        lab.add(&["file"]);
        let draft = lab.repo.draft("default").unwrap().unwrap();
        assert_eq!(
            draft.entries()[0].file_id(),
            Some(FileId::of(format!("{:04}", n + 5000).as_bytes()))
        );
    }
    // The same with the time put back by hand: the time of change cannot be.
    let old = SystemTime::now() - Duration::from_secs(100_000);
    lab.write("file", "aaaa");
    fs::File::options().write(true).open(lab.path("file")).unwrap().set_modified(old).unwrap();
    std::thread::sleep(Duration::from_millis(70));
    lab.add(&["file"]);
    assert_eq!(lab.add(&["file"]).unchanged, 1);
    lab.write("file", "bbbb");
    fs::File::options().write(true).open(lab.path("file")).unwrap().set_modified(old).unwrap();
    assert_eq!(lab.add(&["file"]).unchanged, 0);
}

#[test]
fn what_is_left_out_unless_it_is_named() {
    let lab = Lab::new();
    lab.write("in/.git/HEAD", "ref");
    lab.write("in/.eart/format.json", "{}");
    lab.write("in/.hidden", "taken");
    lab.write("in/.gitignore", "*.log\n");
    lab.write("in/kept.log", "taken: git's rules are not ours");
    lab.write("in/.eartignore", "*.tmp\n!keep.tmp\n/top\n");
    lab.write("in/a.tmp", "out");
    lab.write("in/keep.tmp", "in");
    lab.write("in/top", "out");
    lab.write("in/sub/top", "in");
    lab.write("in/sub/b.tmp", "out");
    lab.write("in/sub/.eartignore", "!b.tmp\nc\n");
    lab.write("in/sub/c/file", "out");
    lab.add(&["in"]);
    let expected = [
        "in",
        "in/.eartignore",
        "in/.gitignore",
        "in/.hidden",
        "in/keep.tmp",
        "in/kept.log",
        "in/sub",
        "in/sub/.eartignore",
        "in/sub/b.tmp",
        "in/sub/top",
    ];
    assert_eq!(paths(&lab), expected);
    lab.add(&["in/.git"]);
    assert!(paths(&lab).contains(&"in/.git/HEAD".to_owned()));
    // The store itself is never taken, wherever it is met.
    lab.add(&["."]);
    assert!(!paths(&lab).iter().any(|p| p.starts_with(".eart/")));
    let mut options = adding(&lab.repo, &["in"]);
    options.excludes = vec!["sub/".into(), "*.log".into()];
    add_with(&lab.repo, options).0.unwrap();
    let left = paths(&lab);
    assert!(!left.iter().any(|p| p.starts_with("in/sub") || p.ends_with(".log")), "{left:?}");
}

#[test]
fn a_draft_equals_the_folders_that_were_added() {
    let lab = Lab::new();
    lab.write("a/one", "1");
    lab.write("a/two", "2");
    lab.write("ab/other", "3");
    lab.add(&["a", "ab"]);
    fs::remove_file(lab.path("a/one")).unwrap();
    fs::create_dir(lab.path("a/one")).unwrap();
    lab.write("a/one/inner", "now a folder");
    assert_eq!(lab.add(&["a"]).removed, 0);
    assert_eq!(paths(&lab), ["a", "a/one", "a/one/inner", "a/two", "ab", "ab/other"]);
    fs::remove_dir_all(lab.path("a/one")).unwrap();
    assert_eq!(lab.add(&["a"]).removed, 2);
    assert_eq!(paths(&lab), ["a", "a/two", "ab", "ab/other"]);
    // What is gone leaves the draft when it is named, and cannot be named after that.
    fs::remove_dir_all(lab.path("a")).unwrap();
    assert_eq!(lab.add(&["a"]).removed, 2);
    assert_eq!(paths(&lab), ["ab", "ab/other"]);
    assert!(add(&lab.repo, &["a"]).0.is_err());
}

#[test]
fn one_path_of_a_run_has_one_source() {
    let lab = Lab::new();
    lab.write("report/index.html", "inside");
    let outside = lab.beside("elsewhere/report");
    fs::create_dir_all(&outside).unwrap();
    fs::write(outside.join("index.html"), "outside").unwrap();
    let outside_text = outside.to_str().unwrap();
    for paths in [&["report", outside_text][..], &[outside_text, "report"]] {
        let error = add(&lab.repo, paths).0.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("report") && text.contains(outside_text), "{text}");
        assert!(error.hint().unwrap().contains("--as"));
        assert!(lab.repo.draft("default").unwrap().is_none());
    }
    lab.add(&["report"]);
    assert!(add(&lab.repo, &[outside_text]).0.is_err());
    let mut options = adding(&lab.repo, &[outside_text]);
    options.target = Some(RelPath::new("shard/2/report").unwrap());
    add_with(&lab.repo, options).0.unwrap();
    let expected = ["report", "report/index.html", "shard/2/report", "shard/2/report/index.html"];
    assert_eq!(paths(&lab), expected);
    let run = lab.commit();
    let files: Tree = lab.checkout(run);
    assert!(files.contains_key(&OsString::from_vec(b"shard/2/report/index.html".to_vec())));
    // Once committed, the place is free.
    lab.add(&[outside_text]);
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
