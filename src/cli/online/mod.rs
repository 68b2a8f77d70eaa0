//! What asks providers and ends keys, and what is on record of it: only on request, only with the feature `online`.

pub(crate) mod act;
pub(crate) mod incidents;
pub(crate) mod keep;
pub(crate) mod ledger;
pub(crate) mod lines;
pub(crate) mod names;
pub(crate) mod plan;
pub(crate) mod prompt;
pub(crate) mod recheck;
pub(crate) mod reread;
pub(crate) mod respond;
pub(crate) mod revoke;
pub(crate) mod settings;
pub(crate) mod typed;
pub(crate) mod verify;
