//! What one run contains: entries, their canonical form and id, the sealed file, the draft, the
//! difference. May touch a run's own file, which it only reads; imports base rooms only.

mod block;
mod canonical;
mod chunks;
pub(crate) mod codec;
mod diff;
mod draft;
mod entry;
mod error;
mod guard;
mod image;
mod last;
mod meta;
mod order;
mod reader;
#[cfg(test)]
mod sample;
mod sealed;
mod summary;
mod tables;
#[cfg(test)]
mod tests;

pub use block::{Block, encode_all};
pub use canonical::{ListingHasher, decode, encode, id_of_listing, run_id};
pub use chunks::{decode_chunks, encode_chunks};
pub use diff::{Change, Diff, What, diff};
pub use draft::{Draft, Source, Staged};
pub use entry::{ChunkList, ChunkRef, Entry, Fingerprint, MODE_MASK, Mtime, Node};
pub use error::{Error, Result};
pub use last::Last;
pub use meta::{RunMeta, Status, check_name};
pub use reader::{Entries, Manifest};
pub use sealed::{Contents, Sealed, seal};
pub use summary::{Largest, Summary, Tally};
