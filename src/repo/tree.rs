//! `ls` and `cat`: a run as a tree of files. Opens each run's manifest once, and reads of it what
//! is asked for.

use std::collections::hash_map::Entry as Slot;
use std::collections::{HashMap, HashSet};
use std::io::Write;

use super::select::as_listed;
use super::{Error, Repo, Result};
use crate::id::{FileId, RunId};
use crate::manifest::{Entry, Manifest, Node};
use crate::path::RelPath;
use crate::store::Reader;

/// Names that an error suggests at most.
const SUGGESTED: usize = 5;
/// Manifests that are open at once.
const OPEN: usize = 16;

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Where it stands.
    pub path: RelPath,
    /// The entry; `None` for a folder that is there only because something lies in it.
    pub entry: Option<Entry>,
}

impl Item {
    /// Whether it is a folder.
    pub fn is_dir(&self) -> bool {
        self.entry.as_ref().is_none_or(|e| e.node == Node::Dir)
    }
}

impl Repo {
    /// What lies in a folder of a run (`None` is the top), in path order: what is directly in it,
    /// or, `recursive`ly, every entry below it. A path that is no folder gives itself.
    ///
    /// # Errors
    ///
    /// When there is nothing at the path, or the manifest cannot be read.
    pub fn list(&self, run: RunId, at: Option<&RelPath>, recursive: bool) -> Result<Vec<Item>> {
        let manifest = self.manifest(run)?;
        let at = at.map(|path| meant(&manifest, path)).transpose()?;
        let at = at.as_ref();
        let entries = match at {
            Some(path) => manifest.entries_within(path),
            None => manifest.entries(),
        };
        let depth = at.map_or(0, |path| path.as_bytes().len() + 1);
        let mut items = Vec::new();
        let mut folders: HashSet<Box<[u8]>> = HashSet::new();
        let mut found = at.is_none();
        for entry in entries {
            let entry = entry?;
            found = true;
            let path = entry.path.as_bytes();
            // The folder that is listed; anything else at its path is listed itself.
            if path.len() < depth && entry.node == Node::Dir {
                continue;
            }
            let below = path.get(depth..).unwrap_or_default();
            match below.iter().position(|b| *b == b'/') {
                Some(slash) if !recursive => {
                    let folder = &path[..depth + slash];
                    if !folders.contains(folder) {
                        folders.insert(folder.into());
                        items.push(Item { path: RelPath::new(folder)?, entry: None });
                    }
                }
                _ => {
                    if entry.node == Node::Dir {
                        folders.insert(path.into());
                    }
                    items.push(Item { path: entry.path.clone(), entry: Some(entry) });
                }
            }
        }
        match at {
            Some(path) if !found => Err(missing(&manifest, path)),
            _ => Ok(items),
        }
    }

    /// The files of runs and what is in them.
    ///
    /// # Errors
    ///
    /// When the index of chunks cannot be read.
    pub fn contents(&self) -> Result<Contents<'_>> {
        Ok(Contents { repo: self, reader: self.store.reader()?, manifests: HashMap::new() })
    }
}

/// Finds and reads files of runs, as many as one likes.
pub struct Contents<'a> {
    repo: &'a Repo,
    reader: Reader,
    manifests: HashMap<RunId, Manifest>,
}

