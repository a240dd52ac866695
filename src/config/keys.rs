//! The table of all keys: the one source for parsing, the names of environment variables,
//! checking, the listing of `eart config` and the documents.
//!
//! To add a key, add a row to [`KEYS`], a field to [`Config`] and a line to
//! `docs/configuration.md`; tests hold the three together.

use super::kind::{Kind, Value};
use super::{Algorithm, Color, Config, Method};
use crate::artifact::ArtifactType;

/// One key of the configuration.
#[derive(Debug)]
pub struct Key {
    /// Its name, such as `keep.within`; the part before the dot is a table in TOML.
    pub name: &'static str,
    /// The type of its value.
    pub kind: Kind,
    /// Whether `none` is a value, and means that there is no such limit or rule.
    pub optional: bool,
    /// The value when nobody sets one, as one would write it.
    pub default: Option<&'static str>,
    /// What it does, as a sentence without its final period.
    pub help: &'static str,
    /// Puts a checked value into the configuration.
    pub(super) put: fn(&mut Config, &Value),
}

impl Key {
    /// The environment variable that sets it: `keep.within` is `EART_KEEP_WITHIN`.
    pub fn env(&self) -> String {
        let upper = |c: char| if c == '.' || c == '-' { '_' } else { c.to_ascii_uppercase() };
        "EART_".chars().chain(self.name.chars().map(upper)).collect()
    }

    /// What the value must be, for errors and documents.
    pub fn expected(&self) -> String {
        let or_none = if self.optional { ", or none" } else { "" };
        format!("{}{or_none}", self.kind.expected())
    }
}

/// The key with this name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The known key that `name` was most likely meant to be, if any is near.
pub fn nearest(name: &str) -> Option<&'static str> {
    let likeness = |key: &Key| {
        let last = key.name.rsplit('.').next().unwrap_or(key.name);
        let whole = strsim::normalized_damerau_levenshtein(name, key.name);
        whole.max(strsim::normalized_damerau_levenshtein(name, last) * 0.99)
    };
    let (score, key) =
        KEYS.iter().map(|key| (likeness(key), key)).max_by(|a, b| a.0.total_cmp(&b.0))?;
    (score >= 0.5).then_some(key.name)
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(n) => Some(*n),
        _ => None,
    }
}

fn list(value: &Value) -> Vec<String> {
    match value {
        Value::List(list) => list.clone(),
        _ => Vec::new(),
    }
}

fn level(value: &Value) -> i32 {
    number(value).and_then(|n| i32::try_from(n).ok()).unwrap_or(super::DEFAULT_LEVEL)
}

/// A row for one artifact type's own compression.
macro_rules! type_level {
    ($name:literal, $variant:ident) => {
        Key {
            name: concat!("compression.types.", $name),
            kind: Kind::Level,
            optional: false,
            default: None,
            help: concat!("Compression of ", $name, " artifacts, instead of the general one"),
            put: |c, v| {
                c.compression.types[ArtifactType::$variant as usize] = match v {
                    Value::None => None,
                    Value::Text(_) => Some(Method::Raw),
                    level_value => Some(Method::Zstd(level(level_value))),
                }
            },
        }
    };
}

