//! One refusal may be an accident: keys are proven dead by two in a row.

use std::fs;
#[cfg(target_os = "linux")]
use std::time::Duration;

use serde_json::Value;

#[cfg(target_os = "linux")]
use super::lost::{interrupted, sent};
use super::{Scene, token};

/// What was asked of a token since it was ended: the answers' number.
fn looks(scene: &Scene, token: &str) -> usize {
    let seen = scene.server.seen();
    let bearer = format!("Bearer {token}");
    let its = seen
        .iter()
        .filter(|seen| seen.header("Authorization") == Some(&*bearer));
    its.skip_while(|seen| seen.method != "DELETE")
        .skip(1)
        .count()
}

/// The looks at a key that are on record: states and answers.
fn checks(record: &Value) -> Vec<(&str, &str)> {
    let checks = record["checks"].as_array().unwrap().iter();
    let text = |value| Value::as_str(value).unwrap();
    checks
        .map(|check| (text(&check["state"]), text(&check["answer"])))
        .collect()
}

#[test]
fn a_key_that_is_accepted_after_one_refusal_is_not_dead() {
    let scene = Scene::new("own");
    scene.rules("deadline = 1", "deadline = 4");
    // One edge knows of the end, the others do not and never will.
    scene.bank().flaps = vec![false];
    scene.bank().lag = 1000;
    let run = scene.respond(&["--apply", "--yes"]).ends_with(2);
    let told =
        "NOT PROVEN dead: refused once, which was an accident; the key still works after 4 s";
    assert!(run.out.contains(told), "{}", run.out);
    assert_eq!(scene.incidents()[0].1, "not-proven");
    let record = scene.record();
    let states: Vec<&str> = checks(&record).iter().map(|(state, _)| *state).collect();
    assert_eq!(states, ["refused", "alive"], "{record:#}");
    // Later all of them know.
    scene.bank().lag = 0;
    scene.run(&["respond", "--resume"]).ends_with(0);
    assert_eq!((scene.deletes(), &*scene.incidents()[0].1), (1, "closed"));
}

#[test]
fn a_key_that_is_accepted_in_between_is_refused_twice_after_that() {
    let scene = Scene::new("own");
    scene.rules("deadline = 1", "deadline = 20");
    scene.bank().flaps = vec![false, true, false, true];
    let begun = std::time::Instant::now();
    let run = scene.respond(&["--apply", "--yes"]).ends_with(0);
    // Refused, 2 s, accepted, 1 s, refused, 2 s, accepted, 1 s, refused, 2 s, refused.
    assert!(
        run.out.contains(", and again 2 s later: the token"),
        "{}",
        run.out
    );
    assert_eq!(looks(&scene, &scene.leak), 6);
    assert!(begun.elapsed() >= Duration::from_secs(8));
    let record = scene.record();
    let checks = checks(&record);
    assert_eq!(checks.len(), 2, "{checks:?}");
    assert!(checks[0].1.starts_with("refused at once: "), "{checks:?}");
    assert!(
        checks[1].1.contains(", and again 2 s later: "),
        "{checks:?}"
    );
}

#[test]
fn keys_share_the_time_between_their_refusals() {
    let scene = Scene::new("own");
    scene.rules("deadline = 1", "deadline = 20");
    let more: Vec<String> = (3..23).map(token).collect();
    for (at, token) in more.iter().enumerate() {
        let text = format!("EXAMPLE_TOKEN={token}\n");
        fs::write(scene.tree.path().join(format!("{at}.env")), text).unwrap();
        scene.bank().live.insert(token.clone());
    }
    scene.scan();
    let run = scene.respond(&["--apply", "--yes"]).ends_with(0);
    assert_eq!(
        run.out.matches("  proven dead: ").count(),
        21,
        "{}",
        run.out
    );
    // All first looks come before the second ones.
    let seen = scene.server.seen();
    let ended = seen
        .iter()
        .rposition(|seen| seen.method == "DELETE")
        .unwrap();
    let after = seen[ended..]
        .iter()
        .filter(|seen| seen.path() == "/me")
        .count();
    assert_eq!(after, 22, "the last key's first look, and 21 second ones");
    for token in &more {
        assert_eq!(looks(&scene, token), 2);
    }
    let states = scene.incidents();
    assert!(
        states.iter().all(|(_, state)| state == "closed"),
        "{states:?}"
    );
}

#[test]
fn what_a_person_ended_is_refused_twice_before_it_is_closed() {
    let scene = Scene::new("console");
    scene.respond(&["--apply", "--yes"]).ends_with(2);
    let (id, leak) = (scene.incidents()[0].0.clone(), scene.leak.clone());
    scene.bank().live.remove(&leak);
    // An accident.
    scene.bank().flaps = vec![false, true];
    let run = scene.run(&["recheck"]).ends_with(1);
    assert!(run.out.contains("the key WORKS"), "{}", run.out);
    scene.bank().flaps = vec![false, true];
    let run = scene.run(&["respond", "--resume"]).ends_with(2);
    assert!(run.out.contains("a person ends it"), "{}", run.out);
    assert_eq!(scene.incidents()[0].1, "open");
    let before = scene.server.seen().len();
    let run = scene.run(&["recheck"]).ends_with(0);
    assert!(
        run.out.contains("refused at once, and again "),
        "{}",
        run.out
    );
    assert_eq!(scene.server.seen().len(), before + 2);
    assert_eq!(scene.incidents()[0].1, "closed");
    // Of a closed one, it is asked once whether it works again.
    scene.run(&["recheck", &id]).ends_with(0);
    assert_eq!(scene.server.seen().len(), before + 3);
}

#[test]
fn the_deadline_counts_for_more_than_how_long_a_provider_asks_to_wait() {
    let scene = Scene::new("own");
    scene.bank().is_busy = true;
    let begun = std::time::Instant::now();
    let run = scene
        .respond(&["--apply", "--yes", "--deadline", "4"])
        .ends_with(2);
    let took = begun.elapsed();
    assert!(
        run.out.contains("NOT PROVEN dead: not known after 4 s: "),
        "{}",
        run.out
    );
    assert!(took < Duration::from_secs(20), "{took:?}");
    scene.bank().is_busy = false;
    scene.run(&["respond", "--resume"]).ends_with(0);
    assert_eq!((scene.deletes(), &*scene.incidents()[0].1), (1, "closed"));
}

/// Stops the run from the keyboard between the two refusals, and goes on.
#[cfg(target_os = "linux")]
#[test]
fn a_run_that_is_stopped_between_the_refusals_proves_nothing() {
    let scene = Scene::new("own");
    scene.rules("deadline = 1", "deadline = 600");
    let child = sent(&scene);
    while looks(&scene, &scene.leak) == 0 {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(400));
    let out = interrupted(child);
    assert!(out.contains("  interrupted\n"), "{out}");
    assert_eq!(scene.incidents()[0].1, "open");
    scene.run(&["respond", "--resume"]).ends_with(0);
    assert_eq!((scene.deletes(), &*scene.incidents()[0].1), (1, "closed"));
    assert_eq!(looks(&scene, &scene.leak), 3, "one, and two anew");
}
