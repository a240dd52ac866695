//! A place of its own for every test: its own home, no inherited variables, a fixed clock, and
//! output in which everything that differs from run to run has a name.

#![allow(dead_code)]

use std::cell::{Cell, RefCell};
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use tempfile::TempDir;

/// A folder to work in and the `eart` that was built.
pub struct TestEnv {
    root: TempDir,
    vars: RefCell<Vec<(String, String)>>,
    /// Seconds after the start of 2026 that the next command sees.
    clock: Cell<u64>,
    /// Digits of the ids that were shown, in the order they came.
    ids: RefCell<Vec<String>>,
}

impl TestEnv {
    /// A working folder without a store.
    pub fn bare() -> Self {
        let root = tempfile::Builder::new().prefix("eart-test-").tempdir().unwrap();
        for dir in ["work", "home"] {
            fs::create_dir(root.path().join(dir)).unwrap();
        }
        Self { root, vars: RefCell::default(), clock: Cell::new(0), ids: RefCell::default() }
    }

    /// A working folder with a store.
    pub fn new() -> Self {
        let env = Self::bare();
        env.eart(["init"]).done();
        env
    }

    /// The working folder.
    pub fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    /// Something in the working folder.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.work().join(name)
    }

    /// The user's home.
    pub fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// Sets a variable for the commands to come.
    pub fn set(&self, name: &str, value: impl Into<String>) {
        self.vars.borrow_mut().push((name.into(), value.into()));
    }

    /// Writes a file of the working folder, and the folders above it.
    pub fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// The content of a file of the working folder.
    pub fn read(&self, name: impl AsRef<Path>) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Waits until files that were written before are old enough to be told by their times.
    pub fn settle(&self) {
        std::thread::sleep(Duration::from_millis(80));
    }

    /// The command, to be run in another way than [`TestEnv::eart`] does.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eart"));
        let time = self.clock.get();
        self.clock.set(time + 1);
        command
            .current_dir(self.work())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home())
            .env("TZ", "UTC")
            .env("LC_ALL", "C.UTF-8")
            .env("EART_TEST_CLOCK", format!("2026-01-01T00:{:02}:{:02}Z", time / 60, time % 60))
            .envs(self.vars.borrow().iter().cloned());
        command
    }

    /// Runs `eart` in the working folder.
    pub fn eart(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Output {
        self.run(self.command().args(args))
    }

    /// Runs `eart` in a folder below the working folder.
    pub fn eart_in(
        &self,
        dir: impl AsRef<Path>,
        args: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Output {
        self.run(self.command().current_dir(self.path(dir)).args(args))
    }

    /// Runs a command that [`TestEnv::command`] began.
    pub fn run(&self, command: &mut Command) -> Output {
        let output = command.output().unwrap();
        Output {
            status: output.status,
            stdout: self.normal(&output.stdout),
            stderr: self.normal(&output.stderr),
            raw: output.stdout,
        }
    }

    /// Text with names for what differs from run to run: `$ROOT` for the test's folder, `{id1}` for
    /// the first id that was shown, `{N}` for stored bytes.
    fn normal(&self, text: &[u8]) -> String {
        let text = String::from_utf8_lossy(text);
        let real = self.root.path().canonicalize().unwrap();
        let text = text.replace(real.to_str().unwrap(), "$ROOT");
        let text = text.replace(self.root.path().to_str().unwrap(), "$ROOT");
        let text = without_stored_bytes(&text);
        let mut out = String::new();
        let mut word = String::new();
        for c in text.chars().map(Some).chain([None]) {
            match c {
                Some(c) if c.is_ascii_alphanumeric() => word.push(c),
                other => {
                    out.push_str(&self.id(&word).unwrap_or(std::mem::take(&mut word)));
                    word.clear();
                    out.extend(other);
                }
            }
        }
        out
    }

    fn id(&self, word: &str) -> Option<String> {
        let hex = word.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !hex || !matches!(word.len(), 12 | 64) {
            return None;
        }
        let mut ids = self.ids.borrow_mut();
        let place = ids.iter().position(|id| id == &word[..12]).unwrap_or_else(|| {
            ids.push(word[..12].to_owned());
            ids.len() - 1
        });
        Some(format!("{{id{}}}", place + 1))
    }
}

/// How many bytes the store grew by is for compression to decide, not for these tests; that it
/// grew by none is not.
fn without_stored_bytes(text: &str) -> String {
    let line = |line: &str| {
        let (before, after) = match (line.split_once("; "), line.split_once("\"new_bytes\": ")) {
            (Some((_, new)), _) if !new.ends_with(" new in the store") => return line.to_owned(),
            (Some((before, new)), _) if !new.starts_with("0 B ") => {
                (before, "; {N} new in the store")
            }
            (_, Some((before, number))) if !number.starts_with('0') => {
                (before, "\"new_bytes\": {N},")
            }
            _ => return line.to_owned(),
        };
        format!("{before}{after}")
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// What a command left behind.
#[must_use]
pub struct Output {
    status: ExitStatus,
    /// Standard output, normalised.
    pub stdout: String,
    /// Standard error, normalised.
    pub stderr: String,
    /// Standard output as it was.
    pub raw: Vec<u8>,
}

impl Output {
    /// The exit code; -1 after a signal.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or(-1)
    }

    /// Exit code 0 and a quiet standard error; returns standard output.
    #[track_caller]
    pub fn done(self) -> String {
        assert!(self.status.success() && self.stderr.is_empty(), "{self}");
        self.stdout
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.raw).unwrap_or_else(|e| panic!("{e}\n{self}"))
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stdout)?;
        if !self.stderr.is_empty() {
            write!(f, "--- stderr\n{}", self.stderr)?;
        }
        match (self.status.code(), self.status.signal()) {
            (Some(0), _) => Ok(()),
            (Some(code), _) => write!(f, "--- exit {code}"),
            (None, signal) => write!(f, "--- signal {}", signal.unwrap_or_default()),
        }
    }
}
