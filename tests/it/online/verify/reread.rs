//! The secrets of a report, read again where they stand.

use std::fs;

use serde_json::json;

use super::{World, pairs, provider, statuses, token};
use crate::support::Tree;
use crate::support::fake::Rng;
use crate::support::http::Answer;
use crate::support::repo::Repo;

#[test]
fn a_redacted_report_is_verified_where_its_secrets_stand() {
    let world = World::new(provider);
    let (live, dead) = (token('L', 1), token('D', 2));
    let tree = Tree::new()
        .with("a.env", format!("A={live}\n"))
        .with("b/c.env", format!("B={dead}\n"));
    for format in ["json", "jsonl", "sarif"] {
        let before = world.server.seen().len();
        let report = world.report(tree.path(), "report", &["scan", "--format", format]);
        assert!(!fs::read_to_string(&report).unwrap().contains(&live));
        let run = world.verify(tree.path(), &report, &[]).ends_with(1);
        assert_eq!(
            statuses(&run),
            pairs(&[("active", ""), ("inactive", "the token was revoked")])
        );
        assert_eq!(world.server.seen().len() - before, 2, "{format}");
        run.hides(&live);
        run.hides(&dead);
        // What was verified is a report again.
        world.files.write("verified", &run.out);
        let again = Tree::new().run(&[
            "report",
            "convert",
            "--format",
            "jsonl",
            &world.file("verified"),
        ]);
        assert_eq!(statuses(&again), statuses(&run));
        assert_eq!(again.summary()["verified"], run.summary()["verified"]);
    }
    // From elsewhere, where the folder lies now is said.
    let report = world.report(tree.path(), "report", &["scan", "--format", "json"]);
    let root = tree.path().display().to_string();
    let elsewhere = Tree::new();
    world
        .verify(elsewhere.path(), &report, &["--root", &root])
        .ends_with(1);
    // Only dead ones: nothing to do.
    tree.write("a.env", "");
    let report = world.report(tree.path(), "report", &["scan", "--format", "json"]);
    world.verify(tree.path(), &report, &[]).ends_with(0);
}

#[test]
fn a_report_with_secrets_needs_no_place() {
    let world = World::new(provider);
    let live = token('L', 1);
    let tree = Tree::new().with("a.env", format!("A={live}\n"));
    let report = world.report(
        tree.path(),
        "report",
        &["scan", "--format", "json", "--show-secrets"],
    );
    let elsewhere = Tree::new();
    let run = world.verify(elsewhere.path(), &report, &[]).ends_with(1);
    run.hides(&live);
    assert_eq!(statuses(&run), pairs(&[("active", "")]));
}

#[test]
fn everything_that_a_history_holds_is_read_again() {
    let world = World::new(provider);
    let keys: Vec<String> = (0..5).map(|n| token('L', 10 + n)).collect();
    let repo = Repo::new();
    repo.write("a.env", format!("A={}\n", keys[0]));
    repo.commit("one");
    repo.write("a.env", "nothing\n");
    repo.write(&format!("dir/{}.txt", keys[1]), "x\n");
    repo.commit(&format!("two {}", keys[2]));
    repo.git(&["tag", "-a", "-m", &format!("three {}", keys[3]), "v1"]);
    repo.git(&["branch", &keys[4]]);
    let check = |report: &std::path::Path| {
        let run = world.verify(&repo.path(), report, &[]).ends_with(1);
        let all = statuses(&run);
        assert_eq!(all.len(), 5, "{}", run.out);
        assert!(
            all.iter().all(|(status, _)| status == "active"),
            "{}",
            run.out
        );
        for key in &keys {
            run.hides(key);
        }
    };
    let report = world.report(
        &repo.path(),
        "loose",
        &["git", "--format", "json", "--no-cache"],
    );
    check(&report);
    repo.repack();
    check(&report);
    assert_eq!(world.server.seen().len(), 10);
}

