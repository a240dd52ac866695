//! What of the folders that are added is staged.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;

use eart::path::RelPath;

use crate::env::TestEnv;
use crate::lab::{Lab, Tree, add, add_with, adding};

use super::paths;

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
fn a_pattern_that_nests_too_deep_is_not_used() {
    let env = TestEnv::new();
    env.write("out/.eartignore", format!("{}a{}\n*.tmp\n", "{".repeat(50_000), "}".repeat(50_000)));
    env.write("out/a.tmp", "a");
    env.write("out/b", "b");
    let output = env.eart(["add", "out"]);
    assert_eq!(output.code(), 3, "{output}");
    assert!(output.stderr.contains("opens more than 50 braces"), "{output}");
    assert!(output.stdout.starts_with("Staged 2 files"), "{output}");
}

#[test]
fn what_lay_in_a_folder_that_became_a_file_leaves_the_draft() {
    let env = TestEnv::new();
    env.write("q/f", "f");
    env.write("a", "a");
    env.eart(["add", "q", "a"]).done();
    std::fs::remove_dir_all(env.path("q")).unwrap();
    env.write("q", "now a file");
    let output = env.eart(["add", "q/f"]).done();
    assert!(output.contains("removed"), "{output}");
}

#[test]
fn what_is_gone_leaves_the_draft_however_it_is_named() {
    let env = TestEnv::new();
    env.write("x/gone/f", "f");
    env.write("sub/a", "a");
    env.eart(["add", "x", "sub"]).done();
    std::fs::remove_dir_all(env.path("x/gone")).unwrap();
    let output = env.eart_in("sub", ["add", "../x/gone/f"]).done();
    assert!(output.contains("1 removed"), "{output}");
}
