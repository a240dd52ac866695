//! `eart status`

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use serde::Serialize;

use crate::cli::human::files_and_links;
use crate::cli::output::{BAD, DIM, GOOD, ID, Json, NAME, Text, count, time};
use crate::cli::values::DraftArg;
use crate::cli::{CliError, Context, Exit};
use crate::config::value::format_size;
use crate::id::RunId;
use crate::manifest::{Change, Entry, Node, Summary, Tally};
use crate::path::RelPath;
use crate::repo::DraftStatus;

/// So many lines of one kind are shown one by one.
const MAX_LINES: usize = 20;
/// What stands for many files of a folder is a folder.
static FOLDER: Node = Node::Dir;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Compared is with the run that was committed last from the same draft, or else with the newest run.
A folder that is new or gone as a whole is one line, and where more than 20 lines would be of one
kind, they are put together by folder; --all lists every file.")]
pub(in crate::cli) struct Args {
    /// List every file, however many there are
    #[arg(short, long)]
    all: bool,
    /// One line a path: A added, M changed, D gone
    #[arg(short, long, conflicts_with = "json")]
    short: bool,
    #[command(flatten)]
    draft: DraftArg,
    #[command(flatten)]
    json: Json,
}

pub(in crate::cli) fn run(context: &Context, args: &Args) -> Result<Exit, CliError> {
    let status = context.repo()?.status(&context.draft(&args.draft))?;
    if args.json.json {
        return context.show(args.json, &Output::new(&status), |_| Ok(()));
    }
    let lines = if args.all || args.short { each(&status) } else { shortened(folded(&status)) };
    context.page(|out| if args.short { short(out, &lines) } else { long(out, &status, &lines) })
}

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Added,
    Changed,
    Gone,
}

/// A path, or a folder with all that lies below it.
struct Line<'a> {
    kind: Kind,
    path: Cow<'a, RelPath>,
    node: &'a Node,
    /// The size it had; only where it changed.
    before: Option<u64>,
    /// Files and bytes at and below it.
    tally: Tally,
    /// Links at and below it.
    links: u64,
}

impl<'a> Line<'a> {
    fn of(change: &'a Change<Entry, Entry>) -> Self {
        let (kind, entry, before) = match change {
            Change::Added(new) => (Kind::Added, new, None),
            Change::Removed(old) => (Kind::Gone, old, None),
            Change::Changed { old, new, .. } => (Kind::Changed, new, Some(old.size())),
        };
        let files = u64::from(entry.file_id().is_some());
        let tally = Tally { files, bytes: entry.size() };
        let links = u64::from(matches!(entry.node, Node::Symlink { .. }));
        Line { kind, path: Cow::Borrowed(&entry.path), node: &entry.node, before, tally, links }
    }

    fn is_dir(&self) -> bool {
        *self.node == Node::Dir
    }

    /// Another line counts with this one.
    fn take(&mut self, other: &Self) {
        self.tally.files += other.tally.files;
        self.tally.bytes += other.tally.bytes;
        self.links += other.links;
    }
}

fn each(status: &DraftStatus) -> Vec<Line<'_>> {
    status.changes.iter().map(Line::of).collect()
}

/// As [`each`], but what lies below a folder that is new or gone counts with the folder.
fn folded(status: &DraftStatus) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    // A folder that was kept may stand in a run or not; one that is new or gone is so with all it has.
    let mut folders: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for line in each(status) {
        let bytes = line.path.as_bytes().to_vec();
        let ends = bytes.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(end, _)| end);
        let folder = ends.filter_map(|end| folders.get(bytes.get(..end)?)).next();
        match folder.and_then(|place| lines.get_mut(*place)) {
            Some(folder) if folder.kind == line.kind => folder.take(&line),
            _ => {
                if line.is_dir() && line.kind != Kind::Changed {
                    folders.insert(bytes, lines.len());
                }
                lines.push(line);
            }
        }
    }
    lines
}

