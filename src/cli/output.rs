//! What commands print on standard output: JSON where it was asked for, else text, through a pager
//! and with colours only on a terminal.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::process::{Child, Command, Stdio};

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::{CliError, Context, Exit};
use crate::progress::Monitor;

/// Identifies a run.
pub(super) const ID: Style = AnsiColor::Yellow.on_default();
/// Something that is new or good.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// Something that is gone or bad.
pub(super) const BAD: Style = AnsiColor::Red.on_default();
/// A name: tag, label, path of interest.
pub(super) const NAME: Style = AnsiColor::Cyan.on_default();
/// Something of less interest.
pub(super) const DIM: Style = Style::new().dimmed();
/// A heading.
pub(super) const BOLD: Style = Style::new().bold();

/// A number of things: `1 file`, `2 files`.
pub(super) fn count(number: u64, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

/// A moment in the local time zone, to the second.
pub(super) fn time(moment: Timestamp) -> String {
    moment.to_zoned(TimeZone::system()).strftime("%F %T").to_string()
}

/// A text of somebody else without what could move the cursor or change colours.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// `--json`, for commands that return data.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Json {
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// What was done to a draft, as JSON.
#[derive(Serialize)]
pub(super) struct Drafted<'a, T> {
    /// The draft's name.
    pub(super) draft: &'a str,
    #[serde(flatten)]
    pub(super) done: T,
}

/// Where a command writes its text.
pub(super) struct Text<'a> {
    out: &'a mut dyn Write,
    color: bool,
}

impl Text<'_> {
    /// A value in a style, or as it is where there are no colours.
    pub(super) fn paint(&self, style: Style, value: impl Display) -> String {
        if self.color { format!("{style}{value}{style:#}") } else { value.to_string() }
    }
}

impl Write for Text<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Context {
    /// Prints `value` as JSON if that was asked for, else what `text` writes.
    ///
    /// # Errors
    ///
    /// When standard output cannot be written. A reader that went away is no error.
    pub(super) fn show(
        &self,
        json: Json,
        value: &impl Serialize,
        text: impl FnOnce(&mut Text<'_>) -> io::Result<()>,
    ) -> Result<Exit, CliError> {
        if json.json {
            return self.print(|out| {
                serde_json::to_writer_pretty(&mut *out, value).map_err(io::Error::from)?;
                writeln!(out)
            });
        }
        self.print(text)
    }

    /// Prints what `text` writes.
    ///
    /// # Errors
    ///
    /// As [`Context::show`].
    pub(super) fn print(
        &self,
        text: impl FnOnce(&mut Text<'_>) -> io::Result<()>,
    ) -> Result<Exit, CliError> {
        self.end();
        let mut out = io::BufWriter::with_capacity(64 << 10, io::stdout().lock());
        quiet(text(&mut Text { out: &mut out, color: self.color() }).and_then(|()| out.flush()))
    }

    /// As [`Context::print`], through the pager when standard output is a terminal.
    ///
    /// # Errors
    ///
    /// As [`Context::show`].
    pub(super) fn page(
        &self,
        mut text: impl FnMut(&mut Text<'_>) -> io::Result<()>,
    ) -> Result<Exit, CliError> {
        let Some(mut pager) = self.pager() else { return self.print(text) };
        let Some(pipe) = pager.stdin.take() else { return self.print(text) };
        let mut out = io::BufWriter::new(pipe);
        let written =
            text(&mut Text { out: &mut out, color: self.color() }).and_then(|()| out.flush());
        drop(out);
        // So ends a shell that cannot start its command: nobody has seen anything.
        if pager.wait().is_ok_and(|status| matches!(status.code(), Some(126 | 127))) {
            self.warn("the pager cannot be started; see `eart config pager`");
            return self.print(text);
        }
        quiet(written)
    }

    fn pager(&self) -> Option<Child> {
        if !io::stdout().is_terminal() {
            return None;
        }
        let command = self.pager_command()?;
        super::signals::leave_interrupts_to_the_pager();
        Command::new("sh")
            .args(["-c", &command])
            .env("LESS", std::env::var("LESS").unwrap_or_else(|_| "FRX".into()))
            .stdin(Stdio::piped())
            .spawn()
            .ok()
    }
}

/// A reader that has seen enough closes the pipe; that ends the output and is no failure.
fn quiet(written: io::Result<()>) -> Result<Exit, CliError> {
    match written {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(crate::repo::Error::Output(e).into())
        }
        _ => Ok(Exit::Done),
    }
}
