//! The open draft: what `add` has staged and `commit` will seal. Touches memory only; the caller
//! reads and writes its file.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use jiff::Timestamp;

use super::block::{Block, decode_all, encode_all};
use super::chunks;
use super::codec::{Reader, check_sum, put_bytes, put_sum, put_varint};
use super::entry::{ChunkList, Entry, Fingerprint, Node};
use super::last::{Last, put_prints, read_prints};
use super::order::check_all;
use super::sealed::Contents;
use super::{Error, Result};
use crate::id::{FileId, RunId};
use crate::path::{self, Places, RelPath};

const WHAT: &str = "draft";
const MAGIC: &[u8; 8] = b"eartdrft";
const VERSION: u64 = 1;

/// An entry and what `stat` said of it; `None` never matches.
pub type Staged = (Entry, Option<Fingerprint>);

/// Where a part of the draft came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The path in the draft; `None` is its root.
    pub at: Option<RelPath>,
    /// The path that was added.
    pub from: PathBuf,
}

/// What was staged so far. Its entries are always in path order and may stand in one run.
#[derive(Debug, Clone)]
pub struct Draft {
    /// When it was begun.
    pub started: Timestamp,
    /// Bytes that the store grew by for it so far.
    pub new_bytes: u64,
    /// Where its parts came from.
    pub sources: Vec<Source>,
    entries: Vec<Entry>,
    fingerprints: Vec<Option<Fingerprint>>,
    chunks: BTreeMap<FileId, ChunkList>,
    /// The entries as they stood in the draft's file, until they change.
    blocks: Option<Vec<Block>>,
}

impl Draft {
    /// An empty draft.
    pub fn new(started: Timestamp) -> Self {
        Self {
            started,
            new_bytes: 0,
            sources: Vec::new(),
            entries: Vec::new(),
            fingerprints: Vec::new(),
            chunks: BTreeMap::new(),
            blocks: None,
        }
    }

    /// The entries in path order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The fingerprints of the entries, one each.
    pub fn fingerprints(&self) -> &[Option<Fingerprint>] {
        &self.fingerprints
    }

    /// The entry at a path, and its fingerprint.
    pub fn get(&self, path: &RelPath) -> Option<(&Entry, Option<Fingerprint>)> {
        let place = self.entries.binary_search_by(|entry| entry.path.cmp(path)).ok()?;
        Some((self.entries.get(place)?, self.fingerprints.get(place).copied().flatten()))
    }

    /// The chunk lists of its files of two or more chunks.
    pub fn chunks(&self) -> &BTreeMap<FileId, ChunkList> {
        &self.chunks
    }

