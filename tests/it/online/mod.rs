//! What asks and ends: loopback servers and real ones.

mod aws;
mod azure_storage;
mod net;
mod verify;
