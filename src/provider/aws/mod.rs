//! AWS access keys: id and secret together, requests signed.
//!
//! Verify: `GetCallerIdentity`, which needs no permission and which no policy can deny,
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>. Revoke: `UpdateAccessKey` to inactive, after a
//! grace period `DeleteAccessKey`, <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccessKey.html>.
//!
//! A key belongs to one partition of AWS, and the others answer `InvalidClientTokenId` to it as they do to a dead one. So a key is
//! inactive only where all public partitions say so. `SignatureDoesNotMatch` is never inactive: id and secret were found near each
//! other, and the secret may be that of another id.

mod iam;
mod id;
mod partition;
mod query;
mod revoke;
mod sts;

use std::time::Duration;

use self::partition::{Arn, PARTITIONS, Partition};
pub use self::revoke::AwsRevoke;
use self::sts::{Caller, Said, ask, caller_identity};
use super::Provider;
use super::sigv4::Signer;
use crate::model::{Credential, Doubt, Identity, Level, Parts, Secret, Verification};
use crate::net::Net;

/// Between two questions about a secret that seems not to fit: AWS confuses pairs that are tried at once.
const PAUSE: Duration = Duration::from_secs(2);

/// Every host that is asked.
pub(super) fn hosts() -> impl Iterator<Item = &'static str> {
    PARTITIONS.iter().flat_map(|p| [p.sts, p.iam])
}

/// `builtin = "aws"`.
pub struct Aws;

/// An access key.
struct Pair<'a> {
    id: &'a str,
    secret: &'a Secret,
    token: Option<&'a str>,
    /// The region that came with it, if one did: only its partition is asked.
    region: Option<&'a str>,
}

impl<'a> Pair<'a> {
    /// Of a finding's credential: the secret with its parts `id`, `session_token`, `region`.
    fn found(key: &'a Credential) -> Result<Self, Doubt> {
        let id = key
            .part("id")
            .ok_or_else(|| Doubt::Missing("access key id".to_owned()))?;
        id::check(id).map_err(Doubt::Refused)?;
        if id::is_canary(id) {
            return Err(Doubt::Canary);
        }
        let token = key.part("session_token");
        if id::is_session(id) && token.is_none() {
            return Err(Doubt::Missing("session token".to_owned()));
        }
        if token.is_some_and(|t| !t.bytes().all(|b| b.is_ascii_graphic())) {
            return Err(Doubt::Refused("its session token is no token".to_owned()));
        }
        Ok(Self {
            id,
            secret: &key.secret,
            // A token near a long-term key is that of another key.
            token: token.filter(|_| id::is_session(id)),
            region: key.part("region"),
        })
    }

    #[expect(clippy::disallowed_methods, reason = "signs a request")]
    fn signer(&self, partition: &Partition, service: &'static str) -> Signer<'_> {
        Signer {
            id: self.id,
            secret: self.secret.expose(),
            token: self.token,
            region: partition.region,
            service,
        }
    }

    /// The partitions that are asked, in order.
    fn partitions(&self) -> impl Iterator<Item = &'static Partition> {
        let only = self.region.map(Partition::of_region);
        PARTITIONS
            .iter()
            .filter(move |p| only.is_none_or(|only| only == *p))
    }
}

impl Provider for Aws {
    fn preview(&self, key: &Credential) -> Result<Vec<String>, Doubt> {
        let pair = Pair::found(key)?;
        Ok(pair
            .partitions()
            .map(|p| pair.signer(p, "sts").preview(&caller_identity(p)))
            .collect())
    }

    /// The partition that knows the key: the others need not be asked again, and one that cannot be reached does not hide a death.
    fn learned(&self, _key: &Credential, identity: &Identity) -> Vec<(String, String)> {
        let arn = identity.owner.as_deref().and_then(Arn::read);
        let partition = arn.and_then(|arn| Partition::named(arn.partition));
        partition
            .map(|p| ("region".to_owned(), p.region.to_owned()))
            .into_iter()
            .collect()
    }

    /// A key that is no session's is asked for without a token, whatever stands near.
    fn asks_with(&self, key: &Credential) -> Parts {
        let is_session = key.part("id").is_some_and(id::is_session);
        let wanted = |name: &str| match name {
            "id" | "region" => true,
            "session_token" => is_session,
            _ => false,
        };
        let parts = key.parts.iter();
        parts.filter(|(name, _)| wanted(name)).cloned().collect()
    }

    fn verify(&self, net: &dyn Net, key: &Credential) -> Verification {
        let pair = match Pair::found(key) {
            Ok(pair) => pair,
            Err(doubt) => return Verification::Unknown(doubt),
        };
        let mut doubt = None;
        for partition in pair.partitions() {
            let mut said = ask(net, &pair, partition);
            if matches!(said, Said::Mismatch) {
                if !net.pause(PAUSE) {
                    return Verification::Unknown(Doubt::Interrupted);
                }
                said = ask(net, &pair, partition);
            }
            match said {
                Said::Caller(caller) => return Verification::Active(identity(&pair, caller)),
                Said::Expired => {
                    return Verification::Inactive("the session has expired".to_owned());
                }
                Said::Mismatch => {
                    return Verification::Unknown(Doubt::Mismatch(format!(
                        "AWS knows the key id {}, but this is not its secret: it may be that of another id",
                        pair.id
                    )));
                }
                Said::Unclear(why) => doubt = doubt.or(Some(why)),
                Said::NoSuchKey => {}
            }
        }
        match doubt {
            Some(doubt) => Verification::Unknown(doubt),
            None if pair.token.is_some() => Verification::Unknown(Doubt::Answer(
                "AWS refuses the session: it is over, or id, secret and token are not of one session"
                    .to_owned(),
            )),
            None => Verification::Inactive(
                "AWS knows no active key with this id: it was deleted or made inactive".to_owned(),
            ),
        }
    }
}

fn identity(pair: &Pair<'_>, caller: Caller) -> Identity {
    let is_root = Arn::read(&caller.arn).is_some_and(|arn| arn.resource == "root");
    Identity {
        account: Some(caller.account),
        owner: Some(caller.arn),
        level: is_root.then_some(Level::Admin),
        key: Some(pair.id.to_owned()),
        ..Identity::default()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests;
