//! `eart log`

use std::io::{self, Write};

use jiff::Timestamp;

use crate::artifact::ArtifactType;
use crate::cli::human::{first_line, status, width};
use crate::cli::output::{BOLD, DIM, GOOD, ID, Json, NAME, Text, printable, time};
use crate::cli::{CliError, Context, Exit, values};
use crate::config::parse_when;
use crate::config::value::{Label, format_size};
use crate::manifest::Status;
use crate::progress::{Monitor, Problem};
use crate::repo::{Catalog, Glob, Listed, Query};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
All conditions must hold; --path, --type and --larger of one and the same file. A glob without a /
matches names at any depth, and a folder that matches stands for what is in it.

A line shows the run's id, when it was committed, its name and status, its files and their size, how
many bytes were new to the store, and its tags.

Examples:
  eart log -n 10 --label branch=main --status failed
  eart log --since '2 weeks ago' --path '*.webm' --larger 10MB
  eart log --until 2026-05-01 --json")]
pub(in crate::cli) struct Args {
    /// Show so many runs at most
    #[arg(short = 'n', long = "max-count", value_name = "N", value_parser = values::number)]
    max_count: Option<usize>,
    #[command(flatten)]
    runs: RunFilter,
    /// Only runs with a file that matches (repeatable: one of them)
    #[arg(short, long, value_name = "GLOB")]
    path: Vec<String>,
    /// Add what types of files each run has
    #[arg(long, conflicts_with = "oneline")]
    stat: bool,
    /// One line a run: id, tags, name and message
    #[arg(long)]
    oneline: bool,
    #[command(flatten)]
    json: Json,
}

/// Conditions on runs and their files, shared with `find`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct RunFilter {
    /// Only runs committed at this moment or later: 2026-05-01, yesterday, 2d
    #[arg(long, value_name = "WHEN", value_parser = when)]
    since: Option<Timestamp>,
    /// Only runs committed at this moment or earlier
    #[arg(long, value_name = "WHEN", value_parser = when)]
    until: Option<Timestamp>,
    /// Only runs with this label (repeatable)
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = values::parse_label)]
    label: Vec<Label>,
    /// Only runs that were committed with this status
    #[arg(short, long, value_name = "STATUS", value_parser = values::status())]
    status: Option<Status>,
    /// Only files of this type
    #[arg(short, long = "type", value_name = "TYPE", value_parser = values::artifact_type())]
    artifact: Option<ArtifactType>,
    /// Only files larger than this
    #[arg(long, value_name = "SIZE", value_parser = values::parse_size)]
    larger: Option<u64>,
}

fn when(text: &str) -> Result<Timestamp, String> {
    parse_when(text, Timestamp::now()).map_err(|e| e.to_string())
}

impl RunFilter {
    pub(super) fn query(&self, globs: &[String], limit: Option<usize>) -> Result<Query, CliError> {
        let path = if globs.is_empty() {
            None
        } else {
            let globs = Glob::new(globs.iter().map(String::as_str));
            Some(globs.map_err(|e| CliError::from(e).into_usage())?)
        };
        Ok(Query {
            since: self.since,
            until: self.until,
            labels: self.label.iter().map(|l| (l.name.clone(), l.value.clone())).collect(),
            status: self.status,
            artifact: self.artifact,
            path,
            larger: self.larger,
            limit,
        })
    }
}

/// Names the runs that are in no list because they are damaged; the exit code remembers.
pub(super) fn tell_unreadable(context: &Context, catalog: &Catalog) {
    for (_, error) in catalog.unreadable() {
        let mut what = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(e) = cause {
            what.push_str(&format!(": {e}"));
            cause = e.source();
        }
        context.problem(Problem { path: "left out:".into(), what });
    }
}

pub(in crate::cli) fn run(context: &Context, args: &Args) -> Result<Exit, CliError> {
    let query = args.runs.query(&args.path, args.max_count)?;
    let repo = context.repo()?;
    let catalog = repo.catalog()?;
    let runs = repo.log(&catalog, &query)?;
    tell_unreadable(context, &catalog);
    if args.json.json {
        context.show(args.json, &runs, |_| Ok(()))?;
    } else if runs.is_empty() && args.max_count == Some(0) {
        // None were asked for.
    } else if runs.is_empty() {
        let none = catalog.is_empty();
        context.hint(if none {
            "there are no runs yet: stage files with `eart add PATH`, then `eart commit`"
        } else {
            "no run is like that; `eart log` lists them all"
        });
    } else {
        context.page(|out| {
            if args.oneline { oneline(out, &runs) } else { long(out, &runs, args.stat) }
        })?;
    }
    Ok(context.exit())
}

/// Tags and pin as git shows what points to a commit: ` (nightly, pinned)`.
pub(super) fn decoration(out: &Text<'_>, run: &Listed) -> String {
    let pinned = run.pinned.then(|| out.paint(GOOD, "pinned"));
    let names: Vec<String> =
        run.tags.iter().map(|tag| out.paint(NAME, tag)).chain(pinned).collect();
    if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) }
}

fn oneline(out: &mut Text<'_>, runs: &[Listed]) -> io::Result<()> {
    for run in runs {
        let meta = &run.record.meta;
        let id = out.paint(ID, run.record.id.short());
        let (names, message) = (decoration(out, run), first_line(&meta.message));
        let space = if message.is_empty() { "" } else { " " };
        writeln!(out, "{id}{names} {}{space}{message}", out.paint(BOLD, &meta.name))?;
    }
    Ok(())
}

fn long(out: &mut Text<'_>, runs: &[Listed], stat: bool) -> io::Result<()> {
    let rows: Vec<[String; 4]> = runs
        .iter()
        .map(|run| {
            let summary = &run.record.summary;
            [
                run.record.meta.name.clone(),
                summary.files.to_string(),
                format_size(summary.bytes),
                format!("+{}", format_size(summary.new_bytes)),
            ]
        })
        .collect();
    let [name, files, size, new] =
        [0, 1, 2, 3].map(|column: usize| width(rows.iter().filter_map(|row| row.get(column))));
    let status_width =
        width(runs.iter().map(|run| run.record.meta.status.map_or("-", Status::name)));
    let indent = crate::id::RunId::SHORT + 2;
    for (run, row) in runs.iter().zip(&rows) {
        let meta = &run.record.meta;
        let [row_name, row_files, row_size, row_new] = row;
        let file = if run.record.summary.files == 1 { "file " } else { "files" };
        writeln!(
            out,
            "{}  {}  {}  {}  {row_files:>files$} {file}  {row_size:>size$}  {}{}",
            out.paint(ID, run.record.id.short()),
            time(meta.committed),
            out.paint(BOLD, format_args!("{row_name:<name$}")),
            status(out, meta.status, status_width),
            out.paint(DIM, format_args!("{row_new:>new$}")),
            decoration(out, run),
        )?;
        let message = first_line(&meta.message);
        let labels =
            meta.labels.iter().map(|(k, v)| out.paint(NAME, format_args!("{k}={}", printable(v))));
        let more: Vec<String> =
            (!message.is_empty()).then_some(message).into_iter().chain(labels).collect();
        if !more.is_empty() {
            writeln!(out, "{:indent$}{}", "", more.join("  "))?;
        }
        if stat {
            for (artifact, tally) in &run.record.summary.types {
                let size = format_size(tally.bytes);
                writeln!(out, "{:indent$}{artifact:<20}  {:>8}  {size:>9}", "", tally.files)?;
            }
        }
    }
    Ok(())
}
