//! The built-in rules: their written examples, and generated ones that do not see the pattern.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use keysweep::filter::checksum;
use keysweep::model::Fingerprint;
use keysweep::rule::{MAX_REACH, RuleSet, RuleSpec};
use keysweep::scan::{Options, PUBLISHED_SALT, Settings, fingerprint};

use crate::support::fake::{Rng, break_checksum, fix_checksum};
use crate::support::{engine, found};

/// Generated tokens of each rule.
const TOKENS: u64 = 20;
/// Random tokens of each rule that the filters judge.
const RANDOM: usize = 1000;

/// A path on which the rule applies.
fn path_for(spec: &RuleSpec) -> String {
    spec.only
        .first()
        .map_or("example", |glob| &**glob)
        .replace("**/", "")
        .replace('*', "example")
}

/// Fingerprints of what a rule finds in a text.
fn prints(spec: &RuleSpec, text: &[u8]) -> Vec<Fingerprint> {
    let options = Options {
        settings: Settings {
            inline_allow: false,
            keep_dropped: false,
            ..Settings::default()
        },
        ..Options::default()
    };
    found(&path_for(spec), text, &options)
        .iter()
        .filter(|f| f.rule == spec.id)
        .map(|f| f.fingerprint)
        .collect()
}

/// What became of a rule's matches in a text.
fn fate(spec: &RuleSpec, text: &[u8]) -> String {
    let options = Options {
        settings: Settings {
            inline_allow: false,
            keep_dropped: true,
            ..Settings::default()
        },
        ..Options::default()
    };
    let outcome = keysweep::scan::scan_bytes(
        engine(),
        text,
        path_for(spec).as_bytes(),
        &options,
        &mut keysweep::scan::Scratch::default(),
    );
    let all: Vec<String> = outcome
        .matches
        .iter()
        .map(|m| {
            let id = &engine().rules().rule(m.rule).unwrap().spec().id;
            format!("{id}: {}", m.place.dropped.as_deref().unwrap_or("kept"))
        })
        .collect();
    if all.is_empty() {
        "no match".to_owned()
    } else {
        all.join(", ")
    }
}

fn fail_on(wrong: &[String]) {
    assert!(
        wrong.is_empty(),
        "{} at fault:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn there_are_at_least_120_rules_with_distinct_ids() {
    let rules = engine().rules().rules();
    let ids: BTreeSet<_> = rules.iter().map(|r| &r.spec().id).collect();
    assert_eq!(ids.len(), rules.len());
    assert!(rules.len() >= 120, "{}", rules.len());
}

#[test]
fn each_example_is_found_once_and_no_counterexample() {
    let mut wrong = Vec::new();
    for rule in engine().rules().rules() {
        let spec = rule.spec();
        for (number, text) in spec.examples.iter().enumerate() {
            let count = prints(spec, text.as_bytes()).len();
            if count != 1 {
                wrong.push(format!(
                    "{}: example {}: found {count} times ({})",
                    spec.id,
                    number + 1,
                    fate(spec, text.as_bytes())
                ));
            }
        }
        for (number, text) in spec.counterexamples.iter().enumerate() {
            if !prints(spec, text.as_bytes()).is_empty() {
                wrong.push(format!("{}: counterexample {}: found", spec.id, number + 1));
            }
        }
    }
    fail_on(&wrong);
}

#[test]
fn each_pattern_is_small_and_compiles_fast() {
    let mut wrong = BTreeSet::new();
    let sets: Vec<RuleSet> = (0..3).map(|_| RuleSet::builtin().unwrap()).collect();
    for index in 0..sets[0].rules().len() {
        let spec = sets[0].rules()[index].spec();
        let mut least = Duration::MAX;
        for set in &sets {
            let started = Instant::now();
            let compiled = set.rules()[index].compiled();
            least = least.min(started.elapsed());
            match compiled {
                Some(c) if c.regex.memory_usage() > 1 << 20 => {
                    wrong.insert(format!(
                        "{}: takes {} bytes",
                        spec.id,
                        c.regex.memory_usage()
                    ));
                }
                Some(_) => {}
                None => {
                    wrong.insert(format!("{}: does not compile", spec.id));
                }
            }
        }
        // 2 ms is the bound of a release build on a quiet machine.
        if least > Duration::from_millis(20) {
            wrong.insert(format!("{}: compiles in {least:?}", spec.id));
        }
    }
    fail_on(&Vec::from_iter(wrong));
}

#[test]
fn each_rule_has_what_a_report_needs() {
    let mut wrong = Vec::new();
    for rule in engine().rules().rules() {
        let spec = rule.spec();
        let missing = [
            (spec.literals.is_empty(), "no literal"),
            (spec.back > MAX_REACH, "reaches too far back"),
            (spec.remedy.is_empty(), "no remedy"),
            (spec.link.is_empty(), "no link"),
            (
                spec.examples.len() < 2 || spec.counterexamples.len() < 2,
                "fewer than two examples or counterexamples",
            ),
            (
                spec.near
                    .iter()
                    .any(|n| engine().rules().index_of(&n.rule).is_none()),
                "a companion that does not exist",
            ),
            (
                spec.checksum
                    .as_deref()
                    .is_some_and(|c| checksum::by_name(c).is_none()),
                "an unknown checksum",
            ),
        ];
        wrong.extend(
            missing
                .iter()
                .filter(|(bad, _)| *bad)
                .map(|(_, what)| format!("{}: {what}", spec.id)),
        );
    }
    fail_on(&wrong);
}

/// A piece of a token's description.
enum Segment {
    Literal(String),
    Class {
        alphabet: Vec<u8>,
        least: usize,
        most: usize,
    },
}

fn segment(text: &str) -> Segment {
    let Some((class, counts)) = text
        .strip_prefix('[')
        .and_then(|t| t.strip_suffix('}'))
        .and_then(|t| t.rsplit_once("]{"))
    else {
        return Segment::Literal(text.to_owned());
    };
    let (least, most) = counts.split_once(',').unwrap_or((counts, counts));
    let bytes = class.as_bytes();
    let mut alphabet = BTreeSet::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'\\' {
            at += 1;
        }
        if at + 2 < bytes.len() && bytes[at + 1] == b'-' {
            alphabet.extend(bytes[at]..=bytes[at + 2]);
            at += 3;
        } else {
            alphabet.insert(bytes[at]);
            at += 1;
        }
    }
    Segment::Class {
        alphabet: alphabet.into_iter().collect(),
        least: least.parse().unwrap(),
        most: most.parse().unwrap(),
    }
}

