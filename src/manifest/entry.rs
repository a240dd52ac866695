//! One path of a run, and the chunks of one file.

use std::sync::Arc;

use crate::artifact::ArtifactType;
use crate::id::{ChunkId, FileId};
use crate::path::RelPath;

/// The permission bits that are kept; set-id and sticky bits are not.
pub const MODE_MASK: u32 = 0o777;

/// A modification time: seconds since 1970 and nanoseconds (below 10^9) after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mtime {
    /// Seconds since the Unix epoch; negative before it.
    pub secs: i64,
    /// Nanoseconds, 0 to 999,999,999.
    pub nanos: u32,
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A regular file.
    File {
        /// Length in bytes.
        size: u64,
        /// BLAKE3 of the content.
        id: FileId,
    },
    /// A folder. Folders are recorded too, so that empty ones and modes come back.
    Dir,
    /// A symbolic link and what it points to, byte for byte.
    Symlink {
        /// The link's text; it is never followed.
        target: Box<[u8]>,
    },
}

/// One path of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub path: RelPath,
    /// What stands there.
    pub node: Node,
    /// Permission bits, within [`MODE_MASK`].
    pub mode: u32,
    /// When it was last modified.
    pub mtime: Mtime,
    /// The artifact type that the user gave it (`--type`); part of the run's id.
    pub declared: Option<ArtifactType>,
    /// The artifact type found from path and content; derived, not part of the run's id.
    pub detected: ArtifactType,
    /// The media type found from path and content, such as `image/png`; derived.
    pub content_type: Option<Arc<str>>,
}

impl Entry {
    /// The declared type, or else the detected one.
    pub fn artifact_type(&self) -> ArtifactType {
        self.declared.unwrap_or(self.detected)
    }

    /// Length in bytes: of a file its content, else 0.
    pub fn size(&self) -> u64 {
        match self.node {
            Node::File { size, .. } => size,
            _ => 0,
        }
    }

    /// The file's id, if it is a file.
    pub fn file_id(&self) -> Option<FileId> {
        match self.node {
            Node::File { id, .. } => Some(id),
            _ => None,
        }
    }
}

/// A chunk of a file and its length in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkRef {
    /// The chunk.
    pub id: ChunkId,
    /// Its length in bytes, at least 1.
    pub len: u32,
}

/// The chunks of a file in order. Only files of two or more chunks have a list: a file of one
/// chunk has the chunk's hash as its own, an empty file has no chunk.
pub type ChunkList = Arc<[ChunkRef]>;

/// What `stat` said of a file when it was read, as a hash of device, inode, size, mtime and ctime.
/// A file that still has the fingerprint still has the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 16]);
