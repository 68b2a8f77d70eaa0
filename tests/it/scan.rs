//! `keysweep scan`, as a user runs it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::support::{Run, Tree, fake, program};

/// `.env` of the API-key guide.
fn guide() -> String {
    let body = "51Mx9kHGj8kL2pQn4Y7vN3tK9sW5xR2zB1";
    format!(
        "API_KEY={}{body}\nAPI_SECRET={}{body}\n",
        concat!("pk_", "live_"),
        concat!("sk_", "live_")
    )
}

fn of_rule<'f>(findings: &'f [Value], part: &str) -> &'f Value {
    findings
        .iter()
        .find(|f| f["rule"].as_str().unwrap().contains(part))
        .unwrap_or_else(|| panic!("no finding of a rule `{part}` in {findings:#?}"))
}

fn at(finding: &Value) -> (u64, u64) {
    (
        finding["line"].as_u64().unwrap(),
        finding["column"].as_u64().unwrap(),
    )
}

// ── The purpose ─────────────────────────────────────────────────────────────

#[test]
fn a_folder_that_is_not_there_is_not_said_to_be_clean() {
    let tree = Tree::new().with("a.txt", "x");
    let run = tree.run(&["scan", "nope"]).ends_with(2);
    assert!(run.out.starts_with("Nothing was scanned\n"), "{}", run.out);
    assert!(!run.out.contains("No secrets found"), "{}", run.out);
    let run = tree.run(&["scan", "nope", "a.txt"]).ends_with(2);
    assert!(
        run.out.contains("No secrets found in 1 file"),
        "{}",
        run.out
    );
    // `-` is standard output, not a file of that name.
    let run = tree.run(&["scan", "--output", "-"]).ends_with(0);
    assert!(run.out.contains("No secrets found"), "{}", run.out);
    assert!(!tree.path().join("-").exists());
}

#[test]
fn the_guides_env_file_is_reported() {
    let tree = Tree::new().with(".env", guide());
    let run = tree.scan(&["--min-confidence", "low"]).ends_with(1);
    let findings = run.findings();
    assert_eq!(of_rule(&findings, "stripe-secret")["severity"], "critical");
    assert!(
        findings
            .iter()
            .filter(|f| f["line"] == 1)
            .all(|f| f["severity"] == "low"),
        "{findings:#?}"
    );
    run.hides("51Mx9kHGj8kL2pQn4Y7vN3tK9sW5xR2zB1");
}

#[test]
fn all_four_of_a_real_leak_are_found_hidden_and_answered() {
    let token = fake::github_pat(1);
    let database = fake::password(2).replace(['#', '%', '?', '!', '^', '~', '='], "x");
    let word = concat!("hunter2", "trombone");
    let tree = Tree::new().with(
        ".env",
        format!(
            "{}DATABASE_URL=postgres://app:{database}@db.acme.io:5432/orders\nGITHUB_TOKEN={token}\npassword: {word}\n",
            guide()
        ),
    );
    let run = tree.scan(&[]).ends_with(1);
    let findings = run.findings();
    for line in [2, 3, 4, 5] {
        let here: Vec<_> = findings.iter().filter(|f| f["line"] == line).collect();
        assert_eq!(here.len(), 1, "line {line}: {}", run.out);
        assert!(here[0]["remedy"].as_str().is_some_and(|r| !r.is_empty()));
    }
    for secret in [
        &token,
        &database,
        word,
        "51Mx9kHGj8kL2pQn4Y7vN3tK9sW5xR2zB1",
    ] {
        run.hides(secret);
    }
    let text = tree.run(&["scan"]).ends_with(1);
    assert!(text.out.matches("\n  next:").count() >= 4, "{}", text.out);
    for secret in [
        &token,
        &database,
        word,
        "51Mx9kHGj8kL2pQn4Y7vN3tK9sW5xR2zB1",
    ] {
        text.hides(secret);
    }
}

#[test]
fn structure_is_found_wherever_it_stands() {
    let pem = fake::rsa_pem(3);
    let secrets = [
        ("pem", pem.clone()),
        (
            "url",
            format!(
                "postgres://app:{}@db.acme.io/orders",
                fake::password(5).replace(['#', '%', '?', '^', '~', '='], "x")
            ),
        ),
        ("stripe", fake::stripe_live(4)),
    ];
    for (name, secret) in &secrets {
        let commented: String = secret.lines().map(|l| format!("// {l}\n")).collect();
        let places = [
            (
                "src/main.c",
                if *name == "pem" {
                    format!("/*\n{secret}\n*/\n")
                } else {
                    commented
                },
            ),
            (
                "tests/test_login.py",
                format!("KEY = \"\"\"{secret}\"\"\"\n"),
            ),
            (
                "docs/README.md",
                format!("Use this:\n\n```\n{secret}\n```\n"),
            ),
            ("blob.bin", format!("\0{secret}\n")),
        ];
        for (path, text) in places {
            let run = Tree::new().with(path, text).scan(&[]);
            assert_eq!(run.code, 1, "{name} in {path}\n{}{}", run.out, run.err);
            run.hides(secret.lines().nth(1).unwrap_or(secret));
        }
    }
}

#[test]
fn an_aws_pair_is_one_finding_with_its_id() {
    let (id, secret) = (fake::aws_key_id(1), fake::aws_secret(1));
    let tree = Tree::new().with(
        ".env",
        format!("AWS_ACCESS_KEY_ID={id}\nAWS_SECRET_ACCESS_KEY={secret}\n"),
    );
    let run = tree.scan(&[]).ends_with(1);
    let findings = run.findings();
    let pair = findings
        .iter()
        .find(|f| at(f).0 == 2)
        .unwrap_or_else(|| panic!("{}", run.out));
    assert_eq!(at(pair), (2, 23));
    assert!(pair["parts"].is_object(), "{pair}");
    run.hides(&secret);
}

#[test]
fn a_github_token_with_a_wrong_checksum_is_not_reported() {
    let mut token = fake::github_pat(5).into_bytes();
    assert!(fake::break_checksum("github-crc32", &mut token));
    Tree::new().with("a.txt", &token).scan(&[]).ends_with(0);
}

// ── What is scanned ─────────────────────────────────────────────────────────

#[test]
fn a_file_added_by_force_is_scanned_and_an_untracked_ignored_one_is_named() {
    let tree = Tree::new()
        .with(".gitignore", ".env*\nbuild/\n")
        .with(".env", guide())
        .with("build/out.txt", guide());
    let repository = tree.repository();
    let run = tree.scan(&[]).ends_with(0);
    assert_eq!(run.summary()["skipped"]["ignored"], 2);
    assert_eq!(run.summary()["notable"][0]["path"], ".env");
    tree.scan(&["--require-complete"]).ends_with(2);
    let mut index = repository.index().unwrap();
    index.add_path(".env".as_ref()).unwrap();
    index.add_path("build/out.txt".as_ref()).unwrap();
    index.write().unwrap();
    let run = tree.scan(&[]).ends_with(1);
    let paths = run.paths();
    assert_eq!(paths, [".env", "build/out.txt"]);
    // From a folder inside, by the repository's root, and with the index out of the way.
    tree.run(&["scan", "build"]).ends_with(1);
    fs::remove_file(tree.path().join(".git/index")).unwrap();
    tree.scan(&[]).ends_with(0);
    tree.scan(&["--no-ignore"]).ends_with(1);
}

