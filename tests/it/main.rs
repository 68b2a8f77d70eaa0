//! One integration program, a module for each subject: it links once and runs in parallel.
#![allow(
    clippy::unwrap_used,
    clippy::format_collect,
    clippy::format_push_string,
    clippy::zombie_processes,
    clippy::naive_bytecount,
    clippy::missing_panics_doc,
    clippy::case_sensitive_file_extension_comparisons,
    reason = "a test that panics has failed, which is what it is for; and none need be fast"
)]

// With pipes, links, owners and scripts: what these look at is not there on other systems.
#[cfg(unix)]
mod baseline;
#[cfg(unix)]
mod cache;
#[cfg(unix)]
mod ci;
mod config;
mod everywhere;
mod forms;
#[cfg(unix)]
mod history;
#[cfg(unix)]
mod history_hostile;
#[cfg(unix)]
mod hook;
#[cfg(unix)]
mod hostile;
mod import;
mod layering;
#[cfg(feature = "online")]
mod online;
#[cfg(target_os = "linux")]
mod progress;
mod properties;
#[cfg(unix)]
mod readme;
mod report;
mod rule_files;
mod rules;
#[cfg(unix)]
mod scan;
mod shown;
#[cfg_attr(
    not(unix),
    allow(dead_code, reason = "what makes trees for the tests above")
)]
mod support;
mod suppression;
