use std::sync::Mutex;

use super::super::fake::{Fake, active, credential, reply, trouble};
use super::*;
use crate::net::Error;

const ID: &str = concat!("AK", "IARZPUZDIKAAAAAAAA");
const OTHER: &str = concat!("AK", "IARZPUZDIKBBBBBBBB");
const OWNER: &str = concat!("AK", "IARZPUZDIKCCCCCCCC");
const SESSION: &str = concat!("AS", "IARZPUZDIKDDDDDDDD");
const ACCOUNT: &str = "123456789012";

fn secret() -> String {
    "s3cret+/".repeat(5)
}

/// The id of a key of this account.
fn id_of(account: u64) -> String {
    let bits = (1 << 49) | (account << 9);
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let body: String = (0..10)
        .rev()
        .map(|at| char::from(digits[((bits >> (5 * at)) & 31) as usize]))
        .collect();
    format!("{}{body}AAAAAA", concat!("AK", "IA"))
}

fn problem(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    )
}

fn caller(account: &str, arn: &str) -> String {
    format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult><Arn>{arn}</Arn><UserId>AIDA</UserId><Account>{account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
    )
}

fn pair() -> Credential {
    credential(&secret(), &[("id", ID)])
}

fn session() -> Credential {
    credential(
        &secret(),
        &[("id", SESSION), ("session_token", "IQoJtoken")],
    )
}

fn said(key: &Credential, status: u16, body: &str) -> Verification {
    Aws.verify(&Fake::always(status, body), key)
}

#[test]
fn the_caller_is_told_and_root_is_admin() {
    for (arn, level) in [
        ("arn:aws:iam::123456789012:user/ci/deploy", None),
        ("arn:aws:iam::123456789012:root", Some(Level::Admin)),
    ] {
        let net = Fake::new(|_| Ok(reply(200, &caller("123456789012", arn))));
        let Verification::Active(identity) = Aws.verify(&net, &pair()) else {
            panic!("active")
        };
        assert_eq!(identity.account.as_deref(), Some("123456789012"));
        assert_eq!(identity.owner.as_deref(), Some(arn));
        assert_eq!(identity.level, level);
        assert_eq!(identity.key.as_deref(), Some(ID));
        assert_eq!(
            net.lines(),
            ["POST sts.amazonaws.com/ Action=GetCallerIdentity&Version=2011-06-15"]
        );
        let seen = net.seen.lock().unwrap();
        assert!(seen[0].is_read);
        assert!(!seen[0].shown().contains(&secret()));
    }
}

#[test]
fn a_key_is_inactive_only_where_every_partition_says_so() {
    let unknown = problem(
        "InvalidClientTokenId",
        "The security token included in the request is invalid.",
    );
    let net = Fake::always(403, &unknown);
    assert_eq!(Aws.verify(&net, &pair()).word(), "inactive");
    assert_eq!(net.lines().len(), PARTITIONS.len());

    // Another partition knows it, or cannot be reached.
    for (host, body, expected) in [
        (
            "sts.us-gov-west-1.amazonaws.com",
            Some(caller(
                "123456789012",
                "arn:aws-us-gov:iam::123456789012:user/x",
            )),
            "active",
        ),
        ("sts.cn-north-1.amazonaws.com.cn", None, "unknown"),
    ] {
        let net = Fake::new(|request| match &body {
            _ if !request.url.wire().contains(host) => Ok(reply(403, &unknown)),
            Some(body) => Ok(reply(200, body)),
            None => Err(Error::Timeout {
                host: host.to_owned(),
            }),
        });
        assert_eq!(Aws.verify(&net, &pair()).word(), expected, "{host}");
    }

    // A region that came with the key tells its partition.
    let net = Fake::always(403, &unknown);
    let key = credential(&secret(), &[("id", ID), ("region", "cn-northwest-1")]);
    assert_eq!(Aws.verify(&net, &key).word(), "inactive");
    assert!(net.lines()[0].starts_with("POST sts.cn-north-1.amazonaws.com.cn/"));
    assert_eq!(net.lines().len(), 1);
}

