//! What a run amounts to: counts and sizes, derived from its entries. Touches memory only.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Result;
use super::codec::{Reader, put_bytes, put_varint};
use super::entry::{Entry, Node};
use crate::artifact::ArtifactType;
use crate::path::RelPath;

const WHAT: &str = "run summary";

/// A number of files and their size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// How many files.
    pub files: u64,
    /// Their length together in bytes.
    pub bytes: u64,
}

/// The largest file of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Largest {
    /// Its path; the first one of those that are equally large.
    #[serde(flatten)]
    pub path: RelPath,
    /// Its length in bytes.
    #[serde(rename = "size_bytes")]
    pub size: u64,
}

/// What a run amounts to. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Summary {
    /// Regular files.
    pub files: u64,
    /// Folders.
    pub dirs: u64,
    /// Symbolic links.
    pub links: u64,
    /// Length of all files together, each counted as often as it is there.
    pub bytes: u64,
    /// Bytes that the store grew by for this run's files.
    pub new_bytes: u64,
    /// Files by their type (the declared one, else the detected one); only types that are there.
    pub types: BTreeMap<ArtifactType, Tally>,
    /// The largest file, if there is one that is not empty.
    pub largest: Option<Largest>,
}

impl Summary {
    /// The summary of these entries.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>, new_bytes: u64) -> Self {
        let mut summary = Self { new_bytes, ..Self::default() };
        entries.into_iter().for_each(|entry| summary.add(entry));
        summary
    }

    /// Counts one more entry.
    pub fn add(&mut self, entry: &Entry) {
        match entry.node {
            Node::File { size, .. } => {
                self.files += 1;
                // A received listing may claim any sizes.
                self.bytes = self.bytes.saturating_add(size);
                let tally = self.types.entry(entry.artifact_type()).or_default();
                tally.files += 1;
                tally.bytes = tally.bytes.saturating_add(size);
                if size > self.largest.as_ref().map_or(0, |largest| largest.size) {
                    self.largest = Some(Largest { path: entry.path.clone(), size });
                }
            }
            Node::Dir => self.dirs += 1,
            Node::Symlink { .. } => self.links += 1,
        }
    }

    /// Files, folders and links together.
    pub fn entries(&self) -> u64 {
        self.files.saturating_add(self.dirs).saturating_add(self.links)
    }

    /// The summary's stored form (docs/format.md, "The file of a run").
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for number in [self.files, self.dirs, self.links, self.bytes, self.new_bytes] {
            put_varint(&mut out, number);
        }
        put_varint(&mut out, self.types.len() as u64);
        for (kind, tally) in &self.types {
            out.push(kind.code());
            put_varint(&mut out, tally.files);
            put_varint(&mut out, tally.bytes);
        }
        if let Some(largest) = &self.largest {
            put_bytes(&mut out, largest.path.as_bytes());
            put_varint(&mut out, largest.size);
        }
        out
    }

    /// Reads the stored form.
    ///
    /// # Errors
    ///
    /// When the bytes are not a summary.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(WHAT, bytes);
        let mut summary = Self {
            files: reader.varint()?,
            dirs: reader.varint()?,
            links: reader.varint()?,
            bytes: reader.varint()?,
            new_bytes: reader.varint()?,
            ..Self::default()
        };
        for _ in 0..reader.count(3)? {
            let Some(kind) = ArtifactType::from_code(reader.byte()?) else {
                return Err(reader.error("it has an unknown artifact type"));
            };
            let tally = Tally { files: reader.varint()?, bytes: reader.varint()? };
            summary.types.insert(kind, tally);
        }
        if !reader.rest().is_empty() {
            let path = reader.bytes()?;
            let path = RelPath::new(path).map_err(|e| reader.error(e.to_string()))?;
            summary.largest = Some(Largest { path, size: reader.varint()? });
        }
        reader.end()?;
        Ok(summary)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::manifest::sample::{self, dir, file, link};

    #[test]
    fn everything_is_counted_once() {
        let mut shot = file("a/shot.png");
        shot.detected = ArtifactType::Screenshot;
        let summary = Summary::of(&[dir("a"), shot, file("a/x"), link("l", "a")], 7);
        assert_eq!((summary.files, summary.dirs, summary.links), (2, 1, 1));
        assert_eq!((summary.bytes, summary.new_bytes, summary.entries()), (13, 7, 4));
        let json = serde_json::to_value(&summary).unwrap();
        assert_eq!(json["types"]["screenshot"]["bytes"], 10);
        assert_eq!(json["largest"]["path"], "a/shot.png");
    }

    proptest! {
        #[test]
        fn a_summary_reads_back(entries in sample::any_tree(), new_bytes: u64) {
            let summary = Summary::of(&entries, new_bytes);
            prop_assert_eq!(Summary::decode(&summary.encode()).unwrap(), summary);
        }

        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Summary::decode(&bytes);
        }
    }
}
