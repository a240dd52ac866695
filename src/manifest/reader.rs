//! A sealed run, read from its file. Touches that file only, and never changes it: any number of
//! readers may have it open, also where nothing can be written.

use std::path::{Path, PathBuf};

use redb::{Builder, Key, Range, ReadOnlyDatabase, ReadOnlyTable, ReadableDatabase, TableError};

use super::block::{Block, decode_all};
use super::canonical::ListingHasher;
use super::chunks::decode_chunks;
use super::codec::Reader;
use super::entry::{ChunkList, Entry, Node};
use super::guard::caught;
use super::image::{Checked, check};
use super::meta::RunMeta;
use super::summary::Summary;
use super::tables::{CHUNKS, ENTRIES, KEY_RUN, KEY_SUMMARY, META};
use super::{Error, Result};
use crate::disk;
use crate::id::{FileId, RunId};
use crate::path::RelPath;

/// Bytes of a run's file that redb may keep in memory.
const CACHE: usize = 4 * 1024 * 1024;

type Bytes = &'static [u8];

/// A sealed run. Its whole file was checked when it was opened.
pub struct Manifest {
    run: RunId,
    path: PathBuf,
    meta: RunMeta,
    summary: Summary,
    entries: Option<ReadOnlyTable<Bytes, Bytes>>,
    chunks: Option<ReadOnlyTable<&'static [u8; 32], Bytes>>,
    // Behind the tables that are read from it.
    _db: ReadOnlyDatabase,
}

impl std::fmt::Debug for Manifest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Manifest").field(&self.run).finish()
    }
}

/// Wraps what went wrong while the file of a run was read.
struct Place<'a>(RunId, &'a Path);

impl Place<'_> {
    fn damaged(&self, reason: &'static str) -> Error {
        Error::Damaged { run: self.0, path: self.1.to_owned(), reason }
    }

    /// Does what calls redb, which panics on pages that make no sense: their checksums and the
    /// stamp may be right all the same, if somebody meant to do harm.
    fn guard<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        caught(work).unwrap_or_else(|| Err(self.damaged("its tables make no sense")))
    }

    fn error(&self, source: impl Into<redb::Error>) -> Error {
        let source: Box<dyn std::error::Error + Send + Sync> = match source.into() {
            redb::Error::Io(e) => e.into(),
            e => e.into(),
        };
        self.read(source)
    }

    fn read(&self, source: Box<dyn std::error::Error + Send + Sync>) -> Error {
        Error::Read { run: self.0, path: self.1.to_owned(), source }
    }
}

impl Manifest {
    /// Opens the file of a run after checking every byte of it.
    ///
    /// # Errors
    ///
    /// When the file is not there (see [`Error::is_not_found`]), cannot be read, is damaged,
    /// belongs to another run than `run`, or is of a newer format.
    pub fn open(path: &Path, run: RunId) -> Result<Self> {
        let at = Place(run, path);
        let file = disk::open(path).map_err(|e| at.read(e.into()))?;
        match check(file, run).map_err(|e| at.read(e.into()))? {
            Checked::Whole => {}
            Checked::Damaged(reason) => return Err(at.damaged(reason)),
            Checked::Newer(version) => {
                return Err(Error::Version {
                    what: "run's file",
                    version: version.into(),
                    known: 1,
                });
            }
        }
        at.guard(|| Self::tables(&at))
    }

