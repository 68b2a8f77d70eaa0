//! Every block of `patterns/` against a provider on loopback that plays the documented answers, and everything that goes wrong between
//! a client and a provider: nothing of that is ever taken for a dead key.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use keysweep::model::{ConfirmedLeak, Credential, Finding, Identity, Secret, Verification};
use keysweep::provider::{Authority, Effect, Failure, Needed, Object, Registry, Revocation};
use keysweep::rule::block::{
    Answer as Documented, Blocks, Find, More, Request, Revoke, Var, Verify,
};
use keysweep::rule::{self, RuleFile};
use keysweep::scan::Options;
use serde_json::{Value, json};

use super::playground::{Playground, active, confirmed};
use crate::support::http::{Answer, Server};
use crate::support::{found, repository_file};

/// A rule file and its blocks, with the examples that are not compiled in.
struct File {
    stem: String,
    parsed: RuleFile,
    blocks: Blocks,
}

fn files() -> &'static [File] {
    static FILES: OnceLock<Vec<File>> = OnceLock::new();
    FILES.get_or_init(read_files)
}

fn read_files() -> Vec<File> {
    let mut paths: Vec<_> = fs::read_dir(repository_file("patterns"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).unwrap();
            let parsed = rule::parse(&path.display().to_string(), &text).unwrap();
            let blocks = rule::blocks(&stem, &parsed);
            File {
                stem,
                parsed,
                blocks,
            }
        })
        .collect()
}

/// What a rule's first example holds.
fn example_of(file: &File, rule: &str) -> Finding {
    let raw = file
        .parsed
        .rules
        .iter()
        .find(|r| r.id.get_ref() == rule)
        .unwrap();
    let text = raw.examples[0].replace("{-}", "");
    let mut all = found("x", text.as_bytes(), &Options::default());
    let at = all.iter().position(|f| f.rule == rule);
    let at = at.unwrap_or_else(|| panic!("{rule}: its first example is not found by it alone"));
    all.remove(at)
}

/// Parts that a call needs and that people write elsewhere: the caller's configuration has them.
fn known(stem: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut parts = BTreeMap::new();
    for (name, value) in [
        ("host", "service.example.org"),
        ("user", "jo"),
        ("account", "0123456789abcdef0123456789abcdef"),
        ("id", "AC0123456789abcdef0123456789abcdef"),
        ("organization", "acme"),
    ] {
        parts.insert(name.to_owned(), value.to_owned());
    }
    BTreeMap::from([(stem.to_owned(), parts)])
}

/// The parts of a key without which a refusal proves nothing: those of its call that the caller's configuration tells, and what its
/// block says.
fn differing(file: &File, block: &Verify) -> Vec<String> {
    let names = block.request.iter().flat_map(Request::variables);
    let known = known(&file.stem);
    let told = names.filter(|name| known[&file.stem].contains_key(*name));
    let mut parts: Vec<String> = told.map(str::to_owned).collect();
    parts.extend(block.elsewhere.clone());
    parts.sort();
    parts.dedup();
    parts
}

/// With the parts beside it without which a refusal proves nothing.
fn beside(file: &File, mut finding: Finding, block: &Verify) -> Finding {
    for part in &differing(file, block) {
        let parts = &mut finding.credential.parts;
        if part != "default" && !parts.iter().any(|(name, _)| name == part) {
            // Where a token was active once, the part says no more than that.
            let value = match part.as_str() {
                "proven" => "yes".to_owned(),
                _ => known(&file.stem)[&file.stem][part].clone(),
            };
            parts.push((part.clone(), value));
        }
    }
    finding
}

fn registry(file: &File) -> Registry {
    Registry::new(file.blocks.clone()).knowing(known(&file.stem))
}

/// The hosts of requests as they are shown.
fn hosts(shown: &str) -> Vec<String> {
    shown
        .split("https://")
        .skip(1)
        .map(|rest| {
            rest.split(['/', '?', '\n', ' ', '"'])
                .next()
                .unwrap()
                .to_owned()
        })
        .collect()
}

fn answer(documented: &Documented, status: u16) -> Answer {
    let mut answer = Answer::status(status);
    let has_type = documented
        .example_headers
        .keys()
        .any(|k| k.eq_ignore_ascii_case("content-type"));
    for (name, value) in &documented.example_headers {
        answer = answer.with_header(name, value);
    }
    let body = documented.example.clone();
    match (has_type, body.starts_with(['{', '['])) {
        (true, _) => answer.with_raw_body(body),
        (false, true) => answer.with_body("application/json", body),
        (false, false) => answer.with_body("text/plain", body),
    }
}

