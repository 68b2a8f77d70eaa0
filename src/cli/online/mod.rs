//! What reaches the network, only when asked.

pub(crate) mod act;
pub(crate) mod keep;
pub(crate) mod ledger;
pub(crate) mod plan;
pub(crate) mod recheck;
pub(crate) mod reread;
pub(crate) mod respond;
pub(crate) mod revoke;
pub(crate) mod settings;
pub(crate) mod verify;
