//! Packs and the index over them.

use std::fs;

use crate::lab::repair;

use super::{Harm, Site, names};

#[test]
fn packs() {
    let site = Site::new();
    let (indexed, loose) =
        (site.pack_of(site.many, "many/03.txt"), site.pack_of(site.mixed, "mixed/video.webm"));
    for (pack, other, holds) in [(&indexed, &loose, "many/03.txt"), (&loose, &indexed, "mixed/")] {
        for harm in site.harms(pack, Some(other)) {
            let (readable, checked, _) = site.trial(&[(pack, &harm)]);
            if !matches!(harm, Harm::Remove) {
                assert!(names(&checked, pack), "{harm:?} {checked:?}");
            }
            for (_, path) in site.everything().difference(&readable) {
                let path = path.to_str().unwrap();
                let swapped = matches!(harm, Harm::Swap(_));
                assert!(path.starts_with(holds) || swapped, "{harm:?} lost {path}");
            }
        }
    }
}

#[test]
fn a_pack_gives_back_its_chunks_when_only_its_ends_are_damaged() {
    let site = Site::new();
    let (indexed, loose) =
        (site.pack_of(site.many, "many/03.txt"), site.pack_of(site.mixed, "mixed/video.webm"));
    for pack in [&indexed, &loose] {
        let len = site.len(pack);
        let header = [0, 8, 17, 31];
        // In the trailer: magic, checksum, reserved bytes.
        let trailer = [len - 1, len - 8, len - 20, len - 46];
        for at in header.into_iter().chain(trailer) {
            site.trial(&[(pack, &Harm::Flip(at))]);
            let all = site.readable(&site.lab.repo);
            assert_eq!(all, site.everything(), "byte {at} of {len}");
        }
        // In the tables a row may be beyond reading, but not all of them.
        for at in [len - 57, len - 80, len - 100] {
            site.harmed(&[(pack, &Harm::Flip(at))]);
            let mended = repair(&site.lab.repo).unwrap();
            assert!(mended.lost.len() <= 1, "byte {at}: {mended:?}");
        }
        // Without its trailer, the tables are found by what runs need.
        for cut in [1, 10, 56] {
            for segments in [true, false] {
                site.harmed(&[(pack, &Harm::Cut(len - cut))]);
                if !segments {
                    fs::remove_dir_all(site.lab.stored("index")).unwrap();
                }
                assert_eq!(repair(&site.lab.repo).unwrap().lost, [], "cut {cut}");
                assert_eq!(site.readable(&site.lab.repo), site.everything(), "cut {cut}");
            }
        }
        if pack == &loose {
            // One row is cut off, and only what it tells is lost.
            site.harmed(&[(pack, &Harm::Cut(len - 100))]);
            assert_eq!(repair(&site.lab.repo).unwrap().lost_files, 1);
        }
        // Cut within the trailer or the footer: the index still knows the indexed pack.
        if pack == &indexed {
            site.harmed(&[(pack, &Harm::Cut(len - 60))]);
            assert_eq!(repair(&site.lab.repo).unwrap().lost, []);
        }
    }
}

#[test]
fn index_segments() {
    let site = Site::new();
    let segments = site.files("index", ".idx");
    assert!(!segments.is_empty());
    let len = site.len(&segments[0]);
    let mut harms = site.harms(&segments[0], None);
    // Rows of packs, frames, the fan-out and chunks.
    harms.extend((64..len).step_by(len / 24).map(Harm::Flip));
    for harm in harms {
        let (_, checked, mended) = site.trial(&[(&segments[0], &harm)]);
        if !matches!(harm, Harm::Remove) {
            assert!(names(&checked, &segments[0]), "{harm:?} {checked:?}");
        }
        assert_eq!(mended.lost, [], "{harm:?}");
        assert_eq!(site.readable(&site.lab.repo), site.everything(), "{harm:?}");
    }
}
