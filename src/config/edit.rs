//! Changing a configuration file: new text out of old text, with comments and order kept.
//! Writes nothing; the caller makes the text durable.

use toml_edit::{Array, Document, DocumentMut, Item, Table, TableLike, Value as Toml};

use super::kind::{Raw, Value};
use super::{Error, SourceFile, check, find, unknown};

/// The text of `file` with `key` set to `text`, which is checked first. Of a list the items are
/// separated by commas.
///
/// # Errors
///
/// When nobody knows the key, the value does not fit it, or the file is not TOML or has something
/// else where the key's table belongs.
pub fn set(file: &SourceFile, key: &str, text: &str) -> Result<String, Error> {
    let known = find(key).ok_or_else(|| unknown(key, None))?;
    let raw = match text {
        "none" if known.optional => Raw::One(text.to_owned()),
        _ => known.kind.split(text),
    };
    let mut new = match (check(known, &raw, None)?, &raw) {
        (_, Raw::Many(list)) => Toml::Array(list.iter().collect::<Array>()),
        // A number as a number, but a size or an age as the user wrote it.
        (Value::Number(n), _) if text.trim().bytes().all(|b| b.is_ascii_digit()) => {
            i64::try_from(n).map_or_else(|_| Toml::from(text), Toml::from)
        }
        _ => Toml::from(text),
    };
    let mut document = file.document()?;
    let mut table: &mut dyn TableLike = document.as_table_mut();
    let (groups, name) = key.rsplit_once('.').map_or((None, key), |(g, n)| (Some(g), n));
    for group in groups.into_iter().flat_map(|g| g.split('.')) {
        let inner = table.entry(group).or_insert_with(|| Item::Table(group_table(key, group)));
        table = inner.as_table_like_mut().ok_or_else(|| Error::BadValue {
            key: group.to_owned(),
            at: None,
            got: "something else".to_owned(),
            expected: format!("a table in {}", file.path.display()),
        })?;
    }
    match table.get_mut(name) {
        Some(Item::Value(old)) => {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        Some(item) => *item = Item::Value(new),
        None => drop(table.insert(name, Item::Value(new))),
    }
    Ok(document.to_string())
}

/// A table to put `key` into. One that will only hold further tables needs no header of its own.
fn group_table(key: &str, group: &str) -> Table {
    let mut table = Table::new();
    table.set_implicit(key.rsplit('.').nth(1) != Some(group));
    table
}

/// The text of `file` without `key`, or `None` when the key is not set there. The key need not be
/// a known one, so that what should not be there can be removed. Comments above the key stay.
///
/// # Errors
///
/// When the file is not TOML.
pub fn unset(file: &SourceFile, key: &str) -> Result<Option<String>, Error> {
    let document = file.document()?;
    let Ok(path) = toml_edit::Key::parse(key) else { return Ok(None) };
    let path: Vec<&str> = path.iter().map(toml_edit::Key::get).collect();
    if item(document.as_table(), &path).is_none() {
        return Ok(None);
    }
    // Outside inline tables a line holds one key: taking its lines out leaves all else alone.
    if let Some(text) = without_lines(&file.text, &path)
        && let Ok(rest) = text.parse::<DocumentMut>()
        && item(rest.as_table(), &path).is_none()
    {
        return Ok(Some(text));
    }
    let mut document = document;
    if let Some((name, groups)) = path.split_last() {
        let mut table: Option<&mut dyn TableLike> = Some(document.as_table_mut());
        for group in groups {
            table = table.and_then(|t| t.get_mut(group)).and_then(Item::as_table_like_mut);
        }
        if let Some(table) = table {
            table.remove(name);
        }
    }
    Ok(Some(document.to_string()))
}

fn item<'a>(table: &'a dyn TableLike, path: &[&str]) -> Option<&'a Item> {
    let (first, rest) = path.split_first()?;
    let found = table.get(first)?;
    if rest.is_empty() { Some(found) } else { item(found.as_table_like()?, rest) }
}

