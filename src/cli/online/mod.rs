//! What reaches the network, only when asked.

pub(crate) mod reread;
pub(crate) mod verify;
