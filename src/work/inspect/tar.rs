//! Whether a stream of bytes is a tar archive: every header's checksum right, nothing cut off.

/// The size of a header and the unit of everything.
const BLOCK: usize = 512;

/// Follows an archive from header to header.
///
/// Where headers have meanings that differ between programs the check stops, in the archive's
/// favour: sizes in pax headers, old sparse files, links and folders that claim to have content.
pub(super) struct TarCheck {
    state: State,
    header: [u8; BLOCK],
    filled: usize,
    members: u64,
}

enum State {
    /// In a header, of which `filled` bytes are here.
    Header,
    /// In content and its padding, of which so many bytes are to come. For pax headers, how much
    /// of [`PAX_SIZE`] was just seen.
    Content { left: u64, pax: Option<usize> },
    /// Nothing more is looked at; broken if there is a reason.
    Done(Option<String>),
}

/// The record of a pax header that overrides the size in the next one.
const PAX_SIZE: &[u8] = b" size=";

impl Default for TarCheck {
    fn default() -> Self {
        Self { state: State::Header, header: [0; BLOCK], filled: 0, members: 0 }
    }
}

impl TarCheck {
    /// Takes the next bytes of the archive.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = match &mut self.state {
                State::Done(_) => return,
                State::Header => {
                    let room = self.header.get_mut(self.filled..).unwrap_or_default();
                    let taken = room.len().min(bytes.len());
                    for (to, from) in room.iter_mut().zip(bytes) {
                        *to = *from;
                    }
                    self.filled += taken;
                    if self.filled == BLOCK {
                        self.filled = 0;
                        self.members += 1;
                        self.state = self.read_header();
                    }
                    taken
                }
                State::Content { left, pax } => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    let content = bytes.get(..taken).unwrap_or_default();
                    *left -= taken as u64;
                    let finished = *left == 0;
                    if pax.as_mut().is_some_and(|seen| has_size(seen, content)) {
                        self.state = State::Done(None);
                    } else if finished {
                        self.state = State::Header;
                    }
                    taken
                }
            };
            bytes = bytes.get(taken..).unwrap_or_default();
        }
    }

    /// What follows the header that is here.
    fn read_header(&self) -> State {
        if self.header.iter().all(|&b| b == 0) {
            return State::Done(None);
        }
        if !checksum_fits(&self.header) {
            let reason = match self.members {
                1 => "what it holds is not a tar archive".to_owned(),
                n => format!("the header of member {n} of its tar archive is damaged"),
            };
            return State::Done(Some(reason));
        }
        let kind = self.header[156];
        let Some(size) = number(&self.header[124..136]) else {
            let n = self.members;
            let reason = format!("the size of member {n} of its tar archive cannot be read");
            return State::Done(Some(reason));
        };
        match kind {
            b'S' => State::Done(None),
            b'1'..=b'6' if size > 0 => State::Done(None),
            _ if size == 0 => State::Header,
            _ => match size.checked_next_multiple_of(BLOCK as u64) {
                Some(left) => {
                    State::Content { left, pax: matches!(kind, b'x' | b'g').then_some(0) }
                }
                None => State::Done(None),
            },
        }
    }

    /// Why the archive is broken, when nothing more comes.
    pub(super) fn finish(self) -> Option<String> {
        match self.state {
            State::Done(reason) => reason,
            State::Header if self.filled == 0 => None,
            State::Header if self.members == 0 => {
                Some("what it holds is not a tar archive".to_owned())
            }
            State::Header => Some("its tar archive ends within a header".to_owned()),
            State::Content { .. } => {
                Some(format!("its tar archive ends within member {}", self.members))
            }
        }
    }
}

/// Whether [`PAX_SIZE`] ends in this content; `seen` carries its start over from the last.
fn has_size(seen: &mut usize, content: &[u8]) -> bool {
    for b in content {
        // Only the first byte of the pattern is a space, so a mismatch restarts there.
        *seen = match PAX_SIZE.get(*seen) {
            Some(wanted) if wanted == b => *seen + 1,
            _ => usize::from(*b == b' '),
        };
        if *seen == PAX_SIZE.len() {
            return true;
        }
    }
    false
}

/// Whether the sum of the header's bytes, its own field taken as spaces, is what it says. Some old
/// programs added the bytes as signed ones.
fn checksum_fits(header: &[u8; BLOCK]) -> bool {
    let Some(said) = number(&header[148..156]) else { return false };
    let (mut unsigned, mut signed) = (0u64, 0i64);
    for (at, &b) in header.iter().enumerate() {
        let b = if (148..156).contains(&at) { b' ' } else { b };
        unsigned += u64::from(b);
        signed += i64::from(b.cast_signed());
    }
    said == unsigned || u64::try_from(signed) == Ok(said)
}

/// A number in a header: octal digits with spaces before and a space or NUL behind, or in base 256
/// where the first bit is set. `None` for what is neither, is negative, or does not fit.
fn number(field: &[u8]) -> Option<u64> {
    if let [first @ 0x80..=0xff, rest @ ..] = field {
        return rest
            .iter()
            .try_fold(u64::from(first & 0x7f), |n, &b| Some(n.checked_mul(256)? | u64::from(b)));
    }
    let digits = field.trim_ascii_start();
    let end = digits.iter().position(|b| matches!(b, b' ' | 0)).unwrap_or(digits.len());
    digits.get(..end)?.iter().try_fold(0u64, |n, &b| match b {
        b'0'..=b'7' => n.checked_mul(8)?.checked_add(u64::from(b - b'0')),
        _ => None,
    })
}
