//! What long work tells while it runs: how far it is, and which problems it met on the way.
//!
//! The library never prints. It reports to a [`Monitor`]; the command line draws a bar and
//! collects the problems, tests record both.

use std::sync::Mutex;

use crate::path::RelPath;

/// Something that went wrong for one file while the work went on: it is named, and the exit code
/// remembers it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// The path as the user knows it.
    pub path: String,
    /// What happened and what became of the file, as a sentence without its final period.
    pub what: String,
}

impl Problem {
    /// A problem with a path of a run.
    pub fn at(path: &RelPath, what: impl Into<String>) -> Self {
        Self { path: path.to_string(), what: what.into() }
    }
}

/// Receives progress from any thread. Every method does nothing unless it is overridden.
pub trait Monitor: Send + Sync {
    /// A new stretch of work begins. `total` is its size in bytes, if it is known.
    fn begin(&self, _what: &'static str, _total: Option<u64>) {}
    /// A new stretch of work begins that is counted in items, not in bytes.
    fn begin_items(&self, _what: &'static str, _total: Option<u64>) {}
    /// So much more of the current stretch is done.
    fn advance(&self, _amount: u64) {}
    /// The current stretch is over.
    fn end(&self) {}
    /// A file had a problem; the work goes on.
    fn problem(&self, _problem: Problem) {}
    /// Whether the user asked to stop. Work looks here between files and between chunks.
    fn interrupted(&self) -> bool {
        false
    }
}

/// A monitor for those who do not care.
pub struct Silent;

impl Monitor for Silent {}

/// Keeps the problems it is told of; for tests and for callers that show them at the end.
#[derive(Debug, Default)]
pub struct Recorder {
    problems: Mutex<Vec<Problem>>,
}

impl Recorder {
    /// The problems so far, in the order they came.
    pub fn problems(&self) -> Vec<Problem> {
        self.problems.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }
}

impl Monitor for Recorder {
    fn problem(&self, problem: Problem) {
        self.problems.lock().unwrap_or_else(|e| e.into_inner()).push(problem);
    }
}
