//! `eart man`, hidden: writes the manual pages that are kept in `man/`.
//!
//! The pages are made of the command line itself and of the table of configuration keys, so that
//! they cannot say something else than `--help` and `eart config`; what neither knows stands here.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Command};
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use crate::cli::{CliError, Context, Exit, help};
use crate::config::KEYS;
use crate::repo::Error;

const MANUAL: &str = "eart manual";

/// The page of everything, which says what holds for every command.
const MAIN: &str = "eart";

const DESCRIPTION: &[&str] = &[
    "eart is a store for what end-to-end test runs leave behind. Files are staged into a draft with \
     `eart add`, and `eart commit` seals the draft into a run, which never changes. What two files \
     have in common is kept once, whichever runs and folders they are in, and compressed.",
    "`eart init` makes a store, the folder .eart; every command finds it from the folder it is \
     called in upwards. `eart help COMMAND` says about a command what its manual page says.",
];

const REVISIONS: &[(&str, &str)] = &[
    ("latest", "The newest run."),
    ("TAG", "The run that a tag names, see eart-tag(1)."),
    ("NAME", "The newest run of this name, as `eart commit --name NAME` gave it."),
    (
        "ID",
        "The run with this id: all of its 64 digits, or at least the first 4 if no other id begins \
         with them.",
    ),
    (
        "REVISION~N",
        "The N-th run before it; ~ alone is ~1. After the name of runs, runs of that name are \
         counted: nightly~1 is the nightly run before the newest. After latest, a tag or an id, all \
         runs are.",
    ),
    (
        "REVISION@LABEL=VALUE,...",
        "Only runs with all of these labels are looked at, also by ~N: latest@branch=main is the \
         newest run of main, latest~1@branch=main (or latest@branch=main~1) the one of main before \
         it. A value with a comma or colon stands in double quotes, which the shell has to be kept \
         from: 'latest@url=\"http://a:80\"'.",
    ),
    (
        "REVISION:PATH",
        "A path in the run, for `eart cat` and `eart ls`. Other commands take paths as arguments of \
         their own.",
    ),
];

const EXIT_STATUS: &[(&str, &str)] = &[
    ("0", "Done."),
    ("1", "It failed."),
    ("2", "It was called wrongly, or the configuration is wrong."),
    ("3", "Done, with problems that were named, such as files that could not be read."),
    ("4", "A gate said no."),
];

const EART_DIR: (&str, &str) =
    ("EART_DIR", "The store folder itself, as --store names it. If it is empty, it is not set.");

const ENVIRONMENT: &[(&str, &str)] = &[
    ("NO_COLOR", "No colours, unless --color or the key color asks for them."),
    (
        "PAGER",
        "What long output goes through on a terminal, unless the key pager says it; else less.",
    ),
];

const FILES: &[(&str, &str)] = &[
    (".eart", "The store, in the folder that `eart init` was called in."),
    (".eart/config.toml", "The store's configuration, for all who use it; see eart-config(1)."),
    (
        "$XDG_CONFIG_HOME/eart/config.toml, ~/.config/eart/config.toml",
        "Your own configuration. The store's wins over it.",
    ),
    (
        ".eartignore",
        "Names files that `eart add` leaves out, in gitignore's syntax; in any folder, for what lies \
         below it.",
    ),
];

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The folder to write the pages into
    dir: PathBuf,
}

pub(in crate::cli) fn run(_context: &Context, args: &Args) -> Result<Exit, CliError> {
    let mut eart = help::command().disable_help_subcommand(true);
    eart.build();
    fs::create_dir_all(&args.dir)
        .and_then(|()| write_pages(&eart, &args.dir))
        .map_err(|source| Error::Write { path: args.dir.clone(), source })?;
    Ok(Exit::Done)
}

/// Writes the page of a command and those of its subcommands.
fn write_pages(command: &Command, dir: &Path) -> io::Result<()> {
    for inner in subcommands(command) {
        write_pages(inner, dir)?;
    }
    let page = Page::new(command).finish();
    fs::write(dir.join(format!("{}.1", name(command))), page.render())
}

fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn subcommands(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|inner| !inner.is_hide_set())
}

/// Arguments in the order of the help.
fn arguments(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| !arg.is_hide_set())
}

/// `--help` and `--version` are of no use in a synopsis.
fn is_usual(arg: &Arg) -> bool {
    matches!(
        arg.get_action(),
        ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
    )
}

fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values()
}

fn repeats(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|number| number.max_values() > 1)
        || arg.is_positional() && matches!(arg.get_action(), ArgAction::Append)
}

/// The name of an argument's value, as the help has it.
fn value(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    let name = names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let dots = if repeats(arg) { "..." } else { "" };
    format!("{name}{dots}")
}

struct Page<'a> {
    command: &'a Command,
    name: &'a str,
    roff: Roff,
}

impl<'a> Page<'a> {
    fn new(command: &'a Command) -> Self {
        let name = name(command);
        let mut roff = Roff::new();
        let source = concat!("eart ", env!("CARGO_PKG_VERSION"));
        roff.control("TH", [&name.to_uppercase(), "1", "", source, MANUAL]);
        Self { command, name, roff }
    }

    fn finish(mut self) -> Roff {
        let is_main = self.name == MAIN;
        self.section("NAME");
        self.roff.text([roman(format!("{} - {}", self.name, about(self.command)))]);
        self.synopsis();
        let text = self.command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let (notes, examples) = match text.split_once("Examples:\n") {
            Some((notes, examples)) => (notes.trim(), examples),
            None => (text.trim(), ""),
        };
        self.description(if is_main { "" } else { notes });
        self.positionals();
        let ours = |arg: &&Arg| !arg.is_positional() && !arg.is_global_set();
        self.options("OPTIONS", arguments(self.command).filter(ours).collect());
        let global = |arg: &&Arg| arg.is_global_set();
        self.options("GLOBAL OPTIONS", arguments(self.command).filter(global).collect());
        self.commands();
        if is_main {
            self.section("REVISIONS");
            self.roff.text([roman("Commands that take a RUN take a revision:")]);
            self.list(REVISIONS);
            self.roff.control("PP", []).text([roman(
                "Where a word could mean several of these, the first in this order is meant.",
            )]);
        }
        self.section("EXIT STATUS");
        self.list(EXIT_STATUS);
        self.environment();
        self.section("FILES");
        self.list(FILES);
        self.examples(examples);
        self.see_also();
        self.roff
    }

    fn section(&mut self, title: &str) {
        self.roff.control("SH", [title]);
    }

    /// An item of a list: what it is, and what is to be said of it.
    fn item(&mut self, head: Vec<Inline>, text: &str) {
        self.roff.control("TP", []).text(head).text([roman(text)]);
    }

    fn list(&mut self, items: &[(&str, &str)]) {
        for (head, text) in items {
            self.item(vec![bold(*head)], text);
        }
    }

    fn synopsis(&mut self) {
        self.section("SYNOPSIS");
        let call = self.command.get_bin_name().unwrap_or(self.name);
        let mut line = vec![bold(call)];
        let is_main = self.name == MAIN;
        let shown = |arg: &&Arg| !is_usual(arg) && (is_main || !arg.is_global_set());
        let (positional, options): (Vec<_>, Vec<_>) =
            arguments(self.command).filter(shown).partition(|arg| arg.is_positional());
        for arg in options {
            line.push(roman(" ["));
            line.extend(flags(arg, "|"));
            let many = matches!(arg.get_action(), ArgAction::Append);
            line.push(roman(if many { "]..." } else { "]" }));
        }
        for arg in positional {
            let (open, close) = if arg.is_required_set() { (" ", "") } else { (" [", "]") };
            line.extend([roman(open), italic(value(arg)), roman(close)]);
        }
        if subcommands(self.command).next().is_some() {
            line.extend([roman(" "), italic("COMMAND"), roman(" ["), italic("ARGUMENT...")]);
            line.push(roman("]"));
        }
        self.roff.text(line);
    }

