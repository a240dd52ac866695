//! A disk that cannot read some bytes of a pack: what lies elsewhere is there, and `fsck` saves it.

use std::fs;
use std::ops::Range;

use crate::env::{Output, TestEnv};
use crate::faults::library;
use crate::lab::noise;

/// Bytes of one file of noise, which fills a frame of its own.
const SIZE: usize = 1_500_000;

/// A store of two runs: `first` of one pack with three large files and some text, `second` of
/// another pack.
fn two_packs() -> (TestEnv, Vec<String>) {
    let env = TestEnv::new();
    for n in 0..3 {
        env.write(format!("first/{n}.webm"), noise(n, SIZE));
    }
    env.write("first/page.html", "<p>text</p>\n".repeat(1000));
    env.eart(["add", "first"]).done();
    env.eart(["commit", "--name", "first"]).done();
    let first = packs(&env);
    env.write("second/page.html", "<p>second</p>\n".repeat(1000));
    env.eart(["add", "second"]).done();
    env.eart(["commit", "--name", "second"]).done();
    (env, first)
}

fn packs(env: &TestEnv) -> Vec<String> {
    let names = fs::read_dir(env.path(".eart/packs")).unwrap();
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Runs a command while these bytes of a file cannot be read.
fn without(env: &TestEnv, file: &str, bytes: &Range<usize>, args: &[&str]) -> Output {
    let mut command = env.command();
    command
        .args(args)
        .env("LD_PRELOAD", library(env, "bad_medium.c"))
        .env("EART_TEST_FILE", file)
        .env("EART_TEST_FROM", bytes.start.to_string())
        .env("EART_TEST_TO", bytes.end.to_string());
    env.run(&mut command)
}

#[test]
fn a_bad_sector_costs_what_lies_on_it() {
    let (env, first) = two_packs();
    let [pack] = &first[..] else { panic!("{first:?}") };
    let bad = 4096..4608;
    let checked = without(&env, pack, &bad, &["fsck", "--data", "--json"]);
    assert_eq!(checked.code(), 1, "{checked}");
    let told = checked.json();
    assert_eq!(told["findings"].as_array().unwrap().len(), 1, "{checked}");
    assert_eq!(told["findings"][0]["what"], format!("packs/{pack}"));
    assert_eq!(told["lost_files"], 1, "{checked}");
    let lost = told["lost"][0]["path"].as_str().unwrap().to_owned();
    let mended = without(&env, pack, &bad, &["fsck", "--data", "--repair", "--json"]);
    assert_eq!(mended.code(), 3, "{mended}");
    assert_eq!(mended.json()["lost_files"], 1, "{mended}");
    // The sector is out of the way, and everything else is there.
    for n in 0..3 {
        let name = format!("first/{n}.webm");
        let got = env.eart(["cat", &format!("first:{name}")]);
        assert_eq!(got.raw == noise(n, SIZE), name != lost, "{name}");
    }
    assert_eq!(env.eart(["cat", "first:first/page.html"]).done().len(), 12_000);
    // Added again, the file is whole again.
    env.eart(["add", "first"]).done();
    env.eart(["commit"]).done();
    env.eart(["fsck", "--data"]).done();
}

#[test]
fn a_pack_whose_ends_cannot_be_read_stops_nothing_else() {
    for end in ["header", "footer", "trailer"] {
        let (env, first) = two_packs();
        let pack = &first[0];
        let len = fs::metadata(env.path(".eart/packs").join(pack)).unwrap().len() as usize;
        let bad = match end {
            "header" => 0..32,
            "footer" => len - 60..len - 56,
            _ => len - 8..len,
        };
        let run = |args: &[&str]| without(&env, pack, &bad, args);
        assert_eq!(run(&["cat", "second:second/page.html"]).done().len(), 14_000);
        run(&["checkout", "second", "--to", "out"]).done();
        env.write("third/page.html", "<p>third</p>\n".repeat(1000));
        run(&["add", "third"]).done();
        run(&["commit", "--name", "third"]).done();
        run(&["gc", "--keep", "9"]).done();
        let checked = run(&["fsck", "--json"]);
        assert_eq!(checked.json()["findings"][0]["what"], format!("packs/{pack}"), "{checked}");
        let mended = run(&["fsck", "--data", "--repair"]);
        assert!([0, 3].contains(&mended.code()), "{end}: {mended}");
        assert!(mended.stdout.contains("chunks saved"), "{end}: {mended}");
        assert_eq!(env.eart(["cat", "third:third/page.html"]).done().len(), 13_000);
        assert!(!packs(&env).contains(pack));
        if end == "header" {
            assert_eq!(mended.code(), 0, "{mended}");
            assert_eq!(env.eart(["cat", "first:first/2.webm"]).raw, noise(2, SIZE));
            env.eart(["fsck", "--data"]).done();
        }
    }
}

#[test]
fn a_run_that_cannot_be_read_is_named() {
    let (env, _) = two_packs();
    let run = env.eart(["log", "--json"]).json()[0]["id"].as_str().unwrap().to_owned();
    fs::remove_file(env.path(format!(".eart/runs/{run}.redb"))).unwrap();
    fs::create_dir(env.path(format!(".eart/runs/{run}.redb"))).unwrap();
    assert_eq!(env.eart(["fsck"]).code(), 1);
    assert_eq!(env.eart(["fsck", "--repair"]).code(), 3);
    env.eart(["fsck"]).done();
}