#[test]
fn a_secret_that_does_not_fit_is_asked_twice_and_unknown() {
    let body = problem(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided.",
    );
    let net = Fake::always(403, &body);
    let Verification::Unknown(doubt) = Aws.verify(&net, &pair()) else {
        panic!("unknown")
    };
    assert!(
        doubt.to_string().contains("this is not its secret"),
        "{doubt}"
    );
    assert_eq!(net.lines().len(), 2);
    assert_eq!(*net.paused.lock().unwrap(), PAUSE);

    // AWS was confused the first time.
    let first = Mutex::new(true);
    let net = Fake::new(|_| {
        Ok(if std::mem::take(&mut *first.lock().unwrap()) {
            reply(403, &body)
        } else {
            reply(
                200,
                &caller("123456789012", "arn:aws:iam::123456789012:user/x"),
            )
        })
    });
    assert_eq!(Aws.verify(&net, &pair()).word(), "active");

    let mut net = Fake::always(403, &body);
    net.goes_on = false;
    assert_eq!(
        Aws.verify(&net, &pair()),
        Verification::Unknown(Doubt::Interrupted)
    );
}

#[test]
fn clocks_limits_and_denials_prove_nothing() {
    for (status, code, message) in [
        (
            403,
            "SignatureDoesNotMatch",
            "Signature expired: 20260131T120000Z is now earlier than 20260131T123000Z",
        ),
        (
            403,
            "SignatureDoesNotMatch",
            "Signature not yet current: 20260131T120000Z",
        ),
        (403, "RequestTimeTooSkewed", ""),
        (400, "RequestExpired", ""),
        (400, "Throttling", "Rate exceeded"),
        (403, "AccessDenied", ""),
        (403, "ExpiredToken", "not for a key without a token"),
        (
            400,
            "InvalidClientTokenId",
            "a status that is not documented",
        ),
        (500, "InternalFailure", ""),
        (503, "ServiceUnavailable", ""),
        (403, "OptInRequired", ""),
        (403, "", ""),
    ] {
        let verification = said(&pair(), status, &problem(code, message));
        assert_eq!(verification.word(), "unknown", "{status} {code}");
    }
    assert_eq!(
        said(&pair(), 400, &problem("Throttling", "")),
        Verification::Unknown(Doubt::RateLimited)
    );
    for (status, body) in trouble() {
        for key in [pair(), session()] {
            assert_eq!(
                said(&key, status, &body).word(),
                "unknown",
                "{status} {body:.60}"
            );
        }
    }
    // A 200 whose account and ARN differ, or that is cut.
    for body in [
        caller("123456789012", "arn:aws:iam::210987654321:user/x"),
        caller("", ""),
        caller("123456789012", "arn:aws:iam::123456789012:user/x")[..120].to_owned(),
    ] {
        assert_eq!(said(&pair(), 200, &body).word(), "unknown", "{body}");
    }
}

#[test]
fn a_session_needs_its_token_and_dies_only_of_age() {
    let bare = credential(&secret(), &[("id", SESSION)]);
    let net = Fake::always(200, "");
    assert_eq!(
        Aws.verify(&net, &bare),
        Verification::Unknown(Doubt::Missing("session token".to_owned()))
    );
    assert!(net.lines().is_empty());

    assert_eq!(
        said(&session(), 403, &problem("ExpiredToken", "")).word(),
        "inactive"
    );
    assert_eq!(
        said(&session(), 403, &problem("InvalidClientTokenId", "")).word(),
        "unknown"
    );

    let net = Fake::always(403, "");
    Aws.verify(&net, &session());
    // A token near a long-term key is that of another key.
    let near = credential(&secret(), &[("id", ID), ("session_token", "IQoJtoken")]);
    Aws.verify(&net, &near);
    let seen = net.seen.lock().unwrap();
    let tokens = |request: &Request| {
        request
            .headers
            .iter()
            .any(|(n, _)| n == "X-Amz-Security-Token")
    };
    assert!(seen[..PARTITIONS.len()].iter().all(tokens));
    assert!(!seen[PARTITIONS.len()..].iter().any(tokens));
    assert!(!seen[0].shown().contains("IQoJtoken"));
}

#[test]
fn canaries_and_keys_that_sign_nothing_are_not_asked() {
    for (account, id) in CANARIES.iter().map(|account| (*account, id_of(*account))) {
        assert_eq!(account_of(&id), Some(account));
        let key = credential(&secret(), &[("id", &id)]);
        let net = Fake::always(200, "");
        assert_eq!(
            Aws.verify(&net, &key),
            Verification::Unknown(Doubt::Canary),
            "{account}"
        );
        assert_eq!(Provider::preview(&Aws, &key), Err(Doubt::Canary));
        assert!(net.lines().is_empty());
    }
    for id in [
        concat!("AC", "CARZPUZDIKAAAAAAAA"),
        "AKIA",
        "AKIARZPUZDIK\r\nHost: x",
        "",
    ] {
        let net = Fake::always(200, "");
        let key = credential(&secret(), &[("id", id)]);
        assert_eq!(Aws.verify(&net, &key).word(), "unknown", "{id}");
        assert!(net.lines().is_empty());
    }
    // An id of 2019 holds no account.
    assert_eq!(account_of(concat!("AK", "IAIOSFODNN7AAAAAAA")), None);
}