/// A rule's provider, with a server on loopback in place of all its hosts. One serves all answers: a client takes its time to make.
struct Asked<'a> {
    registry: Registry,
    finding: &'a Finding,
    answer: Arc<Mutex<Answer>>,
    server: Server,
    net: Playground,
}

impl<'a> Asked<'a> {
    fn new(file: &File, finding: &'a Finding, limit: Duration) -> Self {
        let registry = registry(file);
        let provider = registry.verifier(&finding.rule).unwrap();
        let shown = provider
            .preview(&finding.credential)
            .unwrap_or_else(|d| panic!("{}: {d}", finding.rule));
        drop(provider);
        let answer = Arc::new(Mutex::new(Answer::status(500)));
        let shared = Arc::clone(&answer);
        let server = Server::start(move |_| shared.lock().unwrap().clone());
        let net = Playground::new(&server, &hosts(&shown.join("\n")), limit);
        Self {
            registry,
            finding,
            answer,
            server,
            net,
        }
    }

    /// What the provider's answer is taken for, and how many requests it took.
    fn told(&self, answer: Answer) -> (Verification, usize) {
        *self.answer.lock().unwrap() = answer;
        let before = self.server.seen().len();
        let provider = self.registry.verifier(&self.finding.rule).unwrap();
        let said = provider.verify(&self.net.client, &self.finding.credential);
        (said, self.server.seen().len() - before)
    }
}

/// Every rule with a declared block, once for each.
fn verified() -> Vec<(&'static File, String, Verify)> {
    let mut all = Vec::new();
    for file in files() {
        let mut done = BTreeSet::new();
        let rules: Vec<(String, String)> = file
            .blocks
            .rules
            .iter()
            .filter_map(|(rule, uses)| Some((rule.clone(), uses.verify.clone()?)))
            .collect();
        for (rule, key) in rules {
            let block = file.blocks.verify[&key].clone();
            if block.request.is_none() || !done.insert(key) {
                continue;
            }
            all.push((file, rule, block));
        }
    }
    all
}

/// Runs a check for all of a list, a few at a time: they wait for answers most of the time.
fn side_by_side<T: Sync>(all: &[T], check: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::SeqCst)) {
                    check(one);
                }
            });
        }
    });
}

#[test]
fn documented_answers_are_understood() {
    let blocks = verified();
    assert!(blocks.len() >= 50, "{}", blocks.len());
    for (file, rule, block) in blocks {
        let finding = beside(file, example_of(file, &rule), &block);
        let asked_of = Asked::new(file, &finding, Duration::from_secs(10));
        for documented in &block.answers {
            for status in &documented.status {
                let what = format!("{rule}: {status} {}", documented.example);
                let (verification, asked) = asked_of.told(answer(documented, *status));
                assert!(asked >= 1, "{what}: nothing was asked");
                assert_eq!(
                    verification.word(),
                    documented.means,
                    "{what}: {verification:?}"
                );
                if let Verification::Active(identity) = &verification
                    && *status < 300
                {
                    assert!(
                        *identity != Identity::default(),
                        "{what}: whose it is, is not read"
                    );
                }
            }
        }
    }
}

#[test]
fn every_answer_has_the_example_that_the_provider_documents() {
    for file in files() {
        let verify = file.blocks.verify.iter().map(|(k, b)| (k, &b.answers));
        let revoke = file.blocks.revoke.iter().map(|(k, b)| (k, &b.answers));
        for (key, answers) in verify.chain(revoke) {
            for answer in answers {
                assert!(
                    answer.when.is_empty()
                        || !answer.example.is_empty()
                        || !answer.example_headers.is_empty(),
                    "{key}: an answer with tests has no example"
                );
            }
        }
    }
}

