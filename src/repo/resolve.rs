//! Revisions: from what a user types to a run.
//!
//! `latest`, tag, run name (its newest), id, or unique id prefix, in this order; then `~N` for the
//! N-th run before it - of the same name where the revision is a name -, and `@label=value,...` to
//! look only at runs with these labels. A value with a `,` or `:` in it stands in double quotes.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::catalog::Row;
use super::select::trim;
use super::{Catalog, Error, Record, Refs, Repo, Result};
use crate::id::RunId;
use crate::path::RelPath;

/// The name of the newest run.
pub const LATEST: &str = "latest";
/// Fewer digits than this are not taken for an id.
const MIN_PREFIX: usize = 4;
/// So many runs are listed when a prefix is ambiguous.
const CANDIDATES: usize = 8;

/// A revision, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Spec<'a> {
    base: &'a str,
    labels: Vec<(&'a str, &'a str)>,
    back: usize,
}

impl<'a> Spec<'a> {
    fn parse(text: &'a str) -> Result<Self> {
        let bad = |why: &str| {
            Err(Error::usage(
                format!("Not a revision: {text:?} ({why})"),
                Some("write it like latest, latest~2, latest@branch=main, nightly or 3fa9c1"),
            ))
        };
        // A label's value may hold a ~, so the labels are cut off first; ~N may stand on either side.
        let (head, filter) = match text.split_once('@') {
            Some((head, filter)) => (head, Some(filter)),
            None => (text, None),
        };
        let (base, mut back) = match head.split_once('~') {
            Some((base, count)) => match steps(count) {
                Some(count) => (base, count),
                None => return bad("~ wants a number behind it"),
            },
            None => (head, 0),
        };
        let mut labels = Vec::new();
        if let Some(mut filter) = filter {
            if let Some((rest, count)) = filter.rsplit_once('~')
                && let Some(count) = steps(count)
            {
                (filter, back) = (rest, back.saturating_add(count));
            }
            let mut rest = Some(filter);
            while let Some(pairs) = rest {
                let Some((name, value)) = pairs.split_once('=') else {
                    return bad("labels are written name=value");
                };
                if name.is_empty() || name.contains(',') {
                    return bad("labels are written name=value");
                }
                let Some((value, more)) = first_value(value) else {
                    return bad("a value ends with the quotes that it begins with");
                };
                labels.push((name, value));
                rest = more;
            }
        }
        if base.is_empty() {
            return bad("it names no run");
        }
        Ok(Self { base, labels, back })
    }
}

/// The value that a list of labels begins with, and the labels behind it.
fn first_value(text: &str) -> Option<(&str, Option<&str>)> {
    let Some(quoted) = text.strip_prefix('"') else {
        return Some(match text.split_once(',') {
            Some((value, more)) => (value, Some(more)),
            None => (text, None),
        });
    };
    match quoted.split_once('"')? {
        (value, "") => Some((value, None)),
        (value, more) => Some((value, Some(more.strip_prefix(',')?))),
    }
}

/// The place of the colon between a revision and a path: the first that is in no quotes.
fn path_colon(text: &[u8]) -> Option<usize> {
    let (mut quoted, mut before) = (false, 0);
    text.iter().position(|byte| {
        match byte {
            b'"' if quoted || before == b'=' => quoted = !quoted,
            b':' if !quoted => return true,
            _ => {}
        }
        before = *byte;
        false
    })
}

fn steps(count: &str) -> Option<usize> {
    if count.is_empty() { Some(1) } else { count.parse().ok() }
}

impl Repo {
    /// Finds the run that a revision names.
    ///
    /// # Errors
    ///
    /// When it names none, or a prefix several: the message lists them.
    pub fn resolve(&self, text: &str) -> Result<RunId> {
        resolve(text, &self.catalog()?, &self.readable_refs()?).map(|record| record.id)
    }

    /// The records of the runs that revisions name, looking at the catalog once.
    ///
    /// # Errors
    ///
    /// As [`Repo::resolve`].
    pub fn records(&self, texts: &[impl AsRef<str>]) -> Result<Vec<Record>> {
        let (catalog, refs) = (self.catalog()?, self.readable_refs()?);
        texts.iter().map(|text| resolve(text.as_ref(), &catalog, &refs).cloned()).collect()
    }

    /// The run that a revision names, behind the one before it: of the runs with the same labels,
    /// where the revision names labels.
    ///
    /// # Errors
    ///
    /// As [`Repo::resolve`], and when there is none before it.
    pub fn resolve_with_previous(&self, text: &str) -> Result<[RunId; 2]> {
        let (catalog, refs) = (self.catalog()?, self.readable_refs()?);
        let new = nth(text, 0, &catalog, &refs)?.id;
        Ok([nth(text, 1, &catalog, &refs)?.id, new])
    }

