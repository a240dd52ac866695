//! The configuration: layered, checked, and able to say where each value came from.
//!
//! Command-line flags win over the environment (`EART_*`), that over the store's
//! `config.toml`, that over the user's own file, that over the defaults. A list replaces the list
//! of the layer below. All layers are checked, also where a higher one wins, so that an error
//! does not wait for the day the flag is left out.
//!
//! Reads the files it is pointed at and the environment; writes nothing, prints nothing.

mod edit;
mod error;
mod keys;
mod kind;
mod source;
pub mod value;
mod when;

pub use edit::{set, unset};
pub use error::Error;
pub use keys::{KEYS, Key, find, nearest};
pub use kind::{Kind, Value};
pub use source::{SourceFile, user_file};
pub use value::Label;
pub use when::parse_when;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use crate::artifact::ArtifactType;
use kind::Raw;

/// The zstd level when nobody sets one.
pub const DEFAULT_LEVEL: i32 = 3;

/// Variables that are not keys: where the store is, and what tests set.
const OTHER_VARIABLES: [&str; 3] = ["EART_DIR", "EART_TEST_CLOCK", "EART_BIN"];

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Origin {
    /// A flag of the command line.
    Flag {
        /// With its dashes: `--keep`.
        name: String,
    },
    /// An environment variable.
    Env {
        /// Its name.
        name: String,
    },
    /// The store's `config.toml`.
    Store {
        /// The file.
        #[serde(serialize_with = "lossy")]
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The user's own file.
    User {
        /// The file.
        #[serde(serialize_with = "lossy")]
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// Nobody set it.
    Default,
}

fn lossy<S: Serializer>(path: &Path, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(&path.display())
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag { name } | Self::Env { name } => f.pad(name),
            Self::Store { path, line } | Self::User { path, line } => {
                write!(f, "{}, line {line}", path.display())
            }
            Self::Default => f.pad("default"),
        }
    }
}

/// One key with its value, for `eart config`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The key's name.
    pub key: &'static str,
    /// The checked value: of a size its bytes, of an age its seconds.
    pub value: Value,
    /// The value as it was written; empty when there is none.
    pub text: String,
    /// Where it came from.
    pub origin: Origin,
}

/// A flag that sets a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// The flag with its dashes, for errors.
    pub name: &'static str,
    /// The key that it sets, one of [`KEYS`].
    pub key: &'static str,
    /// Its values: the items of a list; of any other key the last one counts.
    pub values: Vec<String>,
}

/// Everything that can set a value.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Flags that were given.
    pub flags: Vec<Flag>,
    /// The environment; only names that start with `EART_` matter. An empty value is as good as
    /// none.
    pub env: Vec<(OsString, OsString)>,
    /// The store's file.
    pub store: Option<SourceFile>,
    /// The user's own file.
    pub user: Option<SourceFile>,
}

impl Sources {
    /// The environment of this process, the user's file, and the store's file if there is a store.
    ///
    /// # Errors
    ///
    /// As [`SourceFile::read`].
    pub fn gather(store_file: Option<&Path>) -> Result<Self, Error> {
        let user = user_file(|name| std::env::var_os(name)).map(SourceFile::read);
        Ok(Self {
            flags: Vec::new(),
            env: std::env::vars_os().collect(),
            store: store_file.map(SourceFile::read).transpose()?.flatten(),
            user: user.transpose()?.flatten(),
        })
    }
}

/// When output is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Color {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How chunks are compressed unless their type says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// zstd.
    #[default]
    Zstd,
    /// Not at all.
    None,
}

/// How the chunks of one artifact are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Not at all.
    Raw,
    /// zstd with this level, 1 to 19.
    Zstd(i32),
}

/// Compression, in general and by type.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Compression {
    /// For types without their own.
    pub algorithm: Algorithm,
    /// The level for types without their own, 1 to 19.
    pub level: i32,
    types: [Option<Method>; ArtifactType::ALL.len()],
}

