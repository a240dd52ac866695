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
    hint: `eart status` shows what is staged; paths are those of the run
    --- exit 1
    ");
    assert_snapshot!(env.eart(["reset", "../x"]), @r"
    --- stderr
    error: Not a path inside a run: ../x (it has a . or .. component)
    --- exit 2
    ");
}
