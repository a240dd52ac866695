//! Integration tests: one binary, one file a command or a promise.
