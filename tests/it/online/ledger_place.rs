//! Where a ledger may be: what only looks makes none, and what is no file stays as it is.

use std::fs;
#[cfg(unix)]
use std::path::Path;
use std::path::PathBuf;

use jiff::Timestamp;
use keysweep::ledger::{Kek, Ledger, NewIncident};

use crate::support::{Run, program};

/// A home folder, and a folder to work in.
struct Place {
    home: tempfile::TempDir,
    work: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
            work: tempfile::tempdir().unwrap(),
        }
    }

    fn data(&self) -> PathBuf {
        self.home.path().join(".local/share/keysweep")
    }

    #[cfg(unix)]
    fn work(&self, name: &str) -> PathBuf {
        self.work.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Run {
        self.with(arguments, &[])
    }

    /// With these variables.
    fn with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
        let mut command = program();
        command
            .current_dir(self.work.path())
            .env("HOME", self.home.path())
            .envs(variables.iter().copied())
            .args(arguments);
        Run::of(&mut command)
    }

    /// Everything that lies in both folders.
    fn files(&self) -> Vec<PathBuf> {
        let mut all = Vec::new();
        let mut folders = vec![self.home.path().to_owned(), self.work.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path.clone());
                }
                all.push(path);
            }
        }
        all.sort();
        all
    }

    /// A ledger with an incident, where the user's is.
    fn fill(&self) -> String {
        let at = Timestamp::from_second(1_769_850_000).unwrap();
        let kek = Kek::from_file(&self.data().join("ledger.key"), true).unwrap();
        let ledger = Ledger::open(&self.data().join("ledger.sqlite"), &kek, at).unwrap();
        let incident = ledger.begin(&NewIncident::default(), at).unwrap().incident;
        incident.to_string()
    }
}

/// Commands that work on a ledger that is there.
const ON_ONE: [&[&str]; 8] = [
    &["recheck"],
    &["recheck", "KS-20260131-1"],
    &["respond", "--resume"],
    &["respond", "--resume", "KS-20260131-1", "--yes"],
    &["incidents", "show", "KS-20260131-1"],
    &["incidents", "export", "KS-20260131-1"],
    &["incidents", "forget", "KS-20260131-1"],
    &["incidents", "verify"],
];

#[test]
fn what_works_on_a_ledger_makes_none() {
    let place = Place::new();
    let usual = place.data().join("ledger.sqlite");
    for command in ON_ONE {
        let run = place.run(command).ends_with(2);
        let told = format!("there is no ledger at {}", usual.display());
        assert!(run.err.contains(&told), "{command:?}: {}", run.err);
        let typo = [command, &["--ledger", "typo.sqlite"]].concat();
        let run = place.run(&typo).ends_with(2);
        assert!(
            run.err.contains("there is no ledger at typo.sqlite"),
            "{command:?}: {}",
            run.err
        );
        assert_eq!(run.out, "", "{command:?}");
    }
    // A list of nothing is one; of a ledger that was named it would hide a slip of the finger.
    let list = place.run(&["incidents", "list"]).ends_with(0);
    assert!(list.err.contains("there is no ledger at"), "{}", list.err);
    assert_eq!(list.out, "");
    let list = place.run(&["incidents", "list", "--format", "json"]);
    assert_eq!(list.ends_with(0).out.trim(), "[]");
    let list = place
        .run(&["incidents", "list", "--ledger", "typo.sqlite"])
        .ends_with(2);
    assert!(
        list.err.contains("there is no ledger at typo"),
        "{}",
        list.err
    );
    assert_eq!(place.files(), [] as [PathBuf; 0]);

    // What is there is found from another folder, and not by another HOME.
    let id = place.fill();
    place.run(&["recheck", &id]).ends_with(2);
    let other = tempfile::tempdir().unwrap();
    let home = other.path().to_str().unwrap();
    place.with(&["recheck"], &[("HOME", home)]).ends_with(2);
    assert_eq!(fs::read_dir(other.path()).unwrap().count(), 0);
}

#[test]
fn what_was_left_half_made_is_no_ledger_and_stays_as_it_is() {
    let place = Place::new();
    fs::create_dir_all(place.data()).unwrap();
    let ledger = place.data().join("ledger.sqlite");
    Kek::from_file(&place.data().join("ledger.key"), true).unwrap();
    // What a disk that was full left: the head of a database, and nothing in it.
    let half = rusqlite::Connection::open(&ledger).unwrap();
    half.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))
        .unwrap();
    drop(half);
    let before = fs::read(&ledger).unwrap();
    assert!(!before.is_empty());
    for command in ON_ONE {
        let run = place.run(command).ends_with(2);
        assert!(
            run.err.contains("there is no ledger"),
            "{command:?}: {}",
            run.err
        );
    }
    let list = place.run(&["incidents", "list"]).ends_with(0);
    assert!(list.err.contains("there is no ledger"), "{}", list.err);
    assert_eq!(fs::read(&ledger).unwrap(), before);
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_nowhere_is_no_place_for_a_ledger() {
    let place = Place::new();
    fs::create_dir_all(place.data()).unwrap();
    let ledger = place.data().join("ledger.sqlite");
    std::os::unix::fs::symlink("nowhere.sqlite", &ledger).unwrap();
    for command in ON_ONE {
        let run = place.run(command).ends_with(2);
        assert!(
            run.err.contains("a link to what is not there"),
            "{}",
            run.err
        );
    }
    assert_eq!(fs::read_dir(place.data()).unwrap().count(), 1);
}

