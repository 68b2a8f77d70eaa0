//! A secret beside several of what names it: each is asked for, and what works is its.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::beside::word;
use super::{World, statuses};
use crate::support::fake::Rng;
use crate::support::http::{Answer, Seen, Server};
use crate::support::{Run, Tree, fake, program};

const HEX: &str = "0123456789abcdef";
const WORD: &str = "0123456789abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ";

fn text(seed: u64, alphabet: &str, length: usize) -> String {
    Rng::new(seed).text(alphabet, length)
}

/// AWS, Twilio and PayPal, by the first part of the path.
fn answer(seen: &Seen, live: &[&str]) -> Answer {
    let given = seen.header("Authorization").unwrap_or_default();
    if seen.path().starts_with("/aws") {
        let token = seen.header("X-Amz-Security-Token").unwrap_or_default();
        let id = given.split("Credential=").nth(1).unwrap_or_default();
        let id = id.split('/').next().unwrap_or_default();
        let is_live = live.contains(&id) && (token.is_empty() || live.contains(&token));
        let (status, body) = if is_live {
            (200, "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/deploy</Arn><UserId>AIDA</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>".to_owned())
        } else {
            let code = if live.contains(&id) {
                "ExpiredToken"
            } else {
                "InvalidClientTokenId"
            };
            (
                403,
                format!(
                    "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
                ),
            )
        };
        return Answer::status(status).with_body("text/xml", body);
    }
    let pair = STANDARD.decode(given.trim_start_matches("Basic ")).unwrap();
    let pair = String::from_utf8(pair).unwrap();
    let is_live = live.contains(&pair.as_str());
    let id = pair.split(':').next().unwrap_or_default();
    match (seen.path().split('/').nth(1), is_live) {
        (Some("twilio"), true) => {
            Answer::json(&json!({"sid": id, "friendly_name": "Acme", "services": [], "meta": {"key": "services"}}))
        }
        (Some("twilio"), false) => {
            Answer::status(401).with_json(&json!({"code": 20003, "message": "Authenticate"}))
        }
        (_, true) => Answer::json(&json!({"access_token": "A21", "token_type": "Bearer", "app_id": "APP-80", "scope": "x", "expires_in": 1})),
        (_, false) => Answer::status(401).with_json(&json!({"error": "invalid_client", "error_description": "Client Authentication failed"})),
    }
}

const HOSTS: &[(&str, &str)] = &[
    ("sts.amazonaws.com", "aws"),
    ("sts.us-gov-west-1.amazonaws.com", "aws"),
    ("sts.cn-north-1.amazonaws.com.cn", "aws"),
    ("sts.eusc-de-east-1.amazonaws.eu", "aws"),
    ("api.twilio.com", "twilio"),
    ("api.dublin.ie1.twilio.com", "twilio"),
    ("api.sydney.au1.twilio.com", "twilio"),
    ("verify.twilio.com", "twilio"),
    ("trunking.dublin.ie1.twilio.com", "twilio"),
    ("trunking.sydney.au1.twilio.com", "twilio"),
    ("api-m.paypal.com", "paypal"),
    ("api-m.sandbox.paypal.com", "paypal"),
];

/// What is said of the findings of a rule in a text, by line: by a scan and by `verify` of its report.
fn said(file: &str, rule: &str, live: &[&str]) -> Vec<(u64, String)> {
    let live: Vec<String> = live.iter().map(|one| (*one).to_owned()).collect();
    let server = Server::start(move |seen| {
        let live: Vec<&str> = live.iter().map(String::as_str).collect();
        answer(seen, &live)
    });
    let mut config = "[endpoints]\n".to_owned();
    for (host, path) in HOSTS {
        config += &format!("\"{host}\" = \"{}/{path}\"\n", server.url());
    }
    let tree = Tree::new().with("a.env", file);
    let files = Tree::new().with("own.toml", config);
    let own = files.path().join("own.toml").display().to_string();
    let run = |arguments: &[&str]| {
        let mut command = program();
        command
            .current_dir(tree.path())
            .args(arguments)
            .args(["--config", &own, "--format", "jsonl"]);
        Run::of(&mut command)
    };
    let of_rule = |run: &Run| -> Vec<(u64, String)> {
        let mut all: Vec<(u64, String)> = run
            .findings()
            .iter()
            .filter(|f| f["rule"] == rule)
            .map(|f| {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let said = &f["verification"];
                let reason = text(&said["reason"]);
                let status = text(&said["status"]);
                (f["line"].as_u64().unwrap(), format!("{status}: {reason}"))
            })
            .collect();
        all.sort();
        all
    };
    let scanned = of_rule(&run(&["scan", "--verify"]));
    let report = run(&["scan", "--exit-zero"]);
    tree.write("report.jsonl", &report.out);
    let verified = of_rule(&run(&["verify", "report.jsonl"]));
    assert_eq!(scanned, verified, "{file}");
    scanned
}