/// A finding whose place was told, a registry that tells it, and the same without the host in the caller's configuration.
fn refusals() -> Vec<(&'static File, Finding, Answer, Registry)> {
    let mut all = Vec::new();
    for (file, rule, block) in verified() {
        let mut finding = example_of(file, &rule);
        let parts = differing(file, &block);
        finding
            .credential
            .parts
            .retain(|(name, _)| !parts.contains(name));
        let Some(refusal) = block.answers.iter().find(|a| a.means == "inactive") else {
            continue;
        };
        if parts.is_empty() {
            continue;
        }
        let mut known = known(&file.stem);
        if block.elsewhere.contains(&"default".to_owned()) {
            known.get_mut(&file.stem).unwrap().remove("host");
        }
        let registry = Registry::new(file.blocks.clone()).knowing(known);
        let refusal = answer(refusal, refusal.status[0]);
        all.push((file, finding, refusal, registry));
    }
    all
}

#[test]
fn a_refusal_where_the_key_was_only_told_to_be_from_proves_nothing_but_ends_a_revocation() {
    let all = refusals();
    let kinds: BTreeSet<&str> = all.iter().map(|(file, ..)| &*file.stem).collect();
    for kind in [
        "algolia",
        "cloudflare",
        "databricks",
        "dockerhub",
        "elastic",
        "gitlab",
        "grafana",
        "okta",
        "shopify",
        "sonarqube",
        "vault",
    ] {
        assert!(kinds.contains(kind), "{kind}: {kinds:?}");
    }
    let mut ended = 0;
    for (_, finding, refusal, registry) in all {
        let rule = finding.rule.clone();
        let provider = registry.verifier(&rule).unwrap();
        let shown = provider.preview(&finding.credential).unwrap().join("\n");
        let server = Server::of([refusal.clone(), refusal]);
        let net = Playground::new(&server, &hosts(&shown), Duration::from_secs(10));
        let verification = provider.verify(&net.client, &finding.credential);
        let Verification::Unknown(doubt) = verification else {
            panic!("{rule}: {verification:?}");
        };
        assert!(
            ["may be of another", "never seen to work"]
                .iter()
                .any(|why| doubt.to_string().contains(why)),
            "{rule}: {doubt}"
        );
        // Where it was active before, the same refusal is its end: to who asks again, and to who ended it.
        let mut known = Finding {
            verification: Some(active()),
            ..finding.clone()
        };
        registry.learn(&mut known);
        let again = provider.verify(&net.client, &known.credential);
        assert!(
            matches!(again, Verification::Inactive(_)),
            "{rule}: {again:?}"
        );
        let Some(revoke) = registry.revoker(&rule) else {
            continue;
        };
        let finding = Finding {
            verification: Some(active()),
            ..finding
        };
        let object = Object {
            id: String::new(),
            title: String::new(),
            facts: BTreeMap::new(),
        };
        let leak = confirmed(&finding);
        let of = Revocation {
            net: &net.client,
            leak: &leak,
            authority: &Authority::default(),
        };
        let effect = revoke.effect(&of, &object, 0);
        assert_eq!(effect, Effect::There, "{rule}");
        ended += 1;
    }
    assert!(ended >= 3, "{ended}");
}

#[test]
fn a_host_beside_the_key_is_asked_before_the_one_of_the_configuration() {
    let file = files().iter().find(|f| f.stem == "gitlab").unwrap();
    let mut finding = example_of(file, "gitlab-pat");
    finding
        .credential
        .parts
        .push(("host".to_owned(), "gitlab.com".to_owned()));
    let registry = registry(file);
    let provider = registry.verifier("gitlab-pat").unwrap();
    let shown = provider.preview(&finding.credential).unwrap().join("\n");
    assert_eq!(hosts(&shown), ["gitlab.com"]);
    finding.credential.parts.retain(|(name, _)| name != "host");
    let shown = provider.preview(&finding.credential).unwrap().join("\n");
    assert_eq!(hosts(&shown), ["service.example.org"]);
}

#[test]
fn a_block_that_is_unsure_of_a_part_that_it_does_not_use_is_refused() {
    let text = fs::read_to_string(repository_file("patterns/algolia.toml")).unwrap();
    for (elsewhere, complaint) in [
        ("[\"account\"]", "which the request does not use"),
        ("[\"default\"]", "goes with a host in `self_hosted`"),
    ] {
        let text = text.replace(
            "[verify.key]\n",
            &format!("[verify.key]\nelsewhere = {elsewhere}\n"),
        );
        let error = rule::parse("x.toml", &text).unwrap_err().to_string();
        assert!(error.contains(complaint), "{error}");
    }
}

