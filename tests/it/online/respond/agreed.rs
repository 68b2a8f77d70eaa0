//! What a person agreed to, and what is sent again because of it.

#[cfg(target_os = "linux")]
use std::time::Duration;

use serde_json::Value;

#[cfg(target_os = "linux")]
use super::asked::typed;
use super::{Scene, Trouble, document};

#[test]
fn a_key_that_lives_is_sent_its_end_again_only_where_somebody_says_so() {
    let scene = Scene::new("own");
    scene.bank().trouble = vec![Trouble::NoEffect, Trouble::NoEffect];
    let run = scene.respond(&["--apply", "--yes"]).ends_with(2);
    let id = scene.incidents()[0].0.clone();
    let named = format!("send it again: keysweep respond --resume {id} --send-again");
    assert!(run.out.contains(&named), "{}", run.out);
    // Going on proves it anew, and names what would help.
    for _ in 0..2 {
        let run = scene.run(&["respond", "--resume", "--yes"]).ends_with(2);
        assert!(run.out.contains("NOT PROVEN dead"), "{}", run.out);
        assert!(run.out.contains(&named), "{}", run.out);
    }
    let run = scene
        .run(&["respond", "--resume", "--format", "json"])
        .ends_with(2);
    let told = document("response", &run.out);
    let again = told["incidents"][0]["send_again"].as_str().unwrap();
    assert!(
        named.ends_with(again.split(" --rules").next().unwrap()),
        "{again}"
    );
    assert_eq!(scene.deletes(), 1);
    // Nobody agrees.
    let run = scene
        .run(&["respond", "--resume", "--send-again"])
        .ends_with(2);
    let needed = format!("go on: keysweep respond --resume {id} --yes");
    assert!(run.out.contains(&needed), "{}", run.out);
    assert_eq!(scene.deletes(), 1);
    // Somebody does; it has no effect once more, and then it has.
    scene
        .run(&["respond", "--resume", "--send-again", "--yes"])
        .ends_with(2);
    assert_eq!(
        (scene.deletes(), &*scene.incidents()[0].1),
        (2, "not-proven")
    );
    let run = scene
        .run(&["respond", "--resume", "--send-again", "--yes"])
        .ends_with(0);
    assert!(run.out.contains("proven dead"), "{}", run.out);
    assert_eq!(scene.deletes(), 3);
    assert!(scene.bank().live.contains(&scene.neighbour));
    // A dead one is not sent it.
    scene
        .run(&["respond", "--resume", &id, "--send-again", "--yes"])
        .ends_with(0);
    assert_eq!((scene.deletes(), scene.incidents().len()), (3, 1));
    let record = scene.record();
    let steps = record["steps"].as_array().unwrap().iter();
    let calls: Vec<&Value> = steps.filter(|s| s["plan"]["kind"] == "revoke").collect();
    assert_eq!(calls.len(), 3, "{record:#}");
    assert!(calls.iter().all(|c| c["state"] == "done"), "{calls:#?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_person_is_asked_before_it_is_sent_again() {
    let scene = Scene::new("own");
    scene.bank().trouble = vec![Trouble::NoEffect];
    scene.respond(&["--apply", "--yes"]).ends_with(2);
    let again = "respond --resume --send-again";
    let (code, screen) = typed(&scene, again, Duration::ZERO, "n\n");
    assert_eq!(code, 2, "{screen}");
    assert!(screen.contains("this cannot be undone"), "{screen}");
    assert_eq!(scene.deletes(), 1, "{screen}");
    let (code, screen) = typed(&scene, again, Duration::ZERO, "y\n");
    assert_eq!(code, 0, "{screen}");
    assert_eq!((scene.deletes(), &*scene.incidents()[0].1), (2, "closed"));
}
