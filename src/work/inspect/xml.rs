//! Whether text is a well-formed XML document (XML 1.0, fifth edition), as it goes by.
//!
//! No entity is expanded and nothing outside the document is looked at. Not checked are what the
//! declaration says, that attributes differ in name, characters beyond ASCII, and `]]>` in text.

use super::report::{Stop, malformed, until};

/// Documents that nest deeper, or whose open elements have longer names together, are not followed,
/// to bound the memory that one takes.
const MAX_DEPTH: usize = 10_000;
const MAX_NAMES: usize = 1 << 20;
/// References that are longer are none that are known here.
const MAX_REFERENCE: usize = 64;

/// Follows a document from tag to tag.
#[derive(Default)]
pub(super) struct Xml {
    state: State,
    /// The names of the open elements behind each other, and where each starts.
    names: Vec<u8>,
    starts: Vec<usize>,
    /// What is between `&` and `;`, or the beginning of what follows `<?`.
    word: Vec<u8>,
    /// Bytes before the one that is looked at.
    offset: u64,
    /// Whether the root was closed; entities may be declared; it is XML 1.1.
    ended: bool,
    declares: bool,
    newer: bool,
}

#[derive(Clone, Copy, Default)]
enum State {
    #[default]
    Text,
    /// Behind `<`, and behind `<!`.
    Markup,
    Bang,
    /// The rest of a word that must come, and what follows it.
    Word(&'static [u8], Section),
    /// In a section, with so many of the bytes that end it seen.
    In(Section, u8),
    /// In the name of a processing instruction.
    Target,
    /// In a document type, and in a quoted part of it.
    Doctype(Option<u8>),
    /// In a start tag: in the element's name, between attributes, in an attribute's name, behind
    /// it, behind the equals sign, in the value in these quotes, behind `/`.
    StartName,
    Attributes {
        spaced: bool,
    },
    AttributeName,
    Equals,
    Quote,
    Value(u8),
    Slash,
    /// In an end tag, with so many bytes of the name seen, and behind the name.
    EndName(usize),
    EndSpace,
    /// Behind `&`, in the text or in a value in these quotes.
    Reference(Option<u8>),
}

#[derive(Clone, Copy, PartialEq)]
enum Section {
    Comment,
    Cdata,
    Instruction,
    Doctype,
}

impl Xml {
    /// `newer` says that the document declares itself to be XML 1.1.
    pub(super) fn new(newer: bool) -> Self {
        Self { newer, ..Self::default() }
    }

    /// Takes the next bytes; where and why it stops, if it does.
    pub(super) fn feed(&mut self, text: &[u8]) -> Result<(), (usize, Stop)> {
        let mut at = 0;
        loop {
            let skipped = self.uneventful(text.get(at..).unwrap_or_default());
            at += skipped;
            self.offset += skipped as u64;
            let Some(&b) = text.get(at) else { return Ok(()) };
            self.state = self.step(b).map_err(|stop| (at, stop))?;
            self.offset += 1;
            at += 1;
        }
    }

    /// How many of the next bytes change nothing.
    fn uneventful(&self, text: &[u8]) -> usize {
        match self.state {
            State::Text if !self.starts.is_empty() => {
                until(text, |b| matches!(b, b'<' | b'&') || is_control(b))
            }
            State::Value(_) => {
                until(text, |b| matches!(b, b'"' | b'\'' | b'<' | b'&') || is_control(b))
            }
            State::In(section, 0) => {
                let end = section.end();
                until(text, |b| b == end || is_control(b))
            }
            _ => 0,
        }
    }

