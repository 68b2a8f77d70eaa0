//! What reaches the network, or is of use only to what does.

mod ledger;
