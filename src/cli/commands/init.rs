//! `eart init`

use std::io::Write;
use std::path::PathBuf;

use crate::cli::{CliError, Context, Exit};
use crate::repo::{Init, Repo};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Running it again changes nothing. Git ignores the store by itself.

Examples:
  eart init                         in the project's folder
  eart --store /var/lib/eart init   a store away from any project")]
pub(in crate::cli) struct Args {
    /// The folder to keep the store in [default: the current one]
    dir: Option<PathBuf>,
}

pub(in crate::cli) fn run(context: &Context, args: &Args) -> Result<Exit, CliError> {
    let (folder, work) = context.place(args.dir.as_deref())?;
    let (repo, init) = Repo::init(folder, &work)?;
    let root = repo.folder().root();
    let place = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let place = place.display();
    context.print(|out| match init {
        Init::Created => writeln!(out, "Made an empty eart store in {place}"),
        Init::Existed => {
            writeln!(out, "There is an eart store in {place} already; nothing was changed")
        }
    })
}
