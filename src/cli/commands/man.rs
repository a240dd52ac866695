//! `eart man`, hidden: writes the manual pages that are kept in `man/`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::cli::{CliError, Context, Exit, help};
use crate::repo::Error;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The folder to write the pages into
    dir: PathBuf,
}

pub(in crate::cli) fn run(_context: &Context, args: &Args) -> Result<Exit, CliError> {
    let mut eart = help::command().disable_help_subcommand(true);
    eart.build();
    fs::create_dir_all(&args.dir)
        .and_then(|()| write_pages(&eart, &args.dir))
        .map_err(|source| Error::Write { path: args.dir.clone(), source })?;
    Ok(Exit::Done)
}

/// Writes the page of a command and those of its subcommands.
fn write_pages(command: &Command, dir: &Path) -> io::Result<()> {
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        write_pages(inner, dir)?;
    }
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let man = Man::new(command.clone())
        .title(name.to_uppercase())
        .source(concat!("eart ", env!("CARGO_PKG_VERSION")))
        .manual("eart manual");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.get_subcommands().any(|inner| !inner.is_hide_set()) {
        man.render_subcommands_section(&mut page)?;
    }
    rest(command, &name).to_writer(&mut page)?;
    fs::write(dir.join(format!("{name}.1")), page)
}

/// What stands behind the options: notes, and examples line by line.
fn rest(command: &Command, name: &str) -> Roff {
    let mut roff = Roff::new();
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let (notes, examples) = match text.split_once("Examples:\n") {
        Some((notes, examples)) => (notes.trim(), examples),
        None => (text.trim(), ""),
    };
    if !notes.is_empty() {
        roff.control("SH", ["NOTES"]);
        for line in notes.lines() {
            roff.text([roman(line)]);
        }
    }
    if !examples.is_empty() {
        roff.control("SH", ["EXAMPLES"]).control("nf", []);
        for line in examples.lines() {
            roff.text([roman(line.trim_start())]);
        }
        roff.control("fi", []);
    }
    if name != "eart" {
        roff.control("SH", ["SEE ALSO"]).text([roman("eart(1)")]);
    }
    roff
}
