//! `verify` and `--verify`: whether a credential works, what reports say of it, and that nothing is sent to anybody else.

mod beside;
mod echoed;
mod reread;
mod rivals;
mod told;
#[cfg(unix)]
mod trusted;
mod unloaded;

use std::fs;
use std::path::PathBuf;
use std::process::Command as System;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::fake::Rng;
use crate::support::http::{Answer, Seen, Server};
use crate::support::repo::Repo;
use crate::support::{Run, Tree, fake, program};

/// A provider of the tests: a token that is asked for at `api.acme.example.com`.
const RULE: &str = r#"
provider = "Acme"

[[rule]]
id = "acme-token"
name = "Acme token"
severity = "high"
confidence = "high"
literals = ["acme_"]
pattern = '(?:^|[^0-9A-Za-z])(?<secret>acme_[0-9A-Za-z]{24})(?:[^0-9A-Za-z]|$)'
verify = "user"

[[rule]]
id = "acme-secret"
name = "Acme secret"
severity = "high"
confidence = "high"
literals = ["acmepair-"]
pattern = '(?:^|[^0-9A-Za-z])(?<secret>acmepair-[0-9A-Za-z]{24})(?:[^0-9A-Za-z]|$)'
near = [{ rule = "acme-id", within_lines = 3, as = "id" }]
verify = "pair"

[[rule]]
id = "acme-id"
name = "Acme id"
severity = "low"
confidence = "high"
literals = ["acmeid-"]
pattern = '(?:^|[^0-9A-Za-z])(?<secret>acmeid-[0-9]{8})(?:[^0-9A-Za-z]|$)'

[verify.user]
source = "https://acme.example.com/docs"
[verify.user.request]
url = "https://api.acme.example.com/user"
headers = { Authorization = "Bearer {secret}" }
[[verify.user.answer]]
status = [200]
means = "active"
when = [{ at = "/login", present = true }]
[[verify.user.answer]]
status = [401]
means = "inactive"
reason = "the token was revoked"
when = [{ at = "/message", equals = ["Bad credentials"] }]
[verify.user.whose]
owner = "/login"
account = "/team"
scopes = "header:x-scopes"
levels = { write = ["repo"], read-only = ["read:*"] }

[verify.pair]
source = "https://acme.example.com/docs"
[verify.pair.request]
url = "https://api.acme.example.com/pair"
basic = ["{id}", "{secret}"]
[[verify.pair.answer]]
status = [200]
means = "active"
when = [{ at = "/ok", equals = ["true"] }]
[[verify.pair.answer]]
status = [401]
means = "inactive"
when = [{ at = "/ok", equals = ["false"] }]
"#;

/// What is active has `L` behind its prefix, what is not has `D`, of the rest the provider does not speak.
fn token(sort: char, seed: u64) -> String {
    let rest = Rng::new(seed).text(
        "0123456789abcdefghijkmnpqrstuvwxyzABCEFGHJKMNPQRSTUVWXYZ",
        23,
    );
    format!("acme_{sort}{rest}")
}

fn provider(seen: &Seen) -> Answer {
    let bearer = seen.header("Authorization").unwrap_or_default();
    match bearer
        .strip_prefix("Bearer acme_")
        .and_then(|t| t.chars().next())
    {
        Some('L') => {
            Answer::json(&json!({"login": "jane\u{1b}[2J", "team": format!("team of {bearer}")}))
                .with_header("X-Scopes", "repo, read:org")
        }
        Some('D') => Answer::status(401).with_json(&json!({"message": "Bad credentials"})),
        _ => Answer::status(503),
    }
}

/// The caller's own files, and a provider.
struct World {
    files: Tree,
    server: Server,
}

impl World {
    fn new(script: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let server = Server::start(script);
        let config = format!(
            "[endpoints]\n\"api.acme.example.com\" = \"{}\"\n",
            server.url()
        );
        let files = Tree::new().with("acme.toml", RULE).with("own.toml", config);
        Self { files, server }
    }

    fn file(&self, name: &str) -> String {
        self.files.path().join(name).display().to_string()
    }

    fn own(&self) -> [String; 4] {
        [
            "--rules",
            &self.file("acme.toml"),
            "--config",
            &self.file("own.toml"),
        ]
        .map(str::to_owned)
    }

