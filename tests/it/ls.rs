//! `eart ls` and `eart cat`

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use insta::assert_snapshot;

use crate::env::TestEnv;

fn odd_names() -> TestEnv {
    let env = TestEnv::new();
    env.write("out/results.json", "{\"a\": 1}\n");
    env.write("out/deep/er/shot.png", b"\x89PNG\r\n\x1a\n\x00\xff");
    env.write("out/new\nline", "nl");
    env.write(OsStr::from_bytes(b"out/bad\xff"), "bad");
    std::fs::create_dir(env.path("out/empty")).unwrap();
    symlink("results.json", env.path("out/link")).unwrap();
    symlink(OsStr::from_bytes(b"\xfe"), env.path("out/deep/er/odd-link")).unwrap();
    env.eart(["add", "out"]).done();
    env.eart(["commit", "--name", "odd"]).done();
    env
}

#[test]
fn a_folder_is_listed_like_a_folder() {
    let env = odd_names();
    assert_snapshot!(env.eart(["ls"]), @"out/");
    assert_snapshot!(env.eart(["ls", "odd:out/"]), @r#"
    "out/bad\377"
    out/deep/
    out/empty/
    out/link
    "out/new\nline"
    out/results.json
    "#);
    assert_snapshot!(env.eart(["ls", "-r", "latest:out/deep"]), @r"
    out/deep/er/
    out/deep/er/odd-link
    out/deep/er/shot.png
    ");
    assert_snapshot!(env.eart(["ls", "latest:./out/results.json"]), @"out/results.json");
}

#[test]
fn long_listings_and_json_tell_more() {
    let env = odd_names();
    let long = env.eart(["ls", "-l", "latest:out"]).done();
    assert!(
        long.lines()
            .any(|l| l.starts_with("lrwxrwxrwx") && l.ends_with("out/link -> results.json")),
        "{long}"
    );
    assert!(
        long.lines().any(|l| l.starts_with("-rw") && l.ends_with("out/results.json")),
        "{long}"
    );
    let json = env.eart(["ls", "-r", "latest", "--json"]).json();
    let find =
        |path: &str| json.as_array().unwrap().iter().find(|e| e["path"] == path).unwrap().clone();
    assert_eq!(find("out/results.json")["size_bytes"], 9);
    assert_eq!(find("out/link")["target"], "results.json");
    assert_eq!(find("out/link").get("target_bytes"), None);
    assert_eq!(find("out/deep/er/odd-link")["target_bytes"], "fe");
    assert_eq!(find("out/empty")["kind"], "dir");
    assert_eq!(find("\"out/bad\\377\"")["path_bytes"], "6f75742f626164ff");
}

#[test]
fn what_is_not_there_has_neighbours() {
    let env = odd_names();
    assert_snapshot!(env.eart(["ls", "latest:out/result.json"]), @r"
    --- stderr
    error: No out/result.json in the run {id1}
    hint: did you mean out/results.json?
    --- exit 1
    ");
    assert_snapshot!(env.eart(["cat", "latest:shot.png"]), @r"
    --- stderr
    error: No shot.png in the run {id1}
    hint: did you mean out/deep/er/shot.png?
    --- exit 1
    ");
    assert_eq!(env.eart(["ls", "latest:../x"]).code(), 2);
    assert_eq!(env.eart(["ls", "nowhere:x"]).code(), 1);
}

#[test]
fn cat_gives_the_bytes_and_nothing_else() {
    let env = odd_names();
    let shot = env.eart(["cat", "latest:out/deep/er/shot.png", "odd:out/results.json"]);
    assert_eq!(shot.raw, b"\x89PNG\r\n\x1a\n\x00\xff{\"a\": 1}\n");
    let odd = env.eart([OsStr::new("cat"), OsStr::from_bytes(b"latest:out/bad\xff")]);
    assert_eq!(odd.raw, b"bad");
}

#[test]
fn cat_refuses_what_is_no_file() {
    let env = odd_names();
    assert_snapshot!(env.eart(["cat", "latest:out/deep"]), @r"
    --- stderr
    error: out/deep is a folder in the run {id1}
    hint: `eart ls {id1}:out/deep` lists it
    --- exit 1
    ");
    assert_snapshot!(env.eart(["cat", "latest:out/link"]), @r"
    --- stderr
    error: out/link is a symbolic link in the run {id1}, to results.json
    hint: links are not followed; name the file it points to
    --- exit 1
    ");
    assert_snapshot!(env.eart(["cat", "latest"]), @r#"
    --- stderr
    error: "latest" names no file
    hint: write RUN:PATH; `eart ls -r latest` lists the paths
    --- exit 2
    "#);
}

#[test]
fn cat_of_damaged_bytes_fails() {
    let env = TestEnv::new();
    let noise: Vec<u8> = (0..40_000u64).flat_map(blake).collect();
    env.write("noise.bin", &noise);
    env.eart(["add", "noise.bin"]).done();
    env.eart(["commit"]).done();
    assert_eq!(env.eart(["cat", "latest:noise.bin"]).raw, noise);
    let pack = std::fs::read_dir(env.path(".eart/packs")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&pack).unwrap();
    bytes[200_000] ^= 1;
    std::fs::write(&pack, bytes).unwrap();
    let cat = env.eart(["cat", "latest:noise.bin"]);
    assert_eq!(cat.code(), 1);
    assert!(noise.starts_with(&cat.raw), "what was written was checked");
    assert!(cat.stderr.contains("a chunk has other bytes than its id says"), "{cat}");
}

fn blake(n: u64) -> [u8; 32] {
    *blake3::hash(&n.to_le_bytes()).as_bytes()
}

#[test]
fn quoted_paths_are_taken_as_they_are_listed() {
    let env = odd_names();
    for path in env.eart(["ls", "-r"]).done().lines().filter(|p| p.starts_with('"')) {
        let content = env.eart(["cat", &format!("latest:{path}")]).done();
        assert!(matches!(&content[..], "nl" | "bad"), "{path} {content}");
        assert_eq!(env.eart(["ls", &format!("latest:{path}")]).done(), format!("{path}\n"));
        let to = format!("to-{content}");
        env.eart(["checkout", "latest", path, "--to", &to]).done();
        assert_eq!(std::fs::read_dir(env.path(to).join("out")).unwrap().count(), 1);
    }
    // What has such a name comes first.
    env.write("out/\"new\\nline\"", "quotes");
    env.eart(["add", "out"]).done();
    env.eart(["commit"]).done();
    assert_eq!(env.eart(["cat", "latest:out/\"new\\nline\""]).done(), "quotes");
    env.write("\"out/new\\nline\"", "top");
    env.eart(["add", "."]).done();
    env.eart(["commit"]).done();
    assert_eq!(env.eart(["cat", "latest:\"out/new\\nline\""]).done(), "top");
}

#[test]
fn a_path_that_is_not_utf_8_has_its_bytes_in_json() {
    let env = odd_names();
    let bytes = "6f75742f626164ff";
    let found = env.eart(["find", "bad*", "--json"]).json();
    assert_eq!((found.as_array().unwrap().len(), &found[0]["path_bytes"]), (1, &bytes.into()));
    env.write(OsStr::from_bytes(b"out/bad\xff"), "much larger than anything else in this run");
    env.eart(["add", "out"]).done();
    let changed = env.eart(["status", "--json"]).json();
    assert_eq!(changed["changes"][0]["path_bytes"], bytes);
    assert_eq!(changed["staged"]["largest"]["path_bytes"], bytes);
    env.eart(["commit"]).done();
    assert_eq!(env.eart(["diff", "--json"]).json()["changes"][0]["path_bytes"], bytes);
    assert_eq!(env.eart(["show", "--json"]).json()["summary"]["largest"]["path_bytes"], bytes);
    let plain = env.eart(["ls", "latest:out/results.json", "--json"]).json();
    assert_eq!((&plain[0]["path"], plain[0].get("path_bytes")), (&"out/results.json".into(), None));
}

#[test]
fn several_files_of_several_runs_come_in_the_order_they_are_named() {
    let env = TestEnv::new();
    for number in 0..20 {
        env.write("a", format!("{number} "));
        env.write("b", format!("b{number} "));
        env.eart(["add", "a", "b"]).done();
        env.eart(["commit", "--name", &format!("run{number}")]).done();
    }
    let named: Vec<String> = (0..20).rev().chain(0..20).map(|n| format!("run{n}:a")).collect();
    let expected: String = (0..20).rev().chain(0..20).map(|n| format!("{n} ")).collect();
    assert_eq!(env.eart(["cat".to_owned()].iter().chain(&named)).done(), expected);
    assert_eq!(env.eart(["cat", "run3:b", "run7:a", "run3:a"]).done(), "b3 7 3 ");
}

#[test]
fn a_path_without_a_run_is_told_where_it_goes() {
    let env = odd_names();
    assert_snapshot!(env.eart(["ls", "out/deep"]), @r#"
    --- stderr
    error: No run "out/deep"
    hint: a path stands behind a run and a colon, as in `eart ls latest:out/deep`
    --- exit 1
    "#);
    let refused = env.eart(["cat", "out/results.json"]);
    assert!(refused.stderr.contains("latest:out/results.json`"), "{refused}");
    let refused = env.eart(["ls", "out/nothing"]);
    assert!(refused.stderr.contains("hint: `eart log` lists the runs"), "{refused}");
}
