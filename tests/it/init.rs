//! `eart init`

use insta::assert_snapshot;

use crate::env::TestEnv;

#[test]
fn a_second_init_changes_nothing_and_says_so() {
    let env = TestEnv::bare();
    assert_snapshot!(env.eart(["init"]), @"Made an empty eart store in $ROOT/work/.eart");
    let format = env.read(".eart/format.json");
    assert_snapshot!(env.eart(["init"]), @"There is an eart store in $ROOT/work/.eart already; nothing was changed");
    assert_eq!(env.read(".eart/format.json"), format);
}

#[test]
fn the_folder_can_be_named_and_the_store_wins_over_it() {
    let env = TestEnv::bare();
    assert_snapshot!(env.eart(["init", "sub/project"]), @"Made an empty eart store in $ROOT/work/sub/project/.eart");
    assert_snapshot!(env.eart(["init", "other", "--store", "st"]), @"Made an empty eart store in $ROOT/work/st");
    env.set("EART_DIR", env.path("st").to_str().unwrap());
    assert_snapshot!(env.eart(["init", "other"]), @"There is an eart store in $ROOT/work/st already; nothing was changed");
    assert!(!env.path("other").exists());
    env.write("a.txt", "a");
    // Paths are then relative to the current folder.
    env.eart_in("sub", ["add", "../a.txt", "--as", "b.txt"]).done();
    assert_snapshot!(env.eart(["status", "--short"]), @"A b.txt");
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let env = TestEnv::bare();
    env.write("st/thesis.tex", "");
    assert_snapshot!(env.eart(["init", "--store", "st"]), @r"
    --- stderr
    error: $ROOT/work/st is not empty and not an eart store
    hint: choose another folder for the store
    --- exit 1
    ");
}

#[test]
fn git_does_not_see_the_store() {
    let env = TestEnv::new();
    assert_eq!(env.read(".eart/.gitignore"), b"*\n");
}

#[test]
fn a_store_of_a_newer_format_is_not_touched() {
    let env = TestEnv::new();
    env.write(".eart/format.json", r#"{"format": 2, "what": "ever"}"#);
    assert_snapshot!(env.eart(["init"]), @r"
    --- stderr
    error: $ROOT/work/.eart/format.json says format 2, and this eart knows formats up to 1
    hint: use a newer eart; nothing was changed
    --- exit 1
    ");
    assert_snapshot!(env.eart(["status"]), @r"
    --- stderr
    error: $ROOT/work/.eart/format.json says format 2, and this eart knows formats up to 1
    hint: use a newer eart; nothing was changed
    --- exit 1
    ");
}