#[test]
fn ignore_files_of_other_tools_are_not_obeyed() {
    let tree = Tree::new()
        .with(".ignore", "*\n")
        .with(".rgignore", "*\n")
        .with("a.env", guide());
    tree.scan(&[]).ends_with(1);
    // A .gitignore outside of any repository says nothing.
    Tree::new()
        .with(".gitignore", "*\n")
        .with("a.env", guide())
        .scan(&[])
        .ends_with(1);
}

#[test]
fn paths_can_be_included_and_excluded() {
    let tree = Tree::new()
        .with("a/one.env", guide())
        .with("b/two.txt", guide());
    let paths = |arguments: &[&str]| tree.scan(arguments).paths();
    assert_eq!(paths(&[]), ["a/one.env", "b/two.txt"]);
    assert_eq!(paths(&["--include", "*.env"]), ["a/one.env"]);
    assert_eq!(paths(&["--exclude", "a/**"]), ["b/two.txt"]);
    assert_eq!(paths(&["--exclude", "b"]), ["a/one.env"]);
    assert_eq!(paths(&["a", "b/two.txt"]), ["a/one.env", "b/two.txt"]);
    assert_eq!(
        tree.scan(&["--exclude", "b"]).summary()["skipped"]["excluded"],
        1
    );
    let run = tree.scan(&["--include", "a[", "."]).ends_with(2);
    assert!(run.err.contains("`a[` is no glob"), "{}", run.err);
}

#[test]
fn large_files_are_left_out_on_request_and_counted() {
    let tree = Tree::new()
        .with("big.env", format!("{}{}", guide(), "x\n".repeat(600)))
        .with("small.txt", "nothing\n");
    tree.scan(&[]).ends_with(1);
    let run = tree.scan(&["--max-size", "1K"]).ends_with(0);
    assert_eq!(run.summary()["skipped"]["too_large"], 1);
    assert_eq!(run.summary()["notable"][0]["path"], "big.env");
    tree.scan(&["--max-size", "1K", "--require-complete"])
        .ends_with(2);
    tree.scan(&["--max-size", "much"]).ends_with(2);
}

#[test]
fn links_are_not_followed_and_pipes_not_waited_for() {
    let outside = Tree::new().with("secret.env", guide());
    let tree = Tree::new().with("a.txt", "nothing\n");
    symlink(outside.path(), tree.path().join("folder")).unwrap();
    symlink(outside.path().join("secret.env"), tree.path().join("file")).unwrap();
    symlink("nowhere", tree.path().join("dangling")).unwrap();
    symlink(".", tree.path().join("loop")).unwrap();
    let status = std::process::Command::new("mkfifo")
        .arg(tree.path().join("pipe"))
        .status()
        .unwrap();
    assert!(status.success());
    let _socket = std::os::unix::net::UnixListener::bind(tree.path().join("socket")).unwrap();
    let run = tree.scan(&["--no-ignore"]).ends_with(0);
    assert_eq!(run.summary()["skipped"]["symlink"], 4);
    assert_eq!(run.summary()["skipped"]["special"], 2);
    // What the caller names is followed, and read to its end if it is a pipe.
    tree.scan(&["file"]).ends_with(1);
    let pipe = tree.path().join("pipe");
    let writer = std::thread::spawn(move || fs::write(pipe, guide()).unwrap());
    let run = tree.scan(&["pipe"]).ends_with(1);
    writer.join().unwrap();
    assert_eq!(run.findings()[0]["path"], "pipe");
    // What cannot be read must not go by as clean.
    let run = tree.scan(&["socket"]).ends_with(2);
    assert_eq!(run.records("gap")[0]["path"], "socket");
}

#[test]
fn what_cannot_be_read_is_a_gap_and_the_rest_is_scanned() {
    let tree = Tree::new().with("a.env", guide());
    let run = tree.scan(&["missing", "a.env"]).ends_with(2);
    assert_eq!(run.records("gap")[0]["path"], "missing");
    assert!(!run.findings().is_empty());
    assert_eq!(run.summary()["complete"], false);
    tree.scan(&["--keep-going", "missing", "a.env"])
        .ends_with(1);
    tree.scan(&["missing"]).ends_with(2);
    // Root reads everything; the kernel's own files refuse even root.
    if fs::read("/proc/self/mem").is_err() {
        symlink("/proc/self/mem", tree.path().join("link")).unwrap();
        let run = tree.scan(&["link", "a.env"]).ends_with(2);
        assert_eq!(run.records("gap").len(), 1, "{}", run.out);
    }
}

/// A tree with a file and a folder that only their owner may read, a folder that nobody else may
/// write to, and a program that does not run as that owner.
struct Locked {
    tree: Tree,
    programs: Tree,
}

impl Locked {
    /// Modes do not bind root, so that a test that runs as root starts the program as nobody.
    const NOBODY: u32 = 65534;

    fn new() -> Self {
        let mode = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let tree = Tree::new()
            .with("open.env", guide())
            .with("locked.env", guide())
            .with("closed/inner.env", guide());
        let programs = Tree::new();
        mode(tree.path(), 0o555);
        mode(programs.path(), 0o755);
        mode(&tree.path().join("open.env"), 0o444);
        mode(&tree.path().join("locked.env"), 0o000);
        mode(&tree.path().join("closed"), 0o000);
        // A copy, because nobody may be unable to reach the original; by another process, because
        // a program that is open for writing in a child of a test's thread cannot be started.
        let copied = std::process::Command::new("cp")
            .arg(assert_cmd::cargo::cargo_bin!("keysweep"))
            .arg(programs.path().join("keysweep"))
            .status()
            .unwrap();
        assert!(copied.success());
        Self { tree, programs }
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let mut command = std::process::Command::new(self.programs.path().join("keysweep"));
        if fs::read(self.tree.path().join("locked.env")).is_ok() {
            // This gives up root's other groups, too.
            command.uid(Self::NOBODY).gid(Self::NOBODY);
        }
        command
            .current_dir(self.tree.path())
            .env_clear()
            .args(arguments);
        Run::of(&mut assert_cmd::Command::from_std(command))
    }

    fn scan(&self, arguments: &[&str]) -> Run {
        self.run(&[&["scan", "--format", "jsonl"], arguments].concat())
    }
}

impl Drop for Locked {
    /// Lets an owner that is not root remove the tree.
    fn drop(&mut self) {
        for folder in [self.tree.path(), &self.tree.path().join("closed")] {
            let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o755));
        }
    }
}

/// Path and reason of each gap.
fn gaps(run: &Run) -> Vec<(String, String)> {
    run.records("gap")
        .iter()
        .map(|gap| {
            let text = |key: &str| gap[key].as_str().unwrap().to_owned();
            (text("path"), text("reason"))
        })
        .collect()
}

#[test]
fn what_a_user_may_not_read_is_named_and_the_rest_is_scanned() {
    let locked = Locked::new();
    let denied = |path: &str| (path.to_owned(), "permission denied".to_owned());
    let run = locked.scan(&[]).ends_with(2);
    assert_eq!(gaps(&run), [denied("closed"), denied("locked.env")]);
    assert_eq!(run.paths(), ["open.env"]);
    assert_eq!(run.summary()["complete"], false);
    assert_eq!(
        locked.scan(&["--keep-going"]).ends_with(1).paths(),
        ["open.env"]
    );

    let text = locked.run(&["scan"]).ends_with(2);
    for line in [
        "incomplete: 2 things could not be scanned",
        "  closed: permission denied",
        "  locked.env: permission denied",
        "  open.env:2:",
    ] {
        assert!(text.out.contains(line), "{line}\n{}", text.out);
    }
}