/// Only root can give files away.
#[cfg(unix)]
#[test]
fn a_file_of_another_user_is_neither_ledger_nor_key() {
    use std::os::unix::fs::chown;

    for name in ["ledger.sqlite", "ledger.sqlite-wal", "ledger.key"] {
        let place = Place::new();
        place.fill();
        let file = place.data().join(name);
        if !file.exists() {
            fs::write(&file, "").unwrap();
        }
        if chown(&file, Some(12_345), None).is_err() {
            return;
        }
        for command in ON_ONE.iter().chain([&["incidents", "list"][..]].iter()) {
            let run = place.run(command).ends_with(2);
            assert!(
                run.err.contains("belongs to another user"),
                "{name}: {command:?}: {}",
                run.err
            );
        }
    }
}

#[test]
fn a_home_that_is_no_absolute_path_is_no_place_for_a_ledger() {
    let place = Place::new();
    for command in ON_ONE.iter().chain(&[&["incidents", "list"][..]]) {
        let run = place.with(command, &[("HOME", "relative")]).ends_with(2);
        assert!(
            run.err.contains("HOME is no absolute path") && run.err.contains("--ledger"),
            "{command:?}: {}",
            run.err
        );
    }
    assert_eq!(place.files(), [] as [PathBuf; 0]);
    // One that is named is where it is named.
    place.fill();
    let named = place.data().join("ledger.sqlite");
    let list = ["incidents", "list", "--ledger", named.to_str().unwrap()];
    place.with(&list, &[("HOME", "relative")]).ends_with(0);
}

#[test]
fn a_key_that_is_empty_or_of_another_ledger_is_to_be_put_back() {
    let place = Place::new();
    place.fill();
    let key = place.data().join("ledger.key");
    let text = fs::read_to_string(&key).unwrap();
    for wrong in ["", "c2hvcnQ=\n"] {
        fs::write(&key, wrong).unwrap();
        for command in [&["incidents", "list"][..], &["recheck"]] {
            let run = place.run(command).ends_with(2);
            assert!(run.err.contains("put the key of then back"), "{}", run.err);
        }
        assert_eq!(fs::read_to_string(&key).unwrap(), wrong);
    }
    fs::write(&key, text).unwrap();
    place.run(&["incidents", "list"]).ends_with(0);
}

/// Mode, size and time of what a name stands for.
#[cfg(unix)]
fn state(path: &Path) -> (u32, u64, Option<std::time::SystemTime>) {
    use std::os::unix::fs::PermissionsExt as _;
    let meta = fs::metadata(path).unwrap();
    (meta.permissions().mode(), meta.len(), meta.modified().ok())
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_no_ledger_and_no_key_and_stays_as_it_is() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let place = Place::new();
    let id = place.fill();
    fs::create_dir(place.work("folder")).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(place.work("pipe"))
        .status();
    assert!(made.unwrap().success());
    fs::write(place.work("notes.txt"), "mine").unwrap();
    let readable = fs::Permissions::from_mode(0o644);
    fs::set_permissions(place.work("notes.txt"), readable).unwrap();
    for (name, target) in [
        ("to-null", Path::new("/dev/null")),
        ("to-pipe", Path::new("pipe")),
        ("to-notes", Path::new("notes.txt")),
        ("to-nothing", Path::new("nothing")),
    ] {
        symlink(target, place.work(name)).unwrap();
    }
    let devices = ["/dev/null", "/dev/full", "/dev/zero", "/dev/tty"];
    let others = ["folder", "pipe", "to-null", "to-pipe"];
    let files = place.files();
    for name in devices.iter().chain(&others) {
        let before = state(&place.work(name));
        for command in ON_ONE.iter().chain(&[&["incidents", "list"][..]]) {
            let run = place
                .run(&[command, &["--ledger", name][..]].concat())
                .ends_with(2);
            let told = format!("{name}: this is no file, and a ledger is one");
            assert!(run.err.contains(&told), "{command:?}: {}", run.err);
        }
        // The same for its key.
        let path = place.work(name);
        let config = format!("[ledger]\nkey = {{ file = \"{}\" }}\n", path.display());
        fs::write(place.home.path().join("key.toml"), config).unwrap();
        let config = place.home.path().join("key.toml");
        let with_key = ["--config", config.to_str().unwrap()];
        for command in [&["recheck", &id][..], &["incidents", "list"]] {
            let run = place.run(&[command, &with_key].concat()).ends_with(2);
            assert!(
                run.err
                    .contains("this is no file, and a ledger's key stands in one"),
                "{name} {command:?}: {}",
                run.err
            );
        }
        fs::remove_file(config).unwrap();
        assert_eq!(state(&place.work(name)), before, "{name}");
    }
    // A file of another kind is told, and stays as it is, through a link as well.
    for name in ["notes.txt", "to-notes"] {
        for command in ON_ONE {
            let run = place
                .run(&[command, &["--ledger", name]].concat())
                .ends_with(2);
            assert!(run.err.contains(name), "{command:?}: {}", run.err);
        }
    }
    assert_eq!(fs::read_to_string(place.work("notes.txt")).unwrap(), "mine");
    assert_eq!(state(&place.work("notes.txt")).0 & 0o777, 0o644);
    let run = place
        .run(&["recheck", "--ledger", "to-nothing"])
        .ends_with(2);
    let told = "to-nothing: this is a link to what is not there";
    assert!(run.err.contains(told), "{}", run.err);
    let made: Vec<PathBuf> = place.files();
    let made = made.iter().filter(|path| !files.contains(path));
    let made: Vec<&PathBuf> = made
        .filter(|p| p.extension().is_none_or(|e| e != "key"))
        .collect();
    assert!(made.is_empty(), "{made:?}");
}
