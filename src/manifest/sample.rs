//! Runs for tests: small ones by name, random ones for properties. Compiled for tests only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{ChunkList, ChunkRef, Entry, Mtime, Node, RunMeta, Status};
use crate::artifact::ArtifactType;
use crate::id::{ChunkId, FileId};
use crate::path::RelPath;

pub(super) fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

fn entry(text: &str, node: Node, mode: u32) -> Entry {
    let mtime = Mtime { secs: 1_700_000_000, nanos: 5 };
    let detected = ArtifactType::Custom;
    Entry { path: path(text), node, mode, mtime, declared: None, detected, content_type: None }
}

/// A file whose content is its path.
pub(super) fn file(path: &str) -> Entry {
    let node = Node::File { size: path.len() as u64, id: FileId::of(path.as_bytes()) };
    entry(path, node, 0o644)
}

pub(super) fn dir(path: &str) -> Entry {
    entry(path, Node::Dir, 0o755)
}

pub(super) fn link(path: &str, target: &str) -> Entry {
    entry(path, Node::Symlink { target: target.as_bytes().into() }, 0o777)
}

pub(super) fn meta() -> RunMeta {
    RunMeta {
        nonce: *b"0123456789abcdef",
        started: "2026-11-21T08:00:00.5Z".parse().unwrap(),
        committed: "2026-11-21T08:05:00Z".parse().unwrap(),
        name: "nightly".into(),
        project: "shop".into(),
        message: "Nightly run\n".into(),
        labels: [("branch", "main"), ("suite", "e2e")].map(|(k, v)| (k.into(), v.into())).into(),
        status: Some(Status::Passed),
        context: BTreeMap::new(),
    }
}

/// `count` files in a few folders, with content types, as a big run has them.
pub(super) fn many(count: usize) -> Vec<Entry> {
    let html: Arc<str> = "text/html".into();
    let mut entries: Vec<Entry> = (0..count)
        .map(|i| {
            let mut entry = file(&format!("report/{:03}/page-{i:06}.html", i % 100));
            entry.content_type = Some(html.clone());
            entry.detected = ArtifactType::HtmlReport;
            entry.mtime.nanos = (i as u32).wrapping_mul(2_654_435_761) % 1_000_000_000;
            entry
        })
        .collect();
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    entries
}

pub(super) fn chunk_list(count: u8) -> ChunkList {
    (0..count).map(|i| ChunkRef { id: ChunkId::of(&[i]), len: u32::from(i) * 1000 + 1 }).collect()
}

/// Components from a small alphabet, so that paths meet; some are not UTF-8.
fn any_path() -> impl Strategy<Value = RelPath> {
    let component = prop_oneof![
        8 => vec(prop::sample::select(&b"ab-."[..]), 1..4),
        1 => vec(prop::sample::select(&b"\xff\n\x01 "[..]), 1..3),
    ];
    vec(component, 1..4)
        .prop_map(|parts| parts.join(&b'/'))
        .prop_filter_map("a path", |bytes| RelPath::new(bytes).ok())
}

fn any_node() -> impl Strategy<Value = Node> {
    prop_oneof![
        3 => (any::<u64>(), 0..4u8).prop_map(|(size, content)| Node::File {
            size,
            id: FileId::of(&[content]),
        }),
        2 => Just(Node::Dir),
        1 => vec(1..=255u8, 1..8).prop_map(|target| Node::Symlink { target: target.into() }),
    ]
}

fn any_type() -> impl Strategy<Value = ArtifactType> {
    prop::sample::select(&ArtifactType::ALL[..])
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let mtime = (any::<i64>(), 0..1_000_000_000u32);
    let content_type = prop::option::of(prop::sample::select(&["text/html", "image/png"][..]));
    (
        any_path(),
        any_node(),
        0..0o1000u32,
        mtime,
        prop::option::of(any_type()),
        any_type(),
        content_type,
    )
        .prop_map(|(path, node, mode, (secs, nanos), declared, detected, content_type)| {
            Entry {
                path,
                node,
                mode,
                mtime: Mtime { secs, nanos },
                declared,
                detected,
                content_type: content_type.map(Arc::from),
            }
        })
}

/// Leaves out what stands twice or below something that is not a folder.
pub(super) fn settle(entries: impl IntoIterator<Item = Entry>) -> Vec<Entry> {
    let by_path: BTreeMap<RelPath, Entry> =
        entries.into_iter().map(|e| (e.path.clone(), e)).collect();
    let leaves: BTreeSet<Vec<u8>> = by_path
        .values()
        .filter(|e| e.node != Node::Dir)
        .map(|e| e.path.as_bytes().to_vec())
        .collect();
    let below_leaf = |path: &RelPath| {
        let bytes = path.as_bytes();
        (0..bytes.len()).any(|i| bytes[i] == b'/' && leaves.contains(&bytes[..i]))
    };
    by_path.into_values().filter(|e| !below_leaf(&e.path)).collect()
}

/// Entries that may stand in one run, in path order.
pub(super) fn any_tree() -> impl Strategy<Value = Vec<Entry>> {
    vec(any_entry(), 0..40).prop_map(settle)
}

/// The same, all within `folder`.
pub(super) fn any_tree_within(folder: Option<RelPath>) -> impl Strategy<Value = Vec<Entry>> {
    any_tree().prop_map(move |entries| match &folder {
        None => entries,
        Some(folder) => entries
            .into_iter()
            .map(|mut e| {
                e.path = folder.join(e.path.as_bytes()).unwrap();
                e
            })
            .collect(),
    })
}

/// The entries without what the canonical listing leaves out.
pub(super) fn underived(entries: &[Entry]) -> Vec<Entry> {
    let strip =
        |e: &Entry| Entry { detected: ArtifactType::Custom, content_type: None, ..e.clone() };
    entries.iter().map(strip).collect()
}

/// Changes to some bytes: flips, cuts, additions.
pub(super) fn mutate(bytes: &mut Vec<u8>, changes: &[(usize, u8)]) {
    for &(place, change) in changes {
        match (change, bytes.len()) {
            (_, 0) | (255, _) => bytes.push(change),
            (254, len) => bytes.truncate(place % len),
            (_, len) => bytes[place % len] ^= change,
        }
    }
}
