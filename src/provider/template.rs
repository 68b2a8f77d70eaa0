//! Requests of blocks, filled in: each value escaped for its place, secrets marked as such.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Authority, Known};
use crate::model::{Credential, Doubt};
use crate::net::{Net, Piece, Request, Text};
use crate::rule::block::{self, LISTED};
use crate::rule::regex;

/// Parts that name something and may stand in a plan.
pub(super) const PUBLIC_PARTS: &[&str] =
    &["account", "database", "host", "id", "key_id", "sid", "user"];

/// How a value is written where it stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Host,
    Url,
    Form,
    Json,
    Plain,
}

/// The values of variables.
pub(super) struct Values<'a> {
    of: BTreeMap<String, (String, bool)>,
    /// What was not found beside the secret: parts of the caller's configuration, and `default` for a block's own host.
    told: BTreeSet<String>,
    authority: Option<&'a Authority>,
}

impl<'a> Values<'a> {
    /// The secret, the parts, what the caller knows where a part was not found, and the block's own variables.
    ///
    /// # Errors
    /// [`Doubt::Missing`] where a variable is in no part, [`Doubt::Answer`] where a value is no text.
    #[expect(
        clippy::disallowed_methods,
        reason = "requests to the provider carry the secret: that is what they ask about"
    )]
    pub(super) fn new(
        key: &Credential,
        vars: &BTreeMap<String, block::Var>,
        authority: Option<&'a Authority>,
        known: &Known,
    ) -> Result<Self, Doubt> {
        let secret = std::str::from_utf8(key.secret.expose())
            .map_err(|_| Doubt::Refused("the secret is not text".to_owned()))?;
        if secret.is_empty() {
            return Err(Doubt::NotThere);
        }
        let mut values = BTreeMap::from([("secret".to_owned(), (secret.to_owned(), false))]);
        for (name, value) in &key.parts {
            let public = PUBLIC_PARTS.contains(&name.as_str());
            values.insert(name.clone(), (value.clone(), public));
        }
        let mut told = BTreeSet::new();
        for (name, value) in known {
            if name != "host" && !values.contains_key(name) {
                values.insert(name.clone(), (value.clone(), true));
                told.insert(name.clone());
            }
        }
        for (name, var) in vars {
            let from = values
                .get(&var.from)
                .ok_or_else(|| Doubt::Missing(var.from.clone()))?;
            let pattern = regex(&var.pattern).map_err(Doubt::Refused)?;
            let mut found = pattern.create_captures();
            pattern.captures(from.0.as_str(), &mut found);
            let span = found
                .get_group(1)
                .ok_or_else(|| Doubt::Missing(name.clone()))?;
            let value = from.0.get(span.range()).unwrap_or_default().to_owned();
            values.insert(name.clone(), (value, var.public));
        }
        Ok(Self {
            of: values,
            told,
            authority,
        })
    }

    /// The host that was found beside the secret.
    pub(super) fn host(&self) -> Option<&str> {
        self.of.get("host").map(|(host, _)| host.as_str())
    }

    /// Names that may be shown, and nothing else.
    pub(super) fn naming(names: &[(&str, &str)]) -> Self {
        let names = names.iter();
        Self {
            of: names
                .map(|(name, value)| ((*name).to_owned(), ((*value).to_owned(), true)))
                .collect(),
            told: BTreeSet::new(),
            authority: None,
        }
    }

    /// The first of these parts that was not found beside the secret.
    pub(super) fn told(&self, parts: &[String]) -> Option<String> {
        parts.iter().find(|p| self.told.contains(*p)).cloned()
    }

    /// The values of these parts that were not found beside the secret; a block's own host is `host`.
    pub(super) fn told_values(&self, parts: &[String]) -> Vec<(String, String)> {
        let names = parts.iter().filter(|part| self.told.contains(*part));
        let names = names.map(|part| match part.as_str() {
            "default" => "host",
            part => part,
        });
        names
            .filter_map(|name| Some((name.to_owned(), self.of.get(name)?.0.clone())))
            .collect()
    }

    /// Adds a value that may be shown.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.of.insert(name.to_owned(), (value.to_owned(), true));
    }

    /// Takes the host of a self-hosted service: the one found beside the secret if the caller lists it, else the caller's own, else
    /// the default.
    ///
    /// # Errors
    /// [`Doubt::Refused`] where another host was found that nobody lists, [`Doubt::Missing`] where none is known.
    pub(super) fn choose_host(
        &mut self,
        default: Option<&str>,
        known: &Known,
        is_listed: &dyn Fn(&str) -> bool,
    ) -> Result<(), Doubt> {
        let Some(default) = default else {
            return Ok(());
        };
        let own = known.get("host").map_or(default, String::as_str);
        let host = match self.of.get("host") {
            Some((host, _)) if !host.is_empty() => {
                if host != own && host != default && !is_listed(host) {
                    return Err(Doubt::Refused(format!(
                        "`{}` stands beside it and is not listed; if it is yours, --allow-host it",
                        printable(host)
                    )));
                }
                host.clone()
            }
            _ => {
                let is_known = known.contains_key("host");
                self.told
                    .insert(if is_known { "host" } else { "default" }.to_owned());
                own.to_owned()
            }
        };
        if host.is_empty() {
            return Err(Doubt::Missing("host".to_owned()));
        }
        self.set("host", &host);
        Ok(())
    }

    /// A value and whether it may be shown.
    #[expect(
        clippy::disallowed_methods,
        reason = "the authority is sent to the provider that it belongs to"
    )]
    fn value(&self, name: &str) -> Result<(String, bool), Doubt> {
        if let Some(part) = name.strip_prefix("authority.") {
            let secret = self.authority.and_then(|a| a.parts.get(part));
            let secret = secret.ok_or_else(|| Doubt::Missing(name.to_owned()))?;
            let text = String::from_utf8(secret.expose().to_vec());
            return text
                .map(|t| (t, false))
                .map_err(|_| Doubt::Refused(format!("{name} is not text")));
        }
        self.of
            .get(name)
            .cloned()
            .ok_or_else(|| Doubt::Missing(name.to_owned()))
    }

    fn text(&self, template: &str, place: Place) -> Result<Text, Doubt> {
        let mut text = Text::default();
        for piece in pieces(template) {
            match piece {
                Part::Literal(literal) => text.push(Piece::Public(literal.to_owned())),
                Part::Variable(name) => {
                    let (value, public) = self.value(name)?;
                    let written = escaped(&value, place, name)?;
                    text.push(if public {
                        Piece::Public(written)
                    } else {
                        Piece::Secret(written)
                    });
                }
            }
        }
        Ok(text)
    }

    /// Text in clear, for comparing with what a provider lists.
    pub(super) fn clear(&self, template: &str) -> Result<String, Doubt> {
        self.text(template, Place::Plain).map(|t| t.wire())
    }

    /// Text for people: what may not be shown is `…`.
    pub(super) fn shown(&self, template: &str) -> String {
        pieces(template)
            .map(|piece| match piece {
                Part::Literal(literal) => literal.to_owned(),
                Part::Variable(name) => match self.value(name) {
                    Ok((value, true)) => printable(&value),
                    _ => "…".to_owned(),
                },
            })
            .collect()
    }

    /// The requests of a block: one for each of its addresses.
    ///
    /// # Errors
    /// Where a variable has no value, or one that must not stand at its place.
    pub(super) fn requests(&self, block: &block::Request) -> Result<Vec<Request>, Doubt> {
        let theirs = if block.also_headers.is_empty() {
            &block.headers
        } else {
            &block.also_headers
        };
        std::iter::once((&block.url, &block.headers))
            .chain(block.also.iter().map(|url| (url, theirs)))
            .map(|(url, headers)| self.request(block, url, headers))
            .collect()
    }

    /// A request of a block with the secrets of others in its list beside the own.
    ///
    /// # Errors
    /// As [`Values::requests`].
    pub(super) fn listing(
        &self,
        mut request: Request,
        block: &block::Request,
        others: &[Self],
    ) -> Result<Request, Doubt> {
        let Some((before, after)) = block.json.as_deref().and_then(|j| j.split_once(LISTED)) else {
            return Err(Doubt::Refused("its call takes no list".to_owned()));
        };
        let mut body = self.text(&format!("{before}{LISTED}"), Place::Json)?;
        for other in others {
            body.append(other.text(&format!(",{LISTED}"), Place::Json)?);
        }
        body.append(Text::public(after));
        request.body = Some(body);
        Ok(request)
    }

    fn request(
        &self,
        block: &block::Request,
        url: &str,
        headers: &BTreeMap<String, String>,
    ) -> Result<Request, Doubt> {
        let rest = url.strip_prefix("https://").unwrap_or(url);
        let (host, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let mut address = Text::public("https://");
        address.append(self.text(host, Place::Host)?);
        address.append(self.text(path, Place::Url)?);
        let mut request = Request::new(&block.method, address);
        for (name, value) in headers {
            request = request.with_header(name, self.text(value, Place::Plain)?);
        }
        if let Some([user, password]) = &block.basic {
            let pair = format!("{}:{}", self.clear(user)?, self.clear(password)?);
            let mut value = Text::public("Basic ");
            value.push(Piece::Secret(STANDARD.encode(pair)));
            request = request.with_header("Authorization", value);
        }
        if let Some(json) = &block.json {
            request = request.with_body("application/json", self.text(json, Place::Json)?);
        } else if !block.form.is_empty() {
            let mut body = Text::default();
            for (name, value) in &block.form {
                if !body.wire().is_empty() {
                    body.push(Piece::Public("&".to_owned()));
                }
                body.push(Piece::Public(format!("{name}=")));
                body.append(self.text(value, Place::Form)?);
            }
            request = request.with_body("application/x-www-form-urlencoded", body);
        }
        Ok(request)
    }
}