/// The lines of a rule's findings whose credential works; the others are all refused.
fn working(file: &str, rule: &str, live: &[&str]) -> Vec<u64> {
    let all = said(file, rule, live);
    assert!(!all.is_empty(), "{file}");
    let (works, dead): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, s)| s == "active: ");
    for (line, dead) in &dead {
        assert!(dead.starts_with("inactive: "), "{line} {dead}\n{file}");
    }
    works.into_iter().map(|(line, _)| line).collect()
}

#[test]
fn an_access_key_beside_several_ids_is_asked_for_with_each() {
    let (live, other) = (&*fake::aws_key_id(21), &*fake::aws_key_id(22));
    let (one, two) = (fake::aws_secret(21), fake::aws_secret(22));
    let rule = "aws-secret-access-key";
    for file in [
        format!(
            "# old: AWS_ACCESS_KEY_ID={live}\nAWS_ACCESS_KEY_ID={other}\nAWS_SECRET_ACCESS_KEY={one}\n"
        ),
        format!(
            "AWS_ACCESS_KEY_ID={other}\nAWS_ACCESS_KEY_ID_OLD={live}\nAWS_SECRET_ACCESS_KEY={one}\n"
        ),
        format!(
            "AWS_ACCESS_KEY_ID={live}\nAWS_ACCESS_KEY_ID_OLD={other}\nAWS_SECRET_ACCESS_KEY={one}\n"
        ),
        format!(
            "KEYS = {{\n  \"a\": \"{live}\",\n  \"b\": \"{other}\"}}\nAWS_SECRET_ACCESS_KEY = \"{one}\"\n# {other}\n"
        ),
    ] {
        assert_eq!(working(&file, rule, &[live]).len(), 1, "{file}");
        assert!(working(&file, rule, &[]).is_empty(), "{file}");
    }
    let pairs = format!(
        "AWS_ACCESS_KEY_ID_DEV={live}\nAWS_ACCESS_KEY_ID_PROD={other}\nAWS_SECRET_ACCESS_KEY_DEV={one}\nAWS_SECRET_ACCESS_KEY_PROD={two}\n"
    );
    // This AWS looks at ids alone.
    assert_eq!(working(&pairs, rule, &[live]), [3, 4]);
    let yaml = format!(
        "dev_access_key_id: {live}\nprod_access_key_id: {other}\ndev_secret_access_key: {one}\nprod_secret_access_key: {two}\n"
    );
    assert_eq!(working(&yaml, rule, &[other]), [3, 4]);
    let none = said(&pairs, rule, &[]);
    assert!(
        none[0]
            .1
            .ends_with("none of the 2 that stand near it works"),
        "{none:?}"
    );
}

#[test]
fn where_more_stands_beside_a_secret_than_is_asked_for_a_refusal_proves_nothing() {
    let mut file = String::new();
    for seed in 0..9 {
        file += &format!("\"{}\" ", fake::aws_key_id(30 + seed));
    }
    file += &format!("\nAWS_SECRET_ACCESS_KEY={}\n", fake::aws_secret(30));
    let said = said(&file, "aws-secret-access-key", &[]);
    let [(2, said)] = &said[..] else {
        panic!("{said:?}");
    };
    assert!(
        said.starts_with("unknown: ") && said.contains("more stands near it than is asked for"),
        "{said}"
    );
}

#[test]
fn a_session_is_asked_for_with_each_token_beside_it() {
    let id = format!("{}{}", concat!("AS", "IA"), &fake::aws_key_id(41)[4..]);
    let token = |seed: u64| {
        format!(
            "{}{}",
            concat!("IQoJb3Jp", "Z2luX2VjE"),
            fake::aws_secret(seed).repeat(5)
        )
    };
    let (old, new, secret) = (token(42), token(43), fake::aws_secret(41));
    for file in [
        format!(
            "AWS_ACCESS_KEY_ID={id}\nAWS_SECRET_ACCESS_KEY={secret}\n# AWS_SESSION_TOKEN={old}\nAWS_SESSION_TOKEN={new}\n"
        ),
        format!(
            "AWS_SESSION_TOKEN={new}\nAWS_SESSION_TOKEN_OLD={old}\nAWS_ACCESS_KEY_ID={id}\nAWS_SECRET_ACCESS_KEY={secret}\n"
        ),
    ] {
        let rule = "aws-secret-access-key";
        assert_eq!(working(&file, rule, &[&id, &new]).len(), 1, "{file}");
        assert_eq!(working(&file, rule, &[&id, &old]).len(), 1, "{file}");
        let dead = said(&file, rule, &[&id]);
        assert!(
            dead[0].1.starts_with("inactive: the session has expired"),
            "{dead:?}"
        );
    }
}

