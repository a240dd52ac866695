//! Tests of [`super`]: archives made here byte by byte, and by an independent writer.

use std::cell::Cell;
use std::io::{Cursor, Write};

use proptest::prelude::*;

use super::*;
use crate::chunk::{Cutter, Params};

/// Writes an archive: local headers, data, central directory, end records.
#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    entries: u16,
    zip64: bool,
}

impl Writer {
    fn add(&mut self, name: &str, time: u16, data: &[u8]) {
        let (offset, size) = (self.bytes.len() as u64, data.len() as u64);
        let short = |n: u64| if self.zip64 { u32::MAX } else { n as u32 };
        let mut extra = Vec::new();
        if self.zip64 {
            extra.extend([0x55, 0x54, 2, 0, 9, 9, 1, 0, 24, 0]);
            extra.extend([size, size, offset].map(u64::to_le_bytes).concat());
        }
        let mut common = [20, 0, 0, 0, 0, 0].to_vec();
        let mut crc = flate2::Crc::new();
        crc.update(data);
        common.extend([time, 0].map(u16::to_le_bytes).concat());
        common.extend(crc.sum().to_le_bytes());
        common.extend([short(size), short(size)].map(u32::to_le_bytes).concat());
        common.extend((name.len() as u16).to_le_bytes());

        self.bytes.extend([LOCAL, &common, &[3, 0], name.as_bytes(), b"xyz", data].concat());
        self.directory.extend([CENTRAL, &[20, 0], &common].concat());
        self.directory.extend([extra.len() as u16, 4, 0, 0, 0, 0].map(u16::to_le_bytes).concat());
        self.directory.extend(short(offset).to_le_bytes());
        self.directory.extend([name.as_bytes(), &extra, b"note"].concat());
        self.entries += 1;
    }

    fn finish(mut self, comment: &[u8]) -> Vec<u8> {
        let (start, size) = (self.bytes.len() as u64, self.directory.len() as u64);
        let entries = u64::from(self.entries);
        self.bytes.append(&mut self.directory);
        let end64 = self.bytes.len() as u64;
        if self.zip64 {
            self.bytes.extend([END64, &44_u64.to_le_bytes(), &[45, 0, 45, 0], &[0; 8]].concat());
            self.bytes.extend([entries, entries, size, start].map(u64::to_le_bytes).concat());
            self.bytes.extend([LOCATOR64, &[0; 4], &end64.to_le_bytes(), &[1, 0, 0, 0]].concat());
        }
        let short = |n: u64| if self.zip64 { u32::MAX } else { n as u32 };
        let count = if self.zip64 { u16::MAX } else { self.entries };
        self.bytes.extend([END, &[0; 4]].concat());
        self.bytes.extend([count, count].map(u16::to_le_bytes).concat());
        self.bytes.extend([short(size), short(start)].map(u32::to_le_bytes).concat());
        self.bytes.extend((comment.len() as u16).to_le_bytes());
        self.bytes.extend(comment);
        self.bytes
    }
}

