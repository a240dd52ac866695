//! The list of commands as `eart --help` shows it: in groups, by what somebody wants to do.

use clap::{Command, CommandFactory};

use super::Cli;

/// Every command that is shown stands in one group.
const GROUPS: &[(&str, &[&str])] = &[
    ("Start", &["init", "config"]),
    ("Stage and commit", &["add", "status", "reset", "commit", "draft"]),
    ("Look at runs", &["log", "show", "ls", "cat", "diff", "find", "stats"]),
    ("Name and keep runs", &["tag", "pin", "unpin"]),
    ("Get files back", &["checkout"]),
    ("Look after the store", &["rm", "gc", "fsck"]),
    ("More", &["completions", HELP]),
];

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 done with
problems that were named, 4 a gate said no.
`eart help COMMAND` says more about a command.";

/// What clap makes of its own accord.
const HELP: &str = "help";

/// The command line, ready to parse.
pub(super) fn command() -> Command {
    let cli = Cli::command();
    let groups = groups(&cli);
    cli.after_help(EXIT_CODES).help_template(format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n\n{groups}{{options}}{{after-help}}"
    ))
}

fn groups(cli: &Command) -> String {
    let (header, literal) = (*cli.get_styles().get_header(), *cli.get_styles().get_literal());
    let width = cli.get_subcommands().map(|c| c.get_name().len()).max().unwrap_or(0);
    let mut text = String::new();
    for (heading, names) in GROUPS {
        let about = |name: &&'static str| match *name {
            HELP => Some((HELP, "Say more about a command".to_owned())),
            name => Some((name, cli.find_subcommand(name)?.get_about()?.to_string())),
        };
        let commands: Vec<_> = names.iter().filter_map(about).collect();
        if commands.is_empty() {
            continue;
        }
        text.push_str(&format!("{header}{heading}:{header:#}\n"));
        for (name, about) in commands {
            text.push_str(&format!("  {literal}{name:width$}{literal:#}  {about}\n"));
        }
        text.push('\n');
    }
    text.push_str(&format!("{header}Options:{header:#}\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_that_is_shown_stands_in_one_group() {
        let mut cli = Cli::command();
        cli.clone().debug_assert();
        cli.build();
        for command in cli.get_subcommands().filter(|c| !c.is_hide_set()) {
            let all = GROUPS.iter().flat_map(|(_, names)| names.iter());
            let found = all.filter(|name| **name == command.get_name()).count();
            assert_eq!(found, 1, "{}", command.get_name());
        }
    }
}
