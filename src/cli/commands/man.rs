//! `eart man`, hidden: writes the manual pages that are kept in `man/`.

use std::path::PathBuf;

use crate::cli::{CliError, Context, Exit, help};
use crate::repo::Error;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The folder to write the pages into
    dir: PathBuf,
}

pub(in crate::cli) fn run(_context: &Context, args: &Args) -> Result<Exit, CliError> {
    let written = std::fs::create_dir_all(&args.dir)
        .and_then(|()| clap_mangen::generate_to(help::command(), &args.dir));
    written.map_err(|source| Error::Write { path: args.dir.clone(), source })?;
    Ok(Exit::Done)
}
