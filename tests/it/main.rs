//! Integration tests: one binary, one file a command or a promise.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]

mod add;
mod bad_medium;
mod checkout;
mod commit;
mod completions;
mod concurrent;
mod config;
mod corners;
mod crash;
mod damage;
mod diff;
mod draft;
mod env;
mod exit;
mod faults;
mod full_disk;
mod gc;
mod golden;
mod init;
mod lab;
mod log;
mod ls;
mod man;
mod playwright;
mod properties;
mod reset;
mod rooms;
mod status;
mod tag;
mod terminal;
