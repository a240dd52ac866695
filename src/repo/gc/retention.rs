//! Which runs stay, and why: a pure function of the catalog, the refs, the policy and the time.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::id::RunId;
use crate::repo::{Record, Refs};

/// What keeps a run. A run stays when any rule says so; tags and pins always do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// The newest this many of each group.
    pub newest: Option<u64>,
    /// Those not older than this many seconds.
    pub within: Option<u64>,
    /// Those with any of these labels.
    pub labels: Vec<(String, String)>,
    /// Labels whose values make the groups; one group without any.
    pub per: Vec<String>,
    /// Oldest runs go until the store has at most this many bytes.
    pub max_size: Option<u64>,
}

impl Policy {
    /// Whether any rule keeps runs. Without one, only the size decides what goes.
    pub fn has_rules(&self) -> bool {
        self.newest.is_some() || self.within.is_some() || !self.labels.is_empty()
    }
}

/// Why a run stays or goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "rule", rename_all = "kebab-case")]
pub enum Reason {
    /// It has a tag.
    Tag {
        /// The tag's name.
        name: String,
    },
    /// It is pinned.
    Pin,
    /// It is among the newest of its group.
    Newest {
        /// Its place, from 1.
        rank: u64,
        /// How many stay.
        of: u64,
        /// The group, as label values; empty when there is one group.
        group: String,
    },
    /// It is young enough.
    Within {
        /// Its age in seconds.
        age: u64,
        /// The limit in seconds.
        limit: u64,
    },
    /// It has a label that keeps it.
    Label {
        /// The label's name.
        name: String,
        /// The label's value.
        value: String,
    },
    /// There are no rules by age or number, only one by size.
    Unruled,
    /// No rule keeps it.
    Expired {
        /// Its place in its group, from 1.
        rank: u64,
        /// Its age in seconds.
        age: u64,
        /// The group, as label values; empty when there is one group.
        group: String,
    },
    /// It is the oldest that may go, and the store is too large.
    Size {
        /// The limit in bytes.
        limit: u64,
    },
}

/// What becomes of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fate {
    /// The run.
    pub id: RunId,
    /// Its name.
    pub name: String,
    /// When it was committed.
    pub committed: Timestamp,
    /// Whether it stays.
    pub stays: bool,
    /// Why.
    pub reasons: Vec<Reason>,
}

impl Fate {
    /// Whether it may go when the store is too large: no tag, no pin, not among the newest.
    pub(super) fn may_go_for_size(&self) -> bool {
        self.stays
            && !self
                .reasons
                .iter()
                .any(|r| matches!(r, Reason::Tag { .. } | Reason::Pin | Reason::Newest { .. }))
    }
}

/// Decides about `records` (newest first) at `now`. Sizes are not looked at here.
pub(super) fn decide(
    records: &[&Record],
    refs: &Refs,
    policy: &Policy,
    now: Timestamp,
) -> Vec<Fate> {
    let mut ranks: HashMap<String, u64> = HashMap::new();
    let decide = |record: &Record| {
        let group = group(record, &policy.per);
        let rank = ranks.entry(group.clone()).or_default();
        *rank += 1;
        let age = now.duration_since(record.meta.committed).as_secs().max(0) as u64;
        let mut reasons: Vec<Reason> =
            refs.tags_of(record.id).map(|name| Reason::Tag { name: name.to_owned() }).collect();
        if refs.pins.contains(&record.id) {
            reasons.push(Reason::Pin);
        }
        if let Some(of) = policy.newest.filter(|n| *rank <= *n) {
            reasons.push(Reason::Newest { rank: *rank, of, group: group.clone() });
        }
        if let Some(limit) = policy.within.filter(|limit| age <= *limit) {
            reasons.push(Reason::Within { age, limit });
        }
        for (name, value) in &policy.labels {
            if record.meta.labels.get(name) == Some(value) {
                reasons.push(Reason::Label { name: name.clone(), value: value.clone() });
            }
        }
        if !policy.has_rules() {
            reasons.push(Reason::Unruled);
        }
        let stays = !reasons.is_empty();
        if !stays {
            reasons.push(Reason::Expired { rank: *rank, age, group });
        }
        Fate {
            id: record.id,
            name: record.meta.name.clone(),
            committed: record.meta.committed,
            stays,
            reasons,
        }
    };
    records.iter().copied().map(decide).collect()
}

/// Whether runs go and no rule keeps any: more likely a slip than a wish. What tags and pins keep
/// does not count.
pub(super) fn empties(fates: &[Fate]) -> bool {
    let ruled = |r: &Reason| !matches!(r, Reason::Tag { .. } | Reason::Pin);
    fates.iter().any(|f| !f.stays) && !fates.iter().any(|f| f.stays && f.reasons.iter().any(ruled))
}

/// The values of the labels that make groups; a run without a label is grouped with its like.
fn group(record: &Record, per: &[String]) -> String {
    let value = |name: &String| match record.meta.labels.get(name) {
        Some(value) => format!("{name}={value}"),
        None => format!("those without {name}"),
    };
    per.iter().map(value).collect::<Vec<_>>().join(", ")
}

/// A reason as people read it, behind "stays: " or "goes: ".
impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of =
            |group: &str| if group.is_empty() { String::new() } else { format!(" of {group}") };
        match self {
            Self::Tag { name } => write!(f, "has the tag {name}"),
            Self::Pin => write!(f, "is pinned"),
            Self::Newest { rank, of: n, group } => {
                write!(f, "is number {rank} of the newest {n}{}", of(group))
            }
            Self::Within { age, limit } => {
                write!(f, "is {} old, within {}", days(*age), days(*limit))
            }
            Self::Label { name, value } => write!(f, "has the label {name}={value}"),
            Self::Unruled => write!(f, "no rule removes it"),
            Self::Expired { rank, age, group } => {
                write!(f, "no rule keeps it: number {rank}{}, {} old", of(group), days(*age))
            }
            Self::Size { limit } => {
                write!(f, "is the oldest that may go, and the store has more than {limit} bytes")
            }
        }
    }
}

/// An age for people: days from two days on, else hours, minutes or seconds.
fn days(secs: u64) -> String {
    match secs {
        0..60 => format!("{secs}s"),
        60..3600 => format!("{}m", secs / 60),
        3600..172_800 => format!("{}h", secs / 3600),
        _ => format!("{}d", secs / 86_400),
    }
}
