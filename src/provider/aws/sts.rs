//! STS: whose a key is.

use super::super::answer::unclear;
use super::super::template::printable;
use super::super::xml;
use super::Pair;
use super::partition::{Arn, Partition};
use super::query::{Problem, form};
use crate::model::Doubt;
use crate::net::{Net, Request};

/// What a partition says of a key.
pub(super) enum Said {
    /// Whose it is.
    Caller(Caller),
    /// It knows no such active key id.
    NoSuchKey,
    /// It knows the id, and the signature was not made with its secret.
    Mismatch,
    /// A session that is over.
    Expired,
    /// Nothing.
    Unclear(Doubt),
}

/// Whose a key is.
pub(super) struct Caller {
    pub(super) account: String,
    pub(super) arn: String,
}

pub(super) fn caller_identity(partition: &Partition) -> Request {
    form(
        partition.sts,
        &[("Action", "GetCallerIdentity"), ("Version", "2011-06-15")],
    )
    .reading()
}

/// Asks a partition.
pub(super) fn ask(net: &dyn Net, pair: &Pair<'_>, partition: &Partition) -> Said {
    let request = pair
        .signer(partition, "sts")
        .sign(caller_identity(partition), net.now());
    let reply = match net.send(&request) {
        Ok(reply) => reply,
        Err(error) => return Said::Unclear(error.into()),
    };
    let Some(root) = xml::parse(&reply.text()) else {
        return Said::Unclear(unclear(&reply));
    };
    if reply.status == 200 {
        let field = |name: &str| root.text_at(&["GetCallerIdentityResult", name]);
        return match (field("Account"), field("Arn")) {
            (Some(account), Some(arn))
                if root.name == "GetCallerIdentityResponse"
                    && Arn::read(arn).is_some_and(|a| a.account == account) =>
            {
                Said::Caller(Caller {
                    account: account.to_owned(),
                    arn: arn.to_owned(),
                })
            }
            _ => Said::Unclear(unclear(&reply)),
        };
    }
    let Some(problem) = Problem::read(&root) else {
        return Said::Unclear(unclear(&reply));
    };
    match (reply.status, problem.code) {
        (403, "InvalidClientTokenId") => Said::NoSuchKey,
        (400 | 403, "ExpiredToken" | "ExpiredTokenException") if pair.token.is_some() => {
            Said::Expired
        }
        // The same code where the request's time is off.
        (403, "SignatureDoesNotMatch") if !problem.is_of_time() => Said::Mismatch,
        _ if problem.is_of_time() => Said::Unclear(Doubt::Answer(
            "AWS does not accept the time of the request: set this machine's clock".to_owned(),
        )),
        _ if problem.is_throttling() => Said::Unclear(Doubt::RateLimited),
        (status, code) => Said::Unclear(Doubt::Answer(format!("{status} {}", printable(code)))),
    }
}
