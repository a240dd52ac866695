//! Errors at the edge: what failed, why, and what to do; and the exit codes.

use std::error::Error as _;
use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// It failed.
    Failed = 1,
    /// It was called wrongly.
    Usage = 2,
    /// Done, with problems that were named.
    Problems = 3,
    /// A gate said no.
    Gate = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error that ends a command.
#[derive(Debug)]
pub struct CliError {
    pub(super) exit: Exit,
    pub(super) error: crate::repo::Error,
}

impl From<crate::repo::Error> for CliError {
    fn from(error: crate::repo::Error) -> Self {
        Self { exit: Exit::Failed, error }
    }
}

impl CliError {
    /// Prints the error, its causes and its hint.
    pub fn report(self) -> Exit {
        eprintln!("error: {}", self.error);
        let mut cause = self.error.source();
        while let Some(e) = cause {
            eprintln!("Caused by: {e}");
            cause = e.source();
        }
        if let Some(hint) = self.error.hint() {
            eprintln!("hint: {hint}");
        }
        self.exit
    }
}
