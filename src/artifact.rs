//! What kind of artifact a file is: the twelve types a test run leaves behind.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The type of an artifact. `code` is its number in every format; numbers are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArtifactType {
    /// Whatever is none of the others.
    Custom,
    /// JUnit XML, Playwright's or Jest's JSON, TRX, TAP.
    TestResults,
    /// LCOV, Cobertura, JaCoCo, Clover, coverage JSON.
    Coverage,
    /// SARIF, Trivy, Grype, ZAP, gitleaks.
    SecurityFindings,
    /// Lighthouse, k6, JMeter, Criterion.
    PerformanceMetrics,
    /// Logs of builds, pods and processes.
    BuildLog,
    /// Checkstyle, ESLint, PMD, SpotBugs.
    StaticAnalysis,
    /// OpenAPI, AsyncAPI, GraphQL schemas, generated reference pages.
    ApiDocs,
    /// Images.
    Screenshot,
    /// Recordings.
    Video,
    /// Playwright traces, HAR files, CPU profiles.
    Trace,
    /// HTML reports with what they load.
    HtmlReport,
}

impl ArtifactType {
    /// Every type, by its code.
    pub const ALL: [Self; 12] = [
        Self::Custom,
        Self::TestResults,
        Self::Coverage,
        Self::SecurityFindings,
        Self::PerformanceMetrics,
        Self::BuildLog,
        Self::StaticAnalysis,
        Self::ApiDocs,
        Self::Screenshot,
        Self::Video,
        Self::Trace,
        Self::HtmlReport,
    ];

    /// The type's number in stored formats.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The type with this number.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// The type's name on the command line and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Custom => "custom",
            Self::TestResults => "test-results",
            Self::Coverage => "coverage",
            Self::SecurityFindings => "security-findings",
            Self::PerformanceMetrics => "performance-metrics",
            Self::BuildLog => "build-log",
            Self::StaticAnalysis => "static-analysis",
            Self::ApiDocs => "api-docs",
            Self::Screenshot => "screenshot",
            Self::Video => "video",
            Self::Trace => "trace",
            Self::HtmlReport => "html-report",
        }
    }
}

impl fmt::Display for ArtifactType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no artifact type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Unknown artifact type {0:?}")]
pub struct UnknownType(pub String);

impl FromStr for ArtifactType {
    type Err = UnknownType;

    fn from_str(name: &str) -> Result<Self, UnknownType> {
        let known = Self::ALL.into_iter().find(|t| t.name() == name);
        known.ok_or_else(|| UnknownType(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_lead_back() {
        for (code, t) in ArtifactType::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(t.code()), code);
            assert_eq!(t.name().parse(), Ok(t));
            assert_eq!(serde_json::to_value(t).unwrap(), t.name());
        }
    }
}
