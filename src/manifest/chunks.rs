//! The stored form of a file's chunk list. Touches memory only.

use super::Result;
use super::codec::{Reader, put_varint};
use super::entry::{ChunkList, ChunkRef};
use crate::id::ChunkId;

const WHAT: &str = "chunk list";

/// Appends a list: the number of chunks, their ids together, their lengths.
pub(super) fn put(out: &mut Vec<u8>, list: &[ChunkRef]) {
    put_varint(out, list.len() as u64);
    list.iter().for_each(|chunk| out.extend_from_slice(chunk.id.as_bytes()));
    list.iter().for_each(|chunk| put_varint(out, u64::from(chunk.len)));
}

/// Reads a list from the front of what is left.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<ChunkList> {
    let count = reader.count(ChunkId::LEN + 1)?;
    if count < 2 {
        return Err(reader.error("a chunk list has fewer than two chunks"));
    }
    let mut ids = Reader::new(WHAT, reader.take(count * ChunkId::LEN)?);
    let mut list = Vec::with_capacity(count);
    for _ in 0..count {
        let id = ChunkId::from_bytes(ids.array()?);
        match reader.small()? {
            0 => return Err(reader.error("a chunk is empty")),
            len => list.push(ChunkRef { id, len }),
        }
    }
    Ok(list.into())
}

/// The stored form of a list.
pub fn encode_chunks(list: &[ChunkRef]) -> Vec<u8> {
    let mut out = Vec::with_capacity(list.len() * (ChunkId::LEN + 3) + 3);
    put(&mut out, list);
    out
}

/// Reads the stored form of a list.
///
/// # Errors
///
/// When the bytes are not a list of two or more chunks, none of them empty.
pub fn decode_chunks(bytes: &[u8]) -> Result<ChunkList> {
    let mut reader = Reader::new(WHAT, bytes);
    let list = read(&mut reader)?;
    reader.end()?;
    Ok(list)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::manifest::sample;

    #[test]
    fn a_list_reads_back() {
        let list = sample::chunk_list(200);
        assert_eq!(decode_chunks(&encode_chunks(&list)).unwrap(), list);
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(list) = decode_chunks(&bytes) {
                prop_assert_eq!(encode_chunks(&list), bytes);
            }
        }
    }
}
