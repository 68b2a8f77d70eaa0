//! What asks providers and ends keys: only on request, only with the feature `online`.

pub(crate) mod incidents;
pub(crate) mod ledger;
pub(crate) mod reread;
#[allow(
    dead_code,
    reason = "the commands that use it come with changes of their own"
)]
pub(crate) mod settings;
pub(crate) mod verify;
