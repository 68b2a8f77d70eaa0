//! `respond`, `revoke` and `recheck` against a provider on loopback that keeps tokens, ends them, and fails in every way.

mod agreed;
mod asked;
mod aws;
mod ending;
mod lost;
mod place;
mod refused;
mod stopped;
mod tally;
mod together;
mod who;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use assert_cmd::Command;
use serde_json::{Value, json};

use crate::support::http::{Answer, Seen, Server};
use crate::support::{Run, Tree, program, schema};

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
    /// What an edge of it says of an ended token next: whether it works.
    flaps: Vec<bool>,
    /// Whether it answers 503 to everything.
    is_down: bool,
    /// Tokens of which it answers 503.
    silent: BTreeSet<String>,
    /// What it answers to calls that end a list.
    limit: Option<Answer>,
    /// What such a list must not hold.
    malformed: BTreeSet<String>,
    /// Whether it answers 429 once a token has ended, and wants to be left alone for an hour.
    is_busy: bool,
}

fn answer(bank: &Mutex<Bank>, seen: &Seen) -> Answer {
    let mut bank = bank.lock().unwrap();
    if bank.is_down {
        return Answer::status(503);
    }
    let bearer = seen.header("Authorization").unwrap_or_default();
    let bearer = bearer.trim_start_matches("Bearer ").to_owned();
    match (seen.method.as_str(), seen.path()) {
        ("GET", "/me") if bank.silent.contains(&bearer) => Answer::status(503),
        ("GET", "/me") => {
            if bank.live.contains(&bearer) {
                return Answer::json(
                    &json!({ "account": "acme\u{1b}[31m", "scopes": "read,write" }),
                );
            }
            if bank.is_busy && bank.effective > 0 {
                return Answer::status(429).with_header("Retry-After", "3600");
            }
            let flaps = (!bank.flaps.is_empty()).then(|| bank.flaps.remove(0));
            if flaps == Some(true) {
                return Answer::json(&json!({ "account": "acme" }));
            }
            if bank.lag > 0 && flaps.is_none() {
                bank.lag -= 1;
                return Answer::json(&json!({ "account": "acme" }));
            }
            Answer::status(401).with_json(&json!({ "error": "revoked" }))
        }
        ("POST", "/revoke") => {
            if let Some(limited) = bank.limit.clone() {
                return limited;
            }
            let wanted: Vec<String> =
                serde_json::from_value(seen.json()["credentials"].clone()).unwrap();
            if wanted.iter().any(|token| bank.malformed.contains(token)) {
                return Answer::status(422);
            }
            let trouble = bank.trouble.pop();
            if trouble == Some(Trouble::CallLost) {
                return Answer::cut();
            }
            for token in wanted {
                bank.effective += usize::from(bank.live.remove(&token));
            }
            if trouble == Some(Trouble::AnswerLost) {
                return Answer::cut();
            }
            Answer::status(202)
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

/// Rules of a provider that these tests make up; `REVOKE` stands for the block that ends its tokens.
pub(super) const RULES: &str = r#"
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
deadline = 1
request = { method = "DELETE", url = "https://api.example.com/tokens/current", headers = { Authorization = "Bearer {secret}" } }
answer = [{ status = [204], means = "done" }]

[revoke.repeatable]
source = "https://example.com/docs/end"
authority = "self"
object = "the token itself"
deadline = 1
request = { method = "DELETE", url = "https://api.example.com/tokens/current", headers = { Authorization = "Bearer {secret}" } }
answer = [{ status = [204], means = "done" }, { status = [404], means = "gone" }]

[revoke.admin]
source = "https://example.com/docs/end"
authority = "owner"
needs = ["token"]
object = "the token {found}"
deadline = 1
request = { method = "DELETE", url = "https://api.example.com/tokens/{found}", headers = { Authorization = "Bearer {authority.token}" } }
answer = [{ status = [204], means = "done" }]

[revoke.admin.find]
request = { url = "https://api.example.com/tokens", headers = { Authorization = "Bearer {authority.token}" } }
list = "/tokens"
row = [{ at = "/shown", masked = "{secret}" }]
id = "/id"

[revoke.list]
source = "https://example.com/docs/end"
authority = "none"
object = "the token itself"
deadline = 3
batch = 4
request = { method = "POST", url = "https://api.example.com/revoke", json = '{"credentials":["{secret}"]}' }
answer = [{ status = [202], means = "done" }, { status = [422], means = "refused" }]

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
        scene.scan();
        scene
    }

    /// Scans the tree into `report.json`.
    fn scan(&self) {
        let report = self
            .command(&["scan", "--format", "json", "--exit-zero"])
            .args(["--output".as_ref(), self.file("report.json").as_os_str()])
            .output()
            .unwrap();
        assert!(report.status.success(), "{report:?}");
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

    /// Ends a key that is given through standard input.
    fn revoke(&self, key: &str, arguments: &[&str]) -> Run {
        let start = ["revoke", "--rule", "example-token"];
        let mut command = self.command(&[&start, arguments].concat());
        self.told(command.write_stdin(format!("{key}\n")))
    }

    /// `respond --apply --yes` behind a shell's words, in which `"$0" "$@"` is the program.
    #[cfg(target_os = "linux")]
    fn behind(&self, shell: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", shell])
            .arg(assert_cmd::cargo::cargo_bin!("keysweep"))
            .args(["respond".as_ref(), self.file("report.json").as_os_str()])
            .args(["--apply", "--yes"])
            .args(["--rules".as_ref(), self.file("example.toml").as_os_str()])
            .args(["--config".as_ref(), self.file("mine.toml").as_os_str()])
            .current_dir(self.tree.path())
            .env_clear()
            .env("HOME", self.home.path());
        command
    }

    /// Gives the rules another text in place of one.
    fn rules(&self, from: &str, to: &str) {
        let file = self.file("example.toml");
        let rules = fs::read_to_string(&file).unwrap();
        assert!(rules.contains(from), "{from}");
        fs::write(file, rules.replace(from, to)).unwrap();
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

/// A document that the program wrote, held against the schema that it prints.
fn document(kind: &str, text: &str) -> Value {
    let schema = Run::of(program().args(["incidents", "schema", "response"])).ends_with(0);
    let schema: Value = serde_json::from_str(&schema.out).unwrap();
    let document: Value = serde_json::from_str(text).unwrap();
    assert_eq!(document["kind"], kind);
    schema::fits(&schema, kind, &document);
    document
}