#[test]
fn a_preview_shows_no_secret() {
    let shown = Provider::preview(&Aws, &session()).unwrap().join("\n");
    assert!(shown.contains("POST https://sts.amazonaws.com/"), "{shown}");
    assert!(shown.contains("Action=GetCallerIdentity"));
    assert!(
        !shown.contains(&secret()) && !shown.contains("IQoJtoken"),
        "{shown}"
    );
}

// ---------------------------------------------------------------------------------------------
// Ending

/// IAM of one account, with the keys of the user `deploy`.
struct Iam {
    account: &'static str,
    keys: Mutex<Vec<(String, &'static str)>>,
    changes: Mutex<usize>,
}

impl Iam {
    fn new() -> Self {
        Self {
            account: ACCOUNT,
            keys: Mutex::new(vec![
                (OTHER.to_owned(), "Active"),
                (ID.to_owned(), "Active"),
            ]),
            changes: Mutex::new(0),
        }
    }

    fn answer(&self, request: &Request) -> Result<Reply, Error> {
        let body = request.body.as_ref().map(Text::wire).unwrap_or_default();
        let field = |name: &str| {
            let mut fields = body.split('&').filter_map(|f| f.split_once('='));
            fields
                .find(|(n, _)| *n == name)
                .map(|(_, v)| v.to_owned())
                .unwrap_or_default()
        };
        let mut keys = self.keys.lock().unwrap();
        let id = field("AccessKeyId");
        let position = keys.iter().position(|(known, _)| *known == id);
        let gone = || {
            reply(
                404,
                &problem("NoSuchEntity", "The Access Key cannot be found."),
            )
        };
        let is_known = field("UserName") == "deploy" || field("UserName").is_empty();
        Ok(match field("Action").as_str() {
            "GetCallerIdentity" => reply(
                200,
                &caller(
                    self.account,
                    &format!("arn:aws:iam::{}:user/admin", self.account),
                ),
            ),
            _ if !is_known => gone(),
            "GetAccessKeyLastUsed" if position.is_some() => reply(
                200,
                "<GetAccessKeyLastUsedResponse><GetAccessKeyLastUsedResult><UserName>deploy</UserName></GetAccessKeyLastUsedResult></GetAccessKeyLastUsedResponse>",
            ),
            "ListAccessKeys" => {
                let rows: String = keys
                    .iter()
                    .map(|(id, status)| format!("<member><UserName>deploy</UserName><AccessKeyId>{id}</AccessKeyId><Status>{status}</Status></member>"))
                    .collect();
                reply(
                    200,
                    &format!(
                        "<ListAccessKeysResponse><ListAccessKeysResult><AccessKeyMetadata>{rows}</AccessKeyMetadata><IsTruncated>false</IsTruncated></ListAccessKeysResult></ListAccessKeysResponse>"
                    ),
                )
            }
            "UpdateAccessKey" | "DeleteAccessKey" if position.is_none() => gone(),
            "UpdateAccessKey" => {
                assert!(!request.is_read, "a change may not be repeated");
                assert_eq!(field("Status"), "Inactive");
                keys[position.unwrap()].1 = "Inactive";
                *self.changes.lock().unwrap() += 1;
                reply(
                    200,
                    "<UpdateAccessKeyResponse><ResponseMetadata/></UpdateAccessKeyResponse>",
                )
            }
            "DeleteAccessKey" => {
                assert!(!request.is_read, "a change may not be repeated");
                keys.remove(position.unwrap());
                *self.changes.lock().unwrap() += 1;
                reply(
                    200,
                    "<DeleteAccessKeyResponse><ResponseMetadata/></DeleteAccessKeyResponse>",
                )
            }
            _ => gone(),
        })
    }

