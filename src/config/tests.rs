//! Files as people write them, and as they should not.
