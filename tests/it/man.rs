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

#[test]
fn a_page_says_how_to_call_the_command_and_what_every_argument_means() {
    let env = TestEnv::bare();
    env.eart(["man", "pages"]).done();
    let pages = pages(&env.path("pages"));
    let plain =
        |name: &str| pages[name].replace("\\fB", "").replace("\\fI", "").replace("\\fR", "");
    let gc = plain("eart-gc.1").replace("\\-", "-");
    assert!(gc.contains("eart gc [--keep N] [--keep-within AGE]"), "{gc}");
    let cat = plain("eart-cat.1");
    assert!(cat.contains(".SH ARGUMENTS\n.TP\nRUN:PATH...\nFiles: a run"), "{cat}");
    for (name, page) in &pages {
        for section in ["SYNOPSIS", "EXIT STATUS", "ENVIRONMENT", "FILES", "SEE ALSO"] {
            assert_eq!(
                page.matches(&format!(".SH \"{section}\"")).count()
                    + page.matches(&format!(".SH {section}\n")).count(),
                1,
                "{name} {section}"
            );
        }
        let about = page.split_once(" \\- ").unwrap().1.lines().next().unwrap();
        assert_eq!(page.matches(about).count(), 1, "{name} repeats {about:?}");
    }
    let main = plain("eart.1");
    for text in ["EART_DIR", "EART_KEEP_WITHIN", ".SH REVISIONS", "NO_COLOR", ".eartignore"] {
        assert!(main.contains(text), "{text} in {main}");
    }
}
