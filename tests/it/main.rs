//! Integration tests: one binary, one file a command or a promise.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod add;
mod commit;
mod completions;
mod config;
mod draft;
mod env;
mod exit;
mod init;
mod man;
mod reset;
mod status;
