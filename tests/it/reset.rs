//! `eart reset`

use insta::assert_snapshot;

use crate::env::TestEnv;

fn env() -> TestEnv {
    let env = TestEnv::new();
    for name in ["a.png", "b.txt", "out/c.png", "out/d.txt", "out/deep/e.png"] {
        env.write(name, name);
    }
    env.eart(["add", "."]).done();
    env
}

#[test]
fn paths_folders_and_globs_leave_the_draft() {
    let env = env();
    assert_snapshot!(env.eart(["reset", "out/deep", "./b.txt"]), @"Took 2 files out of the draft default; 3 still staged");
    assert_snapshot!(env.eart(["status", "--short"]), @r"
    A a.png
    A out/c.png
    A out/d.txt
    ");
    env.eart(["reset", "*.png"]).done();
    assert_snapshot!(env.eart(["status", "--short"]), @"A out/d.txt");
    assert!(env.path("a.png").exists());
}

#[test]
fn without_a_path_everything_leaves() {
    let env = env();
    assert_snapshot!(env.eart(["reset"]), @"Took 5 files out of the draft default; 0 still staged");
    assert_snapshot!(env.eart(["status"]), @r"
    Draft default, no runs yet

    Nothing staged
      (stage files with `eart add PATH`)
    ");
    assert_snapshot!(env.eart(["reset"]), @"Nothing was staged");
    assert_snapshot!(env.eart(["reset", "--json"]), @r#"
    {
      "draft": "default",
      "removed": 0,
      "staged": 0
    }
    "#);
}

#[test]
fn what_is_not_staged_cannot_be_taken_out() {
    let env = env();
    assert_snapshot!(env.eart(["reset", "nowhere"]), @r"
    --- stderr
    error: Nothing staged matches nowhere
    hint: `eart status` shows what is staged; paths are those from here, or else of the run
    --- exit 1
    ");
    assert_snapshot!(env.eart(["reset", "../x"]), @r"
    --- stderr
    error: Not a path inside a run: ../x (it has a . or .. component)
    --- exit 2
    ");
}

/// What is staged after a reset in a folder.
fn left(dir: &str, paths: &[&str]) -> String {
    let env = TestEnv::new();
    for name in ["x", "sub/x", "sub/deep/y.png", "q/a", "q/b.png", "p/keep", "we[i]rd/c.png"] {
        env.write(name, name);
    }
    env.eart(["add", "."]).done();
    env.eart_in(dir, ["reset"].iter().chain(paths)).done();
    let left = env.eart(["status", "--short"]).done();
    let all = ["p/keep", "q/a", "q/b.png", "sub/deep/y.png", "sub/x", "we[i]rd/c.png", "x"];
    let gone = all.into_iter().filter(|name| !left.contains(&format!("A {name}\n")));
    gone.collect::<Vec<_>>().join(" ")
}

#[test]
fn paths_are_those_from_here_first_then_those_of_the_run() {
    assert_eq!(left("p", &["../q/a"]), "q/a");
    assert_eq!(left("sub", &["x"]), "sub/x");
    assert_eq!(left("p", &["x"]), "x");
    assert_eq!(left("p", &["sub/x", "../x"]), "sub/x x");
    assert_eq!(left("sub", &["."]), "sub/deep/y.png sub/x");
    assert_eq!(left("sub", &[".."]).split(' ').count(), 7);
}

#[test]
fn globs_are_those_from_here_first_then_those_of_the_run() {
    assert_eq!(left("sub", &["*.png"]), "sub/deep/y.png");
    assert_eq!(left("p", &["*.png"]), "q/b.png sub/deep/y.png we[i]rd/c.png");
    assert_eq!(left("p", &["../q/*"]), "q/a q/b.png");
    assert_eq!(left("we[i]rd", &["*.png"]), "we[i]rd/c.png");
}

#[test]
fn a_folder_of_which_nothing_is_staged_is_not_everything() {
    let env = env();
    std::fs::create_dir(env.path("other")).unwrap();
    assert_eq!(env.eart_in("other", ["reset", "."]).code(), 1);
    assert_eq!(env.eart(["status", "--short"]).done().lines().count(), 5);
}

#[test]
fn what_lies_outside_is_named_as_add_takes_it() {
    let env = TestEnv::new();
    env.write("a", "a");
    env.eart(["add", "a"]).done();
    let outside = env.home().join("video.webm");
    std::fs::write(&outside, "v").unwrap();
    env.eart(["add", outside.to_str().unwrap()]).done();
    std::fs::remove_file(&outside).unwrap();
    assert_snapshot!(env.eart(["reset", outside.to_str().unwrap()]), @"Took 1 file out of the draft default; 1 still staged");
}
