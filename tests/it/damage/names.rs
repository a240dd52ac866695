//! What does not belong into a store's folders: names that nothing of the store has, and things of
//! the right name that are no files.

use std::fs;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::env::TestEnv;

const ID: &str = "abcdef0123456789abcdef0123456789";

fn with_a_run() -> TestEnv {
    let env = TestEnv::new();
    env.write("in/page.html", "<p>text</p>");
    env.eart(["add", "in"]).done();
    env.eart(["commit", "--name", "one"]).done();
    env
}

/// The store does everything it should.
#[track_caller]
fn works(env: &TestEnv, content: &str) {
    env.write("in/page.html", content);
    assert!(env.eart(["log"]).stdout.contains("one"));
    env.eart(["cat", "one:in/page.html"]).done();
    env.eart(["find", "*.html"]).done();
    env.eart(["add", "in"]).done();
    env.eart(["commit"]).done();
    env.eart(["gc", "--keep", "9"]).done();
}

#[test]
fn names_that_nothing_of_the_store_has_are_ignored() {
    let env = with_a_run();
    for name in [
        format!("packs/{}.pack", ID.to_uppercase()),
        format!("runs/{}.redb", ID.repeat(2).to_uppercase()),
        "packs/note".into(),
        "index/junk.idx".into(),
        format!("index/{}.idx", ID.to_uppercase()),
        "catalog/junk.cat".into(),
        "catalog/lock~".into(),
    ] {
        fs::write(env.path(".eart").join(name), "junk").unwrap();
    }
    works(&env, "other");
    assert!(env.eart(["fsck", "--data", "--json"]).json()["findings"] == serde_json::json!([]));
    env.eart(["fsck", "--repair"]).done();
    assert!(env.path(".eart/index/junk.idx").exists());
}

#[test]
fn what_has_a_name_of_the_store_and_is_no_file_is_set_aside() {
    for kind in ["folder", "pipe", "link"] {
        let env = with_a_run();
        let names = [
            format!("packs/{ID}.pack"),
            format!("index/{ID}.idx"),
            format!("catalog/{ID}.cat"),
            "drafts/default/last".into(),
        ];
        for name in &names {
            let path = env.path(".eart").join(name);
            drop(fs::remove_file(&path));
            match kind {
                "folder" => fs::create_dir(&path).unwrap(),
                "link" => std::os::unix::fs::symlink("nowhere", &path).unwrap(),
                _ => mknodat(CWD, &path, FileType::Fifo, Mode::RUSR, 0).unwrap(),
            }
        }
        let checked = env.eart(["fsck", "--json"]);
        assert_eq!(checked.code(), 1, "{kind}: {checked}");
        for name in &names {
            let told = checked.json()["findings"].to_string();
            assert!(told.contains(name), "{kind} {name}: {checked}");
        }
        fs::remove_dir_all(env.path(".eart/drafts/default")).unwrap();
        works(&env, kind);
        let mended = env.eart(["fsck", "--data", "--repair"]);
        assert_eq!(mended.code(), 0, "{kind}: {mended}");
        let aside = fs::read_dir(env.path(".eart/damaged")).unwrap();
        let aside: Vec<_> = aside.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        assert!(aside.contains(&format!("packs-{ID}.pack")), "{kind}: {aside:?}");
        assert!(env.eart(["fsck", "--data", "--json"]).json()["findings"] == serde_json::json!([]));
    }
}

#[test]
fn a_pipe_named_like_a_run_stops_only_gc() {
    let env = with_a_run();
    let name = format!("{}.redb", ID.repeat(2));
    let path = env.path(".eart/runs").join(&name);
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR, 0).unwrap();
    assert!(env.eart(["log"]).stdout.contains("one"));
    assert_eq!(env.eart(["gc", "--keep", "9"]).code(), 1);
    assert_eq!(env.eart(["fsck", "--repair"]).code(), 3);
    assert!(env.path(".eart/damaged").join(format!("runs-{name}")).symlink_metadata().is_ok());
    works(&env, "other");
}

#[test]
fn a_file_that_cannot_be_a_tag_is_none() {
    let env = with_a_run();
    for name in ["a b", "latest", "-x"] {
        fs::write(env.path(".eart/refs/tags").join(name), "junk").unwrap();
    }
    works(&env, "other");
    assert_eq!(env.eart(["tag"]).done(), "");
    let checked = env.eart(["fsck"]);
    assert_eq!(checked.code(), 1);
    assert!(checked.stdout.contains("refs/tags/a b: is no tag"), "{checked}");
    env.eart(["fsck", "--repair"]).done();
    assert!(env.path(".eart/damaged/refs-tags-a b").exists());
    env.eart(["fsck"]).done();
}

#[test]
fn what_a_power_loss_leaves_of_derived_files_is_no_problem() {
    let env = with_a_run();
    for file in fs::read_dir(env.path(".eart/catalog")).unwrap() {
        fs::write(file.unwrap().path(), "").unwrap();
    }
    fs::write(env.path(".eart/drafts/default/last"), "").unwrap();
    let checked = env.eart(["fsck", "--json"]);
    assert_eq!(checked.code(), 0, "{checked}");
    let findings = checked.json()["findings"].as_array().unwrap().clone();
    assert!(findings.len() == 2 && findings.iter().all(|f| f["derived"] == true), "{checked}");
    assert!(env.eart(["fsck"]).done().contains("nothing is lost, it is derived"));
    works(&env, "other");
    assert_eq!(env.eart(["fsck", "--json"]).json()["findings"], serde_json::json!([]));
}
