//! Sealing: metadata and entries become a run's id and the bytes of its file. Touches memory only;
//! the caller writes the bytes durably.

use std::collections::BTreeMap;

use redb::{Builder, Database};

use super::block::{Block, encode_all};
use super::canonical::run_id;
use super::chunks::encode_chunks;
use super::entry::{ChunkList, Entry};
use super::image::Image;
use super::meta::RunMeta;
use super::summary::Summary;
use super::tables::{CHUNKS, ENTRIES, KEY_LABEL, KEY_RUN, KEY_SUMMARY, META};
use super::{Error, Result};
use crate::id::{FileId, RunId};

/// Bytes that redb may cache while a file is built: pages that it writes twice.
const CACHE: usize = 16 * 1024 * 1024;

/// What goes into a run.
#[derive(Debug, Clone, Copy)]
pub struct Contents<'a> {
    /// Its entries in path order.
    pub entries: &'a [Entry],
    /// The same entries as [`encode_all`](super::encode_all) encodes them, if that was done.
    pub blocks: Option<&'a [Block]>,
    /// The chunk lists of its files of two or more chunks.
    pub chunks: &'a BTreeMap<FileId, ChunkList>,
    /// Bytes that the store grew by for it.
    pub new_bytes: u64,
}

/// A run that is complete, in memory.
#[derive(Debug)]
pub struct Sealed {
    /// Its id.
    pub id: RunId,
    /// Its file.
    pub bytes: Vec<u8>,
    /// What it amounts to.
    pub summary: Summary,
}

/// Makes a run's id and file.
///
/// # Errors
///
/// When the metadata is out of bounds, or the entries are malformed, not in path order, there
/// twice or below something that is not a folder.
pub fn seal(meta: &RunMeta, contents: Contents<'_>) -> Result<Sealed> {
    let encode = || contents.blocks.is_none().then(|| encode_all(contents.entries)).transpose();
    let (id, encoded) = rayon::join(|| run_id(meta, contents.entries), encode);
    let (id, encoded) = (id?, encoded?);
    let blocks = encoded.as_deref().or(contents.blocks).unwrap_or_default();
    let summary = Summary::of(contents.entries, contents.new_bytes);
    let image = Image::default();
    let built = Builder::new()
        .set_cache_size(CACHE)
        .create_with_backend(image.clone())
        .map_err(redb::Error::from)
        .and_then(|db| fill(db, meta, &summary, blocks, contents.chunks));
    built.map_err(|e| Error::Build { source: e.into() })?;
    let bytes = image.stamped(id).map_err(|e| Error::Build { source: e.into() })?;
    Ok(Sealed { id, bytes, summary })
}

/// Fills a new database in one transaction, makes it small, and closes it.
fn fill(
    mut db: Database,
    meta: &RunMeta,
    summary: &Summary,
    blocks: &[Block],
    chunks: &BTreeMap<FileId, ChunkList>,
) -> std::result::Result<(), redb::Error> {
    let write = db.begin_write()?;
    {
        let mut table = write.open_table(META)?;
        for (name, value) in &meta.labels {
            table.insert(format!("{KEY_LABEL}{name}").as_str(), value.as_bytes())?;
        }
        let mut run = Vec::new();
        meta.encode(&mut run);
        table.insert(KEY_RUN, run.as_slice())?;
        table.insert(KEY_SUMMARY, summary.encode().as_slice())?;
    }
    if !blocks.is_empty() {
        let mut table = write.open_table(ENTRIES)?;
        for block in blocks {
            table.insert(block.first.as_bytes(), block.bytes.as_slice())?;
        }
    }
    let mut lists = chunks.iter().filter(|(_, list)| list.len() > 1).peekable();
    if lists.peek().is_some() {
        let mut table = write.open_table(CHUNKS)?;
        for (id, list) in lists {
            table.insert(id.as_bytes(), encode_chunks(list).as_slice())?;
        }
    }
    write.commit()?;
    db.compact()?;
    Ok(())
}
