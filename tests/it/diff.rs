//! `eart diff`

use insta::assert_snapshot;

use crate::env::TestEnv;

fn two_runs() -> TestEnv {
    let env = TestEnv::new();
    env.write("a.txt", "one\ntwo\nthree\n");
    env.write("gone.log", "gone");
    env.write("pic.bin", b"\x00\x01");
    env.write("same", "same");
    env.eart(["add", "."]).done();
    env.eart(["commit", "--name", "old"]).done();
    env.write("a.txt", "one\n2\nthree");
    env.write("pic.bin", b"\x00\x02");
    env.write("new/file", "1234");
    std::fs::remove_file(env.path("gone.log")).unwrap();
    env.eart(["add", "."]).done();
    env.eart(["commit", "--name", "new"]).done();
    env
}

#[test]
fn files_are_told_apart() {
    let env = two_runs();
    assert_snapshot!(env.eart(["diff", "old", "new"]), @r"
    M  14 B  11 B  a.txt
    D   4 B     -  gone.log
    A     -   4 B  new/file
    M   2 B   2 B  pic.bin
    1 added (4 B), 1 removed (4 B), 2 changed (16 B -> 13 B), 1 the same
    ");
    assert_snapshot!(env.eart(["diff", "new", "old", "new"]), @r"
    D  4 B  -  new/file
    0 added (0 B), 1 removed (4 B), 0 changed (0 B -> 0 B), 0 the same
    ");
    assert_eq!(
        env.eart(["diff", "--json"]).json(),
        env.eart(["diff", "old", "new", "--json"]).json()
    );
    assert_snapshot!(env.eart(["diff", "new", "new"]), @"0 added (0 B), 0 removed (0 B), 0 changed (0 B -> 0 B), 4 the same");
}

#[test]
fn texts_show_how_they_changed() {
    let env = two_runs();
    assert_snapshot!(env.eart(["diff", "--text"]), @r"
    M  a.txt  14 B -> 11 B
    @@ -1,3 +1,3 @@
     one
    -two
    -three
    +2
    +three
    \ No newline at end of file
    D  gone.log  4 B -> -
    A  new/file  - -> 4 B
    M  pic.bin  2 B -> 2 B
       (binary, not shown)
    1 added (4 B), 1 removed (4 B), 2 changed (16 B -> 13 B), 1 the same
    ");
}

#[test]
fn mistakes_are_told() {
    let env = two_runs();
    assert_snapshot!(env.eart(["diff", "old"]), @r#"
    --- stderr
    error: No run before "old": none lies before old
    hint: `eart log` lists the runs
    --- exit 1
    "#);
    assert_snapshot!(env.eart(["diff", "old", "new", "nope"]), @r"
    --- stderr
    error: Neither {id1} nor {id2} has nope
    hint: `eart ls -r {id2}` lists what a run has
    --- exit 1
    ");
}
