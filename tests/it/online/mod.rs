//! What asks and ends: loopback servers and real ones.

mod net;
