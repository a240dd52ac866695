//! A bar on standard error while work is long, and the problems that are told above it.
//!
//! One thread draws, ten times a second, from a counter that the workers add to: telling progress
//! costs them one atomic addition. Nothing is drawn in the first 250 ms, nor where standard error is
//! no terminal.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// Work that is done before this needs no bar.
const DELAY: Duration = Duration::from_millis(250);
/// Time between two drawings; 30 a second would be the most.
const TICK: Duration = Duration::from_millis(100);

/// The bar of one command.
pub(super) struct Progress {
    shared: Arc<Shared>,
    drawer: Mutex<Option<Drawer>>,
    terminal: bool,
}

struct Shared {
    done: AtomicU64,
    stretch: Mutex<Stretch>,
}

/// The stretch of work that is going on. Whoever writes to the terminal holds its lock.
#[derive(Default)]
struct Stretch {
    work: Option<Work>,
    /// There once the delay has passed.
    bar: Option<ProgressBar>,
}

#[derive(Clone, Copy)]
struct Work {
    what: &'static str,
    total: Option<u64>,
    bytes: bool,
}

struct Drawer {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            shared: Arc::new(Shared { done: AtomicU64::new(0), stretch: Mutex::default() }),
            drawer: Mutex::new(None),
            terminal: io::stderr().is_terminal(),
        }
    }

    /// A stretch of work begins; what was shown of the one before goes.
    pub(super) fn begin(&self, what: &'static str, total: Option<u64>, bytes: bool) {
        if !self.terminal {
            return;
        }
        let mut stretch = lock(&self.shared.stretch);
        stretch.clear();
        self.shared.done.store(0, Relaxed);
        stretch.work = Some(Work { what, total, bytes });
        drop(stretch);
        lock(&self.drawer).get_or_insert_with(|| Drawer::start(self.shared.clone()));
    }

    /// So much more of it is done.
    pub(super) fn advance(&self, amount: u64) {
        self.shared.done.fetch_add(amount, Relaxed);
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        lock(&self.shared.stretch).clear();
    }

    /// Writes whole lines to standard error, above the bar.
    pub(super) fn line(&self, text: &str) {
        let stretch = lock(&self.shared.stretch);
        // Nobody is left to be told that standard error is closed.
        let write = || drop(writeln!(io::stderr().lock(), "{text}"));
        match &stretch.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(drawer) = lock(&self.drawer).take() {
            drop(drawer.stop);
            let _ = drawer.thread.join();
        }
        self.end();
    }
}

impl Stretch {
    fn clear(&mut self) {
        self.work = None;
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn draw(&mut self, done: u64) {
        let Some(work) = self.work else { return };
        let bar = self.bar.get_or_insert_with(|| bar(work));
        bar.set_position(done);
        bar.tick();
    }
}

impl Drawer {
    fn start(shared: Arc<Shared>) -> Self {
        let (stop, stopped) = channel();
        let thread = std::thread::spawn(move || {
            let mut wait = DELAY;
            while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                wait = TICK;
                lock(&shared.stretch).draw(shared.done.load(Relaxed));
            }
        });
        Self { stop, thread }
    }
}

fn bar(work: Work) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(work.total, ProgressDrawTarget::stderr_with_hz(30));
    let template = match (work.total, work.bytes) {
        (Some(_), true) => {
            "{msg} [{bar:30}] {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}"
        }
        (Some(_), false) => "{msg} [{bar:30}] {human_pos}/{human_len} {eta}",
        (None, true) => "{spinner} {msg} {decimal_bytes} {decimal_bytes_per_sec}",
        (None, false) => "{spinner} {msg}{count}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> ").with_key("count", count));
    }
    bar.with_message(work.what)
}

/// What is done, where anything is counted at all.
fn count(state: &ProgressState, out: &mut dyn fmt::Write) {
    if state.pos() > 0 {
        let _ = write!(out, " {}", HumanCount(state.pos()));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
