//! Integration tests: one binary, one file a command or a promise.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod crash;
mod damage;
mod lab;
