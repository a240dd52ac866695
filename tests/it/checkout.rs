//! `eart checkout`

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use insta::assert_snapshot;

use crate::env::TestEnv;
use crate::lab::{Lab, assert_same, noise, tree};

fn one_run() -> TestEnv {
    let env = TestEnv::new();
    env.write("out/results.json", "{}");
    env.write("out/deep/run.sh", "#!/bin/sh\n");
    env.write(OsStr::from_bytes(b"out/bad\xff\n"), "bad");
    fs::set_permissions(env.path("out/deep/run.sh"), fs::Permissions::from_mode(0o751)).unwrap();
    fs::create_dir(env.path("out/empty")).unwrap();
    symlink("nowhere", env.path("out/link")).unwrap();
    env.eart(["add", "out"]).done();
    env.eart(["commit", "--name", "run"]).done();
    env
}

#[test]
fn what_was_committed_comes_back() {
    let env = one_run();
    let before = fs::metadata(env.path("out/deep/run.sh")).unwrap();
    assert_snapshot!(env.eart(["checkout", "latest", "--to", "back"]), @"Checked out 3 files, 1 link, 15 B, of {id1} run to back");
    let after = fs::metadata(env.path("back/out/deep/run.sh")).unwrap();
    assert_eq!(after.permissions().mode() & 0o7777, 0o751);
    assert_eq!(after.modified().unwrap(), before.modified().unwrap());
    assert!(env.path("back/out/empty").is_dir());
    assert_eq!(fs::read_link(env.path("back/out/link")).unwrap().as_os_str(), "nowhere");
    assert_eq!(env.read(OsStr::from_bytes(b"back/out/bad\xff\n")), b"bad");
    assert_snapshot!(env.eart(["checkout", "latest", "--to", "back"]), @r"
    Checked out 0 files, 0 B, of {id1} run to back
    3 files, 1 link were there already
    ");
}

#[test]
fn a_part_is_named_by_path_or_glob() {
    let env = one_run();
    env.eart(["checkout", "run", "out/deep/", "--to", "a"]).done();
    assert!(env.path("a/out/deep/run.sh").exists() && !env.path("a/out/results.json").exists());
    env.eart(["checkout", "run", "*.json", "--to", "b"]).done();
    assert!(env.path("b/out/results.json").exists() && !env.path("b/out/deep").exists());
    env.eart(["checkout", "run", "out/de*", "--to", "c"]).done();
    assert!(env.path("c/out/deep/run.sh").exists());
    assert_snapshot!(env.eart(["checkout", "run", "out/deep", "run.sh", "--to", "d"]), @r"
    --- stderr
    error: No run.sh in the run {id1}
    hint: did you mean out/deep/run.sh?
    --- exit 1
    ");
    assert_eq!(env.eart(["checkout", "run", "", "--to", "d"]).code(), 2);
    assert!(!env.path("d").exists());
}

#[test]
fn changed_files_are_not_overwritten() {
    let env = one_run();
    env.eart(["checkout", "run", "--to", "back"]).done();
    env.write("back/out/results.json", "[]");
    fs::set_permissions(env.path("back/out/deep/run.sh"), fs::Permissions::from_mode(0o600))
        .unwrap();
    fs::remove_file(env.path("back/out/link")).unwrap();
    assert_snapshot!(env.eart(["checkout", "run", "--to", "back"]), @r"
    --- stderr
    error: 1 of the run's paths cannot be written to $ROOT/work/back, so nothing was
      out/results.json differs
    hint: overwrite with --force, or check out to another folder with --to
    --- exit 1
    ");
    assert_eq!(env.read("back/out/results.json"), b"[]");
    assert!(!env.path("back/out/link").is_symlink());
    let mode = fs::metadata(env.path("back/out/deep/run.sh")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "nothing was touched");
    env.eart(["checkout", "run", "--to", "back", "--force"]).done();
    assert_eq!(env.read("back/out/results.json"), b"{}");
}

#[test]
fn nothing_is_written_through_a_link() {
    let env = one_run();
    fs::create_dir_all(env.path("elsewhere/deep")).unwrap();
    fs::create_dir(env.path("back")).unwrap();
    symlink("../elsewhere", env.path("back/out")).unwrap();
    let refused = env.eart(["checkout", "run", "--to", "back", "--force"]);
    assert_eq!(refused.code(), 1);
    assert!(
        refused.stderr.contains("out/deep/run.sh lies below a file or a symbolic link"),
        "{refused}"
    );
    assert!(fs::read_dir(env.path("elsewhere/deep")).unwrap().next().is_none());
    // A link in a file's place is replaced, not followed.
    env.write("victim", "precious");
    fs::remove_file(env.path("back/out")).unwrap();
    fs::create_dir(env.path("back/out")).unwrap();
    symlink("../../victim", env.path("back/out/results.json")).unwrap();
    assert_eq!(env.eart(["checkout", "run", "--to", "back"]).code(), 1);
    env.eart(["checkout", "run", "--to", "back", "--force"]).done();
    assert_eq!(env.read("victim"), b"precious");
    assert!(!env.path("back/out/results.json").is_symlink());
}

#[test]
fn folders_and_files_do_not_take_each_others_place() {
    let env = one_run();
    fs::create_dir_all(env.path("back/out/results.json")).unwrap();
    env.write("back/out/empty", "a file");
    let refused = env.eart(["checkout", "run", "--to", "back", "--force"]);
    assert_eq!(refused.code(), 1);
    assert!(refused.stderr.contains("out/empty is no folder there"), "{refused}");
    assert!(refused.stderr.contains("out/results.json is a folder there"), "{refused}");
    assert!(!env.path("back/out/deep").exists());
}

#[test]
fn the_store_and_git_are_safe() {
    let env = TestEnv::new();
    env.write("evil/.git/hooks/post-checkout", "boom");
    env.write("evil/.eart/config.toml", "boom");
    env.eart(["add", "evil/.git", "--as", ".git"]).done();
    env.eart(["commit", "--name", "git"]).done();
    env.eart(["add", "evil/.eart", "--as", ".eart"]).done();
    env.eart(["commit", "--name", "store"]).done();
    let refused = env.eart(["checkout", "git"]);
    assert!(
        refused.code() == 1 && refused.stderr.contains("would be new in a .git folder"),
        "{refused}"
    );
    let refused = env.eart(["checkout", "store", "--force"]);
    assert!(
        refused.code() == 1 && refused.stderr.contains("lies in the store itself"),
        "{refused}"
    );
    assert!(!env.path(".git/hooks").exists());
    env.eart(["checkout", "git", "--to", "fresh"]).done();
    assert_eq!(env.read("fresh/.git/hooks/post-checkout"), b"boom");
}

#[test]
fn what_is_lost_is_named_and_the_rest_written() {
    let env = TestEnv::new();
    let noise = |seed: u64| -> Vec<u8> {
        (0..6000u64).flat_map(|n| *blake3::hash(&(seed + n).to_le_bytes()).as_bytes()).collect()
    };
    env.write("a.bin", noise(0));
    env.write("b.bin", noise(1 << 40));
    env.eart(["add", "."]).done();
    env.eart(["commit", "--name", "run"]).done();
    let pack = fs::read_dir(env.path(".eart/packs")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&pack).unwrap();
    bytes[1000] ^= 1;
    fs::write(&pack, bytes).unwrap();
    let out = env.eart(["checkout", "run", "--to", "back"]);
    assert_eq!(out.code(), 1);
    assert!(out.stderr.contains("could not be restored"), "{out}");
    assert!(out.stdout.contains("1 path could not be restored"), "{out}");
    let left: Vec<_> =
        fs::read_dir(env.path("back")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 1, "{left:?}");
    let name = left[0].to_str().unwrap();
    assert_eq!(env.read(format!("back/{name}")), env.read(name));
}

#[test]
fn a_file_is_no_folder_to_write_into() {
    let env = TestEnv::new();
    env.write("a", "a");
    std::os::unix::fs::symlink("a", env.path("link")).unwrap();
    env.eart(["add", "a", "link"]).done();
    env.eart(["commit", "--name", "run"]).done();
    assert_snapshot!(env.eart(["checkout", "run", "--to", "a"]), @r"
    --- stderr
    error: a is not a folder
    hint: --to names the folder to write into; PATH says which files
    --- exit 1
    ");
    assert_snapshot!(env.eart(["checkout", "run", "--to", "out"]), @"Checked out 1 file, 1 link, 1 B, of {id1} run to out");
    let json = env.eart(["checkout", "run", "--to", "out2", "--json"]).json();
    assert_eq!(json["problems"], serde_json::json!([]));
}

fn set_mode(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn folders_that_were_there_keep_their_modes_and_times() {
    let env = one_run();
    for (dir, own) in [("back", 0o750), ("back/out", 0o2770), ("back/out/empty", 0o1777)] {
        fs::create_dir(env.path(dir)).unwrap();
        set_mode(env.path(dir), own);
    }
    let empty = fs::metadata(env.path("back/out/empty")).unwrap().modified().unwrap();
    let json = env.eart(["checkout", "run", "--to", "back", "--json"]).json();
    assert_eq!(json["dirs"], 1, "out/deep was not there");
    let modes = |dirs: &[&str]| dirs.iter().map(|dir| mode(env.path(dir))).collect::<Vec<_>>();
    let dirs = ["back", "back/out", "back/out/empty"];
    assert_eq!(modes(&dirs), [0o750, 0o2770, 0o1777]);
    assert_eq!(fs::metadata(env.path("back/out/empty")).unwrap().modified().unwrap(), empty);
    let recorded = |dir: &str| fs::metadata(env.path(dir)).unwrap().modified().unwrap();
    assert_eq!(recorded("back/out/deep"), recorded("out/deep"));
    // By force they are as recorded, but for bits that no run records; the target is no part of it.
    env.eart(["checkout", "run", "--to", "back", "--force"]).done();
    assert_eq!(modes(&dirs), [0o750, 0o2755, 0o1755]);
    assert_eq!(recorded("back/out/empty"), recorded("out/empty"));
}

#[test]
fn folders_that_forbid_writing_are_restored_without_privileges() {
    let lab = Lab::new();
    lab.write("in/closed/inner/file", "file");
    lab.write("in/closed/other", "other");
    for dir in ["in/closed/inner", "in/closed"] {
        set_mode(lab.path(dir), 0o555);
    }
    lab.add(&["in"]);
    lab.commit();
    let expected = tree(&lab.work());
    let to = lab.beside("out");
    let args = ["checkout", "latest", "--to", to.to_str().unwrap()];
    // The first needs to make the target.
    let output = lab.as_nobody(&args);
    assert!(output.status.success(), "{output:?}");
    assert_same(&tree(&to), &expected, "a new folder");
    set_mode(to.join("in/closed/inner"), 0o755);
    fs::remove_file(to.join("in/closed/inner/file")).unwrap();
    set_mode(to.join("in/closed/inner"), 0o511);
    fs::remove_file(to.join("in/closed/other")).unwrap();
    let output = lab.as_nobody(&args);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fs::read(to.join("in/closed/inner/file")).unwrap(), b"file");
    assert_eq!(fs::read(to.join("in/closed/other")).unwrap(), b"other");
    assert_eq!((mode(to.join("in/closed")), mode(to.join("in/closed/inner"))), (0o555, 0o511));
}

/// Runs a command that the system kills as soon as it makes a file longer than 64 KiB.
fn killed_in_a_write(lab: &Lab, args: &[&str]) {
    let script = "ulimit -c 0; ulimit -f 64; exec \"$0\" \"$@\"";
    let mut command = Command::new("bash");
    command.args(["-c", script, env!("CARGO_BIN_EXE_eart")]).args(args).current_dir(lab.work());
    let output = command.env_clear().output().unwrap();
    assert_eq!(output.status.signal(), Some(25), "{output:?}");
}

#[test]
fn a_checkout_that_was_killed_goes_on_where_it_was() {
    for len in [100_000, 3_000_000] {
        let lab = Lab::new();
        lab.write("in/dir/file.bin", noise(1, len));
        lab.write("in/small.txt", "small");
        symlink("small.txt", lab.path("in/link")).unwrap();
        set_mode(lab.path("in/dir"), 0o550);
        lab.add(&["in"]);
        let run = lab.commit();
        let to = lab.beside("out");
        let args = ["checkout", "latest", "--to", to.to_str().unwrap()];
        killed_in_a_write(&lab, &args);
        if len > 1 << 20 {
            // It gets its name when it is complete.
            assert_eq!(fs::read_dir(to.join("in/dir")).unwrap().count(), 0);
        } else {
            assert!(fs::metadata(to.join("in/dir/file.bin")).unwrap().len() < len as u64);
        }
        let (done, problems) = crate::lab::checkout(&lab.repo, run, &to);
        assert_eq!((done.unwrap().failed, problems), (0, vec![]));
        assert_same(&tree(&to), &tree(&lab.work()), "second attempt");
        // By force, what is there stays until its successor is complete.
        let file = to.join("in/dir/file.bin");
        fs::write(&file, "mine").unwrap();
        killed_in_a_write(&lab, &[&args[..], &["--force"]].concat());
        assert_eq!(fs::read(&file).unwrap(), b"mine");
        assert_eq!(fs::read_dir(to.join("in/dir")).unwrap().count(), 1);
    }
}

#[test]
fn a_file_of_the_users_is_never_taken_for_one_that_was_cut_off() {
    let env = TestEnv::new();
    env.write("in/file", "the content");
    std::os::unix::fs::symlink("file", env.path("in/link")).unwrap();
    env.eart(["add", "in"]).done();
    env.eart(["commit"]).done();
    for (name, mine) in [("file", "mine"), ("file", "the content and more"), ("link", "the")] {
        fs::create_dir_all(env.path("to/in")).unwrap();
        env.write(format!("to/in/{name}"), mine);
        set_mode(env.path(format!("to/in/{name}")), 0o1600);
        let refused = env.eart(["checkout", "latest", "--to", "to"]);
        assert_eq!(refused.code(), 1, "{name} {mine}: {refused}");
        assert!(refused.stderr.contains(&format!("in/{name} differs")), "{refused}");
        assert_eq!(env.read(format!("to/in/{name}")), mine.as_bytes());
        fs::remove_dir_all(env.path("to")).unwrap();
    }
}

#[test]
fn a_name_that_is_there_is_no_glob() {
    let env = TestEnv::new();
    for name in ["a[1].txt", "a1.txt", "b[/file", "c*", "cc"] {
        env.write(format!("out/{name}"), name);
    }
    env.eart(["add", "out"]).done();
    env.eart(["commit", "--name", "run"]).done();
    for (path, files) in [("out/a[1].txt", 1), ("out/b[", 1), ("out/c*", 1), ("out/c?", 2)] {
        let to = path.replace('/', "-");
        let json = env.eart(["checkout", "run", path, "--to", &to, "--json"]).json();
        assert_eq!(json["files"], files, "{path}");
        assert_eq!(env.eart(["diff", "run", "run", path]).code(), 0, "{path}");
    }
    assert_eq!(env.eart(["cat", "run:out/b[/file"]).done(), "b[/file");
    assert_eq!(env.eart(["ls", "run:out/b["]).done(), "out/b[/file\n");
    assert_eq!(env.eart(["checkout", "run", "b[", "--to", "none"]).code(), 2);
    env.eart(["add", "out"]).done();
    assert!(env.eart(["reset", "out/c*"]).done().starts_with("Took 1 file out"));
}

#[test]
fn a_label_with_a_colon_is_quoted() {
    let env = TestEnv::new();
    env.write("file", "first");
    env.eart(["add", "file"]).done();
    env.eart(["commit", "--label", "url=http://a:80/x,y"]).done();
    env.write("file", "second");
    env.eart(["add", "file"]).done();
    env.eart(["commit"]).done();
    let run = "latest@url=\"http://a:80/x,y\"";
    assert_eq!(env.eart(["cat", &format!("{run}:file")]).done(), "first");
    assert_eq!(env.eart(["ls", run]).done(), "file\n");
    env.eart(["checkout", run, "--to", "out"]).done();
    assert_eq!(env.read("out/file"), b"first");
    let refused = env.eart(["cat", "latest@url=http://a:80/x,y:file"]);
    assert!(refused.code() == 1 && refused.stderr.contains("quote a value"), "{refused}");
}

#[test]
fn a_checkout_that_is_refused_leaves_no_folder() {
    let env = one_run();
    symlink(".eart", env.path("alias")).unwrap();
    for to in [".eart/x", "nowhere/../.eart/x", "alias/deep/x"] {
        let refused = env.eart(["checkout", "run", "--to", to]);
        assert!(refused.stderr.contains("lies in the store itself"), "{to}: {refused}");
        assert_eq!(refused.code(), 1);
    }
    assert!(!env.path(".eart/x").exists() && !env.path(".eart/deep").exists());
    assert!(!env.path("nowhere").exists());
    // Into a folder that is not there yet, and above which the store is not.
    env.eart(["checkout", "run", "--to", "new/folder"]).done();
    assert!(env.path("new/folder/out/results.json").exists());
}

#[test]
fn many_paths_are_named_at_once() {
    let env = TestEnv::new();
    for number in 0..60 {
        env.write(format!("in/{:02}/{number}.txt", number % 7), "text");
    }
    env.eart(["add", "in"]).done();
    env.eart(["commit", "--name", "run"]).done();
    // A folder, a file in it, the same again, a file elsewhere, and a glob.
    let paths = ["in/03", "in/03/3.txt", "./in/03/3.txt", "in/04/4.txt", "in/05/*9.txt"];
    let args = ["checkout", "run", "--to", "out", "--json"];
    let json = env.eart(args.iter().chain(&paths)).json();
    assert_eq!(json["files"], 9 + 1 + 1, "{json}");
    assert_eq!(env.eart(["diff", "run", "run"].iter().chain(&paths)).code(), 0);
    for command in [&["checkout", "run", "--to", "o"][..], &["diff", "run", "run"]] {
        let refused = env.eart(command.iter().chain(&paths).chain(&["in/03/4.txt"]));
        assert!(refused.code() == 1 && refused.stderr.contains("in/03/4.txt"), "{refused}");
    }
    let out = env.eart(["reset"].iter().chain(&paths));
    assert_eq!(out.code(), 1);
    env.eart(["add", "in"]).done();
    assert!(env.eart(["reset"].iter().chain(&paths)).done().starts_with("Took 11 files out"));
}
