//! What `stat` said of the files of the last commit, so that the next `add` of files that did not
//! change costs a stat each. Touches memory only.

use super::Result;
use super::codec::{Reader, check_sum, put_sum, put_varint};
use super::entry::Fingerprint;
use crate::id::RunId;

const WHAT: &str = "record of the last commit";
const MAGIC: &[u8; 8] = b"eartlast";
const VERSION: u64 = 1;

/// Bytes of a fingerprint.
const PRINT: usize = 16;

/// The fingerprints of the files that a run was committed from. Derived: without it, the next
/// `add` reads every file again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Last {
    /// The run.
    pub run: RunId,
    /// One for each of its entries, in path order; `None` never matches.
    pub fingerprints: Vec<Option<Fingerprint>>,
}

impl Last {
    /// The stored form (docs/format.md, "Last").
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.fingerprints.len() * PRINT + 96);
        out.extend_from_slice(MAGIC);
        put_varint(&mut out, VERSION);
        out.extend_from_slice(self.run.as_bytes());
        put_varint(&mut out, self.fingerprints.len() as u64);
        put_prints(&mut out, &self.fingerprints);
        put_sum(&mut out);
        out
    }

    /// Reads the stored form.
    ///
    /// # Errors
    ///
    /// When the bytes are not a whole record.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(WHAT, check_sum(WHAT, bytes)?);
        reader.magic(MAGIC)?;
        reader.version(VERSION)?;
        let run = RunId::from_bytes(reader.array()?);
        let count = reader.count(PRINT)?;
        let fingerprints = read_prints(&mut reader, count)?;
        reader.end()?;
        Ok(Self { run, fingerprints })
    }
}

/// Appends fingerprints; all zero is none.
pub(super) fn put_prints(out: &mut Vec<u8>, prints: &[Option<Fingerprint>]) {
    for print in prints {
        out.extend_from_slice(&print.map_or([0; PRINT], |print| print.0));
    }
}

/// Reads what [`put_prints`] wrote.
pub(super) fn read_prints(
    reader: &mut Reader<'_>,
    count: usize,
) -> Result<Vec<Option<Fingerprint>>> {
    let (prints, _) = reader.take(count.saturating_mul(PRINT))?.as_chunks::<PRINT>();
    let print = |bytes: &[u8; PRINT]| (*bytes != [0; PRINT]).then_some(Fingerprint(*bytes));
    Ok(prints.iter().map(print).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_back_and_damage_is_found() {
        let run = RunId::from_bytes([7; 32]);
        let last = Last { run, fingerprints: vec![Some(Fingerprint([1; 16])), None] };
        let bytes = last.encode();
        assert_eq!(Last::decode(&bytes).unwrap(), last);
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            assert!(Last::decode(&damaged).is_err());
            assert!(Last::decode(&bytes[..place]).is_err());
        }
    }
}
