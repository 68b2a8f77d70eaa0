//! The user's own configuration says where secrets go: one that others can change is none.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{World, provider, token};
use crate::support::{Run, Tree, program};

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Commands that go online with a file, each where it stands: named, by the environment, in the user's home.
fn online(world: &World, tree: &Tree, file: &Path) -> Vec<Run> {
    let rules = world.file("acme.toml");
    let home = file.ancestors().nth(3).unwrap();
    let report = world.file("report.json");
    let mut runs = Vec::new();
    for place in ["flag", "variable", "home"] {
        for start in [
            &["scan", "--verify"][..],
            &["verify", &report],
            &["respond", &report],
            &["respond", &report, "--apply", "--yes"],
            &["recheck"],
        ] {
            let mut command = program();
            command
                .current_dir(tree.path())
                .args(start)
                .args(["--rules", &rules]);
            match place {
                "flag" => command.arg("--config").arg(file),
                "variable" => command.env("KEYSWEEP_CONFIG", file),
                _ => command.env("HOME", home),
            };
            if place != "home" {
                command.env("HOME", tree.path());
            }
            runs.push(Run::of(&mut command));
        }
    }
    runs
}

#[test]
fn a_configuration_that_others_can_change_sends_nothing_and_a_scan_goes_on() {
    let world = World::new(provider);
    let key = token('L', 81);
    let tree = Tree::new().with("a.env", format!("A={key}\n"));
    world.report(tree.path(), "report.json", &["scan", "--format", "json"]);
    let text = fs::read_to_string(world.file("own.toml")).unwrap();
    world
        .files
        .write("home/.config/keysweep/keysweep.toml", text);
    let file = world
        .files
        .path()
        .join("home/.config/keysweep/keysweep.toml");
    let mut harms = vec![(0o666, None, "chmod go-w"), (0o646, None, "chmod go-w")];
    if rustix::process::geteuid().is_root() {
        harms.push((0o644, Some((12_345, None)), "chown 0"));
        harms.push((0o664, Some((0, Some(12_345))), "chmod go-w"));
    }
    for (bits, owner, mend) in harms {
        if let Some((owner, group)) = owner {
            std::os::unix::fs::chown(&file, Some(owner), group.or(Some(0))).unwrap();
        }
        mode(&file, bits);
        for run in online(&world, &tree, &file) {
            let run = run.ends_with(2);
            assert!(run.err.contains(mend), "{bits:o}: {}{}", run.out, run.err);
            assert!(run.err.contains("keysweep.toml "), "{}", run.err);
        }
        // What goes nowhere goes on, and says so.
        let mut command = program();
        command
            .current_dir(tree.path())
            .args(["scan", "--rules", &world.file("acme.toml"), "--config"])
            .arg(&file);
        let run = Run::of(&mut command).ends_with(1);
        let told = [&*run.out, &*run.err].concat();
        // It may take several lines.
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains(mend), "{bits:o}: {told}");
    }
    assert!(world.server.seen().is_empty());
    // What a umask of 002 leaves is the user's own.
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&file, Some(0), Some(0)).unwrap();
    }
    for bits in [0o664, 0o644, 0o600] {
        mode(&file, bits);
        let mut command = program();
        command
            .current_dir(tree.path())
            .args([
                "scan",
                "--verify",
                "--rules",
                &world.file("acme.toml"),
                "--config",
            ])
            .arg(&file);
        let run = Run::of(&mut command).ends_with(1);
        assert!(run.out.contains("active"), "{}{}", run.out, run.err);
    }
}
