//! AWS keys: on moto with authorisation on, where inactive keys are refused; and their parts as a scan finds them.

use keysweep::model::{ConfirmedLeak, Finding, Secret};
use keysweep::provider::{Authority, Effect, Failure, Revocation};
use keysweep::scan::{Options, Scratch, Settings, scan_bytes};

use super::database::{active, proven, registry, verify};
use super::server::Server;
use crate::support::{engine, fake, found};

/// What AWS's partitions are reached by.
pub(super) const HOSTS: &[&str] = &[
    "sts.amazonaws.com",
    "sts.us-gov-west-1.amazonaws.com",
    "sts.cn-north-1.amazonaws.com.cn",
    "sts.eusc-de-east-1.amazonaws.eu",
    "iam.amazonaws.com",
];

fn environment(id: &str, secret: &str, token: Option<&str>) -> String {
    let token = token.map_or_else(String::new, |token| format!("AWS_SESSION_TOKEN={token}\n"));
    format!("AWS_ACCESS_KEY_ID={id}\nAWS_SECRET_ACCESS_KEY={secret}\n{token}AWS_REGION=eu-west-1\n")
}

/// The secret access key that a scan of a text finds, with its parts.
fn scanned(text: &str) -> Finding {
    let all = found("app.env", text.as_bytes(), &Options::default());
    let mut secrets: Vec<Finding> = all
        .into_iter()
        .filter(|f| f.rule == "aws-secret-access-key")
        .collect();
    assert_eq!(secrets.len(), 1, "one secret access key");
    secrets.remove(0)
}

#[test]
fn a_session_token_becomes_a_part_of_the_secret_beside_it() {
    let (id, secret) = (fake::aws_key_id(1), fake::aws_secret(1));
    let id = format!("{}{}", concat!("AS", "IA"), &id[4..]);
    let token = format!(
        "{}{}",
        concat!("IQoJb3Jp", "Z2luX2VjE"),
        fake::aws_secret(2).repeat(5)
    );
    let finding = scanned(&environment(&id, &secret, Some(&token)));
    assert_eq!(finding.credential.part("id"), Some(id.as_str()));
    assert_eq!(
        finding.credential.part("session_token"),
        Some(token.as_str())
    );
    let bare = scanned(&environment(&id, &secret, None));
    assert_eq!(bare.credential.part("session_token"), None);
}

#[test]
fn of_two_ids_that_in_front_of_the_secret_is_its() {
    let (mine, other) = (fake::aws_key_id(11), fake::aws_key_id(12));
    for text in [
        format!(
            "{other}\nrclone access={mine},pass={}\n{other}\n",
            fake::aws_secret(3)
        ),
        format!("{mine}:{}\n", fake::aws_secret(3)),
    ] {
        let all = found("a.txt", text.as_bytes(), &Options::default());
        let secret = all
            .iter()
            .find(|f| f.rule == "aws-secret-access-key-after-id")
            .unwrap();
        assert_eq!(secret.credential.part("id"), Some(mine.as_str()));
    }
}

#[test]
fn what_else_may_be_its_is_told_where_it_is_asked_for() {
    let id = fake::aws_key_id;
    let text = format!(
        "{}\n{}\n{}\n\n\n\n\n\n\n{}\nAWS_SECRET_ACCESS_KEY={}\nx={}\n",
        id(14),
        id(15),
        id(15),
        id(11),
        fake::aws_secret(3),
        id(12),
    );
    let rivals = |with_rivals: bool| {
        let options = Options {
            settings: Settings {
                with_rivals,
                ..Settings::default()
            },
            ..Options::default()
        };
        let scratch = &mut Scratch::default();
        let all = scan_bytes(engine(), text.as_bytes(), b"a.env", &options, scratch);
        let mut all = all.matches.into_iter().filter(|m| {
            let rule = engine().rules().rule(m.rule);
            rule.is_some_and(|r| r.spec().id == "aws-secret-access-key")
        });
        all.next().unwrap()
    };
    let found = rivals(true);
    let part = |parts: &[(String, String)], name: &str| {
        let mut parts = parts.iter();
        parts.find(|(known, _)| known == name).unwrap().1.clone()
    };
    assert_eq!(part(&found.parts, "id"), id(11));
    let others: Vec<String> = found
        .rivals
        .parts
        .iter()
        .map(|parts| part(parts, "id"))
        .collect();
    // The first line is too far away.
    assert_eq!(others, [id(12), id(15)]);
    assert_eq!(part(&found.rivals.parts[0], "account"), "123456789012");
    assert_eq!(found.rivals.unseen, None);
    assert!(rivals(false).rivals.are_none());
}