impl Compression {
    /// How artifacts of this type are compressed: their own way, else the general one.
    pub fn method(&self, artifact: ArtifactType) -> Method {
        let own = self.types.get(usize::from(artifact.code())).copied().flatten();
        own.unwrap_or(match self.algorithm {
            Algorithm::Zstd => Method::Zstd(self.level),
            Algorithm::None => Method::Raw,
        })
    }
}

/// Which runs `gc` keeps: those that any rule names. `None` is no such rule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keep {
    /// How many of the newest, at least 1.
    pub newest: Option<u64>,
    /// Those younger than so many seconds.
    pub within: Option<u64>,
    /// Those with one of these labels.
    pub labels: Vec<Label>,
    /// The rules apply to each group of runs that agree in these labels.
    pub per: Vec<String>,
}

/// What else `gc` removes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gc {
    /// Oldest runs, until the store has at most so many bytes.
    pub max_size: Option<u64>,
    /// Drafts that nobody touched for so many seconds.
    pub drafts: Option<u64>,
}

/// The configuration that is in force. `Config::default()` is what holds when nobody sets
/// anything.
#[derive(Debug, Clone)]
pub struct Config {
    /// The project of runs, if it is set here.
    pub project: Option<String>,
    /// The draft to stage into, a valid name.
    pub draft: String,
    /// Globs of files to leave out, each of them valid.
    pub exclude: Vec<String>,
    /// The largest file to take, in bytes.
    pub max_size: Option<u64>,
    /// How chunks are compressed.
    pub compression: Compression,
    /// Which runs stay.
    pub keep: Keep,
    /// What else goes.
    pub gc: Gc,
    /// When output is coloured.
    pub color: Color,
    /// The pager, if it is set here; `cat` for none.
    pub pager: Option<String>,
    /// How many threads work at once, at least 1.
    pub threads: Option<usize>,
    settings: Vec<Setting>,
    warnings: Vec<String>,
}

/// A value that a layer gave a key, by the key's place in [`KEYS`].
type Chosen = Vec<Option<(Value, String, Origin)>>;

impl Default for Config {
    fn default() -> Self {
        Self::assemble(vec![None; KEYS.len()], Vec::new())
    }
}

impl Config {
    /// Lays the sources over each other and checks all of them.
    ///
    /// # Errors
    ///
    /// When a file is not TOML, has a key that nobody knows, or any source has a value that does
    /// not fit its key.
    pub fn resolve(sources: &Sources) -> Result<Self, Error> {
        let mut chosen = vec![None; KEYS.len()];
        if let Some(file) = &sources.user {
            let origin = |line| Origin::User { path: file.path.clone(), line };
            choose_from_file(&mut chosen, file, origin)?;
        }
        if let Some(file) = &sources.store {
            let origin = |line| Origin::Store { path: file.path.clone(), line };
            choose_from_file(&mut chosen, file, origin)?;
        }
        let warnings = choose_from_env(&mut chosen, &sources.env)?;
        for flag in &sources.flags {
            let raw = match find(flag.key) {
                Some(key) if key.kind.is_list() => Raw::Many(flag.values.clone()),
                _ => Raw::One(flag.values.last().cloned().unwrap_or_default()),
            };
            let origin = Origin::Flag { name: flag.name.to_owned() };
            choose(&mut chosen, flag.key, &raw, origin)?;
        }
        Ok(Self::assemble(chosen, warnings))
    }

    fn assemble(chosen: Chosen, warnings: Vec<String>) -> Self {
        let mut config = Self {
            project: None,
            draft: String::new(),
            exclude: Vec::new(),
            max_size: None,
            compression: Compression::default(),
            keep: Keep::default(),
            gc: Gc::default(),
            color: Color::Auto,
            pager: None,
            threads: None,
            settings: Vec::with_capacity(KEYS.len()),
            warnings,
        };
        for (key, chosen) in KEYS.iter().zip(chosen) {
            let (value, text, origin) = chosen.unwrap_or_else(|| {
                let text = key.default.unwrap_or_default();
                let value = key.default.and_then(|text| key.kind.check(&key.kind.split(text)).ok());
                (value.unwrap_or(Value::None), text.to_owned(), Origin::Default)
            });
            (key.put)(&mut config, &value);
            config.settings.push(Setting { key: key.name, value, text, origin });
        }
        config
    }

