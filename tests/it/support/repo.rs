//! Repositories that git makes in a temporary folder, dates fixed, and packs made byte by byte.

use std::cell::Cell;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use sha1::{Digest as _, Sha1};

use super::{Run, program};

/// 2024-01-01, the day of a repository's first commit. Each commit is a day after the one before.
pub const FIRST_DAY: u64 = 1_704_067_200;
/// Seconds of a day.
pub const DAY: u64 = 86_400;

/// A repository in a folder of its own; `work` below it is the working tree, so that there is room beside it.
pub struct Repo {
    folder: tempfile::TempDir,
    day: Cell<u64>,
}

impl Repo {
    /// An empty repository, on the branch `main`.
    pub fn new() -> Self {
        let repo = Self::folder();
        repo.git_in(".", &["init", "-q", "-b", "main", "work"]);
        repo
    }

    /// The folder alone.
    pub fn folder() -> Self {
        let folder = tempfile::Builder::new().prefix("repo").tempdir().unwrap();
        Self {
            folder,
            day: Cell::new(0),
        }
    }

    /// A path beside the working tree.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    /// The working tree.
    pub fn path(&self) -> PathBuf {
        self.beside("work")
    }

    /// Its `.git`.
    pub fn dot_git(&self) -> PathBuf {
        self.path().join(".git")
    }

    /// Runs git in the working tree.
    #[track_caller]
    pub fn git(&self, arguments: &[&str]) -> String {
        self.git_in("work", arguments)
    }

    /// Runs git in a folder beside the working tree.
    #[track_caller]
    pub fn git_in(&self, folder: &str, arguments: &[&str]) -> String {
        let output = self.command(folder, arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Runs git and does not mind how it ends.
    pub fn try_git(&self, arguments: &[&str]) -> bool {
        let mut command = self.command("work", arguments);
        command.output().unwrap().status.success()
    }

    /// Runs git with something to read.
    #[track_caller]
    pub fn git_with(&self, arguments: &[&str], input: &[u8]) -> String {
        let mut command = self.command("work", arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "git {arguments:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn command(&self, folder: &str, arguments: &[&str]) -> Command {
        let date = format!("{} +0000", self.now());
        let mut command = Command::new("git");
        command
            .current_dir(self.beside(folder))
            .args(["-c", "protocol.file.allow=always"])
            .args(["-c", "gc.auto=0", "-c", "maintenance.auto=false"])
            .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.org"])
            .args(["-c", "advice.detachedHead=false"])
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_DATE", &date);
        command
    }

    /// The time of the next commit.
    pub fn now(&self) -> u64 {
        FIRST_DAY + self.day.get() * DAY
    }

    /// Lets days go by.
    pub fn wait(&self, days: u64) {
        self.day.set(self.day.get() + days);
    }

    /// Writes a file of the working tree.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        write(&self.path().join(path), content);
    }

    /// Reads a file of the working tree.
    pub fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.path().join(path)).unwrap()
    }

    /// Removes a file of the working tree.
    pub fn remove(&self, path: &str) {
        fs::remove_file(self.path().join(path)).unwrap();
    }

    /// Commits the working tree, whatever has changed, and gives the commit's id.
    #[track_caller]
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.wait(1);
        self.id("HEAD")
    }

    /// Writes a file and commits.
    #[track_caller]
    pub fn commit_file(&self, path: &str, content: impl AsRef<[u8]>) -> String {
        self.write(path, content);
        self.commit(path)
    }

    /// What a revision names.
    #[track_caller]
    pub fn id(&self, revision: &str) -> String {
        self.git(&["rev-parse", "--verify", revision])
    }

    /// Puts all objects into one new pack, those that nothing reaches as well.
    #[track_caller]
    pub fn repack(&self) {
        self.git(&["repack", "-qadfk", "--depth=50", "--window=50"]);
        self.git(&["prune-packed", "-q"]);
    }

    /// Packs of the repository, sorted.
    pub fn packs(&self) -> Vec<PathBuf> {
        packs(&self.dot_git())
    }

    /// The file of a loose object.
    pub fn loose(&self, id: &str) -> PathBuf {
        self.dot_git().join("objects").join(&id[..2]).join(&id[2..])
    }

    /// Runs `keysweep git` in the working tree.
    pub fn keysweep(&self, arguments: &[&str]) -> Run {
        self.keysweep_in("work", arguments)
    }

    /// Runs `keysweep git` in a folder beside it.
    pub fn keysweep_in(&self, folder: &str, arguments: &[&str]) -> Run {
        let run = Run::of(
            program()
                .current_dir(self.beside(folder))
                .args(["git", "--format", "jsonl"])
                .args(arguments),
        );
        assert!(!run.err.contains("panicked"), "{}", run.err);
        run
    }

    /// Runs a check as the repository is, after everything is in one pack, and with the pack's commits indexed.
    pub fn each_way(&self, check: impl Fn(&Self)) {
        check(self);
        self.repack();
        check(self);
        self.git(&["pack-refs", "--all"]);
        self.git(&["commit-graph", "write", "--reachable"]);
        check(self);
    }

    /// The report of the run without what depends on the clock.
    pub fn report(&self, arguments: &[&str]) -> (i32, String) {
        let run = self.keysweep(arguments);
        (run.code, timeless(&run.out))
    }
}

