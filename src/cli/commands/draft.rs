//! `eart draft`

use std::io::Write;

use serde::Serialize;

use crate::cli::output::{Json, NAME, count, time};
use crate::cli::{CliError, Context, Exit, values};
use crate::config::value::format_size;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Drafts keep parallel jobs on one machine apart: name them with --draft or EART_DRAFT. Abandoned ones
are removed by `eart gc --drafts AGE`.")]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List the open drafts
    List {
        #[command(flatten)]
        json: Json,
    },
    /// Forget drafts; what only they hold is removed by the next gc
    Drop {
        /// The drafts
        #[arg(required = true, value_name = "NAME", value_parser = values::parse_name)]
        names: Vec<String>,
        #[command(flatten)]
        json: Json,
    },
}

pub(in crate::cli) fn run(context: &Context, args: &Args) -> Result<Exit, CliError> {
    match &args.verb {
        Verb::List { json } => list(context, *json),
        Verb::Drop { names, json } => drop_drafts(context, names, *json),
    }
}

fn list(context: &Context, json: Json) -> Result<Exit, CliError> {
    let drafts = context.repo()?.drafts()?;
    let width = drafts.iter().map(|d| d.name.len()).max().unwrap_or(0);
    context.show(json, &drafts, |out| {
        for draft in &drafts {
            writeln!(
                out,
                "{}  {}  {}, {}",
                out.paint(NAME, format_args!("{:width$}", draft.name)),
                time(draft.started),
                count(draft.files, "file", "files"),
                format_size(draft.bytes)
            )?;
        }
        Ok(())
    })
}

#[derive(Serialize)]
struct Dropped<'a> {
    draft: &'a str,
}

fn drop_drafts(context: &Context, names: &[String], json: Json) -> Result<Exit, CliError> {
    let repo = context.repo()?;
    let mut dropped = Vec::new();
    let mut failure = None;
    for name in names {
        if let Err(e) = repo.drop_draft(name) {
            failure = Some(e);
            break;
        }
        dropped.push(Dropped { draft: name });
    }
    // What was dropped before one failed is gone, and is said to be.
    let exit = context.show(json, &dropped, |out| {
        dropped.iter().try_for_each(|Dropped { draft }| writeln!(out, "Dropped the draft {draft}"))
    })?;
    failure.map_or(Ok(exit), |e| Err(e.into()))
}
