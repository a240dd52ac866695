//! One file a command.

pub(super) mod add;
pub(super) mod cat;
pub(super) mod checkout;
pub(super) mod commit;
pub(super) mod completions;
pub(super) mod config;
pub(super) mod diff;
pub(super) mod draft;
pub(super) mod find;
pub(super) mod fsck;
pub(super) mod gc;
pub(super) mod init;
pub(super) mod log;
pub(super) mod ls;
pub(super) mod man;
pub(super) mod pin;
pub(super) mod reset;
pub(super) mod rm;
pub(super) mod show;
pub(super) mod stats;
pub(super) mod status;
pub(super) mod tag;
