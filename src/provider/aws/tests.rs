use std::sync::Mutex;

use super::super::fake::{Fake, credential, reply, trouble};
use super::*;
use crate::net::{Error, Request};

pub(super) const ID: &str = concat!("AK", "IARZPUZDIKAAAAAAAA");
pub(super) const OTHER: &str = concat!("AK", "IARZPUZDIKBBBBBBBB");
pub(super) const OWNER: &str = concat!("AK", "IARZPUZDIKCCCCCCCC");
pub(super) const SESSION: &str = concat!("AS", "IARZPUZDIKDDDDDDDD");
pub(super) const ACCOUNT: &str = "123456789012";

pub(super) fn secret() -> String {
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

pub(super) fn problem(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    )
}

pub(super) fn caller(account: &str, arn: &str) -> String {
    format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult><Arn>{arn}</Arn><UserId>AIDA</UserId><Account>{account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
    )
}

pub(super) fn pair() -> Credential {
    credential(&secret(), &[("id", ID)])
}

pub(super) fn session() -> Credential {
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
    for (account, id) in id::CANARIES
        .iter()
        .map(|account| (*account, id_of(*account)))
    {
        assert_eq!(id::account_of(&id), Some(account));
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
    assert_eq!(id::account_of(concat!("AK", "IAIOSFODNN7AAAAAAA")), None);
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