/// A token, cut into its segments.
fn generate(shape: &[Segment], rng: &mut Rng) -> Vec<Vec<u8>> {
    shape
        .iter()
        .map(|segment| match segment {
            Segment::Literal(text) => text.clone().into_bytes(),
            Segment::Class {
                alphabet,
                least,
                most,
            } => {
                let length = match rng.below(4) {
                    0 => *least,
                    1 => *most,
                    _ => least + rng.below(most - least + 1),
                };
                (0..length)
                    .map(|_| alphabet[rng.below(alphabet.len())])
                    .collect()
            }
        })
        .collect()
}

/// Whether a random token may be asked for: a real one of so little variety is refused too.
fn is_fair(spec: &RuleSpec, token: &[u8]) -> bool {
    let has = |sort: &str| match sort {
        "digit" => token.iter().any(u8::is_ascii_digit),
        "upper" => token.iter().any(u8::is_ascii_uppercase),
        "lower" => token.iter().any(u8::is_ascii_lowercase),
        "letter" => token.iter().any(u8::is_ascii_alphabetic),
        _ => token.iter().any(u8::is_ascii_punctuation),
    };
    spec.require.iter().all(|sort| has(sort))
        && spec
            .entropy
            .is_none_or(|least| entropy::shannon_entropy(token) >= least)
}

fn in_context(spec: &RuleSpec, token: &[u8]) -> Vec<u8> {
    spec.shape_context
        .replace("{}", &String::from_utf8_lossy(token))
        .into_bytes()
}

/// Another series of tokens for each rule, the same in each run.
fn seeded(spec: &RuleSpec) -> Rng {
    Rng::new(
        spec.id
            .bytes()
            .fold(7, |n, b| (n * 31 + u64::from(b)) & 0xffff_ffff),
    )
}

/// Calls back with a rule's generated tokens, whole and in segments.
fn each_token(
    wrong: &mut Vec<String>,
    tokens: u64,
    mut check: impl FnMut(&RuleSpec, &[Segment], &[Vec<u8>], &[u8], &mut Vec<String>),
) {
    for rule in engine().rules().rules() {
        let spec = rule.spec();
        if spec.shape.is_empty() {
            continue;
        }
        let shape: Vec<Segment> = spec.shape.iter().map(|s| segment(s)).collect();
        let mut rng = seeded(spec);
        let (mut made, mut tries) = (0, 0);
        while made < tokens {
            tries += 1;
            if tries > tokens * 50 {
                wrong.push(format!("{}: of {tries} tokens of its shape only {made} pass its own entropy and require", spec.id));
                break;
            }
            let pieces = generate(&shape, &mut rng);
            let mut token = pieces.concat();
            if let Some(name) = &spec.checksum {
                fix_checksum(name, &mut token);
            }
            if is_fair(spec, &token) {
                made += 1;
                check(spec, &shape, &pieces, &token, wrong);
            }
        }
    }
}

