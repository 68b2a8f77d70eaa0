//! What a team writes down in keysweep.toml.

mod allow;

pub use allow::{AllowEntry, Target};
