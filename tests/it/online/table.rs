//! `docs/kinds.md` is what the rules say: `KEYSWEEP_WRITE_DOCS=1` writes it anew.

use std::fmt::Write as _;
use std::fs;

use keysweep::model::{Credential, Secret};
use keysweep::provider::{Needed, Registry};
use keysweep::rule::block::Blocks;

use crate::support::repository_file;

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
    out
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
