//! `eart fsck`

use std::io::{self, Write};

use crate::cli::output::{BAD, GOOD, Json, Text};
use crate::cli::{CliError, Context, Exit};
use crate::repo::{Checked, FsckOptions};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Read every byte of every pack, not only what refers to it
    #[arg(long)]
    data: bool,
    /// Make derived files anew, save what is whole from damaged packs, set the rest aside
    #[arg(long)]
    repair: bool,
    #[command(flatten)]
    json: Json,
}

pub(in crate::cli) fn run(context: &Context, args: &Args) -> Result<Exit, CliError> {
    let repo = context.repo()?;
    let options = FsckOptions { data: args.data, repair: args.repair };
    let checked = repo.fsck(options, context)?;
    context.show(args.json, &checked, |out| write(out, &checked))?;
    Ok(if checked.is_clean() || (args.repair && checked.is_mended()) {
        Exit::Done
    } else if args.repair {
        Exit::Problems
    } else {
        Exit::Failed
    })
}

fn write(out: &mut Text<'_>, c: &Checked) -> io::Result<()> {
    for finding in &c.findings {
        let what = out.paint(BAD, &finding.what);
        writeln!(out, "{what}: {}", finding.reason)?;
        if let Some(repaired) = &finding.repaired {
            let repaired = out.paint(GOOD, repaired);
            writeln!(out, "  {repaired}")?;
        }
    }
    for lost in &c.lost {
        let verdict = out.paint(BAD, "lost");
        writeln!(out, "{verdict} {}:{}", lost.holder, lost.path)?;
    }
    let unnamed = c.lost_files - c.lost.len() as u64;
    if unnamed > 0 {
        writeln!(out, "and {unnamed} more files are lost")?;
    }
    let read = if c.bytes > 0 { format!(", {} bytes read", c.bytes) } else { String::new() };
    writeln!(
        out,
        "Checked {} runs, {} files, {} packs, {} chunks{read}: {}",
        c.runs,
        c.files,
        c.packs,
        c.chunks,
        match (c.findings.len(), c.lost_files) {
            (0, 0) => "everything is whole".to_owned(),
            (findings, 0) => format!("{findings} problems, no file lost"),
            (findings, lost) => format!("{findings} problems, {lost} files lost"),
        }
    )
}
