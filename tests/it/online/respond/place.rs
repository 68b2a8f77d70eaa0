//! Where a key's provider is asked: a refusal proves something only where the key was found active, and nothing is sent elsewhere.

use std::fs;

use jiff::Timestamp;
use keysweep::ledger::{CheckState, IncidentState, Kek, Ledger, NewIncident, NewStep, StepKind};
use keysweep::model::{Credential, Secret};
use serde_json::{Value, json};

use super::super::playground::npm_host;
use super::{Scene, Trouble, document};
use crate::support::http::{Answer, Server};
use crate::support::{Run, Tree, fake, program};

/// A server that refuses every key, as one does that never knew it.
fn stranger() -> Server {
    Server::start(|_| Answer::status(401).with_json(&json!({ "error": "revoked" })))
}

impl Scene {
    /// The program with another configuration in place of the user's.
    fn by(&self, config: &str, arguments: &[&str]) -> Run {
        fs::write(self.file("other.toml"), config).unwrap();
        let mut command = program();
        command
            .current_dir(self.tree.path())
            .env("HOME", self.home.path())
            .env("KEYSWEEP_EXAMPLE_TOKEN", "admin-of-acme")
            .args(arguments)
            .args(["--rules".as_ref(), self.file("example.toml").as_os_str()])
            .args(["--config".as_ref(), self.file("other.toml").as_os_str()]);
        self.told(&mut command)
    }

    /// The same with the user's own.
    fn by_own(&self, arguments: &[&str]) -> Run {
        self.by(&self.own(), arguments)
    }

    fn own(&self) -> String {
        fs::read_to_string(self.file("mine.toml")).unwrap()
    }
}

fn endpoints(all: &[(&str, &Server)]) -> String {
    let mut text = "[endpoints]\n".to_owned();
    for (host, server) in all {
        text.push_str(&format!("\"{host}\" = \"{}\"\n", server.url()));
    }
    text
}

#[test]
fn a_key_is_proven_dead_where_it_was_found_active_and_nowhere_else() {
    let scene = Scene::new("own");
    scene.bank().trouble = vec![Trouble::NoEffect];
    scene.respond(&["--apply", "--yes"]).ends_with(2);
    let id = scene.incidents()[0].0.clone();
    assert_eq!(scene.incidents()[0].1, "not-proven");
    let seen = scene.server.seen().len();
    let elsewhere = stranger();
    let other = endpoints(&[("api.example.com", &elsewhere)]);
    let asks = [other.as_str(), ""];
    for config in asks {
        for arguments in [
            &["recheck"][..],
            &["recheck", &id],
            &["respond", "--resume"],
            &["respond", "--resume", &id, "--send-again", "--yes"],
        ] {
            let run = scene.by(config, arguments).ends_with(2);
            let then = format!(
                "found active at {} (for api.example.com)",
                scene.server.url()
            );
            let now = if config.is_empty() {
                "now https://api.example.com would be asked".to_owned()
            } else {
                format!("now {} (for api.example.com) would", elsewhere.url())
            };
            let again = format!(
                "as then: keysweep {} {id} --rules {} --config {}\n",
                if arguments[0] == "recheck" {
                    "recheck"
                } else {
                    "respond --resume"
                },
                scene.file("example.toml").display(),
                scene.file("mine.toml").display()
            );
            // The record, too, is named with what was given then.
            let show = format!(
                "record: keysweep incidents show {id} --config {}\n",
                scene.file("mine.toml").display()
            );
            for part in [&then, &now, &again, &show, "give the configuration of then"] {
                assert!(run.out.contains(part), "{arguments:?}: {part}\n{}", run.out);
            }
            assert_eq!(scene.incidents()[0].1, "not-proven", "{arguments:?}");
        }
    }
    let run = scene
        .by(&other, &["recheck", "--format", "json"])
        .ends_with(2);
    let told = document("response", &run.out);
    assert_eq!(told["incidents"][0]["outcome"], "unknown");
    assert!(elsewhere.seen().is_empty(), "nothing is sent there");
    assert_eq!(scene.server.seen().len(), seen);
    // One that is given anew is asked for there, but that proves nothing of what was begun here.
    let mut revoke = program();
    revoke
        .env("HOME", scene.home.path())
        .args(["revoke", "--rule", "example-token", "--yes"])
        .args(["--rules".as_ref(), scene.file("example.toml").as_os_str()])
        .args(["--config".as_ref(), scene.file("other.toml").as_os_str()])
        .write_stdin(scene.leak.clone());
    let run = scene.told(&mut revoke).ends_with(2);
    assert!(
        run.out.contains("give the configuration of then"),
        "{}",
        run.out
    );
    assert_eq!(scene.incidents()[0].1, "not-proven");

    // The record says where, and each use of the key that was not made.
    let record = scene.record();
    let asked = json!([{ "named": "https://api.example.com", "at": scene.server.url() }]);
    assert_eq!(record["leak"]["asked"], asked, "{record:#}");
    let checks = record["checks"].as_array().unwrap();
    let unknown = checks.iter().filter(|c| c["state"] == "unknown").count();
    assert_eq!(unknown, 10, "{record:#}");
    let request = record["steps"][1]["plan"]["request"].as_str().unwrap();
    let line = format!(
        "DELETE {}/tokens/current  (for api.example.com)\n",
        scene.server.url()
    );
    assert!(request.starts_with(&line), "{request}");

    // With the configuration of then it goes on.
    scene.run(&["recheck"]).ends_with(1);
    let leak = scene.leak.clone();
    scene.bank().live.remove(&leak);
    scene.run(&["recheck"]).ends_with(0);
    assert_eq!(scene.incidents()[0].1, "closed");
    // A closed one is not seen to stay dead elsewhere.
    let run = scene.by(&other, &["recheck"]).ends_with(2);
    assert!(
        run.out.contains("1 incident rechecked: 1 unknown"),
        "{}",
        run.out
    );
    assert_eq!(scene.incidents()[0].1, "closed");
}

