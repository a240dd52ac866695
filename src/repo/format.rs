//! `format.json`: what makes a folder a store, and which version of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Error, Result};
use crate::chunk::Params;
use crate::disk::Folder;

pub(super) const FILE: &str = "format.json";
/// The version this eart writes and the newest it reads.
pub(super) const VERSION: u32 = 1;

/// What a store says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Format {
    /// Version of the store's layout.
    pub format: u32,
    /// Name of the chunker; see [`Params::name`].
    pub chunker: String,
    /// When the store was made.
    pub created: Timestamp,
}

impl Format {
    pub(super) fn create(folder: &Folder) -> Result<()> {
        let format = Self {
            format: VERSION,
            chunker: Params::V1.name().to_owned(),
            created: Timestamp::now(),
        };
        let mut text =
            serde_json::to_vec_pretty(&format).map_err(|e| bad(folder, e.to_string()))?;
        text.push(b'\n');
        Ok(folder.write(FILE, &text)?)
    }

    pub(super) fn read(folder: &Folder) -> Result<Self> {
        let text = match folder.read(FILE) {
            Err(e) if e.is_not_found() => return Err(Error::NoStore(folder.root().to_owned())),
            other => other?,
        };
        let malformed = |e: serde_json::Error| bad(folder, e.to_string());
        // The version first: a newer format may have other fields.
        let value: serde_json::Value = serde_json::from_slice(&text).map_err(malformed)?;
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(v) if v > u64::from(VERSION) => {
                return Err(Error::Newer { path: folder.path(FILE), format: v });
            }
            Some(1..) => {}
            _ => return Err(bad(folder, "it has no format version".into())),
        }
        let format: Self = serde_json::from_value(value).map_err(malformed)?;
        match format.chunker.parse::<Params>() {
            Ok(_) => Ok(format),
            Err(e) => Err(bad(folder, e.to_string())),
        }
    }
}

/// The error for a folder that has runs or packs and not this file.
pub(super) fn missing(folder: &Folder) -> Error {
    let (chunker, path) = (Params::V1.name(), folder.path(FILE));
    Error::hinted(
        format!("{} is an eart store without its {FILE}", folder.root().display()),
        format!(
            "put {} back from a copy, or write this to it if an eart of format {VERSION} made the \
             store: {{\"format\": {VERSION}, \"chunker\": \"{chunker}\", \"created\": \
             \"1970-01-01T00:00:00Z\"}}",
            path.display()
        ),
    )
}

fn bad(folder: &Folder, reason: String) -> Error {
    Error::BadFormat { path: folder.path(FILE), reason }
}
