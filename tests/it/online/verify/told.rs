//! What is said of a key that got no answer: why, to the last word, and whether it was sent.

#[cfg(unix)]
use std::io::Write as _;
#[cfg(unix)]
use std::process::{Command, Stdio};
#[cfg(unix)]
use std::time::{Duration, Instant};

#[cfg(unix)]
use serde_json::Value;

use super::beside::{CLOUD, word};
#[cfg(unix)]
use super::{World, token};
#[cfg(unix)]
use crate::support::http::Answer;
use crate::support::{Run, Tree, program};

#[test]
fn a_reason_is_told_with_what_mends_it_however_long_it_is() {
    let host = format!("{}.{}.own.example.org", "a".repeat(40), "b".repeat(40));
    let secret = format!("acmec_{}", word(9));
    let tree = Tree::new().with("cloud.toml", CLOUD).with(
        "a.env",
        format!("ACME_URL=https://{host}\nACME_TOKEN={secret}\n"),
    );
    let rules = tree.path().join("cloud.toml").display().to_string();
    let home = tempfile::tempdir().unwrap();
    let mut command = program();
    command
        .current_dir(tree.path())
        .env("HOME", home.path())
        .args(["scan", "--verify", "--rules", &rules]);
    let run = Run::of(&mut command);
    let told = format!(
        "not asked: `{host}` stands beside it and is not listed; if it is yours, --allow-host it"
    );
    // It may take several lines.
    let words: Vec<&str> = run.out.split_whitespace().collect();
    assert!(words.join(" ").contains(&told), "{}{}", run.out, run.err);
    run.hides(&secret);
}

#[cfg(unix)]
#[test]
fn a_key_that_was_sent_is_not_said_not_to_have_been() {
    let world = World::new(|_| Answer::status(200).after(Duration::from_secs(30)));
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("keysweep"))
        .args(["verify", "--rule", "acme-token", "--format", "json"])
        .args(world.own())
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(token('L', 1).as_bytes()).unwrap();
    drop(input);
    let begun = Instant::now();
    while world.server.seen().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it asks");
        std::thread::sleep(Duration::from_millis(20));
    }
    let id = child.id().to_string();
    let killed = Command::new("kill").args(["-INT", &id]).status();
    assert!(killed.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert!(
        begun.elapsed() < Duration::from_secs(25),
        "it does not wait for the answer"
    );
    assert_eq!(output.status.code(), Some(130));
    let text = String::from_utf8(output.stdout).unwrap();
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(told["verification"]["status"], "unknown", "{text}");
    let reason = told["verification"]["reason"].as_str().unwrap();
    assert!(reason.contains("interrupted before"), "{text}");
    assert!(!text.contains("not asked"), "{text}");
}
