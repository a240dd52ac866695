//! `eart checkout`

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

use crate::cli::human::files_and_links;
use crate::cli::output::{BAD, ID, Json, NAME, count};
use crate::cli::{CliError, Context, Exit};
use crate::config::value::format_size;
use crate::id::RunId;
use crate::progress::Problem;
use crate::repo::{CheckedOut, CheckoutOptions, Error};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Paths are those of the run, as `eart ls -r RUN` lists them, whatever the current folder is; a folder or glob means what lies in it
too; a PATH that the run has is no glob. Files that are there with other content are never
overwritten without --force: then nothing is written at all, and they are named. Folders that are
there keep their modes and times without --force, and the folder that is written into always does.
Nothing is written outside the folder or through a symbolic link. A checkout that was stopped goes
on when it is run again.

Examples:
  eart checkout latest --to out
  eart checkout nightly~1 playwright-report '*.webm' --to yesterday")]
pub(in crate::cli) struct Args {
    /// The run
    run: String,
    /// Paths and globs of what to write back [default: everything]
    #[arg(value_name = "PATH")]
    paths: Vec<OsString>,
    /// The folder to write into [default: the one the store belongs to]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Overwrite files that differ, and set modes and times of folders that are there
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    json: Json,
}

#[derive(Serialize)]
struct Output<'a> {
    run: RunId,
    name: String,
    to: PathBuf,
    #[serde(flatten)]
    done: CheckedOut,
    problems: &'a [Problem],
}

pub(in crate::cli) fn run(context: &Context, args: &Args) -> Result<Exit, CliError> {
    let repo = context.repo()?;
    let run = repo.show(&args.run)?.record;
    let to = match &args.to {
        Some(to) => context.cwd()?.join(to),
        None => repo.work().to_owned(),
    };
    if std::fs::metadata(&to).is_ok_and(|meta| !meta.is_dir()) {
        let shown = args.to.as_deref().unwrap_or(&to).display();
        let hint = "--to names the folder to write into; PATH says which files";
        return Err(Error::hinted(format!("{shown} is not a folder"), hint).into());
    }
    let options = CheckoutOptions { paths: args.paths.clone(), to, force: args.force };
    let done = repo.checkout(run.id, &options, context)?;
    let failed = done.failed > 0;
    let problems = context.told().clone();
    let output =
        Output { run: run.id, name: run.meta.name, to: options.to, done, problems: &problems };
    context.show(args.json, &output, |out| {
        let CheckedOut { files, links, bytes, unchanged, unchanged_links, failed, .. } =
            output.done;
        let (id, name) = (out.paint(ID, output.run.short()), out.paint(NAME, &output.name));
        let (written, size) = (files_and_links(files, links), format_size(bytes));
        let to = args.to.as_deref().unwrap_or(&output.to).display();
        writeln!(out, "Checked out {written}, {size}, of {id} {name} to {to}")?;
        let there = unchanged + unchanged_links;
        if there > 0 {
            let were = if there == 1 { "was" } else { "were" };
            let what = files_and_links(unchanged, unchanged_links);
            writeln!(out, "{what} {were} there already")?;
        }
        if failed > 0 {
            let lost = count(failed, "path", "paths");
            writeln!(out, "{}", out.paint(BAD, format_args!("{lost} could not be restored")))?;
        }
        Ok(())
    })?;
    Ok(if failed { Exit::Failed } else { Exit::Done })
}
