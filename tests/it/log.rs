//! `eart log`, `eart show` and `eart find`

use insta::assert_snapshot;

use crate::env::TestEnv;

/// Three runs: `one` with a picture, `two` that failed, `three` with a large video.
pub(crate) fn three_runs() -> TestEnv {
    let env = TestEnv::new();
    env.write("out/results.json", "{}");
    env.write("out/shots/login.png", "p".repeat(300));
    env.eart(["add", "out"]).done();
    env.eart(["commit", "-m", "First run", "--name", "one", "--label", "branch=main"]).done();
    std::fs::remove_dir_all(env.path("out/shots")).unwrap();
    env.eart(["add", "out"]).done();
    env.eart(["commit", "-m", "\nIt broke\n\nbadly", "--name", "two", "--status", "failed"]).done();
    env.write("out/video.webm", "v".repeat(5000));
    env.eart(["add", "out"]).done();
    env.eart(["commit", "--name", "three", "--status", "passed", "--label", "branch=main"]).done();
    env
}

fn names(env: &TestEnv, args: &[&str]) -> String {
    let log = env.eart(["log", "--json"].iter().chain(args)).json();
    let names = log.as_array().unwrap().iter().map(|run| run["name"].as_str().unwrap().to_owned());
    names.collect::<Vec<_>>().join(" ")
}

