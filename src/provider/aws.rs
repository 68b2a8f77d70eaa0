//! AWS access keys: id and secret together, requests signed.
//!
//! Verify: `GetCallerIdentity`, which needs no permission and which no policy can deny,
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>. Revoke: `UpdateAccessKey` to inactive, after a
//! grace period `DeleteAccessKey`, <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccessKey.html>.
//!
//! A key belongs to one partition of AWS, and the others answer `InvalidClientTokenId` to it as they do to a dead one. So a key is
//! inactive only where all public partitions say so. `SignatureDoesNotMatch` is never inactive: id and secret were found near each
//! other, and the secret may be that of another id.

use std::time::Duration;

use super::answer::{unanswered, unclear, unread};
use super::sigv4::{Signer, percent};
use super::template::printable;
use super::xml::{self, Element};
use super::{
    Authority, Done, Effect, Failure, Needed, Object, Provider, Revoke, StageTerms, Terms,
};
use crate::model::{ConfirmedLeak, Credential, Doubt, Identity, Level, Secret, Verification};
use crate::net::{Net, Reply, Request, Text};

/// Between two questions about a secret that seems not to fit: AWS confuses pairs that are tried at once.
const PAUSE: Duration = Duration::from_secs(2);
/// Between deactivating and deleting, unless the caller says otherwise.
const GRACE: Duration = Duration::from_secs(24 * 60 * 60);
/// IAM is eventually consistent: seconds as a rule.
const DEADLINE: Duration = Duration::from_secs(5 * 60);
/// Pages of a list of access keys; a user has two keys at most.
const PAGES: usize = 10;
/// Version of the IAM API.
const IAM: &str = "2010-05-08";

/// Accounts whose keys alert somebody when they are used: those of canarytokens.org and of services like it, as
/// <https://trufflesecurity.com/blog/canaries> found and TruffleHog lists them
/// (<https://github.com/trufflesecurity/trufflehog/blob/main/pkg/detectors/aws/access_keys/canary.go>).
const CANARIES: &[u64] = &[
    44_858_866_125,
    52_310_077_262,
    171_436_882_533,
    251_535_659_677,
    266_735_846_894,
    344_043_088_457,
    351_906_852_752,
    390_477_818_340,
    426_127_672_474,
    427_150_556_519,
    439_872_796_651,
    445_142_720_921,
    465_867_158_099,
    534_261_010_715,
    595_918_472_158,
    637_958_123_769,
    693_412_236_332,
    717_712_589_309,
    730_335_385_048,
    732_624_840_810,
    735_421_457_923,
    819_147_034_852,
    893_192_397_702,
    959_235_150_393,
    982_842_642_351,
    992_382_622_183,
];

/// A part of AWS with accounts and keys of its own.
/// <https://docs.aws.amazon.com/general/latest/gr/sts.html>, <https://docs.aws.amazon.com/general/latest/gr/iam-service.html>
#[derive(Debug, PartialEq, Eq)]
struct Partition {
    /// As it stands in ARNs.
    name: &'static str,
    /// Host of STS.
    sts: &'static str,
    /// Host of IAM.
    iam: &'static str,
    /// Region that requests to both are signed for.
    region: &'static str,
    /// How its regions begin; empty for all that no other has.
    regions: &'static str,
}

const PARTITIONS: &[Partition] = &[
    Partition {
        name: "aws",
        sts: "sts.amazonaws.com",
        iam: "iam.amazonaws.com",
        region: "us-east-1",
        regions: "",
    },
    Partition {
        name: "aws-us-gov",
        sts: "sts.us-gov-west-1.amazonaws.com",
        iam: "iam.us-gov.amazonaws.com",
        region: "us-gov-west-1",
        regions: "us-gov-",
    },
    Partition {
        name: "aws-cn",
        sts: "sts.cn-north-1.amazonaws.com.cn",
        iam: "iam.cn-north-1.amazonaws.com.cn",
        region: "cn-north-1",
        regions: "cn-",
    },
    Partition {
        name: "aws-eusc",
        sts: "sts.eusc-de-east-1.amazonaws.eu",
        iam: "iam.eusc-de-east-1.amazonaws.eu",
        region: "eusc-de-east-1",
        regions: "eusc-",
    },
];