/// Writes a file, with the folders on the way.
pub fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Packs of a repository's own folder, sorted.
pub fn packs(git_dir: &Path) -> Vec<PathBuf> {
    let list = fs::read_dir(git_dir.join("objects/pack")).unwrap();
    let mut packs: Vec<PathBuf> = list.map(|file| file.unwrap().path()).collect();
    packs.retain(|path| path.extension().is_some_and(|e| e == "pack"));
    packs.sort();
    packs
}

/// A `jsonl` report without the times of its summary.
pub fn timeless(report: &str) -> String {
    let lines = report.lines().map(|line| {
        let at = line.find("\"seconds\":");
        at.filter(|_| line.contains("\"kind\":\"summary\""))
            .map_or(line, |at| {
                // `seconds`, `bytes_per_second` and `finished` stand side by side.
                let end = line.find("\"findings\":").unwrap_or(line.len());
                if end > at { &line[end..] } else { line }
            })
            .to_owned()
            + "\n"
    });
    lines.collect()
}

/// Days from a commit of a repository's `day` to now.
pub fn days_since(time: u64) -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    (now.unwrap().as_secs() - time) / DAY
}

/// The texts of a list.
pub fn texts(value: &Value) -> Vec<String> {
    let list = value.as_array().cloned().unwrap_or_default();
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    list.iter().map(text).collect()
}

/// What a finding says of its first place and of history.
#[derive(Debug, PartialEq, Eq)]
pub struct Said {
    pub rule: String,
    pub commit: String,
    pub at: String,
    pub in_head: bool,
    pub refs: Vec<String>,
}

impl Said {
    /// Of a finding in a report.
    #[track_caller]
    pub fn of(finding: &Value) -> Self {
        let text = |v: &Value| v.as_str().unwrap_or("-").to_owned();
        Self {
            rule: text(&finding["rule"]),
            commit: text(&finding["commit"]["id"]),
            at: format!("{}:{}", text(&finding["path"]), finding["line"]),
            in_head: finding["in_head"] == true,
            refs: texts(&finding["refs"]),
        }
    }

    /// What is expected.
    pub fn is(rule: &str, commit: &str, at: &str, in_head: bool, refs: &[&str]) -> Self {
        Self {
            rule: rule.to_owned(),
            commit: commit.to_owned(),
            at: at.to_owned(),
            in_head,
            refs: refs.iter().map(|name| (*name).to_owned()).collect(),
        }
    }
}

/// Runs the program and gives the most memory that it had at once, in bytes, beside how it ended.
pub fn watched(folder: &Path, arguments: &[&str]) -> (Run, u64, Duration) {
    let started = Instant::now();
    // Files, since nobody reads a pipe meanwhile.
    let (out, err) = (
        tempfile::NamedTempFile::new(),
        tempfile::NamedTempFile::new(),
    );
    let (out, err) = (out.unwrap(), err.unwrap());
    let mut child = Command::new(env!("CARGO_BIN_EXE_keysweep"))
        .current_dir(folder)
        .args(["git", "--format", "jsonl"])
        .args(arguments)
        .env_clear()
        .stdout(out.reopen().unwrap())
        .stderr(err.reopen().unwrap())
        .spawn()
        .unwrap();
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) << 10);
        if started.elapsed() > Duration::from_secs(90) {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let run = Run {
        code: child
            .wait()
            .unwrap()
            .code()
            .unwrap_or_else(|| panic!("{arguments:?} did not end by itself")),
        out: fs::read_to_string(out.path()).expect("reports are UTF-8"),
        err: fs::read_to_string(err.path()).expect("messages are UTF-8"),
    };
    assert!(!run.err.contains("panicked"), "{}", run.err);
    (run, peak, started.elapsed())
}

// ---------------------------------------------------------------------------------------------
// Objects and packs made byte by byte

/// An object's id.
pub fn id_of(kind: &str, bytes: &[u8]) -> [u8; 20] {
    let mut hash = Sha1::new();
    hash.update(format!("{kind} {}\0", bytes.len()));
    hash.update(bytes);
    hash.finalize().into()
}

/// An id as people write it.
pub fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A zlib stream.
pub fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

/// A zlib stream of very many zeros.
pub fn zeros(mut count: u64) -> Vec<u8> {
    let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    let block = vec![0; 1 << 20];
    while count > 0 {
        let part = count.min(block.len() as u64);
        out.write_all(&block[..part as usize]).unwrap();
        count -= part;
    }
    out.finish().unwrap()
}

