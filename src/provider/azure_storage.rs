//! Azure Storage account keys: a list of containers, signed with the key.
//!
//! <https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key>,
//! <https://learn.microsoft.com/rest/api/storageservices/list-containers2>. Ending a key means making a new one in its place, which
//! a person does.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ring::hmac;
use zeroize::Zeroizing;

use super::answer::unclear;
use super::template::printable;
use super::{Known, Provider, Registry, xml};
use crate::model::{Credential, Doubt, Identity, Level, Secret, Verification};
use crate::net::{Net, Piece, Reply, Request, Text};

const VERSION: &str = "2021-08-06";

/// `builtin = "azure-storage"`.
pub struct AzureStorage<'k> {
    known: &'k Known,
}

impl<'k> AzureStorage<'k> {
    /// With what the caller knows: the `account` of keys that stand alone.
    #[must_use]
    pub fn new(known: &'k Known) -> Self {
        Self { known }
    }

    fn key<'a>(&'a self, key: &'a Credential) -> Result<Key<'a>, Doubt> {
        let beside = key.part(ACCOUNT);
        let account = beside
            .or_else(|| self.known.get(ACCOUNT).map(String::as_str))
            .ok_or_else(|| Doubt::missing("account name", &Registry::mend("azure", ACCOUNT)))?;
        // A label of the host, so nothing else may pass.
        let is_name = (3..=24).contains(&account.len())
            && account
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if !is_name {
            return Err(Doubt::Refused(
                "its account name is not 3 to 24 lower-case letters and digits".to_owned(),
            ));
        }
        Ok(Key {
            account,
            is_told: beside.is_none(),
            secret: &key.secret,
        })
    }
}

/// The part, and what the caller may know.
pub(super) const ACCOUNT: &str = "account";
/// Where keys are asked for.
pub(super) const HOSTS: &str = "{account}.blob.core.windows.net";

/// Half of an account's key pair.
struct Key<'a> {
    account: &'a str,
    /// It did not stand beside the secret: the key may be of another account.
    is_told: bool,
    secret: &'a Secret,
}

impl Key<'_> {
    fn host(&self) -> String {
        format!("{}.blob.core.windows.net", self.account)
    }

    fn request(&self) -> Request {
        let url = format!("https://{}/?comp=list&maxresults=1", self.host());
        Request::new("GET", Text::public(url)).with_header("x-ms-version", Text::public(VERSION))
    }

    fn signed(&self, now: Timestamp) -> Result<Request, Doubt> {
        let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        // Eleven standard header fields are empty, then those of the service and the resource.
        let to_sign = format!(
            "GET{}x-ms-date:{date}\nx-ms-version:{VERSION}\n/{}/\ncomp:list\nmaxresults:1",
            "\n".repeat(12),
            self.account
        );
        let mut value = Text::public(format!("SharedKey {}:", self.account));
        value.push(Piece::Secret(self.signature(&to_sign)?));
        Ok(self
            .request()
            .with_header("Host", Text::public(self.host()))
            .with_header("x-ms-date", Text::public(date))
            .with_header("Authorization", value))
    }

    #[expect(clippy::disallowed_methods, reason = "signs a request")]
    fn signature(&self, to_sign: &str) -> Result<String, Doubt> {
        let key = STANDARD
            .decode(self.secret.expose())
            .map(Zeroizing::new)
            .map_err(|_| Doubt::Refused("it is no base64".to_owned()))?;
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), to_sign.as_bytes());
        Ok(STANDARD.encode(tag.as_ref()))
    }

    fn judge(&self, reply: &Reply) -> Verification {
        let Some(root) = xml::parse(&reply.text()) else {
            return Verification::Unknown(unclear(reply));
        };
        if reply.status == 200 && root.name == "EnumerationResults" {
            return Verification::Active(Identity {
                account: Some(self.account.to_owned()),
                // An account key opens everything in its account.
                level: Some(Level::Admin),
                ..Identity::default()
            });
        }
        let code = root.text_at(&["Code"]).filter(|_| root.name == "Error");
        let detail = root
            .text_at(&["AuthenticationErrorDetail"])
            .unwrap_or_default();
        match (reply.status, code) {
            // The same code where the request's time is off, so the detail counts.
            (403, Some("AuthenticationFailed")) if detail.contains("MAC signature") => {
                if self.is_told {
                    return Verification::Unknown(Doubt::Answer(format!(
                        "it is no key of {}, but may be of another account: none stands beside it",
                        self.account
                    )));
                }
                Verification::Inactive(
                    "the account does not accept the key: it was renewed".to_owned(),
                )
            }
            (403, Some("KeyBasedAuthenticationNotPermitted")) => {
                Verification::Unknown(Doubt::Answer(
                    "the account accepts no keys at present, so whether this is one of its keys is not known"
                        .to_owned(),
                ))
            }
            (400..=499, Some(code)) => Verification::Unknown(Doubt::Answer(format!(
                "{} {}",
                reply.status,
                printable(code)
            ))),
            _ => Verification::Unknown(unclear(reply)),
        }
    }
}

impl Provider for AzureStorage<'_> {
    fn preview(&self, key: &Credential) -> Result<Vec<String>, Doubt> {
        let key = self.key(key)?;
        let request = key.request().with_header(
            "Authorization",
            Text::public(format!("SharedKey {}:…", key.account)),
        );
        Ok(vec![request.shown()])
    }

    /// The account that the caller named is where it works: from now on a refusal there is one.
    fn learned(&self, key: &Credential, _identity: &Identity) -> Vec<(String, String)> {
        let told = self.key(key).ok().filter(|key| key.is_told);
        let told = told.map(|key| (ACCOUNT.to_owned(), key.account.to_owned()));
        told.into_iter().collect()
    }

    fn verify(&self, net: &dyn Net, key: &Credential) -> Verification {
        let asked = self.key(key).and_then(|key| {
            let reply = net.send(&key.signed(net.now())?)?;
            Ok(key.judge(&reply))
        });
        asked.unwrap_or_else(Verification::Unknown)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that panics has failed")]
#[path = "azure_storage_tests.rs"]
mod tests;