#[test]
fn what_a_user_names_and_may_not_read_is_a_gap() {
    let locked = Locked::new();
    for path in ["locked.env", "closed", "closed/inner.env", "closed/no.env"] {
        let run = locked.scan(&[path]).ends_with(2);
        assert_eq!(
            gaps(&run),
            [(path.to_owned(), "permission denied".to_owned())],
            "{}",
            run.out
        );
        assert!(run.findings().is_empty());
        locked.scan(&[path, "--keep-going"]).ends_with(0);
        let both = locked.scan(&[path, "open.env"]).ends_with(2);
        assert_eq!(gaps(&both)[0].0, path);
        assert_eq!(both.paths(), ["open.env"]);
    }
    let run = locked
        .run(&["scan", "--explain", "locked.env:1"])
        .ends_with(2);
    assert!(
        run.err.starts_with("keysweep: locked.env: ") && run.err.contains("ermission denied"),
        "{}",
        run.err
    );
}

#[test]
fn a_report_that_a_user_may_not_write_is_refused_by_name() {
    let locked = Locked::new();
    for path in ["report.jsonl", "open.env", "closed/report.jsonl"] {
        let run = locked.scan(&["--output", path, "open.env"]).ends_with(2);
        assert!(
            run.err
                .starts_with(&format!("keysweep: {path}: cannot write the report: "))
                && run.err.contains("ermission denied"),
            "{}",
            run.err
        );
        assert_eq!(run.err.lines().count(), 1, "{}", run.err);
        assert_eq!(run.out, "");
    }
    assert_eq!(
        fs::read_to_string(locked.tree.path().join("open.env")).unwrap(),
        guide()
    );
}

#[test]
fn a_file_that_is_cut_while_it_is_scanned_is_a_gap() {
    // Without /proc nobody can see from outside when the program has opened the file.
    if !Path::new("/proc/self/fd").exists() {
        return;
    }
    let tree = Tree::new().with("a.env", guide());
    let file = fs::OpenOptions::new()
        .write(true)
        .open(tree.path().join("a.env"))
        .unwrap();
    // A hole of so many bytes takes seconds to scan, the cut microseconds.
    let length = 16 << 30;
    file.set_len(length).unwrap();
    let child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("keysweep"))
        .args(["scan", "--format", "jsonl", "--threads", "1"])
        .current_dir(tree.path())
        .env_clear()
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let opened = format!("/proc/{}/fd", child.id());
    let path = fs::canonicalize(tree.path().join("a.env")).unwrap();
    let is_open = || {
        fs::read_dir(&opened)
            .into_iter()
            .flatten()
            .flatten()
            .any(|fd| fs::read_link(fd.path()).is_ok_and(|to| to == path))
    };
    let started = std::time::Instant::now();
    while !is_open() {
        assert!(started.elapsed().as_secs() < 60, "the file is not opened");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let left = 9 << 20;
    file.set_len(left).unwrap();
    let output = child.wait_with_output().unwrap();
    let run = Run {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::new(),
    }
    .ends_with(2);
    let all = gaps(&run);
    assert_eq!(all.len(), 1, "{}", run.out);
    // How much is left when the program comes to it, nobody knows.
    assert!(
        all[0].0 == "a.env"
            && all[0].1.starts_with("became shorter while it was read: ")
            && all[0]
                .1
                .ends_with(&format!(" of {length} bytes were scanned")),
        "{all:?}"
    );
    assert_eq!(run.paths(), ["a.env"]);
}

#[test]
fn an_empty_folder_is_clean() {
    let run = Tree::new().scan(&[]).ends_with(0);
    assert_eq!(
        (&run.summary()["files"], &run.summary()["complete"]),
        (&0.into(), &true.into())
    );
    Tree::new().run(&["scan"]).ends_with(0);
}

#[test]
fn standard_input_is_scanned() {
    let token = fake::github_pat(9);
    let run = Run::of(
        program()
            .args(["scan", "--format", "jsonl", "-"])
            .write_stdin(format!("\n token {token}")),
    );
    assert_eq!((run.code, at(&run.only_finding())), (1, (2, 8)));
    let run = Run::of(
        program()
            .args(["scan", "--format", "jsonl", "-"])
            .write_stdin(""),
    );
    assert_eq!(run.code, 0);
}

#[test]
fn utf_16_is_read_in_both_byte_orders() {
    let token = fake::github_pat(10);
    let text = format!("first\r\ntoken = {token}\r\n");
    for (mark, big) in [(true, false), (true, true), (false, false), (false, true)] {
        let units = mark
            .then_some(0xfeff)
            .into_iter()
            .chain(text.encode_utf16());
        let bytes: Vec<u8> = units
            .flat_map(|u: u16| {
                if big {
                    u.to_be_bytes()
                } else {
                    u.to_le_bytes()
                }
            })
            .collect();
        let run = Tree::new().with("a.txt", &bytes).scan(&[]).ends_with(1);
        let finding = run.only_finding();
        assert_eq!(
            (at(&finding).0, &finding["decoded_from"][0]),
            (2, &"utf-16".into()),
            "{finding}"
        );
        let span = &finding["places"][0]["bytes"];
        let start = usize::try_from(span[0].as_u64().unwrap()).unwrap();
        let first = if big { [0, b'g'] } else { [b'g', 0] };
        assert_eq!(&bytes[start..start + 2], &first);
        assert_eq!(span[1].as_u64().unwrap() - span[0].as_u64().unwrap(), 80);
        run.hides(&token);
    }
}

// ── Big inputs ──────────────────────────────────────────────────────────────

