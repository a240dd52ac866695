//! Whether files are what they are taken for, and whole: reports ([`ReportCheck`]), and gzip files
//! with the tar archives in them ([`GzipCheck`]).
//!
//! A [`GzipCheck`] is fed the bytes that are read anyway, inflates them into a buffer that it
//! throws away, and says at the end what is wrong. It keeps a fixed amount of memory whatever
//! comes, and gives up, in the file's favour, where going on would cost too much. Sources: RFC
//! 1952 (gzip), POSIX.1-2017 `pax` (ustar and pax headers) and the GNU tar manual (its additions).

mod encoding;
mod json;
mod report;
mod tar;
mod xml;

use flate2::{Decompress, FlushDecompress, Status};

use crate::path::RelPath;
use tar::TarCheck;

pub(super) use encoding::Utf16;
pub use report::ReportCheck;

/// Bytes that are inflated of one file before the check gives up.
const MAX_INFLATED: u64 = 4 << 30;
/// Bytes that are inflated before the ratio counts, and the ratio at which the check gives up.
const BOMB: (u64, u64) = (256 << 20, 500);
/// Members of one file before the check gives up: each costs a new decoder.
const MAX_MEMBERS: u32 = 100_000;
/// Bytes inflated at once.
const BUFFER: usize = 64 << 10;
/// The largest window a gzip member can ask for, as its logarithm.
const WINDOW_BITS: u8 = 15;

/// Checks a gzip file while it goes by.
///
/// # Examples
///
/// ```
/// use eart::work::inspect::GzipCheck;
///
/// let mut check = GzipCheck::new(false);
/// check.feed(b"\x1f\x8b\x08\0\0\0");
/// assert_eq!(check.finish().as_deref(), Some("its gzip stream ends early"));
/// ```
pub struct GzipCheck {
    state: State,
    inflater: Decompress,
    tar: Option<TarCheck>,
    buffer: Box<[u8]>,
    read: u64,
    inflated: u64,
    members: u32,
}

enum State {
    /// Between members: nothing but zeros or the next member may come.
    Between,
    /// Within a member.
    Member,
    /// Nothing more is looked at; broken if there is a reason.
    Done(Option<String>),
}

impl std::fmt::Debug for GzipCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GzipCheck").field("read", &self.read).finish_non_exhaustive()
    }
}

impl GzipCheck {
    /// A check for a gzip file; with `tar`, what is in it must be a tar archive.
    pub fn new(tar: bool) -> Self {
        Self {
            state: State::Between,
            inflater: Decompress::new_gzip(WINDOW_BITS),
            tar: tar.then(TarCheck::default),
            buffer: vec![0; BUFFER].into_boxed_slice(),
            read: 0,
            inflated: 0,
            members: 0,
        }
    }

    /// The check for a file of this name, if its name says that it is gzip: `.tar.gz`, `.tgz`
    /// (both with a tar archive), or `.gz`.
    pub fn for_path(path: &RelPath) -> Option<Self> {
        let name = path.file_name();
        let ends = |ending: &[u8]| {
            let start = name.len().checked_sub(ending.len());
            start.and_then(|at| name.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(ending))
        };
        let tar = ends(b".tar.gz") || ends(b".tgz");
        (tar || ends(b".gz")).then(|| Self::new(tar))
    }

    /// Takes the next bytes of the file.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        self.read = self.read.saturating_add(bytes.len() as u64);
        while !bytes.is_empty() {
            match self.state {
                State::Done(_) => return,
                State::Between => bytes = self.next_member(bytes),
                State::Member => bytes = self.inflate(bytes),
            }
        }
    }

    /// Skips padding and begins the next member. Returns what is left.
    fn next_member<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let padding = match self.members {
            0 => 0,
            _ => bytes.iter().position(|&b| b != 0).unwrap_or(bytes.len()),
        };
        let rest = bytes.get(padding..).unwrap_or_default();
        match rest.first() {
            None => {}
            Some(0x1f) if self.members < MAX_MEMBERS => {
                if self.members > 0 {
                    self.inflater = Decompress::new_gzip(WINDOW_BITS);
                }
                self.members += 1;
                self.state = State::Member;
            }
            Some(0x1f) => self.state = State::Done(None),
            Some(_) if self.members == 0 => self.broken("it is not gzip"),
            Some(_) => self.broken("something that is not gzip follows its gzip stream"),
        }
        rest
    }

    /// Inflates until the input or the member ends. Returns what is left.
    fn inflate<'a>(&mut self, mut bytes: &'a [u8]) -> &'a [u8] {
        loop {
            let (before_in, before_out) = (self.inflater.total_in(), self.inflater.total_out());
            let result = self.inflater.decompress(bytes, &mut self.buffer, FlushDecompress::None);
            let taken = self.inflater.total_in() - before_in;
            let made = self.inflater.total_out() - before_out;
            bytes = usize::try_from(taken).ok().and_then(|n| bytes.get(n..)).unwrap_or_default();
            self.inflated += made;
            let out = usize::try_from(made).ok().and_then(|n| self.buffer.get(..n));
            if let (Some(tar), Some(out)) = (&mut self.tar, out) {
                tar.feed(out);
            }
            match result {
                Err(e) => {
                    self.broken(match e.message() {
                        Some("incorrect data check") => "the checksum of its gzip stream differs",
                        Some("incorrect length check") => "the length of its gzip stream differs",
                        Some("incorrect header check") => "it is not gzip",
                        _ => "its gzip stream is damaged",
                    });
                    return bytes;
                }
                Ok(Status::StreamEnd) => {
                    self.state = State::Between;
                    return bytes;
                }
                Ok(_) if self.is_too_much() => {
                    self.state = State::Done(None);
                    return bytes;
                }
                // A full buffer may hide more output; no progress at all asks for more input.
                Ok(_) if bytes.is_empty() && made < BUFFER as u64 => return bytes,
                Ok(_) if taken == 0 && made == 0 => {
                    self.broken("its gzip stream is damaged");
                    return bytes;
                }
                Ok(_) => {}
            }
        }
    }

    fn is_too_much(&self) -> bool {
        let (from, ratio) = BOMB;
        self.inflated > MAX_INFLATED || self.inflated > from && self.inflated / ratio > self.read
    }

    fn broken(&mut self, reason: &str) {
        self.state = State::Done(Some(reason.to_owned()));
    }

    /// Why the file is broken, as a clause such as "its gzip stream ends early"; `None` when it is
    /// whole, or when the check gave up.
    pub fn finish(self) -> Option<String> {
        match self.state {
            State::Done(reason) => reason,
            State::Between if self.members == 0 => Some("it is empty".to_owned()),
            State::Between => self.tar.and_then(TarCheck::finish),
            State::Member => Some("its gzip stream ends early".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