/// Answers that users of living keys report, and that are near to those for dead ones.
#[test]
fn what_living_keys_are_told_is_no_death() {
    for (stem, rule, status, body) in [
        (
            "notion",
            "notion-token",
            401,
            json!({"object": "error", "status": 401, "code": "unauthorized", "message": "This user's account is restricted from accessing the public API."}),
        ),
        (
            "openai",
            "openai-project-key",
            401,
            json!({"error": {"message": "The account is deactivated.", "code": "account_deactivated"}}),
        ),
        (
            "openai",
            "openai-project-key",
            401,
            json!({"error": "You have insufficient permissions for this operation. Missing scopes: api.model.read."}),
        ),
        (
            "twilio",
            "twilio-api-key-secret",
            401,
            json!({"code": 20003, "message": "Primary compliance profile is not approved", "status": 401}),
        ),
        (
            "mailgun",
            "mailgun-private-key",
            401,
            json!({"message": "Invalid private key"}),
        ),
        (
            "postmark",
            "postmark-token",
            401,
            json!({"ErrorCode": 10, "Message": "Please do not include Account API Token for Server API Token calls."}),
        ),
    ] {
        let file = files().iter().find(|f| f.stem == stem).unwrap();
        let finding = example_of(file, rule);
        let asked = Asked::new(file, &finding, Duration::from_secs(10));
        let (said, requests) = asked.told(Answer::status(status).with_json(&body));
        assert!(requests >= 1, "{rule}: nothing was asked");
        assert!(
            !matches!(said, Verification::Inactive(_)),
            "{rule}: {body}: {said:?}"
        );
    }
}

/// Postmark as it is: tokens of two kinds, each refused where the header of the other kind goes along.
#[test]
fn each_address_of_a_service_gets_its_own_header_fields() {
    let file = files().iter().find(|f| f.stem == "postmark").unwrap();
    let finding = example_of(file, "postmark-token");
    for (living, expected) in [
        (Some("X-Postmark-Server-Token"), "active"),
        (Some("X-Postmark-Account-Token"), "active"),
        (None, "inactive"),
    ] {
        let server = Server::start(move |seen| {
            let kinds: Vec<&str> = ["X-Postmark-Server-Token", "X-Postmark-Account-Token"]
                .into_iter()
                .filter(|kind| seen.header(kind).is_some())
                .collect();
            let place = match seen.path() {
                "/server" => "Server",
                _ => "Account",
            };
            let message = match kinds.as_slice() {
                [kind] if Some(*kind) == living && kind.contains(place) => {
                    return Answer::status(200)
                        .with_json(&json!({"ID": 1, "Name": "Staging", "Servers": []}));
                }
                [_] => format!("Request does not contain a valid {place} token."),
                _ => {
                    "Please do not include Account API Token for Server API Token calls.".to_owned()
                }
            };
            Answer::status(401).with_json(&json!({"ErrorCode": 10, "Message": message}))
        });
        let net = Playground::new(
            &server,
            &["api.postmarkapp.com".to_owned()],
            Duration::from_secs(10),
        );
        let registry = registry(file);
        let provider = registry.verifier("postmark-token").unwrap();
        let said = provider.verify(&net.client, &finding.credential);
        assert_eq!(said.word(), expected, "{living:?}: {said:?}");
    }
}

const PORTAL: &str = "<!DOCTYPE html><html><head><title>Sign in to the network</title></head><body>Unauthorized: please log in. Invalid session, token expired. Access denied.</body></html>";

/// What proxies, portals and outages answer, for a status.
fn trouble(status: u16) -> Vec<(&'static str, Answer)> {
    vec![
        ("no body", Answer::status(status)),
        (
            "a portal's page",
            Answer::status(status).with_body("text/html", PORTAL),
        ),
        (
            "an empty object",
            Answer::status(status).with_json(&json!({})),
        ),
        (
            "an empty list",
            Answer::status(status).with_json(&json!([])),
        ),
        ("null", Answer::status(status).with_json(&Value::Null)),
        (
            "JSON cut off",
            Answer::status(status).with_body("application/json", "{\"error\": {\"co"),
        ),
    ]
}

/// A provider's own word that a key is dead; the answer that is cut, late or without end.
fn refusal(block: &Verify) -> Answer {
    let documented = block.answers.iter().find(|a| a.means == "inactive");
    documented.map_or_else(
        || Answer::status(401).with_json(&json!({"message": "Bad credentials"})),
        |documented| answer(documented, documented.status[0]),
    )
}