#[test]
fn a_key_at_a_windows_edge_is_found_once_at_its_line() {
    let window = 4usize << 20;
    let mut bytes: Vec<u8> = b"let value = compute(&input)?; // 29\n"
        .iter()
        .copied()
        .cycle()
        .take(20 << 20)
        .collect();
    let mut expected = Vec::new();
    for edge in 1..5 {
        for (number, back) in [0usize, 1, 3, 20, 39, 40, 41].into_iter().enumerate() {
            // Keys 400 bytes apart, one of them across the edge itself at each turn of the files below.
            let token = fake::github_pat((edge * 10 + number) as u64);
            let start = (edge * window - back) + 400 * number;
            bytes[start - 1] = b' ';
            bytes[start..start + 40].copy_from_slice(token.as_bytes());
            bytes[start + 40] = b' ';
            expected.push(start);
        }
    }
    for back in [0usize, 1, 4, 20, 36, 39, 40] {
        let mut bytes = bytes.clone();
        let start = 2 * window - back;
        bytes[start - 50..start + 90].fill(b'.');
        bytes[start..start + 40].copy_from_slice(fake::github_pat(99).as_bytes());
        let mut expected: Vec<usize> = expected
            .iter()
            .copied()
            .filter(|s| s + 90 < start || *s > start + 90)
            .collect();
        expected.push(start);
        expected.sort_unstable();
        let wanted: Vec<(u64, u64, u64)> = expected
            .iter()
            .map(|start| {
                let before = &bytes[..*start];
                let line = before.iter().filter(|b| **b == b'\n').count() + 1;
                let column = start
                    - before
                        .iter()
                        .rposition(|b| *b == b'\n')
                        .map_or(0, |i| i + 1)
                    + 1;
                (*start as u64, line as u64, column as u64)
            })
            .collect();
        let run = Tree::new()
            .with("big.txt", &bytes)
            .scan(&["--threads", "2"]);
        let mut got: Vec<(u64, u64, u64)> = run
            .findings()
            .iter()
            .flat_map(|f| f["places"].as_array().unwrap().clone())
            .map(|p| {
                (
                    p["bytes"][0].as_u64().unwrap(),
                    p["line"].as_u64().unwrap(),
                    p["column"].as_u64().unwrap(),
                )
            })
            .collect();
        got.sort_unstable();
        assert_eq!(got, wanted, "{back} bytes before the edge");
        let piped = Run::of(
            program()
                .args(["scan", "--format", "jsonl", "-"])
                .write_stdin(bytes),
        );
        assert_eq!(piped.findings().len(), wanted.len());
        assert_eq!(
            piped.findings().iter().map(at).collect::<Vec<_>>(),
            wanted.iter().map(|w| (w.1, w.2)).collect::<Vec<_>>()
        );
    }
}

#[test]
fn one_line_of_64_mb_is_scanned_to_its_end() {
    let token = fake::github_pat(11);
    let mut bytes = b"abc def ".repeat(8 << 20);
    bytes.extend_from_slice(token.as_bytes());
    let run = Tree::new().with("a.txt", &bytes).scan(&[]).ends_with(1);
    assert_eq!(at(&run.only_finding()), (1, (64 << 20) + 1));
}

#[test]
fn a_key_in_the_last_line_without_a_newline_is_found() {
    let run = Tree::new()
        .with("a.txt", format!("a\nb\n{}", fake::github_pat(12)))
        .scan(&[])
        .ends_with(1);
    assert_eq!(at(&run.only_finding()), (3, 1));
}

#[test]
fn one_thread_and_eight_give_the_same_bytes() {
    let tree = Tree::new();
    for number in 0..200u64 {
        let secret = match number % 4 {
            0 => fake::github_pat(number % 12),
            1 => fake::stripe_live(number % 9),
            2 => fake::rsa_pem(number % 5),
            _ => format!("password = \"{}\"", fake::password(number)),
        };
        tree.write(
            &format!("d{}/e{}/f{number}.yml", number % 7, number % 3),
            format!("a: 1\n{secret}\n"),
        );
    }
    let big: Vec<u8> = (0..40u64)
        .flat_map(|n| format!("{}\n{}\n", "x y ".repeat(100_000), fake::npm_token(n)).into_bytes())
        .collect();
    tree.write("big.txt", big);
    symlink("nowhere", tree.path().join("link")).unwrap();
    for format in ["jsonl", "sarif"] {
        let report = |threads: &str| {
            let run = tree.run(&[
                "scan",
                "--format",
                format,
                "--threads",
                threads,
                "--show-suppressed",
                "--min-confidence",
                "low",
            ]);
            assert_eq!(run.code, 1, "{}", run.err);
            // Times differ from run to run.
            run.out
                .lines()
                .filter(|l| !l.contains("\"kind\":\"summary\"") && !l.contains("imeUtc"))
                .collect::<Vec<_>>()
                .join("\n")
        };
        let one = report("1");
        for _ in 0..3 {
            assert!(
                one == report("8"),
                "{format} differs between 1 and 8 threads"
            );
        }
    }
}

// ── Decoders ────────────────────────────────────────────────────────────────

#[test]
fn encoded_secrets_are_found_once_at_their_place() {
    let token = fake::github_pat(20);
    let base64 = |text: &str| STANDARD.encode(text);
    let cases: Vec<(&str, String, &[&str])> = vec![
        ("base64", base64(&format!("token={token}\n")), &["base64"]),
        ("base64 of the token alone", base64(&token), &["base64"]),
        (
            "base64 without padding",
            base64(&format!("t={token}"))
                .trim_end_matches('=')
                .to_owned(),
            &["base64"],
        ),
        (
            "base64 of base64",
            base64(&base64(&format!("token={token}"))),
            &["base64", "base64"],
        ),
        (
            "hex",
            token.bytes().map(|b| format!("{b:02x}")).collect(),
            &["hex"],
        ),
        (
            "upper-case hex",
            token.bytes().map(|b| format!("{b:02X}")).collect(),
            &["hex"],
        ),
        ("percent", token.replace('_', "%5F"), &["percent"]),
        (
            "percent everywhere",
            token.bytes().map(|b| format!("%{b:02X}")).collect(),
            &["percent"],
        ),
        (
            "u escapes",
            token.bytes().map(|b| format!("\\u{b:04x}")).collect(),
            &["escape"],
        ),
        ("one u escape", token.replace('_', "\\u005f"), &["escape"]),
        (
            "x escapes",
            token.bytes().map(|b| format!("\\x{b:02x}")).collect(),
            &["escape"],
        ),
        (
            "decimal entities",
            token.bytes().map(|b| format!("&#{b};")).collect(),
            &["html"],
        ),
        (
            "hexadecimal entities",
            token.bytes().map(|b| format!("&#x{b:x};")).collect(),
            &["html"],
        ),
    ];
    for (name, encoded, decodings) in cases {
        let text = format!("first: line\n  data: {encoded}\nlast: line\n");
        let run = Tree::new().with("a.yaml", &text).scan(&[]);
        assert_eq!(run.code, 1, "{name}: not found");
        let findings = run.findings();
        assert_eq!(findings.len(), 1, "{name}: {}", run.out);
        let finding = &findings[0];
        assert_eq!(finding["rule"], "github-pat-classic", "{name}");
        assert_eq!(
            finding["places"].as_array().unwrap().len(),
            1,
            "{name}: {finding}"
        );
        let found: Vec<&str> = finding["decoded_from"]
            .as_array()
            .unwrap()
            .iter()
            .map(|d| d.as_str().unwrap())
            .collect();
        assert_eq!(found, decodings, "{name}");
        assert_eq!(at(finding).0, 2, "{name}");
        assert!((9..=25).contains(&at(finding).1), "{name}: {finding}");
        run.hides(&encoded);
        run.hides(&token);
    }
}

#[test]
fn values_between_entities_are_found() {
    let token = fake::github_pat(21);
    let run = Tree::new()
        .with(
            "a.xml",
            format!("<a b=\"{{&quot;token&quot;:&quot;{token}&quot;}}\"/>"),
        )
        .scan(&[])
        .ends_with(1);
    assert_eq!(run.only_finding()["rule"], "github-pat-classic");
}

