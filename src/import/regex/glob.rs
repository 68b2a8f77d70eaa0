//! Globs for the paths that a regular expression finds.

use std::collections::BTreeSet;

use regex_syntax::hir::{Class, Hir, HirKind, Look};

use super::{MAX_SET, hir, normal};

/// Globs for the paths that a regular expression finds, and whether they say exactly the same.
/// Where they do not, they name more paths.
pub(in crate::import) fn globs(text: &str) -> Result<(Vec<String>, bool), String> {
    let hir = hir(&normal(text)?)?;
    let mut exact = true;
    let mut globs = BTreeSet::new();
    for body in glob(&hir, &mut exact) {
        let start = body.starts_with(START);
        let end = body.ends_with(END);
        let inner = body.trim_start_matches(START).trim_end_matches(END);
        // An anchor inside of a path never holds.
        if inner.contains([START, END]) {
            continue;
        }
        // A name without a slash would mean that name in every folder.
        exact &= !start || inner.contains(['/', '*']);
        let mut whole = String::new();
        if !start {
            whole.push('*');
        }
        whole.push_str(inner);
        if !end {
            whole.push('*');
        }
        while whole.contains("**") {
            whole = whole.replace("**", "*");
        }
        globs.insert(whole);
    }
    if globs.is_empty() {
        return Err("no path can fit it".to_owned());
    }
    Ok((globs.into_iter().collect(), exact))
}

/// The path's start and end, in a glob on the way.
const START: char = '\u{2}';
const END: char = '\u{3}';

fn glob(hir: &Hir, exact: &mut bool) -> Vec<String> {
    let any = |exact: &mut bool| {
        *exact = false;
        vec!["*".to_owned()]
    };
    match hir.kind() {
        HirKind::Empty => vec![String::new()],
        HirKind::Look(Look::Start | Look::StartLF) => vec![START.to_string()],
        HirKind::Look(Look::End | Look::EndLF) => vec![END.to_string()],
        HirKind::Look(_) => {
            *exact = false;
            vec![String::new()]
        }
        HirKind::Literal(l) => match std::str::from_utf8(&l.0) {
            Ok(text) if !text.contains(|c: char| c.is_control()) => vec![glob_text(text)],
            _ => any(exact),
        },
        HirKind::Class(Class::Bytes(c)) => {
            let bytes: Vec<u8> = c.iter().flat_map(|r| r.start()..=r.end()).collect();
            let simple = |b: &u8| b.is_ascii_alphanumeric() || b"._/ ".contains(b);
            if bytes.len() <= 12 && bytes.iter().all(simple) {
                let inner: String = bytes.iter().map(|b| char::from(*b)).collect();
                return vec![if inner.len() == 1 {
                    inner
                } else {
                    format!("[{inner}]")
                }];
            }
            *exact &= bytes.len() >= 255;
            vec!["?".to_owned()]
        }
        HirKind::Class(Class::Unicode(_)) => any(exact),
        HirKind::Capture(c) => glob(&c.sub, exact),
        HirKind::Repetition(r) => {
            if r.min == 0 && r.max == Some(1) {
                let mut with = glob(&r.sub, exact);
                with.push(String::new());
                return with;
            }
            let dot = matches!(r.sub.kind(), HirKind::Class(Class::Bytes(c))
                if c.iter().map(|r| usize::from(r.end()) - usize::from(r.start()) + 1).sum::<usize>() >= 255);
            if r.max.is_none() && r.min <= 1 && dot {
                return vec![if r.min == 0 { "*" } else { "?*" }.to_owned()];
            }
            any(exact)
        }
        HirKind::Concat(subs) => {
            let mut all = vec![String::new()];
            for sub in subs {
                let next = glob(sub, exact);
                if all.len() * next.len() > MAX_SET {
                    *exact = false;
                    for one in &mut all {
                        one.push('*');
                    }
                    continue;
                }
                all = all
                    .iter()
                    .flat_map(|a| next.iter().map(move |n| format!("{a}{n}")))
                    .collect();
            }
            all
        }
        HirKind::Alternation(subs) => {
            let all: Vec<String> = subs.iter().flat_map(|s| glob(s, exact)).collect();
            if all.len() > MAX_SET { any(exact) } else { all }
        }
    }
}

/// A text in a glob, as itself.
pub(in crate::import) fn glob_text(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '*' | '?' | '[' | '{' | '}' | ']' | '\\' => {
                out.push('[');
                out.push(c);
                out.push(']');
            }
            c => out.push(c),
        }
    }
    out
}
