//! Plain values that the stages hand to each other; no input or output here.

mod address;
mod finding;
mod history;
mod observer;
mod oid;
mod secret;
mod summary;
mod verification;

pub use address::{AddressRange, HostPattern, WebAddress, host_name};
pub use finding::{
    Confidence, Cover, Covered, Decoding, Finding, Fingerprint, Opens, Place, Position, Severity,
    Snippet, Span, Told,
};
pub use history::{Commit, History, Origin};
pub use observer::{Gap, Observer, Skip, SkipKind, Stage};
pub use oid::{Oid, OidSyntax};
pub use secret::{Credential, Parts, Rivals, Secret};
pub use summary::{BaselineCounts, Idle, MarkAt, Summary};
pub use verification::{Checked, ConfirmedLeak, Doubt, Identity, Level, Tally, Verification};