#[test]
fn a_password_in_markup_is_hidden_as_a_whole_and_known_by_its_value() {
    let scan = |password: &str| {
        let text = format!(
            "<a b=\"&lt;user username=&quot;bob&quot; password=&quot;{password}&quot; z=&quot;1&quot;/&gt;\"/>\n"
        );
        let run = Tree::new().with("a.xml", text).scan(&[]).ends_with(1);
        run.hides(password);
        run.hides(&password[5..]);
        let finding = run.only_finding();
        assert!(finding["secret"].as_str().unwrap().contains("20 bytes"));
        finding["fingerprint"].as_str().unwrap().to_owned()
    };
    let (one, other) = (fake::password(31), fake::password(32));
    assert_ne!(scan(&one), scan(&other));
    // The password is what the markup stands for.
    let inside = |text: String, path: &str| {
        let run = Tree::new().with(path, text).scan(&["--show-secrets"]);
        run.ends_with(1).only_finding()["secret"].clone()
    };
    let (head, tail) = (&one[..10], "dor99");
    let whole = format!("{head}&{tail}");
    for (text, path, secret) in [
        (
            format!("<a b=\"Password={head}&amp;{tail};\"/>"),
            "a.xml",
            &*whole,
        ),
        (
            format!("<a b=\"Server=x;User=sa;Password={head}&amp;{tail};\"/>"),
            "a.xml",
            &whole,
        ),
        (
            format!("<a>x/?user=sa&amp;password={head}&amp;useSSL</a>"),
            "a.xml",
            head,
        ),
        (
            format!("[db]\npassword={head} {tail} x\nport=1\n"),
            "a.ini",
            &format!("{head} {tail} x"),
        ),
        (
            format!("[db]\npassword = {head},{tail}\n"),
            "a.ini",
            &format!("{head},{tail}"),
        ),
    ] {
        assert_eq!(inside(text.clone(), path), secret, "{text}");
    }
}

#[test]
fn name_and_value_may_be_entries_of_their_own() {
    let password = fake::password(33);
    for (path, text) in [
        ("a.yaml", "env:\n  - name: DB_PASSWORD\n    value: \"§\"\n"),
        ("b.yaml", "env:\n  - name: DB_PASSWORD\n    value: §\n"),
        ("c.yaml", "env: [{name: DB_PASSWORD, value: §}]\n"),
        ("d.yaml", "- value: §\n  name: DB_PASSWORD\n"),
        ("e.json", "[{\"name\":\"DB_PASSWORD\",\"value\":\"§\"}]"),
        ("f.json", "[{\"value\": \"§\", \"name\": \"DB_PASSWORD\"}]"),
        (
            "g.json",
            "{\"ParameterKey\": \"DbPassword\",\n \"ParameterValue\": \"§\"}",
        ),
        ("h.tf", "name  = \"DB_PASSWORD\"\nvalue = \"§\"\n"),
    ] {
        let text = text.replace('§', &password);
        let run = Tree::new().with(path, &text).scan(&["--show-secrets"]);
        assert_eq!(
            run.ends_with(1).only_finding()["secret"],
            *password,
            "{text}"
        );
    }
    for text in [
        "- name: DB_PASSWORD\n  valueFrom:\n    secretKeyRef: {name: db-4711, key: p4ss-17x}\n",
        "- name: DB_PASSWORD\n  value: ${DB_PASSWORD}\n",
        "- name: DB_PASSWORD\n- name: HOST\n  value: db-4711.acme.io\n",
        "[\"res/layout/show_password.xml\", \"res/drawable-v21/x.xml\"]\n",
        "[\"CCN/PasswordMechanisms\", \"CWE:916\"]\n",
    ] {
        let tree = Tree::new().with("a.yaml", text).with("a.json", text);
        tree.scan(&[]).ends_with(0);
    }
}

#[test]
fn a_parameter_of_a_url_is_a_value_in_program_text_too() {
    let key = fake::Rng::new(1).text(
        "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789",
        24,
    );
    for text in [
        format!("url = \"https://api.acme.io/?api_key={key}&q=1\"\n"),
        format!("url = 'https://api.acme.io/v1?x=1&access_token={key}&q=1'\n"),
    ] {
        let run = Tree::new().with("a.py", &text).scan(&["--show-secrets"]);
        assert_eq!(run.ends_with(1).only_finding()["secret"], *key, "{text}");
    }
    let text = "x = a ? token : b\nif a&token=ab12cd34ef56gh78ij90&b:\n";
    Tree::new().with("a.py", text).scan(&[]).ends_with(0);
}

#[test]
fn a_key_block_in_a_kubernetes_secret_is_found() {
    let pem = fake::rsa_pem(22);
    let text = format!(
        "apiVersion: v1\nkind: Secret\ndata:\n  tls.key: {}\n",
        STANDARD.encode(&pem)
    );
    let run = Tree::new().with("secret.yaml", text).scan(&[]).ends_with(1);
    let findings = run.findings();
    let key = of_rule(&findings, "private-key");
    assert_eq!(at(key).0, 4);
    run.hides(&STANDARD.encode(&pem)[200..260]);
    run.hides(pem.lines().nth(3).unwrap());
}

// ── Suppression ─────────────────────────────────────────────────────────────

#[test]
fn marks_in_comments_accept_a_finding() {
    let token = fake::github_pat(30);
    let allowed = [
        format!("{token} # keysweep:allow\n"),
        format!("{token} # keysweep:allow github-pat-classic\n"),
        format!("{token} # keysweep:allow other-rule, github-pat-classic: a test value\n"),
        format!("# keysweep:allow\n{token}\n"),
        format!("// keysweep:allow github-pat-classic\n{token}\n"),
        format!("<!-- keysweep:allow -->\n{token}\n"),
        format!("{token} # gitleaks:allow\n"),
        format!("{token} # pragma: allowlist secret\n"),
        format!("{token} # betterleaks:allow\n"),
        format!("{token} # trufflehog:ignore\n"),
        format!("{token} # kingfisher:ignore\n"),
    ];
    for text in &allowed {
        let tree = Tree::new().with("a.txt", text);
        assert_eq!(tree.scan(&[]).code, 0, "{text}");
        assert_eq!(tree.scan(&["--no-inline-allow"]).code, 1, "{text}");
        let run = tree.scan(&["--show-suppressed"]).ends_with(0);
        assert!(
            run.only_finding()["suppressed"]
                .as_str()
                .unwrap()
                .contains("suppressed by"),
            "{}",
            run.out
        );
    }
    let refused = [
        format!("{token} # keysweep:allow npm-token\n"),
        format!("# gitleaks:allow\n{token}\n"),
        format!("code(); # keysweep:allow\n{token}\n"),
        format!("# keysweep:allow\n\n{token}\n"),
        format!("{token}\n# keysweep:allow\n"),
    ];
    for text in &refused {
        assert_eq!(Tree::new().with("a.txt", text).scan(&[]).code, 1, "{text}");
    }
}

#[test]
fn dropped_matches_are_shown_on_request_with_the_reason() {
    let mut token = fake::github_pat(31).into_bytes();
    fake::break_checksum("github-crc32", &mut token);
    let token = String::from_utf8(token).unwrap();
    let tree = Tree::new().with("a.txt", &token);
    let run = tree.scan(&["--show-suppressed"]).ends_with(0);
    let reason = run.findings()[0]["suppressed"].as_str().unwrap().to_owned();
    assert!(reason.contains("checksum github-crc32"), "{reason}");
    run.hides(&token);
    let text = tree.run(&["scan", "--show-suppressed"]).ends_with(0);
    assert!(text.out.contains("checksum github-crc32"), "{}", text.out);
    text.hides(&token);
}

