use std::sync::{Mutex, OnceLock};

use super::super::super::fake::{Fake, active, is_kept_while_active, reply, trouble};
use super::super::super::staged::{GRACE, Staged};
use super::super::super::{Effect, Needed, Revoke};
use super::super::tests::{
    ACCOUNT, ID, OTHER, OWNER, SESSION, caller, pair, problem, secret, session,
};
use super::*;
use crate::model::{ConfirmedLeak, Finding, Identity, Secret};
use crate::net::{Error, Reply};
use crate::rule::block::Blocks;

/// As the rule files say.
fn ending() -> Staged<AwsRevoke<'static>> {
    static BLOCKS: OnceLock<Blocks> = OnceLock::new();
    let blocks = BLOCKS.get_or_init(|| Blocks::load(&[]).unwrap());
    Staged(AwsRevoke::new(
        &blocks.revoke["aws.access-key"],
        &blocks.revoke["aws.console-session"],
    ))
}

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

fn authority_of(parts: &[(&str, &str)]) -> Authority {
    Authority {
        parts: parts
            .iter()
            .map(|(n, v)| ((*n).to_owned(), Secret::new(v.as_bytes(), "")))
            .collect(),
    }
}

fn leaked(owner: Option<&str>) -> Finding {
    active(
        pair(),
        Identity {
            account: owner.map(|_| ACCOUNT.to_owned()),
            owner: owner.map(str::to_owned),
            ..Identity::default()
        },
    )
}

/// The leaked key of the user `deploy` is ended by who may do it.
fn by_owner<'n>(net: &'n Fake<'_>) -> Revocation<'n> {
    static FINDING: OnceLock<Finding> = OnceLock::new();
    static LEAK: OnceLock<ConfirmedLeak<'_>> = OnceLock::new();
    static ADMIN: OnceLock<Authority> = OnceLock::new();
    let user = format!("arn:aws:iam::{ACCOUNT}:user/ci/deploy");
    let finding = || FINDING.get_or_init(|| leaked(Some(&user)));
    let parts = [("access_key_id", OWNER), ("secret_access_key", "another")];
    Revocation {
        net,
        leak: LEAK.get_or_init(|| ConfirmedLeak::new(finding()).unwrap()),
        authority: ADMIN.get_or_init(|| authority_of(&parts)),
    }
}

#[test]
fn exactly_the_leaked_key_is_deactivated_and_later_deleted() {
    let iam = Iam::new();
    let net = Fake::new(|request| iam.answer(request));
    let of = by_owner(&net);
    let object = ending().find(&of).unwrap();
    assert_eq!(object.id, ID);
    assert_eq!(
        object.title,
        format!("the access key {ID} of the user deploy in account {ACCOUNT}")
    );

    let effect = |stage| ending().effect(&of, &object, stage);
    let run = |stage| ending().run(&of, &object, stage).unwrap();
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
        ending().run(&of, &object, 2),
        Err(Failure::NotSent(_))
    ));
    assert!(matches!(ending().find(&of), Err(Failure::Object(_))));

    let terms = ending().terms(of.leak.credential());
    assert_eq!(terms.object, format!("the access key {ID}"));
    let stages: Vec<_> = terms.stages.iter().map(|s| s.what.as_str()).collect();
    let (first, last) = (
        format!("deactivate the access key {ID}"),
        format!("delete the access key {ID}"),
    );
    assert_eq!(stages, [first.as_str(), last.as_str()]);
    assert!(terms.stages[0].reversible && terms.stages[0].kills);
    assert!(!terms.stages[1].reversible && terms.stages[1].after == GRACE);
}

#[test]
fn a_key_that_is_active_again_is_not_deleted() {
    let iam = Iam::new();
    let net = Fake::new(|request| iam.answer(request));
    let of = by_owner(&net);
    is_kept_while_active(&ending(), &of, || *iam.changes.lock().unwrap());
    assert_eq!(iam.keys(), [(OTHER.to_owned(), "Active")]);
}

#[test]
fn the_user_is_looked_up_where_nobody_verified_the_key() {
    let finding = leaked(None);
    let leak = ConfirmedLeak::new(&finding).unwrap();
    let iam = Iam::new();
    let net = Fake::new(|request| iam.answer(request));
    let of = Revocation {
        leak: &leak,
        ..by_owner(&net)
    };
    let object = ending().find(&of).unwrap();
    assert_eq!(object.facts["user"], "deploy");
    assert_eq!(object.facts["account"], ACCOUNT);
    // The id says which account it is of.
    let wrong = Iam {
        account: "999999999999",
        ..Iam::new()
    };
    let net = Fake::new(|request| wrong.answer(request));
    let found = ending().find(&Revocation { net: &net, ..of });
    assert!(matches!(found, Err(Failure::Authority(_))), "{found:?}");
}

#[test]
fn the_wrong_authority_does_nothing() {
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
        let other = authority_of(parts);
        let found = ending().find(&Revocation {
            authority: &other,
            ..by_owner(&net)
        });
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
    let found = ending().find(&by_owner(&net));
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
    let right = Iam::new();
    let net = Fake::new(|request| right.answer(request));
    let of = by_owner(&net);
    let object = ending().find(&of).unwrap();
    let wrong = Iam {
        account: "999999999999",
        keys: Mutex::default(),
        ..Iam::new()
    };
    let net = Fake::new(|request| wrong.answer(request));
    let of = Revocation { net: &net, ..of };
    assert!(matches!(
        ending().effect(&of, &object, 0),
        Effect::Unknown(_)
    ));
    assert!(matches!(
        ending().run(&of, &object, 0),
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
        let found = ending().find(&Revocation {
            leak: &leak,
            ..by_owner(&net)
        });
        assert!(matches!(found, Err(Failure::Object(_))), "{arn} {found:?}");
    }
    let terms = ending().terms(&session());
    assert_eq!(terms.needed, Needed::Person);
    assert!(terms.stages.is_empty() && terms.steps.len() >= 4);
}

#[test]
fn what_may_have_been_done_is_unknown_and_what_was_not_is_said() {
    let iam = Iam::new();
    let net = Fake::new(|request| iam.answer(request));
    let of = by_owner(&net);
    let object = ending().find(&of).unwrap();
    let run = |answer: &(dyn Fn() -> Result<Reply, Error> + Sync)| {
        let net = Fake::new(|_| answer());
        let of = Revocation { net: &net, ..of };
        ending().run(&of, &object, 0).unwrap_err()
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
        let of = Revocation { net: &net, ..of };
        let done = ending().run(&of, &object, 0);
        assert!(
            matches!(done, Err(Failure::Unknown(_))),
            "{status} {body:.60} {done:?}"
        );
        let seen = ending().effect(&of, &object, 0);
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
    let shown = ending().preview(&pair(), &authority, 0).unwrap();
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
        ending()
            .preview(&pair(), &Authority::default(), 1)
            .unwrap()
            .contains("DeleteAccessKey")
    );
}
