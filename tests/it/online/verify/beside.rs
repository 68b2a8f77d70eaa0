//! Whom a secret is shown to: what stands beside it decides, and what a user gives for a kind must be of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::playground::npm_host;
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
        let asked = if ids[0] == 58_203_942 { 1 } else { 2 };
        assert_eq!(world.server.count("GET", "/pair"), asked, "{ids:?}");
        let report = world.report(tree.path(), "report", &["scan", "--format", "json"]);
        let run = world.verify(tree.path(), &report, &[]);
        assert_eq!(of_secret(&run), status, "{ids:?} {}", run.err);
        assert_eq!(world.server.count("GET", "/pair"), 2 * asked, "{ids:?}");
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

/// Files of the caller: `git.acme.io` and what is below `acme.io` are listed; GitLab is asked at this server whatever its host.
fn listing(server: &Server) -> Tree {
    let mut config =
        String::from("[network]\nhosts = [\"git.acme.io\", \"*.acme.io\"]\n[endpoints]\n");
    for host in ["gitlab.com", "git.acme.io", "api.github.com", &npm_host()] {
        config += &format!("\"{host}\" = \"{}/{host}\"\n", server.url());
    }
    Tree::new().with("own.toml", config)
}

fn gitlab_key() -> String {
    format!(
        "glpat{}{}",
        "-",
        Rng::new(31).text("0123456789abcdefghijkmnpqrstuvwxyzABCEFGHJK", 20)
    )
}

#[test]
fn a_key_is_shown_to_a_host_beside_it_that_is_listed_or_to_nobody() {
    let server =
        Server::start(|_| Answer::status(401).with_json(&json!({"message": "401 Unauthorized"})));
    let files = listing(&server);
    let own = files.path().join("own.toml").display().to_string();
    let key = gitlab_key();
    let far = "OTHER=1\n".repeat(30);
    let nobody = [
        format!("GITLAB_URL=http://10.0.0.5\nGITLAB_TOKEN={key}\n"),
        format!("GITLAB_URL=http://gitlab\nGITLAB_TOKEN={key}\n"),
        format!("GITLAB_HOST=gitlab:8443\nGITLAB_TOKEN={key}\n"),
        format!("GITLAB_URL=https://[fd00::1]\nGITLAB_TOKEN={key}\n"),
        format!("GITLAB_URL=https://git.пример.рф\nGITLAB_TOKEN={key}\n"),
        format!("GITLAB_URL=${{OUR_URL}}\nGITLAB_TOKEN={key}\n"),
        format!("git clone http://x:{key}@10.0.0.5/a.git\n"),
        format!("GITLAB_URL=https://attacker.io/git.acme.io\nGITLAB_TOKEN={key}\n"),
        format!("GITLAB_URL=https://attacker.io/x?u=git.acme.io\nGITLAB_TOKEN={key}\n"),
        format!("GITLAB_URL=https://attacker.io%00.acme.io\nGITLAB_TOKEN={key}\n"),
        format!("GITLAB_URL=https://gіt.acme.io\nGITLAB_TOKEN={key}\n"),
        format!("GITLAB_URL=https://attacker.io\n{far}GITLAB_TOKEN={key}\n"),
    ];
    let scan = |text: &str| {
        let tree = Tree::new().with("a.env", text);
        let more = ["scan", "--verify", "--format", "jsonl", "--config", &own];
        let run = Run::of(program().current_dir(tree.path()).args(more));
        statuses(&run)
            .into_iter()
            .map(|(status, _)| status)
            .collect::<Vec<_>>()
    };
    let typed = |command: &[&str], text: &str| {
        let mut program = program();
        let arguments = [command, &["--rule", "gitlab-pat", "--config", &own]].concat();
        Run::of(
            program
                .current_dir(files.path())
                .args(arguments)
                .write_stdin(text.to_owned()),
        )
    };
    for text in &nobody {
        assert_eq!(scan(text), ["unknown"], "{text}");
        typed(&["verify"], text).ends_with(2);
        for command in [&["verify", "--dry-run"][..], &["revoke", "--dry-run"]] {
            let run = typed(command, text);
            assert!(
                run.out.contains("not asked: "),
                "{text}{}{}",
                run.out,
                run.err
            );
            assert!(!run.out.contains("https://"), "{text}{}", run.out);
        }
    }
    assert_eq!(
        server.seen().len(),
        0,
        "{:?}",
        server.seen().iter().map(Seen::path).collect::<Vec<_>>()
    );
    for text in [
        format!("GITLAB_URL=https://git.acme.io\nGITLAB_TOKEN={key}\n"),
        format!("https://oauth2:{key}@git.acme.io/infra/app.git\n"),
        format!("gitlab https://git.acme.io/infra/app.git\nGITLAB_TOKEN={key}\n"),
    ] {
        let before = server.seen().len();
        assert_eq!(scan(&text), ["inactive"], "{text}");
        typed(&["verify"], &text).ends_with(0);
        let seen = server.seen();
        assert_eq!(seen.len(), before + 2, "{text}");
        assert!(
            seen.iter().all(|s| s.path().starts_with("/git.acme.io/")),
            "{text}"
        );
    }
    // Another place says that it may be of a host that is not asked.
    let before = server.seen().len();
    let tree = Tree::new()
        .with(
            "a.env",
            format!("GITLAB_URL=https://git.acme.io\nGITLAB_TOKEN={key}\n"),
        )
        .with(
            "b.env",
            format!("GITLAB_URL=http://10.0.0.1\nGITLAB_TOKEN={key}\n"),
        );
    let run = Run::of(
        program()
            .current_dir(tree.path())
            .args(["scan", "--verify", "--format", "jsonl", "--config", &own]),
    );
    let (status, why) = statuses(&run)[0].clone();
    assert_eq!(status, "unknown");
    assert!(why.contains("10.0.0.1"), "{why}");
    assert_eq!(server.seen().len(), before + 1);
}

