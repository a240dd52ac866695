//! `eart commit`

use insta::assert_snapshot;

use crate::env::TestEnv;

#[test]
fn a_run_is_made_and_the_next_draft_is_empty() {
    let env = TestEnv::new();
    env.write("results.json", "{}");
    env.write("trace.log", "line\n".repeat(1000));
    env.eart(["add", "."]).done();
    assert_snapshot!(env.eart(["commit", "-m", "Nightly on main\n\nmore"]), @r"
    [{id1} run-20260101-000002] Nightly on main
     2 files, 5.0 KB; {N} new in the store
    ");
    assert_snapshot!(env.eart(["commit"]), @r"
    --- stderr
    error: Nothing to commit: nothing is staged in the draft default
    hint: stage files with `eart add PATH`, or commit an empty run with --allow-empty
    --- exit 1
    ");
    assert_snapshot!(env.eart(["commit", "--allow-empty", "--name", "empty"]), @r"
    [{id2} empty]
     0 files, 0 B; 0 B new in the store
    ");
}

#[test]
fn what_is_said_about_a_run_is_kept() {
    let env = TestEnv::new();
    env.write("a", "a");
    env.eart(["add", "a"]).done();
    let args = "commit -m words -l branch=main --label suite=e2e=2 --status failed --name n --json";
    let output = env.eart(args.split(' '));
    let run = output.json();
    assert_eq!(run["labels"], serde_json::json!({"branch": "main", "suite": "e2e=2"}), "{output}");
    assert_eq!((&run["status"], &run["message"]), (&"failed".into(), &"words".into()));
    assert_eq!((&run["name"], &run["project"]), (&"n".into(), &"work".into()));
    assert_eq!((&run["summary"]["files"], &run["summary"]["bytes"]), (&1.into(), &1.into()));
    assert_eq!(run["started"], "2026-01-01T00:00:01Z");
}

#[test]
fn what_cannot_be_said_about_a_run_is_refused() {
    let env = TestEnv::new();
    assert_snapshot!(env.eart(["commit", "--label", "branch"]), @r#"
    --- stderr
    error: invalid value 'branch' for '--label <NAME=VALUE>': Not a label: "branch" (it is not written name=value)

    For more information, try '--help'.
    --- exit 2
    "#);
    assert_snapshot!(env.eart(["commit", "--label", "a=1", "--label", "a=2"]), @r"
    --- stderr
    error: The label a is given twice
    --- exit 2
    ");
    assert_snapshot!(env.eart(["commit", "--status", "green"]), @r"
    --- stderr
    error: invalid value 'green' for '--status <STATUS>'
      [possible values: passed, failed, error, unknown]

    For more information, try '--help'.
    --- exit 2
    ");
    assert_snapshot!(env.eart(["commit", "--name", "latest"]), @r"
    --- stderr
    error: invalid value 'latest' for '--name <NAME>': latest always means the newest run

    For more information, try '--help'.
    --- exit 2
    ");
    assert_snapshot!(env.eart(["commit", "--name", "a b"]), @r#"
    --- stderr
    error: invalid value 'a b' for '--name <NAME>': Not a name: "a b" (it may only hold letters, digits, dot, underscore and dash)

    For more information, try '--help'.
    --- exit 2
    "#);
}

/// Two drafts with one file in common, one of their own, and one that differs.
fn shards() -> TestEnv {
    let env = TestEnv::new();
    for draft in ["shard-1", "shard-2"] {
        env.write("common", "common");
        env.write(draft, "own");
        env.write("results.json", draft);
        env.eart(["add", "common", draft, "results.json", "--draft", draft]).done();
    }
    env
}

#[test]
fn drafts_are_joined_in_one_step() {
    let env = shards();
    let both = ["commit", "--draft", "shard-1", "--draft", "shard-2"];
    assert_snapshot!(env.eart(both), @r"
    --- stderr
    error: results.json differs between shard-1 and shard-2
    hint: keep the parts apart with --prefix: each goes below its own name
    --- exit 1
    ");
    // Nothing was lost by that.
    assert_eq!(env.eart(["draft", "list"]).done().lines().count(), 2);
    env.eart(["reset", "results.json", "--draft", "shard-2"]).done();
    assert_snapshot!(env.eart(both), @r"
    [{id1} run-20260101-000006]
     4 files, 19 B; {N} new in the store
    ");
    assert_eq!(env.eart(["draft", "list"]).done(), "");
    assert_snapshot!(env.eart(both), @r"
    --- stderr
    error: Nothing is staged in the draft shard-1
    hint: leave it out, or join what there is with --allow-empty
    --- exit 1
    ");
}

#[test]
fn parts_can_be_kept_apart() {
    let env = shards();
    env.eart(["commit", "--draft", "shard-1", "--draft", "shard-2", "--prefix"]).done();
    let output = env.eart(["status", "--json"]);
    assert_eq!(output.code(), 0, "{output}");
    env.eart(["checkout", "latest", "--to", "out"]).done();
    for path in ["shard-1/shard-1", "shard-1/results.json", "shard-2/results.json"] {
        assert!(env.path("out").join(path).is_file(), "{path}");
    }
}

#[test]
fn runs_are_joined_without_the_open_draft() {
    let env = shards();
    for draft in ["shard-1", "shard-2"] {
        env.eart(["reset", "results.json", "--draft", draft]).done();
        env.eart(["commit", "--draft", draft, "--name", draft]).done();
    }
    env.write("unrelated", "u");
    env.eart(["add", "unrelated"]).done();
    env.set("EART_DRAFT", "default");
    assert_snapshot!(env.eart(["commit", "--name", "all", "--from", "shard-1", "shard-2"]), @r"
    [{id3} all]
     3 files, 12 B; 0 B new in the store
    ");
    assert_eq!(
        env.eart(["status", "--short"]).done(),
        "D common\nD shard-1\nD shard-2\nA unrelated\n"
    );
    // Two runs of one name have folders of their own.
    env.eart(["commit", "--name", "all"]).done();
    let twice = ["commit", "--from", "all", "all~1", "--prefix", "--json"];
    let output = env.eart(twice);
    assert_eq!(output.json()["summary"]["files"], 4, "{output}");
}

#[test]
fn a_clock_that_goes_backwards_does_not_reorder_runs() {
    let env = TestEnv::new();
    let commit = |time: &str| {
        env.set("EART_TEST_CLOCK", time);
        let output = env.eart(["commit", "--allow-empty", "--json"]);
        (output.json()["committed"].clone(), output.stderr)
    };
    assert_eq!(commit("2026-01-02T00:00:00Z").0, "2026-01-02T00:00:00Z");
    let (time, told) = commit("2026-01-01T00:00:00Z");
    assert_eq!(time, "2026-01-02T00:00:00.000000001Z");
    assert!(told.contains("is from 2026-01-02 00:00:00, which is still to come"), "{told}");
    assert_eq!(commit("2026-01-01T23:59:30Z").1, "");
    // Once the clock is right, runs are as old as they are, whatever one of them says.
    env.set("EART_TEST_CLOCK", "2026-01-01T00:00:00Z");
    let collected = env.eart(["gc", "--keep-within", "1h", "--dry-run"]);
    assert!(collected.stdout.starts_with("Would remove 0 runs"), "{collected}");
}

#[test]
fn nothing_staged_names_the_draft_and_the_others() {
    let env = TestEnv::new();
    env.write("a", "a");
    env.eart(["add", "a", "--draft", "shard-1"]).done();
    assert_snapshot!(env.eart(["commit"]), @r"
    --- stderr
    error: Nothing to commit: nothing is staged in the draft default
    hint: other drafts are open: shard-1; name one with --draft
    --- exit 1
    ");
    assert_eq!(env.eart(["draft", "drop", "shard-1", "--json"]).json()[0]["draft"], "shard-1");
}
