//! Which entries may stand in one run together: each well-formed, in path order, and none below
//! something that is not a folder. Touches memory only.

use super::entry::{Entry, MODE_MASK, Node};
use super::{Error, Result};
use crate::path::{MAX_PATH, RelPath};

/// The longest link target in bytes.
pub(super) const MAX_TARGET: usize = MAX_PATH;

const NANOS: u32 = 1_000_000_000;

/// Checks a sequence of entries, one at a time.
///
/// Paths ascend by their bytes, so everything that begins with the bytes of `a` stands together
/// behind `a`. The files and links whose path begins the current one are therefore all that must be
/// remembered to find one that is its parent.
#[derive(Debug, Default)]
pub(super) struct Order {
    last: Vec<u8>,
    /// Lengths of those beginnings of `last` that are paths of files and links.
    leaves: Vec<usize>,
}

impl Order {
    /// Takes the next entry.
    pub(super) fn next(&mut self, entry: &Entry) -> Result<()> {
        check_entry(entry)?;
        let path = entry.path.as_bytes();
        if path <= &self.last[..] && !self.last.is_empty() {
            let reason = if path == &self.last[..] {
                "it is there twice"
            } else {
                "it is not in path order"
            };
            return Err(refuse(&entry.path, reason));
        }
        let shared = shared_prefix(&self.last, path);
        while self.leaves.last().is_some_and(|&leaf| leaf > shared) {
            self.leaves.pop();
        }
        if self.leaves.iter().any(|&leaf| path.get(leaf) == Some(&b'/')) {
            return Err(refuse(&entry.path, "something above it is not a folder"));
        }
        self.last.truncate(shared);
        self.last.extend_from_slice(&path[shared..]);
        if entry.node != Node::Dir {
            self.leaves.push(path.len());
        }
        Ok(())
    }
}

/// Checks a whole sequence.
pub(super) fn check_all<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<()> {
    let mut order = Order::default();
    entries.into_iter().try_for_each(|entry| order.next(entry))
}

/// How many bytes two paths have in common at their start.
pub(super) fn shared_prefix(a: &[u8], b: &[u8]) -> usize {
    // Eight bytes at a time; the rest one by one.
    let words = a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0);
    let start = 8 * words.take_while(|(a, b)| a == b).count();
    let rest = a.iter().skip(start).zip(b.iter().skip(start));
    start + rest.take_while(|(a, b)| a == b).count()
}

fn check_entry(entry: &Entry) -> Result<()> {
    if entry.mode & !MODE_MASK != 0 {
        return Err(refuse(&entry.path, "its mode has more than permission bits"));
    }
    if entry.mtime.nanos >= NANOS {
        return Err(refuse(&entry.path, "its time has a whole second of nanoseconds"));
    }
    match &entry.node {
        Node::Symlink { target } if target.is_empty() || target.contains(&0) => {
            Err(refuse(&entry.path, "its link target is empty or has a NUL in it"))
        }
        Node::Symlink { target } if target.len() > MAX_TARGET => {
            Err(refuse(&entry.path, "its link target is too long"))
        }
        _ => Ok(()),
    }
}

fn refuse(path: &RelPath, reason: &'static str) -> Error {
    Error::Entry { path: path.clone(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::sample::{dir, file, link};

    fn reason(entries: &[Entry]) -> Option<String> {
        check_all(entries).err().map(|e| e.to_string())
    }

    #[test]
    fn a_tree_in_order_is_taken() {
        let tree = [dir("a"), file("a-b"), dir("a/b"), file("a/b/c"), link("a/b-c", "b/c")];
        let mut tree = tree.to_vec();
        tree.sort_by(|a, b| a.path.cmp(&b.path));
        assert_eq!(reason(&tree), None);
        assert_eq!(reason(&[file("deep/without/its/folders")]), None);
    }

    #[test]
    fn a_file_above_another_path_is_found_past_its_neighbours() {
        let found = Some("Cannot have a/b in a run: something above it is not a folder".into());
        assert_eq!(reason(&[file("a"), file("a-b"), file("a-b-c"), file("a/b")]), found);
        assert_eq!(reason(&[link("a", "x"), dir("a/b")]), found);
        assert_eq!(reason(&[file("a"), file("a-b"), file("ab")]), None);
    }

    #[test]
    fn disorder_and_odd_entries_are_refused() {
        assert!(reason(&[file("b"), file("a")]).unwrap().contains("order"));
        assert!(reason(&[file("a"), dir("a")]).unwrap().contains("twice"));
        let odd = |change: fn(&mut Entry)| {
            let mut entry = link("a", "b");
            change(&mut entry);
            reason(&[entry])
        };
        assert!(odd(|e| e.mode = 0o1000).is_some());
        assert!(odd(|e| e.mtime.nanos = NANOS).is_some());
        assert!(odd(|e| e.node = Node::Symlink { target: Box::default() }).is_some());
        let long = || vec![b'x'; MAX_TARGET + 1].into();
        let mut entry = link("a", "b");
        entry.node = Node::Symlink { target: long() };
        assert!(reason(&[entry]).is_some());
        assert!(odd(|_| ()).is_none());
    }
}
