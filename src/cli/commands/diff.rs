//! `eart diff`

use std::ffi::OsString;
use std::io::{self, Write};
use std::time::Duration;

use anstyle::Style;
use serde::Serialize;
use similar::{ChangeTag, TextDiff};

use crate::cli::human::width;
use crate::cli::output::{BAD, BOLD, DIM, GOOD, Json, NAME, Text};
use crate::cli::{CliError, Context, Exit};
use crate::config::value::format_size;
use crate::id::{FileId, RunId};
use crate::manifest::{Change, Entry, Node};
use crate::path::RelPath;
use crate::repo::{Comparison, Texts, Totals};

/// So long one file's texts are compared with care; then the rest is shown as replaced.
const PATIENCE: Duration = Duration::from_secs(5);
/// Lines shown around a change.
const AROUND: usize = 3;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
One run is compared with the run before it (RUN~1); no run means latest. Letters are git's: A added,
D deleted, M modified, T of another kind; behind them stand the old and the new size. Times do not
count, and folders are not told of. Paths are those of the runs, whatever the current folder is.

Examples:
  eart diff                              what changed since the run before
  eart diff baseline latest --text       with changed texts
  eart diff baseline latest '*.json'")]
pub(in crate::cli) struct Args {
    /// The old run; or the new one, if it is the only one
    #[arg(value_name = "RUN", default_value = "latest", hide_default_value = true)]
    old: String,
    /// The new run
    #[arg(value_name = "RUN")]
    new: Option<String>,
    /// Paths and globs of what to compare [default: everything]
    #[arg(value_name = "PATH")]
    paths: Vec<OsString>,
    /// Show how texts changed, of files up to 4 MiB
    #[arg(short = 'p', long, visible_alias = "patch", conflicts_with = "json")]
    text: bool,
    #[command(flatten)]
    json: Json,
}

pub(in crate::cli) fn run(context: &Context, args: &Args) -> Result<Exit, CliError> {
    let repo = context.repo()?;
    let [old, new] = match &args.new {
        Some(new) => [repo.resolve(&args.old)?, repo.resolve(new)?],
        None => repo.resolve_with_previous(&args.old)?,
    };
    let comparison = repo.diff(old, new, &args.paths)?;
    let mut contents = repo.contents()?;
    if args.json.json {
        let changes = comparison.changes.iter().map(Row::new).collect();
        let output = Output { old, new, totals: comparison.totals, changes };
        return context.show(args.json, &output, |_| Ok(()));
    }
    let mut failure = None;
    let exit = context.page(|out| {
        let Comparison { changes, totals } = &comparison;
        let rows: Vec<Row<'_>> = changes.iter().map(Row::new).collect();
        if !args.text {
            table(out, &rows)?;
        }
        for (change, row) in changes.iter().zip(&rows).filter(|_| args.text) {
            let shown = match change {
                Change::Changed { old: a, new: b, .. } => {
                    contents.texts((old, a), (new, b)).map(Some)
                }
                _ => Ok(None),
            };
            match shown {
                Ok(texts) => patch(out, row, texts)?,
                Err(e) => {
                    failure = Some(e);
                    return Ok(());
                }
            }
        }
        writeln!(out, "{}", summary(totals))
    })?;
    failure.map_or(Ok(exit), |e| Err(e.into()))
}

#[derive(Serialize)]
struct Output<'a> {
    old: RunId,
    new: RunId,
    totals: Totals,
    changes: Vec<Row<'a>>,
}

/// One path that is not the same.
#[derive(Serialize)]
struct Row<'a> {
    change: &'static str,
    #[serde(flatten)]
    path: &'a RelPath,
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<Side>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<Side>,
}

#[derive(Serialize)]
struct Side {
    kind: &'static str,
    size_bytes: u64,
    mode: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<FileId>,
}

impl Side {
    fn new(entry: &Entry) -> Self {
        let kind = match entry.node {
            Node::File { .. } => "file",
            Node::Dir => "dir",
            Node::Symlink { .. } => "symlink",
        };
        let mode = format!("{:04o}", entry.mode);
        Self { kind, size_bytes: entry.size(), mode, id: entry.file_id() }
    }
}