/// What stands around the secret in each of these is an escape.
fn escaped(key: &str) -> Vec<String> {
    let around = [
        ("%22", "%22"),
        ("token%3D", ""),
        (
            "?to=https%3A%2F%2Fapp%2Fcb%3Faccess_token%3D",
            "%26state%3Dabc",
        ),
        ("a%26", "%20"),
        ("%253D", "%2526"),
        ("%25253D", ""),
        ("%u0022", "%u0022"),
        ("\"\\u0022", "\\u0022\""),
        ("\"\\u003d", "\\u0026\""),
        ("\"\\\\u003d", "\""),
        ("\"\\x22", "\\x22\""),
        ("\"\\042", "\\042\""),
        ("\"\\/", "\\/\""),
        ("a\\f", ""),
        ("\x1b[31m", "\x1b[0m"),
        ("token=\x1b[1;38;5;33m", "\x1b[m"),
        ("\x1b[32m\x1b[K", ""),
        ("\x1b(B", ""),
        ("\\u001b[33m", "\\u001b[0m"),
        ("\\x1b[31m", "\\x1b[0m"),
        ("\\033[31m", "\\033[0m"),
        ("\\e[31m", ""),
        ("^[[31m", "^[[0m"),
        ("[31m", "[0m"),
        ("&#34;", "&#34;"),
        ("&quot;", "&quot;"),
        ("=3D", "=22"),
    ];
    around
        .iter()
        .map(|(before, after)| format!("{before}{key}{after}"))
        .collect()
}

#[test]
fn a_key_behind_an_escape_is_the_same_key() {
    let keys = [
        fake::github_pat(71),
        fake::gitlab_pat(71),
        fake::slack_bot(71),
        fake::stripe_live(71),
        fake::aws_key_id(71),
    ];
    for key in keys {
        let plain = Tree::new().with("a.txt", format!("x\n{key}\n")).scan(&[]);
        let print = plain.only_finding()["fingerprint"].clone();
        for (number, text) in escaped(&key).iter().enumerate() {
            let tree = Tree::new().with("a.txt", format!("x\n{text}\n"));
            let run = tree.scan(&[]).ends_with(plain.code);
            let finding = run.only_finding();
            assert_eq!(finding["fingerprint"], print, "{text:?}");
            let start = 1 + u32::try_from(text.find(&key).unwrap()).unwrap();
            assert_eq!(at(&finding), (2, start.into()), "{text:?}");
            run.hides(&key);
            if number % 5 == 0 {
                let run = tree.run(&["scan", "--explain", "a.txt:2"]).ends_with(0);
                assert!(run.out.contains("kept"), "{text:?}: {}", run.out);
                run.hides(&key);
                tree.write("a.txt", format!("x\n{text} # keysweep:allow\n"));
                tree.scan(&[]).ends_with(0);
            }
        }
    }
    // A letter is no edge of a word, however it is written.
    let key = fake::github_pat(72);
    for before in ["%41", "\\x41", "\\u0041", "\\101", "=41", "a[0]m"] {
        let tree = Tree::new().with("a.txt", format!("{before}{key}"));
        tree.scan(&[]).ends_with(0);
    }
}

#[test]
fn a_key_with_escapes_inside_is_the_same_key() {
    let key = fake::github_pat(73);
    let (first, rest) = key.split_at(4);
    for text in [
        format!("\x1b[01;31m\x1b[K{first}\x1b[m\x1b[K{rest}"),
        format!("\\033[1m{first}\\033[0m{rest}"),
        format!("%{:02x}{}", key.as_bytes()[0], &key[1..]),
        format!("%{:02X}{}", key.as_bytes()[0], &key[1..]),
    ] {
        let run = Tree::new().with("a.txt", &text).scan(&[]).ends_with(1);
        assert_eq!(run.rules(), ["github-pat-classic"], "{text:?}");
        run.hides(rest);
    }
}

#[test]
fn names_and_values_between_escapes_are_found() {
    let password = fake::password(74);
    let plain = |text: &str| {
        let tree = Tree::new().with("a.yaml", text.replace('P', &password));
        let run = tree.scan(&[]).ends_with(1);
        run.only_finding()["fingerprint"].clone()
    };
    let unquoted = plain("password: P\n");
    let quoted = plain("\"password\": \"P\"\n");
    let url = plain("url: postgres://app:P@db.acme.io/main\n");
    let login = plain("url: https://bob:P@git.acme.io/x\n");
    let cases = [
        ("\"password%3DP%26\"", &unquoted),
        ("password%3DP%26x=1", &unquoted),
        ("password%253DP%2526x", &unquoted),
        ("a: \"password=P\\u0026next=1\"", &unquoted),
        ("password: \x1b[33mP\x1b[0m", &unquoted),
        ("password=3DP=20x=3D1", &unquoted),
        ("a: \"\\u0022password\\u0022:\\u0022P\\u0022\"", &quoted),
        (
            "\x1b[34;1m\"password\"\x1b[0m\x1b[1;39m:\x1b[0m \x1b[0;32m\"P\"\x1b[0m",
            &quoted,
        ),
        (
            "\\u001b[34m\\u0022password\\u0022\\u001b[0m: \\u001b[32m\\u0022P\\u0022\\u001b[0m",
            &quoted,
        ),
        ("&#34;password&#34;:&#34;P&#34;", &quoted),
        ("postgres%3A%2F%2Fapp%3AP%40db.acme.io%2Fmain", &url),
        ("URL=\x1b[33mpostgres://app:P@db.acme.io/main", &url),
        ("a: \"\\u003dpostgres:\\/\\/app:P@db.acme.io\\/main\"", &url),
        ("=3Dpostgres://app:P@db.acme.io/main", &url),
        ("url%3Dhttps%3A%2F%2Fbob%3AP%40git.acme.io%2Fx", &login),
        ("\\033[1mhttps://bob:P@git.acme.io/x", &login),
    ];
    for (text, print) in cases {
        let text = text.replace('P', &password);
        let run = Tree::new().with("a.yaml", &text).scan(&[]).ends_with(1);
        assert_eq!(
            run.only_finding()["fingerprint"],
            *print,
            "{text:?}: {}",
            run.out
        );
        run.hides(&password);
    }
    // What is around a word that says it is none counts as in plain text.
    let tree = Tree::new().with(
        "a.json",
        format!("{{\"next\":\"/x?page_token\\u003d{password}\"}}"),
    );
    tree.scan(&[]).ends_with(0);
}

#[test]
fn an_unmatched_line_is_explained_without_its_words() {
    let token = fake::github_pat(75);
    let (body, other) = (&token[4..], fake::Rng::new(75).text("0123456789abcdef", 32));
    // No boundary, no checksum, no rule at all.
    let text = format!("x{token} token={token}0 v={other} and /usr/share/words/main.rs:12\n");
    let tree = Tree::new().with("a.txt", &text);
    let run = tree.run(&["scan", "--explain", "a.txt:1"]).ends_with(0);
    for hidden in [body, &other] {
        run.hides(hidden);
    }
    assert!(
        run.out.contains("and /usr/share/words/main.rs:12"),
        "{}",
        run.out
    );
    let run = tree.run(&["scan", "--show-secrets", "--explain", "a.txt:1"]);
    assert!(run.out.contains(&token), "{}", run.out);
}

