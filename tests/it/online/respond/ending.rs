//! Keys that are planned, ended, proven dead and rechecked.

use std::collections::BTreeSet;

use assert_cmd::Command;
use keysweep::model::{ConfirmedLeak, Secret};
use keysweep::provider::Authority;
use keysweep::scan::Options;

use super::{Scene, Trouble, document};
use crate::support::{fake, found};

#[test]
fn the_plan_says_what_dies_and_what_needs_it_and_does_nothing() {
    let scene = Scene::new("own");
    scene.tree.write(
        ".github/workflows/ci.yml",
        "env:\n  T: ${{ secrets.EXAMPLE_TOKEN }}\n",
    );
    scene.tree.write("copy.txt", format!("x {}\n", scene.leak));
    let run = scene.respond(&[]).ends_with(0);
    for line in [
        "Example token  exk_… (36 bytes)  high",
        "deploy/app.env:2",
        "account acme",
        "the token itself",
        "the leaked key's own",
        "cannot be undone",
        "jobs that use it stop",
        ".github/workflows/ci.yml:2  uses EXAMPLE_TOKEN (CI workflow)",
        "copy.txt:1  holds the value (file)",
        "1 leak to end",
        "nothing was done",
    ] {
        assert!(run.out.contains(line), "{line}\n{}", run.out);
    }
    assert!(!run.out.contains('\u{1b}'), "{}", run.out);
    let json = scene.respond(&["--format", "json"]).ends_with(0);
    let plan = document("plan", &json.out);
    let leak = &plan["leaks"][0];
    assert_eq!(leak["authority"]["whose"], "itself");
    assert_eq!(leak["stages"][0]["reversible"], false);
    assert_eq!(leak["used_by"].as_array().unwrap().len(), 2);
    assert_eq!(scene.deletes(), 0);
    assert!(scene.incidents().is_empty());
    let other = scene.respond(&["--format", "sarif"]).ends_with(2);
    assert!(other.err.contains("text and json"), "{}", other.err);
}