    /// Opens the tables of a file whose bytes were checked.
    fn tables(at: &Place<'_>) -> Result<Self> {
        let (run, path) = (at.0, at.1);
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE);
        let db = builder.open_read_only(path).map_err(|e| at.error(e))?;
        let read = db.begin_read().map_err(|e| at.error(e))?;
        let facts = read.open_table(META).map_err(|e| at.error(e))?;
        let fact = |key| match facts.get(key) {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(at.damaged("it lacks its metadata")),
            Err(e) => Err(at.error(e)),
        };
        let row = fact(KEY_RUN)?;
        let mut reader = Reader::new("run metadata", row.value());
        let meta = RunMeta::decode(&mut reader).and_then(|meta| reader.end().map(|()| meta));
        let meta = meta.map_err(|e| at.read(e.into()))?;
        let summary = Summary::decode(fact(KEY_SUMMARY)?.value());
        let summary = summary.map_err(|e| at.read(e.into()))?;
        let entries = present(read.open_table(ENTRIES)).map_err(|e| at.error(e))?;
        let chunks = present(read.open_table(CHUNKS)).map_err(|e| at.error(e))?;
        let path = path.to_owned();
        Ok(Self { run, path, meta, summary, entries, chunks, _db: db })
    }

    fn at(&self) -> Place<'_> {
        Place(self.run, &self.path)
    }

    /// The run's id.
    pub fn id(&self) -> RunId {
        self.run
    }

    /// What is known of the run besides its files.
    pub fn meta(&self) -> &RunMeta {
        &self.meta
    }

    /// What the run amounts to.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// All entries in path order, a block of them in memory at a time.
    pub fn entries(&self) -> Entries<'_> {
        self.blocks_from(b"", None)
    }

    /// All entries in path order and their blocks, read at once on all cores.
    ///
    /// # Errors
    ///
    /// When something cannot be read.
    pub fn load(&self) -> Result<(Vec<Entry>, Vec<Block>)> {
        let stored = self.rows_from(b"").map(|row| row.map(|(_, block)| block));
        let stored = stored.collect::<Result<_>>()?;
        let (blocks, entries) = decode_all(stored).map_err(|e| self.at().read(e.into()))?;
        Ok((entries, blocks))
    }

    /// The entry at `folder` and all below it, in path order; nothing when there is none. Reads
    /// only the blocks that hold some of them.
    pub fn entries_within(&self, folder: &RelPath) -> Entries<'_> {
        let prefix = [folder.as_bytes(), b"/"].concat();
        let mut entries = self.blocks_from(&prefix.clone(), Some(prefix));
        match self.get(folder) {
            Ok(first) => entries.first = first,
            Err(e) => entries.failed = Some(e),
        }
        entries
    }

    /// The entry at a path. Reads one block.
    ///
    /// # Errors
    ///
    /// When the block cannot be read.
    pub fn get(&self, path: &RelPath) -> Result<Option<Entry>> {
        let Some(table) = &self.entries else { return Ok(None) };
        let at = self.at();
        let block = at.guard(|| {
            let mut blocks = table.range::<&[u8]>(..=path.as_bytes()).map_err(|e| at.error(e))?;
            let row = blocks.next_back().transpose().map_err(|e| at.error(e))?;
            Ok(row.map(|(_, block)| block.value().to_vec()))
        })?;
        let Some(block) = block else { return Ok(None) };
        let mut entries = self.block(&block)?;
        let found = entries.binary_search_by(|entry| entry.path.cmp(path)).ok();
        Ok(found.map(|place| entries.swap_remove(place)))
    }

    /// The chunks of a file of the run; `None` when it has fewer than two, or is not in the run.
    ///
    /// # Errors
    ///
    /// When the list cannot be read.
    pub fn chunk_list(&self, id: FileId) -> Result<Option<ChunkList>> {
        let Some(table) = &self.chunks else { return Ok(None) };
        let at = self.at();
        let list = at.guard(|| {
            let list = table.get(id.as_bytes()).map_err(|e| at.error(e))?;
            Ok(list.map(|list| list.value().to_vec()))
        })?;
        list.map(|list| decode_chunks(&list).map_err(|e| at.read(e.into()))).transpose()
    }

    /// Every chunk list of the run, by ascending file id.
    pub fn chunk_lists(&self) -> impl Iterator<Item = Result<(FileId, ChunkList)>> + '_ {
        let start = |table: &ReadOnlyTable<&'static [u8; 32], Bytes>| {
            table.range::<&[u8; 32]>(..).map_err(|e| self.at().error(e))
        };
        Rows::begin(self.at(), self.chunks.as_ref(), start, |id| *id).map(|row| {
            let (id, list) = row?;
            let list = decode_chunks(&list).map_err(|e| self.at().read(e.into()))?;
            Ok((FileId::from_bytes(id), list))
        })
    }

    /// Reads everything and checks that it is what the run's id was made from, and that what is
    /// derived agrees with it.
    ///
    /// # Errors
    ///
    /// When something cannot be read or does not agree.
    pub fn verify(&self) -> Result<()> {
        self.verify_with(|_, _| {})
    }

    /// The same; `visit` sees each entry and, if it has one, its chunk list.
    ///
    /// # Errors
    ///
    /// As [`Manifest::verify`].
    pub fn verify_with(&self, mut visit: impl FnMut(&Entry, Option<&ChunkList>)) -> Result<()> {
        let mut hasher = ListingHasher::new(&self.meta).map_err(|e| self.at().read(e.into()))?;
        let mut summary = Summary { new_bytes: self.summary.new_bytes, ..Summary::default() };
        for entry in self.entries() {
            let entry = entry?;
            hasher.push(&entry).map_err(|e| self.at().read(e.into()))?;
            let list = match &entry.node {
                Node::File { id, .. } => self.chunk_list(*id)?,
                _ => None,
            };
            let sum = |list: &ChunkList| list.iter().map(|c| u64::from(c.len)).sum::<u64>();
            if list.as_ref().is_some_and(|list| sum(list) != entry.size()) {
                return Err(self.at().damaged("a chunk list does not add up to its file"));
            }
            visit(&entry, list.as_ref());
            summary.add(&entry);
        }
        if hasher.finish() != self.run {
            return Err(self.at().damaged("its contents have another id"));
        }
        if summary != self.summary {
            return Err(self.at().damaged("its summary is not that of its entries"));
        }
        Ok(())
    }

    fn block(&self, stored: &[u8]) -> Result<Vec<Entry>> {
        Block::decode(stored).map_err(|e| self.at().read(e.into()))
    }

    /// Entries from the block on that holds `start` or what follows it.
    fn blocks_from(&self, start: &[u8], prefix: Option<Vec<u8>>) -> Entries<'_> {
        let (blocks, block) = (self.rows_from(start), Vec::new().into_iter());
        Entries { manifest: self, prefix, first: None, failed: None, blocks, block }
    }

    /// Stored blocks from the one on that holds `start` or what follows it.
    fn rows_from(&self, start: &[u8]) -> Rows<'_, Bytes, Vec<u8>> {
        let range = |table: &ReadOnlyTable<Bytes, Bytes>| {
            let before = table.range::<&[u8]>(..=start)?.next_back().transpose()?;
            match &before {
                Some((first, _)) => table.range::<&[u8]>(first.value()..),
                None => table.range::<&[u8]>(start..),
            }
        };
        let begin = |table: &_| range(table).map_err(|e| self.at().error(e));
        Rows::begin(self.at(), self.entries.as_ref(), begin, |key| key.to_vec())
    }
}

