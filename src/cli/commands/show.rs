//! `eart show`

use std::io::{self, Write};

use crate::cli::human::status;
use crate::cli::output::{BOLD, GOOD, ID, Json, NAME, Text, count, printable, time};
use crate::cli::{CliError, Context, Exit};
use crate::config::value::format_size;
use crate::repo::Listed;

use super::log::decoration;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
A run is named by latest, a tag, its name, its id or the beginning of that; latest~2 is the second
before it, latest@branch=main the newest with that label.")]
pub(in crate::cli) struct Args {
    /// The run
    #[arg(default_value = "latest")]
    run: String,
    #[command(flatten)]
    json: Json,
}

pub(in crate::cli) fn run(context: &Context, args: &Args) -> Result<Exit, CliError> {
    let run = context.repo()?.show(&args.run)?;
    if args.json.json {
        return context.show(args.json, &run, |_| Ok(()));
    }
    context.page(|out| text(out, &run))
}

fn text(out: &mut Text<'_>, run: &Listed) -> io::Result<()> {
    let (meta, summary) = (&run.record.meta, &run.record.summary);
    let id = out.paint(ID, format_args!("run {}", run.record.id));
    writeln!(out, "{id}{}", decoration(out, run))?;
    writeln!(out, "Name:       {}", out.paint(BOLD, &meta.name))?;
    writeln!(out, "Project:    {}", meta.project)?;
    writeln!(out, "Status:     {}", status(out, meta.status, 0))?;
    writeln!(out, "Started:    {}", time(meta.started))?;
    writeln!(out, "Committed:  {}", time(meta.committed))?;
    for (title, map) in [("Labels:", &meta.labels), ("Context:", &meta.context)] {
        for (place, (name, value)) in map.iter().enumerate() {
            let title = if place == 0 { title } else { "" };
            let fact = out.paint(NAME, format_args!("{name}={}", printable(value)));
            writeln!(out, "{title:<12}{fact}")?;
        }
    }
    if !meta.message.trim().is_empty() {
        writeln!(out)?;
        for line in meta.message.trim().lines() {
            writeln!(out, "    {}", printable(line))?;
        }
    }
    writeln!(out)?;
    let folders = count(summary.dirs, "folder", "folders");
    let links = count(summary.links, "link", "links");
    let files = count(summary.files, "file", "files");
    writeln!(out, "{files}, {}; {folders}, {links}", format_size(summary.bytes))?;
    writeln!(out, "{} new in the store", out.paint(GOOD, format_size(summary.new_bytes)))?;
    if let Some(largest) = &summary.largest {
        writeln!(out, "The largest file is {}, {}", largest.path, format_size(largest.size))?;
    }
    if !summary.types.is_empty() {
        writeln!(
            out,
            "\n{}",
            out.paint(BOLD, format_args!("{:<20}  {:>8}  {:>9}", "TYPE", "FILES", "SIZE"))
        )?;
    }
    for (artifact, tally) in &summary.types {
        writeln!(out, "{artifact:<20}  {:>8}  {:>9}", tally.files, format_size(tally.bytes))?;
    }
    Ok(())
}