    fn step(&mut self, b: u8) -> Result<State, Stop> {
        if is_control(b) {
            return malformed("a control character");
        }
        match self.state {
            State::Text => self.text(b),
            State::Markup => self.markup(b),
            State::Bang => match b {
                b'-' => Ok(State::Word(b"-", Section::Comment)),
                b'[' if !self.starts.is_empty() => Ok(State::Word(b"CDATA[", Section::Cdata)),
                b'D' if !self.ended && self.starts.is_empty() => {
                    Ok(State::Word(b"OCTYPE", Section::Doctype))
                }
                _ => malformed("a <! that begins nothing"),
            },
            State::Word([first, rest @ ..], section) if *first == b => Ok(match (rest, section) {
                ([], Section::Doctype) => {
                    self.declares = true;
                    State::Doctype(None)
                }
                ([], section) => State::In(section, 0),
                (rest, section) => State::Word(rest, section),
            }),
            State::Word(..) => malformed("a <! that begins nothing"),
            State::In(section, seen) => section.step(seen, b),
            State::Target => self.target(b),
            State::Doctype(quote) => match (quote, b) {
                (None, b'"' | b'\'') => Ok(State::Doctype(Some(b))),
                (None, b'>') => Ok(State::Text),
                // Declarations inside can mean anything.
                (None, b'[') => Err(Stop::Unknown),
                (Some(quote), b) if quote == b => Ok(State::Doctype(None)),
                (quote, _) => Ok(State::Doctype(quote)),
            },
            State::Reference(quote) => self.reference(quote, b),
            state => self.tag(state, b),
        }
    }

    fn text(&mut self, b: u8) -> Result<State, Stop> {
        match b {
            b'<' => Ok(State::Markup),
            b'&' if !self.starts.is_empty() => {
                self.word.clear();
                Ok(State::Reference(None))
            }
            _ if !self.starts.is_empty() || is_space(b) => Ok(State::Text),
            _ => malformed("text outside its root element"),
        }
    }

    fn markup(&mut self, b: u8) -> Result<State, Stop> {
        match b {
            b'/' if !self.starts.is_empty() => Ok(State::EndName(0)),
            b'/' => malformed("an end tag without a start tag"),
            b'!' => Ok(State::Bang),
            b'?' => {
                self.word.clear();
                Ok(State::Target)
            }
            _ if !starts_name(b) => malformed("a < that begins no tag"),
            _ if self.ended => malformed("a second root element"),
            _ if self.starts.len() == MAX_DEPTH => Err(Stop::Unknown),
            _ => {
                self.starts.push(self.names.len());
                self.names.push(b);
                Ok(State::StartName)
            }
        }
    }

    /// The name of an instruction: `xml` is for the declaration, which nothing precedes.
    fn target(&mut self, b: u8) -> Result<State, Stop> {
        match b {
            b'?' | b' ' | b'\t' | b'\r' | b'\n' => {
                let first = self.offset == b"<?xml".len() as u64;
                if self.word.eq_ignore_ascii_case(b"xml") && !first {
                    return malformed("an XML declaration that is not at its start");
                }
                Ok(State::In(Section::Instruction, u8::from(b == b'?')))
            }
            _ => {
                if self.word.len() < MAX_REFERENCE {
                    self.word.push(b);
                }
                Ok(State::Target)
            }
        }
    }

    /// Within a start or end tag.
    fn tag(&mut self, state: State, b: u8) -> Result<State, Stop> {
        match (state, b) {
            (State::StartName, _) if in_name(b) => {
                if self.names.len() == MAX_NAMES {
                    return Err(Stop::Unknown);
                }
                self.names.push(b);
                Ok(State::StartName)
            }
            (State::StartName | State::Attributes { .. }, b'>') => Ok(State::Text),
            (State::StartName | State::Attributes { .. }, b'/') => Ok(State::Slash),
            (State::StartName | State::Attributes { .. }, _) if is_space(b) => {
                Ok(State::Attributes { spaced: true })
            }
            (State::Attributes { spaced: true }, _) if starts_name(b) => Ok(State::AttributeName),
            (State::AttributeName, _) if in_name(b) => Ok(State::AttributeName),
            (State::AttributeName | State::Equals, b'=') => Ok(State::Quote),
            (State::AttributeName | State::Equals, _) if is_space(b) => Ok(State::Equals),
            (State::Quote, b'"' | b'\'') => Ok(State::Value(b)),
            (State::Quote, _) if is_space(b) => Ok(State::Quote),
            (State::Value(quote), _) if b == quote => Ok(State::Attributes { spaced: false }),
            (State::Value(_), b'<') => malformed("a < in an attribute"),
            (State::Value(quote), b'&') => {
                self.word.clear();
                Ok(State::Reference(Some(quote)))
            }
            (State::Value(_), _) => Ok(state),
            (State::Slash, b'>') => Ok(self.close()),
            (State::EndName(seen), _) => match self.name().get(seen) {
                Some(&wanted) if wanted == b => Ok(State::EndName(seen + 1)),
                None if b == b'>' => Ok(self.close()),
                None if is_space(b) => Ok(State::EndSpace),
                _ => malformed(&format!("an end tag where that of <{}> is due", self.shown())),
            },
            (State::EndSpace, b'>') => Ok(self.close()),
            (State::EndSpace, _) if is_space(b) => Ok(State::EndSpace),
            _ => malformed(&format!("a malformed tag <{}>", self.shown())),
        }
    }

