//! Runs that are stopped: by an outage, a missing credential, another run, a full disk, a kill; and going on with them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use serde_json::Value;

use super::{Scene, Trouble};

#[test]
fn an_outage_is_told_and_gone_on_with() {
    let scene = Scene::new("own");
    // Nobody answers, and then somebody who cannot.
    let config = fs::read_to_string(scene.file("mine.toml")).unwrap();
    let closed = config.replace(&scene.server.url(), "http://127.0.0.1:1");
    fs::write(scene.file("mine.toml"), closed).unwrap();
    let run = scene.respond(&["--apply", "--yes"]).ends_with(2);
    assert!(run.out.contains("unknown: "), "{}", run.out);
    assert!(scene.incidents().is_empty());
    fs::write(scene.file("mine.toml"), config).unwrap();
    scene.bank().is_down = true;
    let run = scene.respond(&["--apply", "--yes"]).ends_with(2);
    assert!(run.out.contains("unknown: answered 503"), "{}", run.out);
    assert!(scene.incidents().is_empty());
    scene.bank().is_down = false;
    // The answer is lost, and the key proves dead.
    scene.bank().trouble = vec![Trouble::AnswerLost];
    scene.respond(&["--apply", "--yes"]).ends_with(0);
    assert_eq!((scene.deletes(), scene.bank().effective), (1, 1));

    // The call is lost: what must not be sent twice is sent again by a person's word alone.
    let scene = Scene::new("own");
    scene.bank().trouble = vec![Trouble::CallLost];
    let run = scene.respond(&["--apply", "--yes"]).ends_with(2);
    assert!(run.out.contains("NOT PROVEN"), "{}", run.out);
    let may = "go on (it may send the call again): keysweep respond --resume";
    assert!(run.out.contains(may), "{}", run.out);
    let run = scene.run(&["respond", "--resume", "--yes"]).ends_with(2);
    assert!(run.out.contains("--send-again"), "{}", run.out);
    assert_eq!(scene.deletes(), 1);
    scene
        .run(&["respond", "--resume", "--yes", "--send-again"])
        .ends_with(0);
    assert_eq!((scene.deletes(), scene.bank().effective), (2, 1));
    assert_eq!(scene.incidents()[0].1, "closed");
    let record = scene.record();
    let mut events = record["events"].as_array().unwrap().iter();
    let agreed = events.find(|e| e["action"] == "agree").unwrap();
    let note = agreed["note"].as_str().unwrap();
    assert!(note.contains("sent again; the key still works"), "{note}");
    let run = scene.run(&["respond", "--resume"]).ends_with(0);
    assert!(
        run.out.contains("all incidents are at their end"),
        "{}",
        run.out
    );
}

#[test]
fn authority_that_is_missing_or_wrong_is_told_and_mended() {
    let scene = Scene::new("admin");
    let run = scene.respond(&["--apply", "--yes"]).ends_with(2);
    assert!(run.out.contains("KEYSWEEP_EXAMPLE_TOKEN"), "{}", run.out);
    assert_eq!(scene.incidents()[0].1, "open");
    let with = |value: &str, arguments: &[&str]| {
        scene.told(
            scene
                .command(arguments)
                .env("KEYSWEEP_EXAMPLE_TOKEN", value),
        )
    };
    let run = with("somebody-else", &["respond", "--resume", "--yes"]).ends_with(2);
    assert!(run.out.contains("answered 403"), "{}", run.out);
    run.hides("somebody-else");
    assert_eq!(scene.deletes(), 0);
    with("admin-of-acme", &["respond", "--resume", "--yes"]).ends_with(0);
    assert_eq!(scene.bank().live, BTreeSet::from([scene.neighbour.clone()]));
    assert_eq!(scene.incidents().len(), 1);
    let record = scene.record().to_string();
    assert!(
        record.contains(&scene.leak[scene.leak.len() - 8..]),
        "the id of what died: {record}"
    );
}

