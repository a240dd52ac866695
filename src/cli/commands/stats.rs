//! `eart stats`

use std::io::{self, Write};

use crate::cli::output::{BOLD, DIM, GOOD, Json, Text};
use crate::cli::{CliError, Context, Exit};
use crate::config::value::format_size;
use crate::repo::Stats;

use super::log::tell_unreadable;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Stored is what the packs take on disk. They may hold chunks that no run has any more, until the next
`eart gc`, and those of open drafts; so what is saved is a little more than what is shown.")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    json: Json,
}

pub(in crate::cli) fn run(context: &Context, args: &Args) -> Result<Exit, CliError> {
    let repo = context.repo()?;
    let catalog = repo.catalog()?;
    let stats = repo.stats(&catalog)?;
    tell_unreadable(context, &catalog);
    context.show(args.json, &stats, |out| text(out, &stats))?;
    Ok(context.exit())
}

fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return String::new();
    }
    format!("  {:.1} % of {}", part as f64 * 100.0 / whole as f64, format_size(whole))
}

fn text(out: &mut Text<'_>, stats: &Stats) -> io::Result<()> {
    let size = |bytes| format!("{:>10}", format_size(bytes));
    let number = |number: u64| format!("{number:>10}");
    writeln!(out, "Runs                    {}", number(stats.runs))?;
    writeln!(out, "Files                   {}", number(stats.files))?;
    writeln!(out, "Size of the files       {}", size(stats.logical_bytes))?;
    let saved = [
        ("Saved by deduplication  ", stats.saved_by_deduplication, stats.logical_bytes),
        ("Saved by compression    ", stats.saved_by_compression, stats.unique_bytes),
    ];
    for (title, part, whole) in saved {
        let share = out.paint(DIM, share(part, whole));
        writeln!(out, "{title}{}{share}", out.paint(GOOD, size(part)))?;
    }
    writeln!(out, "Stored in packs         {}", size(stats.stored_bytes))?;
    let over = &stats.overhead;
    writeln!(out, "Manifests               {}", size(over.manifests))?;
    writeln!(out, "Index                   {}", size(over.index))?;
    writeln!(out, "Catalog                 {}", size(over.catalog))?;
    writeln!(out, "Drafts                  {}", size(over.drafts))?;
    writeln!(out, "Other                   {}", size(over.other))?;
    writeln!(out, "Together                {}", out.paint(BOLD, size(stats.total_bytes)))?;
    if !stats.types.is_empty() {
        writeln!(
            out,
            "\n{}",
            out.paint(BOLD, format_args!("{:<20}  {:>10}  {:>10}", "TYPE", "FILES", "SIZE"))
        )?;
    }
    for (artifact, tally) in &stats.types {
        writeln!(out, "{artifact:<20}  {:>10}  {:>10}", tally.files, format_size(tally.bytes))?;
    }
    Ok(())
}
