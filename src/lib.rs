//! `eart` keeps what end-to-end test runs leave behind: reports, screenshots, traces, videos,
//! logs, coverage, findings.
//!
//! The rooms, in the order data flows:
//!
//! working files → [`chunk`] → [`store`] → [`manifest`] → [`repo`] → `cli`

pub mod artifact;
pub mod config;
pub mod disk;
pub mod id;
pub mod manifest;
pub mod path;
pub mod progress;
pub mod work;
