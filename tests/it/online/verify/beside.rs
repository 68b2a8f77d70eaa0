//! Whom a secret is shown to: what stands beside it decides, and what a user gives for a kind must be of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{World, provider, statuses, token};
use crate::support::fake::Rng;
use crate::support::http::{Answer, Seen, Server};
use crate::support::{Run, Tree, fake, program};
use serde_json::json;

pub(super) fn word(seed: u64) -> String {
    Rng::new(seed).text("0123456789abcdefghijkmnpqrstuvwxyz", 24)
}

/// Says of each pair whether it works: that of the id 5820394x does, with x even.
fn pairs(seen: &Seen) -> Answer {
    let given = seen.header("Authorization").unwrap_or_default();
    let given = STANDARD.decode(given.trim_start_matches("Basic ")).unwrap();
    let works = String::from_utf8(given)
        .unwrap()
        .split(':')
        .next()
        .unwrap()
        .ends_with(['0', '2', '4']);
    let status = if works { 200 } else { 401 };
    Answer::status(status).with_json(&json!({ "ok": works }))
}

#[test]
fn a_secret_beside_several_ids_is_asked_for_with_each() {
    let secret = format!("acmepair-{}", word(7));
    let file = |id: u32| format!("ID=acmeid-{id}\nS={secret}\n");
    for (ids, status) in [
        ([58_203_941, 58_203_942], "active"),
        ([58_203_942, 58_203_941], "active"),
        ([58_203_941, 58_203_943], "inactive"),
    ] {
        let world = World::new(pairs);
        let tree = Tree::new()
            .with("a.env", file(ids[0]))
            .with("b.env", file(ids[1]));
        let of_secret = |run: &Run| {
            let all = run.findings();
            let mut all = all.iter().filter(|f| f["rule"] == "acme-secret");
            let finding = all
                .next()
                .unwrap_or_else(|| panic!("{}{}", run.out, run.err))
                .clone();
            assert!(all.next().is_none(), "one secret is one finding");
            finding["verification"]["status"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        let run = world.run_in(tree.path(), &["scan", "--verify", "--format", "jsonl"]);
        assert_eq!(of_secret(&run), status, "{ids:?} {}", run.err);
        assert_eq!(world.server.count("GET", "/pair"), 2, "{ids:?}");
        let report = world.report(tree.path(), "report", &["scan", "--format", "json"]);
        let run = world.verify(tree.path(), &report, &[]);
        assert_eq!(of_secret(&run), status, "{ids:?} {}", run.err);
        assert_eq!(world.server.count("GET", "/pair"), 4, "{ids:?}");
    }
}

pub(super) const CLOUD: &str = r#"
provider = "Acme"

[[rule]]
id = "acme-cloud"
name = "Acme cloud token"
severity = "high"
confidence = "high"
literals = ["acmec_"]
pattern = '(?:^|[^0-9A-Za-z])(?<secret>acmec_[0-9A-Za-z]{24})(?:[^0-9A-Za-z]|$)'
verify = "cloud"

[verify.cloud]
source = "https://acme.example.com/docs"
self_hosted = "cloud.acme.example.com"
beside = ["acme"]
home = ["acme.example.com"]
[verify.cloud.request]
url = "https://{host}/me"
headers = { Authorization = "Bearer {secret}" }
[[verify.cloud.answer]]
status = [200]
means = "active"
when = [{ at = "/login", present = true }]
[[verify.cloud.answer]]
status = [401]
means = "inactive"
when = [{ at = "/message", present = true }]
"#;

#[test]
fn a_key_of_a_server_of_ones_own_goes_there_or_nowhere() {
    let public = Server::of([Answer::status(401).with_json(&json!({"message": "who?"}))]);
    let own = Server::of([Answer::json(&json!({"login": "jane"}))]);
    let config = format!(
        "[endpoints]\n\"cloud.acme.example.com\" = \"{}\"\n\"acme.own.example.org\" = \"{}\"\n",
        public.url(),
        own.url()
    );
    let unlisted = format!(
        "[endpoints]\n\"cloud.acme.example.com\" = \"{}\"\n",
        public.url()
    );
    let files = Tree::new()
        .with("cloud.toml", CLOUD)
        .with("own.toml", config)
        .with("unlisted.toml", unlisted);
    let secret = format!("acmec_{}", word(9));
    let trees = [
        format!("ACME_URL=https://acme.own.example.org\nACME_TOKEN={secret}\n"),
        format!("git clone https://jo:{secret}@acme.own.example.org/group/project.git\n"),
        format!("# ours\nACME_TOKEN={secret}\n\nACME_HOST = \"acme.own.example.org\"\n"),
    ];
    let rules = files.path().join("cloud.toml").display().to_string();
    let run = |text: &str, config: &str, history: bool| {
        let tree = Tree::new().with("a.env", text);
        let config = files.path().join(config).display().to_string();
        let command = if history {
            tree.commit("Add it");
            "git"
        } else {
            "scan"
        };
        let more = [
            "--verify", "--format", "jsonl", "--rules", &rules, "--config", &config,
        ];
        Run::of(program().current_dir(tree.path()).arg(command).args(more))
    };
    for (number, text) in trees.iter().enumerate() {
        let asked = run(text, "own.toml", number == 1);
        assert_eq!(statuses(&asked)[0].0, "active", "{text}{}", asked.err);
        assert_eq!(own.seen().len(), number + 1, "{text}");
        let refused = run(text, "unlisted.toml", false);
        let (status, why) = statuses(&refused)[0].clone();
        assert_eq!(status, "unknown", "{text}{}", refused.err);
        assert!(
            why.contains("acme.own.example.org") && why.contains("--allow-host"),
            "{why}"
        );
    }
    assert_eq!(
        public.seen().len(),
        0,
        "the provider's public host was shown a key of somebody's own server"
    );
    // Without another host beside it, it is the provider's.
    let asked = run(
        &format!("# https://docs.acme.example.com\nACME_TOKEN={secret}\n"),
        "own.toml",
        false,
    );
    assert_eq!(statuses(&asked)[0].0, "inactive");
    assert_eq!(public.seen().len(), 1);
}

#[test]
fn what_is_not_of_the_kind_is_sent_to_nobody() {
    let world = World::new(provider);
    let tree = Tree::new();
    let live = token('L', 4);
    let verify = |input: &str| {
        let mut command = program();
        command
            .current_dir(tree.path())
            .args(["verify", "--rule", "acme-token"])
            .args(world.own())
            .write_stdin(input.to_owned());
        Run::of(&mut command)
    };
    let others = [
        fake::github_pat(3),
        "hello".to_owned(),
        live[..20].to_owned(),
        format!("{live}x"),
    ];
    for other in others {
        let run = verify(&other).ends_with(2);
        assert!(run.err.contains("nothing was sent"), "{}", run.err);
        run.hides(&other);
    }
    assert_eq!(world.server.seen().len(), 0);
    verify(&live).ends_with(1);
    verify(&format!("TOKEN={live}\n")).ends_with(1);
    assert_eq!(world.server.seen().len(), 2);
}

#[test]
fn a_host_of_ones_own_is_known_from_the_callers_file_with_its_port() {
    let own = Server::of([Answer::json(&json!({"login": "jane"}))]);
    let config = format!(
        "[known.cloud]\nhost = \"acme.own.example.org:8443\"\n[endpoints]\n\"acme.own.example.org:8443\" = \"{}\"\n",
        own.url()
    );
    let files = Tree::new()
        .with("cloud.toml", CLOUD)
        .with("own.toml", config);
    let tree = Tree::new().with("a.env", format!("ACME_TOKEN=acmec_{}\n", word(5)));
    let file = |name: &str| files.path().join(name).display().to_string();
    let run = Run::of(
        program()
            .current_dir(tree.path())
            .args(["scan", "--verify", "--format", "jsonl"])
            .args([
                "--rules",
                &file("cloud.toml"),
                "--config",
                &file("own.toml"),
            ]),
    );
    assert_eq!(statuses(&run)[0].0, "active", "{}{}", run.out, run.err);
    assert_eq!(own.count("GET", "/me"), 1);
}
