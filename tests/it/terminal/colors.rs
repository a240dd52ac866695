//! Colours are for terminals, and for those who want them.

use std::process::Stdio;

use super::{Terminal, shown, store};

const ESCAPE: char = '\u{1b}';

#[test]
fn output_has_colours_only_on_a_terminal() {
    let env = store();
    let plain = env.eart(["log", "--no-pager"]);
    assert!(!plain.stdout.contains(ESCAPE), "{plain}");
    assert!(shown(&env, &["log", "--no-pager"]).contains(ESCAPE));
    // What was said explicitly holds either way.
    assert!(!shown(&env, &["log", "--no-pager", "--color", "never"]).contains(ESCAPE));
    assert!(env.eart(["log", "--color", "always"]).stdout.contains(ESCAPE));
    // JSON is for programs.
    assert!(!shown(&env, &["log", "--no-pager", "--json"]).contains(ESCAPE));
}

#[test]
fn no_colours_where_nobody_wants_them_or_the_terminal_has_none() {
    for (name, value) in [("NO_COLOR", "1"), ("EART_COLOR", "never"), ("TERM", "dumb")] {
        let env = store();
        env.set(name, value);
        assert!(!shown(&env, &["log", "--no-pager"]).contains(ESCAPE), "{name}");
        let explicit = shown(&env, &["log", "--no-pager", "--color", "always"]);
        assert!(explicit.contains(ESCAPE), "{name}");
    }
}

#[test]
fn messages_have_colours_where_standard_error_is_a_terminal() {
    for (no_color, colored) in [("", true), ("1", false)] {
        let env = store();
        env.set("NO_COLOR", no_color);
        let terminal = Terminal::new();
        let child = env
            .command()
            .args(["show", "nobody"])
            .stdout(Stdio::piped())
            .stderr(terminal.stdio())
            .spawn()
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), &output.stdout[..]), (Some(1), &b""[..]));
        let told = terminal.close();
        assert!(told.contains("No run \"nobody\""), "{told}");
        assert_eq!(told.contains(ESCAPE), colored, "{told}");
    }
}
