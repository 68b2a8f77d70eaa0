//! What asks and ends: loopback servers that play providers, and real ones.

mod aws;
mod azure_storage;
mod blocks;
mod database;
mod end_to_end;
mod gcp;
mod ledger;
mod ledger_place;
mod names;
mod net;
mod playground;
mod postgres;
mod redis;
mod respond;
mod server;
mod table;
mod verify;
mod wrong_blocks;
