//! What can be wrong with a configuration.

use std::path::PathBuf;

use super::Origin;
use crate::disk;

/// A configuration that cannot be used. It names the key, where it stands, and what is expected.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody knows this key.
    #[error("Unknown key {key}{}{}", place(at), nearest.map_or(String::new(), |n| format!(" (did you mean {n}?)")))]
    UnknownKey {
        /// The key as it was written.
        key: String,
        /// Where it was written; `None` on the command line of `eart config`.
        at: Option<Origin>,
        /// The known key it was most likely meant to be.
        nearest: Option<&'static str>,
    },
    /// A value does not fit its key.
    #[error("Bad value for {key}{}: got {got}, expected {expected}", place(at))]
    BadValue {
        /// The key.
        key: String,
        /// Where it was written; `None` on the command line of `eart config`.
        at: Option<Origin>,
        /// The value, quoted and shortened, with the reason why it does not fit if `expected`
        /// does not say it all.
        got: String,
        /// What it must be.
        expected: String,
    },
    /// A file is not TOML.
    #[error("Could not understand {}, line {line}, column {column}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What the parser says.
        reason: String,
    },
    /// A file is larger than any configuration.
    #[error("The configuration file {} is larger than 1 MiB", .0.display())]
    TooLarge(PathBuf),
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] disk::Error),
}

fn place(at: &Option<Origin>) -> String {
    at.as_ref().map_or(String::new(), |origin| format!(" in {origin}"))
}

impl Error {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { nearest: None, .. } => {
                Some("`eart config` lists all keys".to_owned())
            }
            Self::UnknownKey {
                key, at: Some(Origin::Store { .. } | Origin::User { .. }), ..
            } => Some(format!("`eart config --unset {key}` removes it")),
            Self::Read(e) => e.hint(),
            _ => None,
        }
    }
}
