//! `eart config`

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::output::{DIM, Json, NAME};
use crate::cli::{CliError, Context, Exit};
use crate::config::{Config, Origin, Setting, SourceFile, Sources, set, unset, user_file};
use crate::disk::{Folder, TMP};
use crate::repo::{CONFIG, Error};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Flags win over the environment (EART_*), that over the store's config.toml, that over your own
file. Without KEY, every key is shown with its value and where it came from.

Examples:
  eart config keep.within 14d
  eart config exclude '*.tmp,node_modules'
  eart config --user pager cat
  eart config --unset keep.within")]
pub(in crate::cli) struct Args {
    /// The key to show or set
    key: Option<String>,
    /// The value to give it
    #[arg(requires = "key")]
    value: Option<String>,
    /// Remove a key from the file
    #[arg(long, value_name = "KEY", conflicts_with_all = ["key", "json"])]
    unset: Option<String>,
    /// Change, or show, your own file instead of the store's
    #[arg(long)]
    user: bool,
    #[command(flatten)]
    json: Json,
}

pub(in crate::cli) fn run(context: &Context, args: &Args) -> Result<Exit, CliError> {
    match (&args.key, &args.value, &args.unset) {
        (Some(key), Some(value), _) => change(context, args, key, Some(value)),
        (_, _, Some(key)) => change(context, args, key, None),
        (Some(key), None, None) => {
            context.configure()?;
            let setting = context.config().setting(key)?;
            context.show(args.json, setting, |out| writeln!(out, "{}", setting.text))
        }
        (None, ..) => {
            context.configure()?;
            list(context, args)
        }
    }
}

fn list(context: &Context, args: &Args) -> Result<Exit, CliError> {
    let shown = |s: &&Setting| !args.user || matches!(s.origin, Origin::User { .. });
    let settings: Vec<&Setting> = context.config().settings().iter().filter(shown).collect();
    context.show(args.json, &settings, |out| {
        for setting in &settings {
            let key = out.paint(NAME, setting.key);
            let origin = out.paint(DIM, format_args!("({})", setting.origin));
            let space = if setting.text.is_empty() { "" } else { " " };
            writeln!(out, "{key} ={space}{} {origin}", setting.text)?;
        }
        Ok(())
    })
}

/// What a change came to.
#[derive(Serialize)]
struct Changed<'a> {
    key: &'a str,
    file: String,
    changed: bool,
}

/// Sets a key in a file, or removes it.
fn change(
    context: &Context,
    args: &Args,
    key: &str,
    value: Option<&str>,
) -> Result<Exit, CliError> {
    let path = if args.user { users_file()? } else { stores_file(context)? };
    let file = SourceFile::read(&path)?;
    let file = file.unwrap_or_else(|| SourceFile { path: path.clone(), text: String::new() });
    let text = match value {
        Some(value) => Some(set(&file, key, value)?),
        None => unset(&file, key)?,
    };
    if let Some(text) = &text {
        write(&path, text.as_bytes())?;
    }
    let changed = text.is_some();
    let output = Changed { key, file: path.display().to_string(), changed };
    context.show(args.json, &output, |out| match (value, changed) {
        (Some(value), _) => writeln!(out, "Set {key} to {value} in {}", output.file),
        (None, true) => writeln!(out, "Removed {key} from {}", output.file),
        (None, false) => writeln!(out, "{key} is not set in {}", output.file),
    })?;
    if value.is_some()
        && let Some(winner) = winner(context, key, &path)
    {
        context.hint(&format!("{winner} sets {key} too, and wins here"));
    }
    Ok(Exit::Done)
}

fn stores_file(context: &Context) -> Result<PathBuf, CliError> {
    match context.repo() {
        Ok(repo) => Ok(repo.folder().path(CONFIG)),
        Err(e @ Error::NoStore(_)) => {
            let hint = "make one with `eart init`, or change your own file with --user";
            Err(CliError::from(e).hinted(hint))
        }
        Err(e) => Err(e.into()),
    }
}

fn users_file() -> Result<PathBuf, CliError> {
    let path = user_file(|name| std::env::var_os(name));
    let path = path.ok_or_else(|| {
        Error::hinted("There is no place for your own file", "set HOME or XDG_CONFIG_HOME")
    })?;
    // A link, as those who keep their files elsewhere have it, stays a link.
    Ok(path.canonicalize().unwrap_or(path))
}

/// Writes a configuration file so that a crash leaves the old or the new one.
fn write(path: &Path, text: &[u8]) -> Result<(), Error> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::user(format!("{} is no file", path.display())));
    };
    let folder = Folder::new(parent);
    let had_tmp = folder.path(TMP).exists();
    folder.create_dir("")?;
    folder.write(name, text)?;
    if !had_tmp {
        let _ = std::fs::remove_dir(folder.path(TMP));
    }
    Ok(())
}

/// What sets the key with more weight than the file at `path`.
fn winner(context: &Context, key: &str, path: &Path) -> Option<Origin> {
    let sources = Sources::gather(context.config_file().as_deref()).ok()?;
    let config = Config::resolve(&sources).ok()?;
    match &config.setting(key).ok()?.origin {
        Origin::User { .. } | Origin::Default => None,
        Origin::Store { path: store, .. } if store == path => None,
        other => Some(other.clone()),
    }
}
