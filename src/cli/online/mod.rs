//! What reaches the network, only when asked.

pub(crate) mod incidents;
pub(crate) mod ledger;
