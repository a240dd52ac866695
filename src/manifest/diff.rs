//! What changed from one run to another: a merge of two sequences in path order. Touches memory
//! only, and holds two entries of it at a time.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::iter::Peekable;

use super::entry::{Entry, Node};

/// What of an entry changed. Times do not count: a file that was written again with the same
/// content is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct What {
    /// What stands there: the content, the link's target, or the kind.
    pub node: bool,
    /// The permission bits.
    pub mode: bool,
    /// The declared artifact type.
    pub declared: bool,
}

impl What {
    /// What changed between two entries of one path. Two folders are always the same.
    pub fn between(old: &Entry, new: &Entry) -> Self {
        if old.node == Node::Dir && new.node == Node::Dir {
            return Self::default();
        }
        Self {
            node: old.node != new.node,
            mode: old.mode != new.mode,
            declared: old.declared != new.declared,
        }
    }

    /// Whether anything changed.
    pub fn any(self) -> bool {
        self != Self::default()
    }
}

/// One difference between two runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<A, B> {
    /// Only in the new run.
    Added(B),
    /// Only in the old run.
    Removed(A),
    /// In both, and not the same.
    Changed {
        /// As it was.
        old: A,
        /// As it is.
        new: B,
        /// What of it changed.
        what: What,
    },
}

/// The differences between two sequences of entries, each in path order, in path order.
///
/// An error of either sequence is passed on, and ends the difference.
pub struct Diff<A: Iterator, B: Iterator> {
    old: Peekable<A>,
    new: Peekable<B>,
    same: u64,
    failed: bool,
}

/// Compares two sequences of entries, such as [`Manifest::entries`](super::Manifest::entries) of
/// two runs.
pub fn diff<A: Iterator, B: Iterator>(
    old: impl IntoIterator<IntoIter = A>,
    new: impl IntoIterator<IntoIter = B>,
) -> Diff<A, B> {
    let (old, new) = (old.into_iter().peekable(), new.into_iter().peekable());
    Diff { old, new, same: 0, failed: false }
}

impl<A: Iterator, B: Iterator> Diff<A, B> {
    /// How many entries were the same so far; all of them when the difference has ended.
    pub fn same(&self) -> u64 {
        self.same
    }
}

impl<TA, TB, E, A, B> Iterator for Diff<A, B>
where
    TA: Borrow<Entry>,
    TB: Borrow<Entry>,
    A: Iterator<Item = Result<TA, E>>,
    B: Iterator<Item = Result<TB, E>>,
{
    type Item = Result<Change<TA, TB>, E>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed {
            let first = match (self.old.peek(), self.new.peek()) {
                (Some(Ok(old)), Some(Ok(new))) => old.borrow().path.cmp(&new.borrow().path),
                (None, None) => return None,
                // An error counts as first, so that it is met before what stands behind it.
                (Some(Err(_)), _) | (_, None) => Ordering::Less,
                (_, Some(Err(_))) | (None, _) => Ordering::Greater,
            };
            let old = if first.is_le() { self.old.next() } else { None };
            let new = if first.is_ge() { self.new.next() } else { None };
            return Some(match (old, new) {
                (Some(Err(e)), _) | (_, Some(Err(e))) => {
                    self.failed = true;
                    Err(e)
                }
                (Some(Ok(old)), Some(Ok(new))) => {
                    let what = What::between(old.borrow(), new.borrow());
                    if !what.any() {
                        self.same += 1;
                        continue;
                    }
                    Ok(Change::Changed { old, new, what })
                }
                (Some(Ok(old)), None) => Ok(Change::Removed(old)),
                (None, Some(Ok(new))) => Ok(Change::Added(new)),
                (None, None) => return None,
            });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;
    use crate::manifest::sample::{self, dir, file};

    type Changes<'a> = Vec<Change<&'a Entry, &'a Entry>>;

    fn changes<'a>(old: &'a [Entry], new: &'a [Entry]) -> (Changes<'a>, u64) {
        let mut diff = diff(old.iter().map(Ok::<_, Infallible>), new.iter().map(Ok));
        let changes = diff.by_ref().map(|change| change.unwrap()).collect();
        (changes, diff.same())
    }

    #[test]
    fn times_and_folders_modes_are_no_difference() {
        let old = [dir("a"), file("a/b")];
        let mut new = old.clone();
        new[0].mode = 0o700;
        new[1].mtime.secs += 9;
        assert_eq!(changes(&old, &new), (vec![], 2));
        new[1].mode = 0o600;
        let what = What { mode: true, ..What::default() };
        let changed = Change::Changed { old: &old[1], new: &new[1], what };
        assert_eq!(changes(&old, &new), (vec![changed], 1));
    }

    #[test]
    fn an_error_ends_the_difference() {
        let old = [Ok(file("a")), Err("lost"), Ok(file("c"))];
        let mut diff = diff(old, [Ok(file("b"))]);
        assert!(matches!(diff.next(), Some(Ok(Change::Removed(_)))));
        assert!(matches!(diff.next(), Some(Err("lost"))));
        assert!(diff.next().is_none());
    }

    proptest! {
        #[test]
        fn the_difference_leads_from_old_to_new(a in sample::any_tree(), b in sample::any_tree()) {
            let (found, same) = changes(&a, &b);
            let mut tree: BTreeMap<_, _> = a.iter().map(|e| (&e.path, e)).collect();
            for change in &found {
                match change {
                    Change::Added(new) => prop_assert!(tree.insert(&new.path, new).is_none()),
                    Change::Removed(old) => prop_assert!(tree.remove(&old.path).is_some()),
                    Change::Changed { old, new, .. } => {
                        prop_assert_eq!(tree.insert(&new.path, new), Some(*old));
                    }
                }
            }
            prop_assert_eq!(tree.len(), b.len());
            for (left, right) in tree.into_values().zip(&b) {
                prop_assert_eq!(&left.path, &right.path);
                prop_assert!(!What::between(left, right).any());
            }
            prop_assert_eq!(same as usize + found.iter().filter(|c| !matches!(c, Change::Removed(_))).count(), b.len());
        }
    }
}