#[test]
fn nothing_that_goes_wrong_is_a_dead_key() {
    side_by_side(&verified(), |(file, rule, block)| {
        let finding = beside(file, example_of(file, rule), block);
        let mut codes = vec![200, 401, 403, 404, 407, 418, 500, 502, 503, 504, 511];
        codes.extend(block.answers.iter().flat_map(|a| a.status.clone()));
        codes.sort_unstable();
        codes.dedup();
        let mut all: Vec<(String, Answer)> = Vec::new();
        for status in codes {
            for (what, answer) in trouble(status) {
                all.push((format!("{status} with {what}"), answer));
            }
        }
        all.push((
            "a redirect to a login page".into(),
            Answer::status(302).with_header("Location", "https://login.example.net/sso?next=x"),
        ));
        all.push((
            "a moved page".into(),
            Answer::status(301).with_header("Location", "https://example.net/"),
        ));
        all.push(("a cut connection".into(), Answer::cut()));
        all.push(("no HTTP".into(), Answer::raw("SSH-2.0-OpenSSH_9.2\r\n")));
        let asked_of = Asked::new(file, &finding, Duration::from_secs(10));
        for (what, answer) in all {
            let (verification, _) = asked_of.told(answer);
            assert!(
                !matches!(
                    verification,
                    Verification::Inactive(_) | Verification::Active(_)
                ),
                "{rule}: {what} was taken for {verification:?}"
            );
        }
        // A limit is a limit, whatever stands in it, unless the provider documents what else it means.
        for documented in block.answers.iter().filter(|a| a.means == "inactive") {
            for status in [429, 500, 503] {
                let (verification, _) = asked_of.told(answer(documented, status));
                assert!(
                    matches!(verification, Verification::Unknown(_)),
                    "{rule}: {status} was taken for {verification:?}"
                );
            }
        }
    });
}

#[test]
fn an_answer_without_end_or_that_never_comes_is_no_dead_key() {
    side_by_side(&verified(), |(file, rule, block)| {
        let finding = beside(file, example_of(file, rule), block);
        let late = refusal(block).after(Duration::from_secs(2));
        let asked_of = Asked::new(file, &finding, Duration::from_millis(500));
        for answer in [refusal(block).endless(), refusal(block).half(), late] {
            let (verification, _) = asked_of.told(answer.clone());
            assert!(
                matches!(verification, Verification::Unknown(_)),
                "{rule}: {answer:?} was taken for {verification:?}"
            );
        }
    });
}

// --- ending ---

fn ended() -> Vec<(&'static File, String, Revoke)> {
    let mut all = Vec::new();
    for file in files() {
        let mut done = BTreeSet::new();
        for (rule, uses) in &file.blocks.rules {
            let Some(key) = &uses.revoke else { continue };
            let block = &file.blocks.revoke[key];
            if block.request.is_some() && done.insert(key.clone()) {
                all.push((file, rule.clone(), block.clone()));
            }
        }
    }
    all
}

fn authority(block: &Revoke) -> Authority {
    Authority {
        parts: block
            .needs
            .iter()
            .map(|part| {
                (
                    part.clone(),
                    Secret::new(format!("own-{part}").as_bytes(), ""),
                )
            })
            .collect(),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a synthetic secret, compared with what a server on loopback was sent"
)]
fn clear(credential: &Credential) -> String {
    String::from_utf8(credential.secret.expose().to_vec()).unwrap()
}

/// Another key of the same account: the same shape, other characters.
fn neighbour(secret: &str) -> String {
    secret
        .chars()
        .map(|c| match c {
            'a'..='y' | 'A'..='Y' | '0'..='8' => char::from(c as u8 + 1),
            'z' => 'a',
            'Z' => 'A',
            '9' => '0',
            other => other,
        })
        .collect()
}

fn set(value: &mut Value, pointer: &str, to: Value) {
    let mut at = value;
    for name in pointer.split('/').skip(1) {
        if !at.is_object() {
            *at = json!({});
        }
        at = at
            .as_object_mut()
            .unwrap()
            .entry(name.to_owned())
            .or_insert(Value::Null);
    }
    *at = to;
}

