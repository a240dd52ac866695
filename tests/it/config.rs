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
    assert_snapshot!(lines("keep.newest"), @"");
    assert_snapshot!(lines("exclude"), @"");
    assert_snapshot!(lines("draft"), @"");
    assert_snapshot!(lines("keep.within"), @"");
    assert_snapshot!(lines("max-size"), @"");
    assert_snapshot!(env.eart(["config", "--user"]), @"");
    assert_snapshot!(env.eart(["config", "keep.newest", "--json"]), @"");
    assert_snapshot!(env.eart(["config", "exclude"]), @"");
}

#[test]
fn a_file_is_changed_and_its_comments_stay() {
    let env = TestEnv::new();
    env.write(".eart/config.toml", "# Enough for us.\n[keep]\nnewest = 5\n");
    assert_snapshot!(env.eart(["config", "keep.newest", "7"]), @"");
    assert_snapshot!(String::from_utf8_lossy(&env.read(".eart/config.toml")), @"");
    assert_snapshot!(env.eart(["config", "--unset", "keep.newest"]), @"");
    assert_snapshot!(env.eart(["config", "--unset", "keep.newest"]), @"");
    env.set("EART_COLOR", "never");
    assert_snapshot!(env.eart(["config", "color", "always"]), @"");
}

#[test]
fn a_mistake_is_named_with_its_place() {
    let env = TestEnv::new();
    assert_snapshot!(env.eart(["config", "keep.newst", "3"]), @"");
    assert_snapshot!(env.eart(["config", "keep.newest", "0"]), @"");
    assert_snapshot!(env.eart(["config", "colour"]), @"");
    env.write(".eart/config.toml", "color = \"auto\"\n[keep]\nnewst = 5\n");
    assert_snapshot!(env.eart(["status"]), @"");
    // It can be mended by the command that the hint names.
    env.eart(["config", "--unset", "keep.newst"]).done();
    assert_eq!(env.eart(["status"]).code(), 0);
    env.write(".eart/config.toml", "color = ");
    assert_snapshot!(env.eart(["status"]), @"");
}

#[test]
fn variables_are_checked_and_near_misses_are_warned_of() {
    let env = TestEnv::new();
    env.set("EART_KEEP_WITHN", "3d");
    assert_snapshot!(env.eart(["draft", "list"]), @"");
    env.set("EART_THREADS", "many");
    assert_snapshot!(env.eart(["draft", "list"]), @"");
}

#[test]
fn the_users_file_needs_no_store() {
    let env = TestEnv::bare();
    assert_snapshot!(env.eart(["config", "--user", "color", "never"]), @"");
    assert_snapshot!(env.eart(["config", "color"]), @"");
    assert_snapshot!(env.eart(["config", "color", "always"]), @"");
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
