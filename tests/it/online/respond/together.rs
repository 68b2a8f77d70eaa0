//! Tokens that one call ends: each has its incident, its journal and its proof.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Scene, Trouble, token};
use crate::support::Run;
use crate::support::http::Answer;

/// A scene with so many leaks, each in a file of its own; the neighbour is in none.
fn scene(count: u64) -> (Scene, Vec<String>) {
    let scene = Scene::new("list");
    let mut leaks = vec![scene.leak.clone()];
    for seed in 10..10 + count - 1 {
        let leak = token(seed);
        scene
            .tree
            .write(&format!("{seed}.env"), format!("EXAMPLE_TOKEN={leak}\n"));
        scene.bank().live.insert(leak.clone());
        leaks.push(leak);
    }
    scene.scan();
    (scene, leaks)
}

/// How many tokens each call named.
fn calls(scene: &Scene) -> Vec<usize> {
    let seen = scene.server.seen();
    let calls = seen.iter().filter(|seen| seen.method == "POST");
    calls
        .map(|seen| seen.json()["credentials"].as_array().unwrap().len())
        .collect()
}

fn hides(run: &Run, leaks: &[String]) {
    for leak in leaks {
        run.hides(leak);
    }
}

fn are_closed(scene: &Scene, count: usize) {
    let states: Vec<String> = scene.incidents().into_iter().map(|(_, s)| s).collect();
    assert_eq!(states, vec!["closed"; count]);
    assert_eq!(scene.bank().live, BTreeSet::from([scene.neighbour.clone()]));
}

#[test]
fn one_call_ends_a_list_and_each_is_proven_dead_by_itself() {
    let (scene, leaks) = scene(6);
    let run = scene.respond(&["--apply", "--yes"]).ends_with(0);
    hides(&run, &leaks);
    // Four at once, and the rest.
    assert_eq!(calls(&scene), [4, 2]);
    assert_eq!(run.out.matches("proven dead").count(), 6, "{}", run.out);
    let says = "Example: one call ends 4 keys";
    assert!(run.err.contains(says), "{}", run.err);
    are_closed(&scene, 6);
    let record = scene.record();
    let steps = record["steps"].as_array().unwrap();
    let revoked = steps
        .iter()
        .find(|s| s["plan"]["kind"] == "revoke")
        .unwrap();
    let answer = revoked["answer"].as_str().unwrap();
    assert!(answer.starts_with("202 (one call for "), "{answer}");
    // One alone is named alone.
    let again = &leaks[3];
    scene.bank().live.insert(again.clone());
    scene.respond(&["--apply", "--yes"]).ends_with(0);
    assert_eq!(calls(&scene), [4, 2, 1]);
    are_closed(&scene, 7);
}

#[test]
fn a_limit_stops_the_calls_and_going_on_makes_them() {
    let limits = [
        (
            Answer::status(403).with_header("Retry-After", "1800"),
            "rate limited by Example until 20",
        ),
        (
            Answer::status(429)
                .with_header("X-RateLimit-Remaining", "0")
                .with_header("X-RateLimit-Reset", "4102444800"),
            "rate limited by Example until 2100-01-01T00:00:00Z",
        ),
        (
            Answer::status(403)
                .with_json(&json!({ "message": "You have exceeded a secondary rate limit." })),
            "rate limited by Example\n",
        ),
    ];
    for (limit, says) in limits {
        let (scene, leaks) = scene(6);
        scene.bank().limit = Some(limit);
        let run = scene.respond(&["--apply", "--yes"]).ends_with(2);
        hides(&run, &leaks);
        // No second call, and none for each.
        assert_eq!(calls(&scene), [4]);
        assert_eq!(run.out.matches(says).count(), 6, "{says}: {}", run.out);
        assert!(!run.out.contains("may not do this"), "{}", run.out);
        let all = "go on with what is on record: keysweep respond --resume --rules ";
        assert!(run.out.contains(all), "{}", run.out);
        assert!(
            run.out.contains("go on: keysweep respond --resume KS-"),
            "{}",
            run.out
        );
        assert_eq!(scene.bank().effective, 0);
        scene.bank().limit = None;
        let run = scene.run(&["respond", "--resume", "--yes"]).ends_with(0);
        hides(&run, &leaks);
        assert_eq!(calls(&scene), [4, 4, 2]);
        are_closed(&scene, 6);
    }
}

