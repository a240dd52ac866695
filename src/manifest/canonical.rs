//! The canonical listing: a run's metadata and entries as one sequence of bytes, and the run's id,
//! which is its hash. Nothing derived is in it. Touches memory only.

use super::Result;
use super::codec::{Reader, put_bytes, put_signed, put_varint};
use super::entry::{Entry, Mtime, Node};
use super::meta::RunMeta;
use super::order::Order;
use crate::artifact::ArtifactType;
use crate::id::{FileId, RunId};
use crate::path::RelPath;

/// Separates a run's id from every other BLAKE3 hash. Never changes.
pub(super) const CONTEXT: &str = "eart 2026-11-21 run id of a canonical listing";

/// The version of the listing, part of what is hashed.
pub(super) const VERSION: u64 = 1;

const WHAT: &str = "canonical listing";
const MAGIC: &[u8; 8] = b"eartlist";

const END: u8 = 0;
pub(super) const FILE: u8 = 1;
pub(super) const DIR: u8 = 2;
pub(super) const SYMLINK: u8 = 3;

/// When so many bytes are waiting they are hashed.
const BUFFER: usize = 64 * 1024;

/// Hashes a run's canonical listing entry by entry, without keeping it.
#[derive(Debug)]
pub struct ListingHasher {
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
    order: Order,
}

impl ListingHasher {
    /// Begins the listing of a run.
    ///
    /// # Errors
    ///
    /// When the metadata is out of bounds.
    pub fn new(meta: &RunMeta) -> Result<Self> {
        meta.validate()?;
        let mut buffer = Vec::with_capacity(BUFFER + 1024);
        put_head(&mut buffer, meta);
        let hasher = blake3::Hasher::new_derive_key(CONTEXT);
        Ok(Self { hasher, buffer, order: Order::default() })
    }

    /// Takes the next entry; entries come in path order.
    ///
    /// # Errors
    ///
    /// When the entry is malformed, out of order, there twice, or below a file or link.
    pub fn push(&mut self, entry: &Entry) -> Result<()> {
        self.order.next(entry)?;
        put_entry(&mut self.buffer, entry);
        if self.buffer.len() >= BUFFER {
            self.hasher.update(&self.buffer);
            self.buffer.clear();
        }
        Ok(())
    }

    /// Ends the listing.
    pub fn finish(mut self) -> RunId {
        self.buffer.push(END);
        self.hasher.update(&self.buffer);
        RunId::from_bytes(*self.hasher.finalize().as_bytes())
    }
}

/// The id of a run with this metadata and these entries.
///
/// # Errors
///
/// As [`ListingHasher::new`] and [`ListingHasher::push`].
pub fn run_id<'a>(meta: &RunMeta, entries: impl IntoIterator<Item = &'a Entry>) -> Result<RunId> {
    let mut hasher = ListingHasher::new(meta)?;
    entries.into_iter().try_for_each(|entry| hasher.push(entry))?;
    Ok(hasher.finish())
}

/// The id of the run whose canonical listing these bytes are. Says nothing about whether they are
/// one: see [`decode`].
pub fn id_of_listing(listing: &[u8]) -> RunId {
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    hasher.update(listing);
    RunId::from_bytes(*hasher.finalize().as_bytes())
}

/// The canonical listing.
///
/// # Errors
///
/// As [`ListingHasher::new`] and [`ListingHasher::push`].
pub fn encode<'a>(meta: &RunMeta, entries: impl IntoIterator<Item = &'a Entry>) -> Result<Vec<u8>> {
    meta.validate()?;
    let mut out = Vec::new();
    put_head(&mut out, meta);
    let mut order = Order::default();
    for entry in entries {
        order.next(entry)?;
        put_entry(&mut out, entry);
    }
    out.push(END);
    Ok(out)
}

/// Reads a canonical listing that anybody may have written. The entries' derived fields are not in
/// it: they come back as [`ArtifactType::Custom`] and no content type.
///
/// What this takes, [`encode`] writes again byte for byte: a run has one listing.
///
/// # Errors
///
/// When the bytes are anything but a whole canonical listing of the known version.
pub fn decode(listing: &[u8]) -> Result<(RunMeta, Vec<Entry>)> {
    let mut reader = Reader::new(WHAT, listing);
    reader.magic(MAGIC)?;
    reader.version(VERSION)?;
    let meta = RunMeta::decode(&mut reader)?;
    let mut entries = Vec::new();
    let mut order = Order::default();
    while let Some(entry) = entry(&mut reader)? {
        order.next(&entry)?;
        entries.push(entry);
    }
    reader.end()?;
    Ok((meta, entries))
}

fn put_head(out: &mut Vec<u8>, meta: &RunMeta) {
    out.extend_from_slice(MAGIC);
    put_varint(out, VERSION);
    meta.encode(out);
}

fn put_entry(out: &mut Vec<u8>, entry: &Entry) {
    out.push(kind(&entry.node));
    put_bytes(out, entry.path.as_bytes());
    put_varint(out, u64::from(entry.mode));
    put_signed(out, entry.mtime.secs);
    put_varint(out, u64::from(entry.mtime.nanos));
    match &entry.node {
        Node::File { size, id } => {
            put_varint(out, *size);
            out.extend_from_slice(id.as_bytes());
        }
        Node::Dir => {}
        Node::Symlink { target } => put_bytes(out, target),
    }
    out.push(declared_code(entry.declared));
}