    /// Finds what `RUN:PATH` names, each; `None` where there is no path, which means all.
    ///
    /// # Errors
    ///
    /// As [`Repo::resolve`], and when a path cannot stand in a run.
    pub fn resolve_paths(
        &self,
        texts: &[impl AsRef<OsStr>],
    ) -> Result<Vec<(RunId, Option<RelPath>)>> {
        let (catalog, refs) = (self.catalog()?, self.readable_refs()?);
        let mut found = Vec::with_capacity(texts.len());
        for text in texts {
            let bytes = text.as_ref().as_bytes();
            let (run, path) = match path_colon(bytes) {
                Some(colon) => (&bytes[..colon], trim(&bytes[colon + 1..])),
                None => (bytes, &b""[..]),
            };
            let run = resolve(&String::from_utf8_lossy(run), &catalog, &refs)
                .map_err(|e| self.without_a_run(bytes, e, &catalog))?
                .id;
            let path = if matches!(path, b"" | b".") { None } else { Some(RelPath::new(path)?) };
            found.push((run, path));
        }
        Ok(found)
    }
}

impl Repo {
    /// The error for a text that names no run, which may be a path without one.
    fn without_a_run(&self, text: &[u8], error: Error, catalog: &Catalog) -> Error {
        let newest = catalog.records().next().and_then(|run| self.manifest(run.id).ok());
        match (newest, RelPath::new(trim(text))) {
            (Some(newest), Ok(path)) if newest.entries_within(&path).next().is_some() => {
                let hint = format!(
                    "a path stands behind a run and a colon, as in `eart ls {LATEST}:{path}`"
                );
                Error::hinted(error.to_string(), hint)
            }
            _ => error,
        }
    }
}

/// Finds the run that a revision names in a catalog.
///
/// # Errors
///
/// As [`Repo::resolve`].
pub fn resolve<'a>(text: &str, catalog: &'a Catalog, refs: &Refs) -> Result<&'a Record> {
    nth(text, 0, catalog, refs)
}

/// Finds the `more`th run before the one that a revision names.
fn nth<'a>(text: &str, more: usize, catalog: &'a Catalog, refs: &Refs) -> Result<&'a Record> {
    let spec = Spec::parse(text)?;
    // Without labels no record has to be looked at.
    let wanted = |row: &&Row| {
        spec.labels.iter().all(|(name, value)| {
            let have = row.record().and_then(|run| run.meta.labels.get(*name));
            have.is_some_and(|have| have == value)
        })
    };
    let mut matching: Vec<&Row> = catalog.rows().iter().filter(wanted).collect();
    let start = match base(spec.base, &matching, catalog, refs)? {
        Some(Base::Run(start)) => start,
        Some(Base::Newest(start)) if spec.back.saturating_add(more) == 0 => start,
        Some(Base::Newest(_)) => {
            matching.retain(|row| is_named(row, spec.base));
            0
        }
        None if catalog.is_empty() => {
            return Err(Error::hinted(
                format!("No run {text:?}: the store has no runs yet"),
                "stage files with `eart add PATH` and make a run with `eart commit`",
            ));
        }
        None => return Err(no_run(text, &spec)),
    };
    let place = start.saturating_add(spec.back).saturating_add(more);
    matching.get(place).and_then(|row| row.record()).ok_or_else(|| {
        let before = match matching.len().saturating_sub(start).saturating_sub(1) {
            0 => "none lies".to_owned(),
            1 => "only 1 lies".to_owned(),
            n => format!("only {n} lie"),
        };
        let what = if more > 0 { "No run before" } else { "No run" };
        let message = format!("{what} {text:?}: {before} before {}", spec.base);
        Error::hinted(message, "`eart log` lists the runs")
    })
}

