//! `eart checkout`

use std::path::PathBuf;

use crate::cli::{CliError, Context, Exit};
use crate::repo::CheckoutOptions;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The run
    run: String,
    /// Paths and globs of what to write back
    paths: Vec<std::ffi::OsString>,
    /// The folder to write into
    #[arg(long)]
    to: Option<PathBuf>,
    /// Overwrite files that differ
    #[arg(short, long)]
    force: bool,
}

pub(in crate::cli) fn run(context: &Context, args: &Args) -> Result<Exit, CliError> {
    let repo = context.repo()?;
    let to = args.to.clone().map_or_else(
        || Ok(repo.work().to_owned()),
        |to| Ok::<_, CliError>(context.cwd()?.join(to)),
    )?;
    let options = CheckoutOptions { paths: args.paths.clone(), to, force: args.force };
    let done = repo.checkout(repo.resolve(&args.run)?, &options, context)?;
    println!("{done:?}");
    Ok(if done.failed > 0 { Exit::Failed } else { Exit::Done })
}