#[test]
fn encoded_secrets_pairs_and_salts_are_met_again() {
    use base64::Engine as _;
    let world = World::new(|seen| match seen.path() {
        "/pair" => Answer::json(&json!({"ok": true})),
        _ => provider(seen),
    });
    let live = token('L', 1);
    let secret = format!(
        "acmepair-{}",
        Rng::new(7).text("0123456789abcdefghijkmnpqrstuvwxyz", 24)
    );
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("key={live} end"));
    let wide: Vec<u8> = format!("B={}\n", token('L', 2))
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let tree = Tree::new()
        .with(
            "keysweep.toml",
            "fingerprint_salt = \"00112233445566778899aabbccddeeff\"\n",
        )
        .with("a.yml", format!("data: {encoded}\n"))
        .with("wide.txt", [&[0xFF, 0xFE][..], &wide].concat())
        .with(
            "pair.env",
            format!("ID=acmeid-{}\nS={secret}\n", 58_203_946),
        );
    let report = world.report(tree.path(), "report", &["scan", "--format", "json"]);
    let run = world.verify(tree.path(), &report, &[]);
    let all: Vec<_> = statuses(&run)
        .into_iter()
        .map(|(status, _)| status)
        .collect();
    assert_eq!(all, ["active"; 3], "{}", run.out);
    // The half of a pair that is gone is told; nothing is sent.
    tree.write("pair.env", format!("S={secret}\n"));
    let before = world.server.count("GET", "/pair");
    let run = world.verify(tree.path(), &report, &[]);
    let told = statuses(&run);
    assert!(
        told.contains(&(
            "unknown".to_owned(),
            concat!(
                "not asked: its id was not found beside it; where you know it: ",
                "[known.acme] id = \"…\" in your own configuration"
            )
            .to_owned()
        )),
        "{told:?}"
    );
    assert_eq!(world.server.count("GET", "/pair"), before);
}

#[test]
fn what_is_gone_is_told_and_not_asked() {
    let world = World::new(provider);
    let live = token('L', 1);
    let tree = Tree::new().with("a.env", format!("A={live}\n"));
    let report = world.report(tree.path(), "report", &["scan", "--format", "json"]);
    tree.write("a.env", format!("A={}\n", token('L', 2)));
    let run = world.verify(tree.path(), &report, &[]).ends_with(2);
    assert_eq!(
        statuses(&run),
        pairs(&[("unknown", "not asked: no longer at any of its places")])
    );
    assert_eq!(world.server.connections(), 0);
    // A root that is not here, and an address.
    for (root, word) in [
        ("/nowhere/at/all", "--root"),
        ("https://git.example.com/x.git", "clone it"),
    ] {
        let text = fs::read_to_string(&report)
            .unwrap()
            .replace("\"root\":\".\"", &format!("\"root\":\"{root}\""));
        assert!(text.contains(root));
        world.files.write("moved", text);
        let run = world
            .verify(tree.path(), &world.files.path().join("moved"), &[])
            .ends_with(2);
        assert!(run.err.contains(word), "{}", run.err);
    }
}

#[cfg(unix)]
#[test]
fn no_path_of_a_report_leads_out_of_the_root() {
    let world = World::new(provider);
    let live = token('L', 1);
    let outside = Tree::new()
        .with("inner/x", "")
        .with("secret.env", format!("A={live}\n"))
        .with("inner/deep/secret.env", "");
    let inner = outside.path().join("inner");
    std::os::unix::fs::symlink(outside.path(), inner.join("folder")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret.env"), inner.join("link.env")).unwrap();
    let report = world.report(
        outside.path(),
        "report",
        &["scan", "secret.env", "--format", "json"],
    );
    let text = fs::read_to_string(report).unwrap();
    let absolute = outside.path().join("secret.env").display().to_string();
    for path in [
        "../secret.env",
        "deep/../../secret.env",
        &absolute,
        "folder/secret.env",
        "link.env",
        "folder",
        "",
    ] {
        let hostile = text
            .replace("\"path\":\"secret.env\"", &format!("\"path\":\"{path}\""))
            .replace("\"root\":\"secret.env\"", "\"root\":\".\"");
        assert!(path.is_empty() || hostile.contains(path));
        world.files.write("hostile", hostile);
        let run = world.verify(&inner, &world.files.path().join("hostile"), &[]);
        assert_eq!(run.code, 2, "{path}: {}{}", run.out, run.err);
        assert_eq!(
            statuses(&run)[0].1,
            "not asked: no longer at any of its places",
            "{path}"
        );
    }
    assert_eq!(world.server.connections(), 0);
}
