//! The properties that the requirements name, each over many random cases.

mod e2e;
mod kargo;
mod model;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use crate::lab::{Lab, noise};

fn cases() -> ProptestConfig {
    // Every case works on disk: shrinking far costs more than it tells.
    ProptestConfig {
        cases: 100,
        max_shrink_iters: 200,
        failure_persistence: None,
        ..Default::default()
    }
}

/// Something to write into a folder.
#[derive(Debug, Clone)]
enum Sprout {
    File { content: Content, mode: u32, mtime: i64 },
    Dir { mode: u32 },
    Link(Vec<u8>),
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Text(u16),
    Noise(u8, u32),
    Zeros(u32),
}

impl Content {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(lines) => {
                (0..*lines).flat_map(|n| format!("line {n}\n").into_bytes()).collect()
            }
            Self::Noise(seed, len) => noise((*seed).into(), *len as usize),
            Self::Zeros(len) => vec![0; *len as usize],
        }
    }
}

fn content() -> impl Strategy<Value = Content> {
    prop_oneof![
        6 => (0..400u16).prop_map(Content::Text),
        4 => (any::<u8>(), 0..5000u32).prop_map(|(seed, len)| Content::Noise(seed, len)),
        1 => (0..4u8, 60_000..700_000u32).prop_map(|(seed, len)| Content::Noise(seed, len)),
        1 => (0..2_500_000u32).prop_map(Content::Zeros),
    ]
}

/// A name: mostly plain, at times with everything that a name may hold.
fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => "[a-e]{1,2}".prop_map(String::into_bytes),
        2 => prop::collection::vec(1..=255u8, 1..12),
        1 => prop::sample::select(vec![
            "...", "-", "a\nb", " ", "*", ".hidden", "\u{1b}[31m", "é", ".eartignore~", "C:\\x", "~",
        ]).prop_map(|s| s.as_bytes().to_vec()),
        1 => "[*?\\[\\]{}!~: \"'\\\\\n-]{1,4}".prop_map(String::into_bytes),
        1 => Just(vec![b'n'; 255]),
    ]
    .prop_map(|mut name| {
        name.iter_mut().filter(|b| **b == b'/').for_each(|b| *b = b'_');
        name
    })
    .prop_filter("names that mean something", |name| {
        !name.eq_ignore_ascii_case(b".git")
            && !matches!(&name[..], b"." | b".." | b".eart" | b".eartignore")
    })
}

fn sprout() -> impl Strategy<Value = Sprout> {
    let mode = prop::sample::select(vec![0o644, 0o755, 0o600, 0o444, 0o4755, 0o640]);
    let mtime = prop_oneof![Just(0i64), -2_000_000_000..4_000_000_000i64];
    prop_oneof![
        7 => (content(), mode, mtime).prop_map(|(content, mode, mtime)| Sprout::File { content, mode, mtime }),
        2 => prop::sample::select(vec![0o755, 0o700, 0o555, 0o1777]).prop_map(|mode| Sprout::Dir { mode }),
        1 => prop::collection::vec(1..=255u8, 1..30).prop_map(Sprout::Link),
    ]
}

/// Paths and what stands there; a path below one that is no folder is passed over.
fn forest(size: usize) -> impl Strategy<Value = Vec<(Vec<Vec<u8>>, Sprout)>> {
    prop::collection::vec((prop::collection::vec(name(), 1..4), sprout()), 0..size)
}

/// Writes a forest into a folder, and modes of folders last.
fn plant(root: &Path, forest: &[(Vec<Vec<u8>>, Sprout)]) {
    fs::create_dir_all(root).unwrap();
    let mut modes = BTreeMap::new();
    for (names, sprout) in forest {
        let path = names
            .iter()
            .fold(root.to_owned(), |at, name| at.join(OsString::from_vec(name.clone())));
        let parent = path.parent().unwrap();
        if fs::symlink_metadata(&path).is_ok() || fs::create_dir_all(parent).is_err() {
            continue;
        }
        // What a link leads to is not ours to write into.
        if fs::canonicalize(parent).ok().as_deref()
            != Some(&fs::canonicalize(root).unwrap().join(parent.strip_prefix(root).unwrap()))
        {
            continue;
        }
        match sprout {
            Sprout::File { content, mode, mtime } => {
                fs::write(&path, content.bytes()).unwrap();
                let time = match u64::try_from(*mtime) {
                    Ok(after) => SystemTime::UNIX_EPOCH + Duration::new(after, 123_456_789),
                    Err(_) => SystemTime::UNIX_EPOCH - Duration::from_secs(mtime.unsigned_abs()),
                };
                fs::File::options()
                    .write(true)
                    .open(&path)
                    .and_then(|f| f.set_modified(time))
                    .unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
            }
            Sprout::Dir { mode } => {
                fs::create_dir(&path).unwrap();
                modes.insert(path, *mode);
            }
            Sprout::Link(to) => {
                std::os::unix::fs::symlink(OsString::from_vec(to.clone()), &path).unwrap();
            }
        }
    }
    for (path, mode) in modes {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
}

/// Bytes of the files in a folder of a store.
fn size(lab: &Lab, dir: &str) -> u64 {
    let names = lab.repo.folder().list(dir).unwrap();
    names.iter().map(|n| fs::metadata(lab.stored(dir).join(n)).unwrap().len()).sum()
}
