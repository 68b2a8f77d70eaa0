//! What every test needs: a temporary tree, a run of the built program, and fake secrets.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "support code of one program: no test uses all of it"
)]

pub mod fake;
#[cfg(feature = "online")]
pub mod http;
pub mod repo;
pub mod schema;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use assert_cmd::Command;
use keysweep::model::Finding;
use keysweep::rule::RuleSet;
use keysweep::scan::{Engine, Options, PUBLISHED_SALT, Scratch, merge, scan_bytes};
use serde_json::Value;

/// A temporary folder that is gone when the test is over.
pub struct Tree {
    folder: tempfile::TempDir,
}

impl Tree {
    /// An empty folder.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("tree").tempdir().unwrap();
        Self { folder }
    }

    /// The folder with one more file; folders on the way are made.
    pub fn with(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.write(path, content);
        self
    }

    /// Writes a file below the folder.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Where the folder is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Makes the folder a repository.
    pub fn repository(&self) -> git2::Repository {
        git2::Repository::init(self.path()).unwrap()
    }

    /// Commits all files of the folder, as Jo on 2026-01-01, and gives the commit's id; the folder becomes a repository.
    pub fn commit(&self, message: &str) -> String {
        let repository = self.repository();
        let mut index = repository.index().unwrap();
        index
            .add_all(["*"], git2::IndexAddOption::DEFAULT, None)
            .unwrap();
        index.update_all(["*"], None).unwrap();
        index.write().unwrap();
        let content = repository.find_tree(index.write_tree().unwrap()).unwrap();
        let date = git2::Time::new(1_767_225_600, 0);
        let who = git2::Signature::new("Jo", "jo@example.org", &date).unwrap();
        let head = repository.head().ok().and_then(|h| h.peel_to_commit().ok());
        let parents: Vec<&git2::Commit<'_>> = head.iter().collect();
        let id = repository.commit(Some("HEAD"), &who, &who, message, &content, &parents);
        id.unwrap().to_string()
    }

    /// Runs `keysweep scan` in the folder, with these arguments behind it.
    pub fn scan(&self, arguments: &[&str]) -> Run {
        let whole: Vec<&str> = ["scan", "--format", "jsonl"]
            .iter()
            .chain(arguments)
            .copied()
            .collect();
        self.run(&whole)
    }

    /// Runs the program in the folder.
    pub fn run(&self, arguments: &[&str]) -> Run {
        Run::of(program().current_dir(self.path()).args(arguments))
    }
}

/// The built program with an empty environment, stopped after two minutes.
pub fn program() -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("keysweep"));
    command
        .env_clear()
        .timeout(std::time::Duration::from_secs(120));
    command
}

/// How a run of the program ended.
pub struct Run {
    /// The exit code.
    pub code: i32,
    /// The report.
    pub out: String,
    /// Everything else.
    pub err: String,
}

impl Run {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        Self {
            code: output.status.code().expect("it ended by itself"),
            out: String::from_utf8(output.stdout).expect("reports are UTF-8"),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The records of a `jsonl` report.
    pub fn records(&self, kind: &str) -> Vec<Value> {
        self.out
            .lines()
            .map(|line| {
                serde_json::from_str::<Value>(line)
                    .unwrap_or_else(|e| panic!("{e}: {line}\n{}", self.err))
            })
            .filter(|record| record["kind"] == kind)
            .collect()
    }

    /// The findings of a `jsonl` report.
    pub fn findings(&self) -> Vec<Value> {
        self.records("finding")
    }

    /// The one finding.
    pub fn only_finding(&self) -> Value {
        let mut all = self.findings();
        assert_eq!(all.len(), 1, "{}{}", self.out, self.err);
        all.remove(0)
    }

    /// The rules of the findings, in the report's order.
    pub fn rules(&self) -> Vec<String> {
        self.findings()
            .iter()
            .map(|f| f["rule"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The paths that hold findings, sorted, each once.
    pub fn paths(&self) -> Vec<String> {
        let places = self
            .findings()
            .into_iter()
            .flat_map(|f| f["places"].as_array().unwrap().clone());
        let all: std::collections::BTreeSet<String> = places
            .map(|p| p["path"].as_str().unwrap().to_owned())
            .collect();
        all.into_iter().collect()
    }

    /// The summary record.
    pub fn summary(&self) -> Value {
        self.records("summary")
            .pop()
            .unwrap_or_else(|| panic!("no summary: {}{}", self.out, self.err))
    }

    /// Fails if the text stands in what was printed.
    #[track_caller]
    pub fn hides(&self, secret: &str) {
        assert!(
            !self.out.contains(secret),
            "the report shows a secret:\n{}",
            self.out
        );
        assert!(
            !self.err.contains(secret),
            "the messages show a secret:\n{}",
            self.err
        );
    }

    /// Fails if the exit code is another.
    #[track_caller]
    pub fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code\n{}\n{}", self.out, self.err);
        self
    }
}

/// The engine with the built-in rules, made once.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(RuleSet::builtin().unwrap()).unwrap())
}

/// What the library finds in a text.
pub fn found(path: &str, text: &[u8], options: &Options) -> Vec<Finding> {
    let outcome = scan_bytes(
        engine(),
        text,
        path.as_bytes(),
        options,
        &mut Scratch::default(),
    );
    merge(engine().rules(), outcome.matches, PUBLISHED_SALT).findings
}

/// A file of the repository.
pub fn repository_file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
