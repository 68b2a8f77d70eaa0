//! IAM: access keys of a user, as the caller's own key sees them.

use super::super::answer::{unanswered, unclear, unread};
use super::super::authority::is_plain;
use super::super::template::printable;
use super::super::xml::{self, Element};
use super::super::{Authority, Failure, Object};
use super::partition::{Partition, is_user_name};
use super::query::{Problem, form};
use super::sts::{Said, ask};
use super::{Pair, id};
use crate::model::Doubt;
use crate::net::{Net, Reply, Request};

/// Name in the caller's configuration.
pub(super) const NAME: &str = "aws";
/// Version of the API.
pub(super) const VERSION: &str = "2010-05-08";
/// Pages of a list of access keys; a user has two keys at most.
const PAGES: usize = 10;

/// The caller's own key that may end others, with its region.
pub(super) struct Owner<'a>(pub(super) Pair<'a>);

impl<'a> Owner<'a> {
    pub(super) fn read(authority: &'a Authority, leaked: &str) -> Result<Self, Failure> {
        let id = authority.text(NAME, "access_key_id", is_plain)?;
        id::check(id).map_err(|why| Failure::Authority(format!("access_key_id: {why}")))?;
        if id == leaked {
            return Err(Failure::Authority(
                "the AWS key that is to do this is the leaked key itself: give another one"
                    .to_owned(),
            ));
        }
        let token = if id::is_session(id) {
            Some(authority.text(NAME, "session_token", is_plain)?)
        } else {
            None
        };
        Ok(Self(Pair {
            id,
            secret: authority.part(NAME, "secret_access_key")?,
            token,
            region: authority.optional_text(NAME, "region", is_plain)?,
        }))
    }

    /// The account that this key belongs to.
    fn account(&self, net: &dyn Net, partition: &Partition) -> Result<String, Failure> {
        match ask(net, &self.0, partition) {
            Said::Caller(caller) => Ok(caller.account),
            Said::Unclear(doubt) => Err(Failure::NotSent(format!(
                "whose the AWS key is that may do this: {doubt}"
            ))),
            Said::NoSuchKey | Said::Mismatch | Said::Expired => Err(Failure::Authority(format!(
                "AWS does not accept the key {} that is to do this",
                self.0.id
            ))),
        }
    }

    /// A call of IAM.
    pub(super) fn iam(
        &self,
        net: &dyn Net,
        partition: &Partition,
        fields: &[(&str, &str)],
        is_read: bool,
    ) -> Result<Reply, Failure> {
        let request = iam(partition, fields, is_read);
        let request = self.0.signer(partition, "iam").sign(request, net.now());
        net.send(&request)
            .map_err(|e| if is_read { unread(&e) } else { unanswered(&e) })
    }

    /// Status of the exact key, as IAM lists it.
    pub(super) fn status(&self, net: &dyn Net, place: &Place, id: &str) -> Result<Status, Failure> {
        let mut marker = String::new();
        for _ in 0..PAGES {
            let mut fields = vec![
                ("Action", "ListAccessKeys"),
                ("Version", VERSION),
                ("UserName", place.user.as_str()),
            ];
            if !marker.is_empty() {
                fields.push(("Marker", marker.as_str()));
            }
            let reply = self.iam(net, place.partition, &fields, true)?;
            let root = match answer(&reply, "ListAccessKeysResponse") {
                Ok(root) => root,
                Err(Refusal::Gone) => return Ok(Status::NoUser),
                Err(refusal) => return Err(refusal.read("iam:ListAccessKeys", &place.user)),
            };
            let result = root.at(&["ListAccessKeysResult"]);
            let rows = result
                .and_then(|r| r.at(&["AccessKeyMetadata"]))
                .ok_or_else(|| Failure::NotSent("IAM's list of keys is not readable".to_owned()))?;
            if let Some(row) = rows
                .children
                .iter()
                .find(|row| row.text_at(&["AccessKeyId"]) == Some(id))
            {
                return match row.text_at(&["Status"]) {
                    Some("Active") => Ok(Status::Active),
                    Some("Inactive" | "Expired") => Ok(Status::Inactive),
                    _ => Err(Failure::NotSent(
                        "IAM lists the key with a status that its documentation does not describe"
                            .to_owned(),
                    )),
                };
            }
            let field = |name: &str| result.and_then(|r| r.text_at(&[name]));
            match field("Marker").filter(|_| field("IsTruncated") == Some("true")) {
                Some(next) if !next.is_empty() => next.clone_into(&mut marker),
                _ => return Ok(Status::Absent),
            }
        }
        Err(Failure::NotSent(
            "IAM's list of keys does not end".to_owned(),
        ))
    }

