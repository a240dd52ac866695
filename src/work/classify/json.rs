//! What a JSON document is, from the keys near its beginning.
//!
//! A scanner, not a parser: it finds the names of members and how deep they lie, and stops at the
//! first that settles what the document is, or after [`REACH`] bytes.

use crate::artifact::ArtifactType;

/// How many bytes are scanned. What is not recognised by then is not worth the time: the formats
/// known here show themselves in their first members.
const REACH: usize = 2048;

/// The artifact type of a JSON document (or of JSON lines), if its first members tell.
/// `body` starts with `{` or `[`.
pub(super) fn artifact(body: &[u8]) -> Option<ArtifactType> {
    let body = body.get(..REACH).unwrap_or(body);
    let in_list = body.first() == Some(&b'[');
    let mut clues = Clues::default();
    let mut depth = 0u32;
    let mut at = 0;
    while let Some(&b) = body.get(at) {
        at += 1;
        match b {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let text = string(body, at)?;
                at += text.len() + 1;
                let rest = body.get(at..)?.trim_ascii_start();
                if let [b':', value @ ..] = rest {
                    // The members of a list's items count like those of a document.
                    let level = depth - u32::from(in_list && depth > 0);
                    let found = clues.member(level, text, value.trim_ascii_start());
                    if found.is_some() {
                        return found;
                    }
                }
            }
            _ => {}
        }
    }
    None
}

/// The string that starts at `at`, without its closing quote; `None` when the body ends first.
fn string(body: &[u8], at: usize) -> Option<&[u8]> {
    let rest = body.get(at..)?;
    let mut end = 0;
    loop {
        match rest.get(end)? {
            b'"' => return rest.get(..end),
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
}

/// Members that say something only together with another, one bit each; a pair lies side by side.
#[derive(Default)]
struct Clues(u16);

const MOCHA: u32 = 0;
const CTRF: u32 = 2;
const GO: u32 = 4;
const TRIVY: u32 = 6;
const ESLINT: u32 = 8;

impl Clues {
    /// The artifact type that a member settles: `level` 1 is the document's own, and of a list's
    /// items too; `value` is what follows the colon, cut where the head ends.
    fn member(&mut self, level: u32, key: &[u8], value: &[u8]) -> Option<ArtifactType> {
        use ArtifactType::*;
        match (level, key) {
            // Jest and Vitest, Playwright's last run, Allure.
            (
                1,
                b"numFailedTestSuites"
                | b"numTotalTestSuites"
                | b"numFailedTests"
                | b"numTotalTests"
                | b"failedTests"
                | b"testCaseId"
                | b"statusDetails",
            ) => Some(TestResults),
            // Playwright's configuration, Mochawesome's and Mocha's numbers.
            (2, b"forbidOnly" | b"fullyParallel" | b"passPercent") => Some(TestResults),
            (2, b"tests" | b"passes") => self.both(MOCHA, key == b"tests", TestResults),
            (1, b"reportFormat") => value.starts_with(b"\"CTRF\"").then_some(TestResults),
            (2, b"tool" | b"summary") => self.both(CTRF, key == b"tool", TestResults),
            // Cucumber, and `go test -json`.
            (1, b"keyword") => value.starts_with(b"\"Feature\"").then_some(TestResults),
            (1, b"Action" | b"Package") => self.both(GO, key == b"Action", TestResults),

            // Istanbul and its summary, coverage.py, V8.
            (2, b"statementMap" | b"fnMap" | b"branchMap" | b"branch_coverage") => Some(Coverage),
            (3, b"pct") | (5, b"isBlockCoverage") => Some(Coverage),

            (1, b"$schema") => {
                let text = value.strip_prefix(b"\"").and_then(|v| string(v, 0)).unwrap_or(value);
                contains(text, b"sarif").then_some(SecurityFindings)
            }
            (1, b"runs") => (value.starts_with(b"[") && contains(value, b"\"tool\""))
                .then_some(SecurityFindings),
            // Trivy; npm audit, ZAP, gitleaks; Grype.
            (1, b"SchemaVersion" | b"ArtifactName") => {
                self.both(TRIVY, key == b"ArtifactName", SecurityFindings)
            }
            (1, b"auditReportVersion" | b"@programName" | b"RuleID") => Some(SecurityFindings),
            (3, b"vulnerability" | b"matchDetails") => Some(SecurityFindings),

            // Lighthouse, k6's summary and lines, Criterion, JMeter's statistics.
            (1, b"lighthouseVersion" | b"root_group") => Some(PerformanceMetrics),
            (1, b"type") => (value.starts_with(b"\"Metric\"") || value.starts_with(b"\"Point\""))
                .then_some(PerformanceMetrics),
            (
                2,
                b"http_req_duration"
                | b"iteration_duration"
                | b"confidence_interval"
                | b"sampleCount",
            ) => Some(PerformanceMetrics),

            // ESLint, stylelint.
            (1, b"filePath" | b"messages") => self.both(ESLINT, key == b"messages", StaticAnalysis),
            (1, b"invalidOptionWarnings") => Some(StaticAnalysis),

            (1, b"openapi" | b"swagger" | b"asyncapi") => {
                matches!(value, [b'"', b'1'..=b'9', b'.', ..]).then_some(ApiDocs)
            }
            (1 | 2, b"__schema") => Some(ApiDocs),

            // HAR, CPU profiles, Chrome's traces.
            (2, b"creator") => value.starts_with(b"{").then_some(Trace),
            (3, b"callFrame") | (1, b"traceEvents") => Some(Trace),
            _ => None,
        }
    }

    /// `what`, once both members of a pair were seen.
    fn both(&mut self, pair: u32, second: bool, what: ArtifactType) -> Option<ArtifactType> {
        self.0 |= 1 << (pair + u32::from(second));
        (self.0 >> pair & 3 == 3).then_some(what)
    }
}

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}
