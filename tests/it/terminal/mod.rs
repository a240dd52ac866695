//! What is different on a terminal: the pager, colours and the progress bar.

mod colors;
mod pager;
mod progress;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};

use crate::env::TestEnv;

/// A terminal of 80 columns, seen from the side of its user.
struct Terminal {
    keys: File,
    programs: OwnedFd,
    screen: Arc<Screen>,
    reader: JoinHandle<()>,
}

/// Every byte that was written to the terminal.
#[derive(Default)]
struct Screen {
    bytes: Mutex<Vec<u8>>,
    more: Condvar,
}

impl Terminal {
    fn new() -> Self {
        let user = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&user).unwrap();
        unlockpt(&user).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let programs = open(ptsname(&user, []).unwrap(), flags, Mode::empty()).unwrap();
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&user, size).unwrap();
        let keys = File::from(user);
        let (mut output, screen) = (keys.try_clone().unwrap(), Arc::new(Screen::default()));
        let shown = screen.clone();
        let reader = std::thread::spawn(move || {
            let mut part = [0; 4096];
            // Once the last program has closed it, reading fails.
            while let Ok(len @ 1..) = output.read(&mut part) {
                shown.bytes.lock().unwrap().extend_from_slice(&part[..len]);
                shown.more.notify_all();
            }
        });
        Self { keys, programs, screen, reader }
    }

    /// The terminal as a program's input or output.
    fn stdio(&self) -> Stdio {
        self.programs.try_clone().unwrap().into()
    }

    fn modes(&self) -> Termios {
        tcgetattr(&self.programs).unwrap()
    }

    fn press(&mut self, keys: &[u8]) {
        self.keys.write_all(keys).unwrap();
    }

    /// Waits until this text was written.
    #[track_caller]
    fn wait_for(&self, text: &str) {
        let missing = |bytes: &mut Vec<u8>| !String::from_utf8_lossy(bytes).contains(text);
        let (bytes, limit) = (self.screen.bytes.lock().unwrap(), Duration::from_secs(60));
        let (bytes, late) = self.screen.more.wait_timeout_while(bytes, limit, missing).unwrap();
        assert!(!late.timed_out(), "no {text:?} in {:?}", String::from_utf8_lossy(&bytes));
    }

    /// Everything that was written, once all programs have ended.
    fn close(self) -> String {
        drop(self.programs);
        self.reader.join().unwrap();
        let bytes = self.screen.bytes.lock().unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// A store with a run, used on a terminal that knows colours.
fn store() -> TestEnv {
    let env = TestEnv::new();
    env.set("TERM", "xterm");
    env.write("out/results.json", "{}");
    env.eart(["add", "out"]).done();
    env.eart(["commit", "--name", "nightly"]).done();
    env
}

/// `eart` in a session of its own, whose Ctrl-C comes from the terminal that is its input.
fn session(env: &TestEnv, args: &[&str]) -> Command {
    let eart = env.command();
    let mut session = Command::new("setsid");
    session.arg("--ctty").arg(eart.get_program()).args(args).current_dir(env.work()).env_clear();
    let set = eart.get_envs().filter_map(|(name, value)| Some((name, value?)));
    session.envs(set);
    session
}

/// What a command writes on standard output when that is a terminal.
fn shown(env: &TestEnv, args: &[impl AsRef<OsStr>]) -> String {
    let (text, told) = shown_and_told(env, args);
    assert!(told.is_empty(), "{told}");
    text
}

/// The same, with what it writes on standard error.
fn shown_and_told(env: &TestEnv, args: &[impl AsRef<OsStr>]) -> (String, String) {
    let terminal = Terminal::new();
    let child = env.command().args(args).stdout(terminal.stdio()).stderr(Stdio::piped()).spawn();
    let output = child.unwrap().wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{:?} {told}", output.status);
    (terminal.close(), told)
}
