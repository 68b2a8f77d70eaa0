//! Keys that are deactivated first and deleted later, in several partitions: against a server that plays AWS as its documentation
//! describes it. `end_to_end` does the same on moto.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};

#[cfg(target_os = "linux")]
use super::asked::in_terminal;
use crate::support::http::{Answer, Seen, Server};
use crate::support::{Run, Tree, fake, program};

/// AWS's partitions by the paths that their hosts are given here: two hosts each.
const PARTITIONS: [(&str, [&str; 2]); 4] = [
    ("/aws", ["sts.amazonaws.com", "iam.amazonaws.com"]),
    (
        "/gov",
        [
            "sts.us-gov-west-1.amazonaws.com",
            "iam.us-gov.amazonaws.com",
        ],
    ),
    (
        "/cn",
        [
            "sts.cn-north-1.amazonaws.com.cn",
            "iam.cn-north-1.amazonaws.com.cn",
        ],
    ),
    (
        "/eusc",
        [
            "sts.eusc-de-east-1.amazonaws.eu",
            "iam.eusc-de-east-1.amazonaws.eu",
        ],
    ),
];

/// What AWS knows: in the first partition alone.
#[derive(Debug, Default)]
struct Cloud {
    /// Keys with whether they are active.
    keys: BTreeMap<String, bool>,
    /// The action that the caller may not do.
    denied: &'static str,
    is_down: bool,
    /// A key whose secret is another one than that in the tree.
    other: Option<String>,
}

fn xml(status: u16, body: &str) -> Answer {
    Answer::status(status).with_body("text/xml", body)
}

fn problem(code: &str) -> Answer {
    let status = if code == "NoSuchEntity" { 404 } else { 403 };
    xml(
        status,
        &format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
        ),
    )
}

fn answer(cloud: &Mutex<Cloud>, seen: &Seen) -> Answer {
    let mut cloud = cloud.lock().unwrap();
    if cloud.is_down {
        return Answer::status(503);
    }
    let body = seen.text();
    let field = |name: &str| {
        let fields = body.split('&').filter_map(|f| f.split_once('='));
        fields
            .clone()
            .find(|(n, _)| *n == name)
            .map_or("", |(_, v)| v)
    };
    let signed = seen.header("Authorization").unwrap_or_default();
    let signer = signed
        .split("Credential=")
        .nth(1)
        .and_then(|s| s.split('/').next());
    let is_known = signer.is_some_and(|id| cloud.keys.get(id) == Some(&true));
    if seen.path() != "/aws/" || !is_known {
        return problem("InvalidClientTokenId");
    }
    let action = field("Action");
    if action == "GetCallerIdentity" && cloud.other.as_deref() == signer {
        return problem("SignatureDoesNotMatch");
    }
    if action == cloud.denied {
        return problem("AccessDenied");
    }
    let id = field("AccessKeyId").to_owned();
    match action {
        "GetCallerIdentity" => xml(
            200,
            "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/deploy</Arn><UserId>AIDA</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>",
        ),
        "ListAccessKeys" => {
            let rows = cloud.keys.iter().map(|(id, is_active)| {
                let status = if *is_active { "Active" } else { "Inactive" };
                format!("<member><UserName>deploy</UserName><AccessKeyId>{id}</AccessKeyId><Status>{status}</Status></member>")
            });
            let rows: Vec<String> = rows.collect();
            xml(
                200,
                &format!(
                    "<ListAccessKeysResponse><ListAccessKeysResult><AccessKeyMetadata>{}</AccessKeyMetadata><IsTruncated>false</IsTruncated></ListAccessKeysResult></ListAccessKeysResponse>",
                    rows.join("")
                ),
            )
        }
        "GetAccessKeyLastUsed" if cloud.keys.contains_key(&id) => xml(
            200,
            "<GetAccessKeyLastUsedResponse><GetAccessKeyLastUsedResult><UserName>deploy</UserName></GetAccessKeyLastUsedResult></GetAccessKeyLastUsedResponse>",
        ),
        "UpdateAccessKey" if cloud.keys.contains_key(&id) => {
            cloud.keys.insert(id, field("Status") == "Active");
            xml(200, "<UpdateAccessKeyResponse></UpdateAccessKeyResponse>")
        }
        "DeleteAccessKey" if cloud.keys.remove(&id).is_some() => {
            xml(200, "<DeleteAccessKeyResponse></DeleteAccessKeyResponse>")
        }
        _ => problem("NoSuchEntity"),
    }
}

