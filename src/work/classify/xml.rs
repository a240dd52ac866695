//! What an XML or HTML document is, from its root element.

use crate::artifact::ArtifactType;

/// The name of the root element as it is written, or `html` for HTML's doctype, if it stands in
/// the head. `body` starts with `<`.
pub(super) fn root(body: &[u8]) -> Option<&[u8]> {
    let mut rest = body;
    loop {
        rest = rest.trim_ascii_start().strip_prefix(b"<")?;
        rest = match rest {
            [b'?', ..] => after(rest, b"?>")?,
            [b'!', b'-', b'-', ..] => after(rest, b"-->")?,
            [b'!', ..] => {
                let doctype = rest.get(1..8)?;
                let named = rest.get(8..)?.trim_ascii_start().get(..4);
                if doctype.eq_ignore_ascii_case(b"doctype")
                    && named.is_some_and(|n| n.eq_ignore_ascii_case(b"html"))
                {
                    return Some(b"html");
                }
                after_doctype(rest)?
            }
            _ => {
                let ends = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'>' | b'/');
                let end = rest.iter().position(ends).unwrap_or(rest.len());
                return rest.get(..end).filter(|name| name.first().is_some_and(is_name_start));
            }
        };
    }
}

fn is_name_start(b: &u8) -> bool {
    b.is_ascii_alphabetic() || *b == b'_' || !b.is_ascii()
}

fn after<'a>(text: &'a [u8], end: &[u8]) -> Option<&'a [u8]> {
    let at = text.windows(end.len()).position(|window| window == end)?;
    text.get(at + end.len()..)
}

/// What follows a declaration; an internal subset in brackets may hold further `>`.
fn after_doctype(text: &[u8]) -> Option<&[u8]> {
    let at = text.iter().position(|b| matches!(b, b'>' | b'['))?;
    match text.get(at)? {
        b'[' => after(text, b"]>"),
        _ => text.get(at + 1..),
    }
}

/// The media type that the root settles.
pub(super) fn media_type(root: &[u8]) -> Option<&'static str> {
    if root.eq_ignore_ascii_case(b"html") {
        Some("text/html")
    } else if root == b"svg" {
        Some("image/svg+xml")
    } else {
        known(root).map(|_| "text/xml")
    }
}

/// The artifact type of a document with this root element.
pub(super) fn artifact(body: &[u8], root: &[u8]) -> Option<ArtifactType> {
    let says = |text: &[u8]| body.windows(text.len()).any(|window| window == text);
    match root {
        // Roots with names that several formats use.
        b"report" if says(b"JACOCO") || says(b"<sessioninfo") => Some(ArtifactType::Coverage),
        b"results" if says(b"<cppcheck") => Some(ArtifactType::StaticAnalysis),
        b"issues" if says(b"burpVersion") => Some(ArtifactType::SecurityFindings),
        b"issues" if says(b"<issue") => Some(ArtifactType::StaticAnalysis),
        b"analysis" if says(b"dependency-check") => Some(ArtifactType::SecurityFindings),
        _ => known(root),
    }
}

fn known(root: &[u8]) -> Option<ArtifactType> {
    match root {
        b"testsuites" | b"testsuite" | b"TestRun" | b"testng-results" | b"test-run"
        | b"test-results" | b"assemblies" | b"robot" => Some(ArtifactType::TestResults),
        b"coverage" | b"CoverageSession" => Some(ArtifactType::Coverage),
        b"OWASPZAPReport" | b"nmaprun" | b"NessusClientData_v2" => {
            Some(ArtifactType::SecurityFindings)
        }
        b"testResults" => Some(ArtifactType::PerformanceMetrics),
        b"checkstyle" | b"pmd" | b"pmd-cpd" | b"BugCollection" => {
            Some(ArtifactType::StaticAnalysis)
        }
        _ => None,
    }
}
