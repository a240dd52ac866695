//! `eart checkout`

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use insta::assert_snapshot;

use crate::env::TestEnv;

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
    4 files were there already
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
