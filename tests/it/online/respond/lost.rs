//! Runs over several leaks that are cut off after the first: the others are on record, and gone on with.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{Scene, Trouble, token};

/// Three keys that work, and a call that takes its time.
fn three() -> Scene {
    let scene = Scene::new("own");
    for seed in [3, 4] {
        let more = token(seed);
        let text = format!("EXAMPLE_TOKEN={more}\n");
        fs::write(scene.tree.path().join(format!("{seed}.env")), text).unwrap();
        scene.bank().live.insert(more);
    }
    scene.scan();
    scene.bank().trouble = vec![Trouble::Slow];
    scene
}

/// Stops a run from the keyboard; what it printed.
#[cfg(unix)]
pub(super) fn interrupted(child: Child) -> String {
    let id = child.id().to_string();
    let killed = Command::new("kill").args(["-INT", &id]).status();
    assert!(killed.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// `respond --apply --yes`, until its first call is sent.
pub(super) fn sent(scene: &Scene) -> Child {
    let child = Command::new(assert_cmd::cargo::cargo_bin!("keysweep"))
        .args(["respond".as_ref(), scene.file("report.json").as_os_str()])
        .args(["--apply", "--yes"])
        .args(["--rules".as_ref(), scene.file("example.toml").as_os_str()])
        .args(["--config".as_ref(), scene.file("mine.toml").as_os_str()])
        .current_dir(scene.tree.path())
        .env_clear()
        .env("HOME", scene.home.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while scene.deletes() == 0 {
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

/// All three are on record, and going on ends them all: nobody need agree again.
fn all_are_ended(scene: &Scene) {
    assert_eq!(scene.incidents().len(), 3);
    scene.keeps_no_secret();
    let run = scene.run(&["respond", "--resume"]).ends_with(0);
    assert_eq!(run.out.matches("proven dead").count(), 3, "{}", run.out);
    assert_eq!((scene.deletes(), scene.bank().effective), (3, 3));
    let left = BTreeSet::from([scene.neighbour.clone()]);
    assert_eq!(scene.bank().live, left);
    let states = scene.incidents();
    assert!(states.iter().all(|(_, s)| s == "closed"), "{states:?}");
    let run = scene.run(&["recheck"]).ends_with(0);
    assert!(run.out.contains("3 incidents rechecked"), "{}", run.out);
}

#[test]
fn what_a_killed_run_did_not_come_to_is_on_record() {
    let scene = three();
    let mut child = sent(&scene);
    child.kill().unwrap();
    child.wait().unwrap();
    all_are_ended(&scene);
}

#[cfg(unix)]
#[test]
fn what_an_interrupted_run_did_not_come_to_is_named_and_on_record() {
    let scene = three();
    let out = interrupted(sent(&scene));
    for (id, _) in &scene.incidents()[1..] {
        let go_on = format!("go on: keysweep respond --resume {id} ");
        assert!(out.contains(&go_on), "{out}");
    }
    let left = out.matches("the run ended before its turn").count();
    assert_eq!(left, 2, "{out}");
    all_are_ended(&scene);
}

#[test]
fn a_key_that_was_not_proven_dead_is_rechecked_whatever_was_tried_since() {
    let scene = Scene::new("own");
    scene.bank().trouble = vec![Trouble::NoEffect];
    scene.respond(&["--apply", "--yes"]).ends_with(2);
    let run = scene
        .run(&["respond", "--resume", "--send-again"])
        .ends_with(2);
    assert!(run.out.contains("nobody to agree"), "{}", run.out);
    assert_eq!(scene.incidents()[0].1, "not-proven");
    let run = scene.run(&["recheck"]).ends_with(1);
    assert!(run.out.contains("the key WORKS"), "{}", run.out);
    let run = scene.run(&["respond", "--resume", "--yes"]).ends_with(0);
    assert!(run.out.contains("proven dead"), "{}", run.out);
    scene.run(&["recheck"]).ends_with(0);
    // Both times somebody agreed, and what was said is on record.
    let record = scene.record();
    let steps = record["steps"].as_array().unwrap().iter();
    let calls: Vec<_> = steps.filter(|s| s["plan"]["kind"] == "revoke").collect();
    assert_eq!(calls.len(), 2, "{record:#}");
    assert!(
        calls.iter().all(|c| c["plan"]["agreed"].is_string()),
        "{record:#}"
    );
    let command = record["leak"]["command"].as_str().unwrap();
    assert!(command.contains(" --apply --yes --rules "), "{command}");
    assert!(command.contains(" --config "), "{command}");
}

#[test]
fn a_key_that_is_not_kept_is_taken_from_its_report() {
    let scene = Scene::new("admin");
    // Nobody has the authority.
    scene
        .respond(&["--apply", "--yes", "--no-recheck"])
        .ends_with(2);
    let id = scene.incidents()[0].0.clone();
    let run = scene.run(&["respond", "--resume", &id]).ends_with(2);
    let go_on = format!("go on: keysweep respond REPORT --resume {id} --rules ");
    assert!(run.out.contains(&go_on), "{}", run.out);
    // What else a report holds is not ended by going on, and that is said.
    let more = token(3);
    let text = format!("EXAMPLE_TOKEN={more}\n");
    fs::write(scene.tree.path().join("3.env"), text).unwrap();
    scene.bank().live.insert(more);
    scene.scan();
    let report = scene.file("report.json");
    let mut command = scene.command(&["respond", report.to_str().unwrap(), "--resume", "--yes"]);
    let run = scene.told(command.env("KEYSWEEP_EXAMPLE_TOKEN", "admin-of-acme"));
    let run = run.ends_with(0);
    assert!(
        run.err.contains("findings of it without an incident: 1;"),
        "{}",
        run.err
    );
    assert_eq!((scene.deletes(), scene.incidents().len()), (1, 1));
}

#[test]
fn a_key_that_works_again_is_rechecked_whatever_was_tried_since() {
    let scene = Scene::new("admin");
    let with = |value: &str, arguments: &[&str]| {
        let mut command = scene.command(arguments);
        scene.told(command.env("KEYSWEEP_EXAMPLE_TOKEN", value))
    };
    let report = scene.file("report.json");
    let apply = ["respond", report.to_str().unwrap(), "--apply", "--yes"];
    with("admin-of-acme", &apply).ends_with(0);
    let leak = scene.leak.clone();
    scene.bank().live.insert(leak);
    scene.run(&["recheck"]).ends_with(1);
    with("somebody-else", &["respond", "--resume", "--yes"]).ends_with(2);
    assert_eq!(scene.incidents()[0].1, "reopened");
    let run = scene.run(&["recheck"]).ends_with(1);
    assert!(run.out.contains("1 lives"), "{}", run.out);
    with("admin-of-acme", &["respond", "--resume", "--yes"]).ends_with(0);
    assert_eq!(scene.incidents()[0].1, "closed");
}

#[test]
fn a_recheck_fails_where_an_incident_is_not_at_its_end() {
    let scene = Scene::new("admin");
    // Nobody has the authority.
    scene.respond(&["--apply", "--yes"]).ends_with(2);
    let id = scene.incidents()[0].0.clone();
    let run = scene.run(&["recheck"]).ends_with(2);
    let go_on = format!("{id}: it is not at its end yet: keysweep respond --resume {id} ");
    assert!(run.err.contains(&go_on), "{}", run.err);
    assert!(run.out.contains("1 not at the end yet"), "{}", run.out);
    // By name, it is asked.
    scene.run(&["recheck", &id]).ends_with(1);
}
