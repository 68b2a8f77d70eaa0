//! `respond`, `revoke` and `recheck` against a provider on loopback that keeps tokens, ends them, and fails in every way.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use assert_cmd::Command;
use serde_json::{Value, json};

use crate::support::http::{Answer, Seen, Server};
use crate::support::{Run, Tree, program};

/// A token of the provider that these tests make up.
fn token(seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let body: String = (0..32)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            char::from(b"0123456789abcdefghijklmnopqrstuvwxyz"[(state % 36) as usize])
        })
        .collect();
    format!("{}{body}", concat!("ex", "k_"))
}

/// What goes wrong with the next call that ends a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// It works, and the connection is cut before the answer.
    AnswerLost,
    /// The connection is cut before it works.
    CallLost,
    /// It is answered as if it had worked.
    NoEffect,
    /// It works late.
    Slow,
}

/// What the provider knows.
#[derive(Debug, Default)]
struct Bank {
    /// Tokens that work.
    live: BTreeSet<String>,
    trouble: Vec<Trouble>,
    /// Calls that ended a token.
    effective: usize,
    /// How often an ended token still works.
    lag: usize,
    /// Whether it answers 503 to everything.
    is_down: bool,
}

fn answer(bank: &Mutex<Bank>, seen: &Seen) -> Answer {
    let mut bank = bank.lock().unwrap();
    if bank.is_down {
        return Answer::status(503);
    }
    let bearer = seen.header("Authorization").unwrap_or_default();
    let bearer = bearer.trim_start_matches("Bearer ").to_owned();
    match (seen.method.as_str(), seen.path()) {
        ("GET", "/me") => {
            if bank.live.contains(&bearer) {
                return Answer::json(
                    &json!({ "account": "acme\u{1b}[31m", "scopes": "read,write" }),
                );
            }
            if bank.lag > 0 {
                bank.lag -= 1;
                return Answer::json(&json!({ "account": "acme" }));
            }
            Answer::status(401).with_json(&json!({ "error": "revoked" }))
        }
        // Its own token's, by the token; another's, by an administrator and the token's end.
        ("DELETE", path) => {
            let trouble = bank.trouble.pop();
            if trouble == Some(Trouble::CallLost) {
                return Answer::cut();
            }
            let own = path == "/tokens/current";
            if !own && bearer != "admin-of-acme" {
                return Answer::status(403).with_json(&json!({ "error": "forbidden" }));
            }
            let end = path.rsplit('/').next().unwrap_or_default();
            let dead = bank
                .live
                .iter()
                .find(|t| **t == bearer || t.ends_with(end))
                .cloned();
            let Some(dead) = dead else {
                return Answer::status(404).with_json(&json!({ "error": "no token" }));
            };
            if trouble != Some(Trouble::NoEffect) {
                bank.live.remove(&dead);
                bank.effective += 1;
            }
            match trouble {
                Some(Trouble::AnswerLost) => Answer::cut(),
                Some(Trouble::Slow) => Answer::status(204).after(Duration::from_secs(3)),
                _ => Answer::status(204),
            }
        }
        ("GET", "/tokens") if bearer == "admin-of-acme" => {
            let rows: Vec<Value> = bank
                .live
                .iter()
                .map(|t| json!({ "id": &t[t.len() - 8..], "shown": format!("…{}", &t[t.len() - 8..]) }))
                .collect();
            Answer::json(&json!({ "tokens": rows }))
        }
        ("GET", "/tokens") => Answer::status(403),
        _ => Answer::status(404),
    }
}

const RULES: &str = r#"
provider = "Example"
homepage = "https://example.com/docs"

[[rule]]
id = "example-token"
name = "Example token"
severity = "high"
confidence = "high"
literals = ["exk_"]
pattern = '''(?:^|[^0-9a-z_])(?<secret>exk_[0-9a-z]{32})(?:[^0-9a-z]|$)'''
remedy = "Revoke the token."
verify = "me"
revoke = "REVOKE"

