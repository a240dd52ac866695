//! `reset`: takes entries out of a draft again. The user's files are not touched.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use super::select::{Selection, as_listed, has_glob};
use super::{Error, Repo, Result, leads_to, lies_at};
use crate::manifest::{Draft, Node};
use crate::path::{RelPath, quote};

/// What a reset did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Reset {
    /// Files and links that were taken out of the draft.
    pub removed: u64,
    /// Files and links that are still staged.
    pub staged: u64,
}

impl Repo {
    /// Takes entries out of a draft: what the paths and globs mean and what lies below it, or
    /// everything when there are none. They are taken from the folder `cwd` as `add` takes them,
    /// and where nothing is staged there, as paths of the run. The files themselves are not
    /// touched.
    ///
    /// # Errors
    ///
    /// When something was named and nothing matches, or the draft cannot be read or written.
    pub fn reset(&self, name: &str, paths: &[impl AsRef<OsStr>], cwd: &Path) -> Result<Reset> {
        let _share = self.share()?;
        let _lock = self.lock_drafts()?;
        let mut draft = self.draft(name)?.unwrap_or_else(|| Draft::new(self.clock.now()));
        let is_there = |path: &RelPath| draft.has_within(Some(path));
        let here = Here { work: leads_to(&self.work), cwd, draft: &draft };
        let named = paths.iter().map(|text| here.staged(text.as_ref())).collect::<Result<Vec<_>>>();
        let named = named?;
        let selection = Selection::literal_first(&named, is_there)?;
        let mut sieve = selection.sieve();
        let meant = draft.entries().iter().map(|e| &e.path).filter(|path| sieve.lets_through(path));
        let meant: Vec<_> = meant.cloned().collect();
        if meant.is_empty() && !paths.is_empty() {
            let paths: Vec<String> = paths.iter().map(|p| quote(p.as_ref().as_bytes())).collect();
            return Err(Error::hinted(
                format!("Nothing staged matches {}", paths.join(" ")),
                "`eart status` shows what is staged; paths are those from here, or else of the run",
            ));
        }
        let files =
            |draft: &Draft| draft.entries().iter().filter(|e| e.node != Node::Dir).count() as u64;
        let before = files(&draft);
        match (draft.remove(&meant), draft.entries().len()) {
            (0, _) => {}
            (_, 0) => self.remove_draft(name)?,
            _ => self.save_draft(name, &draft)?,
        }
        let staged = files(&draft);
        Ok(Reset { removed: before.saturating_sub(staged), staged })
    }
}

/// Where the user is, and what is staged.
struct Here<'a> {
    work: PathBuf,
    cwd: &'a Path,
    draft: &'a Draft,
}

impl Here<'_> {
    /// A path or glob as one of the run: what it means from here, if that is staged, else as it is.
    fn staged(&self, text: &OsStr) -> Result<OsString> {
        let there = |path: &RelPath| self.draft.has_within(Some(path));
        if text.is_empty() {
            return Ok(text.to_owned());
        }
        let typed = |text: &[u8]| self.place(Path::new(OsStr::from_bytes(text)));
        let quoted = as_listed(text.as_bytes(), |path| {
            there(path) || typed(path.as_bytes()).is_some_and(|at| there(&at))
        });
        let Some(at) = typed(&quoted) else {
            // The folder that holds everything; or, outside of it, what has no name.
            return Ok(if self.is_top(text) { ".".into() } else { text.to_owned() });
        };
        if there(&at) {
            return Ok(OsString::from_vec(at.as_bytes().to_vec()));
        }
        // What names a folder by dots means nothing in the run, where `.` would be everything.
        let dots = |c: Component<'_>| matches!(c, Component::CurDir | Component::ParentDir);
        if Path::new(text).components().all(dots) {
            return Ok(OsString::from_vec(at.as_bytes().to_vec()));
        }
        match text.to_str().filter(|text| has_glob(text)).and_then(|text| self.glob(text)) {
            Some(glob) if self.has(&glob)? => Ok(glob.into()),
            _ => Ok(text.to_owned()),
        }
    }

    /// Where `add` puts what lies at a path: below the working folder at its own place, outside of
    /// it under its own name. None for the working folder itself.
    fn place(&self, path: &Path) -> Option<RelPath> {
        let full = lies_at(&self.cwd.join(path));
        let inside = full.strip_prefix(&self.work).ok().map(Path::as_os_str);
        RelPath::new(inside.or(full.file_name())?.as_bytes()).ok()
    }

    fn is_top(&self, path: &OsStr) -> bool {
        leads_to(&self.cwd.join(path)) == self.work
    }

    /// A glob from here as one of the run.
    fn glob(&self, text: &str) -> Option<String> {
        let globbed = text.split('/').take_while(|part| !has_glob(part)).map(|part| part.len() + 1);
        let (folder, glob) = text.split_at(globbed.sum());
        let folder = leads_to(&self.cwd.join(folder));
        let folder = folder.strip_prefix(&self.work).ok()?.to_str()?;
        let slash = if folder.is_empty() { "" } else { "/" };
        let anywhere = if text.contains('/') { "" } else { "**/" };
        Some(format!("./{}{slash}{anywhere}{glob}", globset::escape(folder)))
    }

    fn has(&self, glob: &str) -> Result<bool> {
        let selection = Selection::new(&[glob])?;
        let mut sieve = selection.sieve();
        Ok(self.draft.entries().iter().any(|entry| sieve.lets_through(&entry.path)))
    }
}
