//! Whole archives pass however they are cut into pieces; damaged ones are named.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn header(name: &str, kind: u8, size: &[u8]) -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[124..124 + size.len()].copy_from_slice(size);
    header[148..156].fill(b' ');
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|&b| u32::from(b)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    header
}

fn member(name: &str, kind: u8, data: &[u8]) -> Vec<u8> {
    let mut member = header(name, kind, format!("{:011o}\0", data.len()).as_bytes());
    member.extend_from_slice(data);
    member.resize(member.len().next_multiple_of(512), 0);
    member
}

fn archive() -> Vec<u8> {
    [
        member("dir/", b'5', b""),
        member("dir/a", b'0', &[7; 700]),
        member("b", b'0', b"x"),
        vec![0; 1024],
    ]
    .concat()
}

fn check(tar: bool, bytes: &[u8], piece: usize) -> Option<String> {
    let mut check = GzipCheck::new(tar);
    bytes.chunks(piece).for_each(|piece| check.feed(piece));
    check.finish()
}

#[test]
fn the_name_decides_what_is_checked() {
    let tar = |name: &str| {
        GzipCheck::for_path(&RelPath::new(name).unwrap()).map(|check| check.tar.is_some())
    };
    assert_eq!(tar("a/b.tar.gz"), Some(true));
    assert_eq!(tar("B.TGZ"), Some(true));
    assert_eq!(tar("a.log.gz"), Some(false));
    assert_eq!(tar("gz"), None);
    assert_eq!(tar("a.zip"), None);
}

#[test]
fn whole_files_pass() {
    let one = gzip(b"one");
    for bytes in [
        one.clone(),
        gzip(b""),
        gzip(&vec![0; 300_000]),
        [one.clone(), gzip(b"two"), one.clone()].concat(),
        [one.clone(), vec![0; 1000]].concat(),
        [one.clone(), vec![0; 7], one].concat(),
    ] {
        for piece in [1, 7, 1 << 20] {
            assert_eq!(check(false, &bytes, piece), None);
        }
    }
}

#[test]
fn damaged_gzip_is_named() {
    let whole = gzip(b"some text that is long enough to be worth it");
    let says = |bytes: &[u8]| {
        let reason = check(false, bytes, 5);
        assert_eq!(check(false, bytes, 4096), reason);
        reason.unwrap_or_default()
    };
    assert_eq!(says(b""), "it is empty");
    assert_eq!(says(b"<html>"), "it is not gzip");
    assert_eq!(says(b"\x1f\x8c\x08\0\0\0"), "it is not gzip");
    for end in 1..whole.len() {
        assert_eq!(says(&whole[..end]), "its gzip stream ends early");
    }
    let flip = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    assert_eq!(says(&flip(whole.len() - 5)), "the checksum of its gzip stream differs");
    assert_eq!(says(&flip(whole.len() - 1)), "the length of its gzip stream differs");
    assert_eq!(
        says(&[&whole[..], b"\0junk"].concat()),
        "something that is not gzip follows its gzip stream"
    );
    assert_eq!(says(&[&whole[..], &whole[..9]].concat()), "its gzip stream ends early");
}

#[test]
fn whole_archives_pass() {
    let archive = archive();
    let unended = &archive[..archive.len() - 1024];
    let base_256 = header("big", b'0', &[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    for tar in [
        archive.clone(),
        unended.to_vec(),
        Vec::new(),
        vec![0; 10_240],
        [base_256, vec![1; 512], vec![0; 1024]].concat(),
        [&archive[..], &b"anything behind the end"[..]].concat(),
        // What only a reader that knows more can follow is not called broken.
        [member("x", b'x', b"20 size=8589934592\n"), member("a", b'0', b""), vec![9; 512]].concat(),
        [member("s", b'S', b"sparse"), vec![9; 512]].concat(),
    ] {
        for piece in [1, 600, 1 << 20] {
            assert_eq!(check(true, &gzip(&tar), piece), None);
        }
    }
}

#[test]
fn damaged_archives_are_named() {
    let archive = archive();
    let says = |tar: &[u8]| check(true, &gzip(tar), 333).unwrap_or_default();
    assert_eq!(says(b"plain text"), "what it holds is not a tar archive");
    assert_eq!(says(&[b'a'; 600]), "what it holds is not a tar archive");
    assert_eq!(says(&archive[..600]), "its tar archive ends within a header");
    assert_eq!(says(&archive[..1500]), "its tar archive ends within member 2");
    let mut flipped = archive.clone();
    flipped[512] ^= 1;
    assert_eq!(says(&flipped), "the header of member 2 of its tar archive is damaged");
    let unreadable = header("a", b'0', b"12x45678901\0");
    assert_eq!(says(&unreadable), "the size of member 1 of its tar archive cannot be read");
    let pax = [member("x", b'x', b"12 path=abc\n"), vec![9; 512]].concat();
    assert_eq!(says(&pax), "the header of member 2 of its tar archive is damaged");
}

#[test]
fn a_bomb_is_given_up_on_and_not_called_broken() {
    // One member of zeros, a thousand times smaller, repeated until it is too much; then junk.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![0; 64 << 20]).unwrap();
    let zeros = encoder.finish().unwrap();
    let mut check = GzipCheck::new(false);
    for _ in 0..5 {
        check.feed(&zeros);
    }
    check.feed(b"junk");
    assert!(check.inflated <= BOMB.0 + BUFFER as u64, "{}", check.inflated);
    assert_eq!(check.finish(), None);
}

proptest! {
    #[test]
    fn any_archive_passes_in_any_pieces(
        files in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2000), 0..6),
        piece in 1..3000usize,
    ) {
        let mut tar: Vec<u8> = files.iter().flat_map(|data| member("f", b'0', data)).collect();
        tar.resize(tar.len() + 1024, 0);
        prop_assert_eq!(check(true, &gzip(&tar), piece), None);
    }

    #[test]
    fn a_flipped_bit_is_found(data in prop::collection::vec(any::<u8>(), 1..500), at: prop::sample::Index, bit in 0..8u8) {
        let mut bytes = gzip(&data);
        // Behind the header, whose time and system mean nothing.
        let at = 10 + at.index(bytes.len() - 10);
        bytes[at] ^= 1 << bit;
        let mut inflated = Vec::new();
        // The bits that fill up the last byte of a stream mean nothing either.
        let harmless = flate2::read::GzDecoder::new(&*bytes).read_to_end(&mut inflated).is_ok()
            && inflated == data;
        prop_assert_eq!(check(false, &bytes, 100).is_none(), harmless);
    }

    #[test]
    fn no_bytes_make_it_panic(
        tail in prop::collection::vec(any::<u8>(), 0..600),
        start in prop::sample::select(vec![&b""[..], b"\x1f\x8b\x08\0\0\0\0\0\0\x03", b"\x1f\x8b\x08\x1f\0\0\0\0\0\0"]),
        tar: bool,
    ) {
        let bytes = [start, &tail].concat();
        let _ = check(tar, &bytes, 50);
        let _ = check(true, &gzip(&bytes), 50);
    }
}
