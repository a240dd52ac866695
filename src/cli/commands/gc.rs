//! `eart gc`

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use crate::cli::output::{BAD, DIM, GOOD, ID, Json, Text, count};
use crate::cli::{CliError, Context, Exit, values};
use crate::config::Config;
use crate::config::value::{
    Label, format_size, parse_age, parse_label, parse_label_name, parse_nonzero_age,
};
use crate::progress::Problem;
use crate::repo::{Collected, Fate, GcOptions, Policy};

/// A run stays when any keep rule says so; tags and pins always stay. Any --keep flag replaces the
/// configured policy (`eart config keep.newest`, `keep.within`, `keep.label`, `keep.per`).
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  eart gc                                   what the configuration says: 30 days and the newest 10
  eart gc --keep 10                         leave ten runs
  eart gc --keep 5 --per suite,branch       leave five of each suite and branch
  eart gc --keep-within 14d --max-size 50GB leave two weeks, and no more than 50 GB
  eart gc --keep 10 --dry-run --explain     say what would happen, and why")]
pub(in crate::cli) struct Args {
    /// Keep the newest N runs, of each group with --per
    #[arg(long, value_name = "N", value_parser = newest)]
    keep: Option<u64>,
    /// Keep runs that are not older than AGE, such as 30d, 12h or 2w
    #[arg(long, value_name = "AGE", value_parser = within)]
    keep_within: Option<u64>,
    /// Keep runs with this label
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_label)]
    keep_label: Vec<Label>,
    /// Apply the rules to each group of runs that have the same values of these labels
    #[arg(long, value_name = "LABEL,...", value_delimiter = ',', value_parser = parse_label_name)]
    per: Vec<String>,
    /// Then remove the oldest runs until the store fits; never pins, tags or the newest N
    #[arg(long, value_name = "SIZE", value_parser = values::max_size)]
    max_size: Option<u64>,
    /// Drop drafts that nobody touched for AGE
    #[arg(long, value_name = "AGE", value_parser = parse_nonzero_age)]
    drafts: Option<u64>,
    /// Only say what would be removed and about how much that frees
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Say of every run why it stays or goes
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    json: Json,
}

fn newest(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) => Err("keeping 0 runs would delete everything; name runs with `eart rm`".into()),
        Ok(n) => Ok(n),
        Err(_) => Err("it is no number".into()),
    }
}

fn within(text: &str) -> Result<u64, String> {
    match parse_age(text) {
        Ok(0) => Err("no run is 0 seconds old; name runs with `eart rm`".into()),
        Ok(age) => Ok(age),
        Err(e) => Err(e.to_string()),
    }
}

#[derive(Serialize)]
struct Output<'a> {
    #[serde(flatten)]
    collected: &'a Collected,
    problems: &'a [Problem],
}

impl Args {
    /// The policy: the flags' if any keep flag was given, else the configured one.
    fn policy(&self, config: &Config) -> Policy {
        let pair = |label: &Label| (label.name.clone(), label.value.clone());
        let named =
            self.keep.is_some() || self.keep_within.is_some() || !self.keep_label.is_empty();
        let mut policy = if named {
            Policy {
                newest: self.keep,
                within: self.keep_within,
                labels: self.keep_label.iter().map(pair).collect(),
                ..Policy::default()
            }
        } else {
            Policy {
                newest: config.keep.newest,
                within: config.keep.within,
                labels: config.keep.labels.iter().map(pair).collect(),
                per: config.keep.per.clone(),
                max_size: None,
            }
        };
        if !self.per.is_empty() {
            policy.per = self.per.clone();
        }
        policy.max_size = self.max_size.or(config.gc.max_size);
        policy
    }
}

pub(in crate::cli) fn run(context: &Context, args: &Args) -> Result<Exit, CliError> {
    let repo = context.repo()?;
    let config = context.config();
    let options = GcOptions {
        policy: args.policy(config),
        dry_run: args.dry_run,
        drafts: args.drafts.or(config.gc.drafts).map(Duration::from_secs),
        level: config.compression.level,
    };
    context.unwind_on_signals();
    let collected = repo.gc(&options, context)?;
    let problems = context.told().clone();
    let output = Output { collected: &collected, problems: &problems };
    context.show(args.json, &output, |out| write(out, &collected, args))?;
    if collected.too_large {
        let limit = format_size(options.policy.max_size.unwrap_or_default());
        context.warn(&format!(
            "the store {} {} and may have {limit}: what is left is pinned, tagged or among the newest",
            if collected.estimate { "would still have about" } else { "has" },
            format_size(collected.stored)
        ));
        return Ok(Exit::Problems);
    }
    Ok(context.exit())
}

fn write(out: &mut Text<'_>, c: &Collected, args: &Args) -> io::Result<()> {
    for fate in &c.fates {
        if args.explain || (args.dry_run && !fate.stays) {
            explain(out, fate)?;
        }
    }
    for run in &c.spared {
        let id = out.paint(ID, run.short());
        writeln!(out, "{id} stays: it got a tag or pin meanwhile")?;
    }
    for name in &c.drafts {
        let verb = if args.dry_run { "Would drop" } else { "Dropped" };
        writeln!(out, "{verb} the draft {name}")?;
    }
    let gone = c.fates.iter().filter(|f| !f.stays).count() as u64;
    let stay = count(c.fates.len() as u64 - gone, "run stays", "runs stay");
    let gone = count(gone, "run", "runs");
    let (freed, stored) = (format_size(c.freed), format_size(c.stored));
    if c.estimate {
        writeln!(out, "Would remove {gone}, {stay}; about {freed} freed (an estimate)")
    } else {
        writeln!(out, "Removed {gone}, {stay}; {freed} freed, {stored} stored")
    }
}

fn explain(out: &mut Text<'_>, fate: &Fate) -> io::Result<()> {
    let verdict = if fate.stays { out.paint(GOOD, "stays") } else { out.paint(BAD, "goes ") };
    let reasons: Vec<String> = fate.reasons.iter().map(ToString::to_string).collect();
    let (id, why) = (out.paint(ID, fate.id.short()), out.paint(DIM, reasons.join("; ")));
    writeln!(out, "{verdict} {id} {}  {why}", fate.name)
}
