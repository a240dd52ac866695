//! What is known of a run besides its files, and the bounds on it. Touches memory only.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::codec::{Reader, put_bytes, put_varint};
use super::{Error, Result};

/// The longest run or project name in bytes.
pub(super) const MAX_NAME: usize = 128;
/// The longest message in bytes.
pub(super) const MAX_MESSAGE: usize = 64 * 1024;
/// The most labels of a run, and the most facts of its context.
pub(super) const MAX_LABELS: usize = 256;
/// The longest name of a label or of a fact in bytes.
pub(super) const MAX_KEY: usize = 128;
/// The longest value of a label in bytes.
pub(super) const MAX_LABEL: usize = 1024;
/// The longest value of a fact in bytes.
pub(super) const MAX_FACT: usize = 16 * 1024;

/// How a run ended, as its owner declared it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Every test passed.
    Passed,
    /// A test failed.
    Failed,
    /// The run did not come to its end.
    Error,
    /// Nobody knows.
    Unknown,
}

impl Status {
    /// Every status; its place here and one is its number in stored formats (0 is none).
    pub const ALL: [Self; 4] = [Self::Passed, Self::Failed, Self::Error, Self::Unknown];

    /// The status's name on the command line and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Error => "error",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Status {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name).ok_or_else(|| {
            refuse(format!("{name:?} is no status; it is passed, failed, error or unknown"))
        })
    }
}

/// What is known of a run besides its files. All of it is part of the run's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunMeta {
    /// Random, so that two runs with the same files are still two runs.
    #[serde(serialize_with = "hex")]
    pub nonce: [u8; 16],
    /// When the draft was begun.
    pub started: Timestamp,
    /// When it was sealed.
    pub committed: Timestamp,
    /// The run's name, `[A-Za-z0-9._-]+`; many runs may share one.
    pub name: String,
    /// The project it belongs to, `[A-Za-z0-9._-]+`.
    pub project: String,
    /// What its owner says about it; may be empty.
    pub message: String,
    /// Names and values to find it by; the names are `[A-Za-z0-9._/-]+`.
    pub labels: BTreeMap<String, String>,
    /// How it ended, if its owner declared that.
    pub status: Option<Status>,
    /// Where it happened: facts of CI, Kubernetes and git; names as those of labels.
    pub context: BTreeMap<String, String>,
}

fn hex<S: serde::Serializer>(bytes: &[u8; 16], s: S) -> std::result::Result<S::Ok, S::Error> {
    s.collect_str(&format_args!("{:032x}", u128::from_be_bytes(*bytes)))
}

fn refuse(reason: String) -> Error {
    Error::Meta { reason }
}

/// Whether a text can name a run, a tag or a project: `[A-Za-z0-9._-]+`, at most [`MAX_NAME`]
/// bytes, and neither `.` nor `..`.
///
/// # Errors
///
/// Says which of these it breaks; `what` is how the text is called there ("The run name").
pub fn check_name(what: &str, name: &str) -> Result<()> {
    if name.len() > MAX_NAME {
        return Err(refuse(format!("{what} has {} bytes, more than {MAX_NAME}", name.len())));
    }
    let known = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if name.is_empty() || name == "." || name == ".." || !name.bytes().all(known) {
        return Err(refuse(format!("{what} is {name:?}; use letters, digits, '.', '_' and '-'")));
    }
    Ok(())
}

fn check_map(what: &str, map: &BTreeMap<String, String>, max_value: usize) -> Result<()> {
    if map.len() > MAX_LABELS {
        return Err(refuse(format!("there are {} {what}s, more than {MAX_LABELS}", map.len())));
    }
    for (key, value) in map {
        let known = |b: u8| b.is_ascii_alphanumeric() || b"._-/".contains(&b);
        if key.is_empty() || key.len() > MAX_KEY || !key.bytes().all(known) {
            let start: String = key.chars().take(MAX_KEY).collect();
            return Err(refuse(format!(
                "the {what} name {start:?} is not 1 to {MAX_KEY} letters, digits, '.', '_', '-' and '/'"
            )));
        }
        if value.len() > max_value || value.contains('\0') {
            return Err(refuse(format!(
                "the {what} {key} has {} bytes, more than {max_value}, or a NUL among them",
                value.len()
            )));
        }
    }
    Ok(())
}

impl RunMeta {
    /// Checks every bound.
    ///
    /// # Errors
    ///
    /// Names the field that breaks one.
    pub fn validate(&self) -> Result<()> {
        check_name("the run name", &self.name)?;
        check_name("the project name", &self.project)?;
        if self.message.len() > MAX_MESSAGE || self.message.contains('\0') {
            return Err(refuse(format!(
                "the message has {} bytes, more than {MAX_MESSAGE}, or a NUL among them",
                self.message.len()
            )));
        }
        check_map("label", &self.labels, MAX_LABEL)?;
        check_map("context fact", &self.context, MAX_FACT)
    }

