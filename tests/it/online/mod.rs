//! What asks and ends: loopback servers and real ones.

mod database;
mod net;
mod postgres;
mod redis;
