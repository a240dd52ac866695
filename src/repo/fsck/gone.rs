//! Runs that are lost as a whole: those that the catalog knows and that nobody removed, and those
//! whose manifests are damaged. What they held is known from the catalog.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read};

use serde::Deserialize;

use super::Checked;
use crate::disk;
use crate::id::RunId;
use crate::path::RelPath;
use crate::repo::{AUDIT, Catalog, Repo, Result, runs};

/// A longer line of the log is passed over.
const LINE: u64 = 1 << 20;

impl Repo {
    /// Finds runs that are gone without a line in the log. `known` was read before: a run that is
    /// removed has its line before its file goes.
    pub(super) fn check_gone(&self, known: &Catalog, checked: &mut Checked) -> Result<()> {
        let there: HashSet<RunId> = self.run_ids()?.into_iter().collect();
        let mut gone: Vec<_> = known.records().filter(|run| !there.contains(&run.id)).collect();
        if gone.is_empty() {
            return Ok(());
        }
        let removed = self.removed()?;
        gone.retain(|run| !removed.contains(&run.id));
        for run in gone {
            let (id, name) = (run.id.short(), &run.meta.name);
            let reason = format!(
                "the run {id} ({name}) is gone, and no log says who removed it, or {AUDIT} is gone"
            );
            checked.find_lost(runs::file(run.id), reason);
        }
        Ok(())
    }

    /// The runs that the log says were removed.
    fn removed(&self) -> Result<HashSet<RunId>> {
        #[derive(Deserialize)]
        struct Line {
            run: String,
        }
        let mut removed = HashSet::new();
        let file = match self.folder.open(AUDIT) {
            Err(e) if e.is_not_found() => return Ok(removed),
            other => other?,
        };
        let path = self.folder.path(AUDIT);
        let (mut log, mut line) = (BufReader::new(file), Vec::new());
        loop {
            line.clear();
            let read = log.by_ref().take(LINE).read_until(b'\n', &mut line);
            if read.map_err(disk::Error::on("read", &path))? == 0 {
                return Ok(removed);
            }
            // An incomplete or damaged line says nothing.
            let run: Option<RunId> =
                serde_json::from_slice::<Line>(&line).ok().and_then(|l| l.run.parse().ok());
            removed.extend(run);
        }
    }

    /// Names the files of the runs that are lost, as far as the catalog knows them.
    pub(super) fn lose_runs(known: &Catalog, checked: &mut Checked) {
        let files: HashSet<&str> =
            checked.findings.iter().filter(|f| f.lost).map(|f| f.what.as_str()).collect();
        let lost: HashSet<RunId> = known
            .rows()
            .iter()
            .map(|row| row.id)
            .filter(|id| files.contains(runs::file(*id).as_str()))
            .collect();
        if lost.is_empty() {
            return;
        }
        // A segment that is damaged is a finding of its own.
        drop(known.search(
            |_| true,
            |path, hit| {
                if lost.contains(&hit.run.id) {
                    let path = match RelPath::new(path) {
                        Ok(path) => path.to_string(),
                        Err(_) => String::from_utf8_lossy(path).into_owned(),
                    };
                    checked.lose(Some(hit.run.id), &hit.run.meta.name, &path);
                }
            },
        ));
    }
}
