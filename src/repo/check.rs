//! What is checked of a file while it is read: archives and reports, by what it is.

use crate::chunk::zip::{self, DataCheck};
use crate::path::RelPath;
use crate::work::classify::Detected;
use crate::work::inspect::{GzipCheck, ReportCheck};

/// What is known of a file before it is cut.
pub(super) struct Inspected {
    /// Where to cut it, for what is inside.
    pub(super) boundaries: Vec<u64>,
    pub(super) check: Check,
}

/// Looks at a file while it goes by.
pub(super) enum Check {
    /// There is nothing to look at.
    None,
    /// It is broken, for this reason.
    Broken(String),
    Zip(DataCheck),
    Gzip(Box<GzipCheck>),
    Report(Box<ReportCheck>),
}

impl Inspected {
    /// Looks at a file of `size` bytes that begins with `head`.
    pub(super) fn of<R: zip::ReadAt + ?Sized>(
        path: &RelPath,
        head: &[u8],
        detected: &Detected,
        file: &R,
        size: u64,
    ) -> Self {
        if zip::is_zip(head) {
            let found = zip::inspect(file, size);
            let check = match found.broken {
                Some(reason) => Check::Broken(reason),
                None => Check::Zip(DataCheck::new(found.entries)),
            };
            return Self { boundaries: found.boundaries, check };
        }
        let (name, ending) = (path.file_name(), b".zip");
        let at = name.len().saturating_sub(ending.len());
        let check = if name[at..].eq_ignore_ascii_case(ending) {
            Check::Broken(match size {
                0 => "it is empty".to_owned(),
                _ => "it does not begin like a zip archive".to_owned(),
            })
        } else if let Some(gzip) = GzipCheck::for_path(path) {
            Check::Gzip(Box::new(gzip))
        } else if let Some(report) = ReportCheck::for_file(detected, head) {
            Check::Report(Box::new(report))
        } else {
            Check::None
        };
        Self { boundaries: Vec::new(), check }
    }
}

impl Check {
    /// Takes the next bytes of the file.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        match self {
            Self::None | Self::Broken(_) => {}
            Self::Zip(zip) => zip.feed(bytes),
            Self::Gzip(gzip) => gzip.feed(bytes),
            Self::Report(report) => report.feed(bytes),
        }
    }

    /// What is wrong with the file, to be said behind its name.
    pub(super) fn finish(self) -> Option<String> {
        let (what, reason) = match self {
            Self::None => return None,
            Self::Broken(reason) => ("archive", reason),
            Self::Zip(zip) => ("archive", zip.finish()?),
            Self::Gzip(gzip) => ("archive", gzip.finish()?),
            Self::Report(report) => ("report", report.finish()?),
        };
        Some(format!("is a broken {what}, kept as it is: {reason}"))
    }
}
