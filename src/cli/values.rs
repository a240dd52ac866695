//! Parsers of arguments: what is wrong with a value is said before any work begins, with exit code 2.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::str::FromStr;

use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser};

use crate::artifact::ArtifactType;
use crate::config::value::RESERVED;
use crate::manifest::Status;
use crate::path::{PathError, RelPath};
use crate::work::walk::Filter;

use crate::config::value::ValueError;
pub(super) use crate::config::value::{parse_label, parse_name, parse_size};

/// `--draft`; without it the configured draft is meant, see [`super::Context::draft`].
#[derive(Debug, Default, clap::Args)]
pub(super) struct DraftArg {
    /// The draft, to keep parallel jobs apart [env: EART_DRAFT]
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    pub(super) draft: Option<String>,
}

/// How many of something.
pub(super) fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "a whole number is expected, such as 10".into())
}

/// The words of the command line, with `-3` behind `log` and `find` for `-n3`, as git takes it.
pub(super) fn counts(words: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    let mut counted = false;
    let mut over = false;
    words.map(move |word| {
        counted |= word == "log" || word == "find";
        over |= word == "--";
        match word.to_str().and_then(|text| text.strip_prefix('-')) {
            Some(digits)
                if counted
                    && !over
                    && !digits.is_empty()
                    && digits.bytes().all(|b| b.is_ascii_digit()) =>
            {
                format!("-n{digits}").into()
            }
            _ => word,
        }
    })
}

/// The name of a new run.
pub(super) fn run_name(text: &str) -> Result<String, String> {
    let name = parse_name(text).map_err(|e| e.to_string())?;
    match RESERVED.contains(&text) {
        true => Err(format!("{text} always means the newest run")),
        false => Ok(name),
    }
}

/// An artifact type by its name.
pub(super) fn artifact_type() -> impl TypedValueParser<Value = ArtifactType> {
    let names = ArtifactType::ALL.map(ArtifactType::name);
    PossibleValuesParser::new(names).try_map(|name| ArtifactType::from_str(&name))
}

/// A declared status by its name.
pub(super) fn status() -> impl TypedValueParser<Value = Status> {
    let names = Status::ALL.map(Status::name);
    PossibleValuesParser::new(names).try_map(|name| Status::from_str(&name))
}

/// A path inside a run, as bytes.
pub(super) fn rel_path() -> impl TypedValueParser<Value = RelPath> {
    OsStringValueParser::new().try_map(|text: OsString| -> Result<RelPath, PathError> {
        let bytes = text.into_vec();
        let bytes = bytes.strip_prefix(b"./").unwrap_or(&bytes);
        RelPath::new(bytes.strip_suffix(b"/").unwrap_or(bytes))
    })
}

/// The largest size to take: as in the configuration, `none` is no limit.
pub(super) fn max_size(text: &str) -> Result<u64, ValueError> {
    if text == "none" { Ok(u64::MAX) } else { parse_size(text) }
}

/// A pattern in gitignore's syntax.
pub(super) fn pattern(text: &str) -> Result<String, String> {
    Filter::default().exclude(&[text.to_owned()])?;
    Ok(text.to_owned())
}