/// A leaked key of AWS, and who may end it.
struct Scene {
    tree: Tree,
    home: tempfile::TempDir,
    cloud: Arc<Mutex<Cloud>>,
    server: Server,
    id: String,
    secrets: [String; 2],
}

impl Scene {
    /// With this time between deactivating and deleting.
    fn new(grace: &str) -> Self {
        let (id, admin, other) = (
            fake::aws_key_id(1),
            fake::aws_key_id(2),
            fake::aws_key_id(3),
        );
        let secrets = [fake::aws_secret(1), fake::aws_secret(2)];
        let cloud = Arc::new(Mutex::new(Cloud {
            keys: [id.clone(), admin.clone(), other]
                .map(|id| (id, true))
                .into(),
            ..Cloud::default()
        }));
        let shared = Arc::clone(&cloud);
        let server = Server::start(move |seen| answer(&shared, seen));
        let tree = Tree::new().with(
            ".env",
            format!(
                "AWS_ACCESS_KEY_ID={id}\nAWS_SECRET_ACCESS_KEY={}\n",
                secrets[0]
            ),
        );
        let scene = Self {
            tree,
            home: tempfile::tempdir().unwrap(),
            cloud,
            server,
            id,
            secrets,
        };
        let parts = [("id", &admin), ("secret", &scene.secrets[1])];
        for (name, value) in parts {
            let path = scene.file(name);
            fs::write(&path, value).unwrap();
            private(&path);
        }
        let config = format!(
            "[respond]\ngrace = \"{grace}\"\n[authority.aws]\naccess_key_id = {{ file = \"id\" }}\nsecret_access_key = {{ file = \"secret\" }}\n{}",
            scene.endpoints(|_| None)
        );
        scene.config(&config);
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
        scene
    }

    fn config(&self, text: &str) {
        fs::write(self.file("mine.toml"), text).unwrap();
    }

    fn own(&self) -> String {
        fs::read_to_string(self.file("mine.toml")).unwrap()
    }