[verify.me]
source = "https://example.com/docs/me"
request = { url = "https://api.example.com/me", headers = { Authorization = "Bearer {secret}" } }
whose = { account = "/account", scopes = "/scopes" }
answer = [
  { status = [200], when = [{ at = "/account", present = true }], means = "active" },
  { status = [401], when = [{ at = "/error", equals = ["revoked"] }], means = "inactive", reason = "the token was revoked" },
]

[revoke.own]
source = "https://example.com/docs/end"
authority = "self"
object = "the token itself"
effect = "jobs that use it stop"
repeatable = false
deadline = 3
request = { method = "DELETE", url = "https://api.example.com/tokens/current", headers = { Authorization = "Bearer {secret}" } }
answer = [{ status = [204], means = "done" }]

[revoke.repeatable]
source = "https://example.com/docs/end"
authority = "self"
object = "the token itself"
deadline = 3
request = { method = "DELETE", url = "https://api.example.com/tokens/current", headers = { Authorization = "Bearer {secret}" } }
answer = [{ status = [204], means = "done" }, { status = [404], means = "gone" }]

[revoke.admin]
source = "https://example.com/docs/end"
authority = "owner"
needs = ["token"]
object = "the token {found}"
deadline = 3
request = { method = "DELETE", url = "https://api.example.com/tokens/{found}", headers = { Authorization = "Bearer {authority.token}" } }
answer = [{ status = [204], means = "done" }]

[revoke.admin.find]
request = { url = "https://api.example.com/tokens", headers = { Authorization = "Bearer {authority.token}" } }
list = "/tokens"
row = [{ at = "/shown", masked = "{secret}" }]
id = "/id"

[revoke.console]
source = "https://example.com/docs/end"
authority = "person"
object = "the token"
steps = ["Open Settings, Tokens.", "Delete the token."]
console = "https://example.com/settings/tokens"
"#;

/// A provider, a tree with a leak, and a user.
struct Scene {
    tree: Tree,
    home: tempfile::TempDir,
    bank: Arc<Mutex<Bank>>,
    server: Server,
    leak: String,
    neighbour: String,
}

impl Scene {
    /// With keys that end as this block of the rules says.
    fn new(block: &str) -> Self {
        let (leak, neighbour) = (token(1), token(2));
        let bank = Arc::new(Mutex::new(Bank {
            live: BTreeSet::from([leak.clone(), neighbour.clone()]),
            ..Bank::default()
        }));
        let shared = Arc::clone(&bank);
        let server = Server::start(move |seen| answer(&shared, seen));
        let tree = Tree::new().with(
            "deploy/app.env",
            format!("# settings\nEXAMPLE_TOKEN={leak}\n"),
        );
        let home = tempfile::tempdir().unwrap();
        let scene = Self {
            tree,
            home,
            bank,
            server,
            leak,
            neighbour,
        };
        fs::write(scene.file("example.toml"), RULES.replace("REVOKE", block)).unwrap();
        let config = format!(
            "[endpoints]\n\"api.example.com\" = \"{}\"\n",
            scene.server.url()
        );
        fs::write(scene.file("mine.toml"), config).unwrap();
        let report = scene
            .command(&["scan", "--format", "json", "--exit-zero"])
            .args(["--output".as_ref(), scene.file("report.json").as_os_str()])
            .output()
            .unwrap();
        assert!(report.status.success(), "{report:?}");
        scene
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn bank(&self) -> std::sync::MutexGuard<'_, Bank> {
        self.bank.lock().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command
            .current_dir(self.tree.path())
            .env("HOME", self.home.path())
            .args(arguments)
            .args(["--rules".as_ref(), self.file("example.toml").as_os_str()])
            .args(["--config".as_ref(), self.file("mine.toml").as_os_str()]);
        command
    }

    /// Runs the program; whatever it prints shows no token.
    fn run(&self, arguments: &[&str]) -> Run {
        self.told(&mut self.command(arguments))
    }

    fn told(&self, command: &mut Command) -> Run {
        let run = Run::of(command);
        for secret in [&*self.leak, &*self.neighbour, "admin-of-acme"] {
            run.hides(secret);
        }
        run
    }

    fn respond(&self, arguments: &[&str]) -> Run {
        let report = self.file("report.json");
        let report = report.to_str().unwrap();
        self.run(&[&["respond", report], arguments].concat())
    }

