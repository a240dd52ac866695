//! The progress bar: on standard error, on a terminal, while work is long.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use eart::disk::{Folder, Lock, LockMode};

use super::{Terminal, store};
use crate::env::TestEnv;

/// What gc shows while it waits for those who add.
const BAR: &str = "Looking";
/// Takes a line away.
const CLEAR: &str = "\u{1b}[2K";

fn gc(env: &TestEnv, stderr: Stdio) -> Child {
    let mut command = env.command();
    command.args(["gc", "--keep", "1", "--json"]).stdout(Stdio::piped()).stderr(stderr);
    command.spawn().unwrap()
}

/// Keeps gc waiting.
fn hold(env: &TestEnv) -> Lock {
    Folder::new(env.path(".eart")).lock("lock", LockMode::Exclusive).unwrap()
}

#[test]
fn long_work_shows_a_bar_on_a_terminal_and_takes_it_away() {
    let (plain, drawn) = (store(), store());
    let hold =
        |env: &TestEnv| Folder::new(env.path(".eart")).lock("lock", LockMode::Exclusive).unwrap();
    let locks = (hold(&plain), hold(&drawn));
    let terminal = Terminal::new();
    // The one without a terminal has waited longer when the other shows its bar.
    let without = gc(&plain, Stdio::piped());
    let with = gc(&drawn, terminal.stdio());
    terminal.wait_for(BAR);
    drop(locks);
    let without = without.wait_with_output().unwrap();
    assert!(without.status.success() && without.stderr.is_empty(), "{without:?}");
    let with = with.wait_with_output().unwrap();
    assert!(with.status.success(), "{with:?}");
    serde_json::from_slice::<serde_json::Value>(&with.stdout).unwrap();
    let screen = terminal.close();
    let (_, left) = screen.rsplit_once(CLEAR).unwrap();
    assert_eq!(left.trim(), "", "{screen:?}");
}

#[test]
fn work_that_is_done_soon_shows_nothing() {
    let env = store();
    // A machine with much to do may take longer than the quarter of a second that says nothing.
    for _ in 0..100 {
        let terminal = Terminal::new();
        let (lock, start) = (hold(&env), Instant::now());
        let child = gc(&env, terminal.stdio());
        std::thread::sleep(Duration::from_millis(100));
        drop(lock);
        let output = child.wait_with_output().unwrap();
        let quick = start.elapsed() < Duration::from_millis(250);
        assert!(output.status.success(), "{output:?}");
        let screen = terminal.close();
        if quick {
            assert_eq!(screen, "");
            return;
        }
    }
    panic!("gc was never quick");
}
