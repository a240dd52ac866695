//! Long output on a terminal goes through a pager, and how the two end together.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};

use super::{Terminal, session, shown, shown_and_told, store};
use crate::env::TestEnv;

/// A pager as `less` is one: it takes the terminal over, reads keys from it, goes on after Ctrl-C,
/// and gives the terminal back when it is left with q.
const PAGER: &str = "#!/bin/sh
saved=$(stty -g </dev/tty)
trap 'echo \"[goes on]\"' INT
stty -echo </dev/tty
cat
echo '[end]'
until [ \"$key\" = q ]; do
  read -r key
done </dev/tty
stty \"$saved\" </dev/tty
echo '[left]'
";

fn with_pager(text: &str) -> TestEnv {
    let env = store();
    env.write("pager", text);
    fs::set_permissions(env.path("pager"), fs::Permissions::from_mode(0o755)).unwrap();
    env.set("EART_PAGER", "./pager");
    env
}

/// `eart log`, as the one who reads keys.
fn paged(env: &TestEnv, terminal: &Terminal) -> Child {
    let mut session = session(env, &["log"]);
    session.stdin(terminal.stdio()).stdout(terminal.stdio()).stderr(Stdio::piped());
    session.spawn().unwrap()
}

#[test]
fn output_goes_through_the_pager_only_on_a_terminal() {
    let env = store();
    env.set("PAGER", "sed s/^/PAGER:/");
    let through = |text: &str, pager: &str| text.lines().all(|line| line.starts_with(pager));
    let text = shown(&env, &["log"]);
    assert!(text.contains("nightly") && through(&text, "PAGER:"), "{text}");
    env.set("EART_PAGER", "sed s/^/OURS:/");
    let text = shown(&env, &["log"]);
    assert!(text.contains("nightly") && through(&text, "OURS:"), "{text}");
    // Not in a pipe, nor when the user or the pager says so.
    let direct = env.eart(["log"]).done();
    assert!(direct.contains("nightly") && !direct.contains("OURS:"), "{direct}");
    assert!(!shown(&env, &["log", "--no-pager"]).contains("OURS:"));
    env.set("EART_PAGER", "cat");
    assert!(!shown(&env, &["log"]).contains("OURS:"));
}

#[test]
fn output_comes_all_the_same_when_the_pager_cannot_be_started() {
    let env = store();
    for pager in ["no-such-pager -R", "/"] {
        env.set("EART_PAGER", pager);
        let (text, told) = shown_and_told(&env, &["log"]);
        assert!(text.contains("nightly"), "{pager}: {text}");
        assert!(told.contains("warning: the pager cannot be started"), "{pager}: {told}");
    }
}

#[test]
fn a_pager_that_is_left_early_is_no_failure() {
    // More than fits into a pipe.
    let env = with_pager("#!/bin/sh\nread line\necho \"$line\"\n");
    for n in 0..4000 {
        env.write(format!("many/with-a-name-that-is-rather-long-{n}.txt"), "");
    }
    env.eart(["add", "many"]).done();
    env.eart(["commit"]).done();
    assert!(env.eart(["ls", "latest", "-r"]).stdout.len() > 100_000);
    let text = shown(&env, &["ls", "latest", "-r"]);
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn ctrl_c_is_the_pagers_and_the_terminal_is_as_it_was() {
    let env = with_pager(PAGER);
    let mut terminal = Terminal::new();
    let before = format!("{:?}", terminal.modes());
    let child = paged(&env, &terminal);
    terminal.wait_for("[end]");
    assert_ne!(format!("{:?}", terminal.modes()), before);
    terminal.press(b"\x03");
    terminal.wait_for("[goes on]");
    terminal.press(b"q\n");
    let output = child.wait_with_output().unwrap();
    // Whoever waits for eart finds the terminal as it was.
    assert_eq!(format!("{:?}", terminal.modes()), before);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let text = terminal.close();
    assert!(text.contains("nightly") && text.contains("[left]"), "{text}");
}

#[test]
fn ctrl_c_that_ends_the_pager_ends_eart_quietly() {
    let env = with_pager("#!/bin/sh\necho '[begun]'\nexec sleep 1000\n");
    let mut terminal = Terminal::new();
    let child = paged(&env, &terminal);
    terminal.wait_for("[begun]");
    terminal.press(b"\x03");
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}
