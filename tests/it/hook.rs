//! The pre-commit script on a real repository.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::fake;

fn git(folder: &Path, arguments: &[&str]) -> Output {
    Command::new("git")
        .args(["-c", "user.name=A", "-c", "user.email=a@example.org"])
        .args(arguments)
        .current_dir(folder)
        .env("KEYSWEEP", env!("CARGO_BIN_EXE_keysweep"))
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap()
}

#[test]
fn the_hook_blocks_a_staged_key_and_lets_the_rest_pass() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    assert!(git(root, &["init", "-q"]).status.success());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("hooks/pre-commit");
    std::fs::create_dir_all(root.join(".git/hooks")).unwrap();
    std::fs::copy(script, root.join(".git/hooks/pre-commit")).unwrap();

    std::fs::write(root.join("a.txt"), "nothing\n").unwrap();
    git(root, &["add", "."]);
    let clean = git(root, &["commit", "-qm", "clean"]);
    assert!(
        clean.status.success(),
        "{}",
        String::from_utf8_lossy(&clean.stderr)
    );

    let key = fake::github_pat(7);
    std::fs::write(root.join("b.env"), format!("TOKEN={key}\n")).unwrap();
    git(root, &["add", "."]);
    // What is staged counts, not what the file says by now.
    std::fs::write(root.join("b.env"), "TOKEN=\n").unwrap();
    let blocked = git(root, &["commit", "-qm", "key"]);
    let said = String::from_utf8_lossy(&blocked.stderr).into_owned();
    assert!(!blocked.status.success());
    assert!(
        said.contains("github-pat-classic") && said.contains("b.env:1:7"),
        "{said}"
    );
    assert!(said.contains("keysweep:allow"), "{said}");
    assert!(!said.contains(&key));

    git(root, &["rm", "-qf", "--cached", "b.env"]);
    assert!(
        git(root, &["commit", "-q", "--allow-empty", "-m", "none"])
            .status
            .success()
    );
}
