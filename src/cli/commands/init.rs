//! `eart init`

use std::path::PathBuf;

use crate::cli::{CliError, Context, Exit};
use crate::repo::{Init, Repo};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The folder to keep a store in
    dir: Option<PathBuf>,
}

pub(in crate::cli) fn run(context: &Context, args: &Args) -> Result<Exit, CliError> {
    let (folder, work) = context.place(args.dir.as_deref())?;
    let (repo, init) = Repo::init(folder, &work)?;
    let place = repo.folder().root().display();
    match init {
        Init::Created => println!("Made an empty eart store in {place}"),
        Init::Existed => println!("There is an eart store in {place} already; nothing was changed"),
    }
    Ok(Exit::Done)
}
