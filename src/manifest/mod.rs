//! What one run contains: entries, their canonical form and id, the draft, the difference.

mod entry;

pub use entry::{ChunkList, ChunkRef, Entry, Fingerprint, MODE_MASK, Mtime, Node};
