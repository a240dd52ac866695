//! Identifiers: a newtype for every id, so that none can be taken for another.
//!
//! A [`ChunkId`] is the BLAKE3-256 of a chunk, a [`FileId`] that of a whole file (what `b3sum`
//! prints), a [`RunId`] that of a run's canonical listing, a [`PackId`] a random name that is
//! never used twice. All of them read and write as lower-case hexadecimal.

use std::fmt;
use std::str::FromStr;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Not {expected}: expected {digits} hexadecimal digits, got {got:?}")]
pub struct ParseIdError {
    expected: &'static str,
    digits: usize,
    got: String,
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn push_hex(bytes: &[u8], out: &mut String) {
    for b in bytes {
        out.push(char::from(DIGITS[usize::from(b >> 4)]));
        out.push(char::from(DIGITS[usize::from(b & 15)]));
    }
}

/// The value of each hexadecimal digit; 255 for what is none. Stores of thousands of runs read as
/// many names.
const VALUES: [u8; 256] = {
    let mut values = [255; 256];
    let mut value = 0;
    while value < 16 {
        values[DIGITS[value] as usize] = value as u8;
        values[DIGITS[value].to_ascii_uppercase() as usize] = value as u8;
        value += 1;
    }
    values
};

fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let (high, low) = (VALUES[usize::from(pair[0])], VALUES[usize::from(pair[1])]);
        if high | low > 15 {
            return None;
        }
        *byte = high << 4 | low;
    }
    Some(bytes)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $len:literal, $article:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Length of the id in bytes.
            pub const LEN: usize = $len;

            /// The id with exactly these bytes.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The id's bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// The id that a file's name spells out: in lower case only, so that no two names are
            /// of one id.
            pub fn of_name(name: &str) -> Option<Self> {
                if name.bytes().any(|b| b.is_ascii_uppercase()) {
                    return None;
                }
                parse_hex(name).map(Self)
            }

            /// All digits of the id, as they stand in file names.
            pub fn to_hex(&self) -> String {
                let mut text = String::with_capacity(2 * $len);
                push_hex(&self.0, &mut text);
                text
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.to_hex())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:.12})"), self)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                parse_hex(text).map(Self).ok_or_else(|| ParseIdError {
                    expected: $article,
                    digits: 2 * $len,
                    got: text.chars().take(80).collect(),
                })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.to_hex())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = String::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// BLAKE3-256 of a chunk's bytes.
    ChunkId, 32, "a chunk id"
);
id!(
    /// BLAKE3-256 of a whole file's bytes: the digest that `b3sum` prints.
    FileId, 32, "a file id"
);
id!(
    /// BLAKE3-256 of a run's canonical listing. It names what was stored, never how.
    RunId, 32, "a run id"
);
id!(
    /// The random name of a pack or of another immutable file of the store; never used twice.
    PackId, 16, "a pack id"
);

impl ChunkId {
    /// The id of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

impl FileId {
    /// The id of a file with this content.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

/// A file of one chunk has one hash for both.
impl From<ChunkId> for FileId {
    fn from(id: ChunkId) -> Self {
        Self(id.0)
    }
}

/// A file of one chunk has one hash for both.
impl From<FileId> for ChunkId {
    fn from(id: FileId) -> Self {
        Self(id.0)
    }
}

impl From<blake3::Hash> for FileId {
    fn from(hash: blake3::Hash) -> Self {
        Self(*hash.as_bytes())
    }
}

impl RunId {
    /// Digits of an id that people are shown; enough to be unique in a large store.
    pub const SHORT: usize = 12;

    /// The first [`RunId::SHORT`] digits.
    pub fn short(&self) -> String {
        let mut text = self.to_hex();
        text.truncate(Self::SHORT);
        text
    }
}

impl PackId {
    /// A new random name.
    ///
    /// # Errors
    ///
    /// When the operating system has no randomness to give.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_what_they_write() {
        let id = ChunkId::of(b"eart");
        assert_eq!(id.to_hex().parse::<ChunkId>(), Ok(id));
        assert_eq!(id.to_hex().to_uppercase().parse::<ChunkId>(), Ok(id));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "00", "zz", &"0".repeat(63), &"0".repeat(65), &"é".repeat(32)] {
            assert!(text.parse::<RunId>().is_err(), "{text:?}");
        }
        let message = "xyz".parse::<PackId>().map_err(|e| e.to_string());
        assert_eq!(
            message,
            Err("Not a pack id: expected 32 hexadecimal digits, got \"xyz\"".into())
        );
    }

    #[test]
    fn a_file_of_one_chunk_has_one_hash() {
        assert_eq!(FileId::from(ChunkId::of(b"x")), FileId::of(b"x"));
    }
}
