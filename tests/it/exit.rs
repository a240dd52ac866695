//! How commands end when something ends them: signals and closed pipes.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::env::TestEnv;

/// An `add` that is in the middle of its work: it has begun to write, and reads a file that has no
/// end in sight.
fn busy(env: &TestEnv) -> Child {
    let mut state = 1u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(0x915f_77f5).wrapping_add(1);
        (state >> 24) as u8
    });
    env.write("out/a-noise", noise.take(8 << 20).collect::<Vec<u8>>());
    File::create(env.path("out/huge")).unwrap().set_len(1 << 40).unwrap();
    let mut command = env.command();
    let mut child = command.args(["add", "out"]).stderr(Stdio::piped()).spawn().unwrap();
    let started = Instant::now();
    while fs::read_dir(env.path(".eart/tmp")).unwrap().count() == 0 {
        if started.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("it never began to write");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

fn send(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn a_signal_ends_the_work_and_leaves_nothing_behind() {
    for (signal, number) in [("-INT", 2), ("-TERM", 15), ("-HUP", 1)] {
        let env = TestEnv::new();
        let mut child = busy(&env);
        send(&child, signal);
        let status = child.wait().unwrap();
        // A shell shows 128 + number.
        assert_eq!(status.signal(), Some(number));
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "error: Interrupted\n");
        assert_eq!(fs::read_dir(env.path(".eart/tmp")).unwrap().count(), 0);
        assert!(env.eart(["status"]).done().contains("Nothing staged"));
    }
}

#[test]
fn a_reader_that_went_away_is_no_failure() {
    let env = TestEnv::new();
    let mut child = env.command();
    let child = child.args(["completions", "zsh"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn a_closed_standard_error_is_no_failure() {
    let env = TestEnv::new();
    let shell = format!("{} status nowhere 2>&-", env!("CARGO_BIN_EXE_eart"));
    let status = Command::new("sh").args(["-c", &shell]).current_dir(env.work()).status().unwrap();
    assert_eq!(status.code(), Some(2));
}

#[test]
fn a_full_standard_output_is_not_the_stores_trouble() {
    let env = TestEnv::new();
    env.write("a", "a");
    env.eart(["add", "a"]).done();
    env.eart(["commit"]).done();
    for args in [&["log"][..], &["cat", "latest:a"], &["show", "--json"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = env.command().args(args).stdout(full).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(said.starts_with("error: Could not write standard output\n"), "{said}");
        assert!(!said.contains("hint"), "{said}");
    }
}
