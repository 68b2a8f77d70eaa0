//! What asks and ends: loopback servers and real ones; and what is on record of it.

mod ledger;
mod net;
