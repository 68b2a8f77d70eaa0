//! Access keys that are deactivated and, after a time of grace, deleted.

use super::super::sigv4::Signer;
use super::super::staged::{self, Call, Keys, Seen};
use super::super::template::{Values, printable};
use super::super::{Authority, Done, Failure, Object, Revocation, Terms};
use super::iam::{NAME, Owner, Place, Refusal, Status, VERSION, answer, iam};
use super::partition::{Arn, PARTITIONS, Partition};
use super::{Pair, id};
use crate::model::{Credential, Doubt};
use crate::net::{Net, Request, Text};
use crate::rule::block;

/// Access keys that a call of their account's owner ends.
pub struct AwsRevoke<'b> {
    /// Of access keys.
    block: &'b block::Revoke,
    /// Of sessions.
    session: &'b block::Revoke,
}

impl<'b> AwsRevoke<'b> {
    /// As a block says, and for a key that is a session's as that of sessions says.
    #[must_use]
    pub fn new(block: &'b block::Revoke, session: &'b block::Revoke) -> Self {
        Self { block, session }
    }
}

fn lookup<'r>(of: &Revocation<'r>) -> Result<(Pair<'r>, Owner<'r>), Failure> {
    let pair = Pair::found(of.leak.credential()).map_err(|d| Failure::NotSent(d.to_string()))?;
    let owner = Owner::read(of.authority, pair.id)?;
    Ok((pair, owner))
}

/// The action of a call, and its form.
fn form(call: Call, user: &str, id: &str) -> (&'static str, Vec<(&'static str, String)>) {
    let action = match call {
        Call::Deactivate => "UpdateAccessKey",
        Call::Delete => "DeleteAccessKey",
    };
    let mut fields = vec![
        ("Action", action.to_owned()),
        ("Version", VERSION.to_owned()),
        ("UserName", user.to_owned()),
        ("AccessKeyId", id.to_owned()),
    ];
    if call == Call::Deactivate {
        fields.push(("Status", "Inactive".to_owned()));
    }
    (action, fields)
}

/// A leaked key, where it lives and who may end it.
struct Held<'r> {
    net: &'r dyn Net,
    pair: Pair<'r>,
    owner: Owner<'r>,
    place: Place,
    /// As the record names it.
    noted: &'r str,
}

impl staged::Held for Held<'_> {
    const TITLE: &'static str = "the access key";

    fn id(&self) -> &str {
        self.pair.id
    }

    fn look(&self) -> Result<Seen, Failure> {
        let status = self.owner.status(self.net, &self.place, self.noted)?;
        Ok(match status {
            Status::Active => Seen::Live,
            Status::Inactive => Seen::Inactive,
            Status::Absent | Status::NoUser => Seen::Gone,
        })
    }

    fn is_gone(&self) -> Result<(), Failure> {
        let (partition, account) = (self.place.partition, &self.place.account);
        self.owner
            .same_account(self.net, partition, Some(account))
            .map(drop)
    }

    fn change(&self, call: Call) -> Result<Done, Failure> {
        let (action, fields) = form(call, &self.place.user, self.noted);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let partition = self.place.partition;
        let reply = self.owner.iam(self.net, partition, &fields, false)?;
        match answer(&reply, &format!("{action}Response")) {
            Ok(_) => Ok(Done {
                answer: reply.status.to_string(),
                was_gone: false,
            }),
            Err(Refusal::Gone) => Ok(Done {
                answer: format!("{} NoSuchEntity", reply.status),
                was_gone: true,
            }),
            Err(refusal) => Err(refusal.change(&format!("iam:{action}"), &self.place.user)),
        }
    }
}

