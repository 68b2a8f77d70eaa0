//! Leaks of which nothing is known: they are listed, counted, and taken up by the same command.

use super::{Scene, document, token};

#[test]
fn what_is_not_known_is_listed_counted_and_taken_up_again() {
    let scene = Scene::new("repeatable");
    let silent = token(7);
    let copy = format!("A={silent}\nB={silent}\n");
    scene.tree.write("web/silent.env", copy);
    scene.bank().live.insert(silent.clone());
    scene.scan();
    scene.bank().silent.insert(silent.clone());
    let places = ["    at web/silent.env:1\n", "    at web/silent.env:2\n"];
    let head = "1 leak to end, 1 not known: answered 503, which proves nothing (1)\n";

    // The plan is whole, and says so.
    let plan = scene.respond(&[]).ends_with(0);
    plan.hides(&silent);
    for line in places.iter().chain([&head]) {
        assert!(plan.out.contains(line), "{line}: {}", plan.out);
    }
    let json = scene.respond(&["--format", "json"]).ends_with(0);
    let left = &document("plan", &json.out)["left_out"][0];
    assert_eq!(left["places"].as_array().unwrap().len(), 2);

    // The other is ended, and the work is not done.
    let run = scene.respond(&["--apply", "--yes"]).ends_with(2);
    run.hides(&silent);
    for line in places.iter().chain([
        &head,
        &"2 leaks: 1 ended, 0 not proven, 0 for a person, 0 stopped, 1 not known\n",
        &"it is in no incident; when its provider answers: keysweep respond ",
    ]) {
        assert!(run.out.contains(line), "{line}: {}", run.out);
    }
    assert!(!run.out.contains("go on with"), "{}", run.out);
    assert_eq!(scene.incidents().len(), 1);
    let again = run.out.lines().last().unwrap().to_owned();
    assert!(again.contains(" --apply --yes --rules "), "{again}");

    // The command that it names takes it up.
    scene.bank().silent.clear();
    let command = again.split_once("answers: keysweep ").unwrap().1;
    let mut words = command.split(' ');
    let mut program = crate::support::program();
    program
        .current_dir(scene.tree.path())
        .env("HOME", scene.home.path())
        .args(words.by_ref());
    let run = scene.told(&mut program).ends_with(0);
    // What died before is not known to live.
    let says = "1 leak: 1 ended, 0 not proven, 0 for a person, 0 stopped, 0 not known\n";
    assert!(run.out.ends_with(says), "{}", run.out);
    assert_eq!(scene.incidents().len(), 2);
    assert_eq!(scene.bank().live.len(), 1);
}

#[test]
fn the_tally_counts_what_waits_and_names_what_goes_on() {
    let scene = Scene::new("console");
    let run = scene.respond(&["--apply", "--yes"]).ends_with(2);
    let says = "1 leak: 0 ended, 0 not proven, 1 for a person, 0 stopped, 0 not known\n";
    assert!(run.out.ends_with(says), "{}", run.out);
    let scene = Scene::new("admin");
    let run = scene.respond(&["--apply", "--yes"]).ends_with(2);
    let says = "1 leak: 0 ended, 0 not proven, 0 for a person, 1 stopped, 0 not known\n";
    assert!(run.out.contains(says), "{}", run.out);
    let json = scene
        .respond(&["--apply", "--yes", "--format", "json"])
        .ends_with(2);
    let tally = &document("response", &json.out)["tally"];
    assert_eq!((&tally["stopped"], &tally["ended"]), (&1.into(), &0.into()));
}