fn data(seed: &str, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(seed.as_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// Three small entries and two large ones.
fn archive(zip64: bool, comment: &[u8]) -> Vec<u8> {
    let mut writer = Writer { zip64, ..Writer::default() };
    writer.add("test.trace", 1, &data("a", 4095));
    writer.add("page.jpeg", 2, &data("b", 4096));
    writer.add("0-trace.network", 3, b"");
    writer.add("0-trace.stacks", 4, b"{}");
    writer.add("resources/style.css", 5, &data("c", 100_000));
    writer.finish(comment)
}

fn look(bytes: &[u8]) -> Zip {
    inspect(bytes, bytes.len() as u64)
}

/// The cuts of an archive whose structure is sound.
fn cuts(bytes: &[u8]) -> Vec<u64> {
    let found = look(bytes);
    assert_eq!(found.broken, None);
    found.boundaries
}

/// What is wrong with the data of an archive whose structure is sound.
fn data_reason(bytes: &[u8], piece: usize) -> Option<String> {
    let found = look(bytes);
    assert_eq!(found.broken, None);
    let mut check = DataCheck::new(found.entries);
    bytes.chunks(piece).for_each(|piece| check.feed(piece));
    check.finish()
}

fn reason(bytes: &[u8]) -> String {
    look(bytes).broken.unwrap_or_default()
}

/// Replaces the only occurrence of `from`.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|part| part == from).unwrap();
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

/// Where the archive of [`archive`] is cut: part of format 1, like the cuts of the cutter.
const GOLDEN: [u64; 4] = [4_180, 8_276, 8_425, 108_425];

#[test]
fn golden_cuts_around_large_entries() {
    let long = [b'c'; 65_535];
    for (zip64, comment) in [(false, &b""[..]), (true, b""), (false, &long), (true, &long)] {
        assert_eq!(cuts(&archive(zip64, comment)), GOLDEN);
    }
}

#[test]
fn an_empty_archive_is_whole() {
    let empty = Writer::default().finish(b"");
    assert!(is_zip(&empty) && is_zip(&archive(false, b"")) && !is_zip(b"PK\x07\x08"));
    assert_eq!(look(&empty), Zip::default());
}

#[test]
fn bytes_before_the_archive_move_its_cuts() {
    let prefixed = [&archive(false, b"")[..], &archive(false, b"")].concat();
    let offset = archive(false, b"").len() as u64;
    assert_eq!(cuts(&prefixed), GOLDEN.map(|boundary| boundary + offset));
    assert_eq!(data_reason(&prefixed, 1000), None);
}

#[test]
fn equal_entries_of_different_archives_become_equal_chunks() {
    let chunks = |names: [&str; 3], time| -> Vec<Vec<u8>> {
        let mut writer = Writer::default();
        writer.add(names[0], time, &data(names[0], 5_000));
        writer.add(names[1], time, &data("shared", 3 << 20));
        writer.add(names[2], time, b"tail");
        let bytes = writer.finish(b"");
        let mut cutter = Cutter::new(&Params::V1, look(&bytes).boundaries);
        let mut rest = &bytes[..];
        std::iter::from_fn(|| rest.split_off(..cutter.next(rest, true)?).map(<[u8]>::to_vec))
            .collect()
    };
    let (first, second) = (chunks(["a", "css", "b"], 1), chunks(["longer", "style", "c"], 2));
    let shared: usize = first.iter().filter(|chunk| second.contains(chunk)).map(Vec::len).sum();
    assert_eq!(shared, 3 << 20);
}

#[test]
fn an_archive_cut_short_is_broken_wherever_it_is_cut() {
    for whole in [archive(false, b"comment"), archive(true, b"")] {
        let directory = GOLDEN[3] as usize;
        for len in (0..directory).step_by(5_003).chain(directory..whole.len()) {
            assert!(!reason(&whole[..len]).is_empty(), "cut to {len} bytes");
        }
    }
    assert_eq!(
        reason(&archive(false, b"")[..50_000]),
        "the central directory is cut off (end record missing)"
    );
}

#[test]
fn damage_is_named() {
    let whole = archive(false, b"");
    assert_eq!(
        reason(&[&whole[..50_000], &whole[50_001..]].concat()),
        "bytes are missing before the central directory"
    );
    let inserted = [&whole[..50_000], b"!", &whole[50_000..]].concat();
    assert_eq!(reason(&inserted), "entry 1 of 5 has no header where one should be");
    let header = replaced(&whole, b"PK\x03\x04\x14\0\0\0\0\0\x04", b"PK\x03\x05\x14\0\0\0\0\0\x04");
    assert_eq!(reason(&header), "entry 4 of 5 has no header where one should be");
    let longer = replaced(&whole, b"\x0a\0\x03\0test", b"\xff\xff\xff\xfftest");
    assert_eq!(reason(&longer), "the data of entry 1 of 5 is cut off");
    let record = replaced(
        &whole,
        b"PK\x01\x02\x14\0\x14\0\0\0\0\0\x02",
        b"PK\x01\x01\x14\0\x14\0\0\0\0\0\x02",
    );
    assert_eq!(reason(&record), "the central directory is damaged at entry 2");
    let count = replaced(&whole, b"\x05\0\x05\0", b"\x06\0\x06\0");
    assert_eq!(reason(&count), "the central directory has 5 entries instead of 6");
    let end64 = replaced(&archive(true, b""), b"PK\x06\x06", b"PK\x06\x05");
    assert_eq!(reason(&end64), "the ZIP64 end record is missing");
    let disk = replaced(&whole, b"PK\x05\x06\0\0", b"PK\x05\x06\x01\0");
    assert_eq!(reason(&disk), "it is one part of an archive in several files");
}

#[test]
fn a_flipped_bit_in_stored_data_is_found() {
    let whole = archive(false, b"");
    let stored = look(&whole).entries;
    assert_eq!(stored.len(), 5);
    for piece in [1, 1_000, 1 << 20] {
        assert_eq!(data_reason(&whole, piece), None);
        for Data { start, end, number, .. } in stored.iter().filter(|data| data.start < data.end) {
            for at in [*start, *end - 1] {
                let mut bytes = whole.clone();
                bytes[at as usize] ^= 4;
                let expected = format!("the checksum of entry {number} of 5 differs");
                assert_eq!(data_reason(&bytes, piece), Some(expected));
            }
        }
    }
}

#[test]
fn what_is_compressed_or_encrypted_is_not_compared() {
    let whole = archive(false, b"");
    let directory = GOLDEN[3] as usize;
    for field in [[20, 0, 1, 0, 0, 0], [20, 0, 0, 0, 99, 0]] {
        let mut bytes = whole.clone();
        bytes[directory + 6..directory + 12].copy_from_slice(&field);
        assert_eq!(look(&bytes).entries.len(), 4);
        bytes[50] ^= 1;
        assert_eq!(data_reason(&bytes, 100), None);
    }
}

#[test]
fn what_an_independent_writer_makes_is_cut_at_its_entries() {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for n in 0..300 {
        let method = if n % 3 == 0 {
            zip::CompressionMethod::Deflated
        } else {
            zip::CompressionMethod::Stored
        };
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(method)
            .large_file(n % 5 == 0);
        writer.start_file(format!("folder/{n}"), options).unwrap();
        writer.write_all(&data(&n.to_string(), n * 50)).unwrap();
    }
    let bytes = writer.finish().unwrap().into_inner();
    let mut reader = zip::ZipArchive::new(Cursor::new(&bytes[..])).unwrap();
    let mut expected = Vec::new();
    for n in 0..reader.len() {
        let entry = reader.by_index_raw(n).unwrap();
        if entry.compressed_size() >= CUT_FROM {
            let start = entry.data_start().unwrap();
            expected.extend([start, start + entry.compressed_size()]);
        }
    }
    assert!(expected.len() > 400);
    assert_eq!(cuts(&bytes), expected);
    assert_eq!(look(&bytes).entries.len(), 200);
    assert_eq!(data_reason(&bytes, 333), None);

    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    assert_eq!(inspect(&file, bytes.len() as u64), look(&bytes));
}

/// Counts reads, and fails after some.
struct Counted<'a>(&'a [u8], Cell<usize>, usize);

impl ReadAt for Counted<'_> {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.1.set(self.1.get() + 1);
        if self.1.get() > self.2 {
            return Err(io::ErrorKind::Other.into());
        }
        self.0.read_exact_at(buf, offset)
    }
}