    /// Where the hosts are, with another server for those that have one.
    fn endpoints<'s>(&self, other: impl Fn(&str) -> Option<&'s Server>) -> String {
        let mut text = "[endpoints]\n".to_owned();
        for (path, hosts) in PARTITIONS {
            for host in hosts {
                let url = other(host).unwrap_or(&self.server).url();
                text += &format!("\"{host}\" = \"{url}{path}\"\n");
            }
        }
        text
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn cloud(&self) -> MutexGuard<'_, Cloud> {
        self.cloud.lock().unwrap()
    }

    /// Whether the leaked key is active; none where it is deleted. The neighbour always is.
    fn leak(&self) -> Option<bool> {
        let cloud = self.cloud();
        assert!(cloud.keys[&fake::aws_key_id(3)], "the neighbour lives");
        cloud.keys.get(&self.id).copied()
    }

    /// Scans anew, with this in front of the secret, and gives the secret's fingerprint.
    fn leaks(&self, front: &str) -> String {
        let file = format!("{front}AWS_SECRET_ACCESS_KEY={}\n", self.secrets[0]);
        self.tree.write(".env", file);
        let run = self.run(&["scan", "--format", "json", "--exit-zero"]);
        fs::write(self.file("report.json"), &run.out).unwrap();
        let found: Value = serde_json::from_str(&run.out).unwrap();
        let mut findings = found.as_array().unwrap().iter();
        let found = findings.find(|f| f["rule"] == "aws-secret-access-key");
        found.unwrap()["fingerprint"].as_str().unwrap().to_owned()
    }

    /// How often something was to be changed.
    fn changes(&self) -> usize {
        let seen = self.server.seen();
        let is_change = |s: &&Seen| s.holds("DeleteAccessKey") || s.holds("UpdateAccessKey");
        seen.iter().filter(is_change).count()
    }

    /// Nothing was ended, and nothing is on record.
    fn is_untouched(&self) {
        assert_eq!(self.changes(), 0);
        assert_eq!(self.leak(), Some(true));
        let run = self.run(&["incidents", "list", "--format", "json"]);
        assert!(run.code == 2 || run.out.trim() == "[]", "{}", run.out);
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let mut command = program();
        command
            .current_dir(self.tree.path())
            .env("HOME", self.home.path())
            .args(arguments)
            .args(["--config".as_ref(), self.file("mine.toml").as_os_str()]);
        let run = Run::of(&mut command);
        self.secrets.iter().for_each(|secret| run.hides(secret));
        run
    }

    fn respond(&self, arguments: &[&str]) -> Run {
        let report = self.file("report.json");
        let report = report.to_str().unwrap();
        self.run(&[&["respond", report], arguments].concat())
    }

    /// The only incident.
    fn incident(&self) -> String {
        let run = self
            .run(&["incidents", "list", "--format", "json"])
            .ends_with(0);
        let all: Value = serde_json::from_str(&run.out).unwrap();
        assert_eq!(all.as_array().unwrap().len(), 1, "{all:#}");
        all[0]["id"].as_str().unwrap().to_owned()
    }

    fn record(&self) -> Value {
        let id = self.incident();
        let run = self
            .run(&["incidents", "export", &id, "--format", "json"])
            .ends_with(0);
        serde_json::from_str(&run.out).unwrap()
    }

    /// The step that deletes.
    fn deletion(&self) -> Value {
        let record = self.record();
        let mut steps = record["steps"].as_array().unwrap().iter();
        let is_deletion =
            |step: &&Value| step["plan"]["kind"] == "revoke" && step["plan"]["stage"] == 1;
        steps.find(is_deletion).unwrap().clone()
    }

    fn deletions(&self) -> usize {
        let seen = self.server.seen();
        seen.iter().filter(|s| s.holds("DeleteAccessKey")).count()
    }
}

