//! `eart add`

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

use crate::artifact::ArtifactType;
use crate::cli::output::{Drafted, Json, count};
use crate::cli::values::{self, DraftArg};
use crate::cli::{CliError, Context, Exit};
use crate::config::Method;
use crate::config::value::format_size;
use crate::path::RelPath;
use crate::progress::Problem;
use crate::repo::{AddOptions, Added};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every file counts, hidden and git-ignored ones too; .git and .eart only when they are named.
The draft becomes equal to a folder that is added: what vanished there leaves it. A link is kept
as a link; a slash behind it (report/) takes the folder that it leads to. What a file .eartignore
names (gitignore's syntax) is left out, even if it is named here. Files that cannot be taken are
named, and the exit code is then 3.

Examples:
  eart add playwright-report test-results results.json
  eart add /tmp/videos --as videos --type video
  eart add . --exclude '*.tmp' --max-size 500MB
  eart add test-results --draft shard-2    apart from other jobs on this machine")]
pub(in crate::cli) struct Args {
    /// Files and folders to stage
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Where the one PATH goes in the run [default: where it lies, or its base name if outside]
    #[arg(long = "as", value_name = "PATH", value_parser = values::rel_path())]
    target: Option<RelPath>,
    /// Leave out what matches (gitignore's syntax; repeatable, added to the configured ones). A
    /// pattern with a slash before its end begins at the top of the run, not in the current folder
    #[arg(long, value_name = "GLOB", value_parser = values::pattern)]
    exclude: Vec<String>,
    /// The artifact type of these files, instead of the detected one
    #[arg(long = "type", value_name = "TYPE", value_parser = values::artifact_type())]
    declared: Option<ArtifactType>,
    /// Refuse larger files, by name, and go on [env: EART_MAX_SIZE]
    #[arg(long, value_name = "SIZE", value_parser = values::max_size)]
    max_size: Option<u64>,
    #[command(flatten)]
    draft: DraftArg,
    #[command(flatten)]
    json: Json,
}

#[derive(Serialize)]
struct Output<'a> {
    #[serde(flatten)]
    added: Added,
    problems: &'a [Problem],
}

pub(in crate::cli) fn run(context: &Context, args: &Args) -> Result<Exit, CliError> {
    let repo = context.repo()?;
    let config = context.config();
    let draft = context.draft(&args.draft);
    let compression = |artifact| match config.compression.method(artifact) {
        Method::Raw => None,
        Method::Zstd(level) => Some(level),
    };
    let options = AddOptions {
        paths: args.paths.clone(),
        cwd: context.cwd()?,
        target: args.target.clone(),
        draft: draft.clone(),
        excludes: config.exclude.iter().chain(&args.exclude).cloned().collect(),
        declared: args.declared,
        max_size: args.max_size.or(config.max_size),
        compression: &compression,
    };
    let added = repo.add(&options, context)?;
    let problems = context.told().clone();
    let done = Output { added, problems: &problems };
    let output = Drafted { draft: &draft, done };
    context.show(args.json, &output, |out| {
        let mut notes = Vec::new();
        if added.unchanged > 0 {
            notes.push(format!("{} unchanged", added.unchanged));
        }
        if added.removed > 0 {
            notes.push(format!("{} removed", added.removed));
        }
        let notes =
            if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
        let mut files = count(added.files, "file", "files");
        if added.links > 0 {
            files = format!("{files}, {}", count(added.links, "link", "links"));
        }
        let (bytes, new) = (format_size(added.bytes), format_size(added.new_bytes));
        writeln!(out, "Staged {files}, {bytes}{notes}; {new} new in the store")
    })?;
    Ok(context.exit())
}
