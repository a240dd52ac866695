//! The user's files: what they are, and whether they are whole.

pub mod classify;
pub mod inspect;
