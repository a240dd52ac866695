//! Bytes to chunks: where a file is cut so that equal parts of different files become equal chunks.
//!
//! [`Params`] names a way of cutting, [`Cutter`] applies it to a file that passes by in a window,
//! and [`zip`] finds the places inside an archive where a cut pays. This room reads bytes that it
//! is given and knows nothing of stores; it uses none of ours but the base rooms.

mod cutter;
pub mod zip;

pub use cutter::Cutter;

use std::str::FromStr;

/// What goes wrong in this room.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A store was made with a chunker that this version does not have.
    #[error(
        "Unknown chunker {0:?}: this version of eart knows only {known:?}; \
         use the version that made the store",
        known = Params::V1.name
    )]
    UnknownChunker(String),
}

/// A way of cutting, recorded by its name in the config of a store.
///
/// A name stands for every cut it leads to, for ever: equal bytes are only found again while they
/// are cut alike. Golden vectors in the tests hold that. Other sizes, another algorithm or other
/// cuts in [`zip`] archives therefore need another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Params {
    name: &'static str,
    min: usize,
    avg: usize,
    max: usize,
}

impl Params {
    /// The chunker of format 1: FastCDC as published in 2020 with normalisation level 1, and cuts
    /// around the large entries of zip archives.
    pub const V1: Self =
        Self { name: "fastcdc-2020-64k-256k-1m", min: 64 << 10, avg: 256 << 10, max: 1 << 20 };

    /// The name in a store's config.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The smallest chunk in bytes. Only the last chunk of a file, and the last one before a
    /// forced cut, may be smaller.
    pub fn min(&self) -> usize {
        self.min
    }

    /// The size in bytes that chunks of random data have on average, roughly.
    pub fn avg(&self) -> usize {
        self.avg
    }

    /// The largest chunk in bytes.
    pub fn max(&self) -> usize {
        self.max
    }
}

impl Default for Params {
    fn default() -> Self {
        Self::V1
    }
}

impl FromStr for Params {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            _ if name == Self::V1.name => Ok(Self::V1),
            _ => Err(Error::UnknownChunker(name.chars().take(80).collect())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_back_to_its_params() {
        assert_eq!(Params::default().name().parse(), Ok(Params::V1));
    }

    #[test]
    fn another_name_is_an_error_that_says_what_to_do() {
        let message = "rabin-4k".parse::<Params>().map_err(|e| e.to_string());
        assert_eq!(
            message,
            Err("Unknown chunker \"rabin-4k\": this version of eart knows only \
                 \"fastcdc-2020-64k-256k-1m\"; use the version that made the store"
                .into())
        );
    }
}