    fn run_in(&self, folder: &std::path::Path, arguments: &[&str]) -> Run {
        Run::of(
            program()
                .current_dir(folder)
                .args(arguments)
                .args(self.own()),
        )
    }

    /// Runs a command, and keeps its report under this name.
    fn report(&self, folder: &std::path::Path, name: &str, arguments: &[&str]) -> PathBuf {
        let run = self.run_in(folder, arguments);
        assert!(run.code < 2, "{}{}", run.out, run.err);
        self.files.write(name, &run.out);
        self.files.path().join(name)
    }

    /// Verifies a report, in a folder.
    fn verify(&self, folder: &std::path::Path, report: &std::path::Path, more: &[&str]) -> Run {
        let report = report.display().to_string();
        let start = ["verify", &report, "--format", "jsonl"];
        let all: Vec<&str> = start.iter().chain(more).copied().collect();
        self.run_in(folder, &all)
    }
}

fn statuses(run: &Run) -> Vec<(String, String)> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let mut all: Vec<_> = run
        .findings()
        .iter()
        .map(|f| {
            (
                text(&f["verification"]["status"]),
                text(&f["verification"]["reason"]),
            )
        })
        .collect();
    all.sort();
    all
}

fn pairs<'t>(all: &[(&'t str, &'t str)]) -> Vec<(String, String)> {
    all.iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect()
}

