//! `eart commit`

use crate::cli::{CliError, Context, Exit};
use crate::repo::CommitOptions;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// What happened, in words
    #[arg(short, long, default_value = "")]
    message: String,
    /// Make a run without files
    #[arg(long)]
    allow_empty: bool,
}

pub(in crate::cli) fn run(context: &Context, args: &Args) -> Result<Exit, CliError> {
    let repo = context.repo()?;
    let options = CommitOptions {
        message: args.message.clone(),
        drafts: vec!["default".into()],
        allow_empty: args.allow_empty,
        ..CommitOptions::default()
    };
    let run = repo.commit(&options)?;
    println!("{} {}", run.id.short(), run.meta.name);
    Ok(Exit::Done)
}