#[test]
fn a_line_is_explained() {
    let token = fake::github_pat(32);
    let tree = Tree::new().with(
        "a.txt",
        format!("nothing\n{token}\n{token} # keysweep:allow\n"),
    );
    let run = tree.run(&["scan", "--explain", "a.txt:2"]).ends_with(0);
    assert!(
        run.out.contains("github-pat-classic") && run.out.contains("kept"),
        "{}",
        run.out
    );
    run.hides(&token);
    let run = tree.run(&["scan", "--explain", "a.txt:3"]).ends_with(0);
    assert!(run.out.contains("suppressed by"), "{}", run.out);
    let run = tree.run(&["scan", "--explain", "a.txt:1"]).ends_with(0);
    assert!(run.out.contains("no rule looked"), "{}", run.out);
    tree.run(&["scan", "--explain", "a.txt:99"]).ends_with(2);
    tree.run(&["scan", "--explain", "a.txt"]).ends_with(2);
    tree.run(&["scan", "--explain", "missing:1"]).ends_with(2);
}

// ── Reports and exit codes ──────────────────────────────────────────────────

#[test]
fn exit_codes_follow_severity_and_flags() {
    let public = format!(
        "key = \"{}51Mx9kHGj8kL2pQn4Y7vN3tK9sW5xR2zB1\"\n",
        concat!("pk_", "live_")
    );
    let tree = Tree::new()
        .with("public.txt", public)
        .with("a.env", guide());
    tree.scan(&["public.txt"]).ends_with(0);
    tree.scan(&["public.txt", "--fail-on", "low"]).ends_with(1);
    tree.scan(&["a.env"]).ends_with(1);
    tree.scan(&["a.env", "--fail-on", "critical"]).ends_with(1);
    tree.scan(&["a.env", "--exit-code", "7"]).ends_with(7);
    tree.scan(&["a.env", "missing", "--exit-code", "7"])
        .ends_with(2);
    tree.scan(&["a.env", "--exit-zero"]).ends_with(0);
    tree.scan(&["missing", "--exit-zero"]).ends_with(2);
    tree.scan(&["--unknown"]).ends_with(2);
    tree.scan(&["--threads", "0"]).ends_with(2);
    tree.run(&["scan", "--format", "xml"]).ends_with(2);
    tree.run(&["--version"]).ends_with(0);
    tree.run(&["--help"]).ends_with(0);
}

#[test]
fn secrets_are_shown_on_request() {
    let token = fake::github_pat(40);
    let tree = Tree::new().with("a.txt", &token);
    assert!(
        tree.scan(&["--show-secrets"])
            .ends_with(1)
            .out
            .contains(&token)
    );
    assert!(
        tree.run(&["scan", "--show-secrets"])
            .ends_with(1)
            .out
            .contains(&token)
    );
    tree.scan(&[]).hides(&token);
}

#[test]
fn a_report_goes_to_a_file_or_says_why_not() {
    let tree = Tree::new().with("a.env", guide());
    let run = tree
        .scan(&["--output", "report.jsonl", "a.env"])
        .ends_with(1);
    assert!(run.out.is_empty());
    assert!(
        fs::read_to_string(tree.path().join("report.jsonl"))
            .unwrap()
            .contains("\"kind\":\"summary\"")
    );
    let run = tree
        .scan(&["--output", "missing/report.jsonl", "a.env"])
        .ends_with(2);
    assert!(run.err.contains("missing/report.jsonl"), "{}", run.err);
}

#[test]
fn a_closed_pipe_is_no_panic() {
    let tree = Tree::new();
    for number in 0..2000u64 {
        tree.write(&format!("f{number}.txt"), fake::github_pat(number));
    }
    let program = assert_cmd::cargo::cargo_bin!("keysweep");
    let mut child = std::process::Command::new(program)
        .args(["scan", "--format", "jsonl"])
        .current_dir(tree.path())
        .env_clear()
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(!messages.contains("panicked"), "{messages}");
    assert!(
        output.status.code().is_some_and(|c| c != 0 && c != 101),
        "{:?}",
        output.status
    );
}

#[test]
fn sarif_has_what_its_readers_need() {
    let tree = Tree::new()
        .with("a b/ü.env", guide())
        .with("c.txt", fake::github_pat(41));
    symlink("nowhere", tree.path().join("link")).unwrap();
    let run = tree
        .run(&["scan", "--format", "sarif", ".", "missing"])
        .ends_with(2);
    let log: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(log["version"], "2.1.0");
    assert!(log["$schema"].as_str().unwrap().contains("sarif"));
    let inner = &log["runs"][0];
    assert_eq!(inner["tool"]["driver"]["name"], "keysweep");
    assert_eq!(inner["invocations"][0]["executionSuccessful"], false);
    let rules = inner["tool"]["driver"]["rules"].as_array().unwrap();
    let results = inner["results"].as_array().unwrap();
    assert!(!results.is_empty());
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(rules[index]["properties"]["security-severity"].is_string());
        assert!(result["message"]["text"].is_string());
        assert!(
            result["partialFingerprints"]
                .as_object()
                .is_some_and(|p| !p.is_empty())
        );
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().unwrap();
        assert!(uri.is_ascii() && !uri.contains(' '), "{uri}");
        assert!(place["region"]["startLine"].as_u64().is_some_and(|l| l > 0));
        assert!(
            place["region"]["startColumn"]
                .as_u64()
                .is_some_and(|c| c > 0)
        );
    }
}

// ── Names ───────────────────────────────────────────────────────────────────

#[test]
fn names_that_are_no_text_or_harm_terminals_are_shown_harmlessly() {
    let tree = Tree::new();
    let raw = OsStr::from_bytes(b"latin-\xe9.env");
    fs::write(tree.path().join(raw), guide()).unwrap();
    tree.write("esc\x1b[31m\nline\r.env", guide());
    let run = tree.scan(&[]).ends_with(1);
    let places: Vec<Value> = run
        .findings()
        .iter()
        .flat_map(|f| f["places"].as_array().unwrap().clone())
        .collect();
    let encoded = STANDARD.encode(b"latin-\xe9.env");
    assert!(
        places.iter().any(|p| p["path_bytes"] == encoded.as_str()),
        "{}",
        run.out
    );
    assert!(!run.out.contains('\x1b'));
    for arguments in [
        &["scan"][..],
        &["scan", "--show-suppressed"],
        &["scan", "--show-secrets"],
    ] {
        let text = tree.run(arguments).ends_with(1);
        assert!(
            !text.out.contains('\x1b') && !text.out.contains("\nline"),
            "{:?}",
            text.out
        );
    }
    for (code, place) in [(0, "esc\x1b[31m\nline\r.env:1"), (2, "no\x1b[31m\nline:1")] {
        let run = tree.run(&["scan", "--explain", place]).ends_with(code);
        let all = run.out + &run.err;
        assert!(!all.contains('\x1b') && !all.contains("\nline"), "{all:?}");
    }
}

#[test]
fn a_secret_in_a_file_name_is_hidden() {
    let token = fake::github_pat(42);
    let tree = Tree::new().with(&format!("{token}/a.txt"), &token);
    for format in ["text", "json", "jsonl", "sarif"] {
        tree.run(&["scan", "--format", format])
            .ends_with(1)
            .hides(&token);
    }
}