#[test]
fn a_scan_verifies_each_secret_once_and_says_whose_it_is() {
    let world = World::new(provider);
    let (live, dead, other) = (token('L', 1), token('D', 2), token('x', 3));
    let tree = Tree::new()
        .with("a.env", format!("A={live}\nB={dead}\nC={other}\n"))
        .with("again/a.env", format!("A={live}\n"))
        .with("p.env", format!("PASSWORD = \"{}\"\n", fake::password(3)));
    let run = world.run_in(tree.path(), &["scan", "--verify", "--format", "jsonl"]);
    for secret in [&live, &dead, &other] {
        run.hides(secret);
        let asked = world
            .server
            .seen()
            .iter()
            .filter(|s| s.holds(secret))
            .count();
        // Where nothing was said it is asked again, within limits.
        assert!(asked == 1 || *secret == other, "{asked}");
    }
    let found = run.findings();
    let of = |status: &str| {
        let mut all = found
            .iter()
            .filter(|f| f["verification"]["status"] == status);
        all.next()
            .map(|f| f["verification"].clone())
            .unwrap_or_default()
    };
    let active = of("active");
    assert_eq!(active["identity"]["owner"], "jane\u{1b}[2J");
    assert_eq!(
        active["identity"]["account"],
        "team of Bearer acme_… (29 bytes)"
    );
    assert_eq!(active["identity"]["scopes"], json!(["repo", "read:org"]));
    assert_eq!(active["identity"]["level"], "write");
    assert!(
        active["checked_at"].as_str().is_some_and(|t| t.len() == 20),
        "{active}"
    );
    assert_eq!(of("inactive")["reason"], "the token was revoked");
    assert_eq!(of("unknown")["cause"], "status");
    let verified = run.summary()["verified"].clone();
    assert_eq!(
        (&verified["active"], &verified["inactive"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(verified["causes"], json!({"status": 1}));
    assert_eq!(verified["unsupported"], 1);
    assert_eq!(run.code, 1);
    let text = world.run_in(tree.path(), &["scan", "--verify"]);
    assert!(
        text.out.contains("(confidence high, active)"),
        "{}",
        text.out
    );
    assert!(
        text.out
            .contains("verified: 1 active, 1 inactive, 1 unknown (1 status)"),
        "{}",
        text.out
    );
    assert!(!text.out.contains('\u{1b}'));
}

#[test]
fn only_what_works_is_shown_and_fails_on_request() {
    let world = World::new(provider);
    let tree = Tree::new().with(
        "a.env",
        format!("A={}\nB={}\n", token('L', 1), token('D', 2)),
    );
    let all = [
        "scan",
        "--verify",
        "--only-active",
        "--fail-on",
        "active",
        "--format",
        "jsonl",
    ];
    let run = world.run_in(tree.path(), &all).ends_with(1);
    assert_eq!(statuses(&run), pairs(&[("active", "")]));
    assert_eq!(run.summary()["verified"]["hidden"], 1);
    let text = ["scan", "--verify", "--only-active"];
    let run = world.run_in(tree.path(), &text).ends_with(1);
    let says = "1 finding (1 high; 1 hidden) in 1 file";
    assert!(run.out.contains(says), "{}", run.out);
    tree.write("a.env", format!("B={}\n", token('D', 2)));
    let run = world.run_in(tree.path(), &all).ends_with(0);
    assert_eq!(run.findings().len(), 0);
    let run = world.run_in(tree.path(), &text).ends_with(0);
    let says = "No active secret found (1 hidden) in 1 file";
    assert!(run.out.contains(says), "{}", run.out);
    // A leak that does not work any more is a leak all the same.
    world
        .run_in(tree.path(), &["scan", "--verify"])
        .ends_with(1);
    world
        .run_in(tree.path(), &["scan", "--verify", "--fail-on", "active"])
        .ends_with(0);
    for wrong in [
        &["scan", "--only-active"][..],
        &["scan", "--fail-on", "active"],
        &["git", "--fail-on", "active"],
    ] {
        let run = world.run_in(tree.path(), wrong).ends_with(2);
        assert!(run.err.contains("--verify"), "{}", run.err);
    }
    // An outage is no clean bill.
    tree.write("a.env", format!("B={}\n", token('x', 3)));
    let run = world.run_in(tree.path(), &all).ends_with(2);
    assert_eq!(run.summary()["verified"]["causes"], json!({"status": 1}));
    let mut lenient = all.to_vec();
    lenient.push("--keep-going");
    world.run_in(tree.path(), &lenient).ends_with(0);
}

#[test]
fn one_credential_is_asked_for_by_its_kind_and_never_stands_in_an_argument() {
    let world = World::new(|seen| match seen.path() {
        "/pair" => Answer::json(&json!({"ok": seen.header("Authorization").is_some()})),
        _ => provider(seen),
    });
    let here = Tree::new();
    let ask = |rule: &str, input: &str, more: &[&str]| {
        let mut command = program();
        command
            .current_dir(here.path())
            .args(["verify", "--rule", rule])
            .args(more)
            .args(world.own());
        Run::of(command.write_stdin(input.to_owned()))
    };
    let (live, dead) = (token('L', 1), token('D', 2));
    let run = ask("acme-token", &live, &[]).ends_with(1);
    assert_eq!(
        run.out,
        "acme-token  acme_… (29 bytes)\n  active, account team of Bearer acme_… (29 bytes), owner jane\\u{1b}[2J, write (repo, read:org)\n"
    );
    ask("acme-token", &format!("  {dead}  \n"), &[]).ends_with(0);
    ask("acme-token", &token('x', 3), &[]).ends_with(2);
    let run = ask(
        "acme-token",
        &format!("export TOKEN={live}\n"),
        &["--format", "json"],
    )
    .ends_with(1);
    let record: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(
        (&record["kind"], &record["verification"]["status"]),
        (&json!("verification"), &json!("active"))
    );
    run.hides(&live);
    // Its further parts, a line each; one that is missing is told.
    let secret = format!(
        "acmepair-{}",
        Rng::new(7).text("0123456789abcdefghijkmnpqrstuvwxyz", 24)
    );
    let run = ask("acme-secret", &secret, &[]).ends_with(2);
    assert!(
        run.out.contains("its id was not found beside it"),
        "{}",
        run.out
    );
    ask("acme-secret", &format!("{secret}\nid=acmeid-7\n"), &[]).ends_with(1);
    let sent = world.server.seen().pop().unwrap();
    assert!(
        sent.header("Authorization")
            .is_some_and(|basic| basic.starts_with("Basic "))
    );
    let before = world.server.seen().len();
    let run = ask(
        "acme-secret",
        &format!("{secret}\nid=acmeid-7\n"),
        &["--dry-run"],
    )
    .ends_with(0);
    assert!(
        run.out.contains(&format!(
            "GET {}/pair  (for api.acme.example.com)\n",
            world.server.url()
        )),
        "{}",
        run.out
    );
    run.hides(&secret);
    for (rule, input, word) in [
        ("acme-tokne", "x", "did you mean `acme-token`?"),
        ("generic-password", "x", "no call is known"),
        ("acme-token", "", "no secret was given"),
        ("acme-token", "a\nb\n", "nothing was sent"),
    ] {
        let run = ask(rule, input, &[]).ends_with(2);
        assert!(run.err.contains(word), "{}", run.err);
    }
    assert_eq!(world.server.seen().len(), before);
}

#[test]
fn a_dry_run_shows_the_requests_and_sends_nothing() {
    let world = World::new(provider);
    let live = token('L', 1);
    let tree = Tree::new()
        .with("a.env", format!("A={live}\n"))
        .with("p.env", format!("PASSWORD = \"{}\"\n", fake::password(3)));
    let report = world.report(tree.path(), "report", &["scan", "--format", "json"]);
    let dry = ["verify", report.to_str().unwrap(), "--dry-run"];
    let run = world.run_in(tree.path(), &dry).ends_with(0);
    let line = format!(
        "GET {}/user  (for api.acme.example.com)",
        world.server.url()
    );
    assert!(
        run.out.starts_with(&format!(
            "acme-token  acme_… (29 bytes)  a.env:1\n  {line}\n  Authorization: Bearer …\n\n"
        )),
        "{}",
        run.out
    );
    assert!(
        run.out
            .ends_with("dry run: nothing was sent; 1 credential would be, 1 unsupported\n"),
        "{}",
        run.out
    );
    run.hides(&live);
    for format in ["json", "jsonl"] {
        let dry = [&dry[..], &["--format", format]].concat();
        let run = world.run_in(tree.path(), &dry).ends_with(0);
        assert_eq!(
            run.out.lines().count() == 1,
            format == "jsonl",
            "{}",
            run.out
        );
        let told: Value = serde_json::from_str(&run.out).unwrap();
        let request = &told["credentials"][0]["requests"][0]["request"];
        assert_eq!(request, &format!("{line}\nAuthorization: Bearer …"));
        run.hides(&live);
    }
    assert_eq!(world.server.connections(), 0);
}

#[test]
fn a_scanned_tree_says_nothing_of_where_secrets_go() {
    let world = World::new(provider);
    let live = token('L', 1);
    let block = RULE
        .replace("api.acme.example.com", "evil.example.com")
        .replace("acme-", "tree-");
    let tree = Tree::new()
        .with("a.env", format!("A={live}\n"))
        .with("block.toml", block)
        .with(
            "keysweep.toml",
            format!(
                "[rules]\nfiles = [\"block.toml\"]\n[endpoints]\n\"api.acme.example.com\" = \"{0}\"\n\"evil.example.com\" = \"{0}\"\n",
                world.server.url()
            ),
        );
    let run = Run::of(
        program()
            .current_dir(tree.path())
            .args(["scan", "--verify", "--format", "jsonl"]),
    );
    assert_eq!(run.rules(), ["tree-token"], "{}", run.err);
    assert_eq!(statuses(&run), pairs(&[("unsupported", "")]));
    assert_eq!(world.server.connections(), 0);
}

#[test]
fn a_scan_that_does_not_verify_opens_no_socket() {
    let world = World::new(provider);
    let repo = Repo::new();
    repo.write("a.env", format!("A={}\n", token('L', 1)));
    repo.commit("one");
    for command in ["scan", "git"] {
        let run = world
            .run_in(&repo.path(), &[command, "--format", "jsonl"])
            .ends_with(1);
        assert!(run.findings()[0].get("verification").is_none());
        let trace = world.files.path().join("trace");
        let traced = System::new("strace")
            .args(["-f", "-qq", "-e", "trace=network", "-o"])
            .arg(&trace)
            .arg(assert_cmd::cargo::cargo_bin!("keysweep"))
            .arg(command)
            .args(world.own())
            .current_dir(repo.path())
            .env_clear()
            .output();
        // The system may ask its own name service through a socket of the machine.
        // Where there is no strace, the server's own count is what is left.
        if traced.is_ok_and(|out| out.status.code() == Some(1)) {
            let calls = fs::read_to_string(&trace).unwrap();
            let calls: Vec<&str> = calls
                .lines()
                .filter(|line| line.contains("AF_INET"))
                .collect();
            assert!(calls.is_empty(), "{calls:?}");
        }
    }
    assert_eq!(world.server.connections(), 0);
}

#[test]
fn a_thousand_findings_of_forty_kinds_take_seconds() {
    let mut rules = "provider = \"Many\"\n".to_owned();
    for kind in 0..40 {
        rules.push_str(&format!(
            "[[rule]]\nid = \"many-{kind}\"\nname = \"Many {kind}\"\nseverity = \"high\"\nconfidence = \"high\"\nliterals = [\"many{kind:02}_\"]\n\
             pattern = '(?:^|[^0-9A-Za-z])(?<secret>many{kind:02}_[0-9A-Za-z]{{24}})(?:[^0-9A-Za-z]|$)'\nverify = \"v{kind}\"\n"
        ));
    }
    let server = Server::start(|seen| {
        let answer = Answer::json(&json!({"login": seen.header("Authorization").map(|_| "jane")}));
        answer.after(Duration::from_millis(200))
    });
    let mut endpoints = "[endpoints]\n".to_owned();
    for kind in 0..40 {
        rules.push_str(&format!(
            "[verify.v{kind}]\nsource = \"https://example.com\"\n[verify.v{kind}.request]\nurl = \"https://api{kind}.many.example.com/user\"\n\
             headers = {{ Authorization = \"Bearer {{secret}}\" }}\n[[verify.v{kind}.answer]]\nstatus = [200]\nmeans = \"active\"\n\
             when = [{{ at = \"/login\", present = true }}]\n[[verify.v{kind}.answer]]\nstatus = [401]\nmeans = \"inactive\"\nwhen = [{{ at = \"/message\", present = true }}]\n"
        ));
        endpoints.push_str(&format!(
            "\"api{kind}.many.example.com\" = \"{}\"\n",
            server.url()
        ));
    }
    let files = Tree::new()
        .with("rules.toml", rules)
        .with("own.toml", endpoints);
    let tree = Tree::new();
    let mut rng = Rng::new(5);
    let mut secrets = Vec::new();
    for kind in 0..40 {
        let mut text = String::new();
        for _ in 0..25 {
            let rest = rng.text(
                "0123456789abcdefghijkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ",
                24,
            );
            secrets.push(format!("many{kind:02}_{rest}"));
            text.push_str(&format!("K={}\n", secrets[secrets.len() - 1]));
        }
        tree.write(&format!("{kind}/a.env"), &text);
        tree.write(&format!("{kind}/b.env"), &text);
    }
    let own = |name: &str| files.path().join(name).display().to_string();
    let (rules, config) = (own("rules.toml"), own("own.toml"));
    let started = Instant::now();
    let run = Run::of(program().current_dir(tree.path()).args([
        "scan",
        "--verify",
        "--format",
        "jsonl",
        "--no-builtin-rules",
        "--rules",
        &rules,
        "--config",
        &config,
    ]));
    let took = started.elapsed();
    assert_eq!(
        run.summary()["verified"]["active"],
        1000,
        "{}{}",
        run.summary(),
        run.err
    );
    let mut asked: Vec<String> = server
        .seen()
        .iter()
        .map(|seen| seen.header("Authorization").unwrap().replace("Bearer ", ""))
        .collect();
    asked.sort();
    secrets.sort();
    assert_eq!(asked, secrets, "each once");
    assert!(took < Duration::from_secs(15), "{took:?}");
}

#[test]
fn no_format_shows_a_secret_or_obeys_a_provider() {
    let world = World::new(provider);
    let live = token('L', 1);
    let tree = Tree::new().with("a.env", format!("A={live}\n"));
    for format in keysweep::report::FORMATS {
        let run = world
            .run_in(tree.path(), &["scan", "--verify", "--format", format])
            .ends_with(1);
        run.hides(&live);
        assert!(!run.out.contains('\u{1b}'), "{format}");
        assert!(run.out.contains("active"), "{format}: {}", run.out);
        assert!(
            run.out.contains("team of Bearer acme_… (29 bytes)"),
            "{format}: {}",
            run.out
        );
    }
}
