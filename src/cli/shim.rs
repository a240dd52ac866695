//! Stands in for what the framework of the command line will have.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{CliError, Context, Exit};
use crate::artifact::ArtifactType;
use crate::manifest::Status;
use crate::repo::Error;

pub(super) use crate::config::value::{parse_label, parse_name as run_name, parse_size};

pub(super) fn count(number: u64, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

pub(super) fn time(moment: Timestamp) -> String {
    moment.to_zoned(TimeZone::system()).strftime("%F %T").to_string()
}

pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

pub(super) fn artifact_type() -> impl TypedValueParser<Value = ArtifactType> {
    let names = ArtifactType::ALL.map(ArtifactType::name);
    PossibleValuesParser::new(names).try_map(|name| name.parse::<ArtifactType>())
}

pub(super) fn status() -> impl TypedValueParser<Value = Status> {
    let names = Status::ALL.map(Status::name);
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Status>())
}

impl CliError {
    pub(super) fn usage(message: impl Into<String>, hint: Option<String>) -> Self {
        let error = match hint {
            Some(hint) => Error::hinted(message, hint),
            None => Error::user(message),
        };
        Self { exit: Exit::Usage, error }
    }
}

impl Context {
    pub(super) fn exit(&self) -> Exit {
        if self.problems() > 0 { Exit::Problems } else { Exit::Done }
    }

    pub(super) fn hint(&self, text: &str) {
        eprintln!("hint: {text}");
    }
}
