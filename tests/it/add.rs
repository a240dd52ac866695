//! `eart add`

use std::io::Write;
use std::os::unix::fs::symlink;
use std::process::Command;

use insta::assert_snapshot;

use crate::env::TestEnv;

fn staged(env: &TestEnv) -> String {
    env.eart(["status", "--short"]).done()
}

#[test]
fn it_tells_what_was_staged_in_one_line() {
    let env = TestEnv::new();
    env.write("report/index.html", "<html>".repeat(1000));
    env.write("results.json", "{}");
    assert_snapshot!(env.eart(["add", "report", "results.json"]), @"Staged 2 files, 6.0 KB; {N} new in the store");
    assert_snapshot!(env.eart(["add", "report/index.html", "--json"]), @r#"
    {
      "draft": "default",
      "files": 1,
      "links": 0,
      "bytes": 6000,
      "unchanged": 0,
      "removed": 0,
      "new_bytes": 0,
      "problems": []
    }
    "#);
}

#[test]
fn files_that_did_not_change_are_not_read_again() {
    let env = TestEnv::new();
    env.write("a", "a");
    env.write("b", "b");
    env.settle();
    env.eart(["add", "."]).done();
    env.write("b", "B");
    assert_snapshot!(env.eart(["add", "."]), @"Staged 2 files, 2 B (1 unchanged); {N} new in the store");
    env.eart(["commit"]).done();
    // Nor after a commit.
    assert_snapshot!(env.eart(["add", "a"]), @"Staged 1 file, 1 B (1 unchanged); 0 B new in the store");
}

#[test]
fn the_draft_becomes_equal_to_the_folder() {
    let env = TestEnv::new();
    env.write("out/a", "a");
    env.write("out/b", "b");
    env.write("else", "e");
    env.eart(["add", "."]).done();
    std::fs::remove_file(env.path("out/b")).unwrap();
    env.write("out/c", "c");
    let output = env.eart(["add", "out", "--json"]);
    assert_eq!(output.json()["removed"], 1, "{output}");
    assert_snapshot!(staged(&env), @r"
    A else
    A out/a
    A out/c
    ");
}

#[test]
fn every_file_counts_but_what_is_ignored_or_excluded() {
    let env = TestEnv::new();
    for name in [".hidden", ".gitignore", "ignored", ".git/config", "a.tmp", "deep/b.tmp", "big"] {
        env.write(name, name.repeat(100));
    }
    env.write(".gitignore", "ignored\n");
    env.write(".eartignore", "big\n");
    env.eart(["add", ".", "--exclude", "*.tmp"]).done();
    assert_snapshot!(staged(&env), @r"
    A .eartignore
    A .gitignore
    A .hidden
    A ignored
    ");
    env.eart(["add", ".git"]).done();
    assert!(staged(&env).contains("A .git/config"));
}

#[test]
fn paths_from_elsewhere_go_under_their_base_name_or_where_one_says() {
    let env = TestEnv::new();
    std::fs::create_dir(env.home().join("videos")).unwrap();
    std::fs::write(env.home().join("videos/a.webm"), "v").unwrap();
    let videos = env.home().join("videos");
    env.eart(["add".as_ref(), videos.as_os_str()]).done();
    env.eart(["add".as_ref(), videos.as_os_str(), "--as".as_ref(), "media/clips/".as_ref()]).done();
    assert_snapshot!(staged(&env), @r"
    A media/clips/a.webm
    A videos/a.webm
    ");
    env.write("videos/a.webm", "another");
    assert_snapshot!(env.eart(["add", "videos"]), @r"
    --- stderr
    error: Two sources for videos in the run: $ROOT/home/videos and $ROOT/work/videos
    hint: give one of them another place with --as, or take the first out with `eart reset`
    --- exit 1
    ");
    assert_snapshot!(env.eart(["add", "videos", "else", "--as", "x"]), @r"
    --- stderr
    error: --as names one place, so it goes with exactly one path
    --- exit 2
    ");
    assert_snapshot!(env.eart(["add", "videos", "--as", "../x"]), @r"
    --- stderr
    error: invalid value '../x' for '--as <PATH>': Not a path inside a run: ../x (it has a . or .. component)

    For more information, try '--help'.
    --- exit 2
    ");
}

#[test]
fn paths_are_relative_to_where_one_is() {
    let env = TestEnv::new();
    env.write("deep/er/file", "f");
    env.eart_in("deep/er", ["add", "file"]).done();
    assert_snapshot!(staged(&env), @"A deep/er/file");
}

#[test]
fn what_lies_in_another_named_folder_is_taken_once() {
    let env = TestEnv::new();
    env.write("a/b/c", "c");
    assert_snapshot!(env.eart(["add", "a/b/c", "a/b", "a", "."]), @"Staged 1 file, 1 B; {N} new in the store");
}

#[test]
fn types_are_detected_and_can_be_said() {
    let env = TestEnv::new();
    env.write("notes.txt", "n");
    env.eart(["add", "notes.txt", "--type", "build-log"]).done();
    let output = env.eart(["status", "--json"]);
    assert_eq!(output.json()["staged"]["types"]["build-log"]["files"], 1, "{output}");
    assert_snapshot!(env.eart(["add", "notes.txt", "--type", "log"]), @r"
    --- stderr
    error: invalid value 'log' for '--type <TYPE>'
      [possible values: custom, test-results, coverage, security-findings, performance-metrics, build-log, static-analysis, api-docs, screenshot, video, trace, html-report]

    For more information, try '--help'.
    --- exit 2
    ");
}

#[test]
fn what_cannot_be_taken_is_named_and_the_exit_code_remembers() {
    let env = TestEnv::new();
    env.write("out/fine", "f");
    env.write("out/large", "x".repeat(2000));
    assert!(Command::new("mkfifo").arg(env.path("out/pipe")).status().unwrap().success());
    assert_snapshot!(env.eart(["add", "out", "--max-size", "1.5KB"]), @r"
    Staged 1 file, 1 B; {N} new in the store
    --- stderr
    warning: out/pipe is a named pipe; left out
    warning: out/large has 2000 bytes, more than the 1500 that max-size allows; left out
    --- exit 3
    ");
    assert_snapshot!(staged(&env), @"A out/fine");
    let output = env.eart(["add", "out", "--max-size", "1KB", "--json"]);
    assert_eq!(output.json()["problems"].as_array().unwrap().len(), 2, "{output}");
    assert_eq!(output.code(), 3);
}

#[test]
fn a_broken_archive_is_named_and_kept() {
    let env = TestEnv::new();
    env.write("trace.zip", b"PK\x03\x04 and then nothing that makes sense");
    let output = env.eart(["add", "trace.zip"]);
    assert!(output.stderr.contains("warning: trace.zip is a broken archive"), "{output}");
    assert_eq!(output.code(), 3);
    assert_eq!(staged(&env), "A trace.zip\n");
}

/// A zip archive with one entry that is stored as it is.
fn stored_zip(text: &[u8]) -> Vec<u8> {
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("page.txt", stored).unwrap();
    zip.write_all(text).unwrap();
    zip.finish().unwrap().into_inner()
}

#[test]
fn a_zip_whose_stored_data_differs_from_its_checksum_is_named() {
    let env = TestEnv::new();
    let mut zip = stored_zip(&b"some text\n".repeat(50_000));
    env.write("whole.zip", &zip);
    env.eart(["add", "whole.zip"]).done();
    zip[250_000] ^= 1;
    env.write("flipped.zip", &zip);
    assert_snapshot!(env.eart(["add", "flipped.zip"]), @r"
    Staged 1 file, 500.1 KB; {N} new in the store
    --- stderr
    warning: flipped.zip is a broken archive, kept as it is: the checksum of entry 1 of 1 differs
    --- exit 3
    ");
}

const REPORTS: [(&str, &[u8]); 2] = [
    ("junit.xml", include_bytes!("../data/reports/junit.xml")),
    ("results.json", include_bytes!("../data/reports/results.json")),
];

#[test]
fn whole_reports_are_taken_without_a_word() {
    let env = TestEnv::new();
    for (name, bytes) in REPORTS {
        env.write(name, bytes);
    }
    let wide: Vec<u8> =
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-16\"?>\r\n<TestRun name=\"grün\"/>"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
    env.write("results", &wide);
    env.eart(["add", "."]).done();
    let types = env.eart(["status", "--json"]).json();
    assert_eq!(types["staged"]["types"]["test-results"]["files"], 3, "{types}");
}

#[test]
fn broken_reports_are_named_each_time_and_come_back_as_they_were() {
    let env = TestEnv::new();
    let mut written = Vec::new();
    for (name, bytes) in REPORTS {
        let cut = &bytes[..bytes.len() * 2 / 3];
        env.write(name, cut);
        written.push((name, cut.to_vec()));
    }
    // Read in several portions, and of so many bytes that a thread of its own hashes them.
    let many = "<testcase name=\"a\"/>\n".repeat(600_000);
    let large = format!("<testsuite>\n{many}<testcase>\n</testsuite>\n");
    env.write("TEST-large.xml", &large);
    written.push(("TEST-large.xml", large.into_bytes()));
    for (name, text) in [
        ("TEST-empty.xml", ""),
        ("coverage/lcov.info", "TN:\nSF:src/a.js\nDA:1,1\n"),
        ("playwright-report/index.html", "<!DOCTYPE html>\n<html><body><script>window.repor"),
        ("scan.sarif", "{\"version\": \"2.1.0\",\n \"runs\": [}]}\n"),
        ("not-a-report.json", "{ \"name\": "),
    ] {
        env.write(name, text);
        written.push((name, text.as_bytes().to_vec()));
    }
    env.settle();
    let first = env.eart(["add", "."]);
    let mut named: Vec<_> = first.stderr.lines().collect();
    named.sort_unstable();
    assert_snapshot!(named.join("\n"), @r"
    warning: TEST-empty.xml is a broken report, kept as it is: it is empty
    warning: TEST-large.xml is a broken report, kept as it is: it has an end tag where that of <testcase> is due (line 600003, byte 12600029)
    warning: coverage/lcov.info is a broken report, kept as it is: its last record ends early (line 4, byte 23)
    warning: junit.xml is a broken report, kept as it is: its XML ends early, within <failure> (line 20, byte 1028)
    warning: playwright-report/index.html is a broken report, kept as it is: its HTML ends early (line 2, byte 48)
    warning: results.json is a broken report, kept as it is: its JSON ends early (line 156, byte 5272)
    warning: scan.sarif is a broken report, kept as it is: it has no value where one is due (line 2, byte 31)
    ");
    assert_eq!(first.code(), 3);

    let again = env.eart(["add", "."]);
    assert_eq!(again.code(), 3, "{again}");
    let mut same: Vec<_> = again.stderr.lines().collect();
    same.sort_unstable();
    assert_eq!(same, named);
    assert!(again.stdout.contains("(1 unchanged)"), "{again}");

    env.eart(["commit"]).done();
    env.eart(["checkout", "latest", "--to", "../out"]).done();
    for (name, bytes) in written {
        assert!(env.read(format!("../out/{name}")) == bytes, "{name}");
    }
}

#[test]
fn links_are_kept_as_links() {
    let env = TestEnv::new();
    env.write("out/a", "a");
    symlink("/etc", env.path("out/link")).unwrap();
    assert_snapshot!(env.eart(["add", "out"]), @"Staged 1 file, 1 link, 1 B; {N} new in the store");
    let output = env.eart(["status", "--json"]);
    assert_eq!(output.json()["staged"]["links"], 1, "{output}");
}

#[test]
fn a_slash_behind_a_link_takes_the_folder_it_leads_to() {
    let env = TestEnv::new();
    let elsewhere = env.home().join("pr");
    std::fs::create_dir_all(elsewhere.join("data")).unwrap();
    std::fs::write(elsewhere.join("data/a"), "a").unwrap();
    symlink(&elsewhere, env.path("report")).unwrap();
    assert_snapshot!(env.eart(["add", "report"]), @r"
    Staged 0 files, 1 link, 0 B; 0 B new in the store
    --- stderr
    warning: report is a link to a folder; add report/ for what is in it
    --- exit 3
    ");
    // As the warning says, with the link still staged.
    for named in ["report/", "report/.", "../work/report//"] {
        env.eart(["add", named]).done();
        assert_eq!(staged(&env), "A report/data/a\n", "{named}");
    }
    // The link would take the place of what was asked for.
    let output = env.eart(["add", "report"]);
    assert!(output.stderr.contains("error: Two sources for report in the run"), "{output}");
    env.eart(["commit"]).done();
    env.eart(["checkout", "latest", "--to", "../out"]).done();
    assert_eq!(env.read("../out/report/data/a"), b"a");
}

#[test]
fn a_slash_behind_a_link_that_leads_to_no_folder_is_a_problem() {
    let env = TestEnv::new();
    env.write("file", "f");
    symlink("file", env.path("to-file")).unwrap();
    symlink("nowhere", env.path("dangling")).unwrap();
    assert_snapshot!(env.eart(["add", "to-file/", "dangling/", "file"]), @r"
    Staged 1 file, 1 B; {N} new in the store
    --- stderr
    warning: to-file/ could not be looked at (not a directory); left out
    warning: dangling/ is not there; left out
    --- exit 3
    ");
    env.eart(["add", "to-file", "dangling"]).done();
}

#[test]
fn what_is_ignored_is_left_out_though_it_is_named() {
    let env = TestEnv::new();
    for name in ["kept", "a.tmp", "node_modules/deep/x", "sub/b.log", "sub/c"] {
        env.write(name, name);
    }
    env.write(".eartignore", "*.tmp\nnode_modules/\n");
    env.write("sub/.eartignore", "*.log\n");
    let all = ["add", "kept", "a.tmp", "node_modules/deep/x", "sub/b.log", "sub/c"];
    assert_snapshot!(env.eart(all), @r"
    Staged 2 files, 9 B; {N} new in the store
    --- stderr
    warning: a.tmp is named, and left out by .eartignore
    warning: node_modules/deep/x is named, and left out by .eartignore
    warning: sub/b.log is named, and left out by .eartignore
    --- exit 3
    ");
    assert_snapshot!(staged(&env), @r"
    A kept
    A sub/c
    ");
    // Also where a folder around it is named, too.
    let output = env.eart(["add", ".", "a.tmp"]);
    assert!(output.stderr.contains("a.tmp is named, and left out by .eartignore"), "{output}");
    assert_eq!(output.code(), 3);
    // What is not left out is taken when the command says so.
    env.eart(["add", "a.tmp", "--exclude", "!a.tmp"]).done();
    assert!(staged(&env).contains("A a.tmp"));
}

#[test]
fn excludes_hold_for_where_things_go_in_the_run() {
    let env = TestEnv::new();
    let outside = env.home().join("ext");
    for name in ["cache/x", "deep/cache/x", "kept"] {
        let path = outside.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, name).unwrap();
    }
    let left = |exclude: &str, to: &str| {
        env.eart(["add", outside.to_str().unwrap(), "--as", to, "--exclude", exclude]).done();
        let left = staged(&env);
        env.eart(["draft", "drop", "default"]).done();
        left.replace("A ", "").replace('\n', " ")
    };
    assert_eq!(left("/ext/cache", "ext"), "ext/deep/cache/x ext/kept ");
    assert_eq!(left("ext/cache", "ext"), "ext/deep/cache/x ext/kept ");
    assert_eq!(left("a/b/cache", "a/b"), "a/b/deep/cache/x a/b/kept ");
    assert_eq!(left("cache/", "ext"), "ext/kept ");
    assert_eq!(left("/cache", "ext"), "ext/cache/x ext/deep/cache/x ext/kept ");
    // In a folder below, a pattern still begins at the top; so does a configured one.
    env.write("sub/x", "x");
    env.write("x", "x");
    env.eart_in("sub", ["add", "..", "--exclude", "/x"]).done();
    assert_eq!(staged(&env), "A sub/x\n");
    env.eart(["config", "exclude", "/sub/x"]).done();
    env.eart(["add", "."]).done();
    assert_eq!(staged(&env), "A x\n");
    let named = env.eart_in("sub", ["add", "x"]);
    assert_eq!(named.stderr, "warning: sub/x is named, and excluded; left out\n");
}

#[test]
fn a_store_does_not_hold_itself() {
    let env = TestEnv::new();
    env.write("a", "a");
    symlink(".eart", env.path("link")).unwrap();
    assert_snapshot!(env.eart(["add", "a", ".eart"]), @r"
    --- stderr
    error: .eart belongs to the store, which cannot hold itself
    hint: name something else; a copy of a store is made with `cp -a`
    --- exit 1
    ");
    for inside in [".eart/packs", ".eart/format.json", "link/", "link/refs"] {
        let output = env.eart(["add", inside]);
        assert!(output.stderr.contains("belongs to the store"), "{output}");
        assert_eq!(output.code(), 1);
    }
    // That of somebody else is a folder like others.
    env.write("other/.eart/format.json", "{}");
    env.eart(["add", "other/.eart"]).done();
    assert_eq!(staged(&env), "A other/.eart/format.json\n");
}

#[test]
fn what_is_not_there_costs_only_itself() {
    let env = TestEnv::new();
    env.write("a", "a");
    assert_snapshot!(env.eart(["add", "b", "c"]), @r"
    --- stderr
    warning: b is not there; left out
    warning: c is not there; left out
    error: None of the named paths can be taken: nothing was staged
    hint: name files and folders that are there, relative to the current folder
    --- exit 1
    ");
    assert_snapshot!(env.eart(["add", "a", "b"]), @r"
    Staged 1 file, 1 B; {N} new in the store
    --- stderr
    warning: b is not there; left out
    --- exit 3
    ");
}

#[test]
fn what_is_gone_leaves_the_draft_only_where_it_came_from() {
    let env = TestEnv::new();
    env.write("a", "a");
    env.write("dir/b", "b");
    env.eart(["add", "a", "dir"]).done();
    assert_snapshot!(env.eart(["add", "../home/a", "../home/b", "../home/dir"]), @r"
    --- stderr
    warning: ../home/a is not there; left out
    warning: ../home/b is not there; left out
    warning: ../home/dir is not there; left out
    error: None of the named paths can be taken: nothing was staged
    hint: name files and folders that are there, relative to the current folder
    --- exit 1
    ");
    std::fs::remove_file(env.path("a")).unwrap();
    std::fs::remove_file(env.path("dir/b")).unwrap();
    env.eart(["add", "a", "dir/b"]).done();
    assert_eq!(staged(&env), "");
}

#[test]
fn drafts_keep_jobs_apart() {
    let env = TestEnv::new();
    env.write("a", "a");
    env.write("b", "b");
    env.eart(["add", "a", "--draft", "one"]).done();
    env.set("EART_DRAFT", "two");
    env.eart(["add", "b"]).done();
    assert_eq!(staged(&env), "A b\n");
    assert_eq!(env.eart(["status", "--short", "--draft", "one"]).done(), "A a\n");
}

#[test]
fn a_pipe_is_no_file_of_patterns() {
    let env = TestEnv::new();
    env.write("in/file", "file");
    assert!(Command::new("mkfifo").arg(env.path("in/.eartignore")).status().unwrap().success());
    let added = env.eart(["add", "in"]);
    assert_eq!(added.code(), 3, "{added}");
    assert!(added.stderr.contains(".eartignore is not used: it is no regular file"), "{added}");
    assert!(added.stdout.starts_with("Staged 1 file,"), "{added}");
}