/// A template of a row with the secret and the block's variables of it.
fn filled(template: &str, vars: &BTreeMap<String, Var>, secret: &str) -> String {
    let mut text = template.replace("{secret}", secret);
    for (name, var) in vars.iter().filter(|(_, var)| var.from == "secret") {
        let found = regex::Regex::new(&var.pattern).unwrap();
        if let Some(found) = found.captures(secret) {
            text = text.replace(&format!("{{{name}}}"), &found[1]);
        }
    }
    text
}

/// A row of a provider's list that shows a key as the block expects it.
fn row(block: &Revoke, find: &Find, id: &str, secret: &str) -> Value {
    let mut row = json!({});
    for test in &find.row {
        let shown = match (&test.equals, &test.masked) {
            (Some(template), _) => filled(template, &block.vars, secret),
            (_, Some(template)) => {
                let whole = filled(template, &block.vars, secret);
                format!("{}...{}", &whole[..8], &whole[whole.len() - 4..])
            }
            _ => unreachable!("checked when built"),
        };
        set(&mut row, &test.at, Value::String(shown));
    }
    set(&mut row, &find.id, Value::String(id.to_owned()));
    row
}

/// What an answer says of whether a list goes on.
fn said(more: &More, goes_on: bool) -> Value {
    match (&more.from, goes_on) {
        (Some(_), goes_on) => json!(goes_on),
        (None, true) => json!(2),
        (None, false) => json!(1),
    }
}

/// How the pages of a list go on.
#[derive(Clone, Copy, PartialEq)]
enum Goes {
    On,
    /// It says that it does, and not where.
    Nowhere,
    /// Each page is the first.
    Round,
    /// It does not say whether it does.
    Silent,
}

/// A provider whose list has a page for each of these rows.
fn pages(find: &Find, rows: Vec<Value>, goes: Goes) -> Server {
    let find = find.clone();
    let asked = AtomicUsize::new(0);
    Server::start(move |seen| {
        if seen.method != find.request.method {
            let done = json!({ "id": "x", "status": "inactive", "deleted": true });
            return Answer::json(&done);
        }
        let at = asked.fetch_add(1, Ordering::SeqCst);
        let (list, more) = (find.list.as_ref().unwrap(), find.more.as_ref().unwrap());
        let number = if goes == Goes::Round { 0 } else { at + 1 };
        let mark = &*format!("]mark {number}");
        if at > 0 && goes == Goes::On && more.from.is_some() {
            let asks = match more.to.strip_prefix("header:") {
                Some(name) => seen.header(name) == Some(&*format!("]mark {at}")),
                None => seen.holds(&format!("{}=%5Dmark%20{at}", more.to)),
            };
            assert!(asks, "{}", seen.target);
        }
        let goes_on = goes == Goes::Round || at + 1 < rows.len();
        let row = rows[at.min(rows.len() - 1)].clone();
        let mut body = json!({});
        set(&mut body, list, json!([row]));
        let pointer = |at: &str| at.starts_with('/').then(|| at.to_owned());
        if let Some(when) = pointer(&more.when).filter(|_| goes != Goes::Silent) {
            let value = if more.from.is_none() {
                json!(rows.len())
            } else {
                said(more, goes_on)
            };
            set(&mut body, &when, value);
        }
        let from = more
            .from
            .as_ref()
            .filter(|_| goes_on && goes != Goes::Nowhere);
        if let Some(at) = from.and_then(|at| pointer(at)) {
            set(&mut body, &at, json!(mark));
        }
        let answer = Answer::json(&body);
        match more.when.strip_prefix("header:") {
            Some(name) if goes_on => {
                answer.with_header(name, if goes == Goes::Nowhere { "" } else { mark })
            }
            _ => answer,
        }
    })
}