impl Contents<'_> {
    /// The file at a path of a run.
    ///
    /// # Errors
    ///
    /// When there is nothing at the path, or no file.
    pub fn find(&mut self, run: RunId, path: &RelPath) -> Result<Entry> {
        let manifest = self.manifest(run)?;
        file_at(manifest, &meant(manifest, path)?)
    }

    /// Writes the content of a file of a run to `out`. Every chunk is checked before it is
    /// written, the whole file at the end. Memory is flat in the file's size.
    ///
    /// # Errors
    ///
    /// When the content is damaged or missing, or `out` cannot be written ([`Error::Output`]).
    pub fn write(&mut self, run: RunId, file: &Entry, out: &mut dyn Write) -> Result<()> {
        let Node::File { id, size } = file.node else { return Ok(()) };
        if size == 0 {
            return Ok(());
        }
        let list = self.manifest(run)?.chunk_list(id)?;
        let reader = &mut self.reader;
        let Some(chunks) = list else {
            // A file of one chunk has the chunk's hash.
            return out.write_all(reader.chunk(&id.into())?).map_err(Error::Output);
        };
        let mut hasher = blake3::Hasher::new();
        for chunk in chunks.iter() {
            let bytes = reader.chunk(&chunk.id)?;
            hasher.update(bytes);
            out.write_all(bytes).map_err(Error::Output)?;
        }
        if FileId::from(hasher.finalize()) != id {
            return Err(Error::hinted(
                format!("{} in the run {} is not the file its id says", file.path, run.short()),
                "do not trust what was written; `eart fsck --data` names what is damaged",
            ));
        }
        Ok(())
    }

    fn manifest(&mut self, run: RunId) -> Result<&Manifest> {
        if self.manifests.len() >= OPEN && !self.manifests.contains_key(&run) {
            self.manifests.clear();
        }
        Ok(match self.manifests.entry(run) {
            Slot::Occupied(open) => open.into_mut(),
            Slot::Vacant(slot) => slot.insert(self.repo.manifest(run)?),
        })
    }
}

/// The path that is meant: quoted ones are taken as they are listed, if only that is there.
fn meant(manifest: &Manifest, path: &RelPath) -> Result<RelPath> {
    let is_there = |path: &RelPath| manifest.entries_within(path).next().is_some();
    Ok(RelPath::new(as_listed(path.as_bytes(), is_there))?)
}

fn file_at(manifest: &Manifest, path: &RelPath) -> Result<Entry> {
    let run = manifest.id().short();
    let folder = || {
        Error::hinted(
            format!("{path} is a folder in the run {run}"),
            format!("`eart ls {run}:{path}` lists it"),
        )
    };
    match manifest.get(path)? {
        Some(entry) => match &entry.node {
            Node::File { .. } => Ok(entry),
            Node::Dir => Err(folder()),
            Node::Symlink { target } => Err(Error::hinted(
                format!(
                    "{path} is a symbolic link in the run {run}, to {}",
                    crate::path::quote(target)
                ),
                "links are not followed; name the file it points to",
            )),
        },
        None if manifest.entries_within(path).next().is_some() => Err(folder()),
        None => Err(missing(manifest, path)),
    }
}

/// The error for a path that a run does not have, with what may have been meant.
pub(super) fn missing(manifest: &Manifest, path: &RelPath) -> Error {
    let run = manifest.id().short();
    let name = String::from_utf8_lossy(path.file_name()).to_lowercase();
    let mut near: Vec<(usize, RelPath)> = Vec::new();
    for entry in manifest.entries() {
        // Whatever is wrong with the manifest, the path was not found.
        let Ok(entry) = entry else { break };
        let other = String::from_utf8_lossy(entry.path.file_name()).to_lowercase();
        let beside = entry.path.parent() == path.parent();
        let distance = if other == name {
            usize::from(!beside)
        } else if beside && other.len().abs_diff(name.len()) <= 3 {
            1 + strsim::osa_distance(&other, &name)
        } else {
            continue;
        };
        if distance > 1 + name.chars().count().div_ceil(3).min(3) {
            continue;
        }
        let place = near.partition_point(|(d, _)| *d <= distance);
        if place < SUGGESTED {
            near.insert(place, (distance, entry.path));
            near.truncate(SUGGESTED);
        }
    }
    let hint = match &near[..] {
        [] => format!("`eart ls -r {run}` lists what it has"),
        [(_, one)] => format!("did you mean {one}?"),
        several => {
            let names: Vec<String> = several.iter().map(|(_, path)| path.to_string()).collect();
            format!("did you mean one of {}?", names.join(", "))
        }
    };
    Error::hinted(format!("No {path} in the run {run}"), hint)
}
