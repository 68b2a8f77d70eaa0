//! Literals of which every match of a pattern holds one.

use std::collections::BTreeSet;

use regex_syntax::hir::{Class, Hir, HirKind};

use super::MAX_SET;
use crate::rule::locate;

/// The keywords where each match holds one, else literals that the pattern itself asks for, if it does.
pub(super) fn choose(
    hir: &Hir,
    wanted: &[String],
    keywords: &[String],
) -> Option<(Vec<String>, bool)> {
    if !wanted.is_empty() && wanted.len() == keywords.len() {
        let mut literals = wanted.to_vec();
        literals.sort();
        literals.dedup();
        if literals.len() <= MAX_SET && locate(hir, &literals, true).is_some() {
            return Some((
                wanted.iter().fold(Vec::new(), |mut list, w| {
                    if !list.contains(w) {
                        list.push(w.clone());
                    }
                    list
                }),
                true,
            ));
        }
    }
    let (exact, folded) = (needed(hir, false), needed(hir, true));
    // Every way to write a word is many literals; one that ignores case is better.
    let spelled = |exact: &[String]| folded.as_ref().is_some_and(|f| f.len() < exact.len());
    let exact = exact.filter(|e| !spelled(e));
    for (literals, fold) in [(exact, false), (folded.clone(), true)] {
        if let Some(literals) = literals
            && locate(hir, &literals, fold).is_some()
        {
            return Some((literals, fold));
        }
    }
    None
}

/// Texts of which every match holds one, of 3 bytes at least.
fn needed(hir: &Hir, fold: bool) -> Option<Vec<String>> {
    let need = Need::of(hir, fold);
    let set = better(need.exact, need.best)?;
    let texts: BTreeSet<String> = set
        .iter()
        .map(|t| String::from_utf8(t.iter().copied().take(64).collect()).ok())
        .collect::<Option<_>>()?;
    let all: Vec<String> = texts.iter().cloned().collect();
    let kept: Vec<String> = all
        .iter()
        .filter(|t| !all.iter().any(|o| o != *t && t.contains(o.as_str())))
        .cloned()
        .collect();
    kept.iter()
        .all(|t| t.len() >= 3 && t.is_ascii())
        .then_some(kept)
}

type Set = BTreeSet<Vec<u8>>;

/// What a part of a pattern asks of a text.
struct Need {
    /// All that it matches, where that is little.
    exact: Option<Set>,
    /// Texts of which every match holds one.
    best: Option<Set>,
}

impl Need {
    fn of(hir: &Hir, fold: bool) -> Self {
        let exact = |set: Set| Self {
            exact: Some(set),
            best: None,
        };
        let nothing = Self {
            exact: None,
            best: None,
        };
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => exact([Vec::new()].into()),
            HirKind::Literal(l) => exact([l.0.iter().map(|b| folded(*b, fold)).collect()].into()),
            HirKind::Class(Class::Bytes(c)) => {
                let bytes: BTreeSet<u8> = c
                    .iter()
                    .flat_map(|r| r.start()..=r.end())
                    .map(|b| folded(b, fold))
                    .collect();
                if bytes.len() > 24 {
                    return nothing;
                }
                exact(bytes.into_iter().map(|b| vec![b]).collect())
            }
            HirKind::Class(Class::Unicode(_)) => nothing,
            HirKind::Capture(c) => Self::of(&c.sub, fold),
            HirKind::Repetition(r) => {
                let sub = Self::of(&r.sub, fold);
                if r.min == 0 {
                    return match (sub.exact, r.max) {
                        (Some(mut set), Some(1)) if set.len() < MAX_SET => {
                            set.insert(Vec::new());
                            exact(set)
                        }
                        _ => nothing,
                    };
                }
                let mut power: Option<Set> = sub.exact.clone();
                for _ in 1..r.min.min(8) {
                    power = power.and_then(|p| product(&p, sub.exact.as_ref()?));
                }
                // The proof of a literal follows a repetition as far.
                let whole = r.max == Some(r.min) && r.min <= 8;
                Self {
                    best: better(better(power.clone(), sub.exact), sub.best),
                    exact: power.filter(|_| whole),
                }
            }
            HirKind::Concat(subs) => {
                let mut run: Set = [Vec::new()].into();
                let mut best = None;
                let mut whole = true;
                for sub in subs {
                    let next = Self::of(sub, fold);
                    if let Some(joined) = next.exact.as_ref().and_then(|e| product(&run, e)) {
                        run = joined;
                        best = better(best, next.best);
                        continue;
                    }
                    whole = false;
                    // The first of what is repeated stands behind what was before.
                    if let HirKind::Repetition(r) = sub.kind()
                        && r.min > 0
                        && let Some(joined) = Self::of(&r.sub, fold)
                            .exact
                            .and_then(|first| product(&run, &first))
                    {
                        run = joined;
                    }
                    best = better(better(best, Some(run)), next.best);
                    run = next.exact.unwrap_or_else(|| [Vec::new()].into());
                }
                if whole {
                    return Self {
                        exact: Some(run),
                        best,
                    };
                }
                Self {
                    exact: None,
                    best: better(best, Some(run)),
                }
            }
            HirKind::Alternation(subs) => {
                let needs: Vec<Self> = subs.iter().map(|s| Self::of(s, fold)).collect();
                let all: Option<Set> = needs
                    .iter()
                    .map(|n| n.exact.clone())
                    .collect::<Option<Vec<_>>>()
                    .map(|sets| sets.into_iter().flatten().collect::<Set>())
                    .filter(|set| set.len() <= MAX_SET);
                let best: Option<Set> = needs
                    .into_iter()
                    .map(|n| better(n.exact, n.best))
                    .collect::<Option<Vec<_>>>()
                    .map(|sets| sets.into_iter().flatten().collect::<Set>())
                    .filter(|set| set.len() <= MAX_SET);
                Self { exact: all, best }
            }
        }
    }
}

fn folded(byte: u8, fold: bool) -> u8 {
    if fold {
        byte.to_ascii_lowercase()
    } else {
        byte
    }
}

/// Each text of one behind each of the other, where they stay few.
fn product(left: &Set, right: &Set) -> Option<Set> {
    if left.len() * right.len() > MAX_SET {
        return None;
    }
    let long = |set: &Set| set.iter().map(Vec::len).max().unwrap_or(0);
    if long(left) + long(right) > 256 {
        return None;
    }
    Some(
        left.iter()
            .flat_map(|l| right.iter().map(move |r| [&l[..], &r[..]].concat()))
            .collect(),
    )
}

/// The set that is better to search for: its shortest text is longer, or it is smaller.
fn better(one: Option<Set>, other: Option<Set>) -> Option<Set> {
    let worth = |set: &Set| {
        let shortest = set.iter().map(Vec::len).min().unwrap_or(0);
        (shortest.min(6), usize::MAX - set.len())
    };
    match (one, other) {
        (Some(a), Some(b)) => Some(if worth(&b) > worth(&a) { b } else { a }),
        (a, b) => a.or(b),
    }
    .filter(|set| set.iter().all(|t| !t.is_empty()))
}
