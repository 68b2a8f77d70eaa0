//! What a provider repeats of a key, in whatever letters, is shown nowhere.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

use super::{World, token};
use crate::support::http::Answer;
use crate::support::{Run, Tree, program};

/// Forms of a key that an answer may hold, each with what must not be seen of it.
fn forms(key: &str) -> Vec<(String, String)> {
    let every = |upper: bool| -> String {
        let hex = |b: u8| {
            let hex = format!("%{b:02x}");
            if upper { hex.to_uppercase() } else { hex }
        };
        key.bytes().map(hex).collect()
    };
    let mut all = vec![every(true), every(false)];
    for front in ["", "u", "us", "jane:"] {
        for behind in ["", ":", "::", ":more"] {
            let text = format!("{front}{key}{behind}");
            all.push(STANDARD.encode(&text));
            all.push(URL_SAFE_NO_PAD.encode(&text));
        }
    }
    // A piece from its middle betrays the rest, too.
    let piece = |form: &String| form[form.len() / 4..form.len() / 4 + 16].to_owned();
    all.iter().map(|form| (form.clone(), piece(form))).collect()
}

#[test]
fn an_answer_that_repeats_the_key_in_other_letters_is_redacted() {
    let key = token('L', 71);
    for (form, piece) in forms(&key) {
        let said = form.clone();
        let world = World::new(move |_| {
            Answer::json(&json!({ "login": format!("jane and {said}"), "team": said }))
        });
        let tree = Tree::new().with("a.env", format!("A={key}\n"));
        for format in ["text", "jsonl"] {
            let run = world.run_in(tree.path(), &["scan", "--verify", "--format", format]);
            assert!(run.out.contains("jane and …"), "{form}: {}", run.out);
            run.hides(&piece);
            run.hides(&key);
        }
        let mut command = program();
        command
            .args(["verify", "--rule", "acme-token"])
            .args(world.own())
            .write_stdin(format!("{key}\n"));
        let run = Run::of(&mut command);
        assert!(run.out.contains("jane and …"), "{form}: {}", run.out);
        run.hides(&piece);
    }
}