    /// What the command line says beyond the sentence of the name.
    fn description(&mut self, notes: &str) {
        let long = self.command.get_long_about().map(ToString::to_string).unwrap_or_default();
        let long = long.strip_prefix(&about(self.command)).unwrap_or(&long).trim();
        let mut paragraphs = vec![long.to_owned(), notes.to_owned()];
        if self.name == MAIN {
            paragraphs = DESCRIPTION.iter().map(ToString::to_string).collect();
        }
        paragraphs.retain(|text| !text.is_empty());
        if paragraphs.is_empty() {
            return;
        }
        self.section("DESCRIPTION");
        for text in paragraphs.iter().flat_map(|text| text.split("\n\n")) {
            self.roff.control("PP", []);
            for line in text.lines() {
                self.roff.text([roman(line)]);
            }
        }
    }

    fn positionals(&mut self) {
        let all: Vec<&Arg> = arguments(self.command).filter(|arg| arg.is_positional()).collect();
        if all.is_empty() {
            return;
        }
        self.section("ARGUMENTS");
        for arg in all {
            self.item(vec![italic(value(arg))], &explanation(arg));
        }
    }

    fn options(&mut self, title: &str, all: Vec<&Arg>) {
        if all.is_empty() {
            return;
        }
        self.section(title);
        for arg in all {
            self.item(flags(arg, ", "), &explanation(arg));
        }
    }

    fn commands(&mut self) {
        let all: Vec<_> = subcommands(self.command).collect();
        if all.is_empty() {
            return;
        }
        self.section("COMMANDS");
        for inner in all {
            self.item(vec![bold(format!("{}(1)", name(inner)))], &about(inner));
        }
    }

    fn environment(&mut self) {
        self.section("ENVIRONMENT");
        self.list(&[EART_DIR]);
        if self.name == MAIN {
            for key in KEYS {
                let text = format!("The key {} of the configuration: {}.", key.name, key.help);
                self.item(vec![bold(key.env())], &text);
            }
        } else {
            let draft = arguments(self.command).any(|arg| arg.get_id() == "draft");
            if draft {
                self.list(&[("EART_DRAFT", "The draft, where --draft does not name one.")]);
            }
            let text = "Any key of the configuration: keep.within is EART_KEEP_WITHIN. eart(1) \
                        lists them.";
            self.item(vec![bold("EART_"), italic("KEY")], text);
        }
        self.list(ENVIRONMENT);
    }

    fn examples(&mut self, examples: &str) {
        if examples.is_empty() {
            return;
        }
        self.section("EXAMPLES");
        self.roff.control("nf", []);
        for line in examples.lines() {
            self.roff.text([roman(line.trim_start())]);
        }
        self.roff.control("fi", []);
    }

    fn see_also(&mut self) {
        let inner = subcommands(self.command).map(|inner| format!("{}(1)", name(inner)));
        let main = (self.name != MAIN).then(|| format!("{MAIN}(1)"));
        let pages: Vec<String> = main.into_iter().chain(inner).collect();
        self.section("SEE ALSO");
        self.roff.text([roman(pages.join(", "))]);
    }
}

/// An option as one types it.
fn flags(arg: &Arg, between: &str) -> Vec<Inline> {
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let mut line = Vec::new();
    for name in short.into_iter().chain(long) {
        if !line.is_empty() {
            line.push(roman(between));
        }
        line.push(bold(name));
    }
    if takes_value(arg) {
        line.extend([roman(" "), italic(value(arg))]);
    }
    line
}

/// What the help says of an argument.
fn explanation(arg: &Arg) -> String {
    let mut text = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let values: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| value.get_name().to_owned())
        .collect();
    if takes_value(arg) && !values.is_empty() {
        text.push_str(&format!(" [possible values: {}]", values.join(", ")));
    }
    let defaults: Vec<_> = arg.get_default_values().iter().map(|d| d.to_string_lossy()).collect();
    if takes_value(arg) && !defaults.is_empty() && !arg.is_hide_default_value_set() {
        text.push_str(&format!(" [default: {}]", defaults.join(", ")));
    }
    text
}
