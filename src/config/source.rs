//! Where values come from: one TOML file, taken apart into keys with their lines.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

use toml_edit::{Document, DocumentMut, Item, TableLike, TomlError};

use super::Error;
use super::kind::Raw;
use crate::disk;

/// The largest configuration file that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// The text of a configuration file and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// The file.
    pub path: PathBuf,
    /// Its text, not yet checked.
    pub text: String,
}

/// One value of a file.
pub(super) struct Found {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) raw: Raw,
}

impl SourceFile {
    /// Reads a configuration file, or `None` when there is none.
    ///
    /// # Errors
    ///
    /// When it is there and cannot be read, is larger than 1 MiB, or is not UTF-8.
    pub fn read(path: impl Into<PathBuf>) -> Result<Option<Self>, Error> {
        let path = path.into();
        let mut bytes = Vec::new();
        let file = match std::fs::File::open(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(disk::Error::on("open", &path))?,
        };
        file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(disk::Error::on("read", &path))?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(Error::TooLarge(path));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(Self { path, text })),
            Err(e) => {
                let valid = e.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(e.as_bytes());
                let reason = "the text is not UTF-8".to_owned();
                let (line, column) = position(&text, valid);
                Err(Error::Syntax { path, line, column, reason })
            }
        }
    }

    /// Every value in the file, in its order.
    pub(super) fn values(&self) -> Result<Vec<Found>, Error> {
        let document = Document::parse(self.text.as_str()).map_err(|e| self.broken(&e))?;
        let mut found = Vec::new();
        self.flatten("", document.as_table(), &mut found);
        Ok(found)
    }

    /// The file as a document that can be changed.
    pub(super) fn document(&self) -> Result<DocumentMut, Error> {
        self.text.parse().map_err(|e| self.broken(&e))
    }

    // As deep as the parser lets tables be, which is bounded.
    fn flatten(&self, prefix: &str, table: &dyn TableLike, found: &mut Vec<Found>) {
        for (name, item) in table.iter() {
            // A dot or a space inside a name is not the dot between names.
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            let name = match !name.is_empty() && name.bytes().all(plain) {
                true => name.to_owned(),
                false => format!("{name:?}"),
            };
            let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
            match item {
                Item::None => {}
                _ if item.is_table_like() => {
                    if let Some(inner) = item.as_table_like() {
                        self.flatten(&key, inner, found);
                    }
                }
                _ => {
                    let start = item.span().map_or(0, |span| span.start);
                    let (line, _) = position(&self.text, start);
                    found.push(Found { key, line, raw: Raw::from(item) });
                }
            }
        }
    }

    fn broken(&self, e: &TomlError) -> Error {
        let (line, column) = position(&self.text, e.span().map_or(0, |span| span.start));
        let reason = e.message().lines().collect::<Vec<_>>().join(", ");
        Error::Syntax { path: self.path.clone(), line, column, reason }
    }
}

/// Line and column (in characters) of a byte, both from 1.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// The user's own file: `$XDG_CONFIG_HOME/eart/config.toml`, else `~/.config/eart/config.toml`.
/// `env` looks up a variable. `None` when neither `XDG_CONFIG_HOME` nor `HOME` is an absolute path.
pub fn user_file(env: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name| env(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(folder.join(Path::new("eart/config.toml")))
}
