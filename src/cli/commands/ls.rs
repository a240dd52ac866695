//! `eart ls`

use std::ffi::OsString;
use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;

use crate::artifact::ArtifactType;
use crate::cli::human::{moment, width};
use crate::cli::output::{DIM, Json, NAME, Text, time};
use crate::cli::{CliError, Context, Exit};
use crate::config::value::format_size;
use crate::id::FileId;
use crate::manifest::{Entry, Node};
use crate::path::{RelPath, hex, quote};
use crate::repo::Item;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Names with control characters, quotes or bytes that are not UTF-8 are shown in quotes, as git does.

Examples:
  eart ls latest                     what lies at the top
  eart ls -l latest:test-results     a folder, with sizes, times and types
  eart ls -r nightly                 everything")]
pub(in crate::cli) struct Args {
    /// The run, and a path in it after a colon
    #[arg(default_value = "latest", value_name = "RUN[:PATH]")]
    run: OsString,
    /// Show modes, sizes, times and types too
    #[arg(short, long)]
    long: bool,
    /// List what lies in folders too
    #[arg(short, long)]
    recursive: bool,
    #[command(flatten)]
    json: Json,
}

pub(in crate::cli) fn run(context: &Context, args: &Args) -> Result<Exit, CliError> {
    let repo = context.repo()?;
    let mut items = Vec::new();
    for (run, path) in repo.resolve_paths(&[&args.run])? {
        items.extend(repo.list(run, path.as_ref(), args.recursive)?);
    }
    if args.json.json {
        let output: Vec<Output<'_>> = items.iter().map(Output::new).collect();
        return context.show(args.json, &output, |_| Ok(()));
    }
    context.page(|out| if args.long { long(out, &items) } else { short(out, &items) })
}

/// A path as it is shown: folders end in a slash.
fn name(out: &Text<'_>, item: &Item) -> String {
    if item.is_dir() {
        out.paint(NAME, format_args!("{}/", item.path))
    } else {
        item.path.to_string()
    }
}

fn short(out: &mut Text<'_>, items: &[Item]) -> io::Result<()> {
    for item in items {
        writeln!(out, "{}", name(out, item))?;
    }
    Ok(())
}

fn long(out: &mut Text<'_>, items: &[Item]) -> io::Result<()> {
    let rows: Vec<[String; 4]> = items.iter().map(|item| columns(item.entry.as_ref())).collect();
    let [size, time, kind, content] =
        [0, 1, 2, 3].map(|column: usize| width(rows.iter().filter_map(|row| row.get(column))));
    for (item, [row_size, row_time, row_kind, row_content]) in items.iter().zip(&rows) {
        let entry = item.entry.as_ref();
        let mode = mode(entry);
        let target = match entry.map(|e| &e.node) {
            Some(Node::Symlink { target }) => format!(" -> {}", quote(target)),
            _ => String::new(),
        };
        let facts = format!("{row_kind:<kind$}  {row_content:<content$}");
        writeln!(
            out,
            "{mode}  {row_size:>size$}  {row_time:<time$}  {}  {}{target}",
            out.paint(DIM, facts),
            name(out, item)
        )?;
    }
    Ok(())
}

/// Size, time, type and content type.
fn columns(entry: Option<&Entry>) -> [String; 4] {
    let Some(entry) = entry else { return ["-"; 4].map(str::to_owned) };
    let file = matches!(entry.node, Node::File { .. });
    [
        if file { format_size(entry.size()) } else { "-".into() },
        moment(entry.mtime).map_or("-".into(), time),
        if file { entry.artifact_type().to_string() } else { "-".into() },
        entry.content_type.as_deref().unwrap_or("-").to_owned(),
    ]
}

/// Kind and permissions as `ls -l` shows them.
fn mode(entry: Option<&Entry>) -> String {
    // A folder that is no entry itself is made with the permissions that folders usually have.
    let Some(entry) = entry else { return "drwxr-xr-x".into() };
    let kind = match entry.node {
        Node::File { .. } => '-',
        Node::Dir => 'd',
        Node::Symlink { .. } => 'l',
    };
    let bits = (0..9).map(|bit| match (entry.mode >> (8 - bit) & 1, bit % 3) {
        (0, _) => '-',
        (_, 0) => 'r',
        (_, 1) => 'w',
        _ => 'x',
    });
    std::iter::once(kind).chain(bits).collect()
}

#[derive(Serialize)]
struct Output<'a> {
    #[serde(flatten)]
    path: &'a RelPath,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_bytes: Option<u64>,
    /// Octal; a folder that is there only because something lies in it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mtime: Option<Timestamp>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    artifact: Option<ArtifactType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<FileId>,
    /// A link's text, quoted where it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    /// The bytes of a link that is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    target_bytes: Option<String>,
}

impl<'a> Output<'a> {
    fn new(item: &'a Item) -> Self {
        let entry = item.entry.as_ref();
        let (kind, size, link) = match entry.map(|e| &e.node) {
            None | Some(Node::Dir) => ("dir", None, None),
            Some(Node::File { size, .. }) => ("file", Some(*size), None),
            Some(Node::Symlink { target }) => ("symlink", None, Some(&target[..])),
        };
        let text = |link| std::str::from_utf8(link).map_or_else(|_| quote(link), str::to_owned);
        Self {
            path: &item.path,
            kind,
            size_bytes: size,
            mode: entry.map(|e| format!("{:04o}", e.mode)),
            mtime: entry.and_then(|e| moment(e.mtime)),
            artifact: entry.filter(|e| e.file_id().is_some()).map(Entry::artifact_type),
            content_type: entry.and_then(|e| e.content_type.as_deref()),
            id: entry.and_then(Entry::file_id),
            target: link.map(text),
            target_bytes: link.filter(|l| std::str::from_utf8(l).is_err()).map(hex),
        }
    }
}