#[test]
fn the_look_up_and_the_call_that_ends_a_key_go_where_they_went_too() {
    for (from, host) in [
        ("api.example.com/tokens\"", "lists.example.com"),
        ("api.example.com/tokens/{found}", "ends.example.com"),
    ] {
        let scene = Scene::new("admin");
        scene.rules(from, &from.replace("api.example.com", host));
        let own = endpoints(&[("api.example.com", &scene.server), (host, &scene.server)]);
        fs::write(scene.file("mine.toml"), &own).unwrap();
        // It is begun, and stops for what is missing.
        scene.respond(&["--apply", "--yes"]).ends_with(2);
        let elsewhere = stranger();
        let other = endpoints(&[("api.example.com", &scene.server), (host, &elsewhere)]);
        let without = endpoints(&[("api.example.com", &scene.server)]);
        for config in [&other, &without] {
            let run = scene
                .by(config, &["respond", "--resume", "--yes"])
                .ends_with(2);
            let told = format!(
                "{host}: when the incident was begun, requests to it went to {}, and now",
                scene.server.url()
            );
            assert!(run.out.contains(&told), "{told}\n{}", run.out);
        }
        assert!(
            elsewhere.seen().is_empty(),
            "{host}: the caller's own key stays here"
        );
        assert_eq!((scene.deletes(), scene.bank().live.len()), (0, 2), "{host}");
        scene.by_own(&["respond", "--resume", "--yes"]).ends_with(0);
        assert_eq!(scene.incidents()[0].1, "closed", "{host}");
        assert!(scene.bank().live.contains(&scene.neighbour), "{host}");
    }
}

