//! What a file is: its artifact type and its media type, from its path and its first bytes.
//!
//! Reads nothing itself. Called once for every file that is added, so it allocates nothing (but to
//! decode UTF-16), looks at the head at most a few times, and stops at the first rule that speaks.
//!
//! The rules, in this order; the first that speaks decides the artifact type:
//!
//! 1. **Content that is certain.** Pictures are screenshots and films videos wherever they lie, so
//!    a PNG in `playwright-report/data` is a screenshot, not a part of the report. Zip archives
//!    whose first entry or path says so are Playwright traces (or blob reports, which are test
//!    results). The one exception: pictures of a coverage report or of a report's own furniture
//!    (`favicon`, vector graphics, icons) belong to the report.
//! 2. **A format with a well-known beginning** ([`json`], [`xml`], and TAP, LCOV and others here):
//!    JUnit is test results also below `playwright-report`, whatever its name is.
//! 3. **The name** (`*.har`, `lcov.info`, `*.sarif`, `*.trx`, ...), see [`names`].
//! 4. **The folder**: everything else below `playwright-report` is a part of an HTML report, below
//!    `lcov-report` of coverage, and so on; the innermost known folder counts.
//! 5. **The kind of text**: HTML is an HTML report, `*.log` a build log.
//! 6. Anything else is custom.
//!
//! A name that speaks of logs or HTML (rule 5) comes last because folders know better.
//!
//! The media type is that of the content where the content is certain, else that of the
//! extension unless the content contradicts it (text that is called `.png` is `text/plain`), else
//! `text/plain` for text and nothing for the rest.

mod json;
mod names;
mod xml;

use crate::artifact::ArtifactType;
use crate::path::RelPath;
use crate::work::inspect::Utf16;
use names::Folder;

/// How many of a file's first bytes are of use; more are ignored.
pub const HEAD: usize = 4096;

/// How many of them have the lines that tell one format of lines from another.
const FIRST_LINES: usize = 512;

/// What was found about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detected {
    /// Its artifact type; [`ArtifactType::Custom`] when nothing more is known.
    pub artifact: ArtifactType,
    /// Its media type, such as `image/png`, if it is known.
    pub content_type: Option<&'static str>,
}

/// Detects a file's types from its path in the run and its first bytes, up to [`HEAD`] of them.
///
/// # Examples
///
/// ```
/// use eart::artifact::ArtifactType;
/// use eart::{path::RelPath, work::classify::classify};
///
/// let path = RelPath::new("out/results.xml").unwrap();
/// let found = classify(&path, b"<?xml version=\"1.0\"?>\n<testsuites>");
/// assert_eq!(found.artifact, ArtifactType::TestResults);
/// assert_eq!(found.content_type, Some("text/xml"));
/// ```
pub fn classify(path: &RelPath, head: &[u8]) -> Detected {
    let head = head.get(..HEAD).unwrap_or(head);
    let wide = decoded(head);
    let head = wide.as_ref().map_or(head, String::as_bytes);
    let name = path.file_name();
    let by_name = names::media_type(name);
    let folder = path.parent().map_or(Folder::Plain, names::folder);
    let (certain, content_type) = if head.is_empty() {
        (None, by_name)
    } else if is_utf8(head) {
        text(name, head, by_name)
    } else if !head.iter().any(|&b| is_binary(b)) {
        (None, text_type(by_name).or(Some("text/plain")))
    } else {
        binary(path, name, head, by_name, folder)
    };
    let artifact = certain
        .or_else(|| names::artifact(name))
        .or_else(|| folder.artifact(name))
        .or_else(|| names::last_resort(name, content_type, folder))
        .unwrap_or(ArtifactType::Custom);
    Detected { artifact, content_type }
}