#[test]
fn tokens_of_twilio_and_secrets_of_paypal_are_asked_for_with_each_id() {
    let id = |kind: &str, seed| format!("{kind}{}", text(seed, HEX, 32));
    let (mine, other, token) = (id("AC", 51), id("AC", 52), text(53, HEX, 32));
    let pair = format!("{mine}:{token}");
    for file in [
        format!(
            "TWILIO_SUB_SID={other}\nTWILIO_AUTH_TOKEN={token}\n\n\nTWILIO_ACCOUNT_SID={mine}\n"
        ),
        format!(
            "client = Client(\"{other}\", env(\"X\"))\nTWILIO_TOKEN = \"{token}\"\nclient = Client(\"{mine}\", TWILIO_TOKEN)\n"
        ),
    ] {
        let rule = "twilio-auth-token";
        assert_eq!(working(&file, rule, &[&pair]), [2], "{file}");
        assert!(working(&file, rule, &[]).is_empty(), "{file}");
    }
    let (mine, other, secret) = (id("SK", 54), id("SK", 55), text(56, WORD, 32));
    let file =
        format!("TWILIO_API_KEY={mine}\nTWILIO_API_KEY_NEW={other}\nTWILIO_API_SECRET={secret}\n");
    let pair = format!("{mine}:{secret}");
    assert_eq!(working(&file, "twilio-api-key-secret", &[&pair]), [3]);

    let id = |seed| format!("A{}", text(seed, WORD, 79));
    let secret = |seed| format!("E{}", text(seed, WORD, 79));
    let (box_id, live_id, box_secret, live_secret) = (id(61), id(62), secret(63), secret(64));
    let pair = format!("{box_id}:{box_secret}");
    let other = format!("{live_id}:{live_secret}");
    let rule = "paypal-client-secret";
    let file = format!(
        "PAYPAL_CLIENT_ID={box_id}\nPAYPAL_CLIENT_ID_LIVE={live_id}\nPAYPAL_SECRET={box_secret}\nPAYPAL_SECRET_LIVE={live_secret}\n"
    );
    assert_eq!(working(&file, rule, &[&pair, &other]), [3, 4]);
    assert_eq!(working(&file, rule, &[&pair]), [3]);
    let file = format!(
        "#PAYPAL_CLIENT_ID={live_id}\nPAYPAL_CLIENT_ID={box_id}\nPAYPAL_CLIENT_SECRET={live_secret}\n"
    );
    assert_eq!(working(&file, rule, &[&other]), [3]);
}

/// An id of the tests' provider works where it ends in an even number.
fn even(seen: &Seen) -> Answer {
    let given = seen.header("Authorization").unwrap_or_default();
    let given = STANDARD.decode(given.trim_start_matches("Basic ")).unwrap();
    let given = String::from_utf8(given).unwrap();
    let works = given.split(':').next().unwrap().ends_with(['0', '2', '4']);
    let status = if works { 200 } else { 401 };
    Answer::status(status).with_json(&json!({ "ok": works }))
}

#[test]
fn a_secret_whose_place_cannot_be_read_again_is_not_dead_for_a_refusal() {
    let world = World::new(even);
    let secret = format!("acmepair-{}", word(71));
    let file = format!("ID=acmeid-58203941\nS={secret}\n");
    let tree = Tree::new().with("a.env", &file);
    let report = ["scan", "--format", "json", "--show-secrets"];
    let report = world.report(tree.path(), "report", &report);
    let there = world.verify(tree.path(), &report, &[]);
    assert!(
        statuses(&there)
            .iter()
            .any(|(status, _)| status == "inactive"),
        "{}",
        there.out
    );
    let elsewhere = world.verify(Tree::new().path(), &report, &[]);
    let all = statuses(&elsewhere);
    assert!(
        all.iter()
            .any(|(status, why)| status == "unknown" && why.contains("cannot be read again")),
        "{all:?}"
    );
    assert!(
        all.iter().all(|(status, _)| status != "inactive"),
        "{all:?}"
    );
}

#[test]
fn a_secret_that_is_given_is_asked_for_with_each_id_or_with_the_one_that_is_said() {
    let world = World::new(even);
    let secret = format!("acmepair-{}", word(72));
    let given = format!("X=acmeid-58203942\nID=acmeid-58203941\nS={secret}\n");
    let verify = |text: &str, more: &[&str]| {
        let mut command = program();
        command
            .args(["verify", "--rule", "acme-secret"])
            .args(more)
            .args(world.own());
        Run::of(command.write_stdin(text.to_owned()))
    };
    let run = verify(&given, &[]).ends_with(1);
    assert!(run.out.contains("active"), "{}", run.out);
    assert_eq!(world.server.count("GET", "/pair"), 2);
    let run = verify(&given, &["--dry-run"]).ends_with(0);
    assert_eq!(run.out.matches("GET ").count(), 2, "{}", run.out);
    let run = verify(&format!("{given}id=acmeid-58203943\n"), &[]).ends_with(0);
    assert!(run.out.contains("inactive"), "{}", run.out);
    assert_eq!(world.server.count("GET", "/pair"), 3);
}
