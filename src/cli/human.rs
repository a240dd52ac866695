//! What several commands show of runs and files, as people read it.

use jiff::Timestamp;

use super::output::{BAD, DIM, GOOD, Text, count, printable};
use crate::manifest::{Mtime, Status};

/// A file's time as a moment; `None` for what lies outside the calendar.
pub(super) fn moment(mtime: Mtime) -> Option<Timestamp> {
    Timestamp::new(mtime.secs, i32::try_from(mtime.nanos).ok()?).ok()
}

/// A status in its colour, `width` wide; `-` where none was declared.
pub(super) fn status(out: &Text<'_>, status: Option<Status>, width: usize) -> String {
    let style = match status {
        Some(Status::Passed) => GOOD,
        Some(Status::Failed | Status::Error) => BAD,
        Some(Status::Unknown) | None => DIM,
    };
    out.paint(style, format_args!("{:<width$}", status.map_or("-", Status::name)))
}

/// The first line of a message that is not empty.
pub(super) fn first_line(text: &str) -> String {
    printable(text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default())
}

/// Files and links by their numbers; links only where there are some.
pub(super) fn files_and_links(files: u64, links: u64) -> String {
    match (files, links) {
        (_, 0) => count(files, "file", "files"),
        (0, _) => count(links, "link", "links"),
        _ => format!("{}, {}", count(files, "file", "files"), count(links, "link", "links")),
    }
}

/// The width of the widest text.
pub(super) fn width<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> usize {
    texts.into_iter().map(|text| text.as_ref().chars().count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_shown_as_one_harmless_line() {
        assert_eq!(first_line("\n  Fix it \u{1b}[31m\nmore"), "Fix it \u{fffd}[31m");
        assert_eq!(first_line(""), "");
        assert_eq!(width(["ä", "ab", ""]), 2);
    }
}
