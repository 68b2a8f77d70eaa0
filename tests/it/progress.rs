//! What a run says of itself, and how it is stopped: real signals, real pipes, a real terminal.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use keysweep::history::{Repo as HistoryRepo, Trust, refs};
use keysweep::model::{Observer, Stage};
use keysweep::scan::{Audit, AuditOptions, Limits, PUBLISHED_SALT, Settings, audit};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::repo::Repo;
use crate::support::{Run, Tree, engine, fake};

/// A second, and what a loaded machine may add to it with a program that is not optimised.
const SOON: Duration = Duration::from_secs(10);

fn start(folder: &Path, arguments: &[&str]) -> Child {
    Command::new(assert_cmd::cargo::cargo_bin!("keysweep"))
        .current_dir(folder)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Sends the signal, and gives how the program ended and how long that took.
fn stop(mut child: Child, signal: Signal) -> (Run, Duration) {
    let input = child.stdin.take();
    assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
    let sent = Instant::now();
    kill_process(Pid::from_child(&child), signal).unwrap();
    let output = child.wait_with_output().unwrap();
    let took = sent.elapsed();
    // Until now the other side of its input was there.
    drop(input);
    let run = Run {
        code: output.status.code().expect("it ended by itself"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    assert!(!run.err.contains("panicked"), "{}", run.err);
    (run, took)
}

#[test]
fn input_that_never_ends_is_left_and_what_came_is_reported() {
    let tree = Tree::new();
    for (signal, seed) in [(Signal::INT, 1), (Signal::TERM, 2)] {
        let mut child = start(tree.path(), &["scan", "-", "--format", "jsonl"]);
        let input = child.stdin.as_mut().unwrap();
        writeln!(input, "TOKEN={}", fake::github_pat(seed)).unwrap();
        input.flush().unwrap();
        std::thread::sleep(Duration::from_millis(500));
        let (run, took) = stop(child, signal);
        assert!(took < SOON, "{took:?}");
        let run = run.ends_with(130);
        assert_eq!(run.only_finding()["rule"], "github-pat-classic");
        assert_eq!(run.summary()["cancelled"], true);
    }
}

#[test]
fn input_that_comes_faster_than_it_is_scanned_is_left_too() {
    let tree = Tree::new();
    let mut child = start(tree.path(), &["scan", "-", "--format", "jsonl"]);
    let mut input = child.stdin.take().unwrap();
    let line = format!("TOKEN={}\n", fake::github_pat(3));
    let writer = std::thread::spawn(move || {
        let more = "nothing of worth in this line\n".repeat(2000);
        let mut written = input.write_all(line.as_bytes());
        while written.is_ok() {
            written = input.write_all(more.as_bytes());
        }
    });
    std::thread::sleep(Duration::from_millis(1500));
    let (run, took) = stop(child, Signal::INT);
    writer.join().unwrap();
    assert!(took < SOON, "{took:?}");
    let run = run.ends_with(130);
    assert_eq!(run.only_finding()["line"], 1);
}

#[test]
fn pipes_that_nobody_writes_to_are_left() {
    let tree = Tree::new();
    let made = Command::new("mkfifo")
        .arg(tree.path().join("pipe"))
        .status();
    assert!(made.unwrap().success());
    let commands: [&[&str]; 5] = [
        &["scan", "pipe"],
        &["report", "convert", "pipe", "--format", "markdown"],
        &["report", "convert", "-"],
        &["report", "diff", "pipe", "pipe"],
        &["report", "merge", "pipe"],
    ];
    for arguments in commands {
        let child = start(tree.path(), arguments);
        std::thread::sleep(Duration::from_millis(400));
        let (run, took) = stop(child, Signal::INT);
        assert!(took < SOON, "{arguments:?}: {took:?}");
        assert_eq!(run.code, 130, "{arguments:?}: {}", run.err);
    }
}

#[test]
fn a_hook_whose_input_does_not_end_is_stopped() {
    let repo = Repo::new();
    repo.commit_file("a.txt", "a\n");
    for kind in ["pre-push", "pre-receive"] {
        let child = start(&repo.path(), &["hook", "run", kind]);
        std::thread::sleep(Duration::from_millis(400));
        let (run, took) = stop(child, Signal::INT);
        assert!(took < SOON, "{kind}: {took:?}");
        assert_eq!(run.code, 130, "{kind}: {}", run.err);
    }
}

/// Text that takes its time, with a key in the first line.
fn slow(seed: u64, megabytes: usize) -> String {
    let mut text = format!("TOKEN={}\n", fake::github_pat(seed));
    while text.len() < megabytes << 20 {
        text +=
            "password = get_password(token_secret, api_key) # the secret key of the auth token\n";
    }
    text
}

#[test]
fn a_large_file_gives_its_first_lines_when_it_is_stopped() {
    let tree = Tree::new().with("large.py", slow(4, 400));
    let child = start(
        tree.path(),
        &["scan", "--format", "jsonl", "--threads", "2"],
    );
    std::thread::sleep(Duration::from_millis(1500));
    let (run, took) = stop(child, Signal::INT);
    assert!(took < SOON, "{took:?}");
    let run = run.ends_with(130);
    let found = run.only_finding();
    assert_eq!(
        (&found["line"], &found["path"]),
        (&1.into(), &"large.py".into())
    );
    assert_eq!(run.summary()["cancelled"], true);
}

#[test]
fn a_history_that_is_stopped_gives_what_was_found() {
    let repo = Repo::new();
    let text = "password = get_password(token_secret, api_key) # the secret of the auth token\n"
        .repeat(5_000);
    for number in 0..400 {
        repo.write(&format!("{number}.py"), slow(number, 0) + &text);
    }
    let added = repo.commit("much");
    // Without deltas: what they copy is not looked at again.
    repo.git(&["-c", "pack.window=0", "repack", "-adq"]);
    let arguments = ["git", "--format", "jsonl", "--no-cache", "--threads", "1"];
    let child = start(&repo.path(), &arguments);
    std::thread::sleep(Duration::from_millis(1500));
    let (run, took) = stop(child, Signal::INT);
    assert!(took < SOON, "{took:?}");
    let run = run.ends_with(130);
    assert_eq!(run.summary()["cancelled"], true);
    let findings = run.findings();
    assert!(!findings.is_empty(), "{}", run.err);
    assert!(findings.len() < 400, "it was through");
    let unreachable = &run.summary()["unreachable_hits"];
    assert!(unreachable.is_null() || *unreachable == 0, "{unreachable}");
    for finding in &findings {
        assert_eq!(finding["rule"], "github-pat-classic");
        let path = finding["path"].as_str().unwrap();
        if path.ends_with(".py") {
            assert_eq!(finding["commit"]["id"], added);
        } else {
            // On a loaded machine there may be no time to say where it stands.
            let blob = finding["places"][0]["blob"].as_str().unwrap();
            assert_eq!(path, format!("object {blob}"));
        }
    }
}

/// Wants to stop once attribution begins, and gives it no time.
#[derive(Default)]
struct Hasty(AtomicBool);

impl Observer for Hasty {
    fn stage(&self, stage: Stage) {
        if stage == Stage::Trees {
            self.0.store(true, Ordering::Relaxed);
            // Whoever asks whether to stop has the time to.
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    fn cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[test]
fn what_a_stopped_audit_could_not_place_is_given_by_its_object() {
    let repo = Repo::new();
    repo.commit_file("a.env", format!("TOKEN={}\n", fake::github_pat(12)));
    repo.commit_file("a.env", "gone\n");
    let blob = repo.id("HEAD~1:a.env");
    repo.each_way(|repo| {
        let trust = Trust {
            named: true,
            ..Trust::default()
        };
        let opened = HistoryRepo::discover(&repo.path(), &trust).unwrap();
        let refs = refs(&opened).unwrap();
        let what = Audit {
            repo: &opened,
            refs: &refs,
            tips: &refs.tips,
        };
        let options = AuditOptions {
            threads: 2,
            settings: Settings::default(),
            limits: Limits::default(),
            memory: 64 << 20,
            load: 64 << 20,
            metadata: true,
            all_objects: false,
            since: None,
            cache: None,
            whole: false,
            now: 0,
            salt: PUBLISHED_SALT.to_vec(),
        };
        let outcome = audit(engine(), what, &options, &Hasty::default()).unwrap();
        assert!(outcome.summary.cancelled);
        assert_eq!(outcome.summary.unreachable_hits, 0);
        assert_eq!(outcome.summary.gaps, []);
        let matches = outcome.matches.iter().filter(|m| m.place.dropped.is_none());
        let places: Vec<_> = matches.map(|m| &m.place).collect();
        let [place] = places[..] else {
            panic!("{places:?}");
        };
        assert_eq!(place.path, format!("object {blob}").as_bytes());
        assert_eq!(place.commit, None);
    });
}

/// Runs the program in a terminal of 120 columns; gives its process and what is on the screen.
fn terminal(folder: &Path, arguments: &str) -> (Child, Receiver<Vec<u8>>) {
    let exe = assert_cmd::cargo::cargo_bin!("keysweep");
    let command = format!(
        "stty cols 120 rows 40; exec '{}' {arguments} > report",
        exe.display()
    );
    let mut child = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("TERM", "xterm")
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut screen = child.stdout.take().unwrap();
    let (send, receive) = channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = screen.read(&mut buffer) {
            let _ = send.send(buffer[..read].to_vec());
        }
    });
    (child, receive)
}

/// Reads the screen until the text is on it, or to its end for `None`.
fn read(screen: &Receiver<Vec<u8>>, out: &mut String, text: Option<&str>) {
    let begun = Instant::now();
    while text.is_none_or(|text| !out.contains(text)) {
        assert!(begun.elapsed() < Duration::from_secs(60), "{out}");
        match screen.recv_timeout(Duration::from_millis(200)) {
            Ok(bytes) => *out += &String::from_utf8_lossy(&bytes),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) if text.is_none() => return,
            Err(RecvTimeoutError::Disconnected) => panic!("{text:?} is not on the screen: {out}"),
        }
    }
}

#[test]
fn a_terminal_shows_a_bar_with_rate_and_time_left_and_its_interrupt_key_stops() {
    let tree = Tree::new();
    tree.write("large.py", slow(5, 400));
    let (mut child, screen) = terminal(tree.path(), "scan large.py --threads 1");
    let mut out = String::new();
    read(&screen, &mut out, Some(" left"));
    assert!(out.contains("1/1 files"), "{out}");
    assert!(out.contains("/s)  "), "{out}");
    assert!(out.contains("[#") || out.contains("[-"), "{out}");
    let pressed = Instant::now();
    child.stdin.as_mut().unwrap().write_all(b"\x03").unwrap();
    let mut rest = String::new();
    read(&screen, &mut rest, None);
    let took = pressed.elapsed();
    assert!(took < SOON, "{took:?}");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let report = fs::read_to_string(tree.path().join("report")).unwrap();
    assert!(report.contains("github-pat-classic"), "{report}");
    assert!(report.contains("the run was stopped before its end"));
}

#[test]
fn a_history_in_a_terminal_shows_how_many_of_its_objects_are_scanned() {
    let repo = Repo::new();
    for number in 0..24 {
        repo.write(&format!("{number}.py"), slow(100 + number, 2));
    }
    repo.commit("much");
    repo.repack();
    let (mut child, screen) = terminal(&repo.path(), "git --no-cache --threads 1");
    let mut out = String::new();
    read(&screen, &mut out, None);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    // 24 files and the commit; the tree is not scanned.
    assert!(out.contains("/25 objects"), "{out}");
}

#[test]
fn nothing_is_drawn_where_nobody_looks() {
    let tree = Tree::new().with("large.py", slow(6, 30));
    let run = tree.run(&["scan", "--threads", "1"]).ends_with(1);
    assert_eq!(run.err, "");
}

#[test]
fn verbose_gives_the_time_of_each_stage() {
    let repo = Repo::new();
    repo.commit_file("a.env", format!("TOKEN={}\n", fake::github_pat(7)));
    let stages = |run: &Run| -> Vec<String> {
        let lines = run
            .err
            .lines()
            .skip_while(|l| !l.contains("time of each stage"));
        let times = lines.skip(1).take_while(|l| l.starts_with("  "));
        times
            .map(|line| {
                let (stage, time) = line.trim().rsplit_once("  ").unwrap();
                let (number, unit) = time.split_once(' ').unwrap();
                assert!(number.parse::<f64>().is_ok(), "{line}");
                assert!(["us", "ms", "s"].contains(&unit), "{line}");
                stage.trim().to_owned()
            })
            .collect()
    };
    let history = [
        "start",
        "discover",
        "open packs",
        "scan objects",
        "attribution: trees",
        "attribution: commits",
        "read what is shown",
        "join and judge",
        "write the report",
        "together",
    ];
    assert_eq!(
        stages(&repo.keysweep(&["--verbose", "--no-cache"])),
        history
    );
    let staged = repo.keysweep(&["--staged", "-v"]);
    assert!(
        stages(&staged).contains(&"scan what is added".to_owned()),
        "{}",
        staged.err
    );
    let tree = Tree::new().with("a.txt", "a\n");
    let run = tree.run(&["scan", "-v"]);
    assert!(
        stages(&run).contains(&"walk and scan files".to_owned()),
        "{}",
        run.err
    );
    assert!(!tree.run(&["scan"]).err.contains("time of each stage"));
}

#[test]
fn stats_count_what_each_rule_tried_matched_and_dropped() {
    let mut wrong = fake::github_pat(8).into_bytes();
    assert!(fake::break_checksum("github-crc32", &mut wrong));
    let wrong = String::from_utf8(wrong).unwrap();
    let right = fake::github_pat(9);
    let text = format!("A={right}\nB={right}\nC={wrong}\nD=ghp_short\n");
    let marked = format!("# keysweep:allow=github-pat-classic\nE={right}\n");
    let tree = Tree::new()
        .with("a.env", &text)
        .with("b.txt", "nothing\n")
        .with("c.env", marked);
    for threads in ["1", "4"] {
        let run = tree.scan(&["--stats", "--threads", threads]).ends_with(1);
        let lines: Vec<&str> = run.err.lines().collect();
        assert_eq!(
            lines[0],
            "keysweep: time and hits of each rule, all threads together"
        );
        let columns = |line: &str| -> Vec<String> {
            line.split_whitespace().map(ToOwned::to_owned).collect()
        };
        let row = lines.iter().find(|l| l.contains(" github-pat-classic "));
        let row = columns(row.unwrap_or_else(|| panic!("{}", run.err)));
        // Rule, time and its unit; then tried, matched, kept, findings, dropped.
        assert_eq!(
            row[3..],
            ["5", "4", "3", "1", "checksum", "1,", "suppressed", "1"],
            "{}",
            run.err
        );
        assert!(run.err.contains("(search for literals)"));
        run.hides(&right);
        run.hides(&wrong);
        // The report is the same, and nothing is said where nobody asked.
        let plain = tree.scan(&["--threads", threads]);
        assert_eq!(plain.err, "");
        assert_eq!(plain.findings(), run.findings());
    }
}

#[test]
fn stats_of_a_history_are_sorted_by_time() {
    let repo = Repo::new();
    repo.commit_file("a.env", format!("TOKEN={}\n", fake::github_pat(10)));
    repo.commit_file("b.py", slow(11, 1));
    let run = repo.keysweep(&["--stats", "--no-cache"]).ends_with(1);
    let rows = run
        .err
        .lines()
        .skip(3)
        .filter(|line| line.starts_with("  "));
    let rows = rows.filter(|line| !line.contains("other rules"));
    let times: Vec<f64> = rows
        .map(|row| {
            let mut columns = row.split_whitespace().skip(1);
            let number: f64 = columns.next().unwrap().parse().unwrap();
            match columns.next().unwrap() {
                "us" => number,
                "ms" => number * 1e3,
                "s" => number * 1e6,
                unit => panic!("{unit}"),
            }
        })
        .collect();
    assert!(times.len() > 1, "{}", run.err);
    let sorted = times.windows(2).all(|two| two[0] >= two[1] * 0.99);
    assert!(sorted, "{}", run.err);
}
