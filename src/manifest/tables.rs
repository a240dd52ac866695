//! Every redb table of a run's file. Each name carries the version of what is in the table; a table
//! that would be empty is not there at all, as an empty one costs a page.
//!
//! Contents: docs/format.md, "The file of a run". Readers of test reports will get tables of their own
//! here.

use redb::TableDefinition;

/// Facts of the run by name: see the `KEY_` constants.
pub(super) const META: TableDefinition<'static, &'static str, &'static [u8]> =
    TableDefinition::new("meta-1");

/// The path of a block's first entry, and the block.
pub(super) const ENTRIES: TableDefinition<'static, &'static [u8], &'static [u8]> =
    TableDefinition::new("entries-1");

/// A file's id and its chunk list, for files of two or more chunks.
pub(super) const CHUNKS: TableDefinition<'static, &'static [u8; 32], &'static [u8]> =
    TableDefinition::new("chunks-1");

/// In [`META`]: the run's metadata as in the canonical listing.
pub(super) const KEY_RUN: &str = "run";

/// In [`META`]: the run's summary.
pub(super) const KEY_SUMMARY: &str = "summary";

/// In [`META`]: before a label's name, for the label's value. Labels have no table of their own, as
/// that would cost every labelled run a page.
pub(super) const KEY_LABEL: &str = "label/";
