//! Text and JSON on standard output.
