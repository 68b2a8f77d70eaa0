//! What `keysweep git` keeps between runs: results do not depend on it, it holds no secret, and damage to it is nothing.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Run, fake, program};

/// A repository and a folder for caches.
struct Fixture {
    folder: tempfile::TempDir,
    time: u64,
    random: fake::Rng,
}

impl Fixture {
    fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fixture = Self {
            folder,
            time: 1_700_000_000,
            random: fake::Rng::new(seed),
        };
        fs::create_dir(fixture.repo()).unwrap();
        fixture.git(&["init", "-q", "-b", "main"]);
        fixture
    }

    fn repo(&self) -> PathBuf {
        self.folder.path().join("repo")
    }

    fn caches(&self) -> PathBuf {
        self.folder.path().join("caches")
    }

    fn git(&self, arguments: &[&str]) -> String {
        let date = format!("{} +0000", self.time);
        let output = std::process::Command::new("git")
            .args(["-c", "gc.auto=0", "-c", "maintenance.auto=false"])
            .args(["-c", "user.name=A", "-c", "user.email=a@example.org"])
            .args(arguments)
            .current_dir(self.repo())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_DATE", &date)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {errors}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn commit(&mut self, path: &str, content: &str) {
        let file = self.repo().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
        self.time += 3600;
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", path]);
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let run = Run::of(
            program()
                .args(["git", "-v", "--format", "jsonl"])
                .args(arguments)
                .env("XDG_CACHE_HOME", self.caches())
                .env("HOME", self.folder.path())
                .current_dir(self.repo()),
        );
        assert!(run.code < 2, "{}{}", run.out, run.err);
        run
    }

    /// The report of a run with the cache, which has to be that of one without.
    #[track_caller]
    fn check(&self, arguments: &[&str]) -> Run {
        let with = self.run(arguments);
        let without = self.run(&[arguments, &["--no-cache"]].concat());
        assert_eq!(timeless(&with.out), timeless(&without.out), "{}", with.err);
        with
    }

    fn file(&self) -> PathBuf {
        let list = fs::read_dir(self.caches().join("keysweep")).unwrap();
        let mut files: Vec<PathBuf> = list.map(|file| file.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        files.remove(0)
    }
}

/// A report without what it says of the run's speed.
fn timeless(report: &str) -> Vec<serde_json::Value> {
    let rows = report.lines().map(|line| {
        let mut row: serde_json::Value = serde_json::from_str(line).unwrap();
        if let Some(row) = row.as_object_mut() {
            row.remove("seconds");
            row.remove("bytes_per_second");
            row.remove("finished");
        }
        row
    });
    rows.collect()
}

/// A few commits with secrets in files, a message, a name and a tag.
fn planted() -> (Fixture, Vec<String>) {
    let mut fixture = Fixture::new(1);
    let password = format!("{}{}", "kv9Tq2", "xW7mRz4Lp");
    let keys = vec![
        fake::github_pat(1),
        fake::npm_token(2),
        fake::gitlab_pat(3),
        fake::github_pat(4),
        password.clone(),
    ];
    fixture.commit("src/a.env", &format!("TOKEN={}\n", keys[0]));
    fixture.commit("src/b.txt", &format!("x\nnpm {}\n", keys[1]));
    fixture.commit("src/db.py", &format!("password = \"{password}\"\n"));
    fixture.commit(&format!("keys/{}", keys[2]), "empty\n");
    fixture.commit(
        &format!("named/{password}.txt"),
        "a name that holds what a file does\n",
    );
    fixture.commit(
        &format!("copy/{password}.txt"),
        &format!("token: {}\n", keys[0]),
    );
    fixture.commit("src/a.env", "TOKEN=\n");
    fixture.git(&["tag", "-a", "v1", "-m", &format!("with {}", keys[3])]);
    (fixture, keys)
}

#[test]
fn the_file_holds_no_secret_and_is_the_users_alone() {
    let (mut fixture, keys) = planted();
    let first = fixture.check(&[]);
    assert!(first.findings().len() >= 4, "{}", first.out);
    let look = |fixture: &Fixture| {
        let bytes = fs::read(fixture.file()).unwrap();
        for key in &keys {
            for piece in key.as_bytes().windows(8) {
                assert!(memchr_find(&bytes, piece).is_none(), "{key}");
            }
        }
        bytes
    };
    let cold = look(&fixture);
    fixture.check(&[]);
    assert_eq!(cold, look(&fixture), "nothing new, nothing written");
    // Names that come later are not compared with secrets that are not known any more.
    fixture.commit(
        &format!("later/{}.txt", keys[4]),
        &format!("token: {}\n", keys[0]),
    );
    fixture.check(&[]);
    assert_ne!(cold, look(&fixture));
    fixture.check(&["--all-objects"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&fixture.file()), 0o600);
        assert_eq!(mode(&fixture.caches().join("keysweep")), 0o700);
    }
}

