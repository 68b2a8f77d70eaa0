//! Who ran and agreed, and what was answered, stand in the record.

use std::process::Command;

use serde_json::Value;

use super::Scene;

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[cfg(unix)]
#[test]
fn the_record_says_who_ran_and_agreed_and_with_which_status_the_key_was_refused() {
    let scene = Scene::new("own");
    // What the environment says of it counts for nothing.
    let report = scene.file("report.json");
    let mut command = scene.command(&["respond", report.to_str().unwrap(), "--apply", "--yes"]);
    scene
        .told(command.env("USER", "mallory").env("HOSTNAME", "elsewhere"))
        .ends_with(0);
    let record = scene.record();
    let who = format!(
        " of {} (uid {}) at {}",
        said("id", &["-un"]),
        said("id", &["-u"]),
        said("uname", &["-n"])
    );
    let events = record["events"].as_array().unwrap();
    let claim = events.iter().find(|e| e["action"] == "claim").unwrap();
    let note = claim["note"].as_str().unwrap();
    assert!(
        note.starts_with("process ") && note.ends_with(&who),
        "{note}"
    );
    let steps = record["steps"].as_array().unwrap();
    let of = |kind: &str| steps.iter().find(|s| s["plan"]["kind"] == kind).unwrap();
    let agreed = of("revoke")["plan"]["agreed_by"].as_str().unwrap();
    assert!(agreed.ends_with(&who), "{agreed}");
    assert_eq!(of("find")["plan"]["agreed_by"], "");
    let proof = of("prove")["answer"].as_str().unwrap();
    assert!(
        proof.contains("the token was revoked (HTTP 401)"),
        "{proof}"
    );
    let checks: &Value = &record["checks"];
    let last = checks.as_array().unwrap().last().unwrap();
    assert!(
        last["answer"].as_str().unwrap().contains("(HTTP 401)"),
        "{checks}"
    );
}

#[test]
fn places_are_on_record_as_they_were_seen_and_not_as_an_edited_report_says() {
    let scene = Scene::new("own");
    let report = scene.file("report.json");
    let text = std::fs::read_to_string(&report).unwrap();
    let mut edited: Value = serde_json::from_str(&text).unwrap();
    let places = edited[0]["places"].as_array_mut().unwrap();
    assert_eq!(places[0]["line"], 2);
    places[0]["line"] = 99_999.into();
    places[0]["end_line"] = 99_999.into();
    std::fs::write(&report, edited.to_string()).unwrap();
    let run = scene.respond(&["--apply", "--yes"]).ends_with(0);
    assert!(run.out.contains("deploy/app.env:2\n"), "{}", run.out);
    assert!(!run.out.contains("99999"), "{}", run.out);
    let places = &scene.record()["leak"]["places"];
    assert_eq!(
        (&places[0]["line"], &places[0]["end_line"]),
        (&2.into(), &2.into())
    );
}