fn no_run(text: &str, spec: &Spec<'_>) -> Error {
    if is_hex(spec.base) && spec.base.len() < MIN_PREFIX {
        let message = format!("No run {text:?}: an id is named by at least {MIN_PREFIX} digits");
        return Error::hinted(message, "`eart log` lists the runs");
    }
    if let Some((run, path)) = text.split_once(':') {
        let hint = format!(
            "for a path in a run write `eart checkout {run} {path}` or `eart cat {run}:{path}`"
        );
        return Error::hinted(format!("No run {text:?}"), hint);
    }
    let hint = if spec.labels.is_empty() {
        "`eart log` lists the runs, `eart tag` the tags"
    } else {
        "`eart log --label name=value` lists the runs with a label; quote a value with , or : in it, \
         as in 'latest@url=\"http://a:80\"'"
    };
    Error::hinted(format!("No run {text:?}"), hint)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_named(row: &Row, name: &str) -> bool {
    row.record().is_some_and(|run| run.meta.name == name)
}

/// The place of the run that a base name means, among the runs that match the labels.
enum Base {
    /// This run.
    Run(usize),
    /// The newest of the runs that have the name.
    Newest(usize),
}

fn base(name: &str, matching: &[&Row], catalog: &Catalog, refs: &Refs) -> Result<Option<Base>> {
    if name == LATEST {
        return Ok((!matching.is_empty()).then_some(Base::Run(0)));
    }
    if let Some(id) = refs.tags.get(name) {
        if catalog.get(id).is_none() {
            return Err(Error::hinted(
                format!("The tag {name} names a run that is not there: {}", id.short()),
                format!("remove it with `eart tag -d {name}`, or set it again"),
            ));
        }
        return Ok(matching.iter().position(|row| row.id == *id).map(Base::Run));
    }
    if let Some(reason) = refs.damaged.get(name) {
        return Err(super::refs::damaged_tag(name, reason));
    }
    if let Some(place) = matching.iter().position(|row| is_named(row, name)) {
        return Ok(Some(Base::Newest(place)));
    }
    let prefix = name.to_ascii_lowercase();
    if prefix.len() < MIN_PREFIX || !is_hex(&prefix) {
        return Ok(None);
    }
    let begins = |row: &Row| row.id.to_hex().starts_with(&prefix);
    let candidates: Vec<&Row> = catalog.rows().iter().filter(|row| begins(row)).collect();
    if candidates.len() > 1 {
        let mut message = format!("{name} begins the ids of {} runs", candidates.len());
        for r in candidates.iter().take(CANDIDATES).filter_map(|row| row.record()) {
            let digits: String =
                r.id.to_hex().chars().take(prefix.len().max(RunId::SHORT) + 4).collect();
            message.push_str(&format!(
                "\n  {digits} {} {}",
                r.meta.committed.strftime("%F %T"),
                r.meta.name
            ));
        }
        return Err(Error::hinted(message, "give more digits"));
    }
    Ok(matching.iter().position(|row| begins(row)).map(Base::Run))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_are_taken_apart() {
        let spec = |text| Spec::parse(text).unwrap();
        assert_eq!(spec("latest"), Spec { base: "latest", labels: vec![], back: 0 });
        assert_eq!(spec("latest~"), Spec { base: "latest", labels: vec![], back: 1 });
        assert_eq!(spec("v1.2~3"), Spec { base: "v1.2", labels: vec![], back: 3 });
        let labels = vec![("branch", "main"), ("suite", "e2e")];
        assert_eq!(
            spec("latest@branch=main,suite=e2e"),
            Spec { base: "latest", labels: labels.clone(), back: 0 }
        );
        assert_eq!(
            spec("latest~2@branch=main,suite=e2e"),
            Spec { base: "latest", labels: labels.clone(), back: 2 }
        );
        assert_eq!(
            spec("latest@branch=main,suite=e2e~2"),
            Spec { base: "latest", labels, back: 2 }
        );
        assert_eq!(spec("latest@x=a~b").labels, [("x", "a~b")]);
        for bad in ["", "~1", "@a=b", "latest~x", "latest@branch", "latest@=v", "latest@a=b,c"] {
            assert!(Spec::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_value_in_quotes_may_hold_anything_else() {
        let spec = |text| Spec::parse(text).unwrap();
        let labels = vec![("url", "a:b,c=d~1"), ("x", "y")];
        let expected = Spec { base: "latest", labels, back: 2 };
        assert_eq!(spec(r#"latest@url="a:b,c=d~1",x=y~2"#), expected);
        assert_eq!(spec(r#"latest@x=y,url="a~1"~2"#).labels[1], ("url", "a~1"));
        assert_eq!(spec(r#"latest@x="""#).labels, [("x", "")]);
        assert_eq!(spec(r#"latest@x=a"b"#).labels, [("x", "a\"b")]);
        for bad in [r#"latest@a="b"#, r#"latest@a="b"c"#, r#"latest@a="b","#] {
            assert!(Spec::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_path_follows_the_first_colon_outside_quotes() {
        let cut = |text: &'static str| path_colon(text.as_bytes()).map(|at| text.split_at(at));
        assert_eq!(cut("latest"), None);
        assert_eq!(cut("latest:a:b"), Some(("latest", ":a:b")));
        assert_eq!(cut(r#"l@x="a:b":c:d"#), Some((r#"l@x="a:b""#, ":c:d")));
        assert_eq!(cut(r#"l@x=a"b:c"d"#), Some((r#"l@x=a"b"#, r#":c"d"#)));
        assert_eq!(cut(r#"l@x="a:b"#), None);
    }
}
