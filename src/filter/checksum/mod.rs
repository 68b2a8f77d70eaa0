//! A token's own check digits and structure: what proves a match without asking anyone.
//!
//! A rule file names a verifier (`checksum = "github-crc32"`), the content filters run it last. It
//! stands apart from the patterns because a CRC, a DER length or a JSON body is beyond a regex, and
//! apart from `verify` because nothing here leaves the machine.
//!
//! How a verdict is chosen, kind by kind:
//! - [`Check::Fits`] only where chance is ruled out: a proven match stays a finding in tests and docs.
//!   What one string in sixty would pass by accident (a UUID's version) is [`Check::Silent`] instead.
//! - [`Check::Fails`] only where the scheme is published or was proven on public samples, for a wrong
//!   refusal loses a live key. Where vendors are known to deviate, a misfit is `Silent`.
//!
//! Deliberately absent: signatures and MACs (they need a key), placeholders inside decoded text beyond
//! the few that every manual prints, and any clock: an expired token is still a finding.

mod aws;
mod azure;
mod base64_text;
mod bech32;
mod block;
mod crc;
mod fact;
mod json;
mod macaroon;
mod openssh;
mod pem;
mod pgp;
mod putty;
mod read;
mod uuid;

use self::aws::{aws_account, aws_key_id};
use self::azure::{
    azure_cask, azure_devops_pat, azure_entra_8q, azure_identifiable, cask_facts,
    identifiable_facts,
};
use self::base64_text::{
    artifactory_facts, artifactory_ref, atlassian_dc, basic_auth, basic_auth_facts, discord_bot,
    discord_id,
};
use self::bech32::age_bech32;
use self::crc::{
    cratesio_tp, github_crc32, gitlab_facts, gitlab_routable, grafana_glsa, vercel_crc32,
};
use self::fact::printable;
use self::json::{json_base64, json_facts, jwt, jwt_facts};
use self::macaroon::{pypi_facts, pypi_macaroon};
use self::openssh::{openssh_facts, openssh_key};
use self::pem::{pem, pem_facts};
use self::pgp::pgp;
use self::putty::putty;
use self::uuid::uuid_v4;

/// What a verifier says of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Proven: the check digits fit, or the structure parses beyond chance.
    Fits,
    /// No statement: this variant of the kind has no check digits, or too few to prove anything.
    Silent,
    /// Disproven: no finding.
    Fails,
}

/// A verifier: bytes of the secret to its verdict. Pure, never panics, linear in the length.
pub type Verifier = fn(&[u8]) -> Check;

/// Facts read out of a secret: name and value, in a fixed order. See [`facts`].
type Facts = Vec<(&'static str, String)>;

/// Sorted by name; what [`by_name`] searches and [`NAMES`] lists.
const TABLE: &[(&str, Verifier)] = &[
    ("age-bech32", age_bech32),
    ("artifactory-ref", artifactory_ref),
    ("atlassian-dc", atlassian_dc),
    ("aws-key-id", aws_key_id),
    ("azure-cask", azure_cask),
    ("azure-devops-pat", azure_devops_pat),
    ("azure-entra-8q", azure_entra_8q),
    ("azure-identifiable", azure_identifiable),
    ("basic-auth", basic_auth),
    ("cratesio-tp", cratesio_tp),
    ("discord-bot", discord_bot),
    ("github-crc32", github_crc32),
    ("gitlab-routable", gitlab_routable),
    ("grafana-glsa", grafana_glsa),
    ("json-base64", json_base64),
    ("jwt", jwt),
    ("openssh-key", openssh_key),
    ("pem", pem),
    ("pgp", pgp),
    ("putty", putty),
    ("pypi-macaroon", pypi_macaroon),
    ("uuid-v4", uuid_v4),
    ("vercel-crc32", vercel_crc32),
];

const TABLE_NAMES: [&str; TABLE.len()] = {
    let mut names = [""; TABLE.len()];
    let mut at = 0;
    while at < TABLE.len() {
        names[at] = TABLE[at].0;
        at += 1;
    }
    names
};

/// The names that [`by_name`] knows, sorted; for error messages.
pub const NAMES: &[&str] = &TABLE_NAMES;

/// The verifier with this name, as rule files use it in `checksum = "…"`.
#[must_use]
pub fn by_name(name: &str) -> Option<Verifier> {
    let at = TABLE.binary_search_by_key(&name, |(known, _)| known).ok()?;
    TABLE.get(at).map(|(_, verifier)| *verifier)
}

/// Facts read offline out of a secret that the verifier `name` accepts.
///
/// Pairs of a lower-case name and a printable value of at most 200 characters, such as
/// `("account", "123456789012")` for an AWS key id or `("expires", "1767225600")`, in seconds since
/// 1970, for a JWT. None of them is part of what grants access. Empty where the kind carries none, the
/// secret does not parse, or the name is unknown.
#[must_use]
pub fn facts(name: &str, secret: &[u8]) -> Vec<(&'static str, String)> {
    let found = match name {
        "artifactory-ref" => artifactory_facts(secret),
        "aws-key-id" => {
            aws_account(secret).map(|account| vec![("account", format!("{account:012}"))])
        }
        "azure-cask" => cask_facts(secret),
        "azure-identifiable" => identifiable_facts(secret),
        "basic-auth" => basic_auth_facts(secret),
        "discord-bot" => {
            discord_id(secret).map(|id| vec![("user", printable(&String::from_utf8_lossy(&id)))])
        }
        "gitlab-routable" => gitlab_facts(secret),
        "json-base64" => json_facts(secret),
        "jwt" => jwt_facts(secret),
        "openssh-key" => openssh_facts(secret),
        "pem" => pem_facts(secret),
        "pypi-macaroon" => pypi_facts(secret),
        _ => None,
    };
    found.unwrap_or_default()
}

fn fits_or_fails(fits: bool) -> Check {
    if fits { Check::Fits } else { Check::Fails }
}

#[cfg(test)]
mod tests;
