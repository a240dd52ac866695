//! `eart pin` and `eart unpin`

use std::io::Write;

use serde::Serialize;

use crate::cli::output::{ID, Json, NAME};
use crate::cli::{CliError, Context, Exit};
use crate::id::RunId;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
A pinned run stays, whatever gc is told, until it is unpinned. `eart log` shows which are.")]
pub(in crate::cli) struct Args {
    /// Runs
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<String>,
    #[command(flatten)]
    json: Json,
}

#[derive(Serialize)]
struct Output {
    run: RunId,
    name: String,
    pinned: bool,
    changed: bool,
}

pub(in crate::cli) fn run(context: &Context, args: &Args, pinned: bool) -> Result<Exit, CliError> {
    let repo = context.repo()?;
    let mut done = Vec::new();
    for run in repo.records(&args.runs)? {
        let changed = if pinned { repo.pin(run.id)? } else { repo.unpin(run.id)? };
        done.push(Output { run: run.id, name: run.meta.name, pinned, changed });
    }
    context.show(args.json, &done, |out| {
        for Output { run, name, changed, .. } in &done {
            let (id, name) = (out.paint(ID, run.short()), out.paint(NAME, name));
            let what = match (pinned, changed) {
                (true, true) => "Pinned",
                (true, false) => "Was pinned already:",
                (false, true) => "Unpinned",
                (false, false) => "Was not pinned:",
            };
            writeln!(out, "{what} {id} {name}")?;
        }
        Ok(())
    })
}
