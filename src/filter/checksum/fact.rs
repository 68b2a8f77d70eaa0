//! What a secret says of itself, in a printable form.

use serde_json::Value;

use super::Facts;

/// What may be shown on a terminal: no control characters, at most 200 characters.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

pub(super) fn add_text(facts: &mut Facts, name: &'static str, value: Option<&Value>) {
    let text = match value {
        Some(Value::String(text)) => printable(text),
        Some(Value::Number(number)) => number.to_string(),
        _ => return,
    };
    if !text.is_empty() {
        facts.push((name, text));
    }
}

/// Whole seconds; some issuers write fractions.
pub(super) fn add_seconds(facts: &mut Facts, name: &'static str, value: Option<&Value>) {
    if let Some(Value::Number(number)) = value {
        let text = number.to_string();
        let whole = text.split_once('.').map_or(&*text, |(whole, _)| whole);
        facts.push((name, whole.to_owned()));
    }
}

pub(super) fn add_list(facts: &mut Facts, name: &'static str, value: Option<&Value>) {
    if let Some(Value::Array(list)) = value {
        let joined = list
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        facts.push((name, printable(&joined)));
    }
}