#[test]
fn a_dry_run_shows_the_requests_and_sends_nothing() {
    let scene = Scene::new("admin");
    let run = scene.respond(&["--dry-run"]).ends_with(0);
    let at = scene.server.url();
    for line in [
        &*format!("GET {at}/me  (for api.example.com)"),
        &format!("DELETE {at}/tokens/ID  (for api.example.com)"),
        "Authorization: Bearer …",
    ] {
        assert!(run.out.contains(line), "{line}\n{}", run.out);
    }
    let json = scene
        .respond(&["--dry-run", "--format", "json"])
        .ends_with(0);
    let requests = document("requests", &json.out);
    assert_eq!(
        requests["credentials"][0]["requests"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let run = scene.revoke(&scene.leak, &["--dry-run"]).ends_with(0);
    assert!(
        run.out
            .contains(&format!("GET {at}/me  (for api.example.com)")),
        "{}",
        run.out
    );
    assert!(scene.server.seen().is_empty());
    assert!(scene.incidents().is_empty());
}

#[test]
fn a_key_is_ended_proven_dead_recorded_and_rechecked() {
    let scene = Scene::new("own");
    scene.bank().lag = 1;
    let run = scene.respond(&["--apply", "--yes"]).ends_with(0);
    assert!(
        run.out.contains(
            "closed\n  proven dead: refused after 1 s, and again 1 s later: the token was revoked"
        ),
        "{}",
        run.out
    );
    assert_eq!(scene.deletes(), 1);
    assert_eq!(scene.bank().live, BTreeSet::from([scene.neighbour.clone()]));
    scene.keeps_no_secret();
    let record = scene.record();
    assert_eq!(record["state"], "closed", "{record:#}");
    // Again: there is nothing to end.
    let run = scene.respond(&["--apply", "--yes"]).ends_with(0);
    assert!(run.out.contains("nothing to end"), "{}", run.out);
    assert!(
        run.out.contains("inactive: the token was revoked"),
        "{}",
        run.out
    );
    assert_eq!(scene.incidents().len(), 1);
    let run = scene.run(&["recheck"]).ends_with(0);
    assert!(
        run.out.contains("1 incident rechecked: 1 dead"),
        "{}",
        run.out
    );
    // Somebody makes it work again.
    scene.bank().live.insert(scene.leak.clone());
    let run = scene.run(&["recheck"]).ends_with(1);
    assert!(run.out.contains("WORKS AGAIN"), "{}", run.out);
    assert_eq!(scene.incidents()[0].1, "reopened");
    // An outage proves nothing.
    scene.bank().is_down = true;
    let run = scene.run(&["recheck", "--format", "json"]).ends_with(2);
    let told = document("response", &run.out);
    assert_eq!(told["incidents"][0]["outcome"], "unknown");
    assert_eq!(scene.incidents()[0].1, "reopened");
    scene.bank().is_down = false;
    // It is ended anew.
    let id = scene.incidents()[0].0.clone();
    scene.run(&["respond", "--resume", &id]).ends_with(2);
    assert_eq!(scene.deletes(), 1, "nobody agreed");
    scene
        .run(&["respond", "--resume", &id, "--yes"])
        .ends_with(0);
    assert_eq!(scene.bank().live, BTreeSet::from([scene.neighbour.clone()]));
    scene.run(&["recheck", &id]).ends_with(0);
    scene.keeps_no_secret();
}

#[test]
fn what_the_provider_does_not_do_is_not_proven() {
    let scene = Scene::new("own");
    scene.bank().trouble = vec![Trouble::NoEffect];
    let run = scene.respond(&["--apply", "--yes"]).ends_with(2);
    assert!(
        run.out
            .contains("NOT PROVEN dead: the key still works after 1 s"),
        "{}",
        run.out
    );
    assert_eq!(scene.incidents()[0].1, "not-proven");
    scene.run(&["recheck"]).ends_with(1);
    assert_eq!(scene.incidents()[0].1, "not-proven");
    // Later it is refused.
    let leak = scene.leak.clone();
    scene.bank().live.remove(&leak);
    scene.run(&["recheck"]).ends_with(0);
    assert_eq!(scene.incidents()[0].1, "closed");
}

#[test]
fn what_only_a_person_can_do_is_told_and_closed_when_it_is_done() {
    let scene = Scene::new("console");
    let run = scene.respond(&["--apply", "--yes"]).ends_with(2);
    for text in [
        "Open Settings, Tokens.",
        "https://example.com/settings/tokens",
        "a person ends it",
    ] {
        assert!(run.out.contains(text), "{text}\n{}", run.out);
    }
    scene.run(&["recheck"]).ends_with(1);
    let leak = scene.leak.clone();
    scene.bank().live.remove(&leak);
    scene.run(&["respond", "--resume"]).ends_with(0);
    assert_eq!(scene.incidents()[0].1, "closed");
    scene.run(&["recheck"]).ends_with(0);
}

#[test]
fn what_is_not_active_is_ended_only_where_a_person_names_it() {
    let scene = Scene::new("own");
    scene.bank().is_down = true;
    let run = scene.respond(&[]).ends_with(2);
    let print = run.out.split("--unconfirmed ").nth(1).unwrap();
    let print = print.split_whitespace().next().unwrap().to_owned();
    let run = scene.respond(&["--unconfirmed", &print]).ends_with(2);
    assert!(
        run.out.contains("not proven; named with --unconfirmed"),
        "{}",
        run.out
    );
    scene.bank().is_down = false;
    let other = "0".repeat(32);
    let run = scene.respond(&["--unconfirmed", &other]).ends_with(2);
    assert!(
        run.err.contains("no finding of this fingerprint"),
        "{}",
        run.err
    );
}

#[test]
fn one_key_is_ended_by_revoke() {
    let scene = Scene::new("own");
    let run = scene.revoke(&scene.leak, &["--yes"]).ends_with(0);
    assert!(run.out.contains("proven dead"), "{}", run.out);
    assert_eq!(scene.bank().live, BTreeSet::from([scene.neighbour.clone()]));
    let run = scene.revoke(&scene.leak, &["--yes"]).ends_with(0);
    assert!(run.err.contains("dead already"), "{}", run.err);
    assert_eq!((scene.deletes(), scene.incidents().len()), (1, 1));
    scene.run(&["recheck"]).ends_with(0);
    scene.keeps_no_secret();
}

#[test]
fn a_key_that_is_not_kept_is_given_again() {
    let scene = Scene::new("admin");
    scene
        .respond(&["--apply", "--yes", "--no-recheck"])
        .ends_with(2);
    let admin =
        |command: &mut Command| scene.told(command.env("KEYSWEEP_EXAMPLE_TOKEN", "admin-of-acme"));
    let run =
        admin(&mut scene.command(&["respond", "--resume", "--yes", "--no-recheck"])).ends_with(2);
    assert!(run.out.contains("not kept"), "{}", run.out);
    assert_eq!(scene.deletes(), 0);
    let report = scene.file("report.json");
    let report = report.to_str().unwrap();
    let again = ["respond", report, "--resume", "--yes", "--no-recheck"];
    admin(&mut scene.command(&again)).ends_with(0);
    assert_eq!((scene.deletes(), scene.incidents().len()), (1, 1));
    let run = scene.run(&["recheck"]).ends_with(0);
    assert!(run.out.contains("1 not-kept"), "{}", run.out);
    let id = scene.incidents()[0].0.clone();
    scene.run(&["recheck", &id]).ends_with(2);
}

#[cfg(unix)]
#[test]
fn the_callers_configuration_says_by_whose_authority_and_whether_the_key_is_kept() {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    let scene = Scene::new("admin");
    let config = fs::read_to_string(scene.file("mine.toml")).unwrap();
    let more = "[authority.example]\ntoken = { file = \"admin\" }\n[respond]\nrecheck = false\n[ledger]\npath = \"mine.sqlite\"\n";
    fs::write(scene.file("mine.toml"), config + more).unwrap();
    fs::write(scene.file("admin"), "admin-of-acme\n").unwrap();
    // A file that others can read is none.
    let run = scene.respond(&["--apply", "--yes"]).ends_with(2);
    assert!(run.out.contains("chmod 600"), "{}{}", run.out, run.err);
    assert_eq!(scene.deletes(), 0);
    fs::set_permissions(scene.file("admin"), fs::Permissions::from_mode(0o600)).unwrap();
    let run = scene.respond(&[]).ends_with(0);
    assert!(
        run.out.contains("yours: [authority.example]\n"),
        "{}",
        run.out
    );
    scene.respond(&["--apply", "--yes"]).ends_with(0);
    assert_eq!(scene.bank().live, BTreeSet::from([scene.neighbour.clone()]));
    assert!(scene.file("mine.sqlite").exists());
    let run = scene.run(&["recheck"]).ends_with(0);
    assert!(run.out.contains("1 not-kept"), "{}", run.out);
}

#[test]
fn a_key_that_only_history_holds_is_ended_too() {
    let scene = Scene::new("own");
    let first = scene.tree.commit("add");
    scene.tree.write("deploy/app.env", "EXAMPLE_TOKEN=\n");
    scene.tree.commit("remove");
    let report = scene.file("history.json");
    let report = report.to_str().unwrap();
    scene
        .run(&["git", "--format", "json", "--exit-zero", "--output", report])
        .ends_with(0);
    let run = scene
        .run(&["respond", report, "--apply", "--yes"])
        .ends_with(0);
    assert!(run.out.contains("deploy/app.env:2 ("), "{}", run.out);
    assert_eq!(scene.bank().live, BTreeSet::from([scene.neighbour.clone()]));
    let record = scene.record();
    let told = record.to_string();
    assert!(told.contains(&first), "{record:#}");
    assert!(told.contains("jo@example.org"), "{record:#}");
}

#[test]
fn the_proofs_of_several_keys_take_longer_than_the_run_may_ask() {
    let scene = Scene::new("own");
    scene.rules("deadline = 1", "deadline = 20");
    let other = super::token(3);
    scene.bank().live.insert(other.clone());
    scene.bank().lag = 2;
    scene
        .tree
        .write("other.env", format!("EXAMPLE_TOKEN={other}\n"));
    scene.scan();
    // The first proof alone takes three seconds.
    let run = scene
        .respond(&["--apply", "--yes", "--budget", "2", "--format", "json"])
        .ends_with(0);
    run.hides(&other);
    let told = document("response", &run.out);
    assert_eq!(told["plan"]["leaks"].as_array().unwrap().len(), 2);
    for ended in told["incidents"].as_array().unwrap() {
        assert_eq!(ended["outcome"], "dead", "{ended}");
    }
    assert_eq!(scene.bank().live, BTreeSet::from([scene.neighbour.clone()]));
}

#[test]
fn what_a_panic_would_print_of_a_leak_is_redacted() {
    let (key, part) = (fake::github_pat(3), fake::github_pat(4));
    let mut all = found(
        "a.env",
        format!("TOKEN={key}\n").as_bytes(),
        &Options::default(),
    );
    let mut finding = all.remove(0);
    finding.credential.parts = vec![("session_token".to_owned(), part.clone())];
    let mut authority = Authority::default();
    let token = Secret::new(part.as_bytes(), "");
    authority.parts.insert("token".to_owned(), token);
    let leak = ConfirmedLeak::named(&finding, finding.fingerprint).unwrap();
    let panicked = std::panic::catch_unwind(|| {
        panic!(
            "{finding:?} {leak:?} {authority:?} {:?}",
            finding.credential
        )
    });
    let told = panicked.unwrap_err().downcast::<String>().unwrap();
    assert!(told.contains("session_token"), "{told}");
    for secret in [&key, &part] {
        assert!(!told.contains(&**secret), "{told}");
    }
}
