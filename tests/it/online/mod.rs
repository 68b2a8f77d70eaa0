//! What reaches the network: loopback servers that play the documented answers, and real servers of the tests' own.

mod database;
mod postgres;
mod redis;
