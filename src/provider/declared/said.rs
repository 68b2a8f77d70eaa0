//! What an answer says by the lines of a block: which line fits, and whose the key is.

use serde_json::Value;

use crate::model::{Doubt, Identity, Level};
use crate::net::Reply;
use crate::provider::template::printable;
use crate::rule::block::{self, Answer, When};

/// The first answer that fits.
pub(super) fn fitting<'a>(
    answers: &'a [Answer],
    reply: &Reply,
    json: Option<&Value>,
) -> Option<&'a Answer> {
    answers
        .iter()
        .find(|a| a.status.contains(&reply.status) && a.when.iter().all(|w| holds(w, reply, json)))
}

fn holds(test: &When, reply: &Reply, json: Option<&Value>) -> bool {
    let value = value_at(&test.at, reply, json);
    if let Some(present) = test.present
        && present != value.is_some()
    {
        return false;
    }
    if test.equals.is_empty() && test.contains.is_empty() {
        return true;
    }
    let Some(value) = value else { return false };
    let lower = value.to_lowercase();
    (test.equals.is_empty() || test.equals.contains(&value))
        && (test.contains.is_empty()
            || test
                .contains
                .iter()
                .any(|c| lower.contains(&c.to_lowercase())))
}

/// What stands at a place of an answer: a JSON pointer, `header:NAME` or `text`.
pub(super) fn value_at(at: &str, reply: &Reply, json: Option<&Value>) -> Option<String> {
    if let Some(name) = at.strip_prefix("header:") {
        return reply.header(name).map(str::to_owned);
    }
    if at == "text" {
        return Some(reply.text()).filter(|t| !t.trim().is_empty());
    }
    let value = json?.pointer(at)?;
    match value {
        Value::Null => None,
        Value::Array(_) | Value::Object(_) => Some(value.to_string()),
        other => plain(other),
    }
}

/// A scalar as text.
pub(super) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// Why an answer that fits nothing proves nothing.
pub(super) fn doubt(answers: &[Answer], reply: &Reply) -> Doubt {
    match reply.status {
        429 => Doubt::RateLimited,
        300..=399 => Doubt::Redirect(
            reply
                .header("location")
                .and_then(host_of)
                .map_or_else(|| "another page".to_owned(), printable),
        ),
        status if answers.iter().any(|a| a.status.contains(&status)) => Doubt::Answer(format!(
            "status {status}, but not the answer that the provider documents"
        )),
        status => Doubt::Status(status),
    }
}

/// The host of an `https://` or `http://` address.
pub(super) fn host_of(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    let host = rest.split(['/', '?', '#']).next()?;
    (!host.contains('@')).then_some(host)
}

pub(super) fn identity(whose: &block::Whose, reply: &Reply, json: Option<&Value>) -> Identity {
    let text = |at: &Option<String>| {
        at.as_deref()
            .and_then(|at| value_at(at, reply, json))
            .filter(|t| !t.is_empty())
    };
    let scopes = whose
        .scopes
        .as_deref()
        .map(|at| scopes(at, reply, json))
        .unwrap_or_default();
    let level = whose
        .levels
        .as_ref()
        .filter(|_| !scopes.is_empty())
        .map(|levels| level(levels, &scopes));
    Identity {
        account: text(&whose.account),
        owner: text(&whose.owner),
        level,
        scopes,
        expires: text(&whose.expires),
        key: text(&whose.key),
    }
}

fn scopes(at: &str, reply: &Reply, json: Option<&Value>) -> Vec<String> {
    let is_pointer = !at.starts_with("header:") && at != "text";
    // `/scopes/*/name` is the name of each.
    let (list_at, inner) = at.split_once("/*").unwrap_or((at, ""));
    let list = json
        .filter(|_| is_pointer)
        .and_then(|j| j.pointer(list_at))
        .and_then(Value::as_array);
    match list {
        Some(list) => list
            .iter()
            .filter_map(|entry| entry.pointer(inner).and_then(plain))
            .collect(),
        None => value_at(at, reply, json)
            .unwrap_or_default()
            .split([',', ' '])
            .filter(|s| !s.is_empty())
            .map(str::to_owned)
            .collect(),
    }
}

fn level(levels: &block::Levels, scopes: &[String]) -> Level {
    let fits = |list: &[String], scope: &String| {
        list.iter().any(|entry| match entry.split_once('*') {
            Some((start, end)) => {
                scope.len() >= start.len() + end.len()
                    && scope.starts_with(start)
                    && scope.ends_with(end)
            }
            None => scope == entry,
        })
    };
    if scopes.iter().any(|s| fits(&levels.admin, s)) {
        Level::Admin
    } else if scopes.iter().any(|s| fits(&levels.write, s)) {
        Level::Write
    } else if scopes.iter().all(|s| fits(&levels.read_only, s)) {
        Level::ReadOnly
    } else {
        Level::Custom
    }
}