#[test]
fn two_runs_do_not_work_on_one_incident() {
    let scene = Scene::new("own");
    scene.bank().trouble = vec![Trouble::Slow];
    std::thread::scope(|threads| {
        let first = threads.spawn(|| scene.respond(&["--apply", "--yes"]));
        while scene.deletes() == 0 {
            std::thread::sleep(Duration::from_millis(20));
        }
        // The token is dead, but the first run does not know it yet.
        let second = scene.run(&["respond", "--resume", "--yes"]).ends_with(2);
        assert!(second.err.contains("another"), "{}", second.err);
        first.join().unwrap().ends_with(0);
    });
    assert_eq!((scene.deletes(), scene.incidents().len()), (1, 1));
}

#[test]
fn a_ledger_that_is_changed_or_newer_stops_every_command_before_anything_is_sent() {
    for (change, says) in [
        (
            "UPDATE incident SET state = 'open'",
            "changed by somebody else",
        ),
        (
            "DELETE FROM audit WHERE seq = 4",
            "changed by somebody else",
        ),
        ("PRAGMA user_version = 9", "use the newer keysweep"),
    ] {
        let scene = Scene::new("own");
        scene.respond(&["--apply", "--yes"]).ends_with(0);
        let ledger = scene.file(".local/share/keysweep/ledger.sqlite");
        let by_hand = rusqlite::Connection::open(&ledger).unwrap();
        by_hand.execute_batch(change).unwrap();
        drop(by_hand);
        let (leak, before) = (scene.leak.clone(), fs::read(&ledger).unwrap());
        scene.bank().live.insert(leak.clone());
        let deletes = scene.deletes();
        for run in [
            scene.respond(&["--apply", "--yes"]),
            scene.run(&["respond", "--resume", "--yes"]),
            scene.run(&["recheck"]),
            scene.revoke(&leak, &["--yes"]),
        ] {
            let run = run.ends_with(2);
            assert!(run.err.contains(says), "{change}: {}", run.err);
        }
        assert_eq!(scene.deletes(), deletes, "{change}");
        assert_eq!(fs::read(&ledger).unwrap(), before, "{change}");
    }
}

#[test]
fn a_ledger_that_cannot_be_written_stops_it_before_anything_is_done() {
    let scene = Scene::new("own");
    let text = scene.file("ledger.txt");
    fs::write(&text, "my notes").unwrap();
    let path = text.to_str().unwrap();
    scene
        .respond(&["--apply", "--yes", "--ledger", path])
        .ends_with(2);
    assert_eq!(fs::read(&text).unwrap(), b"my notes");
    assert_eq!(scene.deletes(), 0);
}

/// Stops the run from the keyboard while it proves, and goes on.
#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_proof_is_gone_on_with() {
    let scene = Scene::new("own");
    scene.rules("deadline = 1", "deadline = 600");
    scene.bank().lag = 1000;
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("keysweep"))
        .args(["respond".as_ref(), scene.file("report.json").as_os_str()])
        .args(["--apply", "--yes"])
        .args(["--rules".as_ref(), scene.file("example.toml").as_os_str()])
        .args(["--config".as_ref(), scene.file("mine.toml").as_os_str()])
        .current_dir(scene.tree.path())
        .env_clear()
        .env("HOME", scene.home.path())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while scene.deletes() == 0 {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(500));
    let id = child.id().to_string();
    let killed = std::process::Command::new("kill")
        .args(["-INT", &id])
        .status();
    assert!(killed.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(scene.incidents()[0].1, "open");
    scene.bank().lag = 0;
    scene.run(&["respond", "--resume"]).ends_with(0);
    assert_eq!((scene.deletes(), &*scene.incidents()[0].1), (1, "closed"));
}

