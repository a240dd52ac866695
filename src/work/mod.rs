//! The user's files: walk them, tell what they are, read them, write them back.

pub mod classify;
pub mod inspect;
pub mod long;
pub mod read;
pub mod restore;
pub mod stat;
pub mod walk;