#[test]
fn few_reads_are_made() {
    let mut writer = Writer::default();
    for n in 0..1_000 {
        writer.add("small", 0, &data(&n.to_string(), 500));
    }
    let bytes = writer.finish(b"");
    let counted = Counted(&bytes, Cell::new(0), usize::MAX);
    assert_eq!(inspect(&counted, bytes.len() as u64).broken, None);
    assert!(counted.1.get() < 1_000 / 5, "{} reads", counted.1.get());
}

#[test]
fn an_archive_that_cannot_be_read_is_not_called_broken() {
    let whole = archive(false, b"");
    for reads in 0..3 {
        let failing = Counted(&whole, Cell::new(0), reads);
        assert_eq!(inspect(&failing, whole.len() as u64), Zip::default());
    }
    assert_eq!(inspect(&whole[..9], whole.len() as u64), Zip::default(), "it shrank");
}

#[test]
fn too_many_entries_are_left_alone() {
    let mut writer = Writer { zip64: true, ..Writer::default() };
    writer.add("", 0, b"");
    let record = writer.directory.clone();
    writer.directory = record.repeat(MAX_ENTRIES + 1);
    let bytes = writer.finish(b"");
    assert_eq!(look(&bytes), Zip::default());
}

proptest! {
    #[test]
    fn damaged_archives_do_no_harm(
        zip64: bool,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        tail: bool,
    ) {
        let mut bytes = archive(zip64, b"c");
        // Half of the time only the central directory and the end records are hit.
        let from = if tail { GOLDEN[3] as usize } else { 0 };
        for (index, value) in flips {
            let at = from + index.index(bytes.len() - from);
            bytes[at] = value;
        }
        let zip = look(&bytes);
        let mut check = DataCheck::new(zip.entries.clone());
        bytes.chunks(77).for_each(|piece| check.feed(piece));
        prop_assert!(zip.boundaries.is_sorted());
        prop_assert!(zip.broken.is_none() || zip.boundaries.is_empty());
        let past = zip.boundaries.last().is_some_and(|&end| end > bytes.len() as u64);
        prop_assert!(!past);
    }

    #[test]
    fn any_bytes_do_no_harm(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        at: prop::sample::Index,
    ) {
        let mut bytes = [LOCAL, &bytes].concat();
        let end = at.index(bytes.len());
        bytes.splice(end..end, END.iter().copied());
        let _ = look(&bytes);
    }
}
