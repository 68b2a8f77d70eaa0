//! The README's console blocks are run as they stand.

use std::fs;

use crate::support::repository_file;

#[test]
fn the_transcripts_of_the_readme_are_true() {
    // What its first command plants.
    let key = format!(
        "{}51Mx9kHGj8kL2pQn4Y7vN3tK9sW5xR2zB1",
        concat!("sk_", "live_")
    );
    let demo = repository_file("target/demo");
    fs::create_dir_all(&demo).unwrap();
    fs::write(
        demo.join(".env"),
        format!(
            "API_SECRET={key}\nDATABASE_URL=postgres://app:{}@db.acme.io/orders\n",
            concat!("Vk7p", "Q2zLw9")
        ),
    )
    .unwrap();
    // The repository that the page makes is made anew.
    if demo.join(".git").exists() {
        fs::remove_dir_all(demo.join(".git")).unwrap();
    }
    let path = std::env::var_os("PATH").unwrap();
    let mut folders = std::env::split_paths(&path).map(|folder| folder.join("git"));
    let git = folders.find(|git| git.is_file()).unwrap();
    let cases = trycmd::TestCases::new();
    for (name, value) in [
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_AUTHOR_NAME", "Ann"),
        ("GIT_AUTHOR_EMAIL", "ann@example.org"),
        ("GIT_COMMITTER_NAME", "Ann"),
        ("GIT_COMMITTER_EMAIL", "ann@example.org"),
    ] {
        cases.env(name, value);
    }
    cases
        .register_bin("keysweep", assert_cmd::cargo::cargo_bin!("keysweep"))
        .register_bin("git", git)
        .case(repository_file("README.md"));
}