/// With a disk that is full after a while, at each fill in turn.
#[cfg(target_os = "linux")]
#[test]
fn on_a_full_disk_nothing_is_done_that_is_not_on_record() {
    let (mut stopped, mut sent) = (0, 0);
    for blocks in (16..).step_by(16) {
        assert!(blocks < 4000, "the ledger never fits");
        let scene = Scene::new("own");
        // The first run makes the ledger; a fill that does not hold even that is another test's.
        let limit = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let mut command = scene.behind(&limit);
        let run = scene.told(&mut command);
        if run.code == 0 {
            break;
        }
        assert_eq!(run.code, 2, "{}", run.err);
        assert!(run.err.contains("no room left"), "{blocks}: {}", run.err);
        stopped += 1;
        sent += scene.deletes();
        let same = run.err.contains("give the same command again");
        let resumed = scene.run(&["respond", "--resume", "--yes"]);
        if scene.incidents().is_empty() {
            let run = resumed.ends_with(2);
            assert!(!run.out.contains("at their end"), "{}", run.out);
            assert!(same, "{blocks}: nothing is on record to go on with");
            assert_eq!(scene.deletes(), 0, "{blocks}: a call is on no record");
            scene.respond(&["--apply", "--yes"]).ends_with(0);
        } else {
            assert!(!same, "{blocks}: it is on record");
            resumed.ends_with(0);
        }
        assert_eq!(
            (scene.bank().effective, scene.incidents().len()),
            (1, 1),
            "{blocks}"
        );
        assert_eq!(scene.incidents()[0].1, "closed");
    }
    assert!(
        stopped > 3,
        "{stopped} runs were stopped, {sent} of them after the call"
    );
}

/// Kills the program at each of its moments in turn, goes on, and looks at the end.
#[cfg(debug_assertions)]
fn killed_everywhere(block: &str) {
    let end = |scene: &Scene| {
        let record = scene.record();
        let steps = record["steps"]
            .as_array()
            .unwrap_or_else(|| panic!("{record:#}"));
        let told: Vec<(Value, Value)> = steps
            .iter()
            .map(|step| (step["kind"].clone(), step["state"].clone()))
            .collect();
        (told, scene.incidents()[0].1.clone())
    };
    let run = |scene: &Scene, arguments: &[&str]| {
        let mut command = scene.command(arguments);
        scene.told(command.env("KEYSWEEP_EXAMPLE_TOKEN", "admin-of-acme"))
    };
    let whole = Scene::new(block);
    let report = whole.file("report.json");
    run(
        &whole,
        &["respond", report.to_str().unwrap(), "--apply", "--yes"],
    )
    .ends_with(0);
    let wanted = end(&whole);
    // Gives how often the call was sent; `None` where the run was through before this moment.
    let killed = &|at: usize| {
        let scene = Scene::new(block);
        let report = scene.file("report.json");
        let mut command = scene.command(&["respond", report.to_str().unwrap(), "--apply", "--yes"]);
        let output = command
            .env("KEYSWEEP_EXAMPLE_TOKEN", "admin-of-acme")
            .env("KEYSWEEP_CRASH_AT", at.to_string())
            .output()
            .unwrap();
        // Not even what a killed run leaves behind.
        let printed = [output.stdout.clone(), output.stderr.clone()].concat();
        assert!(!String::from_utf8_lossy(&printed).contains(&scene.leak));
        scene.keeps_no_secret();
        if output.status.code().is_some() {
            assert!(output.status.success(), "{output:?}");
            return None;
        }
        // Nothing is on record in the first moments: the same command is given again.
        let resumed = run(&scene, &["respond", "--resume", "--yes"]);
        if scene.incidents().is_empty() {
            assert_eq!(scene.deletes(), 0, "killed at {at}");
            run(
                &scene,
                &["respond", report.to_str().unwrap(), "--apply", "--yes"],
            )
            .ends_with(0);
        } else if resumed.out.contains("--send-again") {
            // It is not known whether the call was sent: here it was not.
            assert_eq!(scene.bank().effective, 0, "killed at {at}: {}", resumed.out);
            run(&scene, &["respond", "--resume", "--yes", "--send-again"]).ends_with(0);
        } else {
            resumed.ends_with(0);
        }
        assert_eq!(end(&scene), wanted, "killed at {at}");
        assert_eq!(scene.bank().effective, 1, "killed at {at}");
        assert_eq!(scene.bank().live, BTreeSet::from([scene.neighbour.clone()]));
        scene.run(&["recheck"]).ends_with(0);
        Some(scene.deletes())
    };
    // Some at a time: most of it is waiting for second refusals.
    let mut sent: BTreeMap<usize, usize> = BTreeMap::new();
    for at in (1..).step_by(6) {
        let some = std::thread::scope(|threads| {
            let some = (at..at + 6).map(|at| threads.spawn(move || killed(at)));
            let some: Vec<_> = some.collect();
            let some = some.into_iter().map(|one| one.join().unwrap());
            some.collect::<Vec<_>>()
        });
        for calls in some.iter().flatten() {
            *sent.entry(*calls).or_default() += 1;
        }
        if some.iter().any(Option::is_none) {
            break;
        }
    }
    let moments: usize = sent.values().sum();
    assert!(moments > 20, "only {moments} moments");
    assert_eq!(
        sent.keys().copied().collect::<Vec<_>>(),
        [1],
        "calls and how often: {sent:?}"
    );
}

