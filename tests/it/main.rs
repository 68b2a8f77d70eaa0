//! One integration program, a module for each subject: it links once and runs in parallel.
#![allow(
    clippy::unwrap_used,
    clippy::format_collect,
    clippy::naive_bytecount,
    clippy::missing_panics_doc,
    clippy::case_sensitive_file_extension_comparisons,
    reason = "a test that panics has failed, which is what it is for; and none need be fast"
)]

mod cache;
mod history;
mod history_hostile;
mod hook;
mod hostile;
mod import;
mod layering;
mod properties;
mod readme;
mod rule_files;
mod rules;
mod scan;
mod support;
