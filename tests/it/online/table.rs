//! `docs/kinds.md` is what the rules say: `KEYSWEEP_WRITE_DOCS=1` writes it anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use keysweep::model::{Credential, Secret};
use keysweep::net::{Error, Net, Reply, Request};
use keysweep::provider::{Authority, Needed, Registry};
use keysweep::rule::block::Blocks;
use keysweep::scan::Options;

use crate::support::{engine, found, repository_file};

const HEAD: &str = "# Kinds that are verified and revoked

This page is generated from the rule files. *Verified*: the call, or the code, that asks the provider whether a credential works; it changes
nothing. *Revoked*: how it is ended, and by whose authority: `none` (an anonymous call), `self` (the leaked key's own), `owner` (another
credential of yours, from `[authority.NAME]`), `person` (no call exists: `respond` prints where and how). *Tested*: against a real `server`, an
`emulator`, or a `contract`: a server on loopback that plays the answers that the provider documents; the provider itself was not asked. *From memory*: no page or code of the provider was found that shows these
answers; where they are wrong, the key is *unknown*, not *inactive*.

";

fn table(blocks: &Blocks) -> String {
    let mut out = HEAD.to_owned();
    let verified = blocks.rules.values().filter(|u| u.verify.is_some()).count();
    let by_call = |key: &String| {
        blocks
            .revoke
            .get(key)
            .is_some_and(|r| r.authority != "person")
    };
    let revoked = blocks
        .rules
        .values()
        .filter(|u| u.revoke.as_ref().is_some_and(by_call))
        .count();
    let by_hand = blocks.rules.values().filter(|u| u.revoke.is_some()).count() - revoked;
    let _ = writeln!(
        out,
        "{verified} kinds are verified, {revoked} are revoked by a call, for {by_hand} the steps for a person are printed.\n"
    );
    out.push_str("| kind | verified by | revoked by | authority | reversible | tested against |\n| --- | --- | --- | --- | --- | --- |\n");
    for (rule, uses) in &blocks.rules {
        let verify = uses.verify.as_ref().and_then(|key| blocks.verify.get(key));
        let revoke = uses.revoke.as_ref().and_then(|key| blocks.revoke.get(key));
        let asked = verify.map_or_else(
            || "—".to_owned(),
            |v| {
                let what = match (&v.request, &v.builtin) {
                    (Some(request), _) => format!("`{} {}`", request.method, address(&request.url)),
                    (None, Some(builtin)) => format!("`{builtin}`, in code"),
                    (None, None) => unreachable!("checked when built"),
                };
                format!("[{what}]({})", v.source)
            },
        );
        let ended = revoke.map_or_else(
            || "—".to_owned(),
            |r| {
                let what = match (&r.request, &r.builtin) {
                    (Some(request), _) => format!("`{} {}`", request.method, address(&request.url)),
                    (None, Some(builtin)) => format!("`{builtin}`, in code"),
                    (None, None) => "a person".to_owned(),
                };
                format!("[{what}]({})", r.source)
            },
        );
        let (authority, reversible) = revoke.map_or(("—", "—"), |r| {
            let reversible = match (r.authority.as_str(), r.reversible) {
                ("person", _) => "—",
                (_, true) => "yes",
                (_, false) => "no",
            };
            (r.authority.as_str(), reversible)
        });
        let against = |tested: &str, recalled: bool| {
            let mark = if recalled { ", from memory" } else { "" };
            format!("{tested}{mark}")
        };
        let asked_against = verify.map(|v| against(&v.tested, v.recalled));
        let by_call = revoke.filter(|r| r.authority != "person");
        let ended_against = by_call.map(|r| against(&r.tested, r.recalled));
        let tested = match (asked_against, ended_against) {
            (Some(v), Some(r)) if v != r => format!("{v}; revocation {r}"),
            (Some(one), _) | (None, Some(one)) => one,
            (None, None) => "—".to_owned(),
        };
        let _ = writeln!(
            out,
            "| {} (`{rule}`) | {asked} | {ended} | {authority} | {reversible} | {tested} |",
            uses.name.replace('|', "\\|")
        );
    }
    let registry = Registry::new(blocks.clone());
    authority(&registry, &mut out);
    known(&registry, &mut out);
    hosts(&registry, &mut out);
    out
}

/// Names between commas, as code.
fn codes<'n>(names: impl IntoIterator<Item = &'n String>) -> String {
    let names = names.into_iter().map(|name| format!("`{name}`"));
    names.collect::<Vec<_>>().join(", ")
}