impl<'a> Row<'a> {
    fn new(change: &'a Change<Entry, Entry>) -> Self {
        let (path, old, new) = match change {
            Change::Added(new) => (&new.path, None, Some(Side::new(new))),
            Change::Removed(old) => (&old.path, Some(Side::new(old)), None),
            Change::Changed { old, new, .. } => {
                (&new.path, Some(Side::new(old)), Some(Side::new(new)))
            }
        };
        let change = match (&old, &new) {
            (None, _) => "added",
            (_, None) => "removed",
            (Some(old), Some(new)) if old.kind != new.kind => "kind",
            _ => "changed",
        };
        Self { change, path, old, new }
    }

    fn letter(&self) -> (char, Style) {
        match self.change {
            "added" => ('A', GOOD),
            "removed" => ('D', BAD),
            "kind" => ('T', NAME),
            _ => ('M', NAME),
        }
    }

    /// What else changed than the content.
    fn remark(&self) -> String {
        match (&self.old, &self.new) {
            (Some(old), Some(new)) if old.kind != new.kind => {
                format!("  ({} -> {})", old.kind, new.kind)
            }
            (Some(old), Some(new)) if old.mode != new.mode && old.kind == "file" => {
                format!("  (mode {} -> {})", old.mode, new.mode)
            }
            _ => String::new(),
        }
    }
}

fn size(side: &Option<Side>) -> String {
    side.as_ref().map_or("-".into(), |side| format_size(side.size_bytes))
}

fn table(out: &mut Text<'_>, rows: &[Row<'_>]) -> io::Result<()> {
    let (old, new) =
        (width(rows.iter().map(|r| size(&r.old))), width(rows.iter().map(|r| size(&r.new))));
    for row in rows {
        let (letter, style) = row.letter();
        let (letter, path) = (out.paint(style, letter), out.paint(style, row.path));
        let sizes = format!("{:>old$}  {:>new$}", size(&row.old), size(&row.new));
        writeln!(out, "{letter}  {}  {path}{}", out.paint(DIM, sizes), row.remark())?;
    }
    Ok(())
}

fn patch(out: &mut Text<'_>, row: &Row<'_>, texts: Option<Texts>) -> io::Result<()> {
    let (letter, style) = row.letter();
    let sizes = format!("{} -> {}", size(&row.old), size(&row.new));
    let (letter, path) = (out.paint(style, letter), out.paint(BOLD, row.path));
    writeln!(out, "{letter}  {path}  {}{}", out.paint(DIM, sizes), row.remark())?;
    match texts {
        None => Ok(()),
        Some(Texts::Not(why)) => {
            writeln!(out, "   {}", out.paint(DIM, format_args!("({why}, not shown)")))
        }
        Some(Texts::Both(old, new)) => unified(out, &old, &new),
    }
}

fn unified(out: &mut Text<'_>, old: &str, new: &str) -> io::Result<()> {
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(old, new);
    for hunk in diff.unified_diff().context_radius(AROUND).iter_hunks() {
        writeln!(out, "{}", out.paint(NAME, hunk.header()))?;
        for change in hunk.iter_changes() {
            let (sign, style) = match change.tag() {
                ChangeTag::Delete => ('-', Some(BAD)),
                ChangeTag::Insert => ('+', Some(GOOD)),
                ChangeTag::Equal => (' ', None),
            };
            let line = change.value().trim_end_matches(['\n', '\r']);
            let line: String = line
                .chars()
                .map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c })
                .collect();
            match style {
                Some(style) => writeln!(out, "{}", out.paint(style, format_args!("{sign}{line}")))?,
                None => writeln!(out, "{sign}{line}")?,
            }
            if change.missing_newline() {
                writeln!(out, "\\ No newline at end of file")?;
            }
        }
    }
    Ok(())
}

fn summary(totals: &Totals) -> String {
    let Totals { added, added_bytes, removed, removed_bytes, changed, old_bytes, new_bytes, same } =
        *totals;
    format!(
        "{added} added ({}), {removed} removed ({}), {changed} changed ({} -> {}), {same} the same",
        format_size(added_bytes),
        format_size(removed_bytes),
        format_size(old_bytes),
        format_size(new_bytes),
    )
}
