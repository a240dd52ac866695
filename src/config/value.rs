//! Values as people write them: sizes, ages, labels, names.
//!
//! Command-line flags, environment variables and files all go through these, so one text means
//! one thing everywhere. Touches nothing but text.

use std::borrow::Cow;
use std::fmt;

/// The longest name of a run, tag, remote or draft, and the longest label name, in bytes.
pub const MAX_NAME: usize = 128;
/// The longest value of a label in bytes.
pub const MAX_LABEL_VALUE: usize = 256;
/// The names that mean something already; callers that create names refuse them.
pub const RESERVED: [&str; 1] = ["latest"];

/// A text that is not the value it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Not {what}: {text:?} ({reason})")]
pub struct ValueError {
    what: &'static str,
    text: String,
    reason: Cow<'static, str>,
}

impl ValueError {
    /// `text` is not `what` (with its article), for this reason.
    pub(super) fn new(
        what: &'static str,
        text: &str,
        reason: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { what, text: shorten(text), reason: reason.into() }
    }

    /// Why it is not, as a clause such as "it has no unit".
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// The start of a text, so that an error never carries a whole file.
pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(64) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

/// Units of sizes from small to large: what people write in lower case, and its bytes.
const SIZES: [(&str, u64); 19] = [
    ("b", 1),
    ("k", 1000),
    ("kb", 1000),
    ("kib", 1 << 10),
    ("m", 1_000_000),
    ("mb", 1_000_000),
    ("mib", 1 << 20),
    ("g", 1_000_000_000),
    ("gb", 1_000_000_000),
    ("gib", 1 << 30),
    ("t", 1_000_000_000_000),
    ("tb", 1_000_000_000_000),
    ("tib", 1 << 40),
    ("p", 1_000_000_000_000_000),
    ("pb", 1_000_000_000_000_000),
    ("pib", 1 << 50),
    ("e", 1_000_000_000_000_000_000),
    ("eb", 1_000_000_000_000_000_000),
    ("eib", 1 << 60),
];

/// Bytes from `50GB`, `1.5MiB` or `1000`. `KB` is 1000 bytes and `KiB` 1024; `K` is `KB`; the case
/// of letters and space before the unit do not matter; a fraction is rounded down to whole bytes.
///
/// # Errors
///
/// When the text is anything else, or more than 2^64 - 1 bytes.
///
/// # Examples
///
/// ```
/// use eart::config::value::parse_size;
/// assert_eq!(parse_size("1.5MiB"), Ok(1_572_864));
/// assert_eq!(parse_size("50 gb"), Ok(50_000_000_000));
/// assert!(parse_size("50 cows").is_err());
/// ```
pub fn parse_size(text: &str) -> Result<u64, ValueError> {
    let wrong = |reason: &'static str| ValueError::new("a size", text, reason);
    let body = text.trim();
    let end = body.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(body.len());
    let (number, unit) = body.split_at(end);
    let unit = unit.trim_start();
    let scale = match unit {
        "" => 1,
        _ => find_unit(&SIZES, unit)
            .ok_or_else(|| wrong("its unit is none of B, KB, KiB, MB, MiB, GB, GiB, TB, TiB"))?,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return Err(wrong("it does not start with a number"));
    }
    let whole: u64 = whole.parse().map_err(|_| wrong("it is too large"))?;
    // 2^60 * 10^18 < 2^128; digits beyond the 18th are less than a byte of any unit but EB.
    let digits = &fraction[..fraction.len().min(18)];
    let parts: u128 = digits.parse().map_err(|_| wrong("its fraction cannot be read"))?;
    let parts = parts * u128::from(scale) / 10u128.pow(digits.len() as u32);
    let bytes = u128::from(whole) * u128::from(scale) + parts;
    u64::try_from(bytes).map_err(|_| wrong("it is too large"))
}

fn find_unit(units: &[(&str, u64)], name: &str) -> Option<u64> {
    units.iter().find(|(unit, _)| unit.eq_ignore_ascii_case(name)).map(|(_, scale)| *scale)
}

/// A size for people: `999 B`, `1.2 MB`; units of 10^3, one decimal, rounded half up.
pub fn format_size(bytes: u64) -> String {
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut scale: u128 = 1000;
    for unit in ["KB", "MB", "GB", "TB", "PB"] {
        let tenths = (u128::from(bytes) * 10 + scale / 2) / scale;
        if tenths < 10_000 {
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
        scale *= 1000;
    }
    let tenths = (u128::from(bytes) * 10 + scale / 2) / scale;
    format!("{}.{} EB", tenths / 10, tenths % 10)
}

/// Units of ages: the short one that is also written, then what people may type.
const AGES: [(&str, u64); 26] = [
    ("s", 1),
    ("sec", 1),
    ("secs", 1),
    ("second", 1),
    ("seconds", 1),
    ("m", 60),
    ("min", 60),
    ("mins", 60),
    ("minute", 60),
    ("minutes", 60),
    ("h", HOUR),
    ("hr", HOUR),
    ("hrs", HOUR),
    ("hour", HOUR),
    ("hours", HOUR),
    ("d", DAY),
    ("day", DAY),
    ("days", DAY),
    ("w", 7 * DAY),
    ("wk", 7 * DAY),
    ("week", 7 * DAY),
    ("weeks", 7 * DAY),
    ("y", YEAR),
    ("yr", YEAR),
    ("year", YEAR),
    ("years", YEAR),
];
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
const YEAR: u64 = 365 * DAY;

/// Seconds from `30d`, `12h`, `2w` or `1y`: a whole number and a unit of s, m (minutes), h, d, w
/// or y (365 days), or its word (`2 weeks`).
///
/// # Errors
///
/// When the text is anything else, has no unit, or is more than 2^64 - 1 seconds.
pub fn parse_age(text: &str) -> Result<u64, ValueError> {
    let wrong = |reason: &'static str| ValueError::new("an age", text, reason);
    let body = text.trim();
    let end = body.find(|c: char| !c.is_ascii_digit()).unwrap_or(body.len());
    let (number, unit) = body.split_at(end);
    if number.is_empty() {
        return Err(wrong("it does not start with a whole number"));
    }
    let unit = unit.trim_start();
    if unit.is_empty() {
        return Err(wrong("it has no unit"));
    }
    let scale = find_unit(&AGES, unit)
        .ok_or_else(|| wrong("its unit is none of s, m (minutes), h, d, w, y"))?;
    let number: u64 = number.parse().map_err(|_| wrong("it is too large"))?;
    number.checked_mul(scale).ok_or_else(|| wrong("it is too large"))
}

/// An age in the largest unit that holds it exactly: `30d`, `36h`. [`parse_age`] reads it back.
pub fn format_age(secs: u64) -> String {
    let units = [("y", YEAR), ("w", 7 * DAY), ("d", DAY), ("h", HOUR), ("m", 60)];
    let fits = units.into_iter().find(|(_, scale)| secs > 0 && secs.is_multiple_of(*scale));
    let (unit, scale) = fits.unwrap_or(("s", 1));
    format!("{}{unit}", secs / scale)
}

/// Seconds as [`parse_age`] reads them, but not none: nothing is younger than that.
///
/// # Errors
///
/// As [`parse_age`], and when it is 0.
pub fn parse_nonzero_age(text: &str) -> Result<u64, ValueError> {
    match parse_age(text)? {
        0 => Err(ValueError::new("an age", text, "everything is as old as that")),
        age => Ok(age),
    }
}

/// A label of a run: a name and its value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    /// The name, as [`parse_label_name`] takes it.
    pub name: String,
    /// The value: no control characters, at most [`MAX_LABEL_VALUE`] bytes, possibly empty.
    pub value: String,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

/// A label from `name=value`; the value may hold further `=`.
///
/// # Errors
///
/// When there is no `=`, the name is not a label name, or the value is too long or holds control
/// characters.
pub fn parse_label(text: &str) -> Result<Label, ValueError> {
    let wrong = |reason: Cow<'static, str>| ValueError::new("a label", text, reason);
    let (name, value) =
        text.split_once('=').ok_or_else(|| wrong("it is not written name=value".into()))?;
    let name = parse_label_name(name).map_err(|e| wrong(e.reason))?;
    if value.len() > MAX_LABEL_VALUE {
        return Err(wrong("its value is longer than 256 bytes".into()));
    }
    if value.chars().any(char::is_control) {
        return Err(wrong("its value holds a control character".into()));
    }
    Ok(Label { name, value: value.to_owned() })
}

/// The name of a label: `[A-Za-z0-9._/-]+`, at most [`MAX_NAME`] bytes.
///
/// # Errors
///
/// When it is anything else.
pub fn parse_label_name(text: &str) -> Result<String, ValueError> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"._/-".contains(&b);
    let reason = if text.is_empty() {
        "the name is empty"
    } else if text.len() > MAX_NAME {
        "the name is longer than 128 bytes"
    } else if !text.bytes().all(fine) {
        "the name may only hold letters, digits, dot, underscore, slash and dash"
    } else {
        return Ok(text.to_owned());
    };
    Err(ValueError::new("a label name", text, reason))
}

/// A name of a run, tag, remote or draft: `[A-Za-z0-9._-]+`, at most [`MAX_NAME`] bytes, not `.`
/// or `..`, not starting with a dash. Such a name is also a file name and never looks like a
/// flag. Whether it is [`RESERVED`] is for the caller to ask.
///
/// # Errors
///
/// When it is anything else.
pub fn parse_name(text: &str) -> Result<String, ValueError> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    let reason = if text.is_empty() {
        "it is empty"
    } else if text.len() > MAX_NAME {
        "it is longer than 128 bytes"
    } else if !text.bytes().all(fine) {
        "it may only hold letters, digits, dot, underscore and dash"
    } else if matches!(text, "." | "..") {
        "it names a folder"
    } else if text.starts_with('-') {
        "it starts with a dash"
    } else {
        return Ok(text.to_owned());
    };
    Err(ValueError::new("a name", text, reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_read_as_people_mean_them() {
        for (text, bytes) in [
            ("0", 0),
            ("1000", 1000),
            ("1000B", 1000),
            ("1KB", 1000),
            ("1k", 1000),
            ("1KiB", 1024),
            ("1.5MiB", 1_572_864),
            ("50GB", 50_000_000_000),
            (" 2 gib ", 2 << 30),
            ("0.5kb", 500),
            ("1.0009KB", 1000),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        assert!(parse_size("15.9999999999999999999EiB").is_ok());
        for bad in
            ["", "B", "-1", "1.2.3", ".5KB", "5.", "1e9", "16EiB", "18446744073709551616", "5 cows"]
        {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_written_short() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 KB"),
            (1_234_567, "1.2 MB"),
            (999_949, "999.9 KB"),
            (999_950, "1.0 MB"),
            (50_000_000_000, "50.0 GB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(format_size(bytes), text);
        }
    }

    #[test]
    fn ages_need_a_unit() {
        assert_eq!(parse_age("30d"), Ok(30 * 86_400));
        assert_eq!(parse_age("2 weeks"), Ok(14 * 86_400));
        assert_eq!(parse_age("1Y"), Ok(365 * 86_400));
        for bad in ["", "30", "d", "-1d", "1.5d", "30x", "99999999999999999999s", "9999999999999y"]
        {
            assert!(parse_age(bad).is_err(), "{bad}");
        }
        let message = parse_age("30").unwrap_err().to_string();
        assert_eq!(message, r#"Not an age: "30" (it has no unit)"#);
    }

    #[test]
    fn labels_and_names_keep_their_alphabets() {
        let label = parse_label("ci/branch=release=1.0 ü").unwrap();
        assert_eq!((label.name.as_str(), label.value.as_str()), ("ci/branch", "release=1.0 ü"));
        assert_eq!(parse_label("a=").unwrap().value, "");
        for bad in ["", "a", "=b", "a b=c", "a=\u{1b}[m", "ä=1"] {
            assert!(parse_label(bad).is_err(), "{bad:?}");
        }
        assert!(parse_label(&format!("a={}", "x".repeat(257))).is_err());
        for good in ["a", "v1.2-rc_3", "...", "0"] {
            assert_eq!(parse_name(good).as_deref(), Ok(good));
        }
        for bad in ["", ".", "..", "-a", "a/b", "a b", "é", &"x".repeat(129)] {
            assert!(parse_name(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn ages_come_back(secs: u64) {
            prop_assert_eq!(parse_age(&format_age(secs)), Ok(secs));
        }

        #[test]
        fn sizes_come_back_to_the_shown_digits(bytes in 0..u64::MAX / 2) {
            let back = parse_size(&format_size(bytes)).unwrap();
            prop_assert_eq!(format_size(back), format_size(bytes));
            prop_assert!(back.abs_diff(bytes) <= bytes / 18);
        }

        #[test]
        fn whole_numbers_of_a_unit_are_exact(n in 0..u64::from(u32::MAX), unit in 0..SIZES.len()) {
            let (name, scale) = SIZES[unit];
            let expected = n.checked_mul(scale);
            prop_assert_eq!(parse_size(&format!("{n}{name}")).ok(), expected);
        }

        #[test]
        fn no_text_makes_a_parser_panic(text in "\\PC*|[0-9.]{0,40} ?[a-zA-Zµ]{0,4}|.*") {
            let _ = parse_size(&text);
            let _ = parse_age(&text);
            let _ = parse_label(&text);
            let _ = parse_name(&text);
        }
    }
}
