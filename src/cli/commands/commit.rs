//! `eart commit`

use std::collections::BTreeMap;
use std::io::Write;

use crate::cli::human::first_line;
use crate::cli::output::{ID, Json, NAME, count, time};
use crate::cli::values::{self, DraftArg};
use crate::cli::{CliError, Context, Exit};
use crate::config::value::{Label, format_size};
use crate::manifest::Status;
use crate::progress::Monitor;
use crate::repo::CommitOptions;

/// Seconds by which clocks of machines may differ without a word.
const CLOCKS_DIFFER: u64 = 60;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
The next draft starts empty; files that did not change since are not read again.

Examples:
  eart commit -m nightly --label branch=main --status failed
  eart commit --draft shard-1 --draft shard-2 --name e2e    two drafts, one run
  eart commit --from 3fa9c1 77b0e2 --prefix                 two runs, one run")]
pub(in crate::cli) struct Args {
    /// What happened, in words
    #[arg(short, long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    message: String,
    /// A name and value to find the run by (repeatable)
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = values::parse_label)]
    label: Vec<Label>,
    /// How the tests went
    #[arg(short, long, value_name = "STATUS", value_parser = values::status())]
    status: Option<Status>,
    /// The run's name; runs may share one [default: made from the time]
    #[arg(short, long, value_name = "NAME", value_parser = values::run_name)]
    name: Option<String>,
    /// The draft to seal; several are joined (repeatable) [env: EART_DRAFT]
    #[arg(long, value_name = "NAME", value_parser = values::parse_name)]
    draft: Vec<String>,
    /// Runs to join, such as the shards of one run
    #[arg(long, value_name = "RUN", num_args = 1..)]
    from: Vec<String>,
    /// Put each part below its own name
    #[arg(long)]
    prefix: bool,
    /// Make a run without files
    #[arg(long)]
    allow_empty: bool,
    #[command(flatten)]
    json: Json,
}

pub(in crate::cli) fn run(context: &Context, args: &Args) -> Result<Exit, CliError> {
    let mut labels = BTreeMap::new();
    for Label { name, value } in args.label.iter().cloned() {
        if labels.insert(name.clone(), value).is_some() {
            return Err(CliError::usage(format!("The label {name} is given twice")));
        }
    }
    let repo = context.repo()?;
    let from = args.from.iter().map(|run| repo.resolve(run)).collect::<Result<Vec<_>, _>>()?;
    let mut drafts = args.draft.clone();
    if drafts.is_empty() && from.is_empty() {
        drafts.push(context.draft(&DraftArg::default()));
    }
    let options = CommitOptions {
        message: args.message.clone(),
        labels,
        status: args.status,
        name: args.name.clone(),
        project: context.config().project.clone(),
        drafts,
        from,
        prefix: args.prefix,
        allow_empty: args.allow_empty,
    };
    context.begin_items("Committing", None);
    let run = repo.commit(&options)?;
    context.end();
    if run.clock_behind > CLOCKS_DIFFER {
        context.warn(&format!(
            "the newest run before this one is from {}, which is still to come: a clock was wrong, \
             and rules by age keep this run for longer",
            time(run.meta.committed)
        ));
    }
    context.show(args.json, &run, |out| {
        let (id, name) = (out.paint(ID, run.id.short()), out.paint(NAME, &run.meta.name));
        let subject = first_line(&run.meta.message);
        let space = if subject.is_empty() { "" } else { " " };
        writeln!(out, "[{id} {name}]{space}{subject}")?;
        let files = count(run.summary.files, "file", "files");
        let (size, new) = (format_size(run.summary.bytes), format_size(run.summary.new_bytes));
        writeln!(out, " {files}, {size}; {new} new in the store")
    })
}