    fn deletes(&self) -> usize {
        let seen = self.server.seen();
        seen.iter().filter(|seen| seen.method == "DELETE").count()
    }

    /// Incidents with their states.
    fn incidents(&self) -> Vec<(String, String)> {
        let mut command = program();
        command
            .env("HOME", self.home.path())
            .args(["incidents", "list", "--format", "json"]);
        let run = Run::of(&mut command).ends_with(0);
        let rows: Value = serde_json::from_str(&run.out).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| (text(&row["id"]), text(&row["state"])))
            .collect()
    }

    /// The steps of the only incident as its record has them.
    fn record(&self) -> Value {
        let id = &self.incidents()[0].0;
        let mut command = program();
        command
            .env("HOME", self.home.path())
            .args(["incidents", "show", id, "--format", "json"]);
        let run = Run::of(&mut command).ends_with(0);
        run.hides(&self.leak);
        serde_json::from_str(&run.out).unwrap()
    }

    /// Fails if a token stands in clear in any file of the user's, but for the tree.
    fn keeps_no_secret(&self) {
        let mut folders = vec![self.home.path().to_owned()];
        let mut files = 0;
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                files += 1;
                let bytes = fs::read(&path).unwrap();
                let leak = self.leak.as_bytes();
                let holds = bytes.windows(leak.len()).any(|window| window == leak);
                assert!(!holds, "{}", path.display());
            }
        }
        assert!(files >= 4, "the ledger is among them");
    }
}

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
    let plan: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(plan["kind"], "plan");
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
    for line in [
        "GET https://api.example.com/me",
        "DELETE https://api.example.com/tokens/ID",
        "Authorization: Bearer …",
    ] {
        assert!(run.out.contains(line), "{line}\n{}", run.out);
    }
    let mut command = scene.command(&["revoke", "--rule", "example-token", "--dry-run"]);
    let run = scene
        .told(command.write_stdin(scene.leak.clone()))
        .ends_with(0);
    assert!(
        run.out.contains("GET https://api.example.com/me"),
        "{}",
        run.out
    );
    assert!(scene.server.seen().is_empty());
    assert!(scene.incidents().is_empty());
}

#[test]
fn without_a_terminal_nothing_is_done_unless_it_was_agreed_to() {
    let scene = Scene::new("own");
    let run = scene.respond(&["--apply"]).ends_with(2);
    assert!(run.err.contains("--yes"), "{}", run.err);
    let mut command = scene.command(&["revoke", "--rule", "example-token"]);
    let run = scene
        .told(command.write_stdin(scene.leak.clone()))
        .ends_with(2);
    assert!(run.err.contains("--yes"), "{}", run.err);
    assert!(scene.server.seen().is_empty());
    assert!(scene.incidents().is_empty());
}

