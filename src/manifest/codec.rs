//! The few encodings that all formats of this room share: minimal LEB128 integers and
//! length-prefixed bytes, read back strictly. Touches memory only.

use std::borrow::Cow;

use super::{Error, Result};

/// Appends an unsigned integer: seven bits a byte, lowest first, the high bit set on all but the
/// last byte (LEB128).
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed integer, folded so that small magnitudes are short: 0, -1, 1, -2, ...
pub(crate) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Appends bytes behind their length.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Takes a format apart from its front. Whatever it is given, it answers with a value or with an
/// error that names the format; it allocates nothing.
pub(crate) struct Reader<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader of these bytes; `what` names the format in errors ("entry block").
    pub(crate) fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, rest: bytes }
    }

    /// An error of this format.
    pub(crate) fn error(&self, reason: impl Into<Cow<'static, str>>) -> Error {
        Error::Malformed { what: self.what, reason: reason.into() }
    }

    /// What was not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let Some((taken, rest)) = self.rest.split_at_checked(len) else {
            return Err(self.error("it ends too early"));
        };
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let Some((taken, rest)) = self.rest.split_first_chunk() else {
            return Err(self.error("it ends too early"));
        };
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// An unsigned integer; only its shortest form is taken.
    pub(crate) fn varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                return Err(self.error("a number is too large"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(self.error("a number is not in its shortest form"));
                }
                return Ok(value);
            }
        }
        Err(self.error("a number is too large"))
    }

    pub(crate) fn signed(&mut self) -> Result<i64> {
        self.varint().map(|folded| (folded >> 1) as i64 ^ -((folded & 1) as i64))
    }

    /// An unsigned integer that fits 32 bits.
    pub(crate) fn small(&mut self) -> Result<u32> {
        let value = self.varint()?;
        u32::try_from(value).map_err(|_| self.error("a number is too large"))
    }

    /// A number of things that take at least `each` bytes of what is left, so that room for them
    /// may be reserved.
    pub(crate) fn count(&mut self, each: usize) -> Result<usize> {
        let count = self.varint()?;
        match usize::try_from(count) {
            Ok(count) if count <= self.rest.len() / each.max(1) => Ok(count),
            _ => Err(self.error("it ends too early")),
        }
    }

    /// Bytes behind their length.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8]> {
        let len = self.count(1)?;
        self.take(len)
    }

    /// A text behind its length.
    pub(crate) fn text(&mut self) -> Result<&'a str> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|_| self.error("a text is not UTF-8"))
    }

    /// Expects these bytes next: a magic.
    pub(crate) fn magic(&mut self, magic: &[u8]) -> Result<()> {
        match self.rest.strip_prefix(magic) {
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
            None => Err(self.error("it does not begin like one")),
        }
    }

    /// Expects a version that this program knows; there is one so far.
    pub(crate) fn version(&mut self, known: u64) -> Result<()> {
        match self.varint()? {
            version if version == known => Ok(()),
            version => Err(Error::Version { what: self.what, version, known }),
        }
    }

    /// Expects the end.
    pub(crate) fn end(&self) -> Result<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.error("bytes follow its end")) }
    }
}

/// Bytes of the checksum that ends a file of this room.
const SUM: usize = 32;

/// Ends a file: appends the BLAKE3-256 of everything before.
pub(crate) fn put_sum(out: &mut Vec<u8>) {
    let sum = blake3::hash(out);
    out.extend_from_slice(sum.as_bytes());
}

/// Checks the end that [`put_sum`] wrote; returns what stands before it.
pub(crate) fn check_sum<'a>(what: &'static str, bytes: &'a [u8]) -> Result<&'a [u8]> {
    match bytes.split_last_chunk::<SUM>() {
        Some((body, sum)) if blake3::hash(body).as_bytes() == sum => Ok(body),
        _ => Err(Error::Malformed { what, reason: "its checksum does not match".into() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_read_back(value: u64, signed: i64) {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            put_signed(&mut out, signed);
            let mut reader = Reader::new("test", &out);
            prop_assert_eq!(reader.varint().unwrap(), value);
            prop_assert_eq!(reader.signed().unwrap(), signed);
            reader.end().unwrap();
        }

        #[test]
        fn a_number_has_one_form(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
            let mut reader = Reader::new("test", &bytes);
            if let Ok(value) = reader.varint() {
                let mut out = Vec::new();
                put_varint(&mut out, value);
                prop_assert_eq!(&out[..], &bytes[..bytes.len() - reader.rest().len()]);
            }
        }
    }

    #[test]
    fn a_count_is_never_more_than_what_is_there() {
        let mut out = Vec::new();
        put_varint(&mut out, u64::MAX);
        assert!(Reader::new("test", &out).count(1).is_err());
        out.clear();
        put_varint(&mut out, 2);
        out.extend([0; 63]);
        assert!(Reader::new("test", &out).count(32).is_err());
    }
}
