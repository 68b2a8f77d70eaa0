//! What a project's configuration says, as plain values.

mod allow;

pub use allow::{AllowEntry, Target};