#[test]
fn an_anonymous_call_that_is_refused_blames_no_credential() {
    let (scene, _) = scene(2);
    scene.bank().limit = Some(Answer::status(403));
    let run = scene.respond(&["--apply", "--yes"]).ends_with(2);
    assert!(run.out.contains("answered 403"), "{}", run.out);
    assert!(!run.out.contains("may not do this"), "{}", run.out);
}

#[test]
fn one_that_is_refused_keeps_no_other_alive() {
    let (scene, leaks) = scene(4);
    scene.bank().malformed.insert(leaks[2].clone());
    let run = scene.respond(&["--apply", "--yes"]).ends_with(2);
    hides(&run, &leaks);
    // All, a half and its halves, the other half.
    assert_eq!(calls(&scene).len(), 5, "{:?}", calls(&scene));
    assert_eq!(run.out.matches("proven dead").count(), 3, "{}", run.out);
    assert!(
        run.out.contains("stopped: the provider refused: 422"),
        "{}",
        run.out
    );
    let live = BTreeSet::from([scene.neighbour.clone(), leaks[2].clone()]);
    assert_eq!(scene.bank().live, live);
}

#[test]
fn a_lost_answer_is_made_up_for_by_each_ones_proof() {
    let (scene, _) = scene(3);
    scene.bank().trouble = vec![Trouble::AnswerLost];
    scene.respond(&["--apply", "--yes"]).ends_with(0);
    assert_eq!(calls(&scene), [3]);
    are_closed(&scene, 3);

    // Where the call was lost, going on sends it again: once for all.
    let (scene, _) = self::scene(3);
    scene.bank().trouble = vec![Trouble::CallLost];
    let run = scene.respond(&["--apply", "--yes"]).ends_with(2);
    assert_eq!(run.out.matches("NOT PROVEN").count(), 3, "{}", run.out);
    scene.run(&["respond", "--resume", "--yes"]).ends_with(0);
    assert_eq!(calls(&scene), [3, 3]);
    are_closed(&scene, 3);
}

/// Kills the program at each of its moments in turn, goes on, and looks at the end.
#[cfg(debug_assertions)]
#[test]
fn killed_at_any_moment_it_goes_on_to_the_same_end() {
    let mut at = 0;
    let mut together = BTreeSet::new();
    loop {
        at += 1;
        let (scene, leaks) = scene(2);
        let report = scene.file("report.json");
        let report = report.to_str().unwrap();
        let mut command = scene.command(&["respond", report, "--apply", "--yes"]);
        let output = command
            .env("KEYSWEEP_CRASH_AT", at.to_string())
            .output()
            .unwrap();
        let printed = [output.stdout.clone(), output.stderr.clone()].concat();
        let printed = String::from_utf8_lossy(&printed).into_owned();
        assert!(leaks.iter().all(|leak| !printed.contains(leak)));
        scene.keeps_no_secret();
        let is_whole = output.status.code().is_some();
        assert!(!is_whole || output.status.success(), "{output:?}");
        if !is_whole {
            // Nothing is sent that is on no record.
            let known = scene.incidents().len();
            assert!(known == 2 || known == 0 && calls(&scene).is_empty(), "{at}");
            let arguments: &[&str] = if known == 0 {
                &["respond", report, "--apply", "--yes"]
            } else {
                &["respond", "--resume", "--yes"]
            };
            let run = scene.run(arguments).ends_with(0);
            hides(&run, &leaks);
        }
        are_closed(&scene, 2);
        assert_eq!(scene.bank().effective, 2, "killed at {at}");
        let calls = calls(&scene);
        assert_eq!(calls, [2], "killed at {at}: none is sent again");
        let steps: Vec<(Value, Value)> = scene.record()["steps"]
            .as_array()
            .unwrap()
            .iter()
            .map(|step| (step["plan"]["kind"].clone(), step["state"].clone()))
            .collect();
        together.insert(format!("{steps:?}"));
        if is_whole {
            break;
        }
    }
    assert!(at > 30, "only {at} moments");
    assert_eq!(together.len(), 1, "{together:?}");
}
