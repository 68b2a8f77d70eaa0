//! What a rule must be, beyond its form: a pattern that compiles, literals that stand in every match, words that mean something.
//!
//! build.rs includes this file by path, as `file.rs`.

use regex_syntax::hir::{Class, Hir, HirKind};

use super::file::{MACROS, MAX_BLOCK, MAX_REACH, MIN_EVERYWHERE, RawRule};
use super::proof::{locate, longest_run, next_byte};

pub(super) fn check(rule: &mut RawRule) -> Result<(), String> {
    let id = rule.id.get_ref();
    let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if id.is_empty() || !id.chars().all(kebab) || id.starts_with('-') || id.ends_with('-') {
        return Err("id must be lower-case words joined by `-`".to_owned());
    }
    one_of(
        "severity",
        &rule.severity,
        &["critical", "high", "medium", "low"],
    )?;
    one_of("confidence", &rule.confidence, &["high", "medium", "low"])?;
    if let Some(words) = &rule.words {
        one_of("words", words, &["strict", "generated", "password"])?;
    }
    for sort in &rule.require {
        one_of(
            "require",
            sort,
            &["digit", "upper", "lower", "letter", "symbol"],
        )?;
    }
    if rule.publishable && rule.severity != "low" {
        return Err("a publishable kind has severity \"low\"".to_owned());
    }
    if let Some(bits) = rule.entropy
        && !(0.0..=8.0).contains(&bits)
    {
        return Err(format!(
            "entropy {bits} is not between 0.0 and 8.0 bits per character"
        ));
    }
    if rule.everywhere {
        check_everywhere(rule)?;
    } else if rule.literals.is_empty() {
        return Err(
            "literals is empty: name bytes that stand in every match; for a pattern without any, `everywhere = true` searches every byte for it, which is slower"
                .to_owned(),
        );
    }
    if rule.entry && !rule.generic {
        return Err("entry = true goes with generic = true".to_owned());
    }
    if rule.spaced && (!rule.generic || rule.entry) {
        return Err("spaced = true goes with generic = true, and not with entry".to_owned());
    }
    for keyword in &rule.keywords {
        if keyword.is_empty() || keyword.len() > 64 {
            return Err("keywords must be 1 to 64 bytes each".to_owned());
        }
    }
    for literal in &rule.literals {
        if literal.len() < 3 || literal.len() > 64 || !literal.is_ascii() {
            return Err(format!("literal `{literal}` must be 3 to 64 ASCII bytes"));
        }
    }
    if rule
        .literals
        .iter()
        .collect::<std::collections::BTreeSet<_>>()
        .len()
        != rule.literals.len()
    {
        return Err("a literal is listed twice".to_owned());
    }
    for text in rule.examples.iter_mut().chain(&mut rule.counterexamples) {
        *text = text.replace("{-}", "");
    }
    for (name, meaning) in MACROS {
        rule.pattern = rule.pattern.replace(name, meaning);
    }
    if rule.pattern.contains(r"\b") || rule.pattern.contains(r"\B") {
        return Err(
            r"`\b` misses `x_ghp_…`: write the boundary as a class, or use {left} and {right}"
                .to_owned(),
        );
    }
    let hir = regex_syntax::ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .build()
        .parse(&rule.pattern)
        .map_err(|e| format!("pattern does not compile: {}", one_line(&e.to_string())))?;
    let mut names = Vec::new();
    group_names(&hir, &mut names);
    if rule.block.is_none() && !names.iter().any(|n| n == "secret") {
        return Err(
            "pattern has no group `secret`: write (?<secret>…) around the part that is secret"
                .to_owned(),
        );
    }
    let Some(longest) = hir.properties().maximum_len() else {
        return Err(
            "pattern has no longest match: give every `*` and `+` a bound, as in {1,80}".to_owned(),
        );
    };
    if longest > MAX_REACH {
        return Err(format!(
            "longest match is {longest} bytes, more than {MAX_REACH}: tighten the bounds"
        ));
    }
    if let Some(block) = &rule.block {
        if block.max == 0 || block.max > MAX_BLOCK {
            return Err(format!("block.max must be 1 to {MAX_BLOCK} bytes"));
        }
        if block.end.len() < 3 {
            return Err("block.end must be at least 3 bytes".to_owned());
        }
    }
    rule.open = secret_group(&hir).is_some_and(holds_signs);
    if rule.everywhere {
        let shortest = hir.properties().minimum_len().unwrap_or(0);
        if shortest < MIN_EVERYWHERE {
            return Err(format!(
                "a match may have {shortest} bytes, and without literals it needs {MIN_EVERYWHERE} at least"
            ));
        }
        rule.forward = longest;
        return Ok(());
    }
    let Some(span) = locate(&hir, &rule.literals, rule.ignore_case) else {
        return Err(format!(
            "a match need not hold any of the literals {:?}{}",
            rule.literals,
            if rule.ignore_case {
                ""
            } else {
                " (for (?i:…) parts set ignore_case = true)"
            }
        ));
    };
    rule.back = span;
    let proven = |byte: &&u8| {
        let text = char::from(**byte).to_string();
        !rule.literals.iter().any(|l| l.contains(&text)) && locate(&hir, &[text], false).is_some()
    };
    rule.gate = b"@;=".iter().find(proven).copied().unwrap_or(0);
    rule.run = longest_run(&hir);
    rule.prefixed = rule.block.is_some()
        || secret_group(&hir)
            .is_some_and(|s| locate(s, &rule.literals, rule.ignore_case) == Some(0));
    rule.next = next_byte(&hir, &rule.literals, rule.ignore_case);
    rule.forward = longest + rule.block.as_ref().map_or(0, |b| b.max);
    Ok(())
}