#[test]
#[ignore = "needs moto; run by ./test.sh"]
fn a_leaked_key_dies_and_its_neighbour_lives() {
    let moto = Server::start("moto", &[]);
    let client = moto.client(HOSTS);
    let of = |name: &str| {
        let (id, secret) = (format!("{name}_ID"), format!("{name}_SECRET"));
        scanned(&environment(&moto.fact(&id), &moto.fact(&secret), None))
    };
    let neighbour = of("NEIGHBOUR");
    let id = moto.fact("LEAK_ID");
    let id = id.as_str();

    let verification = verify(&client, &of("LEAK"));
    let owner = active(&verification);
    assert_eq!(owner.account.as_deref(), Some("123456789012"));
    assert_eq!(
        owner.owner.as_deref(),
        Some("arn:aws:iam::123456789012:user/ci/deploy")
    );
    assert_eq!(owner.key.as_deref(), Some(id));
    let leaked = proven(&client, of("LEAK"));

    let registry = registry();
    let revoke = registry.revoker(&leaked.rule).unwrap();
    let leak = ConfirmedLeak::new(&leaked).unwrap();
    let authority = |name: &str| Authority {
        parts: [("access_key_id", "ID"), ("secret_access_key", "SECRET")]
            .map(|(part, fact)| {
                let value = moto.fact(&format!("{name}_{fact}"));
                (part.to_owned(), Secret::new(value.as_bytes(), ""))
            })
            .into(),
    };

    // Who may not, does not: a key without the right, the leaked key itself.
    for name in ["WEAK", "LEAK"] {
        let found = revoke.find(&Revocation {
            net: &client,
            leak: &leak,
            authority: &authority(name),
        });
        assert!(
            matches!(found, Err(Failure::Authority(_))),
            "{name} {found:?}"
        );
    }
    let (admin, weak) = (authority("ADMIN"), authority("WEAK"));
    let of = Revocation {
        net: &client,
        leak: &leak,
        authority: &admin,
    };
    let object = revoke.find(&of).unwrap();
    let denied = revoke.run(
        &Revocation {
            authority: &weak,
            ..of
        },
        &object,
        0,
    );
    assert!(matches!(denied, Err(Failure::Authority(_))), "{denied:?}");
    assert_eq!(verify(&client, &leaked).word(), "active");

    let status = || {
        let listed = moto.script("list", &[]);
        let mut lines: Vec<String> = listed.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let lines = |leak: Option<&str>| {
        let mut lines = vec![format!("{} Active", moto.fact("NEIGHBOUR_ID"))];
        lines.extend(leak.map(|status| format!("{id} {status}")));
        lines.sort();
        lines
    };
    let effect = |stage| revoke.effect(&of, &object, stage);
    assert_eq!(status(), lines(Some("Active")));
    assert_eq!(effect(0), Effect::NotThere);
    assert!(!revoke.run(&of, &object, 0).unwrap().was_gone);
    assert_eq!(status(), lines(Some("Inactive")));
    assert_eq!((effect(0), effect(1)), (Effect::There, Effect::NotThere));
    assert_eq!(verify(&client, &leaked).word(), "inactive");
    assert_eq!(verify(&client, &neighbour).word(), "active");

    // Somebody makes it active again, and it is ended for good.
    moto.script("status", &[id, "Active"]);
    assert_eq!(verify(&client, &leaked).word(), "active");
    revoke.run(&of, &object, 0).unwrap();
    assert!(!revoke.run(&of, &object, 1).unwrap().was_gone);
    assert_eq!(status(), lines(None));
    assert_eq!((effect(0), effect(1)), (Effect::There, Effect::There));
    assert!(revoke.run(&of, &object, 1).unwrap().was_gone);
    assert_eq!(verify(&client, &leaked).word(), "inactive");
    assert_eq!(verify(&client, &neighbour).word(), "active");
}

#[test]
#[ignore = "needs moto; run by ./test.sh"]
fn wrong_secrets_sessions_and_stopped_servers() {
    let moto = Server::start("moto", &[]);
    let client = moto.client(HOSTS);
    let wrong = scanned(&environment(
        &moto.fact("LEAK_ID"),
        &fake::aws_secret(7),
        None,
    ));
    assert_eq!(verify(&client, &wrong).word(), "unknown");
    let nobody = scanned(&environment(
        &fake::aws_key_id(7),
        &fake::aws_secret(7),
        None,
    ));
    assert_eq!(verify(&client, &nobody).word(), "inactive");

    // moto's tokens are not of a form that AWS has had, so the parts are given here.
    let session = |token: &str| {
        let mut finding = scanned(&environment(
            &moto.fact("LEAK_ID"),
            &fake::aws_secret(8),
            None,
        ));
        finding.credential.secret = Secret::new(moto.fact("SESSION_SECRET").as_bytes(), "");
        finding.credential.parts = vec![
            ("id".to_owned(), moto.fact("SESSION_ID")),
            ("session_token".to_owned(), token.to_owned()),
        ];
        verify(&client, &finding)
    };
    let whole = session(&moto.fact("SESSION_TOKEN"));
    let owner = active(&whole).owner.as_deref();
    assert_eq!(
        owner,
        Some("arn:aws:sts::123456789012:assumed-role/builder/run-1")
    );
    assert_eq!(session("another").word(), "unknown");

    let leaked = scanned(&environment(
        &moto.fact("LEAK_ID"),
        &moto.fact("LEAK_SECRET"),
        None,
    ));
    assert_eq!(verify(&client, &leaked).word(), "active");
    let gone = moto.client(HOSTS);
    drop(moto);
    assert_eq!(verify(&gone, &leaked).word(), "unknown");
}