#[test]
fn a_list_of_several_pages_is_read_to_its_end_or_nothing_is_done() {
    let mut kinds = BTreeSet::new();
    for case in cases() {
        let Some(find) = case.block.find.clone().filter(|f| f.more.is_some()) else {
            continue;
        };
        let rule = &case.finding.rule;
        kinds.insert(case.file.stem.as_str());
        let authority = authority(&case.block);
        let secret = clear(&case.finding.credential);
        let mine = row(&case.block, &find, "id-1", &secret);
        let twin = row(&case.block, &find, "id-2", &secret);
        let stranger = row(&case.block, &find, "id-3", &neighbour(&secret));
        let more = find.more.as_ref().unwrap();
        let look = |rows: &[&Value], goes: Goes| {
            let server = pages(&find, rows.iter().map(|r| (*r).clone()).collect(), goes);
            let result = case.ended_at(&server, &authority);
            let named: Vec<bool> = changes(&server).iter().map(|c| c.holds("id-1")).collect();
            let reads = server.seen().len() - named.len();
            (result, named, reads)
        };
        // Found on the second page, and nothing before all pages were read.
        let (_, named, reads) = look(&[&stranger, &mine, &stranger], Goes::On);
        assert_eq!((named.as_slice(), reads), (&[true][..], 3), "{rule}");
        let (_, named, reads) = look(&[&mine, &stranger], Goes::On);
        assert_eq!((named.as_slice(), reads), (&[true][..], 2), "{rule}");
        // One that looks the same on another page.
        let (result, named, _) = look(&[&mine, &twin], Goes::On);
        let why = result.unwrap_err().to_string();
        assert!(why.contains("2 entries"), "{rule}: {why}");
        assert!(named.is_empty(), "{rule}");
        let mut halves = vec![Goes::Round];
        if more.when.starts_with('/') {
            halves.push(Goes::Silent);
        }
        if more.from.is_some() {
            halves.push(Goes::Nowhere);
        } else {
            halves.retain(|goes| *goes != Goes::Round);
        }
        for goes in halves {
            let (result, named, _) = look(&[&mine, &stranger], goes);
            let why = result.unwrap_err().to_string();
            assert!(why.contains("not all of it was read"), "{rule}: {why}");
            assert!(!why.contains("gone already"), "{rule}: {why}");
            assert!(named.is_empty(), "{rule}");
        }
    }
    let all = BTreeSet::from(["anthropic", "heroku", "linode", "openai"]);
    assert_eq!(kinds, all);
}

struct Case {
    file: &'static File,
    finding: Finding,
    block: Revoke,
}

impl Case {
    /// Runs look-up and call against a server that lists these ids and secrets, and answers the call.
    fn run(
        &self,
        rows: Vec<Value>,
        answer: Answer,
        authority: &Authority,
    ) -> (Result<(), Failure>, Server) {
        let find = self.block.find.clone();
        let server = Server::start(move |seen| {
            let is_find = find
                .as_ref()
                .is_some_and(|f| f.request.method == seen.method)
                && seen.method == "GET";
            if !is_find {
                return answer.clone();
            }
            let find = find.as_ref().unwrap();
            match &find.list {
                None => Answer::json(rows.first().unwrap_or(&json!({}))),
                Some(at) => {
                    let mut body = json!({});
                    set(&mut body, at, Value::Array(rows.clone()));
                    if let Some(more) = find.more.as_ref().filter(|m| m.when.starts_with('/')) {
                        set(&mut body, &more.when, said(more, false));
                    }
                    Answer::json(&body)
                }
            }
        });
        let result = self.ended_at(&server, authority);
        (result, server)
    }

    /// Runs look-up and call against a server.
    fn ended_at(&self, server: &Server, authority: &Authority) -> Result<(), Failure> {
        let registry = registry(self.file);
        let revoke = registry.revoker(&self.finding.rule).unwrap();
        let shown = revoke.preview(&self.finding.credential, authority, 0);
        let hosts = hosts(&shown.unwrap());
        let net = Playground::new(server, &hosts, Duration::from_secs(10));
        let leak: ConfirmedLeak<'_> = confirmed(&self.finding);
        let of = Revocation {
            net: &net.client,
            leak: &leak,
            authority,
        };
        let object = revoke.find(&of)?;
        revoke.run(&of, &object, 0).map(drop)
    }

    fn rows(&self) -> (Vec<Value>, String) {
        let secret = clear(&self.finding.credential);
        let other = neighbour(&secret);
        let Some(find) = &self.block.find else {
            return (Vec::new(), other);
        };
        let mine = row(&self.block, find, "id-of-the-leak", &secret);
        let others = row(&self.block, find, "id-of-a-neighbour", &other);
        match find.list {
            None => (vec![mine], other),
            Some(_) => (vec![others, mine], other),
        }
    }
}

fn cases() -> Vec<Case> {
    ended()
        .into_iter()
        .map(|(file, rule, block)| Case {
            finding: Finding {
                verification: Some(active()),
                ..example_of(file, &rule)
            },
            file,
            block,
        })
        .collect()
}

fn changes(server: &Server) -> Vec<crate::support::http::Seen> {
    server
        .seen()
        .into_iter()
        .filter(|seen| seen.method != "GET")
        .collect()
}

