//! Odd files and names: they come back as they were, or are named and left out.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use eart::manifest::Node;
use rustix::fs::{Mode, OFlags, mkdirat, openat, symlinkat};

use crate::lab::{Lab, add, assert_same, checkout, tree};

use super::{paths, round_trip};

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
    let (added, problems) = add(&lab.repo, &["to-dir"]);
    assert_eq!((added.unwrap().links, problems.len()), (1, 1));
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
    // What is so deep can be named itself: a file, a link, the folder that holds them.
    lab.repo.drop_draft("default").unwrap();
    let deep = [&*name; 20].join("/");
    let inner = ["f", "l", &name].map(|inner| format!("{deep}/{inner}"));
    let added = lab.add(&inner.each_ref().map(|path| &**path));
    assert_eq!((added.files, added.links, added.bytes), (2, 1, 17));
    assert_eq!(paths(&lab).len(), 3);
    assert_eq!(lab.add(&[&format!("{deep}/../{name}/.")]).files, 2);
    assert_eq!(paths(&lab).len(), 4);
    let (added, problems) = add(&lab.repo, &[&format!("{deep}/l/x"), &inner[0]]);
    assert_eq!(added.unwrap().files, 1);
    assert!(problems[0].what.contains("longer than 4,096 bytes with a link in it"), "{problems:?}");
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
    for problem in [
        "warning: in/secret.txt could not be read (Permission denied (os error 13)); left out",
        "warning: in/closed could not be read (Permission denied (os error 13)); what is in it is left out",
    ] {
        assert!(text.lines().any(|l| l == problem), "{text}");
    }
    assert_eq!(paths(&lab), ["in", "in/closed", "in/fine.txt"]);
    // Named itself it costs only itself, and so does what is in it.
    lab.write("other", "other");
    let output = lab.as_nobody(&["add", "in/closed", "in/closed/file", "in/closed/x/y", "other"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{text}");
    for (path, what) in [
        (
            "in/closed",
            "could not be read (Permission denied (os error 13)); what is in it is left out",
        ),
        ("in/closed/file", "could not be looked at (Permission denied (os error 13)); left out"),
        ("in/closed/x/y", "could not be looked at (Permission denied (os error 13)); left out"),
    ] {
        assert!(text.lines().any(|l| l == format!("warning: {path} {what}")), "{text}");
    }
    assert_eq!(paths(&lab), ["in", "in/closed", "in/fine.txt", "other"]);
}

#[test]
fn pipes_and_sockets_are_named_and_left_out() {
    let lab = Lab::new();
    lab.write("in/file", "file");
    assert!(Command::new("mkfifo").arg(lab.path("in/pipe")).status().unwrap().success());
    let _socket = UnixListener::bind(lab.path("in/socket")).unwrap();
    assert!(fs::symlink_metadata(lab.path("in/socket")).unwrap().file_type().is_socket());
    let output = lab.eart(&["add", "in"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.lines().any(|l| l.contains("in/pipe") && l.contains("named pipe")), "{text}");
    assert!(text.lines().any(|l| l.contains("in/socket") && l.contains("socket")), "{text}");
    assert_eq!(paths(&lab), ["in", "in/file"]);
}
