//! The ledger by the built program: what it shows, and what it refuses.

use std::fs;
use std::path::PathBuf;

use jiff::Timestamp;
use keysweep::ledger::{
    CheckState, Exposure, IncidentState, Kek, Ledger, NewIncident, NewStep, Site, StepKind,
    StepState, Whose,
};
use keysweep::model::{Credential, Fingerprint, Secret, Severity};

#[cfg(unix)]
use crate::support::Tree;
use crate::support::{Run, fake, program, schema};

/// A home folder with a ledger in its data folder.
struct Home {
    folder: tempfile::TempDir,
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_769_850_000 + seconds).unwrap()
}

impl Home {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data/keysweep")
    }

    fn path(&self) -> PathBuf {
        self.data().join("ledger.sqlite")
    }

    fn open(&self) -> Ledger {
        let kek = Kek::from_file(&self.data().join("ledger.key"), true).unwrap();
        Ledger::open(&self.path(), &kek, at(0)).unwrap()
    }

    fn command(&self) -> assert_cmd::Command {
        let mut command = program();
        command
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env("XDG_DATA_HOME", self.folder.path().join("data"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        Run::of(self.command().arg("incidents").args(arguments))
    }

    /// With two incidents: one closed, one open with a step whose answer was lost.
    fn filled(secret: &str) -> Self {
        Self::of_lines(secret, 1)
    }

    /// The same for a secret that takes so many lines.
    fn of_lines(secret: &str, lines: u32) -> Self {
        let home = Self::new();
        let ledger = home.open();
        let leak = |byte| NewIncident {
            fingerprint: Fingerprint([byte; 16]),
            rule: "github-pat-classic".to_owned(),
            name: "GitHub personal access token (classic)".to_owned(),
            provider: "GitHub".to_owned(),
            severity: Severity::Critical,
            secret: "ghp_… (40 bytes)".to_owned(),
            identity: Some(Whose {
                account: Some("acme\u{1b}[31m".to_owned()),
                ..Whose::default()
            }),
            verification: "active".to_owned(),
            verified: Some(at(1)),
            detected: at(0),
            exposure: Some(Exposure {
                commit: "5f0c5f0c".to_owned(),
                author: "Ann".to_owned(),
                email: "ann@example.org".to_owned(),
                date: at(-86_400 * 3),
                subject: "Add it".to_owned(),
                refs: vec!["refs/heads/main".to_owned()],
                more_refs: 0,
                in_head: false,
                or_earlier: false,
            }),
            places: vec![Site {
                path: "app.env".to_owned(),
                line: 1,
                end_line: lines,
                commit: None,
            }],
            ..NewIncident::default()
        };
        let credential = Credential::new(Secret::new(secret.as_bytes(), "ghp_"), Vec::new());
        for byte in [1, 2] {
            let id = ledger.begin(&leak(byte), at(1)).unwrap().incident;
            ledger.claim(id, "run 1", at(2)).unwrap();
            ledger.seal(id, &credential, at(2)).unwrap();
            let step = NewStep::of(StepKind::Revoke, "revoke the token");
            let step = ledger.plan(id, &[step], at(3)).unwrap()[0];
            ledger.start(step, at(4)).unwrap();
            if byte == 1 {
                ledger
                    .finish(step, StepState::Done, "202 accepted", at(5))
                    .unwrap();
                ledger.check(id, CheckState::Refused, "401", at(6)).unwrap();
                ledger
                    .set_state(id, IncidentState::Closed, "refused", at(7))
                    .unwrap();
            }
            ledger.release(id, at(8)).unwrap();
        }
        home
    }

    fn sql(&self, sql: &str) {
        rusqlite::Connection::open(self.path())
            .unwrap()
            .execute_batch(sql)
            .unwrap();
    }

    /// All that lies in the data folder.
    fn bytes(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for entry in fs::read_dir(self.data()).unwrap() {
            all.extend(fs::read(entry.unwrap().path()).unwrap());
        }
        all
    }
}

#[test]
fn incidents_are_listed_and_shown() {
    let secret = fake::github_pat(7);
    let home = Home::filled(&secret);
    let list = home.run(&["list"]).ends_with(0);
    let lines: Vec<&str> = list.out.lines().collect();
    assert_eq!(lines.len(), 3, "{}", list.out);
    assert!(lines[0].starts_with("incident"), "{}", list.out);
    assert!(
        lines[1].starts_with("KS-20260131-1  closed"),
        "{}",
        list.out
    );
    assert!(lines[2].starts_with("KS-20260131-2  open"), "{}", list.out);
    assert!(lines[1].ends_with("acme\\u{1b}[31m"), "{}", list.out);
    let open = home.run(&["list", "--open"]).ends_with(0);
    assert_eq!(open.out.lines().count(), 2, "{}", open.out);
    let json = home.run(&["list", "--format", "json"]).ends_with(0);
    let rows: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(rows[0]["id"], "KS-20260131-1");
    assert_eq!(rows[1]["state"], "open");

    let shown = home.run(&["show", "KS-20260131-1"]).ends_with(0);
    assert!(
        shown.out.contains("the key is proven dead"),
        "{}",
        shown.out
    );
    assert!(shown.out.contains("202 accepted"), "{}", shown.out);
    let shown = home.run(&["show", "KS-20260131-2"]).ends_with(0);
    let lost = "Find out whether a step had its effect (`revoke the token`)";
    assert!(shown.out.contains(lost), "{}", shown.out);
    for run in [&list, &open, &json, &shown] {
        run.hides(&secret);
        assert!(!run.out.contains('\u{1b}'), "{}", run.out);
    }
    let none = home.run(&["show", "KS-20260131-9"]).ends_with(2);
    assert!(
        none.err.contains("no incident KS-20260131-9"),
        "{}",
        none.err
    );
    let wrong = home.run(&["show", "nine"]).ends_with(2);
    assert!(wrong.err.contains("KS-20260131-1"), "{}", wrong.err);
}

#[test]
fn a_record_is_exported_and_its_head_holds() {
    let secret = fake::github_pat(7);
    let home = Home::filled(&secret);
    let page = home.run(&["export", "KS-20260131-1"]).ends_with(0);
    assert!(
        page.out.starts_with("# Incident KS-20260131-1"),
        "{}",
        page.out
    );
    let json = home
        .run(&[
            "export",
            "KS-20260131-1",
            "--format",
            "json",
            "--output",
            "record.json",
        ])
        .ends_with(0);
    assert_eq!(json.out, "");
    let record = fs::read_to_string(home.folder.path().join("record.json")).unwrap();
    assert!(!record.contains(&*secret));
    page.hides(&secret);
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    let schema = home.run(&["schema"]).ends_with(0);
    let schema: serde_json::Value = serde_json::from_str(&schema.out).unwrap();
    schema::fits(&schema, "", &record);
    for filled in ["steps", "checks", "events", "todo"] {
        assert!(!record[filled].as_array().unwrap().is_empty(), "{filled}");
    }
    assert_eq!(record["state"], "closed");
    assert_eq!(record["proof"]["proven"], true);
    let head = record["ledger"].as_str().unwrap();
    assert!(page.out.contains(head), "{}", page.out);
    let held = home.run(&["verify", "--head", head]).ends_with(0);
    assert!(held.out.contains("audit rows hold"), "{}", held.out);
    // Later rows change nothing of that.
    home.run(&["forget", "KS-20260131-1"]).ends_with(0);
    home.run(&["verify", "--head", head]).ends_with(0);
    let verified = home.run(&["verify", "--format", "json"]).ends_with(0);
    let verified: serde_json::Value = serde_json::from_str(&verified.out).unwrap();
    assert_ne!(verified["head"], head);
    // A ledger that was cut off with care holds alone, and not against the record.
    let cut = Home::filled(&secret);
    let page = cut.run(&["verify", "--head", head]).ends_with(2);
    assert!(
        page.err.contains("changed by somebody else"),
        "{}",
        page.err
    );
    let text = home.run(&["export", "KS-20260131-1", "--format", "text"]);
    assert!(text.ends_with(2).err.contains("markdown or json"));
}

#[test]
fn a_ledger_holds_no_secret_unsealed_and_forgets_it() {
    let secret = fake::github_pat(7);
    let home = Home::filled(&secret);
    let holds = |text: &[u8]| home.bytes().windows(text.len()).any(|w| w == text);
    assert!(!holds(secret.as_bytes()));
    let shown = home.run(&["show", "KS-20260131-2"]).ends_with(0);
    assert!(shown.out.contains("kept, sealed"), "{}", shown.out);
    let gone = home.run(&["forget", "KS-20260131-2"]).ends_with(0);
    assert!(gone.err.contains("is removed"), "{}", gone.err);
    let shown = home.run(&["show", "KS-20260131-2"]).ends_with(0);
    assert!(shown.out.contains("The secret: not kept"), "{}", shown.out);
    let again = home.run(&["forget", "KS-20260131-2"]).ends_with(0);
    assert!(again.err.contains("no secret was kept"), "{}", again.err);
    let forget = ["forget", "KS-20260131-1", "--format", "json"];
    for was_kept in [true, false] {
        let told = home.run(&forget).ends_with(0);
        let told: serde_json::Value = serde_json::from_str(&told.out).unwrap();
        let wanted = serde_json::json!({ "incident": "KS-20260131-1", "was_kept": was_kept });
        assert_eq!(told, wanted);
    }
    home.run(&["verify"]).ends_with(0);
}

#[test]
fn a_ledger_that_somebody_changed_is_told_and_gives_no_record() {
    let secret = fake::github_pat(7);
    for (change, says) in [
        (
            "UPDATE step SET state = 'done' WHERE state = 'started'",
            "step 2",
        ),
        ("UPDATE incident SET state = 'closed'", "KS-20260131-2"),
        ("DELETE FROM health", "check 1 is gone"),
        ("UPDATE audit SET note = '' WHERE seq = 4", "audit row 4"),
        ("DELETE FROM audit WHERE seq = 6", "audit row 6"),
        ("DELETE FROM audit WHERE seq > 13", "row 13"),
        (
            "CREATE TRIGGER loses BEFORE INSERT ON health BEGIN SELECT RAISE(IGNORE); END",
            "the trigger loses does not belong there",
        ),
        ("DROP TABLE claim", "the table claim is gone"),
    ] {
        let home = Home::filled(&secret);
        home.sql(change);
        let before = fs::read(home.path()).unwrap();
        for command in [
            &["verify"][..],
            &["list"],
            &["show", "KS-20260131-1"],
            &["export", "KS-20260131-1"],
            &["forget", "KS-20260131-1"],
        ] {
            let run = home.run(command).ends_with(2);
            assert!(
                run.err.contains("changed by somebody else"),
                "{change}: {}",
                run.err
            );
            assert!(run.err.contains(says), "{change}: {}", run.err);
            // What can be shown is.
            let shows = matches!(command[0], "list" | "show");
            assert_eq!(!run.out.is_empty(), shows, "{command:?}: {}", run.out);
        }
        assert_eq!(fs::read(home.path()).unwrap(), before, "{change}");
    }
}

#[test]
fn a_newer_ledger_and_a_damaged_one_stay_as_they_are() {
    let secret = fake::github_pat(7);
    let home = Home::filled(&secret);
    home.sql("PRAGMA user_version = 7");
    let before = fs::read(home.path()).unwrap();
    for command in [&["list"][..], &["forget", "KS-20260131-1"], &["verify"]] {
        let run = home.run(command).ends_with(2);
        assert!(run.err.contains("of version 7"), "{}", run.err);
        assert!(run.err.contains("use the newer keysweep"), "{}", run.err);
    }
    assert_eq!(fs::read(home.path()).unwrap(), before);
    fs::write(home.path(), b"no database at all").unwrap();
    let run = home.run(&["list"]).ends_with(2);
    assert!(run.err.contains("is damaged"), "{}", run.err);
    assert_eq!(fs::read(home.path()).unwrap(), b"no database at all");
}

#[test]
fn where_the_ledger_and_its_key_are() {
    let secret = fake::github_pat(7);
    let home = Home::filled(&secret);
    let key = home.data().join("ledger.key");
    let text = fs::read_to_string(&key).unwrap();
    // The flag names another one; what is named must be there.
    let elsewhere = home.run(&["list", "--ledger", "other.sqlite"]).ends_with(2);
    assert!(
        elsewhere.err.contains("there is no ledger at other.sqlite"),
        "{}",
        elsewhere.err
    );
    assert!(!home.folder.path().join("other.sqlite").exists());
    let named = home.path();
    let named = named.to_str().unwrap();
    home.run(&["list", "--ledger", named]).ends_with(0);
    // The caller's configuration does too, with paths relative to it, and so does the user's own file.
    let config =
        "[ledger]\npath = \"data/keysweep/ledger.sqlite\"\nkey = { file = \"kept.key\" }\n";
    fs::rename(&key, home.folder.path().join("kept.key")).unwrap();
    fs::write(home.folder.path().join("own.toml"), config).unwrap();
    let configured = home.run(&["list", "--config", "own.toml"]).ends_with(0);
    assert!(configured.out.contains("KS-20260131-1"));
    // A tree's is not heard.
    fs::write(home.folder.path().join("keysweep.toml"), config).unwrap();
    home.run(&["list"]).ends_with(2);
    let user = home.folder.path().join(".config/keysweep/keysweep.toml");
    fs::create_dir_all(user.parent().unwrap()).unwrap();
    fs::write(
        &user,
        config
            .replace("data/", "../../data/")
            .replace("kept", "../../kept"),
    )
    .unwrap();
    home.run(&["list"]).ends_with(0);
    fs::remove_file(user).unwrap();
    fs::rename(home.folder.path().join("kept.key"), &key).unwrap();
    // The environment's key goes before the file beside it.
    fs::remove_file(&key).unwrap();
    let gone = home.run(&["list"]).ends_with(2);
    assert!(gone.err.contains("KEYSWEEP_LEDGER_KEY"), "{}", gone.err);
    assert!(
        !key.exists(),
        "no other key is made for a ledger that is there"
    );
    let by = |value: &str| {
        Run::of(
            home.command()
                .env("KEYSWEEP_LEDGER_KEY", value)
                .args(["incidents", "list"]),
        )
    };
    let given = by(text.trim()).ends_with(0);
    assert!(given.out.contains("KS-20260131-1"));
    let other = by("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").ends_with(2);
    assert!(other.err.contains("made with another key"), "{}", other.err);
    let malformed = by("not-a-key-but-a-word").ends_with(2);
    assert!(
        malformed.err.contains("32 bytes in base64"),
        "{}",
        malformed.err
    );
    malformed.hides("not-a-key-but-a-word");
    // Nothing has happened where nothing is.
    let fresh = Home::new();
    let none = fresh.run(&["list"]).ends_with(0);
    assert_eq!(none.out, "");
    assert!(none.err.contains("there is no ledger"), "{}", none.err);
    let none = fresh.run(&["list", "--format", "json"]).ends_with(0);
    assert_eq!(none.out.trim(), "[]");
    let none = fresh.run(&["verify"]).ends_with(2);
    assert!(none.err.contains("ledger"), "{}", none.err);
    assert!(!fresh.data().exists(), "looking makes nothing");
}

#[cfg(unix)]
#[test]
fn a_key_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;

    let home = Home::filled(&fake::github_pat(7));
    let key = home.data().join("ledger.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let run = home.run(&["list"]).ends_with(2);
    assert!(run.err.contains("chmod 600"), "{}", run.err);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    home.run(&["list"]).ends_with(0);
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_no_ledger_and_stays_as_it_is() {
    use std::os::unix::fs::PermissionsExt as _;

    let home = Home::new();
    let folder = home.folder.path().join("folder");
    let pipe = home.folder.path().join("pipe");
    fs::create_dir(&folder).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    for place in [folder, pipe] {
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
        let path = place.to_str().unwrap();
        for command in [
            &["incidents", "list"][..],
            &["incidents", "verify"],
            &["recheck"],
            &["respond", "--resume"],
        ] {
            let run = Run::of(home.command().args(command).args(["--ledger", path]));
            let run = run.ends_with(2);
            assert!(run.err.contains("this is no file"), "{}", run.err);
        }
        let mode = fs::metadata(&place).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755, "{path}");
    }
    let beside = fs::read_dir(home.folder.path()).unwrap().count();
    assert_eq!(beside, 2, "no key is made for it");
}

#[test]
fn two_runs_wait_for_each_other() {
    let home = Home::filled(&fake::github_pat(7));
    let other = rusqlite::Connection::open(home.path()).unwrap();
    // Somebody writes all the time.
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // Looking does not wait for that.
    home.run(&["list"]).ends_with(0);
    let run = home.run(&["forget", "KS-20260131-1"]).ends_with(2);
    assert!(
        run.err.contains("another process has been writing"),
        "{}",
        run.err
    );
    other.execute_batch("ROLLBACK").unwrap();
    home.run(&["forget", "KS-20260131-1"]).ends_with(0);
    // A run that works on an incident has it for itself, as long as it lives.
    let ledger = home.open();
    let id = "KS-20260131-2".parse().unwrap();
    ledger.claim(id, "run 7", Timestamp::now()).unwrap();
    let run = home.run(&["forget", "KS-20260131-2"]).ends_with(2);
    assert!(run.err.contains("another run works on"), "{}", run.err);
    assert!(run.err.contains("run 7"), "{}", run.err);
    drop(ledger);
    home.run(&["forget", "KS-20260131-2"]).ends_with(0);
    home.run(&["verify"]).ends_with(0);
}

/// A limit of the system's on the size of files, which is what a full disk and a quota are to a program.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_nothing_is_lost() {
    let home = Home::filled(&fake::github_pat(7));
    let full = |limit: u32| {
        let script =
            format!("trap '' XFSZ; ulimit -f {limit}; exec \"$0\" incidents forget KS-20260131-1");
        let mut shell = assert_cmd::Command::new("bash");
        shell
            .env_clear()
            .env("HOME", home.folder.path())
            .env("XDG_DATA_HOME", home.folder.path().join("data"))
            .args(["-c", &script])
            .arg(assert_cmd::cargo::cargo_bin!("keysweep"));
        Run::of(&mut shell)
    };
    let mut failed = 0;
    // From nothing at all to room for the whole of it: it ends somewhere between.
    for limit in 0..64 {
        let run = full(limit);
        if run.code == 0 {
            break;
        }
        failed += 1;
        let run = run.ends_with(2);
        assert!(run.err.contains("no room left on the disk"), "{}", run.err);
        let shown = home.run(&["show", "KS-20260131-1"]).ends_with(0);
        assert!(shown.out.contains("kept, sealed"), "{}", shown.out);
        home.run(&["verify"]).ends_with(0);
    }
    assert!(failed > 2, "{failed}");
    let shown = home.run(&["show", "KS-20260131-1"]).ends_with(0);
    assert!(shown.out.contains("The secret: not kept"), "{}", shown.out);
    home.run(&["verify"]).ends_with(0);
}