/// Entry types of packs.
pub const BLOB: u8 = 3;
/// A delta on an entry further up.
pub const BEHIND: u8 = 6;
/// A delta on an id.
pub const ON: u8 = 7;

/// A pack under construction.
pub struct PackMaker {
    bytes: Vec<u8>,
    /// Id, offset, and the offset behind the entry.
    rows: Vec<([u8; 20], u64, u64)>,
}

impl PackMaker {
    pub fn new() -> Self {
        Self {
            bytes: [&b"PACK"[..], &2_u32.to_be_bytes(), &[0; 4]].concat(),
            rows: Vec::new(),
        }
    }

    /// Any header before any bytes; gives the entry's offset.
    pub fn raw(&mut self, id: [u8; 20], code: u8, size: u64, base: &[u8], stream: &[u8]) -> u64 {
        let offset = self.bytes.len() as u64;
        let mut rest = size >> 4;
        let more = |rest: u64| if rest > 0 { 0x80 } else { 0 };
        self.bytes.push(code << 4 | (size & 15) as u8 | more(rest));
        while rest > 0 {
            let byte = (rest & 0x7f) as u8;
            rest >>= 7;
            self.bytes.push(byte | more(rest));
        }
        self.bytes.extend_from_slice(base);
        self.bytes.extend_from_slice(stream);
        self.rows.push((id, offset, self.bytes.len() as u64));
        offset
    }

    pub fn blob(&mut self, bytes: &[u8]) -> u64 {
        let id = id_of("blob", bytes);
        self.raw(id, BLOB, bytes.len() as u64, b"", &deflated(bytes))
    }

    /// A delta on the entry at an offset.
    pub fn behind(&mut self, id: [u8; 20], base: u64, delta: &[u8]) -> u64 {
        let mut back = self.bytes.len() as u64 - base;
        let mut code = vec![(back & 0x7f) as u8];
        back >>= 7;
        while back > 0 {
            back -= 1;
            code.insert(0, 0x80 | (back & 0x7f) as u8);
            back >>= 7;
        }
        self.raw(id, BEHIND, delta.len() as u64, &code, &deflated(delta))
    }

    /// A delta on the object with an id.
    pub fn on(&mut self, id: [u8; 20], base: [u8; 20], delta: &[u8]) -> u64 {
        self.raw(id, ON, delta.len() as u64, &base, &deflated(delta))
    }

    /// Writes pack and index into a repository, whatever they hold.
    pub fn install(mut self, git_dir: &Path) -> PathBuf {
        let count = self.rows.len() as u32;
        self.bytes[8..12].copy_from_slice(&count.to_be_bytes());
        let sum: [u8; 20] = Sha1::digest(&self.bytes).into();
        self.rows.sort_unstable();
        let mut index = [&b"\xfftOc"[..], &2_u32.to_be_bytes()].concat();
        for first in 0..=255_u8 {
            let up_to = self.rows.iter().filter(|row| row.0[0] <= first).count() as u32;
            index.extend_from_slice(&up_to.to_be_bytes());
        }
        self.rows
            .iter()
            .for_each(|row| index.extend_from_slice(&row.0));
        for (_, start, end) in &self.rows {
            let entry = &self.bytes[*start as usize..*end as usize];
            index.extend_from_slice(&crc32fast::hash(entry).to_be_bytes());
        }
        for (_, start, _) in &self.rows {
            index.extend_from_slice(&(*start as u32).to_be_bytes());
        }
        index.extend_from_slice(&sum);
        let own: [u8; 20] = Sha1::digest(&index).into();
        index.extend_from_slice(&own);
        self.bytes.extend_from_slice(&sum);
        let path = git_dir.join(format!("objects/pack/pack-{}.pack", hex(&sum)));
        write(&path, &self.bytes);
        write(&path.with_extension("idx"), index);
        path
    }
}

/// Instructions of a delta: its two sizes, then copies and insertions.
pub fn delta(base: u64, result: u64, rest: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for mut value in [base, result] {
        while value > 0x7f {
            bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
    }
    bytes.extend_from_slice(rest);
    bytes
}

/// The instruction that copies a stretch of at most 16 MiB.
pub fn copy(start: u32, len: u32) -> Vec<u8> {
    let mut bytes = vec![0xff];
    bytes.extend_from_slice(&start.to_le_bytes());
    bytes.extend_from_slice(&len.to_le_bytes()[..3]);
    bytes
}

/// The instructions that insert bytes.
pub fn insert(bytes: &[u8]) -> Vec<u8> {
    let parts = bytes.chunks(127);
    parts
        .flat_map(|part| [&[part.len() as u8][..], part].concat())
        .collect()
}
