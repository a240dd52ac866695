//! `eart tag`, `eart pin`, `eart unpin`, `eart rm` and `eart stats`

use std::process::Command;

use insta::assert_snapshot;

use crate::log::three_runs;

#[test]
fn tags_are_set_moved_listed_and_deleted() {
    let env = three_runs();
    assert_snapshot!(env.eart(["tag", "base", "one"]), @"Tagged {id1} one as base");
    assert_snapshot!(env.eart(["tag", "base"]), @"Moved base from {id1} to {id3} three");
    assert_snapshot!(env.eart(["tag", "base"]), @"base is on {id3} three already");
    let list = env.eart(["tag"]).done();
    assert!(list.starts_with("base  {id3}  2026-01-01 ") && list.ends_with("  three\n"), "{list}");
    assert_eq!(env.eart(["show", "base", "--json"]).json()["tags"][0], "base");
    assert_snapshot!(env.eart(["tag", "-d", "base"]), @"Deleted base (was on {id3})");
    assert_snapshot!(env.eart(["tag", "-d", "base"]), @r#"
    --- stderr
    error: No tag "base"
    hint: `eart tag` lists the tags there are
    --- exit 1
    "#);
    for bad in ["latest", "a/b", "a b", ""] {
        assert_eq!(env.eart(["tag", bad]).code(), 2, "{bad:?}");
    }
}

#[test]
fn a_damaged_tag_stops_nobody_but_those_who_name_it() {
    let env = three_runs();
    env.eart(["tag", "base", "one"]).done();
    std::fs::write(env.path(".eart/refs/tags/base"), "rubbish").unwrap();
    env.eart(["log"]).done();
    env.eart(["show", "latest"]).done();
    let named = env.eart(["show", "base"]);
    assert!(named.code() == 1 && named.stderr.contains("The tag base is damaged"), "{named}");
    assert_eq!(env.eart(["tag"]).code(), 3);
    // What it protects is not known, so nothing is removed.
    assert_eq!(env.eart(["rm", "one"]).code(), 1);
    env.eart(["tag", "base", "two"]).done();
    env.eart(["rm", "one"]).done();
}

#[test]
fn pins_are_set_and_taken_away() {
    let env = three_runs();
    assert_snapshot!(env.eart(["pin", "one", "latest"]), @r"
    Pinned {id1} one
    Pinned {id3} three
    ");
    assert_snapshot!(env.eart(["pin", "one"]), @"Was pinned already: {id1} one");
    assert_snapshot!(env.eart(["unpin", "one"]), @"Unpinned {id1} one");
    assert_snapshot!(env.eart(["unpin", "one"]), @"Was not pinned: {id1} one");
    // One that is not there stops it before anything is done.
    assert_eq!(env.eart(["pin", "two", "nope"]).code(), 1);
    assert_eq!(env.eart(["show", "two", "--json"]).json()["pinned"], false);
}

#[test]
fn removed_runs_are_gone_and_in_the_log() {
    let env = three_runs();
    assert_snapshot!(env.eart(["rm", "one", "latest", "three", "-m", "too many"]), @r"
    Removed {id1} one
    Removed {id3} three
    The space comes back with `eart gc`
    ");
    assert_snapshot!(env.eart(["log", "--oneline"]), @"{id2} two It broke");
    let log = String::from_utf8(env.read(".eart/audit.log")).unwrap();
    let lines: Vec<serde_json::Value> =
        log.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["verb"], &lines[0]["name"]), (&"rm".into(), &"one".into()));
    assert_eq!(lines[0]["reason"], "too many");
    // What was committed before can be added and committed again.
    env.eart(["add", "out"]).done();
    env.eart(["commit", "--name", "four"]).done();
    assert_eq!(env.eart(["cat", "latest:out/video.webm"]).raw.len(), 5000);
}

#[test]
fn tagged_and_pinned_runs_are_not_removed() {
    let env = three_runs();
    env.eart(["tag", "base", "one"]).done();
    env.eart(["pin", "two"]).done();
    assert_snapshot!(env.eart(["rm", "one", "two", "three"]), @r"
    --- stderr
    error: Removed nothing:
      {id1} stays: it has the tag base
      {id2} stays: it is pinned
    hint: remove what keeps them with `eart tag -d base` and `eart unpin {id2}`, or use --force
    --- exit 1
    ");
    assert_eq!(env.eart(["log", "--json"]).json().as_array().unwrap().len(), 3);
    assert!(!env.path(".eart/audit.log").exists());
    env.eart(["rm", "one", "two", "--force"]).done();
    assert_snapshot!(env.eart(["tag"]), @"");
}

#[test]
fn stats_add_up() {
    let env = three_runs();
    env.write(".eart/tmp/left", "what a crash left");
    env.write(".eart/audit.log", "a line\n");
    let stats = env.eart(["stats", "--json"]).json();
    assert_eq!((&stats["runs"], &stats["files"]), (&3.into(), &5.into()));
    assert_eq!(stats["logical_bytes"], 3 * 2 + 300 + 5000);
    assert_eq!(stats["unique_bytes"], 2 + 300 + 5000);
    assert_eq!(stats["saved_by_deduplication_bytes"], 4);
    let packs = std::fs::read_dir(env.path(".eart/packs")).unwrap();
    let stored: u64 = packs.map(|p| p.unwrap().metadata().unwrap().len()).sum();
    assert_eq!(stats["stored_bytes"], stored);
    let mut find = Command::new("find");
    find.arg(env.path(".eart")).args(["-type", "f", "-printf", "%s\n"]);
    let store = String::from_utf8(find.output().unwrap().stdout).unwrap();
    let all: u64 = store.lines().map(|size| size.parse::<u64>().unwrap()).sum();
    assert_eq!(stats["total_bytes"], all);
    assert!(env.eart(["stats"]).done().contains("Saved by deduplication         4 B"));
}
