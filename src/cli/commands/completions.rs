//! `eart completions`

use std::io::Write;

use crate::cli::{CliError, Context, Exit, help};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  eart completions bash > ~/.local/share/bash-completion/completions/eart
  eart completions zsh > ~/.zfunc/_eart
  eart completions fish > ~/.config/fish/completions/eart.fish")]
pub(in crate::cli) struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

pub(in crate::cli) fn run(context: &Context, args: &Args) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut help::command(), "eart", &mut script);
    context.print(|out| out.write_all(&script))
}
