//! Moments as people write them, for `--since` and `--until`. Touches nothing but text and the
//! system's time zone.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::value::{ValueError, parse_age};

/// The moment that `text` means, seen from `now` in the system's time zone.
///
/// Understood are `now`, `today` and `yesterday` (their first moment), an age before now (`2d`,
/// `2d ago`, `2 weeks ago`), RFC 3339 (`2026-05-01T12:00:00Z`), and `2026-05-01`, optionally with
/// a time (`2026-05-01 12:30`), in the local zone. A day without a time is its first moment.
///
/// # Errors
///
/// When the text is none of these, or a moment outside the years -9999 to 9999.
pub fn parse_when(text: &str, now: Timestamp) -> Result<Timestamp, ValueError> {
    when_in(text, now, &TimeZone::system())
}

fn when_in(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, ValueError> {
    let wrong = |reason: &'static str| ValueError::new("a moment", text, reason);
    let outside = || wrong("it lies outside the calendar");
    let body = text.trim();
    let day = || now.to_zoned(zone.clone()).start_of_day();
    match body {
        "now" => return Ok(now),
        "today" => return day().map(|z| z.timestamp()).map_err(|_| outside()),
        "yesterday" => {
            let day = day().and_then(|z| z.yesterday()).and_then(|z| z.start_of_day());
            return day.map(|z| z.timestamp()).map_err(|_| outside());
        }
        _ => {}
    }
    let age = body.strip_suffix("ago").map_or(body, str::trim_end);
    if let Ok(secs) = parse_age(age) {
        let secs = i64::try_from(secs).map_err(|_| outside())?;
        return now.checked_sub(SignedDuration::from_secs(secs)).map_err(|_| outside());
    }
    if let Ok(moment) = body.parse::<Timestamp>() {
        return Ok(moment);
    }
    let local: DateTime = body.parse().map_err(|_| {
        wrong("write 2026-05-01, 2026-05-01 12:30, an RFC 3339 time, today, yesterday, or an age such as 2d")
    })?;
    local.to_zoned(zone.clone()).map(|z| z.timestamp()).map_err(|_| outside())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Result<String, ValueError> {
        let now: Timestamp = "2026-05-10T14:30:00Z".parse().unwrap();
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        when_in(text, now, &zone).map(|t| t.to_string())
    }

    #[test]
    fn moments_are_read_in_the_local_zone() {
        for (text, moment) in [
            ("now", "2026-05-10T14:30:00Z"),
            ("today", "2026-05-09T22:00:00Z"),
            ("yesterday", "2026-05-08T22:00:00Z"),
            ("2d", "2026-05-08T14:30:00Z"),
            ("2d ago", "2026-05-08T14:30:00Z"),
            ("90 minutes ago", "2026-05-10T13:00:00Z"),
            ("2026-01-02", "2026-01-01T23:00:00Z"),
            ("2026-05-01 12:30", "2026-05-01T10:30:00Z"),
            ("2026-05-01T12:30:15", "2026-05-01T10:30:15Z"),
            ("2026-05-01T12:30:15Z", "2026-05-01T12:30:15Z"),
            ("2026-05-01T12:30:15+02:00", "2026-05-01T10:30:15Z"),
        ] {
            assert_eq!(at(text).as_deref(), Ok(moment), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for bad in ["", "ago", "soon", "2026-13-01", "30", "2026-02-30", "999999y", "12:30"] {
            assert!(at(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*|[0-9]{1,20} ?[smhdwy]( ago)?|-?[0-9]{4,6}-[0-9]{2}-[0-9]{2}.*") {
            let _ = at(&text);
        }
    }
}