    /// Appends the canonical encoding (docs/format.md, "Metadata").
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.nonce);
        out.extend_from_slice(&self.started.as_nanosecond().to_le_bytes());
        out.extend_from_slice(&self.committed.as_nanosecond().to_le_bytes());
        put_bytes(out, self.name.as_bytes());
        put_bytes(out, self.project.as_bytes());
        put_bytes(out, self.message.as_bytes());
        out.push(self.status.map_or(0, |status| status as u8 + 1));
        for map in [&self.labels, &self.context] {
            put_varint(out, map.len() as u64);
            for (key, value) in map {
                put_bytes(out, key.as_bytes());
                put_bytes(out, value.as_bytes());
            }
        }
    }

    /// When a run was committed, from what [`RunMeta::encode`] wrote; nothing else is looked at.
    pub(crate) fn committed_of(encoded: &[u8]) -> Result<Timestamp> {
        let mut reader = Reader::new("run metadata", encoded);
        reader.take(16 + 16)?;
        timestamp(&mut reader)
    }

    /// Reads what [`RunMeta::encode`] wrote, and checks every bound.
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let nonce = reader.array()?;
        let started = timestamp(reader)?;
        let committed = timestamp(reader)?;
        let name = reader.text()?.to_owned();
        let project = reader.text()?.to_owned();
        let message = reader.text()?.to_owned();
        let status = match reader.byte()? {
            0 => None,
            code => match Status::ALL.get(usize::from(code) - 1) {
                Some(status) => Some(*status),
                None => return Err(reader.error("it has an unknown status")),
            },
        };
        let labels = map(reader)?;
        let context = map(reader)?;
        let meta =
            Self { nonce, started, committed, name, project, message, labels, status, context };
        meta.validate()?;
        Ok(meta)
    }
}

fn timestamp(reader: &mut Reader<'_>) -> Result<Timestamp> {
    let nanos = i128::from_le_bytes(reader.array()?);
    Timestamp::from_nanosecond(nanos).map_err(|_| reader.error("a time is out of range"))
}

fn map(reader: &mut Reader<'_>) -> Result<BTreeMap<String, String>> {
    let count = reader.count(2)?;
    if count > MAX_LABELS {
        return Err(reader.error("it has too many labels or facts"));
    }
    let mut map = BTreeMap::new();
    for _ in 0..count {
        let key = reader.text()?;
        if map.last_key_value().is_some_and(|(last, _): (&String, _)| last.as_str() >= key) {
            return Err(reader.error("label names are not in ascending order"));
        }
        map.insert(key.to_owned(), reader.text()?.to_owned());
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::sample;

    #[test]
    fn metadata_reads_back() {
        let mut meta = sample::meta();
        meta.status = Some(Status::Error);
        meta.started = Timestamp::from_nanosecond(-1).unwrap();
        let mut out = Vec::new();
        meta.encode(&mut out);
        let mut reader = Reader::new("test", &out);
        assert_eq!(RunMeta::decode(&mut reader).unwrap(), meta);
        reader.end().unwrap();
    }

    fn refused(change: impl FnOnce(&mut RunMeta)) -> String {
        let mut meta = sample::meta();
        change(&mut meta);
        meta.validate().unwrap_err().to_string()
    }

    #[test]
    fn what_is_out_of_bounds_is_named() {
        assert!(refused(|m| m.name = "a b".into()).contains("the run name is \"a b\""));
        assert!(refused(|m| m.name = "..".into()).contains("the run name"));
        assert!(refused(|m| m.project = "x".repeat(129)).contains("129 bytes, more than 128"));
        assert!(refused(|m| m.message = "x".repeat(MAX_MESSAGE + 1)).contains("the message"));
        let many = |m: &mut RunMeta| {
            m.labels = (0..257).map(|i| (format!("k{i}"), String::new())).collect();
        };
        assert!(refused(many).contains("257 labels"));
        assert!(refused(|m| _ = m.labels.insert("a=b".into(), "c".into())).contains("label name"));
        assert!(
            refused(|m| _ = m.context.insert("k".into(), "x".repeat(MAX_FACT + 1)))
                .contains("context fact k")
        );
    }

    #[test]
    fn statuses_lead_back() {
        for (place, status) in Status::ALL.into_iter().enumerate() {
            assert_eq!(status as usize, place);
            assert_eq!(status.name().parse::<Status>().unwrap(), status);
        }
        assert!("green".parse::<Status>().is_err());
    }
}
