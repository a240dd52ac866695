//! Whether reports are whole: XML and JSON well-formed, coverage and pages not cut off.
//!
//! A [`ReportCheck`] is fed the bytes that are read anyway. It keeps a bounded amount of memory
//! whatever comes, and gives up, in the file's favour, on what it does not follow: documents that
//! nest too deep, XML with declarations of its own, encodings other than UTF-8, UTF-16 and those of
//! one byte a character that contain ASCII.

use super::encoding::Encoding;
use super::json::Json;
use super::xml::Xml;
use crate::artifact::ArtifactType;
use crate::work::classify::Detected;

/// Bytes that are looked at in one go, so that they are in the processor's cache each time.
const BLOCK: usize = 32 << 10;

/// Checks a report while it goes by.
///
/// # Examples
///
/// ```
/// use eart::path::RelPath;
/// use eart::work::{classify::classify, inspect::ReportCheck};
///
/// let report = b"<testsuites>\n<testsuite name=\"cart\">\n<testcase na";
/// let detected = classify(&RelPath::new("junit.xml").unwrap(), report);
/// let mut check = ReportCheck::for_file(&detected, report).unwrap();
/// check.feed(report);
/// let reason = check.finish().unwrap();
/// assert_eq!(reason, "its XML ends early, within <testcase> (line 3, byte 49)");
/// ```
pub struct ReportCheck {
    format: Format,
    encoding: Encoding,
    /// Bytes of a byte order mark that are still to come.
    mark: usize,
    /// Bytes, and lines begun, of what was found good.
    read: u64,
    lines: u64,
    done: Option<Option<String>>,
}

enum Format {
    Xml(Xml),
    Json(Json),
    Ending(Ending),
}

/// Why a check stops before the end.
#[derive(Debug)]
pub(super) enum Stop {
    /// The file is broken, for this reason.
    Broken(String),
    /// The check does not follow it any further.
    Unknown,
}

pub(super) fn malformed<T>(what: &str) -> Result<T, Stop> {
    Err(Stop::Broken(format!("it has {what}")))
}

/// How many bytes come before the first that ends something.
pub(super) fn until(text: &[u8], ends: impl Fn(u8) -> bool) -> usize {
    text.iter().position(|&b| ends(b)).unwrap_or(text.len())
}

impl std::fmt::Debug for ReportCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReportCheck").field("read", &self.read).finish_non_exhaustive()
    }
}

impl ReportCheck {
    /// The check for a file, if it is a report of a format that can be checked. `head` is how it
    /// begins, as for [`classify`](crate::work::classify::classify).
    pub fn for_file(detected: &Detected, head: &[u8]) -> Option<Self> {
        use ArtifactType::*;
        let kind = detected.content_type?;
        let (encoding, mark) = Encoding::of(head);
        let start = Encoding::of(head).0.decode(head.get(mark..).unwrap_or_default()).0;
        let format = match (detected.artifact, kind) {
            (Coverage | HtmlReport, "text/html") => Ending::page(&start).map(Format::Ending)?,
            (Coverage, "text/plain") => Ending::lcov(&start).map(Format::Ending)?,
            (
                TestResults | Coverage | SecurityFindings | PerformanceMetrics | StaticAnalysis,
                kind,
            ) => match kind {
                "text/xml" | "application/xml" => {
                    Format::Xml(Xml::new(says(&start, b"version", b"1.1")))
                }
                "application/json" | "application/x-ndjson" => Format::Json(Json::default()),
                _ => return None,
            },
            _ => return None,
        };
        let encoding = match format {
            Format::Xml(_) => encoding.declared(&start)?,
            Format::Json(_) => encoding,
            Format::Ending(_) => encoding.lenient(),
        };
        Some(Self { format, encoding, mark, read: 0, lines: 1, done: None })
    }

    /// Takes the next bytes of the file.
    pub fn feed(&mut self, bytes: &[u8]) {
        let mark = self.mark.min(bytes.len());
        self.mark -= mark;
        self.read += mark as u64;
        for block in bytes.get(mark..).unwrap_or_default().chunks(BLOCK) {
            if self.done.is_some() {
                return;
            }
            self.take(block);
        }
    }

