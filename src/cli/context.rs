//! What every command has at hand: the repository, the configuration, the monitor.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::disk::Folder;
use crate::progress::{Monitor, Problem};
use crate::repo::{Error, Repo, Result, STORE_DIR};

use super::Global;

/// The surroundings of one command.
pub struct Context {
    global: Global,
    problems: AtomicUsize,
}

impl Context {
    pub(super) fn new(global: Global) -> Self {
        Self { global, problems: AtomicUsize::new(0) }
    }

    /// The folder the user is in.
    ///
    /// # Errors
    ///
    /// When it is gone.
    pub fn cwd(&self) -> Result<PathBuf> {
        std::env::current_dir().map_err(|source| Error::Source { path: ".".into(), source })
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
        match &self.global.store {
            Some(_) => {
                let (folder, work) = self.place(None)?;
                Repo::open(folder, &work)
            }
            None => Repo::discover(&self.cwd()?),
        }
    }

    /// Whether standard output takes colours.
    pub(super) fn color(&self) -> bool {
        use std::io::IsTerminal;
        std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
    }

    /// The pager to pipe long output through, if one is wanted.
    pub(super) fn pager_command(&self) -> Option<String> {
        let named = ["EART_PAGER", "PAGER"].iter().find_map(|name| std::env::var(name).ok());
        let command = named.unwrap_or_else(|| "less".into());
        (!command.is_empty() && command != "cat").then_some(command)
    }

    /// How many problems were told.
    pub fn problems(&self) -> usize {
        self.problems.load(Relaxed)
    }
}

impl Monitor for Context {
    fn problem(&self, problem: Problem) {
        self.problems.fetch_add(1, Relaxed);
        eprintln!("warning: {} {}", problem.path, problem.what);
    }
}
