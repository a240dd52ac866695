//! What can go wrong in this room.

use std::borrow::Cow;
use std::path::PathBuf;

use crate::disk;
use crate::id::RunId;
use crate::path::RelPath;

/// An error about a run, its draft, or their stored forms.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Metadata that cannot be taken; `reason` names the field and the bound.
    #[error("Cannot take this run's metadata: {reason}")]
    Meta {
        /// Which field, and why.
        reason: String,
    },
    /// Entries that cannot stand in one run together.
    #[error("Cannot have {path} in a run: {reason}")]
    Entry {
        /// The entry's path.
        path: RelPath,
        /// Why not.
        reason: &'static str,
    },
    /// Stored or received bytes that are not what they should be.
    #[error("Damaged {what}: {reason}")]
    Malformed {
        /// Which format.
        what: &'static str,
        /// What is wrong.
        reason: Cow<'static, str>,
    },
    /// Bytes of another version of a format.
    #[error("Cannot read version {version} of the {what}, only {known}; use a newer eart")]
    Version {
        /// Which format.
        what: &'static str,
        /// The version found.
        version: u64,
        /// The version that this program knows.
        known: u64,
    },
    /// A run's file that is damaged, or is another run's.
    #[error("Run {} is damaged: {reason}; run `eart fsck` ({})", run.short(), path.display())]
    Damaged {
        /// The run.
        run: RunId,
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// A run's file that cannot be read.
    #[error("Could not read run {} from {}; if it stays so, run `eart fsck`", run.short(), path.display())]
    Read {
        /// The run.
        run: RunId,
        /// Its file.
        path: PathBuf,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A run's file that could not be made in memory.
    #[error("Could not build the run's file")]
    Build {
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// Whether the run's file is not there (any more).
    pub fn is_not_found(&self) -> bool {
        self.io().is_some_and(|e| e.kind() == std::io::ErrorKind::NotFound)
    }

    /// Whether this says that the bytes are not what they should be, or that the medium does not
    /// give them back; not that they could not be had otherwise, or that a newer eart wrote them.
    pub fn is_damage(&self) -> bool {
        self.io().is_none_or(disk::is_damage) && !matches!(self, Self::Version { .. })
    }

    fn io(&self) -> Option<&std::io::Error> {
        match self {
            Self::Read { source, .. } => source.downcast_ref(),
            _ => None,
        }
    }
}

/// Result of an operation of this room.
pub type Result<T> = std::result::Result<T, Error>;
