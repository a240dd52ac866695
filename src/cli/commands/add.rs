//! `eart add`

use std::path::PathBuf;

use crate::cli::{CliError, Context, Exit};
use crate::repo::AddOptions;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Files and folders to stage
    #[arg(required = true)]
    paths: Vec<PathBuf>,
}

pub(in crate::cli) fn run(context: &Context, args: &Args) -> Result<Exit, CliError> {
    let repo = context.repo()?;
    let compression = |_| Some(3);
    let options = AddOptions {
        paths: args.paths.clone(),
        cwd: context.cwd()?,
        target: None,
        draft: "default".into(),
        excludes: Vec::new(),
        declared: None,
        max_size: None,
        compression: &compression,
    };
    let added = repo.add(&options, context)?;
    println!("{added:?}");
    Ok(if context.problems() > 0 { Exit::Problems } else { Exit::Done })
}