impl Partition {
    fn of_region(region: &str) -> &'static Self {
        PARTITIONS
            .iter()
            .skip(1)
            .find(|p| region.starts_with(p.regions))
            .unwrap_or(&PARTITIONS[0])
    }

    fn named(name: &str) -> Option<&'static Self> {
        PARTITIONS.iter().find(|p| p.name == name)
    }
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
        let part = |name: &str| {
            let mut parts = key.parts.iter();
            let (_, value) = parts.find(|(n, _)| n == name)?;
            (!value.is_empty()).then_some(value.as_str())
        };
        let id = part("id").ok_or_else(|| Doubt::Missing("access key id".to_owned()))?;
        check_id(id).map_err(Doubt::Refused)?;
        if account_of(id).is_some_and(|account| CANARIES.contains(&account)) {
            return Err(Doubt::Canary);
        }
        let token = part("session_token");
        if is_session(id) && token.is_none() {
            return Err(Doubt::Missing("session token".to_owned()));
        }
        if token.is_some_and(|t| !t.bytes().all(|b| b.is_ascii_graphic())) {
            return Err(Doubt::Refused("its session token is no token".to_owned()));
        }
        Ok(Self {
            id,
            secret: &key.secret,
            // A token near a long-term key is that of another key.
            token: token.filter(|_| is_session(id)),
            region: part("region"),
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

/// What a partition says of a key.
enum Said {
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
struct Caller {
    account: String,
    arn: String,
}

fn caller_identity(partition: &Partition) -> Request {
    form(
        partition.sts,
        &[("Action", "GetCallerIdentity"), ("Version", "2011-06-15")],
    )
    .reading()
}

fn form(host: &str, fields: &[(&str, &str)]) -> Request {
    let fields: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{}={}", percent(name), percent(value)))
        .collect();
    Request::new("POST", Text::public(format!("https://{host}/"))).with_body(
        "application/x-www-form-urlencoded",
        Text::public(fields.join("&")),
    )
}

fn ask(net: &dyn Net, pair: &Pair<'_>, partition: &Partition) -> Said {
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

/// An error as the query APIs answer it.
struct Problem<'a> {
    code: &'a str,
    message: &'a str,
}

impl<'a> Problem<'a> {
    fn read(root: &'a Element) -> Option<Self> {
        if root.name != "ErrorResponse" {
            return None;
        }
        let error = root
            .at(&["Error"])
            .or_else(|| root.at(&["Errors", "Error"]))?;
        Some(Self {
            code: error.text_at(&["Code"])?,
            message: error.text_at(&["Message"]).unwrap_or_default(),
        })
    }

    fn is_of_time(&self) -> bool {
        matches!(self.code, "RequestTimeTooSkewed" | "RequestExpired")
            || (self.code == "SignatureDoesNotMatch"
                && ["Signature expired", "Signature not yet current"]
                    .iter()
                    .any(|words| self.message.contains(words)))
    }

    fn is_throttling(&self) -> bool {
        matches!(
            self.code,
            "Throttling"
                | "ThrottlingException"
                | "ThrottledException"
                | "RequestLimitExceeded"
                | "RequestThrottled"
                | "TooManyRequestsException"
        )
    }

    /// Whether the caller's own key is at fault, or what it may do.
    fn is_of_authority(&self) -> bool {
        matches!(
            self.code,
            "AccessDenied"
                | "AccessDeniedException"
                | "UnauthorizedOperation"
                | "NotAuthorized"
                | "OptInRequired"
                | "InvalidClientTokenId"
                | "SignatureDoesNotMatch"
                | "ExpiredToken"
                | "ExpiredTokenException"
                | "IncompleteSignature"
                | "MissingAuthenticationToken"
        )
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
                    return Verification::Unknown(Doubt::Answer(format!(
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

/// `arn:PARTITION:SERVICE::ACCOUNT:RESOURCE`.
struct Arn<'a> {
    partition: &'a str,
    account: &'a str,
    resource: &'a str,
}

impl<'a> Arn<'a> {
    fn read(text: &'a str) -> Option<Self> {
        if text.len() > 2048 || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return None;
        }
        let mut fields = text.strip_prefix("arn:")?.splitn(5, ':');
        let partition = fields.next()?;
        let _service = fields.next()?;
        let _region = fields.next()?;
        Some(Self {
            partition,
            account: fields.next().filter(|a| is_account(a))?,
            resource: fields.next().filter(|r| !r.is_empty())?,
        })
    }

    /// The name of an IAM user, without its path.
    fn user(&self) -> Option<&'a str> {
        let path = self.resource.strip_prefix("user/")?;
        path.rsplit('/').next().filter(|name| is_user_name(name))
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_User.html>
fn is_user_name(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b))
}

fn is_session(id: &str) -> bool {
    id.starts_with("ASIA")
}

fn check_id(id: &str) -> Result<(), String> {
    let is_key = (16..=128).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if is_key && (id.starts_with("AKIA") || is_session(id)) {
        Ok(())
    } else {
        Err("only ids that begin with AKIA or ASIA sign requests".to_owned())
    }
}

/// The account in a key id of the newer form: forty bits behind the first one, which is set.
fn account_of(id: &str) -> Option<u64> {
    let body = id.get(4..14)?;
    let bits = body.bytes().try_fold(0u64, |bits, byte| {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'2'..=b'7' => byte - b'2' + 26,
            _ => return None,
        };
        Some(bits << 5 | u64::from(digit))
    })?;
    // Ten characters are fifty bits: one that is set, forty of the account, nine of the rest.
    (bits >> 49 == 1).then_some((bits >> 9) & 0xff_ffff_ffff)
}

/// The caller's own key that may end others.
struct Owner<'a> {
    id: String,
    authority: &'a Authority,
    token: Option<String>,
}

impl<'a> Owner<'a> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the caller's own key signs a request"
    )]
    fn read(authority: &'a Authority, leaked: &str) -> Result<Self, Failure> {
        let text = |part: &str| -> Result<Option<String>, Failure> {
            let Some(value) = authority.parts.get(part).filter(|v| !v.is_empty()) else {
                return Ok(None);
            };
            match std::str::from_utf8(value.expose()) {
                Ok(text) if text.bytes().all(|b| b.is_ascii_graphic()) => Ok(Some(text.to_owned())),
                _ => Err(Failure::Authority(format!(
                    "the {part} of the AWS key that may do this is no plain text"
                ))),
            }
        };
        let missing = |part: &str| {
            Failure::Authority(format!(
                "no {part} of an AWS key that may do this: give it in [authority.aws] or as KEYSWEEP_AWS_{}",
                part.to_uppercase()
            ))
        };
        let id = text("access_key_id")?.ok_or_else(|| missing("access_key_id"))?;
        text("secret_access_key")?.ok_or_else(|| missing("secret_access_key"))?;
        check_id(&id).map_err(|why| Failure::Authority(format!("access_key_id: {why}")))?;
        if id == leaked {
            return Err(Failure::Authority(
                "the AWS key that is to do this is the leaked key itself: give another one"
                    .to_owned(),
            ));
        }
        let token = text("session_token")?;
        if is_session(&id) && token.is_none() {
            return Err(missing("session_token"));
        }
        Ok(Self {
            token: token.filter(|_| is_session(&id)),
            id,
            authority,
        })
    }

    fn pair(&self) -> Result<Pair<'_>, Failure> {
        let secret = self.authority.parts.get("secret_access_key");
        Ok(Pair {
            id: &self.id,
            secret: secret.ok_or_else(|| Failure::Authority("no secret_access_key".to_owned()))?,
            token: self.token.as_deref(),
            region: None,
        })
    }

    #[expect(clippy::disallowed_methods, reason = "a region is no secret")]
    fn region(&self) -> Option<String> {
        let value = self.authority.parts.get("region")?;
        Some(String::from_utf8_lossy(value.expose()).into_owned())
    }

    /// The account that this key belongs to.
    fn account(&self, net: &dyn Net, partition: &Partition) -> Result<String, Failure> {
        match ask(net, &self.pair()?, partition) {
            Said::Caller(caller) => Ok(caller.account),
            Said::Unclear(doubt) => Err(Failure::NotSent(format!(
                "whose the AWS key is that may do this: {doubt}"
            ))),
            Said::NoSuchKey | Said::Mismatch | Said::Expired => Err(Failure::Authority(format!(
                "AWS does not accept the key {} that is to do this",
                self.id
            ))),
        }
    }

    /// A call of IAM.
    fn iam(
        &self,
        net: &dyn Net,
        partition: &Partition,
        fields: &[(&str, &str)],
        is_read: bool,
    ) -> Result<Reply, Failure> {
        let request = iam(partition, fields, is_read);
        let request = self
            .pair()?
            .signer(partition, "iam")
            .sign(request, net.now());
        net.send(&request)
            .map_err(|e| if is_read { unread(&e) } else { unanswered(&e) })
    }

    /// Status of the exact key, as IAM lists it.
    fn status(&self, net: &dyn Net, place: &Place, id: &str) -> Result<Status, Failure> {
        let mut marker = String::new();
        for _ in 0..PAGES {
            let mut fields = vec![
                ("Action", "ListAccessKeys"),
                ("Version", IAM),
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
    fn user_of(&self, net: &dyn Net, partition: &Partition, id: &str) -> Result<String, Failure> {
        let fields = [
            ("Action", "GetAccessKeyLastUsed"),
            ("Version", IAM),
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
    fn same_account(
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

fn iam(partition: &Partition, fields: &[(&str, &str)], is_read: bool) -> Request {
    let request = form(partition.iam, fields);
    if is_read { request.reading() } else { request }
}

/// How IAM lists a key.
#[derive(PartialEq, Eq)]
enum Status {
    Active,
    Inactive,
    Absent,
    NoUser,
}

/// Where a key lives.
struct Place {
    partition: &'static Partition,
    account: String,
    user: String,
}

impl Place {
    fn of(object: &Object) -> Option<Self> {
        let fact = |name: &str| object.facts.get(name).cloned();
        Some(Self {
            partition: Partition::named(&fact("partition")?)?,
            account: fact("account")?,
            user: fact("user")?,
        })
    }
}

/// Why IAM did not do something.
enum Refusal {
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
    fn read(self, action: &str, on: &str) -> Failure {
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
    fn change(self, action: &str, on: &str) -> Failure {
        match self {
            Self::Code(code) => Failure::Refused(format!("IAM answered {code} to {action}")),
            Self::Unclear(doubt) => Failure::Unknown(format!("IAM: {doubt}")),
            other => other.read(action, on),
        }
    }
}

/// The answer of IAM, if it is the documented one of this name.
fn answer(reply: &Reply, name: &str) -> Result<Element, Refusal> {
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

impl Aws {
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
            ("Version", IAM.to_owned()),
            ("UserName", user.to_owned()),
            ("AccessKeyId", id.to_owned()),
        ];
        if stage == 0 {
            fields.push(("Status", "Inactive".to_owned()));
        }
        Some((action, fields))
    }
}

impl Revoke for Aws {
    fn terms(&self, key: &Credential) -> Terms {
        let id = key.parts.iter().find(|(name, _)| name == "id");
        let id = id.map_or("", |(_, id)| id.as_str());
        if is_session(id) {
            return session_terms(id);
        }
        let object = match id {
            "" => "the access key".to_owned(),
            id => format!("the access key {}", printable(id)),
        };
        Terms {
            needed: Needed::Owner {
                name: "aws".to_owned(),
                parts: vec!["access_key_id".to_owned(), "secret_access_key".to_owned()],
            },
            stages: vec![
                StageTerms {
                    what: format!("deactivate {object}"),
                    reversible: true,
                    undo: "set the key to Active again (aws iam update-access-key --status Active)"
                        .to_owned(),
                    repeatable: true,
                    after: Duration::ZERO,
                    kills: true,
                },
                StageTerms {
                    what: format!("delete {object}"),
                    reversible: false,
                    undo: String::new(),
                    repeatable: true,
                    after: GRACE,
                    kills: false,
                },
            ],
            object,
            effect: "sessions that were made with the key live on until they expire".to_owned(),
            deadline: DEADLINE,
            steps: vec![
                "Sign in to the key's account, open IAM > Users, the user, Security credentials.".to_owned(),
                "Find the access key with exactly this id, and choose Actions > Deactivate.".to_owned(),
                "When nothing that is needed has stopped for a day: Actions > Delete.".to_owned(),
                "A key of the root user: sign in as root, My security credentials, and delete it there; IAM users cannot.".to_owned(),
            ],
            console: "https://console.aws.amazon.com/iam/home#/users".to_owned(),
            source: "https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccessKey.html"
                .to_owned(),
        }
    }

    fn find(
        &self,
        net: &dyn Net,
        leak: &ConfirmedLeak<'_>,
        authority: &Authority,
    ) -> Result<Object, Failure> {
        let (pair, owner) = Self::lookup(leak, authority)?;
        if is_session(pair.id) {
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
            None => Partition::of_region(&owner.region().unwrap_or_default()),
        };
        let decoded = account_of(pair.id).map(|account| format!("{account:012}"));
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
            id: owner.as_ref().map_or("…", |o| o.id.as_str()),
            secret: &[],
            token: owner.as_ref().and_then(|o| o.token.as_deref()),
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

/// Sessions: no call ends one, and `GetCallerIdentity` answers whatever a policy denies.
fn session_terms(id: &str) -> Terms {
    Terms {
        object: format!("the session {}", printable(id)),
        needed: Needed::Person,
        stages: Vec::new(),
        effect: "all sessions of the role that began earlier are cut off, those of others too".to_owned(),
        deadline: DEADLINE,
        steps: [
            "Read the role from the owner that was verified: arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION.",
            "In IAM > Roles > ROLE > Revoke sessions choose Revoke active sessions.",
            "Or: aws iam put-role-policy --role-name ROLE --policy-name AWSRevokeOlderSessions --policy-document '{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\",\"Condition\":{\"DateLessThan\":{\"aws:TokenIssueTime\":\"TIME NOW, AS 2026-01-31T12:00:00Z\"}}}]}'",
            "Where the owner is a user (arn:aws:iam::ACCOUNT:user/NAME, from GetSessionToken): the same policy by aws iam put-user-policy --user-name NAME, and deactivate the user's access key that made the session.",
            "The session still tells its own identity until it expires, which no policy can deny: until then it is verified as active. Remove the policy after 36 hours.",
        ]
        .map(str::to_owned)
        .into(),
        console: "https://console.aws.amazon.com/iam/home#/roles".to_owned(),
        source: "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html".to_owned(),
    }
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::unnecessary_wraps,
    clippy::format_collect,
    reason = "a test that panics has failed; answers of the fake network"
)]
#[path = "aws_tests.rs"]
mod tests;
