//! The rules of `patterns/`, checked and written out as tables by build.rs.

#[allow(unused_imports, reason = "the tables use them where a rule has them")]
use super::spec::{Block, Near, RuleSpec, Words};
use crate::model::{Confidence, Severity};
use std::borrow::Cow::Borrowed;

include!(concat!(env!("OUT_DIR"), "/rules.rs"));

/// The blocks of `patterns/` that prove and end credentials, as JSON of [`super::block::Blocks`].
pub(super) static BLOCKS: &str = include_str!(concat!(env!("OUT_DIR"), "/blocks.json"));
