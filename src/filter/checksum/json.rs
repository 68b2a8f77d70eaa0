//! JSON inside base64: web tokens, and what Grafana and others pack the same way.

use serde_json::Value;

use super::fact::{add_seconds, add_text};
use super::read::{decode, find, rsplit_once, split_once};
use super::{Check, Facts, fits_or_fails};

/// JSON web tokens: header and payload are JSON objects, the header names an algorithm.
///
/// <https://www.rfc-editor.org/rfc/rfc7519> and <https://www.rfc-editor.org/rfc/rfc7518#section-3.1>.
/// `Silent` where nothing is signed (`none`), where the signature has not the length of its algorithm
/// (cut off at the end of a line), and for the payload that every tutorial shows.
pub(super) fn jwt(secret: &[u8]) -> Check {
    let Some((header, payload, signature)) = jwt_parts(secret) else {
        return Check::Fails;
    };
    let Some(algorithm) = header.get("alg").and_then(Value::as_str) else {
        return Check::Fails;
    };
    if algorithm.eq_ignore_ascii_case("none") {
        return Check::Silent;
    }
    let Some(signature) = decode(signature).filter(|bytes| !bytes.is_empty()) else {
        return Check::Fails;
    };
    let whole = match algorithm {
        "HS256" => signature.len() == 32,
        "HS384" => signature.len() == 48,
        "HS512" | "ES256" | "ES256K" => signature.len() == 64,
        "ES384" => signature.len() == 96,
        "ES512" => signature.len() == 132,
        "EdDSA" => matches!(signature.len(), 64 | 114),
        "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" => signature.len() >= 128,
        _ => true,
    };
    let tutorial = payload.get("sub").and_then(Value::as_str) == Some("1234567890")
        && payload.get("name").and_then(Value::as_str) == Some("John Doe");
    if whole && !tutorial {
        Check::Fits
    } else {
        Check::Silent
    }
}

/// Header and payload, parsed, and the signature as it stands.
fn jwt_parts(secret: &[u8]) -> Option<(Value, Value, &[u8])> {
    let mut parts = secret.split(|&b| b == b'.');
    let (first, second, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    // A prefix may stand before it (`ghs_<app id>_eyJ…`).
    let header = object(first).or_else(|| object(first.get(find(first, b"eyJ")?..)?))?;
    Some((header, object(second)?, signature))
}

pub(super) fn jwt_facts(secret: &[u8]) -> Option<Facts> {
    let (header, payload, _) = jwt_parts(secret)?;
    let mut facts = Facts::new();
    add_text(&mut facts, "algorithm", header.get("alg"));
    add_text(&mut facts, "issuer", payload.get("iss"));
    add_text(&mut facts, "subject", payload.get("sub"));
    match payload.get("aud") {
        Some(Value::Array(several)) => add_text(&mut facts, "audience", several.first()),
        one => add_text(&mut facts, "audience", one),
    }
    add_seconds(&mut facts, "issued", payload.get("iat"));
    add_seconds(&mut facts, "expires", payload.get("exp"));
    add_text(&mut facts, "role", payload.get("role")); // Supabase: `service_role` or `anon`
    add_text(&mut facts, "project", payload.get("ref"));
    let kubernetes = payload.get("kubernetes.io");
    add_text(
        &mut facts,
        "namespace",
        kubernetes.and_then(|k| k.get("namespace")),
    );
    add_text(
        &mut facts,
        "namespace",
        payload.get("kubernetes.io/serviceaccount/namespace"),
    );
    Some(facts)
}

/// Tokens that carry JSON in base64: Grafana `glc_`, Sentry `sntrys_`, 1Password `ops_`, Mapbox.
///
/// <https://docs.mapbox.com/help/glossary/access-token/>,
/// <https://github.com/getsentry/rfcs/blob/main/text/0091-ci-upload-tokens.md>.
pub(super) fn json_base64(secret: &[u8]) -> Check {
    fits_or_fails(json_body(secret).is_some())
}

/// The JSON object in it; something may stand before it and, after `_` or `.`, behind it.
fn json_body(secret: &[u8]) -> Option<Value> {
    // `{"` is `ey` in base64, after the prefix or at once.
    let start = (0..secret.len()).find(|&at| {
        let before = at.checked_sub(1).and_then(|b| secret.get(b));
        secret.get(at..).is_some_and(|rest| rest.starts_with(b"ey"))
            && before.is_none_or(|b| matches!(b, b'_' | b'.' | b':' | b' '))
    })?;
    let rest = secret.get(start..)?;
    let end = rest
        .iter()
        .position(|b| !(b.is_ascii_alphanumeric() || b"+/-_=".contains(b)))
        .unwrap_or(rest.len());
    let run = rest.get(..end)?;
    object(run)
        .or_else(|| object(rsplit_once(run, b'_')?.0))
        .or_else(|| object(split_once(run, b'_')?.0))
}

pub(super) fn json_facts(secret: &[u8]) -> Option<Facts> {
    let body = json_body(secret)?;
    let mut facts = Facts::new();
    if secret.starts_with(b"glc_") {
        add_text(&mut facts, "org", body.get("o"));
        add_text(&mut facts, "name", body.get("n"));
        add_text(&mut facts, "region", body.get("m").and_then(|m| m.get("r")));
    } else if secret.starts_with(b"sntrys_") {
        add_text(&mut facts, "org", body.get("org"));
        add_text(&mut facts, "url", body.get("url"));
        add_text(&mut facts, "region", body.get("region_url"));
        add_seconds(&mut facts, "issued", body.get("iat"));
    } else if secret.starts_with(b"ops_") {
        add_text(&mut facts, "url", body.get("signInAddress"));
        add_text(
            &mut facts,
            "user",
            body.get("userAuth").and_then(|user| user.get("email")),
        );
    } else if matches!(secret, [b's' | b'p' | b't', b'k', b'.', ..]) {
        add_text(&mut facts, "user", body.get("u"));
        add_text(&mut facts, "authorization", body.get("a"));
    } else if body.get("k").is_some() {
        add_text(&mut facts, "name", body.get("n")); // Grafana's API keys of old
        add_text(&mut facts, "org", body.get("id"));
    }
    Some(facts)
}

/// A JSON object in base64.
fn object(text: &[u8]) -> Option<Value> {
    serde_json::from_slice(&decode(text)?)
        .ok()
        .filter(Value::is_object)
}
