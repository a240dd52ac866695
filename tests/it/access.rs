//! Property 3: whatever was committed can be listed, shown, found, read and written back.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use eart::disk::Folder;
use eart::manifest::Node;
use eart::path::RelPath;
use eart::progress::Silent;
use eart::repo::{AddOptions, CheckoutOptions, CommitOptions, Glob, Query, Repo, Selection};
use proptest::prelude::*;

/// Names as they come, and as nobody expects them.
fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "[a-z]{1,6}(\\.(json|png|xml|zip))?".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 1..12),
        1 => "[*?\\[\\]{}!~: \"'\\\\\n-]{1,4}".prop_map(String::into_bytes),
    ]
    .prop_map(|bytes| {
        let name: Vec<u8> = bytes.into_iter().filter(|b| !matches!(b, 0 | b'/')).collect();
        if matches!(&name[..], b"" | b"." | b"..") { b"x".to_vec() } else { name }
    })
    .prop_filter("the store's own names", |name| {
        !name.eq_ignore_ascii_case(b".git") && !matches!(&name[..], b".eart" | b".eartignore")
    })
}

type Tree = BTreeMap<Vec<u8>, Vec<u8>>;

/// Files by path; a file in the way of a folder is left out.
fn tree() -> impl Strategy<Value = Tree> {
    let path = prop::collection::vec(name(), 1..4).prop_map(|names| names.join(&b'/'));
    let content = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..200),
        1 => (any::<u8>(), 100_000..400_000usize).prop_map(|(byte, len)| vec![byte; len]),
    ];
    prop::collection::btree_map(path, content, 0..10).prop_map(|tree| {
        let mut kept = Tree::new();
        for (path, content) in tree {
            let below = |a: &[u8], b: &[u8]| a.starts_with(b) && a.get(b.len()) == Some(&b'/');
            if !kept.keys().any(|other| below(&path, other) || below(other, &path)) {
                kept.insert(path, content);
            }
        }
        kept
    })
}

fn read_tree(root: &Path, at: &Path, tree: &mut Tree) {
    for entry in fs::read_dir(at).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_tree(root, &path, tree);
        } else {
            let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
            tree.insert(name, fs::read(&path).unwrap());
        }
    }
}

fn check(tree: &Tree) -> Result<(), TestCaseError> {
    let dir = tempfile::tempdir().unwrap();
    let work = dir.path().join("work");
    fs::create_dir(&work).unwrap();
    for (path, content) in tree {
        let path = work.join(OsStr::from_bytes(path));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let (repo, _) = Repo::init(Folder::new(dir.path().join("store")), &work).unwrap();
    let add = AddOptions {
        paths: vec![work.clone()],
        cwd: work.clone(),
        target: None,
        draft: "default".into(),
        excludes: Vec::new(),
        declared: None,
        max_size: None,
        compression: &|_| Some(3),
    };
    repo.add(&add, &Silent).unwrap();
    let drafts = vec!["default".into()];
    let run =
        repo.commit(&CommitOptions { drafts, allow_empty: true, ..Default::default() }).unwrap();

    // Shown, as JSON that reads back.
    let shown = serde_json::to_vec(&repo.show("latest").unwrap()).unwrap();
    let shown: serde_json::Value = serde_json::from_slice(&shown).unwrap();
    prop_assert_eq!(&shown["id"], &run.id.to_hex());
    prop_assert_eq!(&shown["summary"]["files"], tree.len());

    // Listed, each once, as UTF-8 whatever the names are.
    let items = repo.list(run.id, None, true).unwrap();
    let files: Vec<&[u8]> =
        items.iter().filter(|i| !i.is_dir()).map(|i| i.path.as_bytes()).collect();
    prop_assert_eq!(&files, &tree.keys().map(Vec::as_slice).collect::<Vec<_>>());
    for item in &items {
        prop_assert!(!item.path.to_string().contains(char::is_control));
        let json = serde_json::to_string(&item.path).unwrap();
        prop_assert!(serde_json::from_str::<String>(&json).is_ok());
    }

    // Found by a glob over everything.
    let catalog = repo.catalog().unwrap();
    let query = Query { path: Some(Glob::new(["**"]).unwrap()), ..Query::default() };
    let found = catalog.find(&query).unwrap();
    prop_assert_eq!(found.iter().map(|f| f.path.as_bytes()).collect::<Vec<_>>(), files);

    // Read byte by byte, and selected by its own name.
    for (path, content) in tree {
        let path = RelPath::new(path.clone()).unwrap();
        let named = repo.files(&[(run.id, path.clone())]).unwrap();
        let mut bytes = Vec::new();
        repo.cat(run.id, &named[0].1, &mut bytes).unwrap();
        prop_assert!(bytes == *content, "{path}");
        let Node::File { size, .. } = named[0].1.node else { panic!("{path}") };
        prop_assert_eq!(size, content.len() as u64);
        if let Ok(selection) = Selection::new(&[path.as_path()]) {
            prop_assert!(selection.matches(&path), "{path}");
        }
    }

    // Written back as it was.
    let to = dir.path().join("back");
    let options = CheckoutOptions { paths: Vec::new(), to: to.clone(), force: false };
    let done = repo.checkout(run.id, &options, &Silent).unwrap();
    prop_assert_eq!((done.files, done.failed), (tree.len() as u64, 0));
    let mut back = Tree::new();
    read_tree(&to, &to, &mut back);
    prop_assert!(back == *tree);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn property_3_accessibility_and_format_compliance(tree in tree()) {
        check(&tree)?;
    }
}