    fn take(&mut self, block: &[u8]) {
        let (text, fault) = self.encoding.decode(block);
        let stopped = match &mut self.format {
            Format::Xml(xml) => xml.feed(&text),
            Format::Json(json) => json.feed(&text),
            Format::Ending(ending) => {
                ending.feed(&text);
                Ok(())
            }
        };
        let stopped = stopped.and_then(|()| match fault {
            Some(reason) => Err((text.len(), Stop::Broken(reason.to_owned()))),
            None => Ok(()),
        });
        let good = stopped.as_ref().map_or_else(|(at, _)| *at, |()| text.len());
        self.lines += lines(text.get(..good).unwrap_or_default());
        self.read += good as u64;
        self.done = match stopped {
            Ok(()) => None,
            Err((_, Stop::Unknown)) => Some(None),
            Err((_, Stop::Broken(reason))) => Some(Some(self.placed(&reason))),
        };
    }

    /// A reason with where the check is.
    fn placed(&self, reason: &str) -> String {
        match self.encoding {
            Encoding::Utf16(_) => format!("{reason} (line {})", self.lines),
            _ => format!("{reason} (line {}, byte {})", self.lines, self.read),
        }
    }

    /// Why the report is broken, as a clause such as "its JSON ends early (line 1, byte 7)"; `None`
    /// when it is whole, or when the check gave up. Bytes are counted from 0, lines from 1.
    pub fn finish(self) -> Option<String> {
        if let Some(done) = self.done {
            return done;
        }
        if self.read == 0 && !self.encoding.is_cut() {
            return match self.format {
                Format::Ending(_) => None,
                _ => Some("it is empty".to_owned()),
            };
        }
        let reason = match &self.format {
            Format::Xml(xml) => xml.finish(),
            Format::Json(json) => json.finish(),
            Format::Ending(ending) => ending.finish(),
        };
        let reason = reason
            .or_else(|| self.encoding.is_cut().then(|| "it ends within a character".to_owned()))?;
        Some(self.placed(&reason))
    }
}

fn lines(text: &[u8]) -> u64 {
    // In portions whose count fits a byte, which the compiler turns into wide instructions.
    let count = |part: &[u8]| part.iter().map(|&b| u8::from(b == b'\n')).sum::<u8>();
    text.chunks(255).map(|part| u64::from(count(part))).sum()
}

/// Whether an XML declaration gives `name` this value.
fn says(start: &[u8], name: &[u8], value: &[u8]) -> bool {
    super::encoding::declaration(start, name).is_some_and(|said| said == value)
}

/// What a file must end with that otherwise may hold anything.
struct Ending {
    wanted: &'static [u8],
    /// The last bytes that are not white space, as many as are wanted.
    tail: Vec<u8>,
    reason: &'static str,
}

impl Ending {
    /// A page that begins with its html element ends with a tag. No more can be said of HTML: its
    /// end tags may be left out.
    fn page(start: &[u8]) -> Option<Self> {
        let begins = start.windows(5).any(|window| window.eq_ignore_ascii_case(b"<html"));
        let reason = "its HTML ends early";
        begins.then_some(Self { wanted: b">", tail: Vec::new(), reason })
    }

    /// LCOV's records end with a line of their own.
    fn lcov(start: &[u8]) -> Option<Self> {
        let begins = start.starts_with(b"SF:") || start.starts_with(b"TN:");
        let reason = "its last record ends early";
        begins.then_some(Self { wanted: b"end_of_record", tail: Vec::new(), reason })
    }

    fn feed(&mut self, text: &[u8]) {
        let text = text.trim_ascii_end();
        let last = text.len().saturating_sub(self.wanted.len());
        self.tail.extend_from_slice(text.get(last..).unwrap_or_default());
        let old = self.tail.len().saturating_sub(self.wanted.len());
        self.tail.drain(..old);
    }

    fn finish(&self) -> Option<String> {
        (self.tail != self.wanted).then(|| self.reason.to_owned())
    }
}

#[cfg(test)]
mod tests;
