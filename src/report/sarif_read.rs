//! `sarif` read back, as far as it carries a report: authors, parts and what a key opens are not in it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::read::{
    MANY, Stored, SummaryRecord, by_word, parse_fingerprint, score, seconds, secret, snippet,
};
use super::sarif::{STOPPED, plain};
use super::verification;
use crate::model::{
    Commit, Credential, Decoding, Finding, Gap, History, Oid, Origin, Place, Position, Secret,
    Severity, Span, Told,
};

/// A rule as SARIF describes it.
struct Descriptor {
    name: String,
    provider: String,
    severity: Severity,
    remedy: String,
    console: String,
    link: String,
}

/// The report of a SARIF log; the error says what is wrong with it.
pub(super) fn stored(log: &Value) -> Result<Stored, String> {
    let runs = log["runs"].as_array().map_or(&[][..], Vec::as_slice);
    let [run] = runs else {
        return Err(
            "is SARIF of several runs or none; keysweep reads its own, which has one".to_owned(),
        );
    };
    let driver = &run["tool"]["driver"];
    if driver["name"] != "keysweep" {
        return Err("is SARIF of another tool; keysweep reads its own".to_owned());
    }
    let rules: BTreeMap<&str, Descriptor> = list(&driver["rules"])
        .map(|rule| (text(&rule["id"]), descriptor(rule)))
        .collect();
    let mut stored = Stored::default();
    for (index, result) in list(&run["results"]).enumerate() {
        let finding = finding(result, &rules).ok_or_else(|| {
            format!(
                "result {} has no fingerprint or rule of keysweep",
                index + 1
            )
        })?;
        if finding.places.is_empty() {
            return Err(format!("result {} has no location", index + 1));
        }
        if finding.places.iter().all(|p| p.dropped.is_some()) {
            stored.dropped.push(finding);
        } else {
            stored.findings.push(finding);
        }
    }
    let invocation = &run["invocations"][0];
    if let Some(summary) = SummaryRecord::of(&invocation["properties"]) {
        summary.put_into(&mut stored);
    }
    for note in list(&invocation["toolExecutionNotifications"]) {
        let message = text(&note["message"]["text"]);
        if message == STOPPED {
            stored.summary.cancelled = true;
            continue;
        }
        let uri = &note["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
        let path = String::from_utf8_lossy(&path(text(uri))).into_owned();
        let before = format!("{}: ", plain(&path));
        let reason = message.strip_prefix(&before).unwrap_or(message);
        stored.summary.gaps.push(Gap {
            path,
            reason: unescaped(reason),
        });
    }
    Ok(stored)
}

fn descriptor(rule: &Value) -> Descriptor {
    let mut parts = text(&rule["help"]["text"]).split("\n\n");
    let remedy = parts.next().unwrap_or_default().to_owned();
    let console = parts.find_map(|line| line.strip_prefix("Console: "));
    let properties = &rule["properties"];
    let number: f32 = text(&properties["security-severity"])
        .parse()
        .unwrap_or(0.0);
    let severity = match number {
        n if n > 9.0 => Severity::Critical,
        n if n >= 7.0 => Severity::High,
        n if n >= 4.0 => Severity::Medium,
        _ => Severity::Low,
    };
    Descriptor {
        name: owned(&rule["shortDescription"]["text"]),
        provider: owned(&properties["provider"]),
        severity,
        remedy,
        console: console.unwrap_or_default().to_owned(),
        link: owned(&rule["helpUri"]),
    }
}

fn finding(result: &Value, rules: &BTreeMap<&str, Descriptor>) -> Option<Finding> {
    let rule = rules.get(text(&result["ruleId"]))?;
    let properties = &result["properties"];
    let shown = properties["secret"].as_str()?;
    let secret = secret(shown, properties["redacted"].as_str());
    let rank = result["rank"].as_f64().unwrap_or(0.0) as f32 / 100.0;
    let places = list(&result["locations"])
        .chain(list(&result["relatedLocations"]))
        .map(|location| place(location, &secret, shown))
        .collect();
    Some(Finding {
        rule: owned(&result["ruleId"]),
        name: rule.name.clone(),
        provider: rule.provider.clone(),
        severity: by_word(
            &Severity::ALL,
            Severity::word,
            text(&properties["severity"]),
        )
        .unwrap_or(rule.severity),
        score: score(rank, text(&properties["confidence"])),
        credential: Credential::new(secret, Vec::new()),
        entropy: properties["entropy"].as_f64().unwrap_or(0.0) as f32,
        fingerprint: parse_fingerprint(text(&result["partialFingerprints"]["keysweep/v1"]))?,
        places,
        history: history(properties),
        opens: Vec::new(),
        remedy: rule.remedy.clone(),
        console: rule.console.clone(),
        link: rule.link.clone(),
        verification: verification::read(&properties["verification"]),
        owners: list(&properties["owners"])
            .map(|owner| text(owner).to_owned())
            .collect(),
    })
}

fn history(properties: &Value) -> Option<History> {
    let commit = |key: &str, date: Option<&str>| {
        let id = properties[key].as_str()?.parse::<Oid>().ok()?;
        Some(Commit {
            id,
            author: String::new(),
            email: String::new(),
            date: seconds(date),
            subject: String::new(),
        })
    };
    let first = commit("commit", properties["date"].as_str());
    let in_head = properties["in_head"].as_bool();
    if first.is_none() && in_head.is_none() {
        return None;
    }
    let count = |key: &str| properties[key].as_u64().unwrap_or(0).min(MANY);
    let small = |key: &str| u32::try_from(count(key)).unwrap_or(u32::MAX);
    let names = |key: &str| list(&properties[key]).map(owned).collect();
    Some(History {
        first,
        last: commit("last_commit", None),
        introductions: small("introductions"),
        in_head: in_head.unwrap_or(false),
        tips: names("tips"),
        more_tips: count("more_tips"),
        refs: names("refs"),
        more_refs: count("more_refs"),
        exposed_days: small("exposed_days"),
        is_partial: in_head.is_none(),
        or_earlier: properties["or_earlier"] == true,
    })
}

fn place(location: &Value, secret: &Secret, shown: &str) -> Place {
    let properties = &location["properties"];
    let physical = &location["physicalLocation"];
    let region = &physical["region"];
    let number = |value: &Value, or: u32| {
        value
            .as_u64()
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(or)
    };
    let start_line = number(&region["startLine"], 1);
    let start_column = number(&region["startColumn"], 1);
    let end_line = number(&region["endLine"], start_line);
    let end_column = number(&region["endColumn"], start_column);
    let at = |index: usize, line: u32, column: u32| Position {
        line: number(&properties["at"][index][0], line),
        column: number(&properties["at"][index][1], column),
    };
    let (start, end) = (at(0, start_line, start_column), at(1, end_line, end_column));
    let logical = text(&location["logicalLocations"][0]["fullyQualifiedName"]);
    let sort = logical.split_once(':').map_or("", |(sort, _)| sort);
    let word = properties["origin"].as_str().unwrap_or(sort);
    let origin = by_word(&Origin::ALL, Origin::word, word).unwrap_or_default();
    let path = match logical.strip_prefix("ref:") {
        Some(name) => name.as_bytes().to_vec(),
        None => path(text(&physical["artifactLocation"]["uri"])),
    };
    let columns = if origin == Origin::Content && !region.is_null() {
        (start_column, end_column)
    } else {
        (start.column, end.column)
    };
    let decoded_from: Vec<Decoding> = list(&properties["decoded_from"])
        .filter_map(|word| by_word(&Decoding::ALL, Decoding::word, text(word)))
        .collect();
    let line = text(&physical["contextRegion"]["snippet"]["text"]);
    let own = own(line, text(&region["snippet"]["text"]), columns.0);
    let id = |key: &str| properties[key].as_str().and_then(|id| id.parse().ok());
    let byte = |index: usize| properties["bytes"][index].as_u64().unwrap_or(0);
    Place {
        path,
        start,
        end,
        span: Span {
            start: byte(0),
            end: byte(1),
        },
        snippet: snippet(
            secret,
            shown,
            line,
            own,
            !decoded_from.is_empty(),
            Told {
                columns,
                is_cut: properties["cut"] == true,
            },
        ),
        decoded_from,
        score: properties["score"].as_f64().unwrap_or(0.0) as f32,
        dropped: properties["dropped"].as_str().map(str::to_owned),
        lapsed: properties["expired_suppression"]
            .as_str()
            .map(str::to_owned),
        covered: None,
        origin,
        blob: id("blob"),
        commit: id("commit"),
    }
}

/// Where the secret stands in its line: at this column if it can, which what was redacted before it may have moved.
fn own(line: &str, shown: &str, column: u32) -> Option<[usize; 2]> {
    if shown.is_empty() {
        return None;
    }
    let wanted = (column as usize).saturating_sub(1);
    let there = line
        .char_indices()
        .nth(wanted)
        .map(|(at, _)| at)
        .filter(|at| line.get(*at..).is_some_and(|rest| rest.starts_with(shown)));
    let at = there.or_else(|| line.find(shown))?;
    Some([at, at + shown.len()])
}

/// The path of an artifact's address.
fn path(uri: &str) -> Vec<u8> {
    if uri == "-" {
        return Vec::new();
    }
    let rest = uri.strip_prefix("file://").unwrap_or(uri).as_bytes();
    let mut path = Vec::with_capacity(rest.len());
    let mut at = 0;
    while let Some(byte) = rest.get(at) {
        let escape = rest
            .get(at + 1..at + 3)
            .filter(|_| *byte == b'%')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        path.push(escape.unwrap_or(*byte));
        at += if escape.is_some() { 3 } else { 1 };
    }
    path
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn owned(value: &Value) -> String {
    text(value).to_owned()
}

/// A message's text without what keeps SARIF from reading links in it.
fn unescaped(text: &str) -> String {
    text.replace("\\[", "[").replace("\\]", "]")
}
