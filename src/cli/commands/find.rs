//! `eart find`

use std::io::Write;

use serde::Serialize;

use crate::artifact::ArtifactType;
use crate::cli::human::width;
use crate::cli::output::{BOLD, DIM, ID, Json};
use crate::cli::{CliError, Context, Exit, values};
use crate::config::value::format_size;
use crate::id::RunId;
use crate::path::RelPath;
use crate::repo::FoundFile;

use super::log::{RunFilter, tell_unreadable};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Files of the newest run come first. A glob without a / matches names at any depth; write DIR/** for
all that lies in a folder.

Examples:
  eart find trace.zip
  eart find '*.webm' --larger 50MB --label branch=main
  eart find 'test-results/**/*.png' -n 20 --json")]
pub(in crate::cli) struct Args {
    /// Globs of paths; a file must match one
    #[arg(required = true, value_name = "GLOB")]
    globs: Vec<String>,
    /// Show so many files at most
    #[arg(short = 'n', long = "max-count", value_name = "N", value_parser = values::number)]
    max_count: Option<usize>,
    #[command(flatten)]
    runs: RunFilter,
    #[command(flatten)]
    json: Json,
}

#[derive(Serialize)]
struct Output<'a> {
    run: RunId,
    name: &'a str,
    committed: jiff::Timestamp,
    #[serde(flatten)]
    path: &'a RelPath,
    size_bytes: u64,
    #[serde(rename = "type")]
    artifact: ArtifactType,
}

impl<'a> Output<'a> {
    fn new(file: &'a FoundFile<'a>) -> Self {
        let (run, meta) = (file.run.id, &file.run.meta);
        let (path, size_bytes, artifact) = (&file.path, file.size, file.artifact);
        Self { run, name: &meta.name, committed: meta.committed, path, size_bytes, artifact }
    }
}

pub(in crate::cli) fn run(context: &Context, args: &Args) -> Result<Exit, CliError> {
    let query = args.runs.query(&args.globs, args.max_count)?;
    let catalog = context.repo()?.catalog()?;
    let found = catalog.find(&query)?;
    tell_unreadable(context, &catalog);
    if args.json.json {
        let output: Vec<Output<'_>> = found.iter().map(Output::new).collect();
        context.show(args.json, &output, |_| Ok(()))?;
    } else if found.is_empty() && args.max_count == Some(0) {
        // None were asked for.
    } else if found.is_empty() {
        context.hint("no file of any run is like that; for all in a folder write DIR/**");
    } else {
        context.page(|out| {
            let sizes: Vec<String> = found.iter().map(|file| format_size(file.size)).collect();
            let (names, size) = (width(found.iter().map(|f| &f.run.meta.name)), width(&sizes));
            for (file, row_size) in found.iter().zip(&sizes) {
                let id = out.paint(ID, file.run.id.short());
                let name = out.paint(BOLD, format_args!("{:<names$}", file.run.meta.name));
                let row_size = out.paint(DIM, format_args!("{row_size:>size$}"));
                writeln!(out, "{id}  {name}  {row_size}  {}", file.path)?;
            }
            Ok(())
        })?;
    }
    Ok(context.exit())
}
