//! The types that configuration values have: how each is read from text and from TOML, what it
//! expects, and what comes out.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use globset::Glob;
use serde::{Serialize, Serializer};

use super::value::{self, Label, ValueError};
use crate::path;

/// The type of a key's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// One line of text.
    Text,
    /// A name as [`value::parse_name`] takes it.
    Name,
    /// Bytes, as [`value::parse_size`] reads them.
    Size,
    /// Seconds, as [`value::parse_nonzero_age`] reads them.
    Age,
    /// A whole number in this range.
    Number(RangeInclusive<u64>),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `none`, or a zstd level from 1 to 19.
    Level,
    /// A list of globs.
    Globs,
    /// A list of labels with their values.
    Labels,
    /// A list of the names of labels.
    LabelNames,
}

/// A value that fits its key's [`Kind`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Not set, or set to `none`.
    None,
    /// A number; of a size its bytes, of an age its seconds.
    Number(u64),
    /// Text, a name or a word.
    Text(String),
    /// A list of globs or names.
    List(Vec<String>),
    /// A list of labels.
    Labels(Vec<Label>),
}

/// As JSON has it: null, a number, a string, a list of strings.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => s.serialize_none(),
            Self::Number(n) => s.serialize_u64(*n),
            Self::Text(text) => s.serialize_str(text),
            Self::List(list) => s.collect_seq(list),
            Self::Labels(list) => s.collect_seq(list.iter().map(Label::to_string)),
        }
    }
}

/// A value as it stood where it came from, not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Raw {
    One(String),
    Many(Vec<String>),
    /// A TOML value that no key takes: how to name it.
    Other(&'static str),
}

impl Raw {
    /// The value for people, on one line.
    pub(super) fn text(&self) -> String {
        match self {
            Self::One(text) => text.clone(),
            Self::Many(list) => list.join(", "),
            Self::Other(what) => (*what).to_owned(),
        }
    }

    /// The value as an error shows it.
    pub(super) fn got(&self) -> String {
        match self {
            Self::One(text) => format!("{:?}", value::shorten(text)),
            Self::Many(list) => format!("the list [{}]", value::shorten(&list.join(", "))),
            Self::Other(what) => (*what).to_owned(),
        }
    }
}

impl From<&toml_edit::Item> for Raw {
    fn from(item: &toml_edit::Item) -> Self {
        let scalar = |value: &toml_edit::Value| match value {
            toml_edit::Value::String(text) => Some(text.value().clone()),
            toml_edit::Value::Integer(number) => Some(number.value().to_string()),
            _ => None,
        };
        let other = Self::Other(match item.type_name() {
            "float" => "a number with a fraction",
            "boolean" => "true or false",
            "array" => "a list that holds more than text",
            "datetime" => "a date",
            _ => "a table",
        });
        match item.as_value() {
            Some(toml_edit::Value::Array(array)) => {
                array.iter().map(scalar).collect::<Option<_>>().map_or(other, Self::Many)
            }
            Some(value) => scalar(value).map_or(other, Self::One),
            None => other,
        }
    }
}

