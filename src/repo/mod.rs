//! A repository: where the pieces meet. One verb a file.
//!
//! Layout of the store folder (`.eart`), see docs/format.md:
//! `format.json` `config.toml` `.gitignore` `packs/` `index/` `runs/` `catalog/` `refs/` `drafts/`
//! `audit.log` `tmp/`, and the lock files `gate` and `lock`.

mod add;
mod batch;
mod catalog;
mod check;
mod checkout;
mod commit;
mod compare;
mod draft;
mod error;
mod format;
mod fsck;
mod gc;
mod ingest;
mod lock;
mod project;
mod query;
mod refs;
mod remove;
mod reset;
mod resolve;
mod roots;
mod runs;
mod select;
mod stats;
mod status;
mod tree;

pub use add::{AddOptions, Added};
pub use catalog::{Catalog, Hit, Record};
pub use checkout::{CheckedOut, CheckoutOptions};
pub use commit::{CommitOptions, Committed};
pub use compare::{Comparison, Texts, Totals};
pub use draft::DraftInfo;
pub use error::{Error, Result};
pub use format::Format;
pub use fsck::{Checked, Finding, FsckOptions, Lost};
pub use gc::{Collected, Fate, GcOptions, Policy, Reason};
pub use query::{FoundFile, Listed, Query};
pub use refs::Refs;
pub use remove::{AUDIT, Removed};
pub use reset::Reset;
pub use resolve::{LATEST, resolve};
pub use select::{Glob, Selection};
pub use stats::{Overhead, Stats};
pub use status::DraftStatus;
pub use tree::{Contents, Item};

use std::path::{Component, Path, PathBuf};

use jiff::Timestamp;

use crate::disk::Folder;
use crate::store::Store;

/// The store's folder inside a working folder.
pub const STORE_DIR: &str = ".eart";
/// The store's own configuration file.
pub const CONFIG: &str = "config.toml";

/// Where the time comes from.
#[derive(Debug, Clone, Copy)]
pub enum Clock {
    /// The system.
    System,
    /// A fixed moment, for tests.
    Fixed(Timestamp),
}

impl Clock {
    /// The time.
    pub fn now(self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Fixed(time) => time,
        }
    }
}

/// An open repository.
#[derive(Debug, Clone)]
pub struct Repo {
    folder: Folder,
    work: PathBuf,
    store: Store,
    format: Format,
    clock: Clock,
}

/// What [`Repo::init`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Init {
    /// The store is new.
    Created,
    /// It was there already and is as it was.
    Existed,
}

impl Repo {
    /// Makes a store in `folder`, or finds that it is one already. `work` is the folder that paths
    /// are relative to.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made, holds something else, a store of a newer format, or one whose
    /// `format.json` is gone.
    pub fn init(folder: Folder, work: &Path) -> Result<(Self, Init)> {
        if folder.path(format::FILE).exists() {
            return Ok((Self::open(folder, work)?, Init::Existed));
        }
        let foreign = |name: &String| !OURS.contains(&name.as_str());
        if folder.list("")?.iter().any(foreign) {
            return Err(Error::NotEmpty(folder.root().to_owned()));
        }
        for dir in [crate::store::PACKS, runs::RUNS] {
            if !folder.list(dir)?.is_empty() {
                return Err(format::missing(&folder));
            }
        }
        folder.create_dir("")?;
        let store = Store::new(folder.clone());
        store.create()?;
        for dir in [runs::RUNS, "catalog", "refs/tags", "refs/pins", "drafts", crate::disk::TMP] {
            folder.create_dir(dir)?;
        }
        for file in [lock::GATE, lock::LOCK, "gc.lock", "drafts/lock", "refs/lock", "catalog/lock"]
        {
            drop(folder.lock(file, crate::disk::LockMode::Exclusive)?);
        }
        // Git need not be told about the store.
        folder.write(GITIGNORE, b"*\n")?;
        // Last, because it is what makes the folder a store.
        Format::create(&folder)?;
        Ok((Self::open(folder, work)?, Init::Created))
    }

    /// Opens the store in `folder`.
    ///
    /// # Errors
    ///
    /// When it is no store, or one of a newer format.
    pub fn open(folder: Folder, work: &Path) -> Result<Self> {
        let format = Format::read(&folder)?;
        let store = Store::new(folder.clone());
        Ok(Self { folder, work: work.to_owned(), store, format, clock: Clock::System })
    }

    /// Looks for a `.eart` in `start` and the folders above it.
    ///
    /// # Errors
    ///
    /// When there is none, or it cannot be opened.
    pub fn discover(start: &Path) -> Result<Self> {
        for work in start.ancestors() {
            let root = work.join(STORE_DIR);
            if root.join(format::FILE).exists() {
                return Self::open(Folder::new(root), work);
            }
        }
        Err(Error::NoStore(start.to_owned()))
    }

    /// The same repository with another clock; for tests.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The folder that paths are relative to.
    pub fn work(&self) -> &Path {
        &self.work
    }

    /// The store's folder.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The chunks.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The store's format.
    pub fn format(&self) -> &Format {
        &self.format
    }
}

/// Where a path leads, which need not be there: without links and dots.
fn leads_to(path: &Path) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    let mut at = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(at.pop()),
            other => at.push(other),
        }
        at = at.canonicalize().unwrap_or(at);
    }
    at
}

/// Where a path lies that somebody named, which need not be there: a link that is named is taken as
/// a link, those above it are followed.
fn lies_at(path: &Path) -> PathBuf {
    match (path.parent(), path.components().next_back()) {
        (Some(folder), Some(Component::Normal(name))) => leads_to(folder).join(name),
        _ => leads_to(path),
    }
}

const GITIGNORE: &str = ".gitignore";
/// What may lie in a folder that `init` did not finish, or in a store that lost its `format.json`.
const OURS: &[&str] = &[
    "packs", "index", "runs", "catalog", "refs", "drafts", "tmp", "gate", "lock", CONFIG,
    GITIGNORE, AUDIT, "gc.lock", "damaged",
];
