//! One file a command.

pub(super) mod add;
pub(super) mod checkout;
pub(super) mod commit;
pub(super) mod fsck;
pub(super) mod gc;
pub(super) mod init;
