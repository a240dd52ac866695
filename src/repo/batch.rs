//! Sharing files out to threads: neighbours together, little enough that all end at about one time.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Files in a batch, at most.
const FILES: usize = 64;
/// A batch ends with the file that brings it to this many bytes.
const BYTES: u64 = 1 << 20;

/// Stretches of a list of files, each taken by one thread.
pub(super) struct Batches {
    ranges: Vec<Range<usize>>,
    next: AtomicUsize,
}

impl Batches {
    /// Cuts a list of files with these sizes in bytes.
    pub(super) fn new(sizes: impl IntoIterator<Item = u64>) -> Self {
        let mut ranges = Vec::new();
        let (mut start, mut end, mut bytes) = (0, 0, 0);
        for size in sizes {
            end += 1;
            bytes += size;
            if bytes >= BYTES || end - start >= FILES {
                ranges.push(start..end);
                (start, bytes) = (end, 0);
            }
        }
        if start < end {
            ranges.push(start..end);
        }
        Self { ranges, next: AtomicUsize::new(0) }
    }

    /// The next stretch, for the thread that asks.
    pub(super) fn take(&self) -> Option<Range<usize>> {
        self.ranges.get(self.next.fetch_add(1, Relaxed)).cloned()
    }

    /// Hands out nothing more.
    pub(super) fn stop(&self) {
        self.next.store(self.ranges.len(), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_in_one_batch() {
        let sizes = (0..1000u64).map(|n| if n % 100 == 7 { 5 << 20 } else { n * 40 });
        let batches = Batches::new(sizes);
        let mut seen = 0;
        while let Some(range) = batches.take() {
            assert_eq!(range.start, seen);
            assert!(range.len() <= FILES);
            seen = range.end;
        }
        assert_eq!(seen, 1000);
        batches.stop();
        assert!(batches.take().is_none());
    }
}
