//! Whether text is JSON (RFC 8259), or JSON values on lines of their own, as it goes by.
//!
//! `NaN`, `Infinity` and `-Infinity` pass: Python writes them, and nothing is missing there.

use super::report::{Stop, malformed, until};

/// Documents that nest deeper are not followed, to bound the memory that one takes.
const MAX_DEPTH: usize = 10_000;

/// Follows a document from token to token.
#[derive(Default)]
pub(super) struct Json {
    state: State,
    /// What is open: `{` or `[`.
    open: Vec<u8>,
    /// Whether a value is complete, and whether a line ended since the last one was.
    any: bool,
    line_ended: bool,
}

#[derive(Clone, Copy, Default)]
enum State {
    /// A value must come, or `]` where a list has just begun.
    #[default]
    Value,
    First,
    /// A key must come, or `}` where an object has just begun.
    Key,
    FirstKey,
    Colon,
    /// A value has ended.
    After,
    /// In a string, which may be a key; behind a backslash; before so many hexadecimal digits.
    Text {
        key: bool,
    },
    Escape {
        key: bool,
    },
    Hex {
        key: bool,
        left: u8,
    },
    /// The rest of `true`, `false`, `null`, `NaN` or `Infinity`.
    Word(&'static [u8]),
    Number(Number),
}

/// What of a number has been read last.
#[derive(Clone, Copy)]
enum Number {
    Minus,
    Zero,
    Digits,
    Dot,
    Fraction,
    E,
    Sign,
    Exponent,
}

impl Number {
    /// What it is with one more byte; `None` when the number does not go on with it.
    fn next(self, b: u8) -> Option<Self> {
        Some(match (self, b) {
            (Self::Minus, b'0') => Self::Zero,
            (Self::Minus | Self::Digits, b'0'..=b'9') => Self::Digits,
            (Self::Zero | Self::Digits, b'.') => Self::Dot,
            (Self::Dot | Self::Fraction, b'0'..=b'9') => Self::Fraction,
            (Self::Zero | Self::Digits | Self::Fraction, b'e' | b'E') => Self::E,
            (Self::E, b'+' | b'-') => Self::Sign,
            (Self::E | Self::Sign | Self::Exponent, b'0'..=b'9') => Self::Exponent,
            _ => return None,
        })
    }

    fn is_whole(self) -> bool {
        matches!(self, Self::Zero | Self::Digits | Self::Fraction | Self::Exponent)
    }
}

impl Json {
    /// Takes the next bytes; where and why it stops, if it does.
    pub(super) fn feed(&mut self, text: &[u8]) -> Result<(), (usize, Stop)> {
        let mut at = 0;
        loop {
            at += self.uneventful(text.get(at..).unwrap_or_default());
            let Some(&b) = text.get(at) else { return Ok(()) };
            self.state = self.step(b).map_err(|stop| (at, stop))?;
            at += 1;
        }
    }

    /// How many of the next bytes change nothing.
    fn uneventful(&mut self, text: &[u8]) -> usize {
        match self.state {
            State::Text { .. } => until(text, |b| matches!(b, b'"' | b'\\' | ..b' ')),
            State::Escape { .. } | State::Hex { .. } | State::Word(_) | State::Number(_) => 0,
            _ => {
                let spaces = until(text, |b| !matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
                let skipped = text.get(..spaces).unwrap_or_default();
                self.line_ended = self.line_ended || skipped.contains(&b'\n');
                spaces
            }
        }
    }

    fn step(&mut self, b: u8) -> Result<State, Stop> {
        match self.state {
            State::Text { key } => match b {
                b'"' if key => Ok(State::Colon),
                b'"' => Ok(self.ended()),
                b'\\' => Ok(State::Escape { key }),
                ..b' ' => malformed("a control character in a string"),
                _ => Ok(State::Text { key }),
            },
            State::Colon => match b {
                b':' => Ok(State::Value),
                _ => malformed("no colon where one is due"),
            },
            State::Value => self.begin(b),
            State::First if b == b']' => self.close(b),
            State::First => self.begin(b),
            State::FirstKey if b == b'}' => self.close(b),
            State::Key | State::FirstKey => match b {
                b'"' => Ok(State::Text { key: true }),
                _ => malformed("no key where one is due"),
            },
            State::After => self.after(b),
            State::Number(Number::Minus) if b == b'I' => Ok(State::Word(b"nfinity")),
            State::Number(number) => match number.next(b) {
                Some(next) => Ok(State::Number(next)),
                None if !number.is_whole() => malformed("a malformed number"),
                None => {
                    self.state = self.ended();
                    match self.uneventful(&[b]) {
                        0 => self.after(b),
                        _ => Ok(self.state),
                    }
                }
            },
            State::Word(word) => match word {
                [first] if *first == b => Ok(self.ended()),
                [first, rest @ ..] if *first == b => Ok(State::Word(rest)),
                _ => malformed("an unknown word"),
            },
            State::Escape { key } => match b {
                b'u' => Ok(State::Hex { key, left: 4 }),
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(State::Text { key }),
                _ => malformed("an unknown escape in a string"),
            },
            State::Hex { key, left } => match (b, left) {
                (b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F', 1) => Ok(State::Text { key }),
                (b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F', _) => {
                    Ok(State::Hex { key, left: left - 1 })
                }
                _ => malformed("an unknown escape in a string"),
            },
        }
    }

    /// Behind a value.
    fn after(&mut self, b: u8) -> Result<State, Stop> {
        match (b, self.open.last()) {
            (b',', Some(b'{')) => Ok(State::Key),
            (b',', Some(_)) => Ok(State::Value),
            (b']' | b'}', _) => self.close(b),
            (_, Some(_)) => malformed("no comma where one is due"),
            (_, None) if self.line_ended => self.begin(b),
            (_, None) => malformed("something behind its end"),
        }
    }

    /// The first byte of a value.
    fn begin(&mut self, b: u8) -> Result<State, Stop> {
        Ok(match b {
            b'{' | b'[' if self.open.len() == MAX_DEPTH => return Err(Stop::Unknown),
            b'{' => {
                self.open.push(b);
                State::FirstKey
            }
            b'[' => {
                self.open.push(b);
                State::First
            }
            b'"' => State::Text { key: false },
            b't' => State::Word(b"rue"),
            b'f' => State::Word(b"alse"),
            b'n' => State::Word(b"ull"),
            b'N' => State::Word(b"aN"),
            b'I' => State::Word(b"nfinity"),
            b'-' => State::Number(Number::Minus),
            b'0' => State::Number(Number::Zero),
            b'1'..=b'9' => State::Number(Number::Digits),
            _ => return malformed("no value where one is due"),
        })
    }

    fn close(&mut self, b: u8) -> Result<State, Stop> {
        match (self.open.pop(), b) {
            (Some(b'['), b']') | (Some(b'{'), b'}') => Ok(self.ended()),
            _ => malformed("a bracket that closes nothing"),
        }
    }

    fn ended(&mut self) -> State {
        self.any = true;
        self.line_ended = false;
        State::After
    }

    /// Why it is broken, when nothing more comes.
    pub(super) fn finish(&self) -> Option<String> {
        let whole = match self.state {
            State::After => true,
            State::Number(number) => number.is_whole(),
            State::Value if !self.any && self.open.is_empty() => {
                return Some("it is empty".to_owned());
            }
            _ => false,
        };
        (!whole || !self.open.is_empty()).then(|| "its JSON ends early".to_owned())
    }
}