/// A table, or `None` where it would be empty.
fn present<T>(
    table: std::result::Result<T, TableError>,
) -> std::result::Result<Option<T>, TableError> {
    match table {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Rows of a table by ascending key. Ends after an error.
struct Rows<'a, K: Key + 'static, O> {
    at: Place<'a>,
    range: Option<Range<'static, K, Bytes>>,
    failed: Option<Error>,
    /// What a key is to the caller.
    key: fn(K::SelfType<'_>) -> O,
    last: Option<O>,
}

impl<'a, K: Key + 'static, O> Rows<'a, K, O> {
    fn begin(
        at: Place<'a>,
        table: Option<&ReadOnlyTable<K, Bytes>>,
        begin: impl FnOnce(&ReadOnlyTable<K, Bytes>) -> Result<Range<'static, K, Bytes>>,
        key: fn(K::SelfType<'_>) -> O,
    ) -> Self {
        let (range, failed) = match at.guard(|| table.map(begin).transpose()) {
            Ok(range) => (range, None),
            Err(e) => (None, Some(e)),
        };
        Self { at, range, failed, key, last: None }
    }
}

impl<K: Key + 'static, O: Ord + Clone> Iterator for Rows<'_, K, O> {
    type Item = Result<(O, Vec<u8>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.failed.take() {
            return Some(Err(error));
        }
        let (at, key, range) = (&self.at, self.key, self.range.as_mut()?);
        let row = at.guard(|| {
            let row = range.next().transpose().map_err(|e| at.error(e))?;
            Ok(row.map(|(id, value)| (key(id.value()), value.value().to_vec())))
        });
        let row = match row.transpose()? {
            // Pages that name each other in a circle have no end.
            Ok((key, _)) if self.last.as_ref().is_some_and(|last| *last >= key) => {
                Err(at.damaged("its tables are out of order"))
            }
            other => other,
        };
        match &row {
            Ok((key, _)) => self.last = Some(key.clone()),
            Err(_) => self.range = None,
        }
        Some(row)
    }
}

/// Entries of a run in path order; see [`Manifest::entries`]. Ends after an error.
pub struct Entries<'a> {
    manifest: &'a Manifest,
    /// Only paths that begin with these bytes.
    prefix: Option<Vec<u8>>,
    first: Option<Entry>,
    failed: Option<Error>,
    blocks: Rows<'a, Bytes, Vec<u8>>,
    block: std::vec::IntoIter<Entry>,
}

impl Entries<'_> {
    fn end(&mut self, error: Option<Error>) -> Option<Result<Entry>> {
        self.blocks.range = None;
        self.block = Vec::new().into_iter();
        error.map(Err)
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.failed.take() {
            return self.end(Some(error));
        }
        if let Some(first) = self.first.take() {
            return Some(Ok(first));
        }
        loop {
            for entry in self.block.by_ref() {
                match &self.prefix {
                    Some(prefix) if !entry.path.as_bytes().starts_with(prefix) => {
                        if entry.path.as_bytes() > &prefix[..] {
                            return self.end(None);
                        }
                    }
                    _ => return Some(Ok(entry)),
                }
            }
            let row = self.blocks.next()?;
            match row.and_then(|(_, block)| self.manifest.block(&block)) {
                Ok(entries) => self.block = entries.into_iter(),
                Err(e) => return self.end(Some(e)),
            }
        }
    }
}