    fn reference(&mut self, quote: Option<u8>, b: u8) -> Result<State, Stop> {
        let number = self.word.first() == Some(&b'#');
        match b {
            b';' if self.is_known() => Ok(quote.map_or(State::Text, State::Value)),
            b';' if number => malformed("a reference to no character"),
            b';' if !self.word.is_empty() => malformed("a reference to an unknown entity"),
            _ if self.word.len() < MAX_REFERENCE && (in_name(b) || b == b'#') => {
                self.word.push(b);
                Ok(State::Reference(quote))
            }
            _ => malformed("an & that begins no reference"),
        }
    }

    /// Whether a reference is to a character or entity that there is.
    fn is_known(&self) -> bool {
        let number = |digits: &[u8], radix| {
            let digits = std::str::from_utf8(digits).ok().filter(|d| !d.starts_with('+'));
            let code = digits.and_then(|digits| u32::from_str_radix(digits, radix).ok());
            let allowed = |c: &char| match c {
                '\0' => false,
                '\t' | '\n' | '\r' => true,
                '\u{fffe}' | '\u{ffff}' => false,
                c => *c >= ' ' || self.newer,
            };
            code.and_then(char::from_u32).is_some_and(|c| allowed(&c))
        };
        match self.word.as_slice() {
            [b'#', b'x', digits @ ..] => number(digits, 16),
            [b'#', digits @ ..] => number(digits, 10),
            b"amp" | b"lt" | b"gt" | b"quot" | b"apos" => true,
            [first, rest @ ..] => self.declares && starts_name(*first) && !rest.contains(&b'#'),
            [] => false,
        }
    }

    fn close(&mut self) -> State {
        self.names.truncate(self.starts.pop().unwrap_or(0));
        self.ended = self.starts.is_empty();
        State::Text
    }

    /// The name of the innermost open element.
    fn name(&self) -> &[u8] {
        self.starts.last().and_then(|&at| self.names.get(at..)).unwrap_or_default()
    }

    /// That name as it can be shown.
    fn shown(&self) -> String {
        let name = self.name();
        let shown = String::from_utf8_lossy(name.get(..40).unwrap_or(name)).into_owned();
        shown.escape_debug().to_string()
    }

    /// Why it is broken, when nothing more comes.
    pub(super) fn finish(&self) -> Option<String> {
        match self.state {
            State::Text if self.ended => None,
            State::Text if self.offset == 0 => Some("it is empty".to_owned()),
            _ if self.starts.is_empty() => Some("its XML ends early".to_owned()),
            _ => Some(format!("its XML ends early, within <{}>", self.shown())),
        }
    }
}

impl Section {
    /// The byte that it ends with before its `>`.
    fn end(self) -> u8 {
        match self {
            Self::Comment => b'-',
            Self::Cdata => b']',
            Self::Instruction | Self::Doctype => b'?',
        }
    }

    fn step(self, seen: u8, b: u8) -> Result<State, Stop> {
        let end = self.end();
        let needed = if self == Self::Instruction { 1 } else { 2 };
        match (seen == needed, b) {
            (true, b'>') => Ok(State::Text),
            (true, _) if self == Self::Comment => malformed("a -- in a comment"),
            (true, _) if b == end => Ok(State::In(self, seen)),
            (false, _) if b == end => Ok(State::In(self, seen + 1)),
            _ => Ok(State::In(self, 0)),
        }
    }
}

fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r' | b'\n')
}

fn is_control(b: u8) -> bool {
    b < b' ' && !is_space(b)
}

fn starts_name(b: u8) -> bool {
    b.is_ascii_alphabetic() || matches!(b, b'_' | b':' | 0x80..)
}

fn in_name(b: u8) -> bool {
    starts_name(b) || matches!(b, b'0'..=b'9' | b'-' | b'.')
}