    fn keys(&self) -> Vec<(String, &'static str)> {
        self.keys.lock().unwrap().clone()
    }
}

fn authority() -> Authority {
    authority_of(&[("access_key_id", OWNER), ("secret_access_key", "another")])
}

fn authority_of(parts: &[(&str, &str)]) -> Authority {
    Authority {
        parts: parts
            .iter()
            .map(|(n, v)| ((*n).to_owned(), Secret::new(v.as_bytes(), "")))
            .collect(),
    }
}

fn leaked(owner: Option<&str>) -> crate::model::Finding {
    active(
        pair(),
        Identity {
            account: owner.map(|_| ACCOUNT.to_owned()),
            owner: owner.map(str::to_owned),
            ..Identity::default()
        },
    )
}

fn deploy() -> String {
    format!("arn:aws:iam::{ACCOUNT}:user/ci/deploy")
}

#[test]
fn exactly_the_leaked_key_is_deactivated_and_later_deleted() {
    let iam = Iam::new();
    let net = Fake::new(|request| iam.answer(request));
    let finding = leaked(Some(&deploy()));
    let leak = ConfirmedLeak::new(&finding).unwrap();
    let authority = authority();
    let object = Aws.find(&net, &leak, &authority).unwrap();
    assert_eq!(object.id, ID);
    assert_eq!(
        object.title,
        format!("the access key {ID} of the user deploy in account {ACCOUNT}")
    );

    let effect = |stage| Aws.effect(&net, &leak, &authority, &object, stage);
    let run = |stage| Aws.run(&net, &leak, &authority, &object, stage).unwrap();
    assert_eq!((effect(0), effect(1)), (Effect::NotThere, Effect::NotThere));
    assert!(!run(0).was_gone);
    assert_eq!(
        iam.keys(),
        [(OTHER.to_owned(), "Active"), (ID.to_owned(), "Inactive")]
    );
    assert_eq!((effect(0), effect(1)), (Effect::There, Effect::NotThere));
    assert!(!run(1).was_gone);
    assert_eq!(iam.keys(), [(OTHER.to_owned(), "Active")]);
    assert_eq!((effect(0), effect(1)), (Effect::There, Effect::There));
    assert!(run(0).was_gone && run(1).was_gone);
    assert_eq!(*iam.changes.lock().unwrap(), 2);
    assert!(matches!(
        Aws.run(&net, &leak, &authority, &object, 2),
        Err(Failure::NotSent(_))
    ));
    assert!(matches!(
        Aws.find(&net, &leak, &authority),
        Err(Failure::Object(_))
    ));

    let terms = Aws.terms(leak.credential());
    assert_eq!(terms.stages.len(), 2);
    assert!(terms.stages[0].reversible && !terms.stages[1].reversible);
}

#[test]
fn the_user_is_looked_up_where_nobody_verified_the_key() {
    let finding = leaked(None);
    let leak = ConfirmedLeak::new(&finding).unwrap();
    let iam = Iam::new();
    let net = Fake::new(|request| iam.answer(request));
    let object = Aws.find(&net, &leak, &authority()).unwrap();
    assert_eq!(object.facts["user"], "deploy");
    assert_eq!(object.facts["account"], ACCOUNT);
    // The id says which account it is of.
    let wrong = Iam {
        account: "999999999999",
        ..Iam::new()
    };
    let net = Fake::new(|request| wrong.answer(request));
    let found = Aws.find(&net, &leak, &authority());
    assert!(matches!(found, Err(Failure::Authority(_))), "{found:?}");
}

#[test]
fn the_wrong_authority_does_nothing() {
    let finding = leaked(Some(&deploy()));
    let leak = ConfirmedLeak::new(&finding).unwrap();
    for parts in [
        &[][..],
        &[("access_key_id", OWNER)],
        &[("access_key_id", "x"), ("secret_access_key", "y")],
        &[
            ("access_key_id", ID),
            ("secret_access_key", "the leaked key itself"),
        ],
        &[("access_key_id", SESSION), ("secret_access_key", "y")],
        &[
            ("access_key_id", SESSION),
            ("secret_access_key", "y"),
            ("session_token", "a\nb"),
        ],
    ] {
        let net = Fake::new(|_| panic!("nothing is sent"));
        let found = Aws.find(&net, &leak, &authority_of(parts));
        assert!(
            matches!(found, Err(Failure::Authority(_))),
            "{parts:?} {found:?}"
        );
    }
    // Of another account, where a user of the same name may exist.
    let iam = Iam {
        account: "999999999999",
        ..Iam::new()
    };
    let net = Fake::new(|request| iam.answer(request));
    let found = Aws.find(&net, &leak, &authority());
    let Err(Failure::Authority(words)) = found else {
        panic!("{found:?}")
    };
    assert!(
        words.contains("999999999999") && words.contains(ACCOUNT),
        "{words}"
    );
    assert_eq!(*iam.changes.lock().unwrap(), 0);
}

#[test]
fn a_key_that_is_absent_elsewhere_does_not_count_as_gone() {
    let finding = leaked(Some(&deploy()));
    let leak = ConfirmedLeak::new(&finding).unwrap();
    let right = Iam::new();
    let net = Fake::new(|request| right.answer(request));
    let object = Aws.find(&net, &leak, &authority()).unwrap();
    let wrong = Iam {
        account: "999999999999",
        keys: Mutex::default(),
        ..Iam::new()
    };
    let net = Fake::new(|request| wrong.answer(request));
    assert!(matches!(
        Aws.effect(&net, &leak, &authority(), &object, 0),
        Effect::Unknown(_)
    ));
    assert!(matches!(
        Aws.run(&net, &leak, &authority(), &object, 0),
        Err(Failure::Authority(_))
    ));
}

#[test]
fn root_keys_sessions_and_roles_are_left_to_people() {
    for arn in [
        format!("arn:aws:iam::{ACCOUNT}:root"),
        format!("arn:aws:sts::{ACCOUNT}:assumed-role/admin/jo"),
        format!("arn:aws-moon:iam::{ACCOUNT}:user/x"),
    ] {
        let iam = Iam::new();
        let net = Fake::new(|request| iam.answer(request));
        let finding = leaked(Some(&arn));
        let leak = ConfirmedLeak::new(&finding).unwrap();
        let found = Aws.find(&net, &leak, &authority());
        assert!(matches!(found, Err(Failure::Object(_))), "{arn} {found:?}");
    }
    let terms = Aws.terms(&session());
    assert_eq!(terms.needed, Needed::Person);
    assert!(terms.stages.is_empty() && terms.steps.len() >= 4);
}

#[test]
fn what_may_have_been_done_is_unknown_and_what_was_not_is_said() {
    let finding = leaked(Some(&deploy()));
    let leak = ConfirmedLeak::new(&finding).unwrap();
    let iam = Iam::new();
    let net = Fake::new(|request| iam.answer(request));
    let object = Aws.find(&net, &leak, &authority()).unwrap();
    let run = |answer: &(dyn Fn() -> Result<Reply, Error> + Sync)| {
        let net = Fake::new(|_| answer());
        Aws.run(&net, &leak, &authority(), &object, 0).unwrap_err()
    };
    let host = || "iam.amazonaws.com".to_owned();
    assert!(matches!(
        run(&|| Err(Error::Timeout { host: host() })),
        Failure::Unknown(_)
    ));
    let cut = |sent| {
        move || {
            Err(Error::Unreachable {
                host: host(),
                why: "cut".to_owned(),
                sent,
            })
        }
    };
    assert!(matches!(run(&cut(true)), Failure::Unknown(_)));
    assert!(matches!(run(&cut(false)), Failure::NotSent(_)));
    assert!(matches!(
        run(&|| Ok(reply(403, &problem("AccessDenied", "")))),
        Failure::Authority(_)
    ));
    assert!(matches!(
        run(&|| Ok(reply(400, &problem("Throttling", "")))),
        Failure::NotSent(_)
    ));
    assert!(matches!(
        run(&|| Ok(reply(400, &problem("ValidationError", "")))),
        Failure::Refused(_)
    ));
    for (status, body) in trouble() {
        let net = Fake::always(status, &body);
        let done = Aws.run(&net, &leak, &authority(), &object, 0);
        assert!(
            matches!(done, Err(Failure::Unknown(_))),
            "{status} {body:.60} {done:?}"
        );
        let seen = Aws.effect(&net, &leak, &authority(), &object, 0);
        assert!(
            matches!(seen, Effect::Unknown(_)),
            "{status} {body:.60} {seen:?}"
        );
    }
}

#[test]
fn the_plan_shows_the_call_without_secrets() {
    let authority = authority_of(&[
        ("access_key_id", OWNER),
        ("secret_access_key", "another-secret"),
    ]);
    let shown = Revoke::preview(&Aws, &pair(), &authority, 0).unwrap();
    for piece in [
        "POST https://iam.amazonaws.com/",
        "Action=UpdateAccessKey",
        ID,
        OWNER,
        "Status=Inactive",
    ] {
        assert!(shown.contains(piece), "{piece}: {shown}");
    }
    assert!(
        !shown.contains("another-secret") && !shown.contains(&secret()),
        "{shown}"
    );
    assert!(
        Revoke::preview(&Aws, &pair(), &Authority::default(), 1)
            .unwrap()
            .contains("DeleteAccessKey")
    );
}

#[test]
fn long_arns_are_kept_whole() {
    let path = "p/".repeat(200);
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/{path}deploy");
    let read = Arn::read(&arn).unwrap();
    assert_eq!((read.partition, read.user()), ("aws", Some("deploy")));
    for bad in [
        "",
        "arn:aws",
        "arn:aws:iam::12:user/x",
        "arn:aws:iam::123456789012:",
        "arn:aws:iam::123456789012:user/a b",
    ] {
        assert!(Arn::read(bad).is_none(), "{bad}");
    }
}
