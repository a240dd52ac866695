//! The `eart` command.

fn main() {}
