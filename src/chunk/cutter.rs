//! The cutter: finds the end of one chunk after another in bytes that pass by in a window. It
//! touches nothing but the bytes it is shown.

use std::iter::Peekable;
use std::vec::IntoIter;

use fastcdc::v2020::{Normalization, cut, select_masks};

use super::Params;

/// Cuts one file into chunks, in whatever portions its bytes arrive.
///
/// Cuts are where FastCDC puts them (Xia et al., "The Design of Fast Content-Defined Chunking for
/// Data Deduplication Based Storage Systems", 2020), and at the given boundaries. No chunk crosses
/// a boundary, and behind it content-defined cutting starts afresh: the bytes between two
/// boundaries are cut as if they were a file of their own.
///
/// The chunks joined are the file, every one has 1 to [`Params::max`] bytes, and they depend on
/// the bytes and boundaries alone, never on how the bytes were fed.
///
/// # Examples
///
/// ```
/// use eart::chunk::{Cutter, Params};
///
/// let file = vec![7; 3_000_000];
/// let mut cutter = Cutter::new(&Params::V1, vec![1_000]);
/// let (mut rest, mut lengths) = (&file[..], Vec::new());
/// while let Some(length) = cutter.next(rest, true) {
///     lengths.push(length);
///     rest = &rest[length..];
/// }
/// assert_eq!(lengths, [1_000, 1 << 20, 1 << 20, 901_848]);
/// ```
#[derive(Debug, Clone)]
pub struct Cutter {
    params: Params,
    /// Masks of the hash before and after the average size; each also shifted by one bit.
    small: u64,
    large: u64,
    /// Offset in the file of the next chunk.
    position: u64,
    boundaries: Peekable<IntoIter<u64>>,
}

impl Cutter {
    /// A cutter for one file, from its first byte. `boundaries` are offsets in the file where a
    /// chunk must end, in ascending order; those that lie past its end do nothing.
    pub fn new(params: &Params, boundaries: Vec<u64>) -> Self {
        let (small, large) = select_masks(params.avg, Normalization::Level1);
        let boundaries = boundaries.into_iter().peekable();
        Self { params: *params, small, large, position: 0, boundaries }
    }

