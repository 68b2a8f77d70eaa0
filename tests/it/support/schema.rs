//! Whether a document is what a JSON Schema of ours describes.

use serde_json::Value;

/// Follows a definition of the schema as far as it goes, the whole of it where the name is empty: each field of an object is
/// described, each required one is there, words and types fit.
#[track_caller]
pub fn fits(schema: &Value, definition: &str, value: &Value) {
    let start = if definition.is_empty() {
        schema
    } else {
        &schema["$defs"][definition]
    };
    assert!(start.is_object(), "the schema has no {definition}");
    follow(schema, start, value, definition);
}

#[track_caller]
fn follow(root: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let target = root.pointer(name.trim_start_matches('#')).unwrap();
        return follow(root, target, value, at);
    }
    if !schema["const"].is_null() {
        assert_eq!(schema["const"], *value, "{at}");
    }
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.contains(value), "{at}: {value}");
    }
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    match &schema["type"] {
        Value::String(one) => assert_eq!(one, is, "{at}"),
        Value::Array(all) => assert!(all.iter().any(|one| one == is), "{at} is {is}"),
        _ => {}
    }
    for (number, item) in value.as_array().into_iter().flatten().enumerate() {
        follow(root, &schema["items"], item, &format!("{at}/{number}"));
    }
    let (Some(fields), Some(properties)) = (value.as_object(), schema["properties"].as_object())
    else {
        return;
    };
    for (name, field) in fields {
        let described = properties.get(name);
        let described = described.unwrap_or_else(|| panic!("{at}/{name} is not described"));
        follow(root, described, field, &format!("{at}/{name}"));
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        let name = required.as_str().unwrap();
        assert!(fields.contains_key(name), "{at}/{name} is not there");
    }
}
