//! What names of files and folders say about an artifact.

use crate::artifact::ArtifactType;
use crate::path::RelPath;

/// What the innermost known folder above a file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Folder {
    /// Nothing.
    Plain,
    /// An HTML report with what it loads.
    Report,
    /// A coverage report with what it loads.
    Coverage,
    /// Raw results, such as Allure's, with their attachments.
    Results,
    /// Measurements and their charts.
    Performance,
    /// Generated reference pages.
    Docs,
    /// Logs.
    Logs,
}

/// The innermost known folder of a parent path.
pub(super) fn folder(parent: &[u8]) -> Folder {
    let mut components = parent.rsplit(|&b| b == b'/');
    components.find_map(known_folder).unwrap_or(Folder::Plain)
}

fn known_folder(name: &[u8]) -> Option<Folder> {
    match name {
        b"playwright-report"
        | b"allure-report"
        | b"html-report"
        | b"mochawesome-report"
        | b"cucumber-report"
        | b"cucumber-html-report" => Some(Folder::Report),
        b"coverage" | b"lcov-report" | b"htmlcov" | b"coverage-report" | b"jacoco"
        | b".nyc_output" => Some(Folder::Coverage),
        b"allure-results" | b"blob-report" | b"surefire-reports" | b"failsafe-reports" => {
            Some(Folder::Results)
        }
        b"criterion" | b".lighthouseci" | b"lighthouse" => Some(Folder::Performance),
        b"apidocs" | b"api-docs" | b"javadoc" | b"typedoc" | b"rustdoc" | b"swagger-ui"
        | b"redoc" => Some(Folder::Docs),
        b"logs" | b"pod-logs" | b"build-logs" | b"container-logs" => Some(Folder::Logs),
        _ => None,
    }
}

impl Folder {
    /// The type of a file in it that says nothing itself.
    pub(super) fn artifact(self, name: &[u8]) -> Option<ArtifactType> {
        match self {
            Self::Report => Some(ArtifactType::HtmlReport),
            Self::Coverage => Some(ArtifactType::Coverage),
            Self::Performance => Some(ArtifactType::PerformanceMetrics),
            Self::Docs => Some(ArtifactType::ApiDocs),
            // Attachments of any kind lie beside the results.
            Self::Results if name.windows(12).any(|w| w == b"-attachment.") => None,
            Self::Results => match extension(name) {
                b"json" | b"jsonl" | b"xml" | b"zip" | b"properties" => {
                    Some(ArtifactType::TestResults)
                }
                _ => None,
            },
            Self::Logs | Self::Plain => None,
        }
    }

    /// Whether a picture in it is a part of it rather than a screenshot.
    pub(super) fn owns_pictures(self, name: &[u8]) -> bool {
        match self {
            Self::Coverage | Self::Performance | Self::Docs => true,
            Self::Report => name.starts_with(b"favicon"),
            Self::Results | Self::Logs | Self::Plain => false,
        }
    }
}

/// The part of a file name behind its last dot, or nothing where that dot is its first byte.
pub(super) fn extension(name: &[u8]) -> &[u8] {
    match name.iter().rposition(|&b| b == b'.') {
        Some(dot) if dot > 0 => name.get(dot + 1..).unwrap_or_default(),
        _ => b"",
    }
}

pub(super) fn has_extension(name: &[u8], wanted: &[u8]) -> bool {
    extension(name).eq_ignore_ascii_case(wanted)
}

/// The media type that the extension stands for.
pub(super) fn media_type(name: &[u8]) -> Option<&'static str> {
    match extension(name) {
        b"" => None,
        // What tables of media types do not know, or have another meaning for.
        b"log" | b"out" | b"err" => Some("text/plain"),
        b"har" | b"sarif" | b"cpuprofile" | b"heapprofile" | b"heapsnapshot" | b"map" => {
            Some("application/json")
        }
        b"jsonl" | b"ndjson" => Some("application/x-ndjson"),
        b"yaml" | b"yml" => Some("application/yaml"),
        b"trx" => Some("text/xml"),
        // Comma-separated or XML; TypeScript or a film: the content tells.
        b"jtl" | b"ts" | b"mts" | b"cts" => None,
        other => mime_guess::from_ext(std::str::from_utf8(other).ok()?).first_raw(),
    }
}

/// The artifact type that a file's own name stands for, whatever folder it lies in.
pub(super) fn artifact(name: &[u8]) -> Option<ArtifactType> {
    match name {
        b"lcov.info"
        | b"coverage-final.json"
        | b"coverage-summary.json"
        | b"cobertura.xml"
        | b"clover.xml"
        | b"jacoco.xml"
        | b"coverage.xml"
        | b".coverage"
        | b"cover.out"
        | b"coverage.out" => return Some(ArtifactType::Coverage),
        b"trace.network" => return Some(ArtifactType::Trace),
        b"verification.log" => return Some(ArtifactType::BuildLog),
        _ => {}
    }
    match extension(name) {
        b"har" | b"cpuprofile" | b"heapprofile" | b"heapsnapshot" | b"heaptimeline" | b"trace" => {
            Some(ArtifactType::Trace)
        }
        b"trx" | b"tap" => Some(ArtifactType::TestResults),
        b"xml" if name.starts_with(b"junit") || name.starts_with(b"TEST-") => {
            Some(ArtifactType::TestResults)
        }
        b"lcov" | b"gcov" | b"profraw" | b"profdata" => Some(ArtifactType::Coverage),
        b"sarif" => Some(ArtifactType::SecurityFindings),
        b"jtl" => Some(ArtifactType::PerformanceMetrics),
        b"graphql" | b"gql" | b"graphqls" => Some(ArtifactType::ApiDocs),
        _ => None,
    }
}

/// The artifact type of a file that neither its content nor its folder told: logs, HTML pages,
/// and pictures and films that are empty or of a format without a known beginning.
pub(super) fn last_resort(
    name: &[u8],
    content_type: Option<&str>,
    folder: Folder,
) -> Option<ArtifactType> {
    let mime = content_type.unwrap_or_default();
    match extension(name) {
        b"log" if mime == "text/plain" => return Some(ArtifactType::BuildLog),
        b"" | b"txt" | b"out" | b"err" if mime == "text/plain" || mime.is_empty() => {
            let stream = matches!(
                name,
                b"stdout" | b"stderr" | b"stdout.txt" | b"stderr.txt" | b"nohup.out"
            );
            return (stream || folder == Folder::Logs && !mime.is_empty())
                .then_some(ArtifactType::BuildLog);
        }
        _ => {}
    }
    let rotated = || name.windows(5).any(|w| w == b".log.") && mime == "text/plain";
    match mime {
        "text/html" => Some(ArtifactType::HtmlReport),
        "image/svg+xml" | "image/vnd.microsoft.icon" | "image/x-icon" => None,
        _ if mime.starts_with("image/") && !folder.owns_pictures(name) => {
            Some(ArtifactType::Screenshot)
        }
        _ if mime.starts_with("video/") => Some(ArtifactType::Video),
        _ if rotated() => Some(ArtifactType::BuildLog),
        _ => None,
    }
}

/// Whether the file lies directly in `folders`, wherever these are.
pub(super) fn ends_with_folders(path: &RelPath, folders: &[u8]) -> bool {
    let rest = path.parent().and_then(|parent| parent.strip_suffix(folders));
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with(b"/"))
}