impl Kind {
    /// What the value must be, for errors and documents: "a size such as 50GB or 1.5MiB".
    pub fn expected(&self) -> Cow<'static, str> {
        match self {
            Self::Text => "one line of text".into(),
            Self::Name => "a name of letters, digits, dot, underscore and dash".into(),
            Self::Size => "a size such as 50GB or 1.5MiB".into(),
            Self::Age => "an age such as 12h, 30d or 2w".into(),
            Self::Number(range) if *range.end() == u64::MAX => {
                format!("a whole number from {}", range.start()).into()
            }
            Self::Number(range) => {
                format!("a whole number from {} to {}", range.start(), range.end()).into()
            }
            Self::Choice(words) => words.join(" or ").into(),
            Self::Level => "none or a level from 1 to 19".into(),
            Self::Globs => "a list of globs".into(),
            Self::Labels => "a list of labels written name=value".into(),
            Self::LabelNames => "a list of label names".into(),
        }
    }

    /// Whether the value is a list.
    pub fn is_list(&self) -> bool {
        matches!(self, Self::Globs | Self::Labels | Self::LabelNames)
    }

    /// A single text as this kind has it: a list's items are separated by commas, except for
    /// those within the braces of a glob.
    pub(super) fn split(&self, text: &str) -> Raw {
        match self {
            Self::Globs => Raw::Many(split_globs(text)),
            Self::Labels | Self::LabelNames => Raw::Many(items(text.split(','))),
            _ => Raw::One(text.to_owned()),
        }
    }

    /// The checked value, or why it is none; an empty reason says no more than [`Kind::expected`].
    pub(super) fn check(&self, raw: &Raw) -> Result<Value, Cow<'static, str>> {
        match raw {
            Raw::One(text) if self.is_list() => self.check_list(std::slice::from_ref(text)),
            Raw::One(text) => self.check_one(text),
            Raw::Many(list) if self.is_list() => self.check_list(list),
            Raw::Many(_) | Raw::Other(_) => Err("".into()),
        }
    }

    fn check_one(&self, text: &str) -> Result<Value, Cow<'static, str>> {
        let reason = |e: ValueError| e.reason().to_owned();
        match self {
            Self::Text if text.is_empty() => Err("it is empty".into()),
            Self::Text if text.chars().any(char::is_control) => {
                Err("it holds a control character".into())
            }
            Self::Name => Ok(Value::Text(value::parse_name(text).map_err(reason)?)),
            Self::Size => Ok(Value::Number(value::parse_size(text).map_err(reason)?)),
            Self::Age => Ok(Value::Number(value::parse_nonzero_age(text).map_err(reason)?)),
            Self::Number(range) => number(text, range),
            Self::Choice(words) if !words.contains(&text) => Err("".into()),
            Self::Level if text == "none" => Ok(Value::Text(text.to_owned())),
            Self::Level => number(text, &(1..=19)),
            _ => Ok(Value::Text(text.to_owned())),
        }
    }

    fn check_list(&self, list: &[String]) -> Result<Value, Cow<'static, str>> {
        let named = |item: &str, e: ValueError| {
            Cow::from(format!("of {:?} {}", value::shorten(item), e.reason()))
        };
        match self {
            Self::Labels => {
                let labels = list.iter().map(|l| value::parse_label(l).map_err(|e| named(l, e)));
                Ok(Value::Labels(labels.collect::<Result<_, _>>()?))
            }
            Self::LabelNames => {
                for name in list {
                    value::parse_label_name(name).map_err(|e| named(name, e))?;
                }
                Ok(Value::List(list.to_vec()))
            }
            _ => {
                for glob in list {
                    if path::braces(glob) > path::MAX_BRACES {
                        let most = path::MAX_BRACES;
                        return Err(format!("one opens more than {most} braces").into());
                    }
                    Glob::new(glob).map_err(|e| {
                        Cow::from(format!("{:?}: {}", value::shorten(glob), e.kind()))
                    })?;
                }
                Ok(Value::List(list.to_vec()))
            }
        }
    }
}

fn number(text: &str, range: &RangeInclusive<u64>) -> Result<Value, Cow<'static, str>> {
    let number = text.trim().parse().ok().filter(|n| range.contains(n));
    number.map(Value::Number).ok_or("".into())
}

fn items<'a>(parts: impl Iterator<Item = &'a str>) -> Vec<String> {
    parts.map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn split_globs(text: &str) -> Vec<String> {
    let mut depth = 0u32;
    items(text.split(move |c| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_within_braces_does_not_part_globs() {
        let globs = ["*.{tmp,bak}", "a/**"].map(str::to_owned).to_vec();
        assert_eq!(Kind::Globs.split("*.{tmp,bak}, a/**,"), Raw::Many(globs));
    }

    #[test]
    fn a_list_names_the_item_that_is_wrong() {
        let check = |kind: Kind, text: &str| kind.check(&kind.split(text)).unwrap_err();
        assert_eq!(check(Kind::Labels, "a=1,b"), r#"of "b" it is not written name=value"#);
        assert!(check(Kind::Globs, "a,b[").starts_with(r#""b[": "#));
        assert!(check(Kind::LabelNames, "a b").starts_with(r#"of "a b" the name may only"#));
    }
}
