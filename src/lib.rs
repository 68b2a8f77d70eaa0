//! keysweep finds every exposed key in working trees and git history.
//!
//! The engine is a library before it is a program: [`scan::Engine`] scans one byte slice a call,
//! without files, network, clock or environment. Everything above it hands bytes in or results on.

pub mod config;
pub mod decode;
pub mod filter;
pub mod history;
pub mod import;
#[cfg(feature = "online")]
pub mod ledger;
pub mod model;
#[cfg(feature = "online")]
pub mod net;
pub mod pack;
pub mod place;
#[cfg(feature = "online")]
pub mod provider;
pub mod report;
#[cfg(feature = "online")]
pub mod respond;
pub mod rule;
pub mod scan;
pub mod source;
#[cfg(feature = "online")]
pub mod verify;
