//! Paths inside a run: relative, normalised, bytes.
//!
//! A [`RelPath`] can be joined to a folder without ever leaving it. It is checked where it comes
//! in, from the working tree as well as from a manifest that a remote sent, and is trusted after.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::path::Path;

/// The longest path in bytes; Linux gives up at 4,096, archives of other systems go further.
pub const MAX_PATH: usize = 32 * 1024;

/// Why some bytes are not a path inside a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Not a path inside a run: {path} ({reason})")]
pub struct PathError {
    path: String,
    reason: &'static str,
}

/// A validated relative path: components joined by `/`, none of them empty, `.` or `..`, no NUL.
///
/// Paths are bytes, because file names are; they need not be UTF-8. They order by their bytes.
/// As text a path is quoted the way git quotes it when it holds control characters, quotes or
/// bytes that are not UTF-8 (see [`quote`]).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelPath(Box<[u8]>);

impl RelPath {
    /// Checks and takes over these bytes.
    ///
    /// # Errors
    ///
    /// When the bytes are empty, absolute, too long, or have an empty, `.` or `..` component or a
    /// NUL in them.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, PathError> {
        let bytes = bytes.into();
        match check(&bytes) {
            None => Ok(Self(bytes.into_boxed_slice())),
            Some(reason) => bytes_error(&bytes, reason),
        }
    }

    /// The path's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The path as the operating system wants it, to be joined to a folder.
    #[cfg(unix)]
    pub fn as_path(&self) -> &Path {
        use std::os::unix::ffi::OsStrExt;
        Path::new(std::ffi::OsStr::from_bytes(&self.0))
    }

    /// The last component.
    pub fn file_name(&self) -> &[u8] {
        match self.0.iter().rposition(|&b| b == b'/') {
            Some(slash) => &self.0[slash + 1..],
            None => &self.0,
        }
    }

    /// The folder that holds the path, or `None` at the top.
    pub fn parent(&self) -> Option<&[u8]> {
        self.0.iter().rposition(|&b| b == b'/').map(|slash| &self.0[..slash])
    }

    /// The folders that hold the path, from the outermost in; the top itself is not among them.
    pub fn folders(&self) -> impl Iterator<Item = &[u8]> {
        folders(&self.0)
    }

    /// This path with one more component or relative path behind it.
    ///
    /// # Errors
    ///
    /// As [`RelPath::new`], for the joined path.
    pub fn join(&self, rest: &[u8]) -> Result<Self, PathError> {
        let mut bytes = Vec::with_capacity(self.0.len() + 1 + rest.len());
        bytes.extend_from_slice(&self.0);
        bytes.push(b'/');
        bytes.extend_from_slice(rest);
        Self::new(bytes)
    }

    /// Whether this is `folder` itself or lies below it.
    pub fn is_within(&self, folder: &RelPath) -> bool {
        lies_within(&self.0, &folder.0)
    }
}

/// A set of places in a run: each path of it holds everything below, too.
#[derive(Debug)]
pub struct Places<'a>(Vec<&'a [u8]>);

impl<'a> Places<'a> {
    /// The set of these paths; `None` is the top of the run, and holds everything.
    pub fn new(paths: impl IntoIterator<Item = Option<&'a RelPath>>) -> Self {
        let mut places: Vec<&[u8]> =
            paths.into_iter().map(|path| path.map_or(&b""[..], RelPath::as_bytes)).collect();
        // By components, what lies in a folder follows it at once.
        places.sort_by(|a, b| by_components(a, b));
        places.dedup_by(|inner, outer| lies_within(inner, outer));
        Self(places)
    }

    /// Which of the outermost places a path is or lies below, as a number below [`Places::len`].
    pub fn find(&self, path: &RelPath) -> Option<usize> {
        let path = path.as_bytes();
        let next = self.0.partition_point(|place| by_components(place, path).is_le());
        let place = next.checked_sub(1)?;
        lies_within(path, self.0.get(place)?).then_some(place)
    }

    /// The place with this number; empty for the top of the run.
    pub fn get(&self, number: usize) -> Option<&'a [u8]> {
        self.0.get(number).copied()
    }

    /// How many places there are, none of them in another.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Orders paths by their components: a folder comes right before what is in it.
fn by_components(a: &[u8], b: &[u8]) -> Ordering {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    // No path holds a NUL, so that it can stand for the slash, which must be the least.
    let rank = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
    a.get(same).map(rank).cmp(&b.get(same).map(rank))
}

fn lies_within(path: &[u8], folder: &[u8]) -> bool {
    folder.is_empty()
        || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

/// The folders that hold a path, from the outermost in; the top itself is not among them.
pub(crate) fn folders(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().filter(|(_, b)| **b == b'/');
    slashes.map(|(end, _)| &path[..end])
}

fn bytes_error(bytes: &[u8], reason: &'static str) -> Result<RelPath, PathError> {
    Err(PathError { path: quote(&bytes[..bytes.len().min(256)]), reason })
}

fn check(bytes: &[u8]) -> Option<&'static str> {
    if bytes.is_empty() {
        return Some("it is empty");
    }
    if bytes.len() > MAX_PATH {
        return Some("it is too long");
    }
    if bytes.contains(&0) {
        return Some("it holds a NUL byte");
    }
    for component in bytes.split(|&b| b == b'/') {
        match component {
            b"" => return Some("it is absolute or has an empty component"),
            b"." | b".." => return Some("it has a . or .. component"),
            _ => {}
        }
    }
    None
}