#[test]
fn no_message_shows_a_secret_of_a_name() {
    let (token, other) = (fake::github_pat(43), fake::npm_token(44));
    let encoded: String = other.bytes().map(|b| format!("{b:02x}")).collect();
    let tree = Tree::new()
        .with(&format!("{token}/{encoded}.txt"), "nothing\nat all\n")
        .with(&format!("{token}/.gitignore"), "*.env\n")
        .with(&format!("{token}/{encoded}.env"), "nothing\n")
        .with("bad.toml", format!("provider = [\"{token}\"\n"))
        .with(
            "long.txt",
            format!("{} {token} {other}\n", "abc ".repeat(45)),
        );
    tree.repository();
    let (folder, file) = (token.as_str(), &*format!("{token}/{encoded}.txt"));
    let missing = &*format!("{token}/none");
    let explained = |path: &str, line: u32| format!("{path}:{line}");
    let (here, there, beyond) = (
        &*explained(file, 1),
        &*explained(missing, 1),
        &*explained(file, 9),
    );
    let quiet: &[(i32, &[&str])] = &[
        (0, &["scan", folder]),
        (0, &["scan", file]),
        (1, &["scan", "."]),
        (2, &["scan", folder, missing]),
        (2, &["scan", missing]),
        (0, &["scan", "--keep-going", missing]),
        (
            2,
            &["scan", "--require-complete", "--max-size", "1", folder],
        ),
        (0, &["scan", "--explain", here]),
        (0, &["scan", "--explain", "long.txt:1"]),
        (2, &["scan", "--explain", there]),
        (2, &["scan", "--explain", beyond]),
        (2, &["scan", "--explain", file]),
        (2, &["scan", "--output", &format!("{missing}/out"), folder]),
        (2, &["scan", "--rules", missing, folder]),
        (2, &["scan", "--rules", "bad.toml", folder]),
        (2, &["scan", "--include", &format!("{token}["), folder]),
        (2, &["scan", "--max-size", folder]),
        (2, &["scan", "--enable", folder]),
        (2, &["scan", &format!("--{token}")]),
        (2, &["rules", "show", folder]),
        (2, &[folder]),
    ];
    for (code, arguments) in quiet {
        for format in ["text", "json", "jsonl", "sarif"] {
            let options = ["--verbose", "--format", format];
            let run = tree.run(&[arguments, &options[..]].concat());
            assert_eq!(run.code, *code, "{arguments:?}\n{}{}", run.out, run.err);
            assert!(!(run.out.is_empty() && run.err.is_empty()));
            for secret in [&*token, &token[..24], &*encoded, &*other] {
                run.hides(secret);
            }
        }
    }
    // What the caller asks to see is shown.
    let run = tree.run(&["scan", "--show-secrets", folder, missing]);
    assert!(run.out.contains(missing), "{}", run.out);
}

/// A rule that is left out still knows what is not to be shown beside other findings.
#[test]
fn secrets_of_rules_that_are_left_out_are_not_shown() {
    let (key, other) = (fake::stripe_live(47), fake::github_pat(47));
    let line = format!("A={key} B={other}\n");
    let tree = Tree::new()
        .with("m.env", &line)
        .with("sub/n.env", &line)
        .with(
            "sub/keysweep.toml",
            "[rules]\ndisable = [\"stripe-secret-key\"]\n",
        );
    for format in keysweep::report::FORMATS {
        for switches in [
            &["--enable", "github-pat-classic"][..],
            &["--disable", "stripe-secret-key"],
            &["--no-repo-config", "--disable", "stripe-secret-key"],
            &[],
        ] {
            let run = tree.run(&[&["scan", "--format", format], switches].concat());
            assert_eq!(run.code, 1, "{}", run.err);
            for secret in [&key, &other] {
                assert!(!run.out.contains(&secret[8..]), "{format} {switches:?}");
            }
        }
    }
}

#[test]
fn a_file_is_an_example_by_its_path_from_the_root_alone() {
    // Above the repository `tests` says nothing.
    let tree = Tree::new()
        .with(
            "tests/repo/examples/a.py",
            "password = \"Summer-Garden7\"\n",
        )
        .with("tests/repo/src/a.py", "password = \"Summer-Garden8\"\n");
    git2::Repository::init(tree.path().join("tests/repo")).unwrap();
    let scores = |folder: &str, arguments: &[&str]| {
        let all = [
            &["scan", "--format", "jsonl", "--min-confidence", "low"],
            arguments,
        ]
        .concat();
        let mut command = program();
        let run = Run::of(command.current_dir(tree.path().join(folder)).args(all));
        let score = |finding: &Value| finding["score"].as_f64().unwrap();
        run.findings().iter().map(score).collect::<Vec<_>>()
    };
    let example = scores("tests/repo/examples", &["a.py"]);
    let source = scores("tests/repo/src", &["a.py"]);
    assert!(example.len() == 1 && source.len() == 1);
    assert!(example[0] < source[0], "{example:?} {source:?}");
    let full = tree.path().join("tests/repo/examples/a.py");
    for (folder, path) in [
        ("tests/repo/examples", "."),
        ("tests/repo", "examples"),
        ("tests/repo", "./examples/a.py"),
        ("", "tests/repo/examples"),
        ("", full.to_str().unwrap()),
    ] {
        assert_eq!(scores(folder, &[path]), example, "{folder} {path}");
    }
    assert_eq!(scores("", &["tests/repo/src/a.py"]), source);
    assert_eq!(scores("tests/repo", &["src", "examples"]).len(), 2);
}

#[test]
fn what_a_person_reads_as_no_secret_is_none() {
    let sum = "5f1d7a84db6d4c0e9b3f2a60c8e7914d3b2a1f0e9d8c7b6a5f4e3d2c1b0a9f8e";
    let cases = [
        (
            "pg_hba.conf",
            "# METHOD: \"trust\", \"md5\", \"password\", \"scram-sha-256\"",
        ),
        (
            "builtins.py",
            "N = ('connect', 'ifx_password', 'mysql_query', 'md5_file')",
        ),
        (
            "ui.js",
            "h(\"label\",null,\"Password:\"),B?Pe.createElement(\"input\",{a:1})",
        ),
        ("postgresql.conf", "#password_encryption = scram-sha-256"),
        ("state.ini", "last_pass_time = 1219328376.07815"),
        (
            "api.yml",
            "password_reset:\n  $ref: 'models/droplet_actions.yml#/droplet_reset4'\npassword: 'models/a.yml#/Droplet4'",
        ),
        ("mvn.bash", "password= scmVersion="),
        (
            "list.json",
            "{\"NextToken\": \"kR7vq2Lm9xhT4kQz81LmPx7vRn2WsYb6Jc\"}",
        ),
        (
            "deploy.yaml",
            &format!("annotations:\n  checksum/secret: {sum}\n"),
        ),
        (
            "app.yaml",
            "DB_PASSWORD: vault:secret/data/db#Password1\nmail_password: \"@env:AC_PASSWORD1\"\nother_password: \"env(DB_PASSWORD_1)\"\n",
        ),
        ("rules.py", "PASSWORD_RULES = \"min8,upper1,digit1\""),
        ("doc.http", "Authorization: Basic bWFydGluOg=="),
    ];
    for (file, text) in cases {
        let run = Tree::new().with(file, text).scan(&[]).ends_with(0);
        assert!(run.findings().is_empty(), "{text}: {}", run.out);
    }
}