    /// The length of the next chunk, which is at the start of `window`; or `None` when that takes
    /// more bytes to decide or, at the end of the file, when no bytes are left.
    ///
    /// `window` starts where the last chunk ended, and `eof` says that the file ends with it. A
    /// window of [`Params::max`] bytes always suffices. Bytes are looked at once, however often
    /// the window grows.
    pub fn next(&mut self, window: &[u8], eof: bool) -> Option<usize> {
        let position = self.position;
        while self.boundaries.next_if(|&boundary| boundary <= position).is_some() {}
        let to_boundary = self.boundaries.peek().map_or(u64::MAX, |&boundary| boundary - position);
        let limit = usize::try_from(to_boundary).unwrap_or(usize::MAX).min(self.params.max);
        let section = match window.get(..limit) {
            Some(section) => section,
            None if eof && !window.is_empty() => window,
            None => return None,
        };
        let Params { min, avg, max, .. } = self.params;
        let (small, large) = (self.small, self.large);
        let (_, length) = cut(section, min, avg, max, small, large, small << 1, large << 1);
        self.position += length as u64;
        Some(length)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    /// Small sizes, so that little data has many chunks.
    const SMALL: Params = Params { name: "small", min: 256, avg: 1 << 10, max: 4 << 10 };

    /// The same pseudo-random bytes for ever.
    fn random(seed: &str, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        blake3::Hasher::new().update(seed.as_bytes()).finalize_xof().fill(&mut bytes);
        bytes
    }

    fn lengths(params: &Params, boundaries: &[u64], file: &[u8]) -> Vec<usize> {
        let mut cutter = Cutter::new(params, boundaries.to_vec());
        let mut rest = file;
        std::iter::from_fn(|| {
            let length = cutter.next(rest, true)?;
            rest = &rest[length..];
            Some(length)
        })
        .collect()
    }

    /// As [`lengths`], but the bytes arrive in `portions`, and are forgotten when they are cut.
    fn lengths_fed(
        params: &Params,
        boundaries: &[u64],
        file: &[u8],
        portions: &[usize],
    ) -> Vec<usize> {
        let mut cutter = Cutter::new(params, boundaries.to_vec());
        let (mut start, mut end, mut lengths) = (0, 0, Vec::new());
        for portion in portions.iter().chain([&file.len()]) {
            end = file.len().min(end + portion);
            while let Some(length) = cutter.next(&file[start..end], end == file.len()) {
                lengths.push(length);
                start += length;
            }
        }
        lengths
    }

    #[test]
    fn golden_random() {
        let file = random("eart", 4 << 20);
        let golden = [
            336_173, 503_743, 184_891, 385_870, 346_389, 295_223, 265_099, 186_778, 329_245,
            637_457, 280_303, 151_473, 291_660,
        ];
        assert_eq!(lengths(&Params::V1, &[], &file), golden);
    }

    #[test]
    fn golden_random_with_boundaries() {
        let file = random("eart", 2 << 20);
        let golden = [1, 99_999, 290_599, 449_317, 160_085, 410_676, 346_389, 295_223, 44_863];
        assert_eq!(lengths(&Params::V1, &[1, 100_000, 1_000_001], &file), golden);
    }

    #[test]
    fn golden_zeros() {
        let file = vec![0; (2 << 20) + 5];
        assert_eq!(lengths(&Params::V1, &[], &file), [1 << 20, 1 << 20, 5]);
    }

    #[test]
    fn golden_text() {
        assert_eq!(lengths(&Params::V1, &[], b"1 passed (3.2s)\n"), [16]);
        let log: String = (0..60_000_u64).map(|n| format!("{n} ok {}\n", n * n % 9_973)).collect();
        let golden = [279_862, 542_235];
        assert_eq!(lengths(&Params::V1, &[], log.as_bytes()), golden);
    }

    #[test]
    fn a_window_of_the_largest_chunk_is_enough_and_none_is_asked_for_less() {
        let file = random("window", 2 * SMALL.max);
        let mut cutter = Cutter::new(&SMALL, vec![]);
        assert_eq!(cutter.next(&file[..SMALL.max - 1], false), None);
        assert!(cutter.next(&file[..SMALL.max], false).is_some());
    }

    #[test]
    fn bytes_up_to_a_boundary_are_enough() {
        let mut cutter = Cutter::new(&SMALL, vec![100]);
        assert_eq!(cutter.next(&[1; 99], false), None);
        assert_eq!(cutter.next(&[1; 100], false), Some(100));
    }

    #[test]
    fn an_empty_file_has_no_chunks() {
        assert_eq!(Cutter::new(&SMALL, vec![0, 9]).next(b"", true), None);
    }

    #[test]
    fn an_inserted_byte_leaves_all_chunks_but_a_few() {
        let mut file = random("insert", 200 * SMALL.avg);
        let chunks = |file: &[u8]| -> HashSet<Vec<u8>> {
            let mut at = 0;
            let cut = |length| (at += length, file[at - length..at].to_vec()).1;
            lengths(&SMALL, &[], file).into_iter().map(cut).collect()
        };
        let before = chunks(&file);
        file.insert(70_001, b'!');
        let after = chunks(&file);
        assert!(before.len() > 100 && after.difference(&before).count() < 8);
    }

    fn files() -> impl Strategy<Value = Vec<u8>> {
        let part = (0..20_000usize, any::<bool>(), 0..4u8).prop_map(|(len, flat, seed)| {
            if flat { vec![seed; len] } else { random(&seed.to_string(), len) }
        });
        prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
    }

    fn boundaries() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec(0..100_000u64, 0..12).prop_map(|mut boundaries| {
            boundaries.sort_unstable();
            boundaries
        })
    }

    proptest! {
        #[test]
        fn chunks_join_to_the_file_and_keep_to_sizes_and_boundaries(
            file in files(), boundaries in boundaries(),
        ) {
            let (mut ends, mut end) = (HashSet::new(), 0);
            for length in lengths(&SMALL, &boundaries, &file) {
                prop_assert!((1..=SMALL.max).contains(&length));
                end += length;
                ends.insert(end as u64);
            }
            prop_assert_eq!(end, file.len());
            let inside = boundaries.iter().filter(|&&b| b > 0 && b < file.len() as u64);
            for boundary in inside {
                prop_assert!(ends.contains(boundary), "a chunk crosses {boundary}");
            }
        }

        #[test]
        fn cuts_do_not_depend_on_how_bytes_arrive(
            file in files(),
            boundaries in boundaries(),
            portions in prop::collection::vec(0..9_000usize, 0..40),
        ) {
            prop_assert_eq!(
                lengths_fed(&SMALL, &boundaries, &file, &portions),
                lengths(&SMALL, &boundaries, &file)
            );
        }

        #[test]
        fn what_lies_between_boundaries_is_cut_like_a_file(
            before in files(), part in files(), after in files(),
        ) {
            let start = before.len() as u64;
            let boundaries = [start, start + part.len() as u64];
            let expected =
                [&before, &part, &after].map(|file| lengths(&SMALL, &[], file)).concat();
            let file = [before, part, after].concat();
            prop_assert_eq!(lengths(&SMALL, &boundaries, &file), expected);
        }
    }
}
