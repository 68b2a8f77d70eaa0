//! What asks and ends: loopback servers and real ones.

mod ledger;
mod net;
mod respond;
mod verify;
