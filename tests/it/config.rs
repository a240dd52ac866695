//! `eart config`, and where settings come from

use insta::assert_snapshot;

use crate::env::TestEnv;

#[test]
fn every_key_is_shown_with_where_it_came_from() {
    let env = TestEnv::new();
    env.eart(["config", "--user", "keep.newest", "20"]).done();
    env.eart(["config", "exclude", "*.tmp,node_modules"]).done();
    env.set("EART_DRAFT", "ci");
    let shown = env.eart(["config"]).done();
    let lines = |key: &str| shown.lines().find(|line| line.starts_with(key)).unwrap().to_owned();
    assert_snapshot!(lines("keep.newest"), @"keep.newest = 20 ($ROOT/home/.config/eart/config.toml, line 2)");
    assert_snapshot!(lines("exclude"), @"exclude = *.tmp, node_modules ($ROOT/work/.eart/config.toml, line 1)");
    assert_snapshot!(lines("draft"), @"draft = ci (EART_DRAFT)");
    assert_snapshot!(lines("keep.within"), @"keep.within = 30d (default)");
    assert_snapshot!(lines("max-size"), @"max-size = none (default)");
    assert_snapshot!(env.eart(["config", "--user"]), @"keep.newest = 20 ($ROOT/home/.config/eart/config.toml, line 2)");
    assert_snapshot!(env.eart(["config", "keep.newest", "--json"]), @r#"
    {
      "key": "keep.newest",
      "value": 20,
      "text": "20",
      "origin": {
        "kind": "user",
        "path": "$ROOT/home/.config/eart/config.toml",
        "line": 2
      },
      "effective": "20"
    }
    "#);
    assert_snapshot!(env.eart(["config", "exclude"]), @"*.tmp, node_modules");
}

#[test]
fn a_file_is_changed_and_its_comments_stay() {
    let env = TestEnv::new();
    env.write(".eart/config.toml", "# Enough for us.\n[keep]\nnewest = 5\n");
    assert_snapshot!(env.eart(["config", "keep.newest", "7"]), @"Set keep.newest to 7 in $ROOT/work/.eart/config.toml");
    assert_snapshot!(String::from_utf8_lossy(&env.read(".eart/config.toml")), @r"
    # Enough for us.
    [keep]
    newest = 7
    ");
    assert_snapshot!(env.eart(["config", "--unset", "keep.newest"]), @"Removed keep.newest from $ROOT/work/.eart/config.toml");
    assert_snapshot!(env.eart(["config", "--unset", "keep.newest"]), @"keep.newest is not set in $ROOT/work/.eart/config.toml");
    env.set("EART_COLOR", "never");
    assert_snapshot!(env.eart(["config", "color", "always"]), @r"
    Set color to always in $ROOT/work/.eart/config.toml
    --- stderr
    hint: EART_COLOR sets color too, and wins here
    ");
}

#[test]
fn a_mistake_is_named_with_its_place() {
    let env = TestEnv::new();
    assert_snapshot!(env.eart(["config", "keep.newst", "3"]), @r"
    --- stderr
    error: Unknown key keep.newst (did you mean keep.newest?)
    --- exit 2
    ");
    assert_snapshot!(env.eart(["config", "keep.newest", "0"]), @r#"
    --- stderr
    error: Bad value for keep.newest: got "0", expected a whole number from 1, or none
    --- exit 2
    "#);
    assert_snapshot!(env.eart(["config", "colour"]), @r"
    --- stderr
    error: Unknown key colour (did you mean color?)
    --- exit 2
    ");
    env.write(".eart/config.toml", "color = \"auto\"\n[keep]\nnewst = 5\n");
    assert_snapshot!(env.eart(["status"]), @r"
    --- stderr
    error: Unknown key keep.newst in $ROOT/work/.eart/config.toml, line 3 (did you mean keep.newest?)
    hint: `eart config --unset keep.newst` removes it
    --- exit 2
    ");
    // It can be mended by the command that the hint names.
    env.eart(["config", "--unset", "keep.newst"]).done();
    assert_eq!(env.eart(["status"]).code(), 0);
    env.write(".eart/config.toml", "color = ");
    assert_snapshot!(env.eart(["status"]), @r"
    --- stderr
    error: Could not understand $ROOT/work/.eart/config.toml, line 1, column 9: string values must be quoted, expected literal string
    --- exit 2
    ");
}

#[test]
fn variables_are_checked_and_near_misses_are_warned_of() {
    let env = TestEnv::new();
    env.set("EART_KEEP_WITHN", "3d");
    assert_snapshot!(env.eart(["draft", "list"]), @r"
    --- stderr
    warning: EART_KEEP_WITHN is not a variable of eart (did you mean EART_KEEP_WITHIN?)
    ");
    env.set("EART_THREADS", "many");
    assert_snapshot!(env.eart(["draft", "list"]), @r#"
    --- stderr
    error: Bad value for threads in EART_THREADS: got "many", expected a whole number from 1 to 1024, or none
    --- exit 2
    "#);
}

#[test]
fn the_users_file_needs_no_store() {
    let env = TestEnv::bare();
    assert_snapshot!(env.eart(["config", "--user", "color", "never"]), @"Set color to never in $ROOT/home/.config/eart/config.toml");
    assert_snapshot!(env.eart(["config", "color"]), @"never");
    assert_snapshot!(env.eart(["config", "color", "always"]), @r"
    --- stderr
    error: No eart store in $ROOT/work or above it
    hint: make one with `eart init`, or change your own file with --user
    --- exit 1
    ");
    let left: Vec<_> = std::fs::read_dir(env.home().join(".config/eart")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn settings_reach_the_commands() {
    let env = TestEnv::new();
    env.eart(["config", "exclude", "*.tmp"]).done();
    env.eart(["config", "max-size", "1KB"]).done();
    env.eart(["config", "project", "web-shop"]).done();
    env.eart(["config", "threads", "1"]).done();
    env.write("a.tmp", "a");
    env.write("b.log", "b");
    env.write("c", "c");
    env.write("large", "l".repeat(1001));
    let output = env.eart(["add", ".", "--exclude", "*.log"]);
    assert!(output.code() == 3 && output.stderr.contains("large has 1001 bytes"), "{output}");
    assert_eq!(env.eart(["status", "--short"]).done(), "A c\n");
    let output = env.eart(["commit", "--json"]);
    assert_eq!(output.json()["project"], "web-shop", "{output}");
    // A flag wins.
    env.eart(["add", "large", "--max-size", "2KB"]).done();
}

#[test]
fn colours_are_for_terminals_or_on_demand() {
    let env = TestEnv::new();
    assert!(!env.eart(["status"]).done().contains('\u{1b}'));
    assert!(env.eart(["status", "--color", "always"]).done().contains('\u{1b}'));
    env.set("EART_COLOR", "always");
    assert!(env.eart(["status"]).done().contains('\u{1b}'));
    assert!(!env.eart(["status", "--color=never"]).done().contains('\u{1b}'));
}

#[test]
fn what_nobody_set_is_shown_as_what_holds() {
    let env = TestEnv::new();
    let shown = env.eart(["config"]).done();
    assert!(shown.contains("project = work (folder's name)\n"), "{shown}");
    assert!(shown.contains("compression.types.video = 3 (compression.level)\n"), "{shown}");
    assert!(!shown.contains("= ("), "{shown}");
    env.write(".git/config", "[remote \"origin\"]\n\turl = git@example.com:team/shop.git\n");
    assert_snapshot!(env.eart(["config", "project"]), @"shop");
    assert!(env.eart(["config"]).done().contains("project = shop (git remote)\n"));
}

#[test]
fn the_users_file_can_be_asked_for_its_own_value() {
    let env = TestEnv::new();
    env.eart(["config", "--user", "keep.newest", "20"]).done();
    env.write(".eart/config.toml", "keep.newest = 5\n");
    assert_snapshot!(env.eart(["config", "keep.newest"]), @"5");
    assert_snapshot!(env.eart(["config", "--user", "keep.newest"]), @"20");
    assert_snapshot!(env.eart(["config", "--user", "keep.within"]), @r"
    --- stderr
    error: Your own file does not set keep.within
    --- exit 1
    ");
}
