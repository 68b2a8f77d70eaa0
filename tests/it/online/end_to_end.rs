//! From finding to dead, by the built program alone, on real servers and emulators.

use std::fs;
use std::path::PathBuf;

use assert_cmd::Command;
use serde_json::{Value, json};

use super::aws::HOSTS;
use super::database::word;
use super::playground::npm_host;
use super::server::Server;
use crate::support::{Run, Tree, program};

/// A tree that leaks, and a home with the caller's own file.
struct Scene {
    tree: Tree,
    home: tempfile::TempDir,
    secrets: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Scene {
    fn new(tree: Tree, config: &str, secrets: &[&str]) -> Self {
        let scene = Self {
            tree,
            home: tempfile::tempdir().unwrap(),
            secrets: secrets.iter().map(|s| (*s).to_owned()).collect(),
            environment: Vec::new(),
        };
        fs::write(scene.file("mine.toml"), config).unwrap();
        scene
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command
            .current_dir(self.tree.path())
            .env("HOME", self.home.path())
            .envs(self.environment.iter().map(|(n, v)| (n, v)))
            .args(arguments)
            .args(["--config".as_ref(), self.file("mine.toml").as_os_str()]);
        command
    }

    /// Runs the program; nothing that it prints or keeps shows a secret.
    fn run(&self, arguments: &[&str]) -> Run {
        let run = Run::of(&mut self.command(arguments));
        for secret in &self.secrets {
            run.hides(secret);
            for entry in fs::read_dir(self.home.path().join(".local/share/keysweep"))
                .into_iter()
                .flatten()
            {
                let kept = fs::read(entry.unwrap().path()).unwrap();
                let needle = secret.as_bytes();
                assert!(
                    !kept.windows(needle.len()).any(|w| w == needle),
                    "the ledger holds a secret"
                );
            }
        }
        run
    }

    /// Runs a scan, whose report is kept as `report.json`.
    fn report(&self, arguments: &[&str]) -> Run {
        let report = self.file("report.json");
        let more = ["--format", "json", "--output", report.to_str().unwrap()];
        self.run(&[arguments, &more].concat())
    }

    /// Runs a command on the report.
    fn on_report(&self, command: &str, arguments: &[&str]) -> Run {
        let report = self.file("report.json");
        self.run(&[&[command, report.to_str().unwrap()], arguments].concat())
    }

    /// Ends what the report names; it is proven dead, and a recheck agrees.
    fn ends_all(&self) -> Run {
        let run = self
            .on_report("respond", &["--apply", "--yes"])
            .ends_with(0);
        assert!(run.out.contains("proven dead"), "{}{}", run.out, run.err);
        self.run(&["recheck"]).ends_with(0);
        run
    }

    /// With a database on loopback that has a certificate of the tests' own CA.
    fn of_database(server: &Server, line: String, secrets: &[&str]) -> Self {
        let config = format!(
            "[network]\nhosts = [\"localhost\"]\nprivate = [\"127.0.0.0/8\", \"::1/128\"]\nca = \"{}\"\n",
            server.path("ca.pem").display()
        );
        Self::new(Tree::new().with("app.env", line), &config, secrets)
    }

    fn incidents(&self) -> Vec<Value> {
        let run = self
            .run(&["incidents", "list", "--format", "json"])
            .ends_with(0);
        let all: Value = serde_json::from_str(&run.out).unwrap();
        all["incidents"]
            .as_array()
            .or(all.as_array())
            .unwrap()
            .clone()
    }

    /// The only incident's login is on record with the place where it was tried, and is tried nowhere where that is not listed.
    fn was_asked_at(&self, place: &str) {
        let id = id_of(&self.incidents()[0]);
        let record: Value = serde_json::from_str(&self.record(&id, "json")).unwrap();
        let asked = json!([{ "named": place, "at": place }]);
        assert_eq!(record["leak"]["asked"], asked, "{record:#}");
        let own = fs::read_to_string(self.file("mine.toml")).unwrap();
        fs::write(self.file("mine.toml"), "").unwrap();
        let run = self.run(&["recheck"]).ends_with(2);
        assert!(run.out.contains("not known"), "{}", run.out);
        fs::write(self.file("mine.toml"), own).unwrap();
        self.run(&["recheck"]).ends_with(0);
    }

    fn record(&self, id: &str, format: &str) -> String {
        self.run(&["incidents", "export", id, "--format", format])
            .ends_with(0)
            .out
    }
}

fn id_of(incident: &Value) -> String {
    incident["id"].as_str().unwrap().to_owned()
}

/// A scene whose AWS is moto, ended by its administrator.
fn aws(moto: &Server, tree: Tree, config: &str) -> Scene {
    let mut config = format!("{config}[endpoints]\n");
    for host in HOSTS {
        config.push_str(&format!("\"{host}\" = \"{}\"\n", moto.url()));
    }
    let own = moto.fact("ADMIN_SECRET");
    Scene::new(tree, &config, &[&moto.fact("LEAK_SECRET"), &own])
        .with("KEYSWEEP_AWS_ACCESS_KEY_ID", &moto.fact("ADMIN_ID"))
        .with("KEYSWEEP_AWS_SECRET_ACCESS_KEY", &own)
}

/// A leaked key that was made inactive, with this time until it is deleted; and its incident.
fn deactivated(moto: &Server, grace: &str) -> (Scene, String) {
    let (id, secret) = (moto.fact("LEAK_ID"), moto.fact("LEAK_SECRET"));
    let text = format!("AWS_ACCESS_KEY_ID={id}\nAWS_SECRET_ACCESS_KEY={secret}\n");
    let config = format!("[respond]\ngrace = \"{grace}\"\n");
    let scene = aws(moto, Tree::new().with(".env", text), &config);
    let report = scene.file("report.json");
    let report = report.to_str().unwrap();
    let scan = [
        "scan",
        "--format",
        "json",
        "--exit-zero",
        "--output",
        report,
    ];
    scene.run(&scan).ends_with(0);
    let run = scene
        .run(&["respond", report, "--apply", "--yes"])
        .ends_with(0);
    assert!(run.out.contains("proven dead"), "{}{}", run.out, run.err);
    let incident = id_of(&scene.incidents()[0]);
    (scene, incident)
}

/// The keys of the user, with their status.
fn keys(moto: &Server) -> Vec<String> {
    let mut keys: Vec<String> = moto
        .script("list", &[])
        .lines()
        .map(str::to_owned)
        .collect();
    keys.sort();
    keys
}

#[test]
#[ignore = "needs moto; run by ./test.sh"]
fn an_aws_key_is_deleted_after_the_time_of_grace() {
    let moto = Server::start("moto", &[]);
    let neighbour = format!("{} Active", moto.fact("NEIGHBOUR_ID"));
    let (scene, incident) = deactivated(&moto, "4s");
    assert!(keys(&moto).contains(&format!("{} Inactive", moto.fact("LEAK_ID"))));
    std::thread::sleep(std::time::Duration::from_secs(3));
    // It was agreed to beforehand.
    let run = scene.run(&["respond", "--resume", &incident]).ends_with(0);
    assert!(run.out.contains("proven dead"), "{}{}", run.out, run.err);
    assert_eq!(keys(&moto), [neighbour.as_str()]);
    let record: Value = serde_json::from_str(&scene.record(&incident, "json")).unwrap();
    let steps = record["steps"].as_array().unwrap();
    let deleted = |step: &&Value| {
        step["plan"]["what"]
            .as_str()
            .is_some_and(|w| w.starts_with("delete "))
    };
    let deleted = steps
        .iter()
        .find(deleted)
        .unwrap_or_else(|| panic!("{record:#}"));
    assert_eq!(deleted["state"], "done", "{deleted:#}");
    scene.run(&["recheck"]).ends_with(0);

    // Without a time of grace all is done at once.
    let moto = Server::start("moto", &[]);
    deactivated(&moto, "0s");
    assert_eq!(
        keys(&moto),
        [format!("{} Active", moto.fact("NEIGHBOUR_ID"))]
    );
}

#[test]
#[ignore = "needs moto; run by ./test.sh"]
fn an_aws_key_that_is_active_again_is_not_deleted() {
    let moto = Server::start("moto", &[]);
    let id = &*moto.fact("LEAK_ID");
    let (scene, incident) = deactivated(&moto, "4s");
    moto.script("status", &[id, "Active"]);
    std::thread::sleep(std::time::Duration::from_secs(3));
    // Somebody needs it, whatever was agreed to before.
    let resume = ["respond", "--resume", &incident, "--yes"];
    let run = scene.run(&resume).ends_with(2);
    assert!(run.out.contains("active again"), "{}{}", run.out, run.err);
    let is_listed = |status: &str| keys(&moto).contains(&format!("{id} {status}"));
    assert!(is_listed("Active"), "{:?}", keys(&moto));
    // It is told, and begins anew: with what can be undone.
    let run = scene.run(&["recheck"]).ends_with(1);
    assert!(run.out.contains("WORKS AGAIN"), "{}", run.out);
    assert_eq!(scene.incidents()[0]["state"], "reopened");
    assert!(is_listed("Active"), "{:?}", keys(&moto));
    scene.run(&resume).ends_with(0);
    assert!(is_listed("Inactive"), "{:?}", keys(&moto));
    std::thread::sleep(std::time::Duration::from_secs(3));
    scene.run(&resume).ends_with(0);
    assert_eq!(
        keys(&moto),
        [format!("{} Active", moto.fact("NEIGHBOUR_ID"))]
    );
}

#[test]
#[ignore = "needs moto; run by ./test.sh"]
fn an_aws_key_from_history_to_dead_and_back() {
    let moto = Server::start("moto", &[]);
    let (id, secret) = (moto.fact("LEAK_ID"), moto.fact("LEAK_SECRET"));
    let tree = Tree::new().with(
        "deploy/.env",
        format!("AWS_ACCESS_KEY_ID={id}\nAWS_SECRET_ACCESS_KEY={secret}\n"),
    );
    let first = tree.commit("Deploy from here");
    tree.write("deploy/.env", "AWS_ACCESS_KEY_ID=\n");
    tree.commit("Keys do not belong here");
    let scene = aws(&moto, tree, "");

    // Found, and verified with account and user.
    scene
        .report(&["git", "--verify", "--fail-on", "active"])
        .ends_with(1);
    let found = fs::read_to_string(scene.file("report.json")).unwrap();
    let found: Value = serde_json::from_str(&found).unwrap();
    let found = found.as_array().unwrap();
    let key = found
        .iter()
        .find(|f| f["verification"]["status"] == "active")
        .unwrap_or_else(|| panic!("{found:#?}"));
    let identity = &key["verification"]["identity"];
    assert_eq!(identity["account"], "123456789012", "{identity}");
    assert!(
        identity["owner"].as_str().unwrap().contains("deploy"),
        "{identity}"
    );

    // Planned: nothing is done.
    let run = scene.on_report("respond", &[]).ends_with(0);
    assert!(run.out.contains("deactivate"), "{}", run.out);
    assert!(
        moto.script("list", &[])
            .lines()
            .all(|l| l.ends_with("Active"))
    );

    // Deactivated, proven dead, recorded, rechecked; the neighbour lives.
    scene.ends_all();
    let keys = moto.script("list", &[]);
    assert!(keys.contains(&format!("{id} Inactive")), "{keys}");
    assert!(
        keys.contains(&format!("{} Active", moto.fact("NEIGHBOUR_ID"))),
        "{keys}"
    );
    let incidents = scene.incidents();
    assert_eq!(incidents.len(), 1);
    let incident = id_of(&incidents[0]);
    let record: Value = serde_json::from_str(&scene.record(&incident, "json")).unwrap();
    assert_eq!(record["leak"]["exposure"]["commit"], first, "{record:#}");
    let written = scene.record(&incident, "markdown");
    for part in [&*incident, "jo@example.org", &id, "2026-01-01"] {
        assert!(written.contains(part), "{part}\n{written}");
    }

    // Made active again by somebody: red, and open.
    moto.script("status", &[&id, "Active"]);
    let run = scene.run(&["recheck"]).ends_with(1);
    assert!(run.out.contains("WORKS AGAIN"), "{}", run.out);
    assert_eq!(scene.incidents()[0]["state"], "reopened");
    let keys = moto.script("list", &[]);
    assert!(
        keys.contains(&format!("{} Active", moto.fact("NEIGHBOUR_ID"))),
        "{keys}"
    );
}

#[test]
#[ignore = "needs Verdaccio; run by ./test.sh"]
fn a_registry_that_keeps_deleted_tokens_alive_is_not_proven() {
    let registry = Server::start("verdaccio", &[]);
    let url = format!("http://127.0.0.1:{}", registry.file("port"));
    let password = word(7);
    let call = |method: &str, path: &str, token: &str, body: &str| -> Value {
        let output = std::process::Command::new("curl")
            .args(["-s", "-X", method, "-H", "content-type: application/json"])
            .args(["-H", &format!("authorization: Bearer {token}"), "-d", body])
            .arg(format!("{url}{path}"))
            .output()
            .unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    };
    let user =
        format!("{{\"name\":\"jo\",\"password\":\"{password}\",\"email\":\"jo@example.org\"}}");
    let login = call("PUT", "/-/user/org.couchdb.user:jo", "", &user);
    let login = login["token"].as_str().unwrap().to_owned();
    let new = format!("{{\"password\":\"{password}\",\"readonly\":false,\"cidr_whitelist\":[]}}");
    let leak = call("POST", "/-/npm/v1/tokens", &login, &new);
    let leak = leak["token"].as_str().unwrap().to_owned();
    let host = npm_host();
    let line = format!("//{host}/:_authToken={leak}\n");
    let config = format!("[endpoints]\n\"{host}\" = \"{url}\"\n");
    let scene = Scene::new(Tree::new().with(".npmrc", line), &config, &[&leak]);
    scene.report(&["scan", "--exit-zero"]).ends_with(0);
    let run = scene
        .on_report("respond", &["--apply", "--yes", "--deadline", "4"])
        .ends_with(2);
    assert!(run.out.contains("NOT PROVEN"), "{}{}", run.out, run.err);
    // The registry did delete the record, and says so.
    let left = call("GET", "/-/npm/v1/tokens", &login, "{}");
    assert_eq!(left["objects"].as_array().map(Vec::len), Some(0), "{left}");
    assert_eq!(call("GET", "/-/whoami", &leak, "{}")["username"], "jo");
    assert_eq!(scene.incidents()[0]["state"], "not-proven");
    // A later look tells the same.
    scene.run(&["recheck"]).ends_with(1);
}

#[test]
#[ignore = "needs Prism; run by ./test.sh"]
fn githubs_own_description_accepts_the_revocation() {
    let github = Server::start("prism", &[]);
    let config = format!(
        "[endpoints]\n\"api.github.com\" = \"http://127.0.0.1:{}\"\n",
        github.file("port")
    );
    let token = crate::support::fake::github_pat(77);
    let scene = Scene::new(Tree::new(), &config, &[&token]);
    let mut command = scene.command(&[
        "revoke",
        "--rule",
        "github-pat-classic",
        "--yes",
        "--deadline",
        "3",
    ]);
    let run = Run::of(command.write_stdin(format!("{token}\n")));
    run.hides(&token);
    // Prism keeps no state: `GET /user` goes on to answer, so the call is accepted and death is not proven.
    assert!(run.out.contains("202"), "{}{}", run.out, run.err);
    assert_eq!(run.code, 2, "{}{}", run.out, run.err);
    assert!(run.out.contains("NOT PROVEN"), "{}", run.out);
}

#[test]
#[ignore = "needs PostgreSQL; run by ./test.sh"]
fn a_postgresql_role_is_ended_and_proven_dead() {
    let server = Server::start("postgres", &[]);
    let (password, keeper) = (word(21), word(22));
    for role in [
        format!("keeper LOGIN SUPERUSER PASSWORD '{keeper}'"),
        format!("app LOGIN PASSWORD '{password}'"),
        format!("other LOGIN PASSWORD '{password}x'"),
    ] {
        server.script("sql", &[&format!("CREATE ROLE {role}")]);
    }
    let port = server.file("port");
    let line = format!("DATABASE_URL=postgresql://app:{password}@localhost:{port}/postgres\n");
    let scene = Scene::of_database(&server, line, &[&password, &keeper])
        .with("KEYSWEEP_POSTGRES_USER", "keeper")
        .with("KEYSWEEP_POSTGRES_PASSWORD", &keeper);
    scene
        .report(&["scan", "--verify", "--exit-zero"])
        .ends_with(0);
    let run = scene.on_report("verify", &[]).ends_with(1);
    assert!(run.out.contains("app"), "{}", run.out);
    scene.ends_all();
    let logins =
        "SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname IN ('app', 'other') ORDER BY 1";
    assert_eq!(server.script("sql", &[logins]), "app|f\nother|t");
    scene.was_asked_at(&format!("localhost:{port}"));
    server.script("sql", &["ALTER ROLE app LOGIN"]);
    scene.run(&["recheck"]).ends_with(1);
}

#[test]
#[ignore = "needs PostgreSQL; run by ./test.sh"]
fn roles_that_share_a_password_all_die() {
    let server = Server::start("postgres", &[]);
    let (password, keeper) = (word(23), word(24));
    for role in [
        format!("keeper LOGIN SUPERUSER PASSWORD '{keeper}'"),
        format!("one LOGIN PASSWORD '{password}'"),
        format!("two LOGIN PASSWORD '{password}'"),
        format!("idle NOLOGIN PASSWORD '{password}'"),
    ] {
        server.script("sql", &[&format!("CREATE ROLE {role}")]);
    }
    let port = server.file("port");
    let line =
        |role: &str| format!("URL=postgresql://{role}:{password}@localhost:{port}/postgres\n");
    let lines = [line("idle"), line("one"), line("two")].concat();
    let scene = Scene::of_database(&server, lines, &[&password, &keeper])
        .with("KEYSWEEP_POSTGRES_USER", "keeper")
        .with("KEYSWEEP_POSTGRES_PASSWORD", &keeper);
    scene.report(&["scan", "--exit-zero"]).ends_with(0);
    let run = scene.on_report("verify", &[]).ends_with(1);
    assert!(run.out.contains("active"), "{}", run.out);
    let run = scene.ends_all();
    assert!(
        run.out.contains("idle") || run.out.contains("inactive"),
        "{}",
        run.out
    );
    let logins = "SELECT count(*) FROM pg_roles WHERE rolname IN ('one', 'two') AND rolcanlogin";
    assert_eq!(server.script("sql", &[logins]), "0");
    assert_eq!(scene.incidents().len(), 2);
    scene.on_report("verify", &[]).ends_with(0);
    // One that works again opens its own incident alone.
    server.script("sql", &["ALTER ROLE two LOGIN"]);
    scene.run(&["recheck"]).ends_with(1);
    let states = scene.incidents();
    let reopened = states.iter().filter(|i| i["state"] == "reopened").count();
    assert_eq!(reopened, 1, "{states:#?}");
}

#[test]
#[ignore = "needs Redis; run by ./test.sh"]
fn a_redis_user_is_ended_and_proven_dead() {
    let server = Server::start("redis", &[]);
    let (password, keeper) = (word(31), word(32));
    server.script(
        "command",
        &[
            "ACL",
            "SETUSER",
            "boss",
            "on",
            &format!(">{keeper}"),
            "~*",
            "&*",
            "+@all",
        ],
    );
    server.script(
        "command",
        &[
            "ACL",
            "SETUSER",
            "app",
            "on",
            &format!(">{password}"),
            "~*",
            "+@read",
        ],
    );
    let port = server.file("port");
    let line = format!("REDIS_URL=rediss://app:{password}@localhost:{port}/0\n");
    let scene = Scene::of_database(&server, line, &[&password, &keeper])
        .with("KEYSWEEP_REDIS_USER", "boss")
        .with("KEYSWEEP_REDIS_PASSWORD", &keeper);
    scene.report(&["scan", "--exit-zero"]).ends_with(0);
    scene.ends_all();
    scene.was_asked_at(&format!("localhost:{port}"));
    server.script("command", &["ACL", "SETUSER", "app", "on"]);
    scene.run(&["recheck"]).ends_with(1);
}
