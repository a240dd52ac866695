//! The command line: arguments in, text or JSON out. The only room that prints.
//!
//! One file a command in `commands/`: an `Args` struct and one function that makes one call into
//! [`crate::repo`] and shows what came of it.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod commands;
mod context;
mod error;
mod human;
mod output;
mod shim;

pub use context::Context;
pub use error::{CliError, Exit};

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use commands::*;

/// Keep what end-to-end test runs leave behind: reports, screenshots, traces, videos, logs.
#[derive(Debug, Parser)]
#[command(name = "eart", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, clap::Args)]
pub struct Global {
    /// The store folder itself, instead of the .eart found from here upwards
    #[arg(long, global = true, value_name = "DIR", env = "EART_DIR", hide_env_values = true)]
    store: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a store
    Init(init::Args),
    /// Stage files into the open draft
    Add(add::Args),
    /// Seal what is staged into a run
    Commit(commit::Args),
    // look at runs
    /// Write files of runs to standard output
    Cat(cat::Args),
    /// Show what changed from one run to another
    Diff(diff::Args),
    /// Look for files in all runs
    Find(find::Args),
    /// List runs, newest first
    Log(log::Args),
    /// List the files of a run
    Ls(ls::Args),
    /// Show everything about a run
    Show(show::Args),
    /// Show what the store holds and saves
    Stats(stats::Args),
    // name and keep
    /// Keep runs whatever gc is told
    Pin(pin::Args),
    /// List, set and delete tags
    Tag(tag::Args),
    /// Let gc remove runs again
    Unpin(pin::Args),
    /// Write a run's files back
    Checkout(checkout::Args),
    // look after the store
    /// Remove runs
    Rm(rm::Args),
    /// Check the store, and mend it
    Fsck(fsck::Args),
    /// Remove old runs and give their space back
    Gc(gc::Args),
}

/// Runs the command line and returns the exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let code = if e.use_stderr() { Exit::Usage } else { Exit::Done };
            let _ = e.print();
            return code.into();
        }
    };
    let context = &Context::new(cli.global);
    let outcome = match &cli.command {
        Command::Add(args) => add::run(context, args),
        Command::Cat(args) => cat::run(context, args),
        Command::Checkout(args) => checkout::run(context, args),
        Command::Commit(args) => commit::run(context, args),
        Command::Diff(args) => diff::run(context, args),
        Command::Find(args) => find::run(context, args),
        Command::Fsck(args) => fsck::run(context, args),
        Command::Gc(args) => gc::run(context, args),
        Command::Init(args) => init::run(context, args),
        Command::Log(args) => log::run(context, args),
        Command::Ls(args) => ls::run(context, args),
        Command::Pin(args) => pin::run(context, args, true),
        Command::Rm(args) => rm::run(context, args),
        Command::Show(args) => show::run(context, args),
        Command::Stats(args) => stats::run(context, args),
        Command::Tag(args) => tag::run(context, args),
        Command::Unpin(args) => pin::run(context, args, false),
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(e) => e.report().into(),
    }
}
