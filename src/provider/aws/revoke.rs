//! Access keys that are deactivated and, after a time of grace, deleted.

use std::time::Duration;

use super::super::sigv4::Signer;
use super::super::template::{Values, printable};
use super::super::{Authority, Done, Effect, Failure, Object, Revoke, Terms, in_use};
use super::iam::{NAME, Owner, Place, Refusal, Status, VERSION, answer, iam};
use super::partition::{Arn, PARTITIONS, Partition};
use super::{Pair, id};
use crate::model::{ConfirmedLeak, Credential, Doubt};
use crate::net::{Net, Request, Text};
use crate::rule::block;

/// Between deactivating and deleting, unless the caller says otherwise.
const GRACE: Duration = Duration::from_secs(24 * 60 * 60);

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

impl AwsRevoke<'_> {
    fn lookup<'a>(
        leak: &'a ConfirmedLeak<'_>,
        authority: &'a Authority,
    ) -> Result<(Pair<'a>, Owner<'a>), Failure> {
        let pair = Pair::found(leak.credential()).map_err(|d| Failure::NotSent(d.to_string()))?;
        let owner = Owner::read(authority, pair.id)?;
        Ok((pair, owner))
    }

    fn call(
        stage: usize,
        user: &str,
        id: &str,
    ) -> Option<(&'static str, Vec<(&'static str, String)>)> {
        let action = match stage {
            0 => "UpdateAccessKey",
            1 => "DeleteAccessKey",
            _ => return None,
        };
        let mut fields = vec![
            ("Action", action.to_owned()),
            ("Version", VERSION.to_owned()),
            ("UserName", user.to_owned()),
            ("AccessKeyId", id.to_owned()),
        ];
        if stage == 0 {
            fields.push(("Status", "Inactive".to_owned()));
        }
        Some((action, fields))
    }
}

impl Revoke for AwsRevoke<'_> {
    fn terms(&self, key: &Credential) -> Terms {
        let id = key.part("id");
        if id.is_some_and(id::is_session) {
            return Terms::of(self.session, NAME, &Values::naming(&[]));
        }
        let names: Vec<(&str, &str)> = id.map(|id| ("id", id)).into_iter().collect();
        Terms::of(self.block, NAME, &Values::naming(&names)).deleting("deactivate", GRACE)
    }

    fn find(
        &self,
        net: &dyn Net,
        leak: &ConfirmedLeak<'_>,
        authority: &Authority,
    ) -> Result<Object, Failure> {
        let (pair, owner) = Self::lookup(leak, authority)?;
        if id::is_session(pair.id) {
            return Err(Failure::Object(
                "a session cannot be ended by a call: a person denies the sessions of its role"
                    .to_owned(),
            ));
        }
        let arn = leak.identity().and_then(|i| i.owner.as_deref());
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
        let account = owner.same_account(net, partition, account.as_deref())?;
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
            None => owner.user_of(net, partition, pair.id)?,
        };
        let place = Place {
            partition,
            account,
            user,
        };
        match owner.status(net, &place, pair.id)? {
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

    fn effect(
        &self,
        net: &dyn Net,
        leak: &ConfirmedLeak<'_>,
        authority: &Authority,
        object: &Object,
        stage: usize,
    ) -> Effect {
        let seen = Self::lookup(leak, authority).and_then(|(_, owner)| {
            let place = place(object)?;
            let status = owner.status(net, &place, &object.id)?;
            if matches!(status, Status::Absent | Status::NoUser) {
                owner.same_account(net, place.partition, Some(&place.account))?;
            }
            Ok(status)
        });
        match (seen, stage) {
            (Ok(Status::Absent | Status::NoUser), _) | (Ok(Status::Inactive), 0) => Effect::There,
            (Ok(_), _) => Effect::NotThere,
            (Err(failure), _) => Effect::Unknown(failure.to_string()),
        }
    }

    fn run(
        &self,
        net: &dyn Net,
        leak: &ConfirmedLeak<'_>,
        authority: &Authority,
        object: &Object,
        stage: usize,
    ) -> Result<Done, Failure> {
        let (pair, owner) = Self::lookup(leak, authority)?;
        let place = place(object)?;
        // Two notes of one key that differ: whichever is meant, nothing is done.
        if object.id != pair.id {
            return Err(Failure::Object(format!(
                "the plan names the access key {}, but the leak is {}",
                printable(&object.id),
                pair.id
            )));
        }
        let Some((action, fields)) = Self::call(stage, &place.user, &object.id) else {
            return Err(Failure::NotSent(format!("there is no stage {stage}")));
        };
        let is_deletion = stage > 0;
        if is_deletion && owner.status(net, &place, &object.id)? == Status::Active {
            return Err(in_use(&format!("the access key {}", object.id)));
        }
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let reply = owner.iam(net, place.partition, &fields, false)?;
        match answer(&reply, &format!("{action}Response")) {
            Ok(_) => Ok(Done {
                answer: reply.status.to_string(),
                was_gone: false,
            }),
            Err(Refusal::Gone) => {
                owner.same_account(net, place.partition, Some(&place.account))?;
                Ok(Done {
                    answer: format!("{} NoSuchEntity", reply.status),
                    was_gone: true,
                })
            }
            Err(refusal) => Err(refusal.change(&format!("iam:{action}"), &place.user)),
        }
    }

    fn preview(
        &self,
        key: &Credential,
        authority: &Authority,
        stage: usize,
    ) -> Result<String, Doubt> {
        let pair = Pair::found(key)?;
        let partition = pair.partitions().next().unwrap_or(&PARTITIONS[0]);
        let Some((_, fields)) = Self::call(stage, "…", pair.id) else {
            return Err(Doubt::Refused(
                "no call exists: a person does it".to_owned(),
            ));
        };
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

fn place(object: &Object) -> Result<Place, Failure> {
    Place::of(object).ok_or_else(|| {
        Failure::Object("the record of the access key has no account and user".to_owned())
    })
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