#[test]
fn the_host_that_the_caller_knew_is_the_one_that_is_asked() {
    let scene = Scene::new("own");
    scene.rules(
        "[verify.me]\n",
        "[verify.me]\nself_hosted = \"api.example.com\"\n",
    );
    scene.rules(
        "[revoke.own]\n",
        "[revoke.own]\nself_hosted = \"api.example.com\"\n",
    );
    scene.rules("https://api.example.com/me", "https://{host}/me");
    scene.rules(
        "request = { method = \"DELETE\", url = \"https://api.example.com/tokens/current\", headers = { Authorization = \"Bearer {secret}\" } }\nanswer = [{ status = [204], means = \"done\" }]\n\n[revoke.repeatable]",
        "request = { method = \"DELETE\", url = \"https://{host}/tokens/current\", headers = { Authorization = \"Bearer {secret}\" } }\nanswer = [{ status = [204], means = \"done\" }]\n\n[revoke.repeatable]",
    );
    let elsewhere = stranger();
    let hosts = endpoints(&[
        ("own.example.org", &scene.server),
        ("other.example.org", &elsewhere),
        ("api.example.com", &elsewhere),
    ]);
    let own = format!("[known.example]\nhost = \"own.example.org\"\n{hosts}");
    fs::write(scene.file("mine.toml"), &own).unwrap();
    scene.bank().trouble = vec![Trouble::NoEffect];
    scene.respond(&["--apply", "--yes"]).ends_with(2);
    assert_eq!(scene.incidents()[0].1, "not-proven");
    let other = own.replace("host = \"own", "host = \"other");
    // It was active there, so that it is a key of that host now, whatever is told since.
    for config in [&other, &hosts] {
        let run = scene.by(config, &["recheck"]).ends_with(1);
        assert!(run.out.contains("the key WORKS"), "{}", run.out);
        let resume = ["respond", "--resume", "--yes"];
        let run = scene.by(config, &resume).ends_with(2);
        assert!(run.out.contains("NOT PROVEN dead"), "{}", run.out);
    }
    assert!(elsewhere.seen().is_empty());
    scene
        .run(&["respond", "--resume", "--send-again", "--yes"])
        .ends_with(0);
    assert_eq!(scene.incidents()[0].1, "closed");
    assert!(elsewhere.seen().is_empty());
}

/// The commands that a text names, each behind its words.
fn commands(text: &str) -> Vec<(&str, &str)> {
    let lines = text.lines().filter_map(|line| line.split_once("keysweep "));
    let lines = lines.map(|(before, command)| (before.trim().trim_end_matches(':'), command));
    lines.collect()
}

#[test]
fn the_commands_that_are_named_ask_as_then_and_run_as_they_stand() {
    let scene = Scene::new("own");
    let folder = scene.file("own files");
    fs::create_dir(&folder).unwrap();
    fs::copy(scene.file("mine.toml"), folder.join("it's mine.toml")).unwrap();
    fs::copy(scene.file("example.toml"), folder.join("rules.toml")).unwrap();
    let exe = assert_cmd::cargo::cargo_bin!("keysweep");
    // In a shell, from another folder, with no other word than those that were named.
    let shell = |line: &str, folder: &std::path::Path| {
        let mut command = assert_cmd::Command::new("/bin/sh");
        command
            .args(["-c", &line.replacen("keysweep", "\"$0\"", 1)])
            .arg(exe)
            .current_dir(folder)
            .env_clear()
            .env("HOME", scene.home.path());
        scene.told(&mut command)
    };
    scene.bank().trouble = vec![Trouble::NoEffect];
    let report = scene.file("report.json");
    let begin = format!(
        "keysweep respond '{}' --root '{}' --apply --yes --config \"it's mine.toml\" --rules rules.toml --ledger kept.sqlite",
        report.display(),
        scene.tree.path().display()
    );
    let run = shell(&begin, &folder).ends_with(2);
    let named = commands(&run.out);
    let words: Vec<&str> = named.iter().map(|(words, _)| *words).collect();
    assert_eq!(
        words,
        ["prove it again", "send it again", "record"],
        "{}",
        run.out
    );
    let away = tempfile::tempdir().unwrap();
    let record = shell(&format!("keysweep {}", named[2].1), away.path()).ends_with(0);
    let told = "Or send the call that ends it again, where the key still works.";
    let again = record.out.split(told).nth(1).unwrap();
    let again = commands(again)[0].1;
    assert_eq!(again, named[1].1, "record and run name the same");
    let left = record.out.split("What is left to do").nth(1).unwrap();
    let recheck = commands(left)[0].1;
    assert!(recheck.starts_with("recheck KS-"), "{recheck}");
    shell(&format!("keysweep {recheck}"), away.path()).ends_with(1);
    shell(
        &format!("keysweep {} --deadline 1", named[0].1),
        away.path(),
    )
    .ends_with(2);
    assert_eq!(scene.deletes(), 1);
    shell(&format!("keysweep {again} --yes"), away.path()).ends_with(0);
    assert_eq!(scene.deletes(), 2);
    shell(&format!("keysweep {recheck}"), away.path()).ends_with(0);
    let verify = commands(&record.out).pop().unwrap().1;
    assert!(verify.starts_with("incidents verify --head"), "{verify}");
    shell(&format!("keysweep {verify}"), away.path()).ends_with(0);
    // Nothing of it is in the ledger of the data folder.
    assert!(!scene.file(".local").exists());
}

