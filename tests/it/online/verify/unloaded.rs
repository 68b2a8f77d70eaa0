//! A report whose rules are not there: it is told, and the rest is done.

use std::fs;

use serde_json::Value;

use super::{World, provider, token};
use crate::support::{Run, Tree};

/// Two leaks, one of a rule that goes on being loaded and one of a rule that is not; and their report.
struct Leaks {
    world: World,
    tree: Tree,
    report: std::path::PathBuf,
}

impl Leaks {
    fn new() -> Self {
        let world = World::new(provider);
        let rules = world.files.path().join("acme.toml");
        let text = fs::read_to_string(&rules).unwrap();
        // The same kind once more, for what begins otherwise.
        let other = text
            .split("[[rule]]")
            .nth(1)
            .unwrap()
            .replace("acme-token", "acme-lost")
            .replace("acme_", "lost_");
        fs::write(
            &rules,
            text.replacen("[[rule]]", &format!("[[rule]]{other}[[rule]]"), 1),
        )
        .unwrap();
        let lost = token('L', 2).replace("acme_", "lost_");
        let tree = Tree::new()
            .with("a.env", format!("T={}\n", token('L', 1)))
            .with("b.env", format!("T={lost}\n"));
        let report = world.report(tree.path(), "report", &["scan", "--format", "json"]);
        fs::write(&rules, text).unwrap();
        Self {
            world,
            tree,
            report,
        }
    }

    fn run(&self, command: &str, more: &[&str]) -> Run {
        let report = self.report.to_str().unwrap();
        let run = self
            .world
            .run_in(self.tree.path(), &[&[command, report], more].concat());
        run.hides(&token('L', 1));
        run.hides(&token('L', 2).replace("acme_", "lost_"));
        run
    }
}

const TOLD: &str = "no rule `acme-lost` is loaded; was the report made with --rules?";

#[test]
fn of_a_rule_that_is_not_loaded_nobody_knows_whom_to_ask() {
    let leaks = Leaks::new();
    let run = leaks.run("verify", &["--format", "json"]).ends_with(2);
    assert!(run.err.contains(TOLD), "{}", run.err);
    let all: Value = serde_json::from_str(&run.out).unwrap();
    let of = |rule: &str| {
        let mut all = all.as_array().unwrap().iter();
        let finding = all.find(|f| f["rule"] == rule).unwrap();
        finding["verification"]["status"].clone()
    };
    assert_eq!(of("acme-token"), "active");
    assert_eq!(of("acme-lost"), "unsupported");
    assert_eq!(leaks.world.server.seen().len(), 1);
    let run = leaks.run("verify", &["--dry-run"]).ends_with(2);
    assert!(run.err.contains(TOLD), "{}", run.err);
    assert!(run.out.contains("1 credential would be"), "{}", run.out);
}

#[test]
fn a_plan_names_what_it_cannot_know_and_plans_the_rest() {
    let leaks = Leaks::new();
    let run = leaks.run("respond", &[]).ends_with(2);
    assert!(run.err.contains(TOLD), "{}", run.err);
    assert!(run.out.contains(TOLD), "{}", run.out);
    assert!(run.out.contains("rule         acme-token"), "{}", run.out);
    // No word ends it.
    assert!(!run.out.contains("--unconfirmed"), "{}", run.out);
    let run = leaks.run("respond", &["--dry-run"]).ends_with(2);
    assert!(run.out.contains(TOLD), "{}", run.out);
    assert!(
        run.out.contains("/user  (for api.acme.example.com)"),
        "{}",
        run.out
    );
    // All others are dead or were never alive, and still it is not done.
    fs::remove_file(leaks.tree.path().join("a.env")).unwrap();
    let run = leaks.run("respond", &["--apply", "--yes"]).ends_with(2);
    assert!(run.err.contains(TOLD), "{}", run.err);
}
