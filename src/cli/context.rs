//! What every command has at hand: the repository, the configuration, the monitor.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use jiff::Timestamp;

use crate::config::{Color, Config, Sources};
use crate::disk::Folder;
use crate::progress::{Monitor, Problem};
use crate::repo::{CONFIG, Clock, Error, Repo, Result, STORE_DIR};

use super::progress::Progress;
use super::values::DraftArg;
use super::{CliError, Exit, Global, signals};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const CAUSE: Style = Style::new().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();

/// A fixed time instead of the system's, for tests (RFC 3339).
const TEST_CLOCK: &str = "EART_TEST_CLOCK";
/// What `--store` names, for every command; nothing where it is empty.
const STORE: &str = "EART_DIR";

/// The surroundings of one command.
pub struct Context {
    global: Global,
    clock: Clock,
    config: OnceLock<Config>,
    progress: Progress,
    problems: Mutex<Vec<Problem>>,
}

impl Context {
    pub(super) fn new(mut global: Global) -> Self {
        let named = || std::env::var_os(STORE).filter(|dir| !dir.is_empty());
        global.store = global.store.or_else(|| named().map(PathBuf::from));
        let fixed = std::env::var(TEST_CLOCK).ok().and_then(|time| time.parse().ok());
        Self {
            global,
            clock: fixed.map_or(Clock::System, Clock::Fixed),
            config: OnceLock::new(),
            progress: Progress::new(),
            problems: Mutex::default(),
        }
    }

    /// Reads the configuration and puts it in force.
    pub(super) fn configure(&self) -> std::result::Result<(), CliError> {
        let config = Config::resolve(&Sources::gather(self.config_file()?.as_deref())?)?;
        config.warnings().iter().for_each(|warning| self.warn(warning));
        if let Some(threads) = config.threads {
            // Fails only where the pool is made already, and then nobody asked for this number.
            let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        }
        let _ = self.config.set(config);
        Ok(())
    }

    /// The store's configuration file, which need not exist, if there is a store.
    ///
    /// # Errors
    ///
    /// When there is one that cannot be opened.
    pub(super) fn config_file(&self) -> Result<Option<PathBuf>> {
        match self.repo() {
            Ok(repo) => Ok(Some(repo.folder().path(CONFIG))),
            Err(Error::NoStore(_) | Error::NoStoreAt(_)) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// The configuration that is in force; the defaults where a command needs none.
    pub(super) fn config(&self) -> &Config {
        self.config.get_or_init(Config::default)
    }

    /// The folder the user is in.
    ///
    /// # Errors
    ///
    /// When it is gone.
    pub fn cwd(&self) -> Result<PathBuf> {
        std::env::current_dir().map_err(|source| Error::Source { path: ".".into(), source })
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The store folder and the working folder of `init DIR`.
    pub(super) fn place(&self, dir: Option<&Path>) -> Result<(Folder, PathBuf)> {
        let cwd = self.cwd()?;
        Ok(match (&self.global.store, dir) {
            (Some(store), _) => (Folder::new(cwd.join(store)), cwd),
            (None, Some(dir)) => (Folder::new(cwd.join(dir).join(STORE_DIR)), cwd.join(dir)),
            (None, None) => (Folder::new(cwd.join(STORE_DIR)), cwd),
        })
    }

    /// Opens the repository.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn repo(&self) -> Result<Repo> {
        let repo = match &self.global.store {
            Some(_) => {
                let (folder, work) = self.place(None)?;
                Repo::open(folder, &work).map_err(|e| match e {
                    Error::NoStore(path) => Error::NoStoreAt(path),
                    other => other,
                })?
            }
            None => Repo::discover(&self.cwd()?)?,
        };
        Ok(repo.with_clock(self.clock))
    }

    /// Name of the draft that is meant.
    pub(super) fn draft(&self, arg: &DraftArg) -> String {
        arg.draft.clone().unwrap_or_else(|| self.config().draft.clone())
    }

    /// Whether standard output takes colours.
    pub(super) fn color(&self) -> bool {
        self.colors(|| AutoStream::choice(&io::stdout()))
    }

    fn colors(&self, found: impl FnOnce() -> ColorChoice) -> bool {
        // An error of the configuration is reported before there is one.
        let configured = self.config.get().map_or(Color::Auto, |config| config.color);
        match self.global.color.map_or(configured, Color::from) {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => found() != ColorChoice::Never,
        }
    }

    /// The pager to pipe long output through, if one is wanted.
    pub(super) fn pager_command(&self) -> Option<String> {
        if self.global.no_pager {
            return None;
        }
        let named = self.config().pager.clone().or_else(|| std::env::var("PAGER").ok());
        let command = named.unwrap_or_else(|| "less".into());
        (!command.is_empty() && command != "cat").then_some(command)
    }

    /// How many problems were told.
    pub fn problems(&self) -> usize {
        self.told().len()
    }

    /// The problems that were told, in the order they came.
    pub(super) fn told(&self) -> MutexGuard<'_, Vec<Problem>> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How a command ends that came to its end: with or without problems.
    pub(super) fn exit(&self) -> Exit {
        if self.problems() > 0 { Exit::Problems } else { Exit::Done }
    }

    /// Work begins that must not be cut off in the middle: from now on a first Ctrl-C waits for it.
    pub(super) fn unwind_on_signals(&self) {
        signals::watch();
    }

    /// Says something on standard error: `label: text`.
    fn say(&self, style: Style, label: &str, text: &str) {
        let line = if self.colors(|| AutoStream::choice(&io::stderr())) {
            format!("{style}{label}:{style:#} {text}")
        } else {
            format!("{label}: {text}")
        };
        self.progress.line(&line);
    }

    /// Something worth knowing that is no problem with a file.
    pub(super) fn warn(&self, text: &str) {
        self.say(WARNING, "warning", text);
    }

    /// Something the user can do next.
    pub(super) fn hint(&self, text: &str) {
        self.say(HINT, "hint", text);
    }

    /// Shows an error, its causes and its hint.
    pub(super) fn report(&self, error: &CliError) -> Exit {
        self.progress.end();
        let mut messages = error.messages().into_iter();
        if let Some(message) = messages.next() {
            self.say(ERROR, "error", &message);
        }
        for cause in messages {
            self.say(CAUSE, "Caused by", &cause);
        }
        if let Some(hint) = error.hint() {
            self.hint(hint);
        }
        error.exit
    }
}

impl Monitor for Context {
    fn begin(&self, what: &'static str, total: Option<u64>) {
        signals::watch();
        self.progress.begin(what, total, true);
    }

    fn begin_items(&self, what: &'static str, total: Option<u64>) {
        signals::watch();
        self.progress.begin(what, total, false);
    }

    fn advance(&self, amount: u64) {
        self.progress.advance(amount);
    }

    fn end(&self) {
        self.progress.end();
    }

    fn problem(&self, problem: Problem) {
        self.warn(&format!("{} {}", problem.path, problem.what));
        self.told().push(problem);
    }

    fn interrupted(&self) -> bool {
        signals::asked()
    }
}