/// A host found beside a secret is listed by the caller.
pub(super) fn listed_by(net: &dyn Net) -> impl Fn(&str) -> bool + '_ {
    |host| net.is_listed(host)
}

enum Part<'t> {
    Literal(&'t str),
    Variable(&'t str),
}

/// Cuts a template at `{name}`; other braces, as those of JSON, are text.
fn pieces(template: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = template;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some((name, after)) = variable(rest) {
            rest = after;
            return Some(Part::Variable(name));
        }
        let end = rest
            .char_indices()
            .skip(1)
            .find(|(at, c)| *c == '{' && rest.get(*at..).is_some_and(|r| variable(r).is_some()))
            .map_or(rest.len(), |(at, _)| at);
        let (literal, after) = rest.split_at(end);
        rest = after;
        Some(Part::Literal(literal))
    })
}

fn variable(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('{')?;
    let (name, after) = inside.split_at(inside.find('}')?);
    let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'.');
    is_name.then(|| (name, after.get(1..).unwrap_or_default()))
}

fn escaped(value: &str, place: Place, name: &str) -> Result<String, Doubt> {
    let refuse = |why: &str| Err(Doubt::Refused(format!("its {name} {why}")));
    match place {
        Place::Host => {
            // A service of one's own may have a port; a label in front of a provider's domain is a label.
            let (bare, port) = match value.rsplit_once(':') {
                Some((bare, port)) if name == "host" && !value.ends_with(']') => (bare, Some(port)),
                _ => (value, None),
            };
            let is_label = |label: &str| {
                (1..=63).contains(&label.len())
                    && label
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b == b'-')
                    && !label.starts_with('-')
                    && !label.ends_with('-')
            };
            let inside = bare.strip_prefix('[').and_then(|b| b.strip_suffix(']'));
            let is_v6 = inside.is_some_and(|b| b.parse::<std::net::Ipv6Addr>().is_ok());
            let is_host = bare.len() <= 253
                && (is_v6 && name == "host" || bare.split('.').all(is_label))
                && (name == "host" || !bare.contains('.'))
                && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
            if !is_host {
                return refuse("is no name of a host");
            }
            Ok(value.to_ascii_lowercase())
        }
        Place::Url | Place::Form => Ok(percent(value, place)),
        Place::Json => match serde_json::to_string(value) {
            Ok(quoted) => Ok(quoted
                .get(1..quoted.len() - 1)
                .unwrap_or_default()
                .to_owned()),
            Err(_) => refuse("is no text"),
        },
        Place::Plain if value.chars().any(char::is_control) => refuse("holds control characters"),
        Place::Plain => Ok(value.to_owned()),
    }
}

/// A value as it stands in the query of an address.
pub(super) fn in_query(value: &str) -> String {
    percent(value, Place::Form)
}

/// RFC 3986 percent-encoding; a colon may stay in a path.
fn percent(value: &str, place: Place) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        let is_plain = byte.is_ascii_alphanumeric()
            || b"-._~".contains(&byte)
            || (byte == b':' && place == Place::Url);
        // A path of dots alone would climb.
        if is_plain && !(value.bytes().all(|b| b == b'.')) {
            out.push(byte as char);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A foreign text for one line of a message.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .take(120)
        .collect()
}
