//! The command line: arguments in, text or JSON out. The only room that prints.
//!
//! One file a command in `commands/`: an `Args` struct and one function that makes one call into
//! [`crate::repo`] and shows what came of it.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod commands;
mod context;
mod error;
mod help;
mod human;
mod output;
mod progress;
mod signals;
mod values;

pub use context::Context;
pub use error::{CliError, Exit};

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{FromArgMatches, Parser, Subcommand, ValueEnum};

use commands::*;

/// Keep what end-to-end test runs leave behind: reports, screenshots, traces, videos, logs.
#[derive(Debug, Parser)]
#[command(name = "eart", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The store folder itself, instead of the .eart found from here upwards [env: EART_DIR]
    #[arg(long, global = true, value_name = "DIR")]
    store: Option<PathBuf>,
    /// When to use colours: on a terminal, always or never
    #[arg(long, global = true, value_name = "WHEN")]
    color: Option<When>,
    /// Do not pipe long output through a pager
    #[arg(long, global = true)]
    no_pager: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

impl From<When> for crate::config::Color {
    fn from(when: When) -> Self {
        match when {
            When::Auto => Self::Auto,
            When::Always => Self::Always,
            When::Never => Self::Never,
        }
    }
}

/// The commands. Their groups in the help are in `help.rs`.
#[derive(Debug, Subcommand)]
enum Command {
    /// Stage files into the open draft
    Add(add::Args),
    /// Write files of runs to standard output
    Cat(cat::Args),
    /// Write a run's files back
    Checkout(checkout::Args),
    /// Seal what is staged into a run
    Commit(commit::Args),
    /// Print a shell's completion script
    Completions(completions::Args),
    /// Show and change the configuration
    Config(config::Args),
    /// Show what changed from one run to another
    Diff(diff::Args),
    /// List and drop open drafts
    Draft(draft::Args),
    /// Look for files in all runs
    Find(find::Args),
    /// Check the store, and mend it
    Fsck(fsck::Args),
    /// Remove old runs and give their space back
    Gc(gc::Args),
    /// Make a store
    Init(init::Args),
    /// List runs, newest first
    Log(log::Args),
    /// List the files of a run
    Ls(ls::Args),
    /// Write the manual pages
    #[command(hide = true)]
    Man(man::Args),
    /// Keep runs whatever gc is told
    Pin(pin::Args),
    /// Take files out of the draft
    Reset(reset::Args),
    /// Remove runs
    Rm(rm::Args),
    /// Show everything about a run
    Show(show::Args),
    /// Show what the store holds and saves
    Stats(stats::Args),
    /// Show what is staged against the last run
    Status(status::Args),
    /// List, set and delete tags
    Tag(tag::Args),
    /// Let gc remove runs again
    Unpin(pin::Args),
}

fn dispatch(context: &Context, command: &Command) -> Result<Exit, CliError> {
    // What mends the configuration, or needs none, works with a broken one.
    match command {
        Command::Completions(args) => return completions::run(context, args),
        Command::Config(args) => return config::run(context, args),
        Command::Man(args) => return man::run(context, args),
        _ => context.configure()?,
    }
    match command {
        Command::Add(args) => add::run(context, args),
        Command::Cat(args) => cat::run(context, args),
        Command::Checkout(args) => checkout::run(context, args),
        Command::Commit(args) => commit::run(context, args),
        Command::Completions(_) | Command::Config(_) | Command::Man(_) => Ok(Exit::Done),
        Command::Diff(args) => diff::run(context, args),
        Command::Draft(args) => draft::run(context, args),
        Command::Find(args) => find::run(context, args),
        Command::Fsck(args) => fsck::run(context, args),
        Command::Gc(args) => gc::run(context, args),
        Command::Init(args) => init::run(context, args),
        Command::Log(args) => log::run(context, args),
        Command::Ls(args) => ls::run(context, args),
        Command::Pin(args) => pin::run(context, args, true),
        Command::Reset(args) => reset::run(context, args),
        Command::Rm(args) => rm::run(context, args),
        Command::Show(args) => show::run(context, args),
        Command::Stats(args) => stats::run(context, args),
        Command::Status(args) => status::run(context, args),
        Command::Tag(args) => tag::run(context, args),
        Command::Unpin(args) => pin::run(context, args, false),
    }
}

/// Runs the command line and returns the exit code.
pub fn main() -> ExitCode {
    let matches = help::command().try_get_matches_from(values::counts(std::env::args_os()));
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(e) => {
            let code = if e.use_stderr() { Exit::Usage } else { Exit::Done };
            let _ = e.print();
            return code.into();
        }
    };
    let context = Context::new(cli.global);
    match dispatch(&context, &cli.command) {
        Ok(exit) => exit.into(),
        Err(e) => {
            let exit = context.report(&e);
            drop(context);
            signals::die_of_it();
            exit.into()
        }
    }
}