/// The number of a kind of entry, in every format of this room.
pub(super) fn kind(node: &Node) -> u8 {
    match node {
        Node::File { .. } => FILE,
        Node::Dir => DIR,
        Node::Symlink { .. } => SYMLINK,
    }
}

/// 0 for none, else the type's code and one.
pub(super) fn declared_code(declared: Option<ArtifactType>) -> u8 {
    declared.map_or(0, |t| t.code() + 1)
}

/// Reads what [`declared_code`] gave.
pub(super) fn declared(reader: &Reader<'_>, code: u8) -> Result<Option<ArtifactType>> {
    match code.checked_sub(1) {
        None => Ok(None),
        Some(code) => match ArtifactType::from_code(code) {
            Some(known) => Ok(Some(known)),
            None => Err(reader.error("it has an unknown artifact type")),
        },
    }
}

/// Reads a path.
pub(super) fn path(reader: &Reader<'_>, bytes: &[u8]) -> Result<RelPath> {
    RelPath::new(bytes).map_err(|e| reader.error(e.to_string()))
}

fn entry(reader: &mut Reader<'_>) -> Result<Option<Entry>> {
    let kind = reader.byte()?;
    if kind == END {
        return Ok(None);
    }
    let bytes = reader.bytes()?;
    let path = path(reader, bytes)?;
    let mode = reader.small()?;
    let mtime = Mtime { secs: reader.signed()?, nanos: reader.small()? };
    let node = match kind {
        FILE => Node::File { size: reader.varint()?, id: FileId::from_bytes(reader.array()?) },
        DIR => Node::Dir,
        SYMLINK => Node::Symlink { target: reader.bytes()?.into() },
        _ => return Err(reader.error(format!("it has an entry of unknown kind {kind}"))),
    };
    let code = reader.byte()?;
    let declared = declared(reader, code)?;
    let detected = ArtifactType::Custom;
    Ok(Some(Entry { path, node, mode, mtime, declared, detected, content_type: None }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::manifest::sample::{self, dir, file, link};

    #[test]
    fn the_id_of_a_fixed_run_never_changes() {
        let mut typed = file("results.json");
        typed.declared = Some(ArtifactType::TestResults);
        let entries = [dir("a"), file("a/empty"), link("latest", "a/empty"), typed];
        let id = run_id(&sample::meta(), &entries).unwrap();
        assert_eq!(id.to_hex(), "d5ef62c7718a5fd46fffc4b0921057ffd0609d4603cbae76059016b746ed3e47");
        assert_eq!(id_of_listing(&encode(&sample::meta(), &entries).unwrap()), id);
    }

    #[test]
    fn every_declared_fact_is_in_the_id() {
        let meta = sample::meta();
        let base = vec![dir("a"), file("a/b"), link("l", "a")];
        let id = |entries: &[Entry]| run_id(&meta, entries).unwrap();
        let mut ids = vec![id(&base)];
        let changes: [fn(&mut [Entry]); 6] = [
            |e| e[0].mode = 0o700,
            |e| e[1].mtime.secs += 1,
            |e| e[1].mtime.nanos += 1,
            |e| e[1].declared = Some(ArtifactType::Custom),
            |e| e[2].node = Node::Symlink { target: b"b"[..].into() },
            |e| e[1].node = Node::File { size: 0, id: FileId::of(b"a/b") },
        ];
        for change in changes {
            let mut entries = base.clone();
            change(&mut entries);
            ids.push(id(&entries));
        }
        ids.push(id(&base[..2]));
        let mut other = meta.clone();
        other.nonce[0] ^= 1;
        ids.push(run_id(&other, &base).unwrap());
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 9);

        let mut derived = base.clone();
        derived[1].detected = ArtifactType::Trace;
        derived[1].content_type = Some("text/plain".into());
        assert_eq!(id(&derived), id(&base));
    }

    #[test]
    fn what_follows_or_lacks_is_refused() {
        let listing = encode(&sample::meta(), &[file("a")]).unwrap();
        let reason = |bytes: &[u8]| decode(bytes).unwrap_err().to_string();
        assert_eq!(
            reason(&[&listing[..], b"x"].concat()),
            "Damaged canonical listing: bytes follow its end"
        );
        for len in 0..listing.len() {
            assert!(decode(&listing[..len]).is_err());
        }
        let mut newer = listing.clone();
        newer[8] = 2;
        assert_eq!(
            reason(&newer),
            "Cannot read version 2 of the canonical listing, only 1; use a newer eart"
        );
    }

    proptest! {
        #[test]
        fn a_listing_reads_back(entries in sample::any_tree()) {
            let listing = encode(&sample::meta(), &entries).unwrap();
            let (meta, back) = decode(&listing).unwrap();
            prop_assert_eq!(&meta, &sample::meta());
            prop_assert_eq!(&back, &sample::underived(&entries));
            prop_assert_eq!(run_id(&meta, &entries).unwrap(), id_of_listing(&listing));
        }

        #[test]
        fn what_decodes_has_one_encoding(
            entries in sample::any_tree(),
            changes in prop::collection::vec((any::<usize>(), any::<u8>()), 1..4),
        ) {
            let mut listing = encode(&sample::meta(), &entries).unwrap();
            sample::mutate(&mut listing, &changes);
            if let Ok((meta, entries)) = decode(&listing) {
                prop_assert_eq!(encode(&meta, &entries).unwrap(), listing);
            }
        }
    }
}