/// The folder of a path `depth` deep, or less where the path is less deep; none at the top.
fn folder(path: &RelPath, depth: usize) -> Option<&[u8]> {
    let bytes = path.as_bytes();
    let ends = bytes.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(end, _)| end);
    bytes.get(..ends.take(depth).last()?)
}

/// As few lines of each kind as one can look through: where there are too many, folders stand for
/// what happened in them, as deep as that is short enough.
fn shortened(lines: Vec<Line<'_>>) -> Vec<Line<'_>> {
    let mut depths = BTreeMap::new();
    for kind in [Kind::Added, Kind::Changed, Kind::Gone] {
        let paths: Vec<&RelPath> =
            lines.iter().filter(|line| line.kind == kind).map(|line| &*line.path).collect();
        if paths.len() > MAX_LINES {
            let slashes = |path: &RelPath| path.as_bytes().iter().filter(|b| **b == b'/').count();
            let deepest = paths.iter().map(|path| slashes(path)).max().unwrap_or(0).min(64);
            let lines_at = |depth: &usize| {
                let folders: BTreeSet<_> = paths.iter().map(|path| folder(path, *depth)).collect();
                folders.len()
            };
            let fits = |depth: &usize| *depth == 1 || lines_at(depth) <= MAX_LINES;
            depths.extend((1..=deepest).rev().find(fits).map(|depth| (kind, depth)));
        }
    }
    let mut places: BTreeMap<(Kind, Vec<u8>), usize> = BTreeMap::new();
    let mut short: Vec<Line<'_>> = Vec::new();
    for line in lines {
        let at = depths.get(&line.kind).and_then(|depth| folder(&line.path, *depth));
        let Some(at) = at.map(<[u8]>::to_vec) else {
            short.push(line);
            continue;
        };
        match places.get(&(line.kind, at.clone())).and_then(|place| short.get_mut(*place)) {
            Some(together) => {
                if together.node != &FOLDER || together.path.as_bytes() != at {
                    if let Ok(path) = RelPath::new(at.clone()) {
                        together.path = Cow::Owned(path);
                    }
                    (together.node, together.before) = (&FOLDER, None);
                }
                together.take(&line);
            }
            None => {
                places.insert((line.kind, at), short.len());
                short.push(line);
            }
        }
    }
    short
}

fn short(out: &mut Text<'_>, lines: &[Line<'_>]) -> io::Result<()> {
    for line in lines.iter().filter(|line| !line.is_dir()) {
        let letter = match line.kind {
            Kind::Added => out.paint(GOOD, 'A'),
            Kind::Changed => out.paint(NAME, 'M'),
            Kind::Gone => out.paint(BAD, 'D'),
        };
        writeln!(out, "{letter} {}", line.path)?;
    }
    Ok(())
}

fn long(out: &mut Text<'_>, status: &DraftStatus, lines: &[Line<'_>]) -> io::Result<()> {
    write!(out, "Draft {}", out.paint(NAME, &status.draft))?;
    match &status.base {
        Some(run) => {
            let (id, name) = (out.paint(ID, run.id.short()), out.paint(NAME, &run.meta.name));
            writeln!(out, ", against the run {id} {name} of {}", time(run.meta.committed))?;
        }
        None => writeln!(out, ", no runs yet")?,
    }
    if status.started.is_none() {
        writeln!(out, "\nNothing staged")?;
        return writeln!(out, "{}", out.paint(DIM, "  (stage files with `eart add PATH`)"));
    }
    if !lines.is_empty() {
        let hint = "  (seal it with `eart commit`, take files out with `eart reset PATH`)";
        writeln!(out, "{}\n", out.paint(DIM, hint))?;
    }
    for line in lines {
        let (label, style) = match line.kind {
            Kind::Added => ("new", GOOD),
            Kind::Changed => ("changed", NAME),
            Kind::Gone => ("gone", BAD),
        };
        let slash = if line.is_dir() { "/" } else { "" };
        let text = out.paint(style, format_args!("{label:<8} {}{slash}", line.path));
        writeln!(out, "  {text}{}", out.paint(DIM, size_of(line)))?;
    }
    let Counts { files, links } = Counts::of(status);
    if files.same + links.same > 0 {
        let (what, size) =
            (files_and_links(files.same, links.same), format_size(status.same.bytes));
        writeln!(out, "  {:<8} {}", "same", out.paint(DIM, format_args!("{what}, {size}")))?;
    }
    let staged = count(status.summary.files, "file", "files");
    let (size, new) = (format_size(status.summary.bytes), format_size(status.summary.new_bytes));
    writeln!(out, "\n{staged} staged, {size}: {files}; {new} new in the store")?;
    if status.summary.links + links.gone > 0 {
        writeln!(out, "{} staged: {links}", count(status.summary.links, "link", "links"))?;
    }
    Ok(())
}

