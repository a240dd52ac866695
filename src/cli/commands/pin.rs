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
    /// `None` for a run that is not there any more.
    name: Option<String>,
    pinned: bool,
    changed: bool,
}

pub(in crate::cli) fn run(context: &Context, args: &Args, pinned: bool) -> Result<Exit, CliError> {
    let repo = context.repo()?;
    let there = repo.run_ids()?;
    // The pin of a run that is gone stops gc until it is taken away.
    let gone = |text: &String| text.parse().ok().filter(|id| !pinned && !there.contains(id));
    let mut runs: Vec<(RunId, Option<String>)> =
        args.runs.iter().filter_map(gone).map(|id| (id, None)).collect();
    let named: Vec<&String> = args.runs.iter().filter(|text| gone(text).is_none()).collect();
    runs.extend(repo.records(&named)?.into_iter().map(|run| (run.id, Some(run.meta.name))));
    let mut done = Vec::new();
    for (run, name) in runs {
        let changed = if pinned { repo.pin(run)? } else { repo.unpin(run)? };
        done.push(Output { run, name, pinned, changed });
    }
    context.show(args.json, &done, |out| {
        for Output { run, name, changed, .. } in &done {
            let name = name.as_deref().unwrap_or("(a run that is not there)");
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