#[test]
fn a_key_is_ended_proven_dead_recorded_and_rechecked() {
    let scene = Scene::new("own");
    scene.bank().lag = 1;
    let run = scene.respond(&["--apply", "--yes"]).ends_with(0);
    assert!(
        run.out
            .contains("closed\n  proven dead: refused after 1 s: the token was revoked"),
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
    let told: Value = serde_json::from_str(&run.out).unwrap();
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
            .contains("NOT PROVEN dead: the key still works after 3 s"),
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
fn an_outage_is_told_and_gone_on_with() {
    let scene = Scene::new("own");
    scene.bank().is_down = true;
    let run = scene.respond(&["--apply", "--yes"]).ends_with(2);
    assert!(run.out.contains("unknown: answered 503"), "{}", run.out);
    assert!(scene.incidents().is_empty());
    scene.bank().is_down = false;
    // The answer is lost, and the key proves dead.
    scene.bank().trouble = vec![Trouble::AnswerLost];
    scene.respond(&["--apply", "--yes"]).ends_with(0);
    assert_eq!((scene.deletes(), scene.bank().effective), (1, 1));

    // The call is lost: what must not be sent twice is sent again by a person's word alone.
    let scene = Scene::new("own");
    scene.bank().trouble = vec![Trouble::CallLost];
    let run = scene.respond(&["--apply", "--yes"]).ends_with(2);
    assert!(run.out.contains("NOT PROVEN"), "{}", run.out);
    let run = scene.run(&["respond", "--resume", "--yes"]).ends_with(2);
    assert!(run.out.contains("--send-again"), "{}", run.out);
    assert_eq!(scene.deletes(), 1);
    scene
        .run(&["respond", "--resume", "--yes", "--send-again"])
        .ends_with(0);
    assert_eq!((scene.deletes(), scene.bank().effective), (2, 1));
    assert_eq!(scene.incidents()[0].1, "closed");
    let run = scene.run(&["respond", "--resume"]).ends_with(0);
    assert!(
        run.out.contains("all incidents are at their end"),
        "{}",
        run.out
    );
}

#[test]
fn authority_that_is_missing_or_wrong_is_told_and_mended() {
    let scene = Scene::new("admin");
    let run = scene.respond(&["--apply", "--yes"]).ends_with(2);
    assert!(run.out.contains("KEYSWEEP_EXAMPLE_TOKEN"), "{}", run.out);
    assert_eq!(scene.incidents()[0].1, "open");
    let with = |value: &str, arguments: &[&str]| {
        scene.told(
            scene
                .command(arguments)
                .env("KEYSWEEP_EXAMPLE_TOKEN", value),
        )
    };
    let run = with("somebody-else", &["respond", "--resume", "--yes"]).ends_with(2);
    assert!(run.out.contains("answered 403"), "{}", run.out);
    run.hides("somebody-else");
    assert_eq!(scene.deletes(), 0);
    with("admin-of-acme", &["respond", "--resume", "--yes"]).ends_with(0);
    assert_eq!(scene.bank().live, BTreeSet::from([scene.neighbour.clone()]));
    assert_eq!(scene.incidents().len(), 1);
    let record = scene.record().to_string();
    assert!(
        record.contains(&scene.leak[scene.leak.len() - 8..]),
        "the id of what died: {record}"
    );
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
    let mut command = scene.command(&["revoke", "--rule", "example-token", "--yes"]);
    let run = scene
        .told(command.write_stdin(format!("{}\n", scene.leak)))
        .ends_with(0);
    assert!(run.out.contains("proven dead"), "{}", run.out);
    assert_eq!(scene.bank().live, BTreeSet::from([scene.neighbour.clone()]));
    let mut command = scene.command(&["revoke", "--rule", "example-token", "--yes"]);
    let run = scene
        .told(command.write_stdin(scene.leak.clone()))
        .ends_with(0);
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

#[test]
fn two_runs_do_not_work_on_one_incident() {
    let scene = Scene::new("own");
    scene.bank().trouble = vec![Trouble::Slow];
    std::thread::scope(|threads| {
        let first = threads.spawn(|| scene.respond(&["--apply", "--yes"]));
        while scene.deletes() == 0 {
            std::thread::sleep(Duration::from_millis(20));
        }
        // The token is dead, but the first run does not know it yet.
        let second = scene.run(&["respond", "--resume", "--yes"]).ends_with(2);
        assert!(second.err.contains("another"), "{}", second.err);
        first.join().unwrap().ends_with(0);
    });
    assert_eq!((scene.deletes(), scene.incidents().len()), (1, 1));
}

#[test]
fn a_ledger_that_cannot_be_written_stops_it_before_anything_is_done() {
    let scene = Scene::new("own");
    let text = scene.file("ledger.txt");
    fs::write(&text, "my notes").unwrap();
    let path = text.to_str().unwrap();
    scene
        .respond(&["--apply", "--yes", "--ledger", path])
        .ends_with(2);
    assert_eq!(fs::read(&text).unwrap(), b"my notes");
    assert_eq!(scene.deletes(), 0);
}

#[test]
fn the_callers_configuration_says_by_whose_authority_and_whether_the_key_is_kept() {
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
    let repository = scene.tree.repository();
    let commit = |message: &str, parents: &[&git2::Commit<'_>]| {
        let mut index = repository.index().unwrap();
        index
            .add_all(["*"], git2::IndexAddOption::DEFAULT, None)
            .unwrap();
        index.update_all(["*"], None).unwrap();
        index.write().unwrap();
        let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
        let who = git2::Signature::new("Jo", "jo@example.org", &git2::Time::new(1_704_067_200, 0));
        let who = who.unwrap();
        let id = repository.commit(Some("HEAD"), &who, &who, message, &tree, parents);
        repository.find_commit(id.unwrap()).unwrap()
    };
    let first = commit("add", &[]);
    scene.tree.write("deploy/app.env", "EXAMPLE_TOKEN=\n");
    commit("remove", &[&first]);
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
    assert!(told.contains(&first.id().to_string()), "{record:#}");
    assert!(told.contains("jo@example.org"), "{record:#}");
}

/// Stops the run from the keyboard while it proves, and goes on.
#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_proof_is_gone_on_with() {
    let scene = Scene::new("own");
    let rules = fs::read_to_string(scene.file("example.toml")).unwrap();
    fs::write(
        scene.file("example.toml"),
        rules.replace("deadline = 3", "deadline = 600"),
    )
    .unwrap();
    scene.bank().lag = 1000;
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("keysweep"))
        .args(["respond".as_ref(), scene.file("report.json").as_os_str()])
        .args(["--apply", "--yes"])
        .args(["--rules".as_ref(), scene.file("example.toml").as_os_str()])
        .args(["--config".as_ref(), scene.file("mine.toml").as_os_str()])
        .current_dir(scene.tree.path())
        .env_clear()
        .env("HOME", scene.home.path())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while scene.deletes() == 0 {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(500));
    let id = child.id().to_string();
    let killed = std::process::Command::new("kill")
        .args(["-INT", &id])
        .status();
    assert!(killed.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(scene.incidents()[0].1, "open");
    scene.bank().lag = 0;
    scene.run(&["respond", "--resume"]).ends_with(0);
    assert_eq!((scene.deletes(), &*scene.incidents()[0].1), (1, "closed"));
}

/// With a disk that is full after a while, at each fill in turn.
#[cfg(target_os = "linux")]
#[test]
fn on_a_full_disk_nothing_is_done_that_is_not_on_record() {
    let (mut stopped, mut sent) = (0, 0);
    for blocks in (16..).step_by(16) {
        assert!(blocks < 4000, "the ledger never fits");
        let scene = Scene::new("own");
        // The first run makes the ledger; a fill that does not hold even that is another test's.
        let limit = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", &limit])
            .arg(assert_cmd::cargo::cargo_bin!("keysweep"))
            .args(["respond".as_ref(), scene.file("report.json").as_os_str()])
            .args(["--apply", "--yes"])
            .args(["--rules".as_ref(), scene.file("example.toml").as_os_str()])
            .args(["--config".as_ref(), scene.file("mine.toml").as_os_str()])
            .current_dir(scene.tree.path())
            .env_clear()
            .env("HOME", scene.home.path());
        let run = scene.told(&mut command);
        if run.code == 0 {
            break;
        }
        assert_eq!(run.code, 2, "{}", run.err);
        assert!(run.err.contains("no room left"), "{blocks}: {}", run.err);
        stopped += 1;
        sent += scene.deletes();
        let resumed = scene.run(&["respond", "--resume", "--yes"]);
        let nothing = scene.incidents().is_empty() || resumed.out.contains("not kept");
        if nothing {
            assert_eq!(scene.deletes(), 0, "{blocks}: a call is on no record");
            scene.respond(&["--apply", "--yes"]).ends_with(0);
        } else {
            resumed.ends_with(0);
        }
        assert_eq!(
            (scene.bank().effective, scene.incidents().len()),
            (1, 1),
            "{blocks}"
        );
        assert_eq!(scene.incidents()[0].1, "closed");
    }
    assert!(
        stopped > 3,
        "{stopped} runs were stopped, {sent} of them after the call"
    );
}

/// Runs the program in a real terminal and types an answer; gives the code and what was on the screen.
#[cfg(target_os = "linux")]
fn typed(scene: &Scene, answer: &str) -> (i32, String) {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let exe = assert_cmd::cargo::cargo_bin!("keysweep");
    let command = format!(
        "stty -echo cols 200; exec '{}' respond '{}' --apply --rules '{}' --config '{}'",
        exe.display(),
        scene.file("report.json").display(),
        scene.file("example.toml").display(),
        scene.file("mine.toml").display(),
    );
    let mut child = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .current_dir(scene.tree.path())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("TERM", "xterm")
        .env("SHELL", "/bin/sh")
        .env("HOME", scene.home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // The terminal keeps what is typed before somebody reads it.
    input.write_all(answer.as_bytes()).unwrap();
    input.flush().unwrap();
    let output = child.wait_with_output().unwrap();
    drop(input);
    let screen = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!screen.contains(&scene.leak), "{screen}");
    (output.status.code().unwrap(), screen)
}

#[cfg(target_os = "linux")]
#[test]
fn a_person_at_the_terminal_is_asked_before_what_cannot_be_undone() {
    let scene = Scene::new("own");
    let (code, screen) = typed(&scene, "n\n");
    assert_eq!(code, 2, "{screen}");
    let asked = "revoke the token itself: this cannot be undone; also: jobs that use it stop [y/N]";
    assert!(screen.contains(asked), "{screen}");
    assert!(screen.contains("was not wanted"), "{screen}");
    assert_eq!((scene.deletes(), &*scene.incidents()[0].1), (0, "open"));
    let (code, screen) = typed(&scene, "y\n");
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("proven dead"), "{screen}");
    assert_eq!((scene.deletes(), scene.incidents().len()), (1, 1));
}

/// Kills the program at each of its moments in turn, goes on, and looks at the end.
#[cfg(debug_assertions)]
fn killed_everywhere(block: &str) {
    let end = |scene: &Scene| {
        let record = scene.record();
        let steps = record["steps"]
            .as_array()
            .unwrap_or_else(|| panic!("{record:#}"));
        let told: Vec<(Value, Value)> = steps
            .iter()
            .map(|step| (step["kind"].clone(), step["state"].clone()))
            .collect();
        (told, scene.incidents()[0].1.clone())
    };
    let whole = Scene::new(block);
    whole.respond(&["--apply", "--yes"]).ends_with(0);
    let wanted = end(&whole);
    let mut at = 0;
    let mut sent: BTreeMap<usize, usize> = BTreeMap::new();
    loop {
        at += 1;
        let scene = Scene::new(block);
        let report = scene.file("report.json");
        let mut command = scene.command(&["respond", report.to_str().unwrap(), "--apply", "--yes"]);
        let output = command
            .env("KEYSWEEP_CRASH_AT", at.to_string())
            .output()
            .unwrap();
        if output.status.code().is_some() {
            assert!(output.status.success(), "{output:?}");
            break;
        }
        // Nothing is on record in the first moments: the same command is given again.
        let run = scene.run(&["respond", "--resume", "--yes"]);
        let is_begun = !scene.incidents().is_empty() && !run.out.contains("not kept");
        if !is_begun {
            assert_eq!(scene.deletes(), 0, "killed at {at}");
            scene.respond(&["--apply", "--yes"]).ends_with(0);
        } else if run.out.contains("--send-again") {
            // It is not known whether the call was sent: here it was not.
            assert_eq!(scene.bank().effective, 0, "killed at {at}: {}", run.out);
            scene
                .run(&["respond", "--resume", "--yes", "--send-again"])
                .ends_with(0);
        } else {
            run.ends_with(0);
        }
        assert_eq!(end(&scene), wanted, "killed at {at}");
        assert_eq!(scene.bank().effective, 1, "killed at {at}");
        assert_eq!(scene.bank().live, BTreeSet::from([scene.neighbour.clone()]));
        *sent.entry(scene.deletes()).or_default() += 1;
        scene.run(&["recheck"]).ends_with(0);
    }
    assert!(at > 20, "only {at} moments");
    assert_eq!(
        sent.keys().copied().collect::<Vec<_>>(),
        [1],
        "calls and how often: {sent:?}"
    );
}

#[cfg(debug_assertions)]
#[test]
fn killed_at_any_moment_it_goes_on_to_the_same_end() {
    killed_everywhere("own");
    killed_everywhere("repeatable");
}
