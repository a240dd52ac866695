//! `eart config`

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::artifact::ArtifactType;
use crate::cli::output::{DIM, Json, NAME};
use crate::cli::{CliError, Context, Exit};
use crate::config::{
    Config, Method, Origin, Setting, SourceFile, Sources, find, set, unset, user_file,
};
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
    #[arg(long, value_name = "KEY", conflicts_with = "key")]
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
            let setting = match args.user {
                true => users_setting(key)?,
                false => context.config().setting(key)?.clone(),
            };
            let shown = Shown::new(context, context.config(), &setting);
            context.show(args.json, &shown, |out| writeln!(out, "{}", shown.alone()))
        }
        (None, ..) => {
            context.configure()?;
            list(context, args)
        }
    }
}

fn list(context: &Context, args: &Args) -> Result<Exit, CliError> {
    let shown = |s: &&Setting| !args.user || matches!(s.origin, Origin::User { .. });
    let users = args.user.then(users_config).transpose()?;
    let config = users.as_ref().unwrap_or_else(|| context.config());
    let settings = config.settings().iter().filter(shown);
    let settings: Vec<Shown<'_>> = settings.map(|s| Shown::new(context, config, s)).collect();
    context.show(args.json, &settings, |out| {
        for Shown { setting, effective, found } in &settings {
            let key = out.paint(NAME, setting.key);
            let origin = match found {
                Some(found) => format!("({found})"),
                None => format!("({})", setting.origin),
            };
            writeln!(out, "{key} = {effective} {}", out.paint(DIM, origin))?;
        }
        Ok(())
    })
}

/// A setting, and what it comes to where nobody set it.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    setting: &'a Setting,
    /// What holds.
    effective: String,
    /// Where that was found, if not where the setting came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<&'static str>,
}

impl<'a> Shown<'a> {
    fn new(context: &Context, config: &Config, setting: &'a Setting) -> Self {
        let (effective, found) = match setting.key {
            _ if !setting.text.is_empty() => (setting.text.clone(), None),
            "project" => match context.repo() {
                Ok(repo) => {
                    let (project, found) = repo.project();
                    (project, Some(found))
                }
                Err(_) => ("none".into(), None),
            },
            "pager" => match std::env::var("PAGER") {
                Ok(pager) => (pager, Some("PAGER")),
                Err(_) => ("less".into(), None),
            },
            key => match key.strip_prefix("compression.types.").map(str::parse::<ArtifactType>) {
                Some(Ok(artifact)) => match config.compression.method(artifact) {
                    Method::Raw => ("none".into(), Some("compression.algorithm")),
                    Method::Zstd(level) => (level.to_string(), Some("compression.level")),
                },
                _ => ("none".into(), None),
            },
        };
        Self { setting, effective, found }
    }
}

impl Shown<'_> {
    /// The value for a script: an empty list has no word.
    fn alone(&self) -> &str {
        let list = find(self.setting.key).is_some_and(|key| key.kind.is_list());
        if list { &self.setting.text } else { &self.effective }
    }
}

/// What the user's own file says, whatever wins over it.
fn users_config() -> Result<Config, CliError> {
    let user = SourceFile::read(&users_file()?)?;
    Ok(Config::resolve(&Sources { user, ..Sources::default() })?)
}

fn users_setting(key: &str) -> Result<Setting, CliError> {
    let setting = users_config()?.setting(key)?.clone();
    match setting.origin {
        Origin::User { .. } => Ok(setting),
        _ => Err(Error::user(format!("Your own file does not set {key}")).into()),
    }
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
        Err(e @ (Error::NoStore(_) | Error::NoStoreAt(_))) => {
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
    let sources = Sources::gather(context.config_file().ok()?.as_deref()).ok()?;
    let config = Config::resolve(&sources).ok()?;
    match &config.setting(key).ok()?.origin {
        Origin::User { .. } | Origin::Default => None,
        Origin::Store { path: store, .. } if store == path => None,
        other => Some(other.clone()),
    }
}
