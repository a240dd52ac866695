//! `eart rm`

use std::io::Write;

use serde::Serialize;

use crate::cli::output::{DIM, ID, Json, NAME};
use crate::cli::{CliError, Context, Exit};
use crate::id::RunId;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Runs with a tag or a pin are refused, and nothing is removed then. The removal is written to the
store's audit.log. The space of what no other run has comes back with the next `eart gc`.")]
pub(in crate::cli) struct Args {
    /// Runs
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<String>,
    /// Remove tagged and pinned runs too, with their tags and pins
    #[arg(short, long)]
    force: bool,
    /// Why, for the audit log
    #[arg(
        short = 'm',
        long,
        value_name = "TEXT",
        default_value = "asked for",
        hide_default_value = true
    )]
    reason: String,
    #[command(flatten)]
    json: Json,
}

#[derive(Serialize)]
struct Output {
    run: RunId,
    name: Option<String>,
}

pub(in crate::cli) fn run(context: &Context, args: &Args) -> Result<Exit, CliError> {
    let removed: Vec<Output> = context
        .repo()?
        .rm(&args.runs, &args.reason, args.force)?
        .into_iter()
        .map(|(run, name)| Output { run, name })
        .collect();
    context.show(args.json, &removed, |out| {
        for Output { run, name } in &removed {
            let name = out.paint(NAME, name.as_deref().unwrap_or("(damaged)"));
            writeln!(out, "Removed {} {name}", out.paint(ID, run.short()))?;
        }
        writeln!(out, "{}", out.paint(DIM, "The space comes back with `eart gc`"))
    })
}
