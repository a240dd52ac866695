//! Chunks at rest: frames in packs, and the index that finds them.
//!
//! A [`Store`] adds chunks through a [`Writer`] (one lane a thread) and gives them back, verified,
//! through a [`Reader`]. It knows nothing of files, runs or retention. Packs are immutable; the
//! index is derived from their footers.

mod frame;
mod index;
mod pack;
mod read;
mod salvage;
mod segment;
#[cfg(test)]
mod tests;
mod write;

pub use frame::{Codec, Compression};
pub use index::{Index, pack_name};
pub use pack::{ChunkRow, Footer, FrameRow};
pub use read::Reader;
pub use segment::Location;
pub use write::{IdHash, Lane, Named, Writer, Written};

use std::path::PathBuf;
use std::sync::Arc;

use crate::disk::{self, Folder};
use crate::id::{ChunkId, PackId};

/// Folder of the packs.
pub const PACKS: &str = "packs";

/// A file of the store that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file, relative to the store.
    pub file: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// Why chunks could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk said no.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// No pack holds the chunk.
    #[error("The store has no chunk {0:.12}")]
    Missing(ChunkId),
    /// A pack holds other bytes than it should.
    #[error("The pack {} is damaged: {reason}", pack_name(*.pack))]
    Damaged {
        /// Which pack.
        pack: PackId,
        /// What is wrong with it.
        reason: String,
    },
    /// The system gave no random bytes to name a pack with.
    #[error("Could not make a name for a pack")]
    Random(#[from] getrandom::Error),
    /// A thread that syncs packs ended without a word.
    #[error("The thread that writes packs ended unexpectedly")]
    Lost,
}

/// Result of a store operation.
pub type Result<T> = std::result::Result<T, Error>;

/// The chunks of one store folder.
#[derive(Debug, Clone)]
pub struct Store {
    folder: Folder,
}

impl Store {
    /// The chunks below `folder`.
    pub fn new(folder: Folder) -> Self {
        Self { folder }
    }

    /// Makes the folders that packs and index lie in.
    ///
    /// # Errors
    ///
    /// When they cannot be created.
    pub fn create(&self) -> Result<()> {
        self.folder.create_dir(PACKS)?;
        Ok(self.folder.create_dir(index::INDEX)?)
    }

    /// A view of which chunks there are now.
    ///
    /// # Errors
    ///
    /// When a file is there and cannot be read; damaged ones are listed in the index instead.
    pub fn index(&self) -> Result<Arc<Index>> {
        Index::load(&self.folder).map(Arc::new)
    }

    /// The same, read from the packs alone: slower, and right where a segment is damaged. Chunks
    /// of packs whose footers are damaged are not in it.
    ///
    /// # Errors
    ///
    /// When a pack is there and cannot be read.
    pub fn index_of_footers(&self) -> Result<Arc<Index>> {
        Index::of_footers(&self.folder).map(Arc::new)
    }

    /// Starts adding chunks that `index` does not have.
    pub fn writer(&self, index: Arc<Index>) -> Writer {
        Writer::new(self.folder.clone(), index)
    }

    /// Starts writing packs that stand for themselves, whatever the store has already; for gc and
    /// repair, which move chunks from old packs into new ones.
    pub fn rewriter(&self) -> Writer {
        Writer::new(self.folder.clone(), Arc::new(Index::empty()))
    }

    /// Starts reading chunks.
    ///
    /// # Errors
    ///
    /// As [`Store::index`].
    pub fn reader(&self) -> Result<Reader> {
        Ok(Reader::new(self.folder.clone(), self.index()?))
    }

    /// Merges what accumulated in the index, when it is time to.
    ///
    /// # Errors
    ///
    /// When a segment cannot be written; the index is then as it was.
    pub fn tidy(&self) -> Result<()> {
        index::merge(&self.folder)
    }

    /// Makes the index name exactly these packs; gc calls it before it deletes the others. Leaves
    /// it as it is while the footer of one of them is damaged.
    ///
    /// # Errors
    ///
    /// When a segment cannot be written.
    pub fn reindex(&self, packs: &[PackId]) -> Result<()> {
        index::rebuild(&self.folder, packs)
    }

    /// The footer of a pack; the inner error says how the pack is damaged.
    ///
    /// # Errors
    ///
    /// When the pack cannot be read at all.
    pub fn footer(&self, pack: PackId) -> Result<std::result::Result<Footer, &'static str>> {
        index::read_footer(&self.folder, pack)
    }

    /// The folder the store lies in.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }
}