/// The record's commands, typed into a shell against a repository that somebody serves.
#[cfg(unix)]
fn rewrite(secret: &str, lines: u32) -> Tree {
    let home = Home::of_lines(secret, lines);
    let record = home.run(&["export", "KS-20260131-1", "--format", "json"]);
    let record: serde_json::Value = serde_json::from_str(&record.ends_with(0).out).unwrap();
    let todo = record["todo"].as_array().unwrap();
    let commands = |todo: &serde_json::Value| -> Vec<String> {
        let all = todo["commands"].as_array().into_iter().flatten();
        all.map(|line| line.as_str().unwrap().to_owned()).collect()
    };
    let commands = todo.iter().map(commands);
    let mut commands = commands
        .filter(|all| all.iter().any(|line| line.contains("filter-repo")))
        .collect::<Vec<_>>()
        .remove(0);
    assert_eq!(commands[0], "url='ADDRESS OF THE REPOSITORY'");

    let tree = Tree::new();
    let work = Tree::new().with("app.env", format!("TOKEN={secret}\n"));
    work.write("README", "It needs a token.\n");
    work.commit(&format!("Add {}", secret.lines().next().unwrap()));
    work.write("app.env", "TOKEN=\n");
    work.commit("Remove it");
    let served = tree.path().join("served.git");
    let cloned = std::process::Command::new("git")
        .args(["clone", "-q", "--bare"])
        .args([work.path(), &served])
        .status();
    assert!(cloned.unwrap().success());
    commands[0] = format!("url='{}'", served.display());
    commands.insert(0, "set -e; stty() { :; }".to_owned());
    let bin = assert_cmd::cargo::cargo_bin!("keysweep");
    let path = std::env::var("PATH").unwrap();
    let mut shell = assert_cmd::Command::new("/bin/sh");
    shell
        .args(["-c", &commands.join("\n")])
        .current_dir(tree.path())
        .env(
            "PATH",
            format!("{}:{path}", bin.parent().unwrap().display()),
        )
        .env("HOME", home.folder.path())
        .write_stdin(format!("{secret}\n"));
    Run::of(&mut shell).ends_with(0);
    let replace = tree.path().join("replace.txt");
    assert!(!replace.exists());
    // Where it fails, as where there is no repository, the secret does not stay behind.
    if let Some(line) = commands.iter().find(|line| line.contains("--replace-text")) {
        fs::write(&replace, secret).unwrap();
        let empty = tree.path().join("empty");
        fs::create_dir(&empty).unwrap();
        let mut shell = assert_cmd::Command::new("/bin/sh");
        let run = Run::of(shell.args(["-c", line]).current_dir(&empty));
        assert_ne!(run.code, 0, "{}", run.out);
        assert!(!replace.exists());
    }
    tree
}

/// All that is reachable in the repository that [`rewrite`] serves.
#[cfg(unix)]
fn history(tree: &Tree) -> String {
    let output = std::process::Command::new("git")
        .args([
            "--git-dir",
            "served.git",
            "log",
            "--all",
            "-p",
            "--format=%B",
        ])
        .current_dir(tree.path())
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[cfg(unix)]
#[test]
#[ignore = "needs git-filter-repo; run by ./test.sh"]
fn the_records_commands_take_a_secret_out_of_a_history() {
    let secret = fake::github_pat(7);
    let told = history(&rewrite(&secret, 1));
    assert!(!told.contains(&*secret), "{told}");
    assert!(told.contains("TOKEN=***REMOVED***"), "{told}");
    assert!(told.contains("Add ***REMOVED***"), "{told}");
    // What takes several lines goes with its file.
    let told = history(&rewrite("first line\nsecond line", 2));
    assert!(!told.contains("second line"), "{told}");
    assert!(!told.contains("app.env"), "{told}");
    assert!(told.contains("It needs a token."), "{told}");
}