#[test]
fn runs_come_newest_first_with_what_points_to_them() {
    let env = three_runs();
    env.eart(["tag", "baseline", "one"]).done();
    env.eart(["pin", "one"]).done();
    let log = env.eart(["log"]).done();
    let mut lines: Vec<&str> = log.lines().collect();
    assert!(lines[0].contains("  three  passed  2 files  5.0 KB"), "{log}");
    assert_eq!(lines[1].trim(), "branch=main");
    assert!(lines[2].contains("  two    failed  1 file "), "{log}");
    assert_eq!(lines[3].trim(), "It broke");
    assert!(lines[4].contains("  one    -  ") && lines[4].ends_with("(baseline, pinned)"), "{log}");
    assert_eq!(lines.split_off(5).concat().trim(), "First run  branch=main");
    assert_snapshot!(env.eart(["log", "--oneline", "-n", "2"]), @r"
    {id3} three
    {id2} two It broke
    ");
}

#[test]
fn all_conditions_must_hold() {
    let env = three_runs();
    assert_eq!(names(&env, &[]), "three two one");
    assert_eq!(names(&env, &["--label", "branch=main"]), "three one");
    assert_eq!(names(&env, &["--label", "branch=main", "--status", "passed"]), "three");
    assert_eq!(names(&env, &["--status", "failed"]), "two");
    assert_eq!(names(&env, &["--larger", "4KB"]), "three");
    assert_eq!(names(&env, &["--path", "*.png"]), "one");
    assert_eq!(names(&env, &["--path", "shots"]), "one");
    assert_eq!(names(&env, &["--path", "out/*.json", "-n", "2"]), "three two");
    // The large file and the file of that name are two files.
    assert_eq!(names(&env, &["--path", "results.json", "--larger", "100"]), "");
    assert_eq!(names(&env, &["--since", "2026-01-02"]), "");
    assert_eq!(names(&env, &["--until", "2026-01-02"]), "three two one");
}

#[test]
fn mistakes_are_told() {
    let env = TestEnv::new();
    assert_snapshot!(env.eart(["log"]), @r"
    --- stderr
    hint: there are no runs yet: stage files with `eart add PATH`, then `eart commit`
    ");
    assert_snapshot!(env.eart(["log", "--path", "a[z-"]), @r#"
    --- stderr
    error: Not a glob: "a[z-" (unclosed character class; missing ']')
    hint: write it like **/*.png, test-results/*/trace.zip or junit.xml
    --- exit 2
    "#);
    assert_eq!(env.eart(["log", "--larger", "5 cows"]).code(), 2);
    assert_eq!(env.eart(["log", "--since", "soon"]).code(), 2);
    assert_eq!(env.eart(["log", "--status", "green"]).code(), 2);
}

#[test]
fn show_tells_everything() {
    let env = three_runs();
    let shown = env.eart(["show", "one"]).done();
    assert_snapshot!(shown.split("Started").next().unwrap(), @r"
    run {id1}
    Name:       one
    Project:    work
    Status:     -
    ");
    assert!(
        shown.contains(
            "Labels:     branch=main\n\n    First run\n\n2 files, 302 B; 2 folders, 0 links\n"
        ),
        "{shown}"
    );
    assert!(shown.contains("The largest file is out/shots/login.png, 300 B"), "{shown}");
    let json = env.eart(["show", "one", "--json"]).json();
    assert_eq!(json["summary"]["files"], 2);
    assert_eq!(json["labels"]["branch"], "main");
    assert_eq!(json["pinned"], false);
    assert!(json["committed"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
}

#[test]
fn a_run_that_is_not_there_is_an_error_that_helps() {
    let env = three_runs();
    assert_snapshot!(env.eart(["show", "nightly"]), @r#"
    --- stderr
    error: No run "nightly"
    hint: `eart log` lists the runs, `eart tag` the tags
    --- exit 1
    "#);
    assert_snapshot!(env.eart(["show", "latest~3"]), @r#"
    --- stderr
    error: No run "latest~3": only 2 lie before latest
    hint: `eart log` lists the runs
    --- exit 1
    "#);
}

#[test]
fn the_beginning_of_an_id_is_enough_in_any_case() {
    let env = three_runs();
    let id = env.eart(["show", "two", "--json"]).json()["id"].as_str().unwrap().to_owned();
    for text in [&id[..8], &id, &id.to_uppercase()] {
        assert_eq!(env.eart(["show", text, "--json"]).json()["name"], "two", "{text}");
    }
    assert_eq!(env.eart(["show", &id[..3]]).code(), 1);
}

#[test]
fn files_are_found_in_all_runs() {
    let env = three_runs();
    assert_snapshot!(env.eart(["find", "*.json"]), @r"
    {id3}  three  2 B  out/results.json
    {id2}  two    2 B  out/results.json
    {id1}  one    2 B  out/results.json
    ");
    assert_snapshot!(env.eart(["find", "out/**", "--larger", "100", "--label", "branch=main"]), @r"
    {id3}  three  5.0 KB  out/video.webm
    {id1}  one     300 B  out/shots/login.png
    ");
    assert_eq!(env.eart(["find", "*", "-n", "1", "--json"]).json().as_array().unwrap().len(), 1);
    assert_snapshot!(env.eart(["find", "shots"]), @r"
    --- stderr
    hint: no file of any run is like that; for all in a folder write DIR/**
    ");
}

#[test]
fn a_name_counts_among_the_runs_of_that_name() {
    let env = TestEnv::new();
    for name in ["nightly", "smoke", "nightly", "smoke"] {
        env.eart(["commit", "--allow-empty", "--name", name]).done();
    }
    let id = |run: &str| env.eart(["show", run, "--json"]).json()["id"].clone();
    assert_eq!(id("nightly"), id("latest~1"));
    assert_eq!(id("nightly~1"), id("latest~3"));
    assert_eq!(id("smoke~"), id("latest~2"));
    assert_snapshot!(env.eart(["show", "nightly~2"]), @r#"
    --- stderr
    error: No run "nightly~2": only 1 lies before nightly
    hint: `eart log` lists the runs
    --- exit 1
    "#);
}

#[test]
fn a_revision_that_cannot_be_meant_says_how_to_write_it() {
    let env = TestEnv::new();
    env.eart(["commit", "--allow-empty", "--name", "one"]).done();
    assert_snapshot!(env.eart(["show", "3fa"]), @r#"
    --- stderr
    error: No run "3fa": an id is named by at least 4 digits
    hint: `eart log` lists the runs
    --- exit 1
    "#);
    assert_snapshot!(env.eart(["checkout", "one:d/a"]), @r#"
    --- stderr
    error: No run "one:d/a"
    hint: for a path in a run write `eart checkout one d/a` or `eart cat one:d/a`
    --- exit 1
    "#);
}

#[test]
fn a_prefix_of_several_ids_lists_their_runs() {
    let lab = crate::lab::Lab::new();
    let mut seen = std::collections::BTreeMap::new();
    for number in 0..3000 {
        let name = Some(format!("run-{number}"));
        let options = eart::repo::CommitOptions { name, allow_empty: true, ..Default::default() };
        let id = lab.repo.commit(&options).unwrap().id.to_hex();
        let Some(other) = seen.insert(id[..4].to_owned(), id.clone()) else { continue };
        let message = lab.repo.resolve(&id[..4]).unwrap_err().to_string();
        assert!(message.contains("begins the ids of 2 runs"), "{message}");
        assert!(message.contains(&other[..16]) && message.contains(&id[..16]), "{message}");
        assert_eq!(lab.repo.resolve(&id).unwrap().to_hex(), id);
        return;
    }
    panic!("no two ids begin alike");
}

#[test]
fn a_number_of_runs_is_taken_as_git_takes_it() {
    let env = TestEnv::new();
    for name in ["a", "b", "c"] {
        env.eart(["commit", "--allow-empty", "--name", name]).done();
    }
    assert_eq!(env.eart(["log", "-2", "--oneline"]).done().lines().count(), 2);
    let output = env.eart(["log", "-n", "abc"]).to_string();
    assert!(output.contains("a whole number is expected, such as 10"), "{output}");
}

#[test]
fn no_runs_are_shown_where_none_are_asked_for() {
    let env = three_runs();
    assert_eq!(env.eart(["log", "-n", "0"]).done(), "");
    assert_eq!(env.eart(["find", "*.json", "-n", "0"]).done(), "");
    assert!(env.eart(["log", "-n", "0", "--status", "error"]).stderr.is_empty());
}