#[cfg(unix)]
fn private(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[cfg(not(unix))]
fn private(_: &std::path::Path) {}

const GRACE: Duration = Duration::from_secs(3);

#[test]
fn who_agrees_beforehand_agrees_to_what_is_done_later() {
    let scene = Scene::new("4s");
    let run = scene.respond(&["--apply", "--yes"]).ends_with(0);
    assert!(run.out.contains("later: delete"), "{}", run.out);
    assert_eq!(scene.leak(), Some(false));
    assert!(scene.deletion()["plan"]["agreed"].is_string());
    std::thread::sleep(GRACE);
    // Nobody is there to be asked.
    let run = scene.run(&["recheck"]).ends_with(0);
    assert!(run.out.contains("1 dead"), "{}", run.out);
    assert_eq!((scene.leak(), scene.deletions()), (None, 1));
    let deletion = scene.deletion();
    assert_eq!(deletion["state"], "done", "{deletion:#}");
    let shown = scene.run(&["incidents", "show", &scene.incident()]);
    let shown = shown.ends_with(0).out;
    assert!(shown.contains("agreed to 2"), "{shown}");
    scene.run(&["incidents", "verify"]).ends_with(0);
    scene.run(&["recheck"]).ends_with(0);
    assert_eq!(scene.deletions(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn what_nobody_agreed_to_waits_and_names_the_command() {
    let scene = Scene::new("4s");
    // At a terminal, without --yes: what can be undone is done, and nobody is asked about what comes later.
    let arguments = format!(
        "respond '{}' --apply --config '{}'",
        scene.file("report.json").display(),
        scene.file("mine.toml").display()
    );
    let (tree, home) = (scene.tree.path(), scene.home.path());
    let (code, screen) = in_terminal(&arguments, tree, home, Duration::ZERO, "");
    assert_eq!(code, 0, "{screen}");
    assert!(scene.deletion()["plan"]["agreed"].is_null());
    std::thread::sleep(GRACE);
    let id = scene.incident();
    for arguments in [
        &["recheck"][..],
        &["recheck", &id],
        &["respond", "--resume"],
    ] {
        let run = scene.run(arguments).ends_with(2);
        let needed = format!(
            "go on: keysweep respond --resume {id} --yes --config {}",
            scene.file("mine.toml").display()
        );
        assert!(run.out.contains(&needed), "{needed}\n{}", run.out);
    }
    assert_eq!((scene.leak(), scene.deletions()), (Some(false), 0));
    scene
        .run(&["respond", "--resume", &id, "--yes"])
        .ends_with(0);
    assert_eq!(scene.leak(), None);

    // Who says so while it waits has agreed, too.
    let scene = Scene::new("6s");
    let arguments = arguments.replace(home.to_str().unwrap(), scene.home.path().to_str().unwrap());
    let (tree, home) = (scene.tree.path(), scene.home.path());
    let (code, screen) = in_terminal(&arguments, tree, home, Duration::ZERO, "");
    assert_eq!(code, 0, "{screen}");
    let id = scene.incident();
    scene
        .run(&["respond", "--resume", &id, "--yes"])
        .ends_with(0);
    assert_eq!(scene.leak(), Some(false), "its time has not come");
    assert!(scene.deletion()["plan"]["agreed"].is_string());
    std::thread::sleep(GRACE + Duration::from_secs(2));
    scene.run(&["recheck"]).ends_with(0);
    assert_eq!(scene.leak(), None);
    scene.run(&["incidents", "verify"]).ends_with(0);
}

#[test]
fn every_attempt_is_on_record_with_its_answer() {
    let scene = Scene::new("24h");
    scene.cloud().denied = "UpdateAccessKey";
    scene.respond(&["--apply", "--yes"]).ends_with(2);
    scene.run(&["respond", "--resume", "--yes"]).ends_with(2);
    scene.cloud().denied = "";
    scene.run(&["respond", "--resume", "--yes"]).ends_with(0);
    let record = scene.record();
    let mut steps = record["steps"].as_array().unwrap().iter();
    let step = steps
        .find(|s| s["plan"]["kind"] == "revoke" && s["plan"]["stage"] == 0)
        .unwrap();
    let tries = step["tries"].as_array().unwrap();
    let answers: Vec<(u64, &str, &str)> = tries
        .iter()
        .map(|t| {
            let text = |name: &str| t[name].as_str().unwrap();
            (t["number"].as_u64().unwrap(), text("state"), text("answer"))
        })
        .collect();
    let denied = "IAM answered AccessDenied to iam:UpdateAccessKey on deploy: the AWS key that is to do this needs iam:UpdateAccessKey";
    assert_eq!(
        answers,
        [
            (1, "failed", denied),
            (2, "failed", denied),
            (3, "done", "200")
        ]
    );
    assert!(
        tries
            .iter()
            .all(|t| t["started"].is_string() && t["finished"].is_string())
    );
    for format in ["markdown", "text"] {
        let command = if format == "text" { "show" } else { "export" };
        let id = scene.incident();
        let page = scene
            .run(&["incidents", command, &id, "--format", format])
            .ends_with(0)
            .out;
        assert_eq!(page.matches("AccessDenied").count(), 2, "{page}");
        for number in ["1. begun", "2. begun", "3. begun"] {
            assert!(page.replace('\\', "").contains(number), "{number}\n{page}");
        }
    }
}

#[test]
fn all_partitions_that_were_asked_are_asked_again_where_they_were() {
    let scene = Scene::new("24h");
    let print = scene.run(&["scan", "--format", "json", "--exit-zero"]).out;
    let print: Value = serde_json::from_str(&print).unwrap();
    let mut findings = print.as_array().unwrap().iter();
    let print = findings
        .find(|f| f["rule"] == "aws-secret-access-key")
        .unwrap();
    let print = print["fingerprint"].as_str().unwrap();
    scene.cloud().is_down = true;
    scene
        .respond(&["--apply", "--yes", "--unconfirmed", print])
        .ends_with(2);
    let asked = |record: &Value| -> Vec<(String, String)> {
        let all = record["leak"]["asked"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        all.map(|one| (text(&one["named"]), text(&one["at"])))
            .collect()
    };
    let all: Vec<(String, String)> = PARTITIONS
        .iter()
        .map(|(path, [sts, _])| {
            (
                format!("https://{sts}"),
                format!("{}{path}", scene.server.url()),
            )
        })
        .collect();
    assert_eq!(asked(&scene.record()), all);
    scene.cloud().is_down = false;
    scene.cloud().keys.remove(&scene.id);
    let own = scene.own();
    let id = scene.incident();
    let elsewhere = Server::start(|_| problem("InvalidClientTokenId"));
    let (before, _) = own.split_once("[endpoints]").unwrap();
    for (_, [sts, _]) in PARTITIONS {
        let moved = scene.endpoints(|host| (host == sts).then_some(&elsewhere));
        scene.config(&format!("{before}{moved}"));
        for arguments in [
            &["recheck", &id][..],
            &["respond", "--resume", &id, "--yes"],
        ] {
            let run = scene.run(arguments).ends_with(2);
            let told = format!("(for {sts}), and now {}", elsewhere.url());
            assert!(run.out.contains(&told), "{told}\n{}", run.out);
        }
    }
    assert!(elsewhere.seen().is_empty());
    scene.config(&own);
    // AWS never said that the two belong together, so that its refusal is no proof.
    let run = scene.run(&["recheck", &id]).ends_with(2);
    assert!(run.out.contains("which proves nothing"), "{}", run.out);
    assert_eq!(scene.record()["state"], "open");

    // Of one that is active its own partition is known; and IAM is where it was as well.
    let scene = Scene::new("24h");
    let own = scene.own();
    scene.cloud().denied = "ListAccessKeys";
    scene.respond(&["--apply", "--yes"]).ends_with(2);
    let at = format!("{}/aws", scene.server.url());
    let sts = ("https://sts.amazonaws.com".to_owned(), at.clone());
    assert_eq!(asked(&scene.record()), [sts]);
    scene.cloud().denied = "";
    let (before, _) = own.split_once("[endpoints]").unwrap();
    let moved = scene.endpoints(|host| (host == "iam.amazonaws.com").then_some(&elsewhere));
    scene.config(&format!("{before}{moved}"));
    let run = scene.run(&["respond", "--resume", "--yes"]).ends_with(2);
    let told =
        format!("iam.amazonaws.com: when the incident was begun, requests to it went to {at}");
    assert!(run.out.contains(&told), "{told}\n{}", run.out);
    assert!(elsewhere.seen().is_empty());
    assert_eq!(scene.leak(), Some(true));
    scene.config(&own);
    scene.run(&["respond", "--resume", "--yes"]).ends_with(0);
    assert_eq!(scene.leak(), Some(false));
    assert_eq!(json!(scene.record()["state"]), "closed");
}

#[test]
fn of_several_ids_the_one_that_works_is_ended() {
    let scene = Scene::new("24h");
    let other = fake::aws_key_id(3);
    scene.cloud().other = Some(other.clone());
    let leak = &scene.id;
    let print = scene.leaks(&format!(
        "# old: AWS_ACCESS_KEY_ID={leak}\nAWS_ACCESS_KEY_ID={other}\n"
    ));
    // It needs no --unconfirmed, and may have it.
    let run = scene
        .respond(&["--apply", "--yes", "--unconfirmed", &print])
        .ends_with(0);
    assert!(run.out.contains("proven dead"), "{}", run.out);
    let dies = format!("dies         the access key {leak}");
    assert!(run.out.contains(&dies), "{}", run.out);
    assert_eq!(scene.leak(), Some(false));
    let record = scene.record();
    assert_eq!(record["leak"]["fingerprint"], print.as_str());
    assert!(
        record["steps"].to_string().contains(leak.as_str()),
        "{record:#}"
    );
    assert!(scene.cloud().keys[&other]);
    scene.run(&["recheck"]).ends_with(0);
    scene.cloud().keys.insert(leak.clone(), true);
    scene.run(&["recheck"]).ends_with(1);
    // Begun anew from the report alone, it is the same key that dies.
    scene
        .run(&["incidents", "forget", &scene.incident()])
        .ends_with(0);
    scene.respond(&["--resume", "--yes"]).ends_with(0);
    assert_eq!(scene.leak(), Some(false));
}

#[test]
fn nothing_is_ended_by_an_id_that_is_not_the_secrets() {
    let scene = Scene::new("24h");
    let (other, gone) = (fake::aws_key_id(3), fake::aws_key_id(9));
    scene.cloud().other = Some(other.clone());
    for (front, word) in [
        (
            format!("AWS_ACCESS_KEY_ID={other}\n"),
            "this is not its secret",
        ),
        (
            format!("AWS_ACCESS_KEY_ID={gone}\n"),
            "AWS knows no active key",
        ),
        (
            format!("AWS_ACCESS_KEY_ID={gone}\nAWS_ACCESS_KEY_ID_OLD={other}\n"),
            "near it stand: account 123456789012, id ",
        ),
    ] {
        let print = scene.leaks(&front);
        let plan = scene.respond(&["--unconfirmed", &print]).ends_with(2);
        assert!(
            plan.out.contains(word) && plan.out.contains("keysweep revoke --rule"),
            "{word}\n{}",
            plan.out
        );
        assert!(plan.out.contains("nothing to end"), "{}", plan.out);
        let run = scene
            .respond(&["--apply", "--yes", "--unconfirmed", &print])
            .ends_with(2);
        assert!(
            run.err.contains("nothing was done: --unconfirmed") && run.err.contains(word),
            "{}",
            run.err
        );
        scene.is_untouched();
        let mut command = program();
        command
            .current_dir(scene.tree.path())
            .env("HOME", scene.home.path())
            .args([
                "revoke",
                "--rule",
                "aws-secret-access-key",
                "--yes",
                "--unconfirmed",
            ])
            .args(["--config".as_ref(), scene.file("mine.toml").as_os_str()]);
        let text = fs::read_to_string(scene.tree.path().join(".env")).unwrap();
        let run = Run::of(command.write_stdin(text)).ends_with(2);
        assert!(
            run.err.contains("nothing was done: ") && run.err.contains(word),
            "{}",
            run.err
        );
        scene.is_untouched();
    }
}

#[test]
fn what_was_begun_in_an_outage_is_not_ended_before_aws_has_said_that_the_two_belong_together() {
    let scene = Scene::new("24h");
    let other = fake::aws_key_id(3);
    let print = scene.leaks(&format!("AWS_ACCESS_KEY_ID={other}\n"));
    scene.cloud().other = Some(other.clone());
    scene.cloud().is_down = true;
    let plan = scene.respond(&["--unconfirmed", &print]).ends_with(2);
    assert!(
        plan.out
            .contains("named with --unconfirmed (unknown: answered 503"),
        "{}",
        plan.out
    );
    let run = scene
        .respond(&["--apply", "--yes", "--unconfirmed", &print])
        .ends_with(2);
    assert!(
        run.out.contains("has never said that it works"),
        "{}",
        run.out
    );
    scene.cloud().is_down = false;
    for report in [true, false] {
        let resume = ["--resume", "--yes"];
        let run = if report {
            scene.respond(&resume)
        } else {
            scene.run(&[&["respond"], &resume[..]].concat())
        };
        let run = run.ends_with(2);
        assert!(run.out.contains("this is not its secret"), "{}", run.out);
    }
    scene.run(&["recheck"]).ends_with(2);
    assert_eq!(scene.changes(), 0);
    // Whoever else ends that key has not ended the leaked one.
    scene.cloud().keys.insert(other.clone(), false);
    scene.run(&["recheck"]).ends_with(2);
    scene.run(&["respond", "--resume", "--yes"]).ends_with(2);
    assert_eq!(scene.record()["state"], "open");
    assert_eq!(scene.changes(), 0);
    // It was its, after all: AWS says so, and it is ended.
    scene.cloud().other = None;
    scene.cloud().keys.insert(other.clone(), true);
    scene.run(&["respond", "--resume", "--yes"]).ends_with(0);
    assert!(!scene.cloud().keys[&other]);
    assert_eq!(scene.record()["state"], "closed");
    scene.run(&["recheck"]).ends_with(0);
}