fn authority(registry: &Registry, out: &mut String) {
    out.push_str(
        "
## Parts of `[authority.NAME]`

A credential of yours that ends keys of these kinds; each part is `{ env = \"…\" }` or `{ file = \"…\" }`, or stands in the variable.

| section | parts | needed at times | variables | kinds |
| --- | --- | --- | --- | --- |
",
    );
    for (name, (parts, rules)) in registry.authorities() {
        let variables = parts.needed.iter().map(|p| Authority::variable(&name, p));
        let more = match codes(&parts.more) {
            more if more.is_empty() => "—".to_owned(),
            more => more,
        };
        let _ = writeln!(
            out,
            "| `[authority.{name}]` | {} | {more} | {} | {} |",
            codes(&parts.needed),
            codes(&variables.collect::<Vec<_>>()),
            codes(&rules)
        );
    }
}

fn known(registry: &Registry, out: &mut String) {
    out.push_str(
        "
## Parts of `[known.NAME]`

What calls need and does not always stand beside the key. *Needed*: where it does not, these kinds are *unknown* until you give it. *Else*: these
have the provider's own host, or find it in the key; give yours where your keys are of another.

| section | part | needed for | else for |
| --- | --- | --- | --- |
",
    );
    for (name, known) in registry.knowable() {
        for (part, rules) in known.parts {
            // What the pattern itself takes out of the key is never missing.
            let is_own = |rule: &String| {
                let rules = engine().rules();
                let spec = rules.rule(rules.index_of(rule).unwrap()).unwrap().spec();
                spec.pattern.contains(&format!("(?<{part}>"))
            };
            let of = |wanted: bool| {
                let rules = rules
                    .iter()
                    .filter(|(rule, needed)| (**needed && !is_own(rule)) == wanted);
                match codes(rules.map(|(rule, _)| rule)) {
                    none if none.is_empty() => "—".to_owned(),
                    all => all,
                }
            };
            let _ = writeln!(
                out,
                "| `[known.{name}]` | `{part}` | {} | {} |",
                of(true),
                of(false)
            );
        }
    }
}

fn hosts(registry: &Registry, out: &mut String) {
    out.push_str(
        "
## Hosts

Every host that may be asked for a kind, to prove a key, to look it up or to end it: whoever maps hosts with `[endpoints]` maps all of a row.
A word in braces is a label that comes with the key (`\"*.example.com\"` maps them); `{host}` is the host that stands beside the key and that you list, or that of
`[known.NAME]`. PostgreSQL and Redis are asked at the host of the address, a JSON web token is shown to nobody.

| kinds | hosts |
| --- | --- |
",
    );
    let mut rows: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for (rule, uses) in &registry.blocks().rules {
        let hosts = codes(&registry.hosts(rule));
        if !hosts.is_empty() {
            let row = rows.entry((uses.provider.clone(), hosts));
            row.or_default().push(rule.clone());
        }
    }
    for ((_, hosts), rules) in rows {
        let _ = writeln!(out, "| {} | {hosts} |", codes(&rules));
    }
}

/// A network on which every host is noted and none answers.
#[derive(Default)]
struct Noted(Mutex<BTreeSet<String>>);

impl Net for Noted {
    fn send(&self, request: &Request) -> Result<Reply, Error> {
        let url = request.url.wire();
        let host = url.split('/').nth(2).unwrap().to_owned();
        self.0.lock().unwrap().insert(host);
        Ok(Reply::new(503, Vec::new(), Vec::new()))
    }

    fn dial(&self, host: &str, _: u16) -> Result<TcpStream, Error> {
        Err(Error::Timeout {
            host: host.to_owned(),
        })
    }

    fn tls(&self) -> Arc<rustls::ClientConfig> {
        unreachable!("nothing is dialled")
    }

    fn is_listed(&self, _: &str) -> bool {
        true
    }

    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn pause(&self, _: Duration) -> bool {
        true
    }
}

/// Whether a host is one of a table's.
fn is_named(host: &str, named: &BTreeSet<String>) -> bool {
    named.iter().any(|known| {
        let (host, known) = (host.split('.'), known.split('.'));
        host.clone().count() == known.clone().count()
            && host.zip(known).all(|(a, b)| a == b || b.starts_with('{'))
    })
}

