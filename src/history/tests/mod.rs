//! Tests on repositories that git made, and on ones made to hurt.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod diffs;
mod hostile;
mod layout;

use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::model::Oid;
use crate::pack::Db;

/// A repository in a folder that goes with it.
struct Git {
    folder: tempfile::TempDir,
}

impl Git {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let git = Self { folder };
        git.run(&[&["init", "-q", "-b", "main"], options].concat());
        git
    }

    fn path(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    fn dot_git(&self) -> PathBuf {
        self.path().join(".git")
    }

    fn run(&self, arguments: &[&str]) -> String {
        run(&self.path(), arguments)
    }

    fn write(&self, name: &str, content: &str) {
        write(&self.path().join(name), content);
    }

    /// Writes a file, commits everything, and gives the commit.
    fn commit(&self, name: &str, content: &str) -> Oid {
        self.write(name, content);
        self.run(&["add", "-A"]);
        self.run(&["commit", "-qm", name, "--allow-empty"]);
        self.id("HEAD")
    }

    fn id(&self, revision: &str) -> Oid {
        self.run(&["rev-parse", revision]).trim().parse().unwrap()
    }

    fn open(&self) -> Repo {
        Repo::discover(&self.path(), &Trust::default()).unwrap()
    }
}

fn write(path: &Path, content: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

fn run(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .args([
            "-c",
            "protocol.file.allow=always",
            "-c",
            "maintenance.auto=false",
            "-c",
            "gc.auto=0",
            "-c",
            "user.name=A",
            "-c",
            "user.email=a@b.c",
        ])
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_DATE", "1700000000 +0000")
        .env("GIT_COMMITTER_DATE", "1700000000 +0000")
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// The repository is named by its owner.
fn mine() -> Trust {
    Trust {
        named: true,
        uid: Some(uid(&tempfile::tempdir().unwrap().path().join("."))),
        ..Trust::default()
    }
}

fn uid(path: &Path) -> u32 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).unwrap().uid()
}

fn fifo(path: &Path) {
    let _ = std::fs::remove_file(path);
    let status = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(status.success());
}

fn db(repo: &Repo) -> Db {
    let (db, errors) = repo.objects();
    assert!(errors.is_empty(), "{errors:?}");
    db
}

/// Small numbers that look random.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}
