//! The rooms of the source import only what stands below them, and only the command line prints.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What every room may import.
const BASE: &[&str] = &["id", "path", "progress", "disk", "artifact", "config"];

/// The rooms above the base and what of ours each may import besides it.
const ROOMS: &[(&str, &[&str])] = &[
    ("chunk", &[]),
    ("work", &["manifest"]),
    ("store", &["chunk"]),
    ("manifest", &[]),
    ("results", &[]),
    ("context", &[]),
    ("repo", &["chunk", "work", "store", "manifest", "results", "context"]),
    ("remote", &[]),
    ("sync", &["repo", "remote", "manifest", "store"]),
    ("server", &["repo", "sync", "remote", "manifest", "store"]),
    (
        "cli",
        &[
            "chunk", "work", "store", "manifest", "results", "context", "repo", "remote", "sync",
            "server",
        ],
    ),
    ("main", &["cli"]),
    ("lib", &[]),
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Every source file, relative to `src`, with its text but for its comments and the unit tests at
/// its end.
fn code() -> Vec<(PathBuf, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&src, &mut found);
    assert!(found.len() > 50, "{}", found.len());
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let text = lines.collect::<Vec<_>>().join("\n");
        (path.strip_prefix(&src).unwrap().to_owned(), text)
    };
    found.into_iter().map(read).collect()
}

fn room(file: &Path) -> String {
    let first = file.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// The rooms that a text names: `crate::room`, `crate::{room, ...}` and `eart::room`.
fn imports(text: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for start in ["crate::", "eart::"] {
        for (at, _) in text.match_indices(start) {
            let before = text[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let rest = &text[at + start.len()..];
            let word = |s: &str| -> String {
                s.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
            };
            match rest.strip_prefix('{') {
                None => drop(rooms.insert(word(rest))),
                Some(list) => {
                    rooms.extend(top_level(list).into_iter().map(|part| word(part.trim())))
                }
            }
        }
    }
    rooms.remove("");
    rooms
}

/// The parts of a braced list up to its closing brace.
fn top_level(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(&list[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts
}

#[test]
fn imports_point_down() {
    let allowed: BTreeMap<&str, &[&str]> = ROOMS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (file, text) in code() {
        let room = room(&file);
        let base = BASE.contains(&&*room);
        let Some(may) = allowed.get(&*room).copied().or(base.then_some(&[])) else {
            wrong.push(format!("{}: the room {room} is in no list", file.display()));
            continue;
        };
        for other in imports(&text) {
            let known = BASE.contains(&&*other) || allowed.contains_key(&*other);
            // A base module may use another one; macros and items of the root have no rank.
            if known && other != room && !BASE.contains(&&*other) && !may.contains(&&*other) {
                wrong.push(format!("{} imports {other}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn imports_are_seen() {
    let text =
        "use crate::{id::{A, B}, store, work::walk};\nlet x = crate::repo::f(); my_crate::no::x";
    let seen: Vec<String> = imports(text).into_iter().collect();
    assert_eq!(seen, ["id", "repo", "store", "work"]);
}

#[test]
fn only_the_command_line_prints() {
    let mut wrong = Vec::new();
    for (file, text) in code() {
        if room(&file) == "cli" {
            continue;
        }
        for call in ["println!", "print!(", "eprint!(", "dbg!(", "io::stdout", "io::stderr"] {
            if text.contains(call) {
                wrong.push(format!("{} has {call}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_file_is_too_long() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&src, &mut found);
    let lines = |path: &PathBuf| fs::read_to_string(path).unwrap().lines().count();
    let long: Vec<_> = found.iter().filter(|path| lines(path) > 500).collect();
    assert!(long.is_empty(), "{long:?}");
    for path in &found {
        assert!(fs::read_to_string(path).unwrap().starts_with("//!"), "{}", path.display());
    }
}
