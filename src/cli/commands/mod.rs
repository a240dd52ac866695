//! One file a command.

pub(super) mod add;
pub(super) mod checkout;
pub(super) mod commit;
pub(super) mod completions;
pub(super) mod config;
pub(super) mod draft;
pub(super) mod fsck;
pub(super) mod gc;
pub(super) mod init;
pub(super) mod man;
pub(super) mod reset;
pub(super) mod status;