    /// Every key with its value and origin, in the order of [`KEYS`].
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// One key with its value and origin.
    ///
    /// # Errors
    ///
    /// When nobody knows the key.
    pub fn setting(&self, key: &str) -> Result<&Setting, Error> {
        self.settings.iter().find(|s| s.key == key).ok_or_else(|| unknown(key, None))
    }

    /// What looks like a mistake and is none for certain, such as `EART_KEEP_WITHN`.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

fn choose(chosen: &mut Chosen, key: &str, raw: &Raw, origin: Origin) -> Result<(), Error> {
    let place = KEYS.iter().position(|k| k.name == key);
    let (Some(known), Some(slot)) =
        (place.and_then(|i| KEYS.get(i)), place.and_then(|i| chosen.get_mut(i)))
    else {
        return Err(not_a_key(key, raw, origin));
    };
    let value = check(known, raw, Some(&origin))?;
    *slot = Some((value, raw.text(), origin));
    Ok(())
}

fn choose_from_file(
    chosen: &mut Chosen,
    file: &SourceFile,
    origin: impl Fn(usize) -> Origin,
) -> Result<(), Error> {
    for found in file.values()? {
        choose(chosen, &found.key, &found.raw, origin(found.line))?;
    }
    Ok(())
}

/// The value if it fits its key.
fn check(key: &Key, raw: &Raw, at: Option<&Origin>) -> Result<Value, Error> {
    if key.optional && *raw == Raw::One("none".to_owned()) {
        return Ok(Value::None);
    }
    key.kind.check(raw).map_err(|reason| Error::BadValue {
        key: key.name.to_owned(),
        at: at.cloned(),
        got: if reason.is_empty() { raw.got() } else { format!("{} ({reason})", raw.got()) },
        expected: key.expected(),
    })
}

fn unknown(key: &str, at: Option<Origin>) -> Error {
    Error::UnknownKey { key: value::shorten(key), at, nearest: nearest(key) }
}

/// The error for a name that is not a key: a group of keys, or nothing we know.
fn not_a_key(key: &str, raw: &Raw, origin: Origin) -> Error {
    let within = |known: &'static Key| known.name.strip_prefix(key)?.strip_prefix('.');
    let members: Vec<_> = KEYS.iter().filter_map(within).collect();
    if members.is_empty() {
        return unknown(key, Some(origin));
    }
    Error::BadValue {
        key: key.to_owned(),
        at: Some(origin),
        got: raw.got(),
        expected: format!("a table with the keys {}", members.join(", ")),
    }
}

/// Takes values from the environment. Returns warnings about variables that are nearly ours.
fn choose_from_env(
    chosen: &mut Chosen,
    env: &[(OsString, OsString)],
) -> Result<Vec<String>, Error> {
    let names: Vec<String> = KEYS.iter().map(Key::env).collect();
    let mut warnings = Vec::new();
    for (name, text) in env {
        let Some(name) = name.to_str().filter(|name| name.starts_with("EART_")) else { continue };
        if let Some(key) = names.iter().position(|n| n == name).and_then(|i| KEYS.get(i)) {
            let raw = match text.to_str() {
                Some("") => continue,
                Some(text) if key.optional && text == "none" => Raw::One(text.to_owned()),
                Some(text) => key.kind.split(text),
                None => Raw::Other("bytes that are not UTF-8"),
            };
            choose(chosen, key.name, &raw, Origin::Env { name: name.to_owned() })?;
        } else if !OTHER_VARIABLES.contains(&name) {
            let known = names.iter().map(String::as_str).chain(OTHER_VARIABLES);
            let distance = |known| (strsim::damerau_levenshtein(name, known), known);
            if let Some((1 | 2, meant)) = known.map(distance).min() {
                warnings.push(format!("{name} is not a variable of eart (did you mean {meant}?)"));
            }
        }
    }
    warnings.sort_unstable();
    Ok(warnings)
}

#[cfg(test)]
mod tests;