#[test]
fn documented_answers_to_a_revocation_are_understood_and_the_neighbour_survives() {
    let cases = cases();
    assert!(cases.len() >= 14, "{}", cases.len());
    for case in cases {
        let rule = &case.finding.rule;
        let authority = authority(&case.block);
        for documented in &case.block.answers {
            for status in &documented.status {
                let (rows, other) = case.rows();
                let (result, server) = case.run(rows, answer(documented, *status), &authority);
                let what = format!("{rule}: {status} {}", documented.means);
                match documented.means.as_str() {
                    "done" | "gone" => assert_eq!(result, Ok(()), "{what}"),
                    "refused" => assert!(
                        matches!(result, Err(Failure::Refused(_))),
                        "{what}: {result:?}"
                    ),
                    _ => assert!(
                        matches!(result, Err(Failure::Unknown(_))),
                        "{what}: {result:?}"
                    ),
                }
                let sent = changes(&server);
                assert_eq!(sent.len(), 1, "{what}: one call, sent once");
                assert!(
                    !sent[0].holds("id-of-a-neighbour") && !sent[0].holds(&other),
                    "{what}: the neighbour's key was named"
                );
                if case.block.find.is_some() {
                    assert!(
                        sent[0].holds("id-of-the-leak"),
                        "{what}: {}",
                        sent[0].target
                    );
                }
            }
        }
    }
}

#[test]
fn a_revocation_that_finds_no_row_or_two_does_nothing() {
    for case in cases() {
        let Some(find) = case.block.find.clone().filter(|f| f.list.is_some()) else {
            continue;
        };
        let rule = &case.finding.rule;
        let authority = authority(&case.block);
        let secret = clear(&case.finding.credential);
        let other = neighbour(&secret);
        let mine = row(&case.block, &find, "id-1", &secret);
        let twin = row(&case.block, &find, "id-2", &secret);
        let stranger = row(&case.block, &find, "id-3", &other);
        for rows in [vec![], vec![stranger], vec![mine, twin]] {
            let (result, server) = case.run(rows, Answer::status(204), &authority);
            assert!(
                matches!(result, Err(Failure::Object(_))),
                "{rule}: {result:?}"
            );
            assert_eq!(changes(&server).len(), 0, "{rule}");
        }
    }
}

#[test]
fn a_revocation_without_its_authority_does_nothing() {
    for case in cases().into_iter().filter(|c| !c.block.needs.is_empty()) {
        let registry = registry(case.file);
        let terms = registry
            .revoker(&case.finding.rule)
            .unwrap()
            .terms(&case.finding.credential);
        assert!(matches!(terms.needed, Needed::Owner { .. }));
        let (rows, _) = case.rows();
        let (result, server) = case.run(rows, Answer::status(204), &Authority::default());
        assert!(
            matches!(result, Err(Failure::Authority(_))),
            "{}: {result:?}",
            case.finding.rule
        );
        assert_eq!(changes(&server).len(), 0);
    }
}

#[test]
fn a_revocation_that_goes_wrong_is_never_done() {
    for case in cases() {
        let rule = &case.finding.rule;
        let authority = authority(&case.block);
        // Some calls answer with a status alone: only what they document can be told from an outage.
        let bare: Vec<u16> = case
            .block
            .answers
            .iter()
            .filter(|a| a.when.is_empty())
            .flat_map(|a| a.status.clone())
            .collect();
        let mut all: Vec<(String, Answer)> = vec![
            ("a cut connection".into(), Answer::cut()),
            (
                "a redirect".into(),
                Answer::status(302).with_header("Location", "https://login.example.net/"),
            ),
        ];
        for status in [200, 400, 401, 403, 404, 409, 429, 500, 502, 503] {
            if !bare.contains(&status) {
                all.push((
                    format!("{status} and a page"),
                    Answer::status(status).with_body("text/html", PORTAL),
                ));
                all.push((format!("{status} without a body"), Answer::status(status)));
            }
        }
        for (what, answer) in all {
            let (rows, _) = case.rows();
            let (result, server) = case.run(rows, answer, &authority);
            assert!(result.is_err(), "{rule}: {what} was taken for done");
            assert_eq!(
                changes(&server).len(),
                1,
                "{rule}: {what}: a change is sent once"
            );
        }
    }
}
