//! The manual pages in `man/` are those that the command line generates.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::env::TestEnv;

fn pages(dir: &Path) -> BTreeMap<String, String> {
    let page = |entry: fs::DirEntry| {
        let text = fs::read_to_string(entry.path()).unwrap();
        (entry.file_name().into_string().unwrap(), text)
    };
    fs::read_dir(dir).unwrap().map(|entry| page(entry.unwrap())).collect()
}

#[test]
fn the_pages_are_up_to_date() {
    let env = TestEnv::bare();
    env.eart(["man", "pages"]).done();
    let (made, kept) = (pages(&env.path("pages")), pages(Path::new("man")));
    let stale: Vec<_> = made.iter().filter(|(name, page)| kept.get(*name) != Some(page)).collect();
    let names: Vec<_> = stale.iter().map(|(name, _)| name).collect();
    assert!(names.is_empty(), "run `rm -r man; cargo run -- man man`: {names:?} differ");
    let gone: Vec<_> = kept.keys().filter(|name| !made.contains_key(*name)).collect();
    assert!(gone.is_empty(), "run `rm -r man; cargo run -- man man`: {gone:?} are of no command");
}
