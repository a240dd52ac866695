//! `eart fsck`

use std::io::{self, Write};

use crate::cli::output::{BAD, DIM, GOOD, ID, Json, Text, count};
use crate::cli::{CliError, Context, Exit};
use crate::config::value::format_size;
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
    context.unwind_on_signals();
    let options = FsckOptions { data: args.data, repair: args.repair };
    let checked = repo.fsck(options, context)?;
    context.show(args.json, &checked, |out| write(out, &checked, args.data))?;
    Ok(if checked.is_clean() || (args.repair && checked.is_mended()) {
        Exit::Done
    } else if args.repair {
        Exit::Problems
    } else {
        Exit::Failed
    })
}

fn write(out: &mut Text<'_>, c: &Checked, data: bool) -> io::Result<()> {
    for finding in &c.findings {
        if finding.derived {
            let what = out.paint(DIM, &finding.what);
            writeln!(out, "{what}: {}; nothing is lost, it is derived", finding.reason)?;
        } else {
            let what = out.paint(BAD, &finding.what);
            writeln!(out, "{what}: {}", finding.reason)?;
        }
        if let Some(repaired) = &finding.repaired {
            let repaired = out.paint(GOOD, repaired);
            writeln!(out, "  {repaired}")?;
        }
    }
    for lost in &c.lost {
        let verdict = out.paint(BAD, "lost");
        let holder = match lost.run {
            Some(run) => out.paint(ID, run.short()),
            None => "draft".to_owned(),
        };
        writeln!(out, "{verdict} {holder} {}: {}", lost.name, lost.path)?;
    }
    let unnamed = c.lost_files - c.lost.len() as u64;
    if unnamed > 0 {
        let more = count(unnamed, "more file is", "more files are");
        writeln!(out, "and {more} lost")?;
    }
    let read = if c.bytes > 0 { format!(", {} read", format_size(c.bytes)) } else { String::new() };
    writeln!(
        out,
        "Checked {}, {}, {}, {}{read}: {}",
        count(c.runs, "run", "runs"),
        count(c.files, "file", "files"),
        count(c.packs, "pack", "packs"),
        count(c.chunks, "chunk", "chunks"),
        match (c.problems().count() as u64, c.lost_files) {
            (0, 0) if data => "everything is whole".to_owned(),
            (0, 0) => "every reference is whole; --data reads the bytes too".to_owned(),
            (0, lost) => count(lost, "file is lost", "files are lost"),
            (found, 0) => format!("{}, no file lost", count(found, "problem", "problems")),
            (found, lost) => format!(
                "{}, {}",
                count(found, "problem", "problems"),
                count(lost, "file is lost", "files are lost")
            ),
        }
    )
}