fn memchr_find(bytes: &[u8], piece: &[u8]) -> Option<usize> {
    bytes
        .windows(piece.len())
        .position(|window| window == piece)
}

#[test]
fn results_are_those_of_a_run_without_it_while_a_repository_grows() {
    for seed in 1..=3 {
        let mut fixture = Fixture::new(seed);
        let mut branches = vec!["main".to_owned()];
        fixture.commit("README", "nothing\n");
        for step in 0..36 {
            let (a, b) = (fixture.random.below(4), fixture.random.below(5));
            let key = fake::github_pat(seed * 7 + fixture.random.below(6) as u64);
            match fixture.random.below(14) {
                0 => fixture.commit(&format!("d{a}/f{b}.txt"), "nothing\n"),
                1 => {
                    let name = format!("b{step}");
                    fixture.git(&["checkout", "-q", "-b", &name]);
                    branches.push(name);
                }
                2 => {
                    let name = branches[fixture.random.below(branches.len())].clone();
                    fixture.git(&["checkout", "-q", "-f", &name]);
                }
                3 => {
                    let name = branches[fixture.random.below(branches.len())].clone();
                    fixture.time += 3600;
                    fixture.git(&["merge", "-q", "-X", "ours", "--no-edit", &name]);
                }
                4 if branches.len() > 1 => {
                    let name = branches.pop().unwrap();
                    fixture.git(&["checkout", "-q", "-f", "main"]);
                    fixture.git(&["branch", "-q", "-D", &name]);
                }
                5 => drop(fixture.git(&["reset", "-q", "--hard", "HEAD^0"])),
                6 => {
                    fixture.time += 60;
                    fixture.git(&["commit", "-q", "--amend", "--allow-empty", "-m", &key]);
                }
                7 => drop(fixture.git(&["gc", "-q"])),
                8 => drop(fixture.git(&["repack", "-q", "-d"])),
                9 => drop(fixture.git(&["gc", "-q", "--prune=now"])),
                10 => {
                    fixture.time += 60;
                    fixture.git(&["tag", "-f", "-a", &format!("t{a}"), "-m", &key]);
                }
                11 => {
                    // A blob that no tree names yet.
                    fs::write(fixture.repo().join("stray"), format!("stray {key}\n")).unwrap();
                    fixture.git(&["hash-object", "-w", "stray"]);
                }
                12 => fixture.commit(&format!("d{a}/{key}"), "named\n"),
                _ => fixture.commit(
                    &format!("d{a}/f{b}.txt"),
                    &format!("line\nx={key}\n{step}\n"),
                ),
            }
            if fixture.random.below(3) > 0 {
                let arguments: &[&str] = match fixture.random.below(6) {
                    0 => &["--all-objects"],
                    1 => &["--branch", "main"],
                    _ => &[],
                };
                fixture.check(arguments);
            }
        }
    }
}

#[test]
fn a_damaged_file_is_as_good_as_none() {
    let (fixture, _) = planted();
    let expected = timeless(&fixture.check(&[]).out);
    let whole = fs::read(fixture.file()).unwrap();
    let mut random = fake::Rng::new(5);
    for turn in 0..24 {
        let mut bytes = whole.clone();
        let at = random.below(bytes.len());
        if turn % 2 == 0 {
            bytes[at] ^= 1 << random.below(8);
        } else {
            bytes.truncate(at);
        }
        fs::write(fixture.file(), &bytes).unwrap();
        let run = fixture.run(&[]);
        assert_eq!(timeless(&run.out), expected);
        // The list of objects is looked at when it is asked for.
        let told = ["cache: not used", "cache: it does not fit"];
        let is_told = told.iter().any(|words| run.err.contains(words));
        assert!(is_told, "{at} {}", run.err);
        assert_eq!(
            fs::read(fixture.file()).unwrap().len(),
            whole.len(),
            "rebuilt"
        );
    }
}

#[test]
fn other_rules_and_options_have_files_of_their_own() {
    let (fixture, _) = planted();
    fixture.check(&[]);
    for arguments in [
        &["--disable", "github-pat-classic"][..],
        &["--no-metadata"],
        &["--show-suppressed"],
        &["--no-inline-allow"],
        &["--show-secrets"],
        &["--since", "HEAD~2"],
        &["--threads", "1"],
    ] {
        fixture.check(arguments);
        let again = fixture.check(arguments);
        assert!(!again.err.contains("cache"), "{}", again.err);
    }
    let files = fs::read_dir(fixture.caches().join("keysweep")).unwrap();
    assert_eq!(files.count(), 4, "the newest few are kept");
}

#[test]
fn two_runs_at_once_leave_a_whole_file() {
    let (fixture, _) = planted();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| fixture.check(&[]));
        }
    });
    let run = fixture.check(&[]);
    assert!(!run.err.contains("cache"), "{}", run.err);
    fixture.file();
}

