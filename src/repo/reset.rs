//! `reset`: takes entries out of a draft again. The user's files are not touched.

use super::{Error, Repo, Result, Selection};
use crate::manifest::{Draft, Node};
use crate::path::RelPath;

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
    /// everything when there are none. The files themselves are not touched.
    ///
    /// # Errors
    ///
    /// When something was named and nothing matches, or the draft cannot be read or written.
    pub fn reset(&self, name: &str, paths: &[String]) -> Result<Reset> {
        let _share = self.share()?;
        let _lock = self.lock_drafts()?;
        let mut draft = self.draft(name)?.unwrap_or_else(|| Draft::new(self.clock.now()));
        let is_there = |path: &RelPath| draft.entries().iter().any(|e| e.path.is_within(path));
        let selection = Selection::literal_first(paths, is_there)?;
        let meant = draft.entries().iter().map(|e| &e.path).filter(|path| selection.matches(path));
        let meant: Vec<_> = meant.cloned().collect();
        if meant.is_empty() && !paths.is_empty() {
            return Err(Error::hinted(
                format!("Nothing staged matches {}", paths.join(" ")),
                "`eart status` shows what is staged; paths are those of the run",
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