#[test]
fn tokens_of_the_stated_shape_are_found() {
    let mut wrong = Vec::new();
    let mut last = String::new();
    each_token(&mut wrong, TOKENS, |spec, _, _, token, wrong| {
        let text = in_context(spec, token);
        if prints(spec, &text) != [fingerprint(&spec.id, token, PUBLISHED_SALT)] && last != *spec.id
        {
            last = spec.id.to_string();
            wrong.push(format!(
                "{}: {} ({})",
                spec.id,
                String::from_utf8_lossy(&text),
                fate(spec, &text)
            ));
        }
    });
    fail_on(&wrong);
}

#[test]
fn near_misses_are_not_found() {
    let mut wrong = BTreeSet::new();
    let mut other = Vec::new();
    each_token(&mut other, 5, |spec, shape, pieces, token, _| {
        let mut must_not = |what: &str, token: &[u8]| {
            let text = in_context(spec, token);
            if !prints(spec, &text).is_empty() {
                wrong.insert(format!("{}: {what}", spec.id));
            }
        };
        if let Some(name) = &spec.checksum {
            let mut broken = token.to_vec();
            let strict =
                |t: &[u8]| checksum::by_name(name).is_some_and(|v| v(t) == checksum::Check::Fails);
            if break_checksum(name, &mut broken) && strict(&broken) {
                must_not("a broken checksum", &broken);
            }
            // Any other change breaks the checksum too, and proves nothing of the pattern.
            if strict(&broken) {
                return;
            }
        }
        if pieces.concat() != token {
            return;
        }
        if let (Some(Segment::Literal(first)), Some(piece)) = (shape.first(), pieces.first())
            && first.len() >= 3
        {
            let mut other = pieces.to_vec();
            other[0][0] = match piece[0] {
                b'z' => b'a',
                b'Z' => b'A',
                b'9' => b'0',
                byte => byte + 1,
            };
            must_not("another first character", &other.concat());
        }
        let Some(last) = shape
            .iter()
            .rposition(|s| matches!(s, Segment::Class { .. }))
        else {
            return;
        };
        let Segment::Class {
            alphabet,
            least,
            most,
        } = &shape[last]
        else {
            return;
        };
        let neighbour = last.checked_sub(1).and_then(|i| shape.get(i));
        let is_alone =
            !matches!(neighbour, Some(Segment::Class { least, most, .. }) if least != most);
        if least == most && is_alone && *least > 1 {
            let mut short = pieces.to_vec();
            short[last].pop();
            must_not("one character too few", &short.concat());
            let mut long = pieces.to_vec();
            let more = long[last][0];
            long[last].push(more);
            must_not("one character too many", &long.concat());
        }
        if *least >= 8 && is_alone {
            // A pattern may take more lengths and characters than the shape states, but no such mark.
            let middle = if least == most { least / 2 } else { 3 };
            let mut turned = pieces.to_vec();
            if let Some(bad) = b"!\x07".iter().find(|b| !alphabet.contains(b)) {
                turned[last][middle] = *bad;
                must_not(
                    &format!(
                        "`{}` as character {} of the last segment",
                        bad.escape_ascii(),
                        middle + 1
                    ),
                    &turned.concat(),
                );
            }
            if least == most && !alphabet.contains(&b'g') {
                turned[last][middle] = b'g';
                must_not("`g` among hexadecimal digits", &turned.concat());
            }
        }
    });
    fail_on(&wrong.into_iter().chain(other).collect::<Vec<_>>());
}

/// Words, missing sorts of character and low entropy tell placeholders from keys; a random text may look like one by chance.
#[test]
fn random_tokens_are_seldom_refused_by_chance() {
    use keysweep::filter::{Dictionary, Filters};
    let dictionary = Dictionary::default();
    let (mut wrong, mut refused, mut all) = (Vec::new(), 0, 0);
    for rule in engine().rules().rules() {
        let spec = rule.spec();
        if spec.shape.is_empty() {
            continue;
        }
        let shape: Vec<Segment> = spec.shape.iter().map(|s| segment(s)).collect();
        let filters = Filters::of(rule).unwrap();
        let mut rng = seeded(spec);
        let mut lost = Vec::new();
        for _ in 0..RANDOM {
            let mut token = generate(&shape, &mut rng).concat();
            if let Some(name) = &spec.checksum {
                fix_checksum(name, &mut token);
            }
            if let Err(reason) = filters.judge(rule, &token, &dictionary) {
                lost.push(format!("{} ({reason})", String::from_utf8_lossy(&token)));
            }
        }
        all += RANDOM;
        refused += lost.len();
        // One in a thousand, and what chance adds to so few.
        if lost.len() > RANDOM / 1000 + 3 {
            wrong.push(format!(
                "{}: {} of {RANDOM}, as {}",
                spec.id,
                lost.len(),
                lost[0]
            ));
        }
    }
    assert!(
        refused * 20_000 < all,
        "{refused} of {all} random tokens are refused"
    );
    fail_on(&wrong);
}