#[test]
fn an_incident_that_does_not_say_where_is_asked_for_at_the_provider_alone() {
    let scene = Scene::new("own");
    // As older ones were written: closed, its key kept.
    let data = scene.file(".local/share/keysweep");
    let kek = Kek::from_file(&data.join("ledger.key"), true).unwrap();
    let at = Timestamp::from_second(1_769_850_000).unwrap();
    let ledger = Ledger::open(&data.join("ledger.sqlite"), &kek, at).unwrap();
    let leak = NewIncident {
        rule: "example-token".to_owned(),
        name: "Example token".to_owned(),
        secret: "exk_… (36 bytes)".to_owned(),
        verification: "active".to_owned(),
        ..NewIncident::default()
    };
    let old = ledger.begin(&leak, at).unwrap().incident;
    ledger.claim(old, "then", at).unwrap();
    let credential = Credential::new(Secret::new(scene.leak.as_bytes(), "exk_"), Vec::new());
    ledger.seal(old, &credential, at).unwrap();
    let step = NewStep::of(StepKind::Revoke, "revoke the token itself");
    ledger.plan(old, &[step], at).unwrap();
    ledger.check(old, CheckState::Refused, "401", at).unwrap();
    let state = IncidentState::Closed;
    ledger.set_state(old, state, "refused", at).unwrap();
    ledger.release(old, at).unwrap();
    drop(ledger);
    let run = scene.run(&["recheck"]).ends_with(2);
    let told = format!(
        "it is not on record where it was found active, and now {} (for api.example.com) would be asked",
        scene.server.url()
    );
    assert!(run.out.contains(&told), "{}", run.out);
    assert!(scene.server.seen().is_empty());
    assert_eq!(scene.incidents()[0].1, "closed");
    // Where it is found active again there is an incident that says so.
    scene.respond(&["--apply", "--yes"]).ends_with(0);
    let new = scene.incidents()[1].0.clone();
    scene.run(&["recheck", &new]).ends_with(0);
    let mut show = program();
    show.env("HOME", scene.home.path())
        .args(["incidents", "show", &new, "--format", "json"]);
    let record: Value = serde_json::from_str(&Run::of(&mut show).ends_with(0).out).unwrap();
    assert_eq!(record["leak"]["asked"][0]["at"], scene.server.url());
}

#[test]
fn a_server_of_ones_own_has_a_plan_without_the_providers_console() {
    let key = fake::npm_token(5);
    let server = Server::start(|seen| match seen.path() {
        "/-/whoami" => Answer::json(&json!({ "username": "jo" })),
        _ => Answer::status(404),
    });
    for (host, has_console) in [(&*npm_host(), true), ("npm.own.example.org", false)] {
        let line = format!("//{host}/:_authToken={key}\n");
        let tree = Tree::new().with(".npmrc", line);
        let home = tempfile::tempdir().unwrap();
        let config = home.path().join("mine.toml");
        let known = format!("[known.npm]\nhost = \"{host}\"\n");
        fs::write(&config, known + &endpoints(&[(host, &server)])).unwrap();
        let run = |arguments: &[&str]| {
            let mut command = program();
            command
                .current_dir(tree.path())
                .env("HOME", home.path())
                .args(arguments)
                .args(["--config".as_ref(), config.as_os_str()]);
            let run = Run::of(&mut command);
            run.hides(&key);
            run
        };
        let report = home.path().join("report.json");
        let report = report.to_str().unwrap();
        run(&[
            "scan",
            "--exit-zero",
            "--format",
            "json",
            "--output",
            report,
        ])
        .ends_with(0);
        let plan = run(&["respond", report]).ends_with(0).out;
        assert!(plan.contains("1 leak to end"), "{plan}");
        assert_eq!(plan.contains("npmjs.com/settings"), has_console, "{plan}");
        assert!(plan.contains("its id is looked up first"), "{plan}");
        let request = format!(
            "DELETE {}/-/npm/v1/tokens/token/ID  (for {host})",
            server.url()
        );
        assert!(plan.contains(&request), "{request}\n{plan}");
    }
}
