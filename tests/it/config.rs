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

#[test]
fn a_store_that_cannot_be_opened_is_not_passed_over() {
    let env = TestEnv::new();
    env.eart(["config", "keep.newest", "3"]).done();
    env.write(".eart/format.json", r#"{"format": 2}"#);
    for args in [&["config"][..], &["config", "keep.newest"]] {
        let refused = env.eart(args);
        assert!(refused.code() == 1 && refused.stderr.contains("says format 2"), "{refused}");
    }
}

#[test]
fn a_store_that_is_named_gives_its_own_name_to_the_project() {
    let env = TestEnv::bare();
    for (store, project) in [("shared/shop", "shop"), ("team/web/.eart", "web")] {
        env.eart(["--store", store, "init"]).done();
        let shown = env.eart(["--store", store, "config"]).done();
        assert!(shown.contains(&format!("project = {project} (folder's name)\n")), "{shown}");
        let run = env.eart(["--store", store, "commit", "--allow-empty", "--json"]).json();
        assert_eq!(run["project"], project);
    }
    // The remote of where the user is comes first, then that of where the store is.
    let remote =
        |name: &str| format!("[remote \"origin\"]\n\turl = git@example.com:team/{name}.git\n");
    env.write("team/web/.git/config", remote("there"));
    let project = || env.eart(["--store", "team/web/.eart", "config", "project"]).done();
    assert_eq!(project(), "there\n");
    env.write(".git/config", remote("here"));
    assert_eq!(project(), "here\n");
}

#[test]
fn a_limit_can_be_lifted_for_once_and_none_is_no_age() {
    let env = TestEnv::new();
    env.eart(["config", "max-size", "1KB"]).done();
    env.write("large", "l".repeat(1001));
    assert_eq!(env.eart(["add", "large"]).code(), 3);
    env.eart(["add", "large", "--max-size", "none"]).done();
    assert_snapshot!(env.eart(["gc", "--drafts", "0s"]), @r#"
    --- stderr
    error: invalid value '0s' for '--drafts <AGE>': Not an age: "0s" (everything is as old as that)

    For more information, try '--help'.
    --- exit 2
    "#);
    assert_snapshot!(env.eart(["config", "gc.drafts", "0d"]), @r#"
    --- stderr
    error: Bad value for gc.drafts: got "0d" (everything is as old as that), expected an age such as 12h, 30d or 2w, or none
    --- exit 2
    "#);
    env.eart(["config", "gc.drafts", "none"]).done();
}

#[test]
fn globs_that_nest_too_deep_are_refused_wherever_they_are_written() {
    let env = TestEnv::new();
    env.write("a", "a");
    let deep = |levels: usize| "{x,".repeat(levels) + "y" + &"}".repeat(levels);
    env.eart(["add", "a", "--exclude", &deep(50)]).done();
    env.eart(["config", "exclude", &format!("{},", deep(50))]).done();
    assert_eq!(env.eart(["find", &deep(50)]).code(), 0);
    for levels in [51, 30_000] {
        let deep = deep(levels);
        for args in [
            &["find", &deep][..],
            &["config", "exclude", &deep],
            &["add", "a", "--exclude", &deep],
            &["log", "--path", &deep],
            &["reset", &deep],
        ] {
            let refused = env.eart(args);
            assert_eq!(refused.code(), 2, "{}", args[0]);
            assert!(refused.stderr.contains("more than 50 braces"), "{}", args[0]);
            assert!(refused.stderr.len() < 200 + 2 * deep.len());
        }
    }
}
