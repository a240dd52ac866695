//! The project a store belongs to, where nobody configured it: git's remote, else the store's folder.
//!
//! A store that was named may be used from anywhere. The remote is then looked for where the user
//! is, before where the store is; the folder is always that of the store.

use std::fs;
use std::path::{Path, PathBuf};

use super::STORE_DIR;

impl super::Repo {
    /// The project where none is configured: the name of the git remote's repository, else of the
    /// store's folder, else `unnamed`; and where it was found.
    pub fn project(&self) -> (String, &'static str) {
        find(&self.work, self.folder.root())
    }
}

fn find(work: &Path, store: &Path) -> (String, &'static str) {
    let store = fs::canonicalize(store).unwrap_or_else(|_| store.to_owned());
    let from_git = [work, &store].into_iter().find_map(remote);
    let source = if from_git.is_some() { "git remote" } else { "folder's name" };
    let name = from_git.or_else(|| {
        // Of `.eart` the folder that it is in.
        let mut names = store.ancestors().filter_map(Path::file_name);
        Some(names.find(|name| *name != STORE_DIR)?.to_string_lossy().into_owned())
    });
    let name: String = name
        .unwrap_or_default()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' })
        .take(128)
        .collect();
    let name = name.trim_start_matches(['-', '.']).to_owned();
    (if name.is_empty() { "unnamed".into() } else { name }, source)
}

/// The name of the remote of the git repository that a folder is in.
fn remote(folder: &Path) -> Option<String> {
    let config = folder.ancestors().find_map(git_config)?;
    repository_name(&remote_url(&config)?)
}

/// The configuration of the git repository whose top is `folder`; worktrees share their main's.
fn git_config(folder: &Path) -> Option<String> {
    let git = folder.join(".git");
    let dir = if git.is_dir() {
        git
    } else {
        let text = fs::read_to_string(&git).ok()?;
        let dir = folder.join(text.strip_prefix("gitdir:")?.trim());
        match fs::read_to_string(dir.join("commondir")) {
            Ok(common) => dir.join(common.trim()),
            Err(_) => dir,
        }
    };
    let config: PathBuf = dir.join("config");
    fs::read_to_string(config).ok()
}

/// The `url` of the remote `origin`, else of the first remote.
fn remote_url(config: &str) -> Option<String> {
    let mut remote = None;
    let mut first = None;
    for line in config.lines().map(str::trim) {
        if line.starts_with('[') {
            remote = line.strip_prefix("[remote \"").and_then(|r| r.strip_suffix("\"]"));
        } else if let Some(name) = remote
            && let Some((key, value)) = line.split_once('=')
            && key.trim() == "url"
        {
            let url = value.trim().trim_matches('"').to_owned();
            if name == "origin" {
                return Some(url);
            }
            first.get_or_insert(url);
        }
    }
    first
}

fn repository_name(url: &str) -> Option<String> {
    let url = url.trim_end_matches('/');
    let url = url.strip_suffix(".git").unwrap_or(url);
    let name = url.rsplit(['/', ':', '\\']).next()?;
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_is_the_remote_else_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let work = dir.path().join("My Shop");
        let detect = |work: &Path| find(work, &dir.path().join("My Shop/.eart")).0;
        fs::create_dir_all(work.join(".git")).unwrap();
        assert_eq!(detect(&work), "My-Shop");
        let config = "[core]\n\tbare = false\n[remote \"up\"]\n\turl = /srv/other.git\n\
                      [remote \"origin\"]\n\turl = git@example.com:team/web-shop.git\n";
        fs::write(work.join(".git/config"), config).unwrap();
        assert_eq!(detect(&work), "web-shop");
        fs::create_dir_all(work.join("a/b")).unwrap();
        assert_eq!(detect(&work.join("a/b")), "web-shop");
    }
}