/// How many there are of each kind: `new`, `changed` and `same` make up what is staged.
#[derive(Default, Serialize)]
struct Count {
    new: u64,
    changed: u64,
    same: u64,
    gone: u64,
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { new, changed, same, gone } = self;
        write!(f, "{new} new, {changed} changed, {same} same, {gone} gone")
    }
}

/// The files of each kind, and beside them the links.
#[derive(Default, Serialize)]
struct Counts {
    #[serde(flatten)]
    files: Count,
    links: Count,
}

impl Counts {
    fn of(status: &DraftStatus) -> Self {
        let mut counts = Self::default();
        for line in each(status).iter().filter(|line| !line.is_dir()) {
            let count = if line.links > 0 { &mut counts.links } else { &mut counts.files };
            match line.kind {
                Kind::Added => count.new += 1,
                Kind::Changed => count.changed += 1,
                Kind::Gone => count.gone += 1,
            }
        }
        let Count { new, changed, .. } = counts.links;
        counts.links.same = status.summary.links.saturating_sub(new + changed);
        counts.files.same = status.same.files;
        counts
    }
}

fn size_of(line: &Line<'_>) -> String {
    let size = format_size(line.tally.bytes);
    match (line.node, line.before) {
        (Node::Dir, _) if line.tally.files + line.links == 0 => String::new(),
        (Node::Dir, _) if line.tally.files == 0 => format!("  {}", files_and_links(0, line.links)),
        (Node::Dir, _) => format!("  {}, {size}", files_and_links(line.tally.files, line.links)),
        (Node::Symlink { .. }, _) => "  link".into(),
        (Node::File { .. }, Some(before)) if before != line.tally.bytes => {
            format!("  {} -> {size}", format_size(before))
        }
        (Node::File { .. }, _) => format!("  {size}"),
    }
}

#[derive(Serialize)]
struct Output<'a> {
    draft: &'a str,
    started: Option<jiff::Timestamp>,
    base: Option<RunId>,
    staged: &'a Summary,
    same: Tally,
    counts: Counts,
    changes: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Item<'a> {
    change: Kind,
    #[serde(flatten)]
    path: Cow<'a, RelPath>,
    kind: &'static str,
    size_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_before_bytes: Option<u64>,
}

impl<'a> Output<'a> {
    fn new(status: &'a DraftStatus) -> Self {
        let item = |line: Line<'a>| Item {
            change: line.kind,
            path: line.path,
            kind: match line.node {
                Node::File { .. } => "file",
                Node::Dir => "dir",
                Node::Symlink { .. } => "symlink",
            },
            size_bytes: line.tally.bytes,
            size_before_bytes: line.before,
        };
        Self {
            draft: &status.draft,
            started: status.started,
            base: status.base.as_ref().map(|run| run.id),
            staged: &status.summary,
            same: status.same,
            counts: Counts::of(status),
            changes: each(status).into_iter().map(item).collect(),
        }
    }
}
