//! The corners that must be right: odd files, odd names, odd moments.

mod files;
mod moments;
mod staging;
mod stores;

use crate::lab::{Lab, assert_same, fsck, tree};

fn paths(lab: &Lab) -> Vec<String> {
    let draft = lab.repo.draft("default").unwrap().unwrap();
    draft.entries().iter().map(|e| e.path.to_string()).collect()
}

/// Adds, commits and checks out everything, and compares.
#[track_caller]
fn round_trip(lab: &Lab) {
    lab.add(&["."]);
    let run = lab.commit();
    assert_same(&lab.checkout(run), &tree(&lab.work()), "round trip");
    assert!(fsck(&lab.repo).unwrap().is_clean());
}