impl Keys for AwsRevoke<'_> {
    fn terms(&self, key: &Credential) -> Terms {
        let id = key.part("id");
        if id.is_some_and(id::is_session) {
            return Terms::of(self.session, NAME, &Values::naming(&[]));
        }
        let names: Vec<(&str, &str)> = id.map(|id| ("id", id)).into_iter().collect();
        Terms::of(self.block, NAME, &Values::naming(&names)).deleting("deactivate")
    }

    fn find(&self, of: &Revocation<'_>) -> Result<Object, Failure> {
        let (pair, owner) = lookup(of)?;
        if id::is_session(pair.id) {
            return Err(Failure::Object(
                "a session cannot be ended by a call: a person denies the sessions of its role"
                    .to_owned(),
            ));
        }
        let arn = of.leak.identity().and_then(|i| i.owner.as_deref());
        let arn = arn.and_then(Arn::read);
        let partition = match &arn {
            Some(arn) => Partition::named(arn.partition).ok_or_else(|| {
                Failure::Object(format!(
                    "the partition {} of AWS is not known",
                    printable(arn.partition)
                ))
            })?,
            None => Partition::of_region(owner.0.region.unwrap_or_default()),
        };
        let decoded = id::account_of(pair.id).map(|account| format!("{account:012}"));
        let account = arn.as_ref().map(|a| a.account.to_owned()).or(decoded);
        let account = owner.same_account(of.net, partition, account.as_deref())?;
        let user = match &arn {
            Some(arn) if arn.resource == "root" => {
                return Err(Failure::Object(format!(
                    "{} is a key of the root user of account {account}: only the root user ends it, under My security credentials",
                    pair.id
                )));
            }
            Some(arn) => arn.user().map(str::to_owned).ok_or_else(|| {
                Failure::Object(format!(
                    "{} belongs to no IAM user but to {}",
                    pair.id,
                    printable(arn.resource)
                ))
            })?,
            None => owner.user_of(of.net, partition, pair.id)?,
        };
        let place = Place {
            partition,
            account,
            user,
        };
        match owner.status(of.net, &place, pair.id)? {
            Status::Active | Status::Inactive => Ok(Object {
                id: pair.id.to_owned(),
                title: format!(
                    "the access key {} of the user {} in account {}",
                    pair.id, place.user, place.account
                ),
                facts: [
                    ("account", place.account),
                    ("partition", partition.name.to_owned()),
                    ("user", place.user),
                ]
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            }),
            Status::Absent => Err(Failure::Object(format!(
                "the user {} has no access key {}: it is gone already",
                place.user, pair.id
            ))),
            Status::NoUser => Err(Failure::Object(format!(
                "account {} has no user {}: the key is gone with it",
                place.account, place.user
            ))),
        }
    }

    fn held<'r>(
        &self,
        of: &Revocation<'r>,
        object: &'r Object,
    ) -> Result<impl staged::Held, Failure> {
        let (pair, owner) = lookup(of)?;
        let place = Place::of(object).ok_or_else(|| {
            Failure::Object("the record of the access key has no account and user".to_owned())
        })?;
        Ok(Held {
            net: of.net,
            pair,
            owner,
            place,
            noted: &object.id,
        })
    }

    fn preview(
        &self,
        key: &Credential,
        authority: &Authority,
        call: Call,
    ) -> Result<String, Doubt> {
        let pair = Pair::found(key)?;
        let partition = pair.partitions().next().unwrap_or(&PARTITIONS[0]);
        let (_, fields) = form(call, "…", pair.id);
        let fields: Vec<String> = fields.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let request = iam(partition, &[], false);
        let request = Request {
            body: Some(Text::public(fields.join("&"))),
            ..request
        };
        let owner = Owner::read(authority, pair.id).ok();
        let signer = Signer {
            id: owner.as_ref().map_or("…", |o| o.0.id),
            secret: &[],
            token: owner.as_ref().and_then(|o| o.0.token),
            region: partition.region,
            service: "iam",
        };
        Ok(signer.preview(&request))
    }
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::unnecessary_wraps,
    clippy::format_collect,
    reason = "a test that panics has failed; answers of the fake network"
)]
#[path = "revoke_tests.rs"]
mod tests;