#[test]
fn nobody_is_asked_whom_the_table_does_not_name() {
    let registry = Registry::new(Blocks::load(&[]).unwrap());
    let (mut asked, mut several) = (0, 0);
    for rule in engine().rules().rules() {
        let spec = rule.spec();
        let Some(provider) = registry.verifier(&spec.id) else {
            continue;
        };
        let named = registry.hosts(&spec.id);
        for example in spec.examples.iter() {
            let text = example.replace("{-}", "");
            for finding in found("x.env", text.as_bytes(), &Options::default()) {
                if finding.rule != spec.id {
                    continue;
                }
                let net = Noted::default();
                let _ = provider.verify(&net, &finding.credential);
                let hosts = net.0.into_inner().unwrap();
                let own = finding.credential.part("host").unwrap_or_default();
                for host in &hosts {
                    assert!(
                        host == own || is_named(host, &named),
                        "{}: {host} is not among {named:?}",
                        spec.id
                    );
                }
                asked += usize::from(!hosts.is_empty());
                several += usize::from(hosts.len() > 1);
            }
        }
    }
    assert!(asked > 100 && several > 10, "{asked} {several}");
}

/// An address without scheme and query.
fn address(url: &str) -> &str {
    url.trim_start_matches("https://")
        .split('?')
        .next()
        .unwrap_or_default()
}

#[test]
fn the_table_of_kinds_is_what_the_rules_say() {
    let path = repository_file("docs/kinds.md");
    let now = table(&Blocks::load(&[]).unwrap());
    if std::env::var_os("KEYSWEEP_WRITE_DOCS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &now).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == now,
        "docs/kinds.md is not what the rules say: run this test with KEYSWEEP_WRITE_DOCS=1"
    );
}

#[test]
fn fifty_kinds_are_verified_and_twenty_revoked() {
    let blocks = Blocks::load(&[]).unwrap();
    let verified = blocks.verify.len();
    let revoked = blocks
        .revoke
        .values()
        .filter(|r| r.authority != "person")
        .count();
    assert!(verified >= 50, "{verified}");
    assert!(revoked >= 20, "{revoked}");
    for key in blocks.verify.keys() {
        assert!(
            blocks
                .rules
                .values()
                .any(|u| u.verify.as_ref() == Some(key)),
            "{key}: no rule uses it"
        );
    }
    for key in blocks.revoke.keys() {
        assert!(
            blocks
                .rules
                .values()
                .any(|u| u.revoke.as_ref() == Some(key)),
            "{key}: no rule uses it"
        );
    }
}

#[test]
fn what_code_does_is_said_by_its_block() {
    let blocks = Blocks::load(&[]).unwrap();
    let registry = Registry::new(blocks.clone());
    let parts = [
        ("scheme", "redis"),
        ("user", "app"),
        ("host", "db.example.org"),
    ];
    let key = Credential::new(
        Secret::new(b"a secret", ""),
        parts.map(|(n, v)| (n.to_owned(), v.to_owned())).into(),
    );
    let mut codes = 0;
    for (rule, uses) in &blocks.rules {
        if uses.verify.is_some() {
            assert!(registry.verifier(rule).is_some(), "{rule}");
        }
        let Some(block) = uses.revoke.as_ref().map(|name| &blocks.revoke[name]) else {
            continue;
        };
        let terms = registry
            .revoker(rule)
            .unwrap_or_else(|| panic!("{rule}"))
            .terms(&key);
        if block.builtin.is_none() {
            continue;
        }
        codes += 1;
        let Needed::Owner { parts, .. } = &terms.needed else {
            panic!("{rule}: {terms:?}")
        };
        assert_eq!(*parts, block.needs, "{rule}");
        assert_eq!(
            terms.deadline.as_secs(),
            u64::from(block.deadline),
            "{rule}"
        );
        assert_eq!(
            (&terms.source, &terms.console),
            (&block.source, &block.console)
        );
        assert_eq!(terms.stages[0].reversible, block.reversible, "{rule}");
        assert!(
            !terms.steps.is_empty() && !terms.effect.is_empty(),
            "{rule}"
        );
        // Names are filled in everywhere.
        let texts = terms
            .steps
            .iter()
            .chain([&terms.object, &terms.effect, &terms.stages[0].undo]);
        for text in texts {
            assert!(!text.contains(['{', '}']), "{rule}: {text}");
        }
        assert!(!terms.stages[0].undo.contains('…'), "{rule}: {terms:?}");
    }
    assert!(codes >= 4, "{codes}");
}