fn without_lines(text: &str, path: &[&str]) -> Option<String> {
    let document = Document::parse(text).ok()?;
    let (name, groups) = path.split_last()?;
    let mut table: &dyn TableLike = document.as_table();
    for group in groups {
        let inner = table.get(group)?;
        if inner.is_inline_table() {
            return None;
        }
        table = inner.as_table_like()?;
    }
    let (key, value) = table.get_key_value(name)?;
    let (key, value) = (key.span()?, value.as_value()?.span()?);
    let start = text.get(..key.start)?.rfind('\n').map_or(0, |newline| newline + 1);
    let rest = text.get(value.end..)?;
    let end = rest.find('\n').map_or(text.len(), |newline| value.end + newline + 1);
    Some(format!("{}{}", text.get(..start)?, text.get(end..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> SourceFile {
        SourceFile { path: "config.toml".into(), text: text.to_owned() }
    }

    #[test]
    fn setting_keeps_comments_and_order() {
        let text = "# Ours.\n[keep]\n# Enough for a week.\nnewest = 5 # runs\nwithin = \"7d\"\n";
        let text = set(&file(text), "keep.newest", "20").unwrap();
        assert_eq!(
            text,
            "# Ours.\n[keep]\n# Enough for a week.\nnewest = 20 # runs\nwithin = \"7d\"\n"
        );
        let text = set(&file(&text), "keep.per", "suite, branch").unwrap();
        let text = set(&file(&text), "draft", "ci").unwrap();
        let text = set(&file(&text), "compression.types.video", "none").unwrap();
        let text = set(&file(&text), "max-size", "1.5GB").unwrap();
        assert_eq!(
            text,
            "draft = \"ci\"\nmax-size = \"1.5GB\"\n# Ours.\n[keep]\n# Enough for a week.\n\
             newest = 20 # runs\nwithin = \"7d\"\nper = [\"suite\", \"branch\"]\n\n\
             [compression.types]\nvideo = \"none\"\n"
        );
    }

    #[test]
    fn a_value_is_set_in_the_form_the_file_has() {
        let set = |text, key, value| set(&file(text), key, value).unwrap();
        assert_eq!(
            set("keep.newest = 1\n", "keep.within", "2w"),
            "keep.newest = 1\nkeep.within = \"2w\"\n"
        );
        assert_eq!(
            set("keep = { newest = 1 }\n", "keep.newest", "none"),
            "keep = { newest = \"none\" }\n"
        );
        assert_eq!(set("", "keep.newest", "3"), "[keep]\nnewest = 3\n");
        assert_eq!(set("", "exclude", "*.{a,b},c"), "exclude = [\"*.{a,b}\", \"c\"]\n");
    }

    #[test]
    fn only_what_fits_is_set() {
        let fails = |text, key, value| set(&file(text), key, value).unwrap_err().to_string();
        assert_eq!(
            fails("", "keep.newest", "0"),
            "Bad value for keep.newest: got \"0\", expected a whole number from 1, or none"
        );
        assert_eq!(
            fails("", "keep.newst", "1"),
            "Unknown key keep.newst (did you mean keep.newest?)"
        );
        assert!(fails("keep = 3", "keep.newest", "1").contains("expected a table in config.toml"));
        assert!(fails("keep = ", "keep.newest", "1").contains("config.toml, line 1, column 8"));
    }

    #[test]
    fn unsetting_leaves_comments_and_everything_else() {
        let unset = |text, key| unset(&file(text), key).unwrap();
        let text = "# Ours.\n\ndraft = \"a\" # mine\ncolor = \"never\"\n[kep]\nnewest = 1\n";
        assert_eq!(
            unset(text, "draft").unwrap(),
            "# Ours.\n\ncolor = \"never\"\n[kep]\nnewest = 1\n"
        );
        assert_eq!(unset(text, "kep.newest").unwrap(), text.replace("newest = 1\n", ""));
        assert_eq!(
            unset(text, "kep").unwrap(),
            "# Ours.\n\ndraft = \"a\" # mine\ncolor = \"never\"\n"
        );
        assert_eq!(unset(text, "keep.newest"), None);
        assert_eq!(unset(text, "not a key"), None);
        assert_eq!(unset("\"keep.per\" = 1\n", "\"keep.per\"").unwrap(), "");
        assert_eq!(
            unset("keep = { newest = 1, per = [] }", "keep.newest").unwrap(),
            "keep = { per = [] }\n"
        );
        assert_eq!(
            unset("exclude = [\n  \"a\",\n] # end\ndraft = \"b\"", "exclude").unwrap(),
            "draft = \"b\""
        );
    }
}