#[cfg(debug_assertions)]
#[test]
fn killed_at_any_moment_it_goes_on_to_the_same_end_where_a_call_must_not_be_sent_twice() {
    killed_everywhere("own");
}

#[cfg(debug_assertions)]
#[test]
fn killed_at_any_moment_it_goes_on_to_the_same_end_where_it_may_be_repeated() {
    killed_everywhere("repeatable");
}

#[cfg(debug_assertions)]
#[test]
fn killed_at_any_moment_it_goes_on_to_the_same_end_by_the_callers_authority() {
    killed_everywhere("admin");
}

/// On a disk of its own that is as good as full, at each fill in turn; then there is room, and it goes on.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs unshare -rm; run by ./test.sh"]
fn on_a_small_disk_nothing_is_done_that_is_not_on_record() {
    let (mut stopped, mut sent) = (0, 0);
    for room in (0..).step_by(24) {
        assert!(room < 1000, "the ledger never fits");
        let scene = Scene::new("own");
        fs::create_dir_all(scene.file(".local/share/keysweep")).unwrap();
        let shell = format!(
            r#"
            disk=$HOME/.local/share/keysweep
            mount -t tmpfs -o size=1m,mode=700 none "$disk" || exit 99
            dd if=/dev/zero of="$disk/fill" bs=1k count=$((1024 - {room})) 2>"$HOME/dd" || exit 98
            "$0" "$@" >"$HOME/first" 2>&1
            code=$?
            cat "$HOME/first"
            rm "$disk/fill"
            [ $code = 0 ] && {{ echo "first time"; exit 0; }}
            [ $code = 2 ] && grep -q 'no room left' "$HOME/first" || exit 97
            report=$2
            shift 4
            "$0" respond --resume --yes "$@" >"$HOME/second" 2>&1
            code=$?
            cat "$HOME/second"
            if grep -q 'no incident is on record\|there is no ledger' "$HOME/second"; then
                echo "not begun"
                "$0" respond "$report" --apply --yes "$@" || exit 96
            else
                [ $code = 0 ] || exit 95
            fi
            "$0" incidents list --format json >"$HOME/list" || exit 94
            cat "$HOME/list"
            "$0" incidents verify || exit 93
            "#
        );
        let mut command =
            scene.behind("exec unshare -rm /bin/sh -c \"$SHELL_WORDS\" \"$0\" \"$@\"");
        command
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("SHELL_WORDS", shell);
        let run = scene.told(&mut command);
        assert_eq!(run.code, 0, "{room}: {}{}", run.out, run.err);
        if run.out.contains("first time") {
            break;
        }
        stopped += 1;
        sent += usize::from(!run.out.contains("not begun"));
        assert_eq!(
            (scene.deletes(), scene.bank().effective),
            (1, 1),
            "{room}: {}",
            run.out
        );
        assert_eq!(
            run.out.matches("\"state\": \"closed\"").count(),
            1,
            "{}",
            run.out
        );
    }
    assert!(
        stopped > 3,
        "{stopped} runs were stopped, {sent} of them when it had begun"
    );
}