/// What a rule without literals cannot have beside.
fn check_everywhere(rule: &RawRule) -> Result<(), String> {
    let wrong = if !rule.literals.is_empty() {
        "literals are found faster: leave either them out or everywhere"
    } else if rule.block.is_some() {
        "a block begins with a literal; give the rule one"
    } else if rule.generic {
        "a generic rule rests on a word; name it in literals"
    } else {
        return Ok(());
    };
    Err(format!("everywhere = true: {wrong}"))
}

fn one_of(key: &str, value: &str, allowed: &[&str]) -> Result<(), String> {
    if allowed.contains(&value) {
        Ok(())
    } else {
        Err(format!(
            "{key} `{value}` is not one of {}",
            allowed.join(", ")
        ))
    }
}

fn one_line(text: &str) -> String {
    text.lines().last().unwrap_or_default().trim().to_owned()
}

fn group_names(hir: &Hir, names: &mut Vec<String>) {
    match hir.kind() {
        HirKind::Capture(c) => {
            if let Some(name) = &c.name {
                names.push(name.to_string());
            }
            group_names(&c.sub, names);
        }
        HirKind::Repetition(r) => group_names(&r.sub, names),
        HirKind::Concat(subs) | HirKind::Alternation(subs) => {
            for sub in subs {
                group_names(sub, names);
            }
        }
        _ => {}
    }
}

/// Whether a text may hold a sign of which no key is made: people's passwords do.
fn holds_signs(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Class(Class::Bytes(class)) => class
            .iter()
            .any(|range| (range.start()..=range.end()).contains(&b'!')),
        HirKind::Class(Class::Unicode(class)) => class
            .iter()
            .any(|range| (range.start()..=range.end()).contains(&'!')),
        HirKind::Capture(c) => holds_signs(&c.sub),
        HirKind::Repetition(r) => holds_signs(&r.sub),
        HirKind::Concat(subs) | HirKind::Alternation(subs) => subs.iter().any(holds_signs),
        _ => false,
    }
}

/// The inside of the group `secret`.
fn secret_group(hir: &Hir) -> Option<&Hir> {
    match hir.kind() {
        HirKind::Capture(c) if c.name.as_deref() == Some("secret") => Some(&c.sub),
        HirKind::Capture(c) => secret_group(&c.sub),
        HirKind::Repetition(r) => secret_group(&r.sub),
        HirKind::Concat(subs) | HirKind::Alternation(subs) => subs.iter().find_map(secret_group),
        _ => None,
    }
}
