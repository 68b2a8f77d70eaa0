//! Checks `patterns/*.toml` and writes them out as tables, so that the program starts without
//! reading or parsing anything. A bad rule fails the build with its file, line and mend.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

#[path = "src/rule/file.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "shared with the library, which uses all of it"
)]
mod file;

#[path = "src/rule/check.rs"]
#[allow(
    unreachable_pub,
    reason = "shared with the library, which uses all of it"
)]
mod check;

#[path = "src/rule/block.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "shared with the library, which uses all of it"
)]
mod block;

#[path = "src/rule/proof.rs"]
#[allow(
    unreachable_pub,
    reason = "shared with the library, which uses all of it"
)]
mod proof;

fn main() {
    println!("cargo::rerun-if-changed=patterns");
    println!("cargo::rerun-if-changed=src/rule/file.rs");
    println!("cargo::rerun-if-changed=src/rule/block.rs");
    println!("cargo::rerun-if-changed=src/rule/proof.rs");
    println!("cargo::rerun-if-changed=build.rs");
    match tables(Path::new("patterns")) {
        Ok((rules, blocks)) => {
            let Some(folder) = env::var_os("OUT_DIR") else {
                return;
            };
            for (name, text) in [("rules.rs", rules), ("blocks.json", blocks)] {
                let out = Path::new(&folder).join(name);
                if let Err(e) = fs::write(&out, text) {
                    println!("cargo::error={}: {e}", out.display());
                }
            }
        }
        Err(messages) => {
            for message in messages {
                println!("cargo::error={message}");
            }
        }
    }
}

/// The rules as Rust tables, and the blocks that prove and end credentials as JSON, which is read when one is needed.
fn tables(folder: &Path) -> Result<(String, String), Vec<String>> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .map_err(|e| vec![format!("{}: {e}", folder.display())])?
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|p| p.extension().is_some_and(|x| x == "toml"))
        .collect();
    paths.sort();
    let mut errors = Vec::new();
    let mut rules: Vec<(String, String)> = Vec::new();
    let mut blocks = block::Blocks::default();
    for path in &paths {
        let name = path.display().to_string();
        println!("cargo::rerun-if-changed={name}");
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) => {
                errors.push(format!("{name}: {e}"));
                continue;
            }
        };
        match file::parse(&name, &text) {
            Ok(parsed) => {
                let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned());
                let own = file::blocks(&stem.unwrap_or_default(), &parsed);
                blocks.rules.extend(own.rules);
                blocks.verify.extend(own.verify);
                blocks.revoke.extend(own.revoke);
                for rule in &parsed.rules {
                    let id = rule.id.get_ref().clone();
                    if let Some(why) = incomplete(rule) {
                        errors.push(format!("{name}: rule `{id}`: {why}"));
                    }
                    if rules.iter().any(|(known, _)| *known == id) {
                        errors.push(format!("{name}: rule `{id}` is defined twice"));
                    }
                    rules.push((id, table_row(&parsed, rule)));
                }
            }
            Err(e) => errors.push(e.to_string()),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    rules.sort();
    let mut out = String::from(
        "/// All built-in rules, sorted by id.\npub(super) static RULES: &[RuleSpec] = &[\n",
    );
    for (_, row) in rules {
        out.push_str(&row);
    }
    out.push_str("];\n");
    match serde_json::to_string(&blocks) {
        Ok(blocks) => Ok((out, blocks)),
        Err(e) => Err(vec![e.to_string()]),
    }
}

/// What a built-in rule must have beside what every rule must have.
fn incomplete(rule: &file::RawRule) -> Option<&'static str> {
    if rule.examples.len() < 2 || rule.counterexamples.len() < 2 {
        return Some("give at least two examples and two counterexamples");
    }
    if rule.everywhere || !rule.keywords.is_empty() {
        return Some("a built-in rule is found by its literals alone: no everywhere, no keywords");
    }
    if rule.remedy.is_empty() {
        return Some("remedy is empty: say what the owner does next");
    }
    None
}

fn table_row(parsed: &file::RuleFile, rule: &file::RawRule) -> String {
    let mut row = String::new();
    let text = |s: &str| format!("Borrowed({s:?})");
    let list = |items: &[String]| {
        let inner: Vec<String> = items.iter().map(|s| text(s)).collect();
        format!("Borrowed(&[{}])", inner.join(", "))
    };
    let capital = |s: &str| {
        let mut chars = s.chars();
        chars
            .next()
            .map(|c| c.to_uppercase().collect::<String>() + chars.as_str())
            .unwrap_or_default()
    };
    let link = if rule.link.is_empty() {
        &parsed.homepage
    } else {
        &rule.link
    };
    let near: Vec<String> = rule
        .near
        .iter()
        .map(|n| {
            format!(
                "Near {{ rule: {}, within_lines: {}, part: {}, required: {} }}",
                text(&n.rule),
                n.within_lines,
                text(&n.part),
                n.required
            )
        })
        .collect();
    let block = rule.block.as_ref().map_or("None".to_owned(), |b| {
        format!("Some(Block {{ end: {}, max: {} }})", text(&b.end), b.max)
    });
    let checksum = rule
        .checksum
        .as_ref()
        .map_or("None".to_owned(), |c| format!("Some({})", text(c)));
    let words = rule.words.as_ref().map_or("None".to_owned(), |w| {
        format!("Some(Words::{})", capital(w))
    });
    let entropy = rule
        .entropy
        .map_or("None".to_owned(), |e| format!("Some({e:?})"));
    let _ = writeln!(
        row,
        "RuleSpec {{ id: {}, provider: {}, name: {}, severity: Severity::{}, confidence: Confidence::{}, \
         literals: {}, ignore_case: {}, everywhere: false, keywords: Borrowed(&[]), pattern: {}, entropy: {entropy}, checksum: {checksum}, require: {}, \
         near: Borrowed(&[{}]), only: {}, never: {}, remedy: {}, console: {}, link: {}, publishable: {}, \
         generic: {}, entry: {}, spaced: {}, words: {words}, placeholder: {}, decode: {}, block: {block}, shape: {}, shape_context: {}, \
         examples: {}, counterexamples: {}, prefixed: {}, open: {}, gate: {}, run: {}, next: {}, back: {}, forward: {} }},",
        text(rule.id.get_ref()),
        text(&parsed.provider),
        text(&rule.name),
        capital(&rule.severity),
        capital(&rule.confidence),
        list(&rule.literals),
        rule.ignore_case,
        text(&rule.pattern),
        list(&rule.require),
        near.join(", "),
        list(&rule.paths.only),
        list(&rule.paths.never),
        text(&rule.remedy),
        text(&rule.console),
        text(link),
        rule.publishable,
        rule.generic,
        rule.entry,
        rule.spaced,
        rule.placeholder,
        rule.decode,
        list(&rule.shape),
        text(rule.shape_context.as_deref().unwrap_or("{}")),
        list(&rule.examples),
        list(&rule.counterexamples),
        rule.prefixed,
        rule.open,
        rule.gate,
        rule.run,
        rule.next,
        rule.back,
        rule.forward,
    );
    row
}
