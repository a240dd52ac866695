//! Errors at the edge: what failed, why, and what to do; and the exit codes.

use std::error::Error as StdError;
use std::process::ExitCode;

use crate::{config, repo};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// It failed.
    Failed = 1,
    /// It was called wrongly, or its configuration is wrong.
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
    error: Box<dyn StdError + Send + Sync>,
    hint: Option<String>,
}

impl From<repo::Error> for CliError {
    fn from(error: repo::Error) -> Self {
        let exit = if error.is_usage() { Exit::Usage } else { Exit::Failed };
        let hint = error.hint();
        Self { exit, error: error.into(), hint }
    }
}

impl From<config::Error> for CliError {
    fn from(error: config::Error) -> Self {
        let exit = match error {
            config::Error::Read(_) => Exit::Failed,
            _ => Exit::Usage,
        };
        let hint = error.hint();
        Self { exit, error: error.into(), hint }
    }
}

impl CliError {
    /// What went wrong is how the command was called.
    pub(super) fn into_usage(mut self) -> Self {
        self.exit = Exit::Usage;
        self
    }

    /// The command was called wrongly.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, error: message.into().into(), hint: None }
    }

    /// The same error with another hint.
    pub(super) fn hinted(mut self, hint: &str) -> Self {
        self.hint = Some(hint.to_owned());
        self
    }

    /// The message and the causes, none of which repeats what was said before it.
    pub(super) fn messages(&self) -> Vec<String> {
        let mut messages = vec![self.error.to_string()];
        let mut cause = self.error.source();
        while let Some(e) = cause {
            let text = e.to_string();
            if !messages.iter().any(|said| said.ends_with(&text)) {
                messages.push(text);
            }
            cause = e.source();
        }
        messages
    }

    /// What the user can do.
    pub(super) fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn causes_follow_and_never_repeat() {
        let source = io::Error::other("the cable is cut");
        let error = CliError::from(repo::Error::Source { path: "/a/b".into(), source });
        assert_eq!(error.messages(), ["Could not read /a/b", "the cable is cut"]);
        let source = io::Error::new(io::ErrorKind::StorageFull, "full");
        let error = repo::Error::from(crate::disk::Error::new("write", "/a", source));
        let error = CliError::from(error);
        assert_eq!(error.messages(), ["Could not write /a", "full"]);
        assert!(error.hint().is_some_and(|hint| hint.contains("eart gc")));
    }
}