    /// The user that a key id belongs to, where its own call did not say.
    pub(super) fn user_of(
        &self,
        net: &dyn Net,
        partition: &Partition,
        id: &str,
    ) -> Result<String, Failure> {
        let fields = [
            ("Action", "GetAccessKeyLastUsed"),
            ("Version", VERSION),
            ("AccessKeyId", id),
        ];
        let reply = self.iam(net, partition, &fields, true)?;
        let root = match answer(&reply, "GetAccessKeyLastUsedResponse") {
            Ok(root) => root,
            Err(Refusal::Gone) => {
                return Err(Failure::Object(format!(
                    "no access key {id}: it is gone already"
                )));
            }
            Err(refusal) => return Err(refusal.read("iam:GetAccessKeyLastUsed", id)),
        };
        root.text_at(&["GetAccessKeyLastUsedResult", "UserName"])
            .filter(|name| is_user_name(name))
            .map(str::to_owned)
            .ok_or_else(|| {
                Failure::Object(format!(
                    "IAM names no user of the access key {id}: a root key, which only the root user ends"
                ))
            })
    }

    /// Fails unless this key is of the account that the leaked key is of: in another one a user of the same name may exist.
    pub(super) fn same_account(
        &self,
        net: &dyn Net,
        partition: &Partition,
        account: Option<&str>,
    ) -> Result<String, Failure> {
        let own = self.account(net, partition)?;
        match account {
            Some(account) if account != own => Err(Failure::Authority(format!(
                "the AWS key that is to do this belongs to account {own}, the leaked key to account {account}"
            ))),
            _ => Ok(own),
        }
    }
}

pub(super) fn iam(partition: &Partition, fields: &[(&str, &str)], is_read: bool) -> Request {
    let request = form(partition.iam, fields);
    if is_read { request.reading() } else { request }
}

/// How IAM lists a key.
#[derive(PartialEq, Eq)]
pub(super) enum Status {
    Active,
    Inactive,
    Absent,
    NoUser,
}

/// Where a key lives.
pub(super) struct Place {
    pub(super) partition: &'static Partition,
    pub(super) account: String,
    pub(super) user: String,
}

impl Place {
    pub(super) fn of(object: &Object) -> Option<Self> {
        let fact = |name: &str| object.facts.get(name).cloned();
        Some(Self {
            partition: Partition::named(&fact("partition")?)?,
            account: fact("account")?,
            user: fact("user")?,
        })
    }
}

/// Why IAM did not do something.
pub(super) enum Refusal {
    /// `NoSuchEntity`.
    Gone,
    /// The caller's key, or what it may do; code.
    Authority(String),
    /// Later.
    Busy,
    /// Refused with this code.
    Code(String),
    /// No documented answer.
    Unclear(Doubt),
}

impl Refusal {
    /// Of a call that reads.
    pub(super) fn read(self, action: &str, on: &str) -> Failure {
        match self {
            Self::Gone => Failure::Object(format!("IAM knows no {on}")),
            Self::Authority(code) => Failure::Authority(format!(
                "IAM answered {code} to {action} on {on}: the AWS key that is to do this needs {action}"
            )),
            Self::Busy => Failure::NotSent("IAM asks to come again later".to_owned()),
            Self::Code(code) => Failure::NotSent(format!("IAM answered {code} to {action}")),
            Self::Unclear(doubt) => Failure::NotSent(format!("IAM: {doubt}")),
        }
    }

    /// Of a call that changes something; `NoSuchEntity` is no failure there.
    pub(super) fn change(self, action: &str, on: &str) -> Failure {
        match self {
            Self::Code(code) => Failure::Refused(format!("IAM answered {code} to {action}")),
            Self::Unclear(doubt) => Failure::Unknown(format!("IAM: {doubt}")),
            other => other.read(action, on),
        }
    }
}

/// The answer of IAM, if it is the documented one of this name.
pub(super) fn answer(reply: &Reply, name: &str) -> Result<Element, Refusal> {
    let Some(root) = xml::parse(&reply.text()) else {
        return Err(Refusal::Unclear(unclear(reply)));
    };
    if reply.status == 200 && root.name == name {
        return Ok(root);
    }
    let Some(problem) = Problem::read(&root).filter(|_| (400..500).contains(&reply.status)) else {
        return Err(Refusal::Unclear(unclear(reply)));
    };
    Err(match problem.code {
        "NoSuchEntity" => Refusal::Gone,
        _ if problem.is_throttling() => Refusal::Busy,
        code if problem.is_of_authority() || problem.is_of_time() => {
            Refusal::Authority(printable(code))
        }
        code => Refusal::Code(format!("{} {}", reply.status, printable(code))),
    })
}
