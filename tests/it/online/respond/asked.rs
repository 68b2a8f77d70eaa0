//! What a person at the terminal is asked, and what is done where there is none.

#[cfg(target_os = "linux")]
use std::path::Path;
#[cfg(target_os = "linux")]
use std::time::Duration;

use super::Scene;

#[test]
fn without_a_terminal_nothing_is_done_unless_it_was_agreed_to() {
    let scene = Scene::new("own");
    let run = scene.respond(&["--apply"]).ends_with(2);
    assert!(run.err.contains("--yes"), "{}", run.err);
    let run = scene.revoke(&scene.leak, &[]).ends_with(2);
    assert!(run.err.contains("--yes"), "{}", run.err);
    assert!(scene.server.seen().is_empty());
    assert!(scene.incidents().is_empty());
}

/// Runs the program in a real terminal, in a folder and with a home, and types an answer after a while; gives the code and what was on
/// the screen.
#[cfg(target_os = "linux")]
pub(super) fn in_terminal(
    arguments: &str,
    folder: &Path,
    home: &Path,
    wait: Duration,
    answer: &str,
) -> (i32, String) {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let exe = assert_cmd::cargo::cargo_bin!("keysweep");
    let command = format!("stty -echo cols 200; exec '{}' {arguments}", exe.display());
    let mut child = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("TERM", "xterm")
        .env("SHELL", "/bin/sh")
        .env("HOME", home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // The terminal keeps what is typed before somebody reads it.
    std::thread::sleep(wait);
    input.write_all(answer.as_bytes()).unwrap();
    input.flush().unwrap();
    let output = child.wait_with_output().unwrap();
    drop(input);
    let screen = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code().unwrap(), screen)
}

/// The same of a scene, with its rules and configuration.
#[cfg(target_os = "linux")]
pub(super) fn typed(scene: &Scene, arguments: &str, wait: Duration, answer: &str) -> (i32, String) {
    let arguments = format!(
        "{arguments} --rules '{}' --config '{}'",
        scene.file("example.toml").display(),
        scene.file("mine.toml").display(),
    );
    let (folder, home) = (scene.tree.path(), scene.home.path());
    let (code, screen) = in_terminal(&arguments, folder, home, wait, answer);
    assert!(!screen.contains(&scene.leak), "{screen}");
    (code, screen)
}

#[cfg(target_os = "linux")]
#[test]
fn a_person_at_the_terminal_is_asked_before_what_cannot_be_undone() {
    let scene = Scene::new("own");
    let apply = format!("respond '{}' --apply", scene.file("report.json").display());
    let (code, screen) = typed(&scene, &apply, Duration::ZERO, "n\n");
    assert_eq!(code, 2, "{screen}");
    let asked = "revoke the token itself: this cannot be undone; also: jobs that use it stop [y/N]";
    assert!(screen.contains(asked), "{screen}");
    assert!(screen.contains("was not wanted"), "{screen}");
    assert_eq!((scene.deletes(), &*scene.incidents()[0].1), (0, "open"));
    // Who takes longer than the run may is heard, too.
    let wait = Duration::from_secs(3);
    let (code, screen) = typed(&scene, &format!("{apply} --budget 2"), wait, "y\n");
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("proven dead"), "{screen}");
    assert_eq!((scene.deletes(), scene.incidents().len()), (1, 1));
}
