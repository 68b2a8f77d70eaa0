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
    trycmd::TestCases::new()
        .register_bin("keysweep", assert_cmd::cargo::cargo_bin!("keysweep"))
        .case(repository_file("README.md"));
}
