//! The rules of `patterns/`, checked and written out as tables by build.rs.

#[allow(unused_imports, reason = "the tables use them where a rule has them")]
use super::set::{Block, Near, RuleSpec, Words};
use crate::model::{Confidence, Severity};
use std::borrow::Cow::Borrowed;

include!(concat!(env!("OUT_DIR"), "/rules.rs"));