    /// What [`seal`](super::seal) needs of it.
    pub fn contents(&self) -> Contents<'_> {
        Contents {
            entries: &self.entries,
            blocks: self.blocks.as_deref(),
            chunks: &self.chunks,
            new_bytes: self.new_bytes,
        }
    }

    /// If the entries equal `entries`, of which `blocks` are the encoding (see
    /// [`Manifest::load`](super::Manifest::load)), takes the blocks instead of encoding them anew.
    /// Returns whether they did.
    pub fn adopt_blocks(&mut self, entries: &[Entry], blocks: Vec<Block>) -> bool {
        let same = self.entries == entries;
        if same {
            self.blocks = Some(blocks);
        }
        same
    }

    /// The fingerprints, to be kept once the draft is committed as `run`.
    pub fn into_last(self, run: RunId) -> Last {
        Last { run, fingerprints: self.fingerprints }
    }

    /// Forgets what `stat` said of the files: the next `add` reads each again.
    pub fn forget_fingerprints(&mut self) {
        self.fingerprints.fill(None);
    }

    /// Makes the draft equal `staged` at and below `places` (`None` is the top, and everything):
    /// what was there and is not in `staged` leaves; returns how many entries that were. A file or
    /// link of the draft that stands above a place gives way to what comes below it. `staged` may
    /// come in any order; `lists` are the chunk lists of its files of two or more chunks.
    ///
    /// # Errors
    ///
    /// When an entry is malformed, not within a place, there twice, or below another that is not
    /// a folder. The draft is then as it was.
    pub fn replace_within(
        &mut self,
        places: &[Option<RelPath>],
        mut staged: Vec<Staged>,
        lists: BTreeMap<FileId, ChunkList>,
    ) -> Result<usize> {
        let places = Places::new(places.iter().map(Option::as_ref));
        staged.sort_by(|(a, _), (b, _)| a.path.cmp(&b.path));
        check_all(staged.iter().map(|(entry, _)| entry))?;
        let mut filled = vec![false; places.len()];
        for (entry, _) in &staged {
            match places.find(&entry.path).and_then(|place| filled.get_mut(place)) {
                Some(filled) => *filled = true,
                None => {
                    let reason = "it is not within what is added";
                    return Err(Error::Entry { path: entry.path.clone(), reason });
                }
            }
        }
        self.chunks.extend(lists);
        let within = |entry: &Entry| places.find(&entry.path).is_some();
        if self.entries.iter().filter(|old| within(old)).eq(staged.iter().map(|(new, _)| new)) {
            // Nothing changed: the blocks still hold.
            let prints = self.entries.iter().zip(&mut self.fingerprints);
            let prints = prints.filter(|(old, _)| within(old)).map(|(_, print)| print);
            prints.zip(staged).for_each(|(print, (_, new))| *print = new);
            self.drop_lists();
            return Ok(0);
        }
        let filled = filled.iter().enumerate().filter(|(_, filled)| **filled);
        let filled = filled.filter_map(|(place, _)| places.get(place));
        let above: HashSet<&[u8]> = filled.flat_map(path::folders).collect();
        let in_the_way = |old: &Entry| {
            old.node != Node::Dir && !above.is_empty() && above.contains(old.path.as_bytes())
        };
        let new = |old: &Entry| staged.binary_search_by(|(s, _)| s.path.cmp(&old.path)).is_ok();
        let left = self.entries.iter().filter(|old| within(old) && !new(old)).count();
        let mut all = self.take_staged();
        all.retain(|(old, _)| !within(old) && !in_the_way(old));
        all.extend(staged);
        // Two ascending runs: the sort merges them.
        all.sort_by(|(a, _), (b, _)| a.path.cmp(&b.path));
        self.put_staged(all);
        Ok(left)
    }

    /// Whether the draft has anything at or below a path, or at all.
    pub fn has_within(&self, place: Option<&RelPath>) -> bool {
        let Some(place) = place else { return !self.entries.is_empty() };
        let below = [place.as_bytes(), b"/"].concat();
        let first = self.entries.partition_point(|e| e.path.as_bytes() < &below[..]);
        let below = self.entries.get(first).is_some_and(|e| e.path.as_bytes().starts_with(&below));
        below || self.get(place).is_some()
    }

    /// Takes out what stands at and below the paths; returns how many entries that were.
    pub fn remove(&mut self, paths: &[RelPath]) -> usize {
        let places = Places::new(paths.iter().map(Some));
        let named = |entry: &Entry| places.find(&entry.path).is_some();
        let before = self.entries.len();
        let mut all = self.take_staged();
        all.retain(|(entry, _)| !named(entry));
        self.put_staged(all);
        before - self.entries.len()
    }

    fn take_staged(&mut self) -> Vec<Staged> {
        let entries = std::mem::take(&mut self.entries);
        entries.into_iter().zip(std::mem::take(&mut self.fingerprints)).collect()
    }

    fn put_staged(&mut self, all: Vec<Staged>) {
        (self.entries, self.fingerprints) = all.into_iter().unzip();
        self.blocks = None;
        self.drop_lists();
    }

    /// Drops the chunk lists that no entry needs.
    fn drop_lists(&mut self) {
        if !self.chunks.is_empty() {
            let used: HashSet<FileId> = self.entries.iter().filter_map(Entry::file_id).collect();
            self.chunks.retain(|id, list| list.len() > 1 && used.contains(id));
        }
    }

    /// The stored form (docs/format.md, "Draft").
    ///
    /// # Errors
    ///
    /// When the entries cannot be compressed.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let encoded = self.blocks.is_none().then(|| encode_all(&self.entries)).transpose()?;
        let blocks = encoded.as_deref().or(self.blocks.as_deref()).unwrap_or_default();
        let size: usize = blocks.iter().map(|block| block.bytes.len() + 4).sum();
        let mut out = Vec::with_capacity(size + 16 * self.entries.len() + 256);
        out.extend_from_slice(MAGIC);
        put_varint(&mut out, VERSION);
        out.extend_from_slice(&self.started.as_nanosecond().to_le_bytes());
        put_varint(&mut out, self.new_bytes);
        put_varint(&mut out, self.sources.len() as u64);
        for source in &self.sources {
            put_bytes(&mut out, source.at.as_ref().map_or(b"", |path| path.as_bytes()));
            put_bytes(&mut out, source.from.as_os_str().as_bytes());
        }
        put_varint(&mut out, blocks.len() as u64);
        blocks.iter().for_each(|block| put_bytes(&mut out, &block.bytes));
        put_prints(&mut out, &self.fingerprints);
        put_varint(&mut out, self.chunks.len() as u64);
        for (id, list) in &self.chunks {
            out.extend_from_slice(id.as_bytes());
            chunks::put(&mut out, list);
        }
        put_sum(&mut out);
        Ok(out)
    }

    /// Reads the stored form. The blocks are kept for [`Draft::contents`].
    ///
    /// # Errors
    ///
    /// When the bytes are not a whole draft.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(WHAT, check_sum(WHAT, bytes)?);
        reader.magic(MAGIC)?;
        reader.version(VERSION)?;
        let started = Timestamp::from_nanosecond(i128::from_le_bytes(reader.array()?))
            .map_err(|_| reader.error("a time is out of range"))?;
        let mut draft = Self::new(started);
        draft.new_bytes = reader.varint()?;
        for _ in 0..reader.count(2)? {
            let at = match reader.bytes()? {
                b"" => None,
                path => Some(RelPath::new(path).map_err(|e| reader.error(e.to_string()))?),
            };
            let from = PathBuf::from(OsStr::from_bytes(reader.bytes()?));
            draft.sources.push(Source { at, from });
        }
        let blocks = reader.count(1)?;
        let stored = (0..blocks).map(|_| reader.bytes().map(<[u8]>::to_vec));
        let (blocks, entries) = decode_all(stored.collect::<Result<_>>()?)?;
        draft.blocks = Some(blocks);
        draft.entries = entries;
        draft.fingerprints = read_prints(&mut reader, draft.entries.len())?;
        for _ in 0..reader.count(FileId::LEN)? {
            let id = FileId::from_bytes(reader.array()?);
            draft.chunks.insert(id, chunks::read(&mut reader)?);
        }
        reader.end()?;
        Ok(draft)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::manifest::sample::{self, dir, file, link, path};

    fn draft(entries: impl IntoIterator<Item = Entry>) -> Draft {
        let mut draft = Draft::new("2026-11-21T08:00:00Z".parse().unwrap());
        draft.replace_within(&[None], staged(entries), BTreeMap::new()).unwrap();
        draft
    }

    fn staged(entries: impl IntoIterator<Item = Entry>) -> Vec<Staged> {
        entries.into_iter().map(|entry| (entry, None)).collect()
    }

    fn paths(draft: &Draft) -> Vec<String> {
        draft.entries().iter().map(|e| e.path.to_string()).collect()
    }

    fn add(draft: &mut Draft, at: &str, entries: impl IntoIterator<Item = Entry>) {
        draft.replace_within(&[Some(path(at))], staged(entries), BTreeMap::new()).unwrap();
    }

    #[test]
    fn adding_a_folder_makes_the_draft_equal_it() {
        let mut draft = draft([dir("a"), file("a-b"), file("a/gone"), file("a/stays"), file("b")]);
        add(&mut draft, "a", [file("a/new"), dir("a"), file("a/stays")]);
        assert_eq!(paths(&draft), ["a", "a-b", "a/new", "a/stays", "b"]);
        add(&mut draft, "a", []);
        assert_eq!(paths(&draft), ["a-b", "b"]);
    }

    #[test]
    fn files_and_folders_replace_each_other() {
        let mut draft = draft([file("a"), file("b")]);
        add(&mut draft, "a/x", []);
        assert_eq!(paths(&draft), ["a", "b"]);
        add(&mut draft, "a/x", [file("a/x/y"), dir("a/x")]);
        assert_eq!(paths(&draft), ["a/x", "a/x/y", "b"]);
        add(&mut draft, "a", [link("a", "b")]);
        assert_eq!(paths(&draft), ["a", "b"]);
    }

    #[test]
    fn adding_the_same_again_only_renews_fingerprints() {
        let first = draft([dir("a"), file("a/b"), file("c")]);
        let mut again = Draft::decode(&first.encode().unwrap()).unwrap();
        let print = Some(Fingerprint([3; 16]));
        let same = vec![(file("a/b"), print), (dir("a"), None)];
        again.replace_within(&[Some(path("a"))], same, BTreeMap::new()).unwrap();
        assert_eq!(again.entries(), first.entries());
        assert_eq!(again.fingerprints(), [None, print, None]);
        assert!(again.contents().blocks.is_some());
        add(&mut again, "a", [dir("a")]);
        assert!(again.contents().blocks.is_none());
    }

    #[test]
    fn what_cannot_stand_is_refused_and_changes_nothing() {
        let mut draft = draft([file("a")]);
        for wrong in [vec![file("b/x"), file("b/x")], vec![file("c")], vec![file("b"), file("b/x")]]
        {
            let result = draft.replace_within(&[Some(path("b"))], staged(wrong), BTreeMap::new());
            assert!(matches!(result, Err(Error::Entry { .. })));
            assert_eq!(paths(&draft), ["a"]);
        }
    }

    #[test]
    fn chunk_lists_go_with_their_last_file() {
        let mut draft = draft([]);
        let (id, list) = (file("a").file_id().unwrap(), sample::chunk_list(3));
        let lists = BTreeMap::from([(id, list)]);
        let mut copy = file("b");
        copy.node = file("a").node;
        draft.replace_within(&[None], staged([file("a"), copy]), lists).unwrap();
        assert_eq!(draft.remove(&[path("a")]), 1);
        assert_eq!(draft.chunks().len(), 1);
        assert_eq!(draft.remove(&[path("b"), path("c")]), 1);
        assert!(draft.chunks().is_empty());
    }

    #[test]
    fn a_damaged_draft_is_refused() {
        let bytes = draft([file("a"), dir("d")]).encode().unwrap();
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 16;
            assert!(Draft::decode(&damaged).is_err());
            assert!(Draft::decode(&bytes[..place]).is_err());
        }
    }

    fn any_prefix() -> impl Strategy<Value = Option<RelPath>> {
        const NAMES: [&str; 6] = ["a", "b", "a/b", "ab", "a/b/a", "a-"];
        prop::option::of(prop::sample::select(&NAMES[..]).prop_map(path))
    }

    proptest! {
        #[test]
        fn a_draft_reads_back(
            entries in sample::any_tree(),
            prints in prop::collection::vec(prop::option::of(any::<[u8; 16]>()), 40),
            chunks in 2..5u8,
        ) {
            let prints = prints.into_iter().map(|p| p.filter(|p| *p != [0; 16]).map(Fingerprint));
            let staged: Vec<_> = entries.iter().cloned().zip(prints).collect();
            let lists = staged.iter().filter_map(|(e, _)| e.file_id());
            let lists = lists.map(|id| (id, sample::chunk_list(chunks))).collect();
            let mut draft = draft([]);
            draft.new_bytes = 77;
            draft.sources.push(Source { at: None, from: "/x/y".into() });
            draft.sources.push(Source { at: Some(path("a")), from: "a".into() });
            draft.replace_within(&[None], staged, lists).unwrap();
            let bytes = draft.encode().unwrap();
            let back = Draft::decode(&bytes).unwrap();
            prop_assert_eq!(back.entries(), draft.entries());
            prop_assert_eq!(back.fingerprints(), draft.fingerprints());
            prop_assert_eq!(back.chunks(), draft.chunks());
            prop_assert_eq!(&back.sources, &draft.sources);
            prop_assert_eq!((back.started, back.new_bytes), (draft.started, 77));
            prop_assert_eq!(back.encode().unwrap(), bytes);
        }

        #[test]
        fn replacing_equals_a_naive_model(
            old in sample::any_tree(),
            parts in prop::collection::vec(any_prefix()
                .prop_flat_map(|p| (Just(p.clone()), sample::any_tree_within(p))), 1..4),
        ) {
            let (places, new): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
            let new = sample::settle(new.into_iter().flatten());
            let mut left = 0;
            let mut model: BTreeMap<RelPath, Entry> = BTreeMap::new();
            for entry in &old {
                let within = |p: &Option<RelPath>| p.as_ref().is_none_or(|p| entry.path.is_within(p));
                let within = places.iter().any(within);
                let in_the_way = entry.node != Node::Dir
                    && new.iter().any(|n| n.path.is_within(&entry.path));
                left += usize::from(within && !new.iter().any(|n| n.path == entry.path));
                if !within && !in_the_way {
                    model.insert(entry.path.clone(), entry.clone());
                }
            }
            model.extend(new.iter().map(|e| (e.path.clone(), e.clone())));
            let mut draft = draft(old);
            prop_assert_eq!(draft.replace_within(&places, staged(new), BTreeMap::new()).unwrap(), left);
            prop_assert!(draft.entries().iter().eq(model.values()));
            prop_assert!(check_all(draft.entries()).is_ok());
            for place in places {
                let there = model.keys().any(|p| place.as_ref().is_none_or(|at| p.is_within(at)));
                prop_assert_eq!(draft.has_within(place.as_ref()), there);
            }
        }

        #[test]
        fn removing_equals_a_naive_model(
            old in sample::any_tree(),
            gone in prop::collection::vec(any_prefix(), 0..3),
        ) {
            let gone: Vec<_> = gone.into_iter().flatten().collect();
            let mut draft = draft(old.clone());
            let removed = draft.remove(&gone);
            let left: Vec<_> = old.iter()
                .filter(|e| !gone.iter().any(|g| e.path.is_within(g)))
                .collect();
            prop_assert_eq!(removed, old.len() - left.len());
            prop_assert!(draft.entries().iter().eq(left));
        }
    }
}
