//! `eart reset`

use std::ffi::OsString;
use std::io::Write;

use crate::cli::output::{Drafted, Json, count};
use crate::cli::values::DraftArg;
use crate::cli::{CliError, Context, Exit};
use crate::repo::Reset;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Paths and globs are taken from the current folder, as `eart add` takes them; what is not staged there
is taken as a path of the run, as `eart status` shows it. Your files are not touched.

Examples:
  eart reset                      empty the draft
  eart reset test-results '*.webm'")]
pub(in crate::cli) struct Args {
    /// Paths, folders and globs to take out [default: everything]
    #[arg(value_name = "PATH")]
    paths: Vec<OsString>,
    #[command(flatten)]
    draft: DraftArg,
    #[command(flatten)]
    json: Json,
}

pub(in crate::cli) fn run(context: &Context, args: &Args) -> Result<Exit, CliError> {
    let draft = context.draft(&args.draft);
    let repo = context.repo()?;
    let had = repo.draft_names()?.contains(&draft);
    let reset = repo.reset(&draft, &args.paths, &context.cwd()?)?;
    context.show(args.json, &Drafted { draft: &draft, done: reset }, |out| match reset {
        Reset { removed: 0, staged: 0 } if !had => writeln!(out, "Nothing was staged"),
        Reset { removed, staged } => {
            let removed = count(removed, "file", "files");
            writeln!(out, "Took {removed} out of the draft {draft}; {staged} still staged")
        }
    })
}