/// Writes a path for people: as it is when it is plain text, else in double quotes with C escapes.
///
/// # Examples
///
/// ```
/// assert_eq!(eart::path::quote(b"a b.txt"), "a b.txt");
/// assert_eq!(eart::path::quote(b"a\nb"), r#""a\nb""#);
/// assert_eq!(eart::path::quote(b"\xff"), r#""\377""#);
/// ```
pub fn quote(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.chars().any(|c| c.is_control() || c == '"' || c == '\\')
    {
        return text.to_owned();
    }
    let mut out = String::with_capacity(bytes.len() + 8);
    out.push('"');
    for part in bytes.utf8_chunks() {
        for c in part.valid().chars() {
            match c {
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '\r' => out.push_str("\\r"),
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                c if c.is_control() => {
                    let mut utf8 = [0; 4];
                    for b in c.encode_utf8(&mut utf8).bytes() {
                        out.push_str(&format!("\\{b:03o}"));
                    }
                }
                c => out.push(c),
            }
        }
        for b in part.invalid() {
            out.push_str(&format!("\\{b:03o}"));
        }
    }
    out.push('"');
    out
}

/// How many braces a glob may open: what compiles globs recurses where they nest.
pub const MAX_BRACES: usize = 50;

/// How many braces a glob opens.
pub fn braces(glob: &str) -> usize {
    glob.bytes().filter(|b| *b == b'{').count()
}

/// Bytes that are no text, for JSON: in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The bytes that [`quote`] wrote in quotes; `None` for what it did not write so.
///
/// # Examples
///
/// ```
/// assert_eq!(eart::path::unquote(br#""a\nb\377""#), Some(b"a\nb\xff".to_vec()));
/// assert_eq!(eart::path::unquote(b"a b.txt"), None);
/// ```
pub fn unquote(text: &[u8]) -> Option<Vec<u8>> {
    let mut rest = text.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let mut bytes = Vec::with_capacity(rest.len());
    while let [first, after @ ..] = rest {
        let (after, byte) = match (first, after) {
            (b'"', _) => return None,
            (b'\\', [b'n', after @ ..]) => (after, b'\n'),
            (b'\\', [b't', after @ ..]) => (after, b'\t'),
            (b'\\', [b'r', after @ ..]) => (after, b'\r'),
            (b'\\', [c @ (b'"' | b'\\'), after @ ..]) => (after, *c),
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) => {
                (after, (a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'))
            }
            (b'\\', _) => return None,
            (plain, after) => (after, *plain),
        };
        bytes.push(byte);
        rest = after;
    }
    Some(bytes)
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&quote(&self.0))
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quote(&self.0))
    }
}

impl Borrow<[u8]> for RelPath {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// As fields of the JSON object that it is flattened into: `path` is the path itself where it is
/// UTF-8. Else it is [`quote`]d, which might be a name as well, so that `path_bytes` follows: the
/// bytes in hexadecimal.
impl serde::Serialize for RelPath {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut fields = s.serialize_map(None)?;
        match std::str::from_utf8(&self.0) {
            Ok(text) => fields.serialize_entry("path", text)?,
            Err(_) => {
                fields.serialize_entry("path", &quote(&self.0))?;
                fields.serialize_entry("path_bytes", &hex(&self.0))?;
            }
        }
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_leave_the_folder_is_refused() {
        for bad in [&b""[..], b"/", b"/a", b"a/", b"a//b", b".", b"..", b"a/../b", b"a/.", b"a\0b"]
        {
            assert!(RelPath::new(bad).is_err(), "{bad:?}");
        }
        assert!(RelPath::new(vec![b'a'; MAX_PATH + 1]).is_err());
    }

    #[test]
    fn names_that_only_look_odd_are_taken() {
        for good in [&b"a"[..], b"...", b"..a", b"a/.b", b"\xff\xfe", b"a\nb", b"-", b" ", b"a\\b"]
        {
            assert!(RelPath::new(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn within_is_about_components() {
        let p = |s: &str| RelPath::new(s).unwrap();
        assert!(p("a/b").is_within(&p("a")));
        assert!(p("a").is_within(&p("a")));
        assert!(!p("ab").is_within(&p("a")));
        assert!(!p("a").is_within(&p("a/b")));
    }

    #[test]
    fn what_is_quoted_comes_back() {
        for bytes in [&b"a\nb"[..], b"\xff\0\x1b", b"\"\\\t\r", "\u{85}é".as_bytes()] {
            assert_eq!(unquote(quote(bytes).as_bytes()).as_deref(), Some(bytes));
        }
        for plain in ["", "a", "\"", "\"a", "\"a\"b\"", "\"\\x\"", "\"\\9\"", "\"\\\""] {
            assert_eq!(unquote(plain.as_bytes()), None, "{plain}");
        }
    }

    #[test]
    fn a_name_cannot_write_to_the_terminal() {
        assert_eq!(quote("a\u{1b}[31m".as_bytes()), r#""a\033[31m""#);
        assert_eq!(quote("snapshot-é.png".as_bytes()), "snapshot-é.png");
    }
}