#[cfg(unix)]
#[test]
fn links_and_open_folders_are_refused() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let (fixture, _) = planted();
    fixture.check(&[]);
    let folder = fixture.caches().join("keysweep");
    let mode = |mode| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();

    mode(0o777);
    let run = fixture.check(&[]);
    assert!(
        run.err.contains("others may write to its folder"),
        "{}",
        run.err
    );
    mode(0o700);

    let file = fixture.file();
    let elsewhere = fixture.folder.path().join("elsewhere");
    fs::rename(&file, &elsewhere).unwrap();
    symlink(&elsewhere, &file).unwrap();
    let before = fs::read(&elsewhere).unwrap();
    let run = fixture.check(&[]);
    assert!(run.err.contains("it is a link"), "{}", run.err);
    assert_eq!(fs::read(&elsewhere).unwrap(), before);
    assert!(fs::symlink_metadata(&file).unwrap().is_file(), "replaced");

    let real = fixture.folder.path().join("real");
    fs::rename(&folder, &real).unwrap();
    symlink(&real, &folder).unwrap();
    let run = fixture.check(&[]);
    assert!(run.err.contains("its folder is a link"), "{}", run.err);

    fs::remove_file(&folder).unwrap();
    fs::write(&folder, "a file").unwrap();
    let run = fixture.check(&[]);
    assert!(run.err.contains("cache: not"), "{}", run.err);
}

/// Runs a test's step as an ordinary user: only root can, anyone else is one.
#[cfg(unix)]
fn ordinary(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt;
    if is_root() {
        command.uid(ORDINARY).gid(ORDINARY);
    }
}

/// Nobody's number on most systems.
#[cfg(unix)]
const ORDINARY: u32 = 65_534;

#[cfg(unix)]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    let own = tempfile::tempdir().unwrap();
    fs::metadata(own.path()).unwrap().uid() == 0
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_to_is_said_and_no_trouble() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let (fixture, _) = planted();
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let folder = fixture.caches().join("keysweep");
    fs::create_dir_all(&folder).unwrap();
    if is_root() {
        // The repository is to be the ordinary user's, as for everyone else.
        for entry in walk(fixture.folder.path()) {
            std::os::unix::fs::lchown(&entry, Some(ORDINARY), Some(ORDINARY)).unwrap();
        }
    }
    mode(&folder, 0o500);
    // The original may be out of an ordinary user's reach; a program must not be open for writing when it starts, so
    // another process copies it.
    let copy = fixture.folder.path().join("program");
    let copied = std::process::Command::new("cp")
        .arg(assert_cmd::cargo::cargo_bin!("keysweep"))
        .arg(&copy)
        .status();
    assert!(copied.unwrap().success());
    mode(fixture.folder.path(), 0o755);
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(&copy);
        command
            .args(["git", "-v", "--format", "jsonl"])
            .args(arguments)
            .env_clear()
            .env("XDG_CACHE_HOME", fixture.caches())
            .env("HOME", fixture.folder.path())
            .current_dir(fixture.repo());
        ordinary(&mut command);
        Run::of(&mut assert_cmd::Command::from_std(command))
    };
    let with = run(&[]);
    assert_eq!(with.code, 1, "{}", with.err);
    assert!(with.err.contains("cache: not written"), "{}", with.err);
    assert_eq!(timeless(&with.out), timeless(&run(&["--no-cache"]).out));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);

    if is_root() {
        // A folder that is somebody else's may hold anything.
        mode(&folder, 0o755);
        chown(&folder, Some(ORDINARY + 1), None).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().uid(), ORDINARY + 1);
        let other = run(&[]);
        assert_eq!(other.code, 1, "{}", other.err);
        assert!(
            other.err.contains("belongs to somebody else"),
            "{}",
            other.err
        );
        assert_eq!(timeless(&other.out), timeless(&with.out));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }
}

/// A folder and all in it.
#[cfg(unix)]
fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut all = vec![folder.to_owned()];
    let mut next = 0;
    while next < all.len() {
        if fs::symlink_metadata(&all[next]).unwrap().is_dir() {
            let list = fs::read_dir(&all[next]).unwrap();
            all.extend(list.map(|entry| entry.unwrap().path()));
        }
        next += 1;
    }
    all
}

#[test]
fn a_run_with_gaps_leaves_nothing() {
    let (fixture, _) = planted();
    let id = fixture.git(&["rev-parse", "HEAD:src/b.txt"]);
    let path = fixture
        .repo()
        .join(".git/objects")
        .join(&id[..2])
        .join(&id[2..]);
    fs::remove_file(&path).unwrap();
    fs::write(&path, "not an object").unwrap();
    let run = Run::of(
        program()
            .args(["git", "--format", "jsonl"])
            .env("XDG_CACHE_HOME", fixture.caches())
            .env("HOME", fixture.folder.path())
            .current_dir(fixture.repo()),
    );
    assert_eq!(run.code, 2, "{}{}", run.out, run.err);
    assert!(!fixture.caches().join("keysweep").exists());
}
