//! The `eart` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    eart::cli::main()
}