#[test]
fn what_is_mistyped_behind_a_secret_is_an_error() {
    let server =
        Server::start(|_| Answer::status(401).with_json(&json!({"message": "401 Unauthorized"})));
    let files = listing(&server);
    let own = files.path().join("own.toml").display().to_string();
    let key = gitlab_key();
    let verify = |text: String| {
        let arguments = ["verify", "--rule", "gitlab-pat", "--config", &own];
        Run::of(
            program()
                .current_dir(files.path())
                .args(arguments)
                .write_stdin(text),
        )
    };
    for (line, told) in [
        ("hots=git.acme.io", "its parts are: host"),
        ("HOST=git.acme.io", "its parts are: host"),
        ("host=", "its host is empty"),
    ] {
        let run = verify(format!("{key}\n{line}\n")).ends_with(2);
        assert!(run.err.contains(told), "{line}: {}", run.err);
    }
    assert_eq!(server.seen().len(), 0);
    // A whole file may be given; what else stands in it is no part.
    verify(format!(
        "HOST=0\nGITLAB_URL=https://git.acme.io\nGITLAB_TOKEN={key}\nPORT=1\nhots=x\n"
    ))
    .ends_with(0);
    assert_eq!(
        server.count("GET", "/git.acme.io/api/v4/personal_access_tokens/self"),
        1
    );
    let several = verify(format!(
        "GITLAB_URL=https://git.acme.io\nGITLAB_MIRROR=https://b.acme.io\nT={key}\n"
    ))
    .ends_with(2);
    assert!(several.err.contains("several hosts"), "{}", several.err);
}

#[test]
fn a_github_key_of_a_server_of_ones_own_is_neither_asked_nor_ended_at_github() {
    let server = Server::start(|_| Answer::status(202).with_json(&json!({})));
    let files = listing(&server);
    let own = files.path().join("own.toml").display().to_string();
    let key = fake::github_pat(3);
    for text in [
        format!("GITHUB_API_URL=https://attacker.io\nGITHUB_TOKEN={key}\n"),
        format!(
            "GITHUB_API_URL=https://ghe.corp.io/api/v3\n{}GITHUB_TOKEN={key}\n",
            "OTHER=1\n".repeat(30)
        ),
        format!("GH_ENTERPRISE_TOKEN={key}\n"),
    ] {
        let tree = Tree::new().with("a.env", &text);
        let run = |arguments: &[&str]| {
            let mut command = program();
            command
                .current_dir(tree.path())
                .args(arguments)
                .args(["--config", &own]);
            command.env("HOME", files.path());
            Run::of(&mut command)
        };
        let report = run(&["scan", "--verify", "--format", "json"]);
        let found: serde_json::Value = serde_json::from_str(&report.out).unwrap();
        let finding = &found[0];
        assert_eq!(
            finding["verification"]["status"], "unknown",
            "{text}{}",
            report.out
        );
        tree.write("report.json", &report.out);
        let print = finding["fingerprint"].as_str().unwrap().to_owned();
        let plan = run(&["respond", "report.json", "--unconfirmed", &print]);
        assert!(
            plan.out.contains("not asked: ") && !plan.out.contains("POST"),
            "{}",
            plan.out
        );
        run(&[
            "respond",
            "report.json",
            "--unconfirmed",
            &print,
            "--apply",
            "--yes",
        ]);
        assert_eq!(server.seen().len(), 0, "{text}");
    }
}

#[test]
fn an_npm_token_is_of_the_registry_of_its_line_and_a_refusal_proves_nothing() {
    let server =
        Server::start(|_| Answer::status(401).with_json(&json!({"message": "Unauthorized"})));
    let files = listing(&server);
    let own = files.path().join("own.toml").display().to_string();
    let uuid = format!(
        "4166c779-7671-454f-a8b7-{}",
        Rng::new(5).text("0123456789abcdef", 12)
    );
    for (host, asked) in [("npm.corp.io", 0), ("git.acme.io", 1)] {
        let tree = Tree::new().with(".npmrc", format!("//{host}/:_authToken={uuid}\n"));
        let run = Run::of(
            program()
                .current_dir(tree.path())
                .args(["scan", "--verify", "--format", "jsonl", "--config", &own]),
        );
        let all = statuses(&run);
        assert!(
            !all.is_empty() && all.iter().all(|(status, _)| status == "unknown"),
            "{all:?}"
        );
        assert!(
            all.iter().all(|(_, why)| !why.contains("not found beside")),
            "{all:?}"
        );
        assert_eq!(server.seen().len(), asked, "{host}");
    }
}
