//! Names of providers and of their parts in the caller's configuration.

use std::fs;

use keysweep::scan::Options;

use crate::support::{Run, engine, found, program};

fn check(text: &str, variables: &[(&str, &str)]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    fs::write(&file, text).unwrap();
    let mut command = program();
    command
        .env("HOME", folder.path())
        .args(["config", "check"])
        .arg(&file);
    for (name, value) in variables {
        command.env(name, value);
    }
    Run::of(&mut command)
}

#[test]
fn what_no_provider_is_called_is_refused_with_what_may_be_meant() {
    for (text, says) in [
        (
            "[authority.postgres]\nurl = { env = \"ADMIN\" }\n",
            "mine.toml:2: [authority.postgres] has no use for `url`; there are `password`, `user`",
        ),
        (
            "[authority.postgresql]\nuser = { env = \"ADMIN\" }\n",
            "mine.toml:1: [authority.postgresql]: no kind is ended by a credential of that name; did you mean [authority.postgres]?",
        ),
        (
            "\n[authority.aws]\naccess_key = { env = \"A\" }\nsecret_access_key = { env = \"B\" }\n",
            "mine.toml:3: [authority.aws] has no use for `access_key`; did you mean `access_key_id`?",
        ),
        (
            "[known.docker]\nuser = \"acme\"\n",
            "mine.toml:1: [known.docker]: nothing is asked that it would help; ",
        ),
        (
            "[known.dockerhub]\nusername = \"acme\"\n",
            "mine.toml:2: [known.dockerhub] has no use for `username`; ",
        ),
    ] {
        let run = check(text, &[]).ends_with(2);
        assert!(run.out.contains(says), "{says}\n{}", run.out);
        assert!(!run.out.contains(": right"), "{}", run.out);
    }
    // Each is said once.
    let run = check("[known.nobody]\na = \"b\"\nc = \"d\"\n", &[]).ends_with(2);
    assert_eq!(run.out.lines().count(), 1, "{}", run.out);
}

#[test]
fn parts_that_are_missing_are_told_with_their_mend() {
    let half = "[authority.redis]\nuser = { env = \"ADMIN\" }\n";
    let run = check(half, &[]).ends_with(0);
    let says = "mine.toml:1: [authority.redis] has no password: write `password = { env = \"…\" }` under [authority.redis], or set KEYSWEEP_REDIS_PASSWORD\n";
    assert!(run.out.contains(says), "{}", run.out);
    assert!(!run.out.contains(": right"), "{}", run.out);
    // The variable is as good.
    let run = check(half, &[("KEYSWEEP_REDIS_PASSWORD", "x")]).ends_with(0);
    assert!(run.out.contains(": right"), "{}", run.out);
    let whole = "[authority.aws]\naccess_key_id = { env = \"A\" }\nsecret_access_key = { env = \"B\" }\nsession_token = { env = \"C\" }\nregion = { env = \"D\" }\n[known.dockerhub]\nuser = \"acme\"\n[known.gitlab]\nhost = \"git.acme.io\"\n";
    let run = check(whole, &[]).ends_with(0);
    assert!(run.out.contains(": right"), "{}", run.out);
}

#[test]
fn kinds_of_a_rule_file_that_the_configuration_names_have_names_too() {
    let folder = tempfile::tempdir().unwrap();
    let rules = super::respond::RULES.replace("REVOKE", "admin");
    fs::write(folder.path().join("example.toml"), rules).unwrap();
    let file = folder.path().join("mine.toml");
    let text =
        "[authority.example]\ntoken = { env = \"A\" }\n[rules]\nfiles = [\"example.toml\"]\n";
    fs::write(&file, text).unwrap();
    let mut command = program();
    command
        .env("HOME", folder.path())
        .args(["config", "check"])
        .arg(&file);
    let run = Run::of(&mut command).ends_with(0);
    assert!(run.out.contains(": right"), "{}", run.out);
}

#[test]
fn a_key_without_its_part_says_what_configuration_gives_it() {
    let folder = tempfile::tempdir().unwrap();
    for (rule, says) in [
        (
            "dockerhub-pat",
            "its user was not found beside it; where you know it: [known.dockerhub] user = \"…\" in your own configuration",
        ),
        (
            "okta-api-token",
            "its host was not found beside it; where you know it: [known.okta] host = \"…\"",
        ),
        (
            "algolia-admin-key",
            "its id was not found beside it; where you know it: [known.algolia] id = \"…\"",
        ),
        (
            "cloudflare-account-api-token",
            "its account was not found beside it; where you know it: [known.cloudflare] account = \"…\"",
        ),
    ] {
        let engine = engine();
        let rules = engine.rules();
        let spec = rules.rule(rules.index_of(rule).unwrap()).unwrap().spec();
        // An example in which it stands alone.
        let bare = spec.examples.iter().find_map(|example| {
            let text = example.replace("{-}", "");
            let mut found = found("x.env", text.as_bytes(), &Options::default()).into_iter();
            let one = found.find(|f| f.rule == rule && f.credential.parts.is_empty());
            one.map(|_| text)
        });
        let bare = bare.unwrap_or_else(|| panic!("{rule}: no example"));
        let mut command = program();
        command
            .env("HOME", folder.path())
            .args(["verify", "--rule", rule])
            .write_stdin(bare);
        let run = Run::of(&mut command).ends_with(2);
        assert!(run.out.contains(says), "{rule}: {}{}", run.out, run.err);
    }
}
