//! The properties of the requirements of end-to-end artifacts.

use std::collections::BTreeMap;
use std::fs;

use eart::id::FileId;
use eart::manifest::{Node, Status};
use eart::progress::Silent;
use eart::repo::{CheckoutOptions, CommitOptions, Glob, Query, Repo, Selection};
use proptest::prelude::*;

use crate::lab::{Lab, Thing, assert_same, committing, fsck, scratch, tree};

use super::{cases, forest, plant, size};

proptest! {
    #![proptest_config(cases())]

    /// E2E 1: whatever lies in a folder is in the run, and comes back as it was.
    #[test]
    fn property_1_capture_completeness(forest in forest(25)) {
        let lab = Lab::new();
        plant(&lab.path("in"), &forest);
        lab.add(&["in"]);
        let mut expected = tree(&lab.work());
        for thing in expected.values_mut() {
            // Set-id and sticky bits are not kept.
            if let Thing::File { mode, .. } | Thing::Dir { mode, .. } = thing {
                *mode &= 0o777;
            }
        }
        let run = lab.commit();
        assert_same(&lab.checkout(run), &expected, "checkout");
        let entries = lab.repo.manifest(run).unwrap().entries().count();
        prop_assert_eq!(entries, expected.len());
        prop_assert!(fsck(&lab.repo).unwrap().is_clean());
    }

    /// E2E 3: whatever was committed can be shown, listed, found, read and written back by itself,
    /// under whatever name, and the run is what its id says.
    #[test]
    fn property_3_accessibility_and_format_compliance(forest in forest(10)) {
        let lab = Lab::new();
        plant(&lab.path("in"), &forest);
        lab.add(&["in"]);
        let run = lab.commit();
        let manifest = lab.repo.manifest(run).unwrap();
        manifest.verify().unwrap();
        let entries: Vec<_> = manifest.entries().map(|e| e.unwrap()).collect();
        prop_assert_eq!(eart::manifest::run_id(manifest.meta(), &entries).unwrap(), run);
        let paths: Vec<&[u8]> = entries.iter().map(|e| e.path.as_bytes()).collect();
        prop_assert!(paths.is_sorted_by(|a, b| a < b));
        let files: Vec<&[u8]> =
            entries.iter().filter(|e| e.node != Node::Dir).map(|e| e.path.as_bytes()).collect();

        // Shown and listed as JSON that reads back, whatever the names are.
        let shown = serde_json::to_vec(&lab.repo.show("latest").unwrap()).unwrap();
        let shown: serde_json::Value = serde_json::from_slice(&shown).unwrap();
        prop_assert_eq!(&shown["id"], &run.to_hex());
        let items = lab.repo.list(run, None, true).unwrap();
        prop_assert_eq!(items.iter().map(|i| i.path.as_bytes()).collect::<Vec<_>>(), paths);
        for item in &items {
            prop_assert!(!item.path.to_string().contains(char::is_control));
            let json = serde_json::to_value(&item.path).unwrap();
            let hex = |b: &u8| format!("{b:02x}");
            match json.get("path_bytes") {
                None => prop_assert_eq!(json["path"].as_str().unwrap().as_bytes(), item.path.as_bytes()),
                Some(bytes) => {
                    let all: String = item.path.as_bytes().iter().map(hex).collect();
                    prop_assert_eq!(bytes, &all);
                    prop_assert!(std::str::from_utf8(item.path.as_bytes()).is_err());
                }
            }
        }

        // Found by a glob over everything.
        let query = Query { path: Some(Glob::new(["**"]).unwrap()), ..Query::default() };
        let catalog = lab.repo.catalog().unwrap();
        let found = catalog.find(&query).unwrap();
        prop_assert_eq!(found.iter().map(|f| f.path.as_bytes()).collect::<Vec<_>>(), files);

        // Read, and written back, each by itself.
        for entry in &entries {
            prop_assert!(manifest.entries_within(&entry.path).any(|e| e.unwrap() == *entry));
            let name = entry.path.as_path();
            let to = scratch();
            if let Ok(selection) = Selection::new(&[name]) {
                prop_assert!(selection.matches(&entry.path), "{}", entry.path);
                let paths = vec![name.as_os_str().to_owned()];
                let options = CheckoutOptions { paths, to: to.path().to_owned(), force: false };
                lab.repo.checkout(run, &options, &Silent).unwrap();
                prop_assert!(fs::symlink_metadata(to.path().join(name)).is_ok(), "{}", entry.path);
            }
            let Some(id) = entry.file_id() else { continue };
            let mut read = Vec::new();
            lab.repo.contents().unwrap().write(run, entry, &mut read).unwrap();
            prop_assert_eq!(FileId::of(&read), id);
            prop_assert!(read == fs::read(lab.work().join(name)).unwrap());
        }
    }

    /// E2E 4: content is stored once, added again it costs nothing, and what is stored is not
    /// larger than what came in, but for a bounded overhead.
    #[test]
    fn property_4_storage_efficiency(forest in forest(15), copies in 1..4usize) {
        let lab = Lab::new();
        plant(&lab.path("in"), &forest);
        let added = lab.add(&["in"]);
        let run = lab.commit();
        let packs = size(&lab, "packs");
        prop_assert_eq!(packs, added.new_bytes);
        let files = tree(&lab.path("in"));
        let distinct: BTreeMap<[u8; 32], u64> = files.values().filter_map(|t| match t {
            Thing::File { size, hash, .. } => Some((*hash.as_bytes(), *size)),
            _ => None,
        }).collect();
        let input: u64 = distinct.values().sum();
        let rows = distinct.len() as u64 + input / (64 << 10);
        prop_assert!(packs <= input + 200 + 60 * rows, "{packs} bytes for {input}");
        // The same content under other names, and the same folder again, read once more.
        for n in 0..copies {
            plant(&lab.path(format!("copy{n}")), &forest);
            prop_assert_eq!(lab.add(&[&format!("copy{n}")]).new_bytes, 0);
        }
        let other = lab.commit();
        prop_assert_eq!(size(&lab, "packs"), packs);
        prop_assert_eq!(tree(&lab.path("copy0")).len(), files.len());
        prop_assert!(lab.repo.run_ids().unwrap().contains(&run));
        prop_assert!(lab.repo.run_ids().unwrap().contains(&other));
    }

    /// E2E 5: what is said of a run is kept as it is; what cannot be kept is refused by name, and
    /// then nothing is stored.
    #[test]
    fn property_5_metadata_completeness_and_error_handling(
        message in prop_oneof![any::<String>(), "\\PC{0,40}", Just("m".repeat(70_000))],
        labels in prop::collection::btree_map(
            prop_oneof![6 => "[A-Za-z0-9._/-]{1,12}", 1 => "\\PC{0,6}", 1 => Just("k".repeat(129))],
            prop_oneof![6 => "\\PC{0,20}", 1 => Just("v".repeat(1025)), 1 => Just("a\0b".into())],
            0..4,
        ),
        name in prop_oneof![3 => "[A-Za-z0-9._-]{1,20}", 1 => "\\PC{0,10}", 1 => Just("latest".to_owned())],
        status in prop::option::of(prop::sample::select(Status::ALL.to_vec())),
    ) {
        let lab = Lab::new();
        lab.write("in/file", b"content");
        lab.add(&["in"]);
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let good_name = !name.is_empty() && name != "." && name != ".." && name != "latest" && name.chars().all(plain);
        let good_labels = labels.iter().all(|(key, value)| {
            !key.is_empty() && key.len() <= 128 && key.chars().all(|c| plain(c) || c == '/')
                && value.len() <= 1024 && !value.contains('\0')
        });
        let good_message = message.len() <= 64 * 1024 && !message.contains('\0');
        let options = CommitOptions {
            message: message.clone(), labels: labels.clone(), name: Some(name.clone()), status,
            project: Some("shop".into()), ..committing()
        };
        match lab.repo.commit(&options) {
            Ok(run) => {
                prop_assert!(good_name && good_labels && good_message, "{options:?}");
                let again = Repo::open(lab.repo.folder().clone(), &lab.work()).unwrap();
                for meta in [again.manifest(run.id).unwrap().meta(), &again.catalog().unwrap().get(&run.id).unwrap().meta] {
                    prop_assert_eq!(&meta.message, &message);
                    prop_assert_eq!(&meta.labels, &labels);
                    prop_assert_eq!(&meta.name, &name);
                    prop_assert_eq!(meta.status, status);
                    prop_assert_eq!(&meta.project, "shop");
                }
                prop_assert!(again.manifest(run.id).unwrap().verify().is_ok());
            }
            Err(e) => {
                prop_assert!(!(good_name && good_labels && good_message), "{e}: {options:?}");
                let text = e.to_string();
                let told = ["name", "label", "message"].iter().any(|what| text.contains(what));
                prop_assert!(told, "{text}");
                prop_assert!(lab.repo.run_ids().unwrap().is_empty());
                prop_assert!(lab.repo.folder().list("tmp").unwrap().is_empty());
                prop_assert_eq!(lab.repo.draft("default").unwrap().unwrap().entries().len(), 2);
            }
        }
    }
}
