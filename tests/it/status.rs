//! `eart status`

use insta::assert_snapshot;

use crate::env::TestEnv;

#[test]
fn nothing_is_staged_and_it_says_what_to_do() {
    let env = TestEnv::new();
    assert_snapshot!(env.eart(["status"]), @r"
    Draft default, no runs yet

    Nothing staged
      (stage files with `eart add PATH`)
    ");
    env.eart(["commit", "--allow-empty", "--name", "nightly"]).done();
    assert_snapshot!(env.eart(["status"]), @r"
    Draft default, against the run {id1} nightly of 2026-01-01 00:00:02

    Nothing staged
      (stage files with `eart add PATH`)
    ");
}

#[test]
fn what_is_staged_stands_against_the_last_run() {
    let env = TestEnv::new();
    env.write("results.json", "{}");
    env.write("report/index.html", "<html>");
    env.write("report/same.css", "a {}");
    env.write("old/shot.png", "png");
    env.write("old/deep/shot.png", "png");
    env.eart(["add", "."]).done();
    env.eart(["commit", "--name", "nightly"]).done();
    std::fs::remove_dir_all(env.path("old")).unwrap();
    env.write("results.json", "{\"stats\": 1}");
    env.write("report/new.js", "");
    env.write("traces/one/a.zip", "a".repeat(1500));
    env.write("traces/b.zip", "b".repeat(1500));
    let _ = env.eart(["add", "."]);
    assert_snapshot!(env.eart(["status"]), @r"
    Draft default, against the run {id1} nightly of 2026-01-01 00:00:02
      (seal it with `eart commit`, take files out with `eart reset PATH`)

      gone     old/  2 files, 6 B
      new      report/new.js  0 B
      changed  results.json  2 B -> 12 B
      new      traces/  2 files, 3.0 KB
      same     2 files, 10 B

    6 files staged, 3.0 KB: 3 new, 1 changed, 2 same, 2 gone; {N} new in the store
    ");
    assert_snapshot!(env.eart(["status", "--all"]), @r"
    Draft default, against the run {id1} nightly of 2026-01-01 00:00:02
      (seal it with `eart commit`, take files out with `eart reset PATH`)

      gone     old/
      gone     old/deep/
      gone     old/deep/shot.png  3 B
      gone     old/shot.png  3 B
      new      report/new.js  0 B
      changed  results.json  2 B -> 12 B
      new      traces/
      new      traces/b.zip  1.5 KB
      new      traces/one/
      new      traces/one/a.zip  1.5 KB
      same     2 files, 10 B

    6 files staged, 3.0 KB: 3 new, 1 changed, 2 same, 2 gone; {N} new in the store
    ");
    assert_snapshot!(env.eart(["status", "--short"]), @r"
    D old/deep/shot.png
    D old/shot.png
    A report/new.js
    M results.json
    A traces/b.zip
    A traces/one/a.zip
    ");
    let json = env.eart(["status", "--json"]).json();
    assert_eq!(
        (&json["staged"]["files"], &json["same"]["files"]),
        (&6.into(), &2.into()),
        "{json}"
    );
    assert!(json["draft"] == "default" && json["base"].is_string(), "{json}");
    let changes = json["changes"].as_array().unwrap().iter().map(serde_json::Value::to_string);
    assert_snapshot!(changes.collect::<Vec<_>>().join("\n"), @r#"
    {"change":"gone","path":"old","kind":"dir","size_bytes":0}
    {"change":"gone","path":"old/deep","kind":"dir","size_bytes":0}
    {"change":"gone","path":"old/deep/shot.png","kind":"file","size_bytes":3}
    {"change":"gone","path":"old/shot.png","kind":"file","size_bytes":3}
    {"change":"added","path":"report/new.js","kind":"file","size_bytes":0}
    {"change":"changed","path":"results.json","kind":"file","size_bytes":12,"size_before_bytes":2}
    {"change":"added","path":"traces","kind":"dir","size_bytes":0}
    {"change":"added","path":"traces/b.zip","kind":"file","size_bytes":1500}
    {"change":"added","path":"traces/one","kind":"dir","size_bytes":0}
    {"change":"added","path":"traces/one/a.zip","kind":"file","size_bytes":1500}
    "#);
}

#[test]
fn a_draft_is_compared_with_what_was_committed_from_it_before() {
    let env = TestEnv::new();
    for draft in ["one", "two"] {
        env.write("name", draft);
        env.eart(["add", "name", "--draft", draft]).done();
        env.eart(["commit", "--draft", draft, "--name", draft]).done();
    }
    env.write("name", "one");
    env.eart(["add", "name", "--draft", "one"]).done();
    assert_snapshot!(env.eart(["status", "--draft", "one"]), @r"
    Draft one, against the run {id1} one of 2026-01-01 00:00:02
      same     1 file, 3 B

    1 file staged, 3 B: 0 new, 0 changed, 1 same, 0 gone; 0 B new in the store
    ");
    // A draft that was never committed is compared with the newest run.
    env.eart(["add", "name", "--draft", "three"]).done();
    assert_snapshot!(env.eart(["status", "--draft", "three"]), @r"
    Draft three, against the run {id2} two of 2026-01-01 00:00:04
      (seal it with `eart commit`, take files out with `eart reset PATH`)

      changed  name  3 B

    1 file staged, 3 B: 0 new, 1 changed, 0 same, 0 gone; 0 B new in the store
    ");
}

#[test]
fn without_a_store_it_says_how_to_make_one() {
    assert_snapshot!(TestEnv::bare().eart(["status"]), @r"
    --- stderr
    error: No eart store in $ROOT/work or above it
    hint: make one with `eart init`, or name one with --store
    --- exit 1
    ");
}

#[test]
fn a_long_list_is_put_together_by_folder() {
    let env = TestEnv::new();
    env.write("out/a/kept", "");
    env.write("out/b/kept", "");
    env.eart(["add", "out"]).done();
    env.eart(["commit", "--name", "first"]).done();
    for number in 0..15 {
        env.write(format!("out/a/{number}.png"), "png");
        env.write(format!("out/b/{number}.png"), "png");
    }
    env.write("out/c/one.png", "png");
    let _ = env.eart(["add", "out"]);
    assert_snapshot!(env.eart(["status"]), @r"
    Draft default, against the run {id1} first of 2026-01-01 00:00:02
      (seal it with `eart commit`, take files out with `eart reset PATH`)

      new      out/a/  15 files, 45 B
      new      out/b/  15 files, 45 B
      new      out/c/  1 file, 3 B
      same     2 files, 0 B

    33 files staged, 93 B: 31 new, 0 changed, 2 same, 0 gone; {N} new in the store
    ");
    let all = env.eart(["status", "--all"]).done();
    assert!(all.contains("out/a/14.png"), "{all}");
    assert_eq!(env.eart(["status", "--json"]).json()["counts"]["new"], 31);
}

#[test]
fn a_store_that_is_named_is_looked_for_nowhere_else() {
    let env = TestEnv::new();
    assert_snapshot!(env.eart(["--store", "/nonexist", "status"]), @r"
    --- stderr
    error: No eart store in /nonexist
    hint: make one there with `eart --store /nonexist init`
    --- exit 1
    ");
    env.set("EART_DIR", "");
    env.eart(["status"]).done();
    env.set("EART_DIR", "/nonexist");
    let output = env.eart(["status"]).to_string();
    assert!(output.contains("No eart store in /nonexist\n"), "{output}");
}

#[test]
fn files_and_links_are_counted_apart_and_add_up() {
    use std::os::unix::fs::symlink;
    let env = TestEnv::new();
    env.write("a", "one");
    env.write("becomes-link", "file");
    symlink("a", env.path("same-link")).unwrap();
    symlink("a", env.path("gone-link")).unwrap();
    env.eart(["add", "."]).done();
    env.eart(["commit", "--name", "first"]).done();
    std::fs::remove_file(env.path("gone-link")).unwrap();
    std::fs::remove_file(env.path("becomes-link")).unwrap();
    symlink("a", env.path("becomes-link")).unwrap();
    env.write("b", "12");
    symlink("b", env.path("new-link")).unwrap();
    std::fs::create_dir(env.path("links")).unwrap();
    symlink("b", env.path("links/one")).unwrap();
    env.eart(["add", "."]).done();
    assert_snapshot!(env.eart(["status"]), @r"
    Draft default, against the run {id1} first of 2026-01-01 00:00:02
      (seal it with `eart commit`, take files out with `eart reset PATH`)

      new      b  2 B
      changed  becomes-link  link
      gone     gone-link  link
      new      links/  1 link
      new      new-link  link
      same     1 file, 1 link, 3 B

    2 files staged, 5 B: 1 new, 0 changed, 1 same, 0 gone; {N} new in the store
    4 links staged: 2 new, 1 changed, 1 same, 1 gone
    ");
    let json = env.eart(["status", "--json"]).json();
    assert_snapshot!(json["counts"], @r#"{"new":1,"changed":0,"same":1,"gone":0,"links":{"new":2,"changed":1,"same":1,"gone":1}}"#);
    assert_eq!((&json["staged"]["files"], &json["staged"]["links"]), (&2.into(), &4.into()));
}
