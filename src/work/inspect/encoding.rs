//! How the text of a report is encoded, and its bytes as UTF-8.

use std::borrow::Cow;

/// An encoding of a text that goes by.
pub(super) enum Encoding {
    /// UTF-8, with the beginning of a character whose rest is to come.
    Utf8(Vec<u8>),
    Utf16(Utf16),
    /// One in which ASCII is ASCII, and nothing else matters.
    Ascii,
}

impl Encoding {
    /// What the start of a file says, and the length of its byte order mark.
    pub(super) fn of(head: &[u8]) -> (Self, usize) {
        if let Some(wide) = Utf16::marked(head) {
            return (Self::Utf16(wide), 2);
        }
        let mark = if head.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        (Self::Utf8(Vec::new()), mark)
    }

    /// The encoding of XML that starts like this; `None` for those that cannot be followed.
    pub(super) fn declared(self, start: &[u8]) -> Option<Self> {
        let Self::Utf8(_) = self else { return Some(self) };
        let name = declaration(start, b"encoding").unwrap_or(b"utf-8").to_ascii_lowercase();
        let begins = |with: &[&[u8]]| with.iter().any(|with| name.starts_with(with));
        // What calls itself UTF-16 and can be read so far was converted behind its writer's back.
        if begins(&[b"utf-8", b"utf8", b"us-ascii", b"ascii", b"utf-16"]) {
            Some(self)
        } else {
            begins(&[b"iso-8859-", b"latin", b"windows-125", b"cp125"]).then_some(Self::Ascii)
        }
    }

    /// The same without a look at what is not ASCII.
    pub(super) fn lenient(self) -> Self {
        match self {
            Self::Utf16(wide) => Self::Utf16(wide),
            Self::Utf8(_) | Self::Ascii => Self::Ascii,
        }
    }

    /// The characters that the next bytes complete, up to what is none for the reason that is given.
    pub(super) fn decode<'a>(&mut self, bytes: &'a [u8]) -> (Cow<'a, [u8]>, Option<&'static str>) {
        match self {
            Self::Ascii => (Cow::Borrowed(bytes), None),
            Self::Utf16(wide) => {
                let (text, valid) = wide.decode(bytes);
                (Cow::Owned(text.into_bytes()), (!valid).then_some("it is not UTF-16"))
            }
            Self::Utf8(begun) => {
                let mut text = Cow::Borrowed(bytes);
                if !begun.is_empty() {
                    begun.extend_from_slice(bytes);
                    text = Cow::Owned(std::mem::take(begun));
                }
                let Err(e) = std::str::from_utf8(&text) else { return (text, None) };
                let good = text.get(..e.valid_up_to()).unwrap_or_default().to_vec();
                if e.error_len().is_some() {
                    return (Cow::Owned(good), Some("it is not UTF-8"));
                }
                *begun = text.get(good.len()..).unwrap_or_default().to_vec();
                (Cow::Owned(good), None)
            }
        }
    }

    /// Whether the text ends within a character.
    pub(super) fn is_cut(&self) -> bool {
        match self {
            Self::Utf8(begun) => !begun.is_empty(),
            Self::Utf16(wide) => wide.byte.is_some() || wide.high.is_some(),
            Self::Ascii => false,
        }
    }
}

/// A decoder of UTF-16.
pub(in crate::work) struct Utf16 {
    little: bool,
    /// Half a unit, and the first unit of a pair, whose rest is to come.
    byte: Option<u8>,
    high: Option<u16>,
}

impl Utf16 {
    /// The decoder for what follows the byte order mark at the start of a file, if it has one.
    pub(in crate::work) fn marked(head: &[u8]) -> Option<Self> {
        let little = match head {
            // That of UTF-32 begins like this.
            [0xff, 0xfe, 0, 0, ..] => return None,
            [0xff, 0xfe, ..] => true,
            [0xfe, 0xff, ..] => false,
            _ => return None,
        };
        Some(Self { little, byte: None, high: None })
    }

    /// The next bytes as text, and whether all are UTF-16; the text ends before what is not.
    pub(in crate::work) fn decode(&mut self, bytes: &[u8]) -> (String, bool) {
        let mut units = Vec::with_capacity(bytes.len() / 2 + 2);
        units.extend(self.high.take());
        for &b in bytes {
            match self.byte.take() {
                None => self.byte = Some(b),
                Some(first) if self.little => units.push(u16::from_le_bytes([first, b])),
                Some(first) => units.push(u16::from_be_bytes([first, b])),
            }
        }
        if let Some(0xd800..=0xdbff) = units.last() {
            self.high = units.pop();
        }
        let mut text = String::with_capacity(units.len());
        for unit in char::decode_utf16(units) {
            match unit {
                Ok(c) => text.push(c),
                Err(_) => return (text, false),
            }
        }
        (text, true)
    }
}

/// What the XML declaration at the start of a document says of `name`.
pub(super) fn declaration<'a>(start: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let inside = start.strip_prefix(b"<?xml")?;
    let end = inside.windows(2).position(|window| window == b"?>")?;
    let inside = inside.get(..end)?;
    let at = inside.windows(name.len()).position(|window| window == name)?;
    let rest = inside.get(at + name.len()..)?.trim_ascii_start().strip_prefix(b"=")?;
    let (quote, rest) = rest.trim_ascii_start().split_first()?;
    rest.split(|b| b == quote).next()
}