/// What the content says for certain about the artifact type, and the media type.
type Found = (Option<ArtifactType>, Option<&'static str>);

/// The text of a head that is UTF-16 and says so by a byte order mark.
fn decoded(head: &[u8]) -> Option<String> {
    let mut wide = Utf16::marked(head)?;
    let (text, valid) = wide.decode(head.get(2..)?);
    (valid && !text.bytes().any(is_binary)).then_some(text)
}

/// Whether the head is UTF-8 without NUL; it may end within a character.
fn is_utf8(head: &[u8]) -> bool {
    !head.contains(&0)
        && match std::str::from_utf8(head) {
            Ok(_) => true,
            Err(e) => e.error_len().is_none(),
        }
}

/// Whether no text holds this byte, in whatever one-byte encoding: controls but space and escape.
fn is_binary(b: u8) -> bool {
    b < b' ' && !matches!(b, b'\t'..=b'\r' | 0x1b)
}

/// An extension's media type if text can have it.
fn text_type(by_name: Option<&'static str>) -> Option<&'static str> {
    let media = ["image/", "video/", "audio/", "font/"];
    by_name.filter(|mime| {
        *mime == "image/svg+xml" || !media.iter().any(|media| mime.starts_with(media))
    })
}

/// The types of a file that is UTF-8 text.
fn text(name: &[u8], head: &[u8], by_name: Option<&'static str>) -> Found {
    let body = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let (artifact, certain) = match body {
        [b'{' | b'[', ..] => (json::artifact(body), None),
        [b'<', ..] => match xml::root(body) {
            Some(root) => (xml::artifact(body, root), xml::media_type(root)),
            None => (None, None),
        },
        _ if body.starts_with(b"%PDF-") => (None, Some("application/pdf")),
        _ => (plain(name, body), None),
    };
    let content_type = certain.or(text_type(by_name)).or(match body {
        [b'{' | b'[', ..] if artifact.is_some() => Some("application/json"),
        _ => Some("text/plain"),
    });
    (artifact, content_type)
}

/// The artifact type of text that is neither JSON nor XML, from how its first lines begin.
fn plain(name: &[u8], body: &[u8]) -> Option<ArtifactType> {
    let lines =
        |text| <[u8]>::split(text, |&b| b == b'\n').map(|l| l.strip_suffix(b"\r").unwrap_or(l));
    // Minified text is one long line, in which looking for its end would take longer than all else.
    let mut first_lines = lines(body.get(..FIRST_LINES).unwrap_or(body));
    let first = first_lines.next()?;
    let is_test = |line: &[u8]| line.starts_with(b"ok 1") || line.starts_with(b"not ok 1");
    match first {
        _ if first.starts_with(b"TAP version 1") || is_test(first) => {
            Some(ArtifactType::TestResults)
        }
        [b'1', b'.', b'.', b'0'..=b'9', ..] if first_lines.next().is_some_and(is_test) => {
            Some(ArtifactType::TestResults)
        }
        [b'S', b'F', b':', ..] => Some(ArtifactType::Coverage),
        [b'T', b'N', b':', ..] if first_lines.next()?.starts_with(b"SF:") => {
            Some(ArtifactType::Coverage)
        }
        b"mode: set" | b"mode: count" | b"mode: atomic" => Some(ArtifactType::Coverage),
        _ if first.starts_with(b"timeStamp,elapsed,")
            || first.starts_with(b"metric_name,timestamp,metric_value")
            || first.starts_with(b"Type,Name,Request Count,") =>
        {
            Some(ArtifactType::PerformanceMetrics)
        }
        _ if names::has_extension(name, b"yaml") || names::has_extension(name, b"yml") => {
            let opens = |line: &[u8]| {
                [&b"openapi:"[..], b"swagger:", b"asyncapi:"].iter().any(|k| line.starts_with(k))
            };
            lines(body).any(opens).then_some(ArtifactType::ApiDocs)
        }
        _ => None,
    }
}

/// The types of a file that is not text.
fn binary(
    path: &RelPath,
    name: &[u8],
    head: &[u8],
    by_name: Option<&'static str>,
    folder: Folder,
) -> Found {
    let magic = matroska(head).or_else(|| infer::get(head).map(|found| found.mime_type()));
    let Some(magic) = magic else {
        return (None, by_name.filter(|mime| !mime.starts_with("text/")));
    };
    // Many formats are archives underneath, and their extensions know which.
    let is_archive = matches!(magic, "application/zip" | "application/gzip");
    let refined = by_name.filter(|mime| is_archive && mime.starts_with("application/"));
    let artifact = match magic {
        "application/zip" => zip(path, name, head),
        "image/vnd.microsoft.icon" | "image/x-icon" | "image/svg+xml" => None,
        _ if magic.starts_with("image/") && !folder.owns_pictures(name) => {
            Some(ArtifactType::Screenshot)
        }
        _ if magic.starts_with("video/") && folder != Folder::Coverage => Some(ArtifactType::Video),
        _ => None,
    };
    (artifact, refined.or(Some(magic)))
}

/// The media type of a Matroska file (EBML, RFC 8794), by the document type in its header, which
/// may be padded.
fn matroska(head: &[u8]) -> Option<&'static str> {
    let header = head.get(..64).unwrap_or(head).strip_prefix(b"\x1a\x45\xdf\xa3")?;
    let is_webm = header.windows(4).any(|window| window == b"webm");
    Some(if is_webm { "video/webm" } else { "video/x-matroska" })
}

/// The artifact type of a zip archive, from the name of its first entry (the local file header of
/// APPNOTE 4.3.7: its length at 26, the name at 30), else from where it lies.
fn zip(path: &RelPath, name: &[u8], head: &[u8]) -> Option<ArtifactType> {
    let entry = match head {
        [b'P', b'K', 3, 4, rest @ ..] => {
            let len = rest.get(22..24).map_or(0, |b| usize::from(b[0]) | usize::from(b[1]) << 8);
            rest.get(26..26 + len).unwrap_or_default()
        }
        _ => &[],
    };
    let trace = |n: &[u8]| {
        [&b".trace"[..], b".network", b".stacks"].iter().any(|ending| n.ends_with(ending))
    };
    let in_report = || names::ends_with_folders(path, b"playwright-report/data");
    if entry == b"report.jsonl" {
        Some(ArtifactType::TestResults)
    } else if trace(entry)
        || name == b"trace.zip"
        || name.ends_with(b"-trace.zip")
        || name.ends_with(b".trace.zip")
        || name.ends_with(b".har.zip")
        || in_report()
    {
        Some(ArtifactType::Trace)
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
