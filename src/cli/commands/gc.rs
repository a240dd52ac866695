//! `eart gc`

use std::io::Write;

use crate::cli::output::{BAD, DIM, GOOD, ID, Json};
use crate::cli::{CliError, Context, Exit};
use crate::repo::{Collected, GcOptions, Policy};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Keep the newest N runs
    #[arg(long, value_name = "N")]
    keep: Option<u64>,
    /// Only say what would be removed and about how much that frees
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Say of every run why it stays or goes
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    json: Json,
}

pub(in crate::cli) fn run(context: &Context, args: &Args) -> Result<Exit, CliError> {
    let repo = context.repo()?;
    let policy = Policy { newest: args.keep.or(Some(10)), ..Policy::default() };
    let options = GcOptions { policy, dry_run: args.dry_run, drafts: None, level: 3 };
    let collected = repo.gc(&options, context)?;
    context.show(args.json, &collected, |out| write(out, &collected, args))?;
    Ok(if collected.too_large { Exit::Problems } else { Exit::Done })
}

fn write(
    out: &mut crate::cli::output::Text<'_>,
    c: &Collected,
    args: &Args,
) -> std::io::Result<()> {
    let gone = c.fates.iter().filter(|f| !f.stays).count();
    for fate in &c.fates {
        if args.explain || (!fate.stays && args.dry_run) {
            let verdict =
                if fate.stays { out.paint(GOOD, "stays") } else { out.paint(BAD, "goes ") };
            let reasons: Vec<String> = fate.reasons.iter().map(ToString::to_string).collect();
            let id = out.paint(ID, fate.id.short());
            writeln!(out, "{verdict} {id} {}  {}", fate.name, out.paint(DIM, reasons.join("; ")))?;
        }
    }
    let verb = if args.dry_run { "Would remove" } else { "Removed" };
    let about = if c.estimate { "about " } else { "" };
    let stay = c.fates.len() - gone;
    writeln!(out, "{verb} {gone} runs, {stay} stay; {about}{} bytes freed", c.freed)
}
