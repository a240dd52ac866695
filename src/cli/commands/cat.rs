//! `eart cat`

use std::ffi::OsString;
use std::io;

use crate::cli::{CliError, Context, Exit};
use crate::repo::Error;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every byte is checked before it is written. Links are not followed.

Examples:
  eart cat latest:results.json
  eart cat latest@branch=main:junit.xml nightly~1:junit.xml")]
pub(in crate::cli) struct Args {
    /// Files: a run, a colon, and a path in it
    #[arg(required = true, value_name = "RUN:PATH")]
    files: Vec<OsString>,
}

pub(in crate::cli) fn run(context: &Context, args: &Args) -> Result<Exit, CliError> {
    let repo = context.repo()?;
    let mut contents = repo.contents()?;
    let mut files = Vec::with_capacity(args.files.len());
    for ((run, path), text) in repo.resolve_paths(&args.files)?.into_iter().zip(&args.files) {
        let Some(path) = path else {
            let text = text.to_string_lossy();
            let run = text.trim_end_matches(':');
            return Err(CliError::usage(format!("{text:?} names no file"))
                .hinted(&format!("write RUN:PATH; `eart ls -r {run}` lists the paths")));
        };
        files.push((run, contents.find(run, &path)?));
    }
    let mut failure = None;
    let exit = context.print(|out| {
        for (run, file) in &files {
            match contents.write(*run, file, out) {
                Ok(()) => {}
                Err(Error::Output(source)) => return Err(source),
                Err(e) => {
                    failure = Some(e);
                    break;
                }
            }
        }
        io::Write::flush(out)
    })?;
    failure.map_or(Ok(exit), |e| Err(e.into()))
}
