//! Everything that can go wrong with a repository, and what to do about it.

use std::path::PathBuf;

use crate::id::RunId;
use crate::{disk, manifest, path, store};

/// Result of a repository operation.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a repository operation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no store here.
    #[error("No eart store in {} or above it", .0.display())]
    NoStore(PathBuf),
    /// There is no store in the folder that was named.
    #[error("No eart store in {}", .0.display())]
    NoStoreAt(PathBuf),
    /// A store would be made on top of something else.
    #[error("{} is not empty and not an eart store", .0.display())]
    NotEmpty(PathBuf),
    /// The store was made by a newer eart.
    #[error("{} says format {format}, and this eart knows formats up to {known}", path.display(), known = super::format::VERSION)]
    Newer {
        /// The store's description.
        path: PathBuf,
        /// The format it names.
        format: u64,
    },
    /// The store's description is damaged.
    #[error("{} cannot be used: {reason}", path.display())]
    BadFormat {
        /// The store's description.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The disk.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// The chunk store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A manifest or draft.
    #[error(transparent)]
    Manifest(#[from] manifest::Error),
    /// A draft's file is damaged.
    #[error("The draft {name:?} cannot be read")]
    Draft {
        /// Its name.
        name: String,
        /// What is wrong with it.
        source: Box<manifest::Error>,
    },
    /// A run is committed, and the draft it was made of is still there.
    #[error("The run {} is committed, but its draft {name} could not be removed", run.short())]
    DraftStays {
        /// The run.
        run: RunId,
        /// The draft's name.
        name: String,
        /// What is wrong.
        source: Box<Error>,
    },
    /// Runs are gone, and the space that only they needed is not free yet.
    #[error("Removed {removed} {}, but the space could not be given back", if *removed == 1 { "run" } else { "runs" })]
    Unswept {
        /// How many.
        removed: usize,
        /// What is wrong.
        source: Box<Error>,
    },
    /// A path that cannot stand in a run.
    #[error(transparent)]
    Path(#[from] path::PathError),
    /// A file of the user could not be read.
    #[error("Could not read {}", path.display())]
    Source {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of the user could not be written.
    #[error("Could not write {}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Standard output, or what stands in for it, could not be written.
    #[error("Could not write standard output")]
    Output(#[source] std::io::Error),
    /// The user pressed Ctrl-C, or the process was told to end.
    #[error("Interrupted")]
    Interrupted,
    /// Something the user wrote cannot be understood, wherever it was written.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// Something the user asked for makes no sense here.
    #[error("{message}")]
    User {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
}

impl Error {
    /// Something the user wrote that cannot be understood, and how to write it.
    pub fn usage(message: impl Into<String>, hint: Option<&str>) -> Self {
        Self::Usage { message: message.into(), hint: hint.map(str::to_owned) }
    }

    /// Whether the command line is what is wrong, rather than the store or the files.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Usage { .. } | Self::Path(_))
    }

    /// Something wrong with what the user asked for.
    pub fn user(message: impl Into<String>) -> Self {
        Self::User { message: message.into(), hint: None }
    }

    /// Something wrong with what the user asked for, and what to do about it.
    pub fn hinted(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::User { message: message.into(), hint: Some(hint.into()) }
    }

    /// Whether a file of the store is not there.
    pub(super) fn is_not_found(&self) -> bool {
        match self {
            Self::Disk(e) => e.is_not_found(),
            Self::Manifest(e) => e.is_not_found(),
            _ => false,
        }
    }

    /// Whether the store's disk is full.
    pub(super) fn is_full(&self) -> bool {
        matches!(self, Self::Disk(e) | Self::Store(store::Error::Disk(e)) if e.is_full())
    }

    /// What the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoStore(_) => Some("make one with `eart init`, or name one with --store".into()),
            Self::NoStoreAt(path) => {
                Some(format!("make one there with `eart --store {} init`", path.display()))
            }
            Self::NotEmpty(_) => Some("choose another folder for the store".into()),
            Self::Newer { .. } => Some("use a newer eart; nothing was changed".into()),
            Self::BadFormat { .. } => Some("restore the file from a copy of the store".into()),
            Self::Disk(e) | Self::Store(store::Error::Disk(e)) => e.hint(),
            Self::Store(store::Error::Missing(_) | store::Error::Damaged { .. }) => {
                Some("`eart fsck --data` names what is damaged, `--repair` saves the rest".into())
            }
            Self::Draft { name, .. } => {
                Some(format!("start over with `eart draft drop {name}`; runs are not affected"))
            }
            Self::Unswept { source, .. } => {
                let next = "then the next `eart gc` gives it back";
                Some(source.hint().map_or(next.to_owned(), |hint| format!("{hint}; {next}")))
            }
            Self::DraftStays { name, .. } => Some(format!(
                "remove it with `eart draft drop {name}`; committed again, it makes a second run"
            )),
            Self::Write { path, source } => {
                disk::Error::new("write", path, std::io::Error::from(source.kind())).hint()
            }
            Self::Manifest(manifest::Error::Damaged { run, .. }) => {
                Some(format!("`eart rm {}` gives the run up", run.short()))
            }
            Self::User { hint, .. } | Self::Usage { hint, .. } => hint.clone(),
            _ => None,
        }
    }
}