/// Every key, in the order in which they are listed.
pub static KEYS: &[Key] = &[
    Key {
        name: "project",
        kind: Kind::Text,
        optional: false,
        default: None,
        help: "Project that runs belong to; else taken from the git remote, else the folder's name",
        put: |c, v| c.project = text(v).map(str::to_owned),
    },
    Key {
        name: "draft",
        kind: Kind::Name,
        optional: false,
        default: Some("default"),
        help: "Draft that files are staged into, so that parallel jobs on one machine can stay apart",
        put: |c, v| c.draft = text(v).unwrap_or_default().to_owned(),
    },
    Key {
        name: "exclude",
        kind: Kind::Globs,
        optional: false,
        default: Some(""),
        help: "Files that `eart add` leaves out",
        put: |c, v| c.exclude = list(v),
    },
    Key {
        name: "max-size",
        kind: Kind::Size,
        optional: true,
        default: None,
        help: "Largest file that `eart add` takes; larger ones are refused by name",
        put: |c, v| c.max_size = number(v),
    },
    Key {
        name: "compression.algorithm",
        kind: Kind::Choice(&["zstd", "none"]),
        optional: false,
        default: Some("zstd"),
        help: "How chunks are compressed",
        put: |c, v| {
            c.compression.algorithm =
                if text(v) == Some("none") { Algorithm::None } else { Algorithm::Zstd }
        },
    },
    Key {
        name: "compression.level",
        kind: Kind::Number(1..=19),
        optional: false,
        default: Some("3"),
        help: "Level of zstd: higher is smaller and slower",
        put: |c, v| c.compression.level = level(v),
    },
    type_level!("custom", Custom),
    type_level!("test-results", TestResults),
    type_level!("coverage", Coverage),
    type_level!("security-findings", SecurityFindings),
    type_level!("performance-metrics", PerformanceMetrics),
    type_level!("build-log", BuildLog),
    type_level!("static-analysis", StaticAnalysis),
    type_level!("api-docs", ApiDocs),
    type_level!("screenshot", Screenshot),
    type_level!("video", Video),
    type_level!("trace", Trace),
    type_level!("html-report", HtmlReport),
    Key {
        name: "keep.newest",
        kind: Kind::Number(1..=u64::MAX),
        optional: true,
        default: Some("10"),
        help: "`eart gc` keeps this many of the newest runs",
        put: |c, v| c.keep.newest = number(v),
    },
    Key {
        name: "keep.within",
        kind: Kind::Age,
        optional: true,
        default: Some("30d"),
        help: "`eart gc` keeps runs that are younger than this",
        put: |c, v| c.keep.within = number(v),
    },
    Key {
        name: "keep.label",
        kind: Kind::Labels,
        optional: false,
        default: Some(""),
        help: "`eart gc` keeps runs that carry one of these labels",
        put: |c, v| {
            c.keep.labels = match v {
                Value::Labels(labels) => labels.clone(),
                _ => Vec::new(),
            }
        },
    },
    Key {
        name: "keep.per",
        kind: Kind::LabelNames,
        optional: false,
        default: Some(""),
        help: "The keep rules apply to each group of runs that agree in these labels",
        put: |c, v| c.keep.per = list(v),
    },
    Key {
        name: "gc.max-size",
        kind: Kind::Size,
        optional: true,
        default: None,
        help: "`eart gc` removes the oldest runs until the store is no larger",
        put: |c, v| c.gc.max_size = number(v),
    },
    Key {
        name: "gc.drafts",
        kind: Kind::Age,
        optional: true,
        default: None,
        help: "`eart gc` removes drafts that nobody touched for this long",
        put: |c, v| c.gc.drafts = number(v),
    },
    Key {
        name: "color",
        kind: Kind::Choice(&["auto", "always", "never"]),
        optional: false,
        default: Some("auto"),
        help: "Whether output is coloured; `auto` is on a terminal",
        put: |c, v| {
            c.color = match text(v) {
                Some("always") => Color::Always,
                Some("never") => Color::Never,
                _ => Color::Auto,
            }
        },
    },
    Key {
        name: "pager",
        kind: Kind::Text,
        optional: false,
        default: None,
        help: "Command that long output goes through on a terminal, `cat` for none; \
               else `$PAGER`, else `less -FRX`",
        put: |c, v| c.pager = text(v).map(str::to_owned),
    },
    Key {
        name: "threads",
        kind: Kind::Number(1..=1024),
        optional: true,
        default: None,
        help: "Threads that work at once; else one a processor",
        put: |c, v| c.threads = number(v).and_then(|n| usize::try_from(n).ok()),
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_key_has_a_variable_of_its_own() {
        assert_eq!(find("keep.within").unwrap().env(), "EART_KEEP_WITHIN");
        assert_eq!(find("gc.max-size").unwrap().env(), "EART_GC_MAX_SIZE");
        let names: BTreeSet<_> = KEYS.iter().map(Key::env).collect();
        assert_eq!(names.len(), KEYS.len());
    }

    #[test]
    fn every_artifact_type_can_have_its_own_compression() {
        for artifact in ArtifactType::ALL {
            let key = find(&format!("compression.types.{artifact}")).unwrap();
            let mut config = Config::default();
            (key.put)(&mut config, &Value::Number(19));
            assert_eq!(config.compression.method(artifact), Method::Zstd(19));
        }
    }

    #[test]
    fn defaults_are_values_of_their_keys() {
        for key in KEYS {
            if let Some(default) = key.default {
                assert!(key.kind.check(&key.kind.split(default)).is_ok(), "{}", key.name);
            }
        }
    }

    #[test]
    fn a_typing_error_finds_its_key() {
        for (typed, key) in [
            ("keep.newst", Some("keep.newest")),
            ("keep-within", Some("keep.within")),
            ("newest", Some("keep.newest")),
            ("compresion.level", Some("compression.level")),
            ("maxsize", Some("max-size")),
            ("\"keep.per\"", Some("keep.per")),
            ("xyzzy", None),
        ] {
            assert_eq!(nearest(typed), key, "{typed}");
        }
    }
}
