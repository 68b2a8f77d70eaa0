//! The sections that count only in the caller's own file: where secrets may be sent, by whose authority keys are ended, where the
//! ledger is. In a file of a scanned tree nothing of them is read, whatever it says.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::file::At;
use super::value::{Source, Table};
use crate::model::{AddressRange, HostPattern, WebAddress};
use crate::rule::FileError;

/// The sections.
pub(super) const SECTIONS: [&str; 6] = [
    "endpoints",
    "network",
    "known",
    "authority",
    "respond",
    "ledger",
];

/// What the caller's file says of them.
#[derive(Debug, Clone, Default)]
pub struct Online {
    /// `[endpoints]`: a provider's host, and where its requests go instead.
    pub endpoints: Vec<(HostPattern, WebAddress)>,
    /// `[network]`.
    pub network: NetworkKeys,
    /// `[known.NAME]`: what the caller knows of a provider and calls need: the host of a service of one's own, a user. No secrets.
    pub known: BTreeMap<String, BTreeMap<String, String>>,
    /// `[authority.NAME]`: name → part → where its value is.
    pub authority: BTreeMap<String, BTreeMap<String, At<ValueFrom>>>,
    /// `[respond]`.
    pub respond: RespondKeys,
    /// `[ledger]`.
    pub ledger: LedgerKeys,
}

/// `[network]`.
#[derive(Debug, Clone, Default)]
pub struct NetworkKeys {
    /// Hosts of one's own that credentials may be sent to.
    pub hosts: Vec<HostPattern>,
    /// Ranges of addresses that are refused otherwise.
    pub private: Vec<AddressRange>,
    /// A PEM file of certificates to trust, relative to the configuration.
    pub ca: Option<At<String>>,
    /// Seconds for one answer.
    pub timeout: Option<At<u64>>,
    /// Seconds for a run.
    pub budget: Option<At<u64>>,
}

/// `[respond]`.
#[derive(Debug, Clone, Default)]
pub struct RespondKeys {
    /// Whether a secret is kept, sealed, so that it can be tried again.
    pub recheck: Option<At<bool>>,
    /// Between deactivating and deleting.
    pub grace: Option<At<Duration>>,
}

/// `[ledger]`.
#[derive(Debug, Clone, Default)]
pub struct LedgerKeys {
    /// The file, relative to the configuration.
    pub path: Option<At<String>>,
    /// Where the key-encryption key is.
    pub key: Option<At<ValueFrom>>,
}

/// Where a secret value is: never in the configuration itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueFrom {
    /// A variable of the environment.
    Env(String),
    /// A file that nobody else can read, relative to the configuration.
    File(String),
}

impl Online {
    /// Reads these sections of a file, and leaves the others alone; `name` is what errors call it.
    ///
    /// # Errors
    /// What is wrong, in the order of the lines, each with its mend.
    pub fn parse(name: &str, text: &str) -> Result<Self, Vec<FileError>> {
        let source = Source::new(name, text);
        let document = DeTable::parse(text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            source.fail(&span, error.message().replace('\n', "; "));
            source.errors.take()
        })?;
        let root = Table {
            source: &source,
            name: "",
            table: document.get_ref(),
        };
        let online = read(&root);
        let mut errors = source.errors.into_inner();
        if errors.is_empty() {
            return Ok(online);
        }
        errors.sort_by_key(|error| error.line);
        errors.truncate(20);
        Err(errors)
    }
}

/// A name in `[known.NAME]` or `[authority.NAME]`, or a part below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPart {
    /// `known` or `authority`.
    pub section: &'static str,
    /// The provider's name.
    pub name: String,
    /// The part; `None` for the name itself.
    pub part: Option<String>,
    /// Where it stands, from 1.
    pub line: u32,
}

/// The names that a file gives in `[known.NAME]` and `[authority.NAME]`, each before its parts; none of a file that cannot be read.
#[must_use]
pub fn named_parts(name: &str, text: &str) -> Vec<NamedPart> {
    let source = Source::new(name, text);
    let Ok(document) = DeTable::parse(text) else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for section in ["known", "authority"] {
        let names = document.get_ref().get(section);
        let names = names.and_then(|value| value.get_ref().as_table());
        for (name, value) in names.into_iter().flatten() {
            let mut note = |part: Option<String>, at: usize| {
                all.push(NamedPart {
                    section,
                    name: name.get_ref().to_string(),
                    part,
                    line: source.line(at),
                });
            };
            note(None, name.span().start);
            for (part, _) in value.get_ref().as_table().into_iter().flatten() {
                note(Some(part.get_ref().to_string()), part.span().start);
            }
        }
    }
    all
}

/// Which of the sections a file has, each with its line.
pub(super) fn sections(source: &Source<'_>, table: &DeTable<'_>) -> Vec<At<&'static str>> {
    let mut found: Vec<At<&'static str>> = Vec::new();
    for (key, _) in table {
        let name: &str = key.get_ref();
        if let Some(section) = SECTIONS.into_iter().find(|section| *section == name) {
            found.push(At {
                value: section,
                line: source.line(key.span().start),
            });
        }
    }
    found.sort_by_key(|at| at.line);
    found
}

fn read(root: &Table<'_>) -> Online {
    let mut online = Online::default();
    if let Some(endpoints) = root.table("endpoints", "[endpoints]") {
        online.endpoints = endpoints_of(&endpoints);
    }
    if let Some(network) = root.table("network", "[network]") {
        network.known(&["hosts", "private", "ca", "timeout", "budget"]);
        online.network = NetworkKeys {
            hosts: parsed(&network, "hosts"),
            private: parsed(&network, "private"),
            ca: network.text("ca"),
            timeout: network.number("timeout", 1..601),
            budget: network.number("budget", 1..86_401),
        };
    }
    if let Some(known) = root.table("known", "[known]") {
        for (key, _) in known.table {
            let name: &str = key.get_ref();
            if !plain(name) {
                let message = "[known.NAME] has a name of small letters, digits and `-`, such as [known.okta]";
                root.source.fail(&key.span(), message.to_owned());
            } else if let Some(table) = known.table(name, "[known.NAME]") {
                let texts = table.table.keys().filter_map(|part| {
                    let part: &str = part.get_ref();
                    Some((part.to_owned(), table.text(part)?.value))
                });
                let texts = texts.collect();
                online.known.insert(name.to_owned(), texts);
            }
        }
    }
    if let Some(authority) = root.table("authority", "[authority]") {
        for (key, _) in authority.table {
            let name: &str = key.get_ref();
            if !plain(name) {
                let message = "[authority.NAME] has a name of small letters, digits and `-`, such as [authority.github]";
                root.source.fail(&key.span(), message.to_owned());
            } else if let Some(table) = authority.table(name, "[authority.NAME]") {
                let parts = parts_of(&table);
                online.authority.insert(name.to_owned(), parts);
            }
        }
    }
    if let Some(respond) = root.table("respond", "[respond]") {
        respond.known(&["recheck", "grace"]);
        online.respond = RespondKeys {
            recheck: respond.switch("recheck"),
            grace: respond.value("grace", "a time in quotes, such as \"24h\"", |value| {
                value.as_str().map(duration)
            }),
        };
    }
    if let Some(ledger) = root.table("ledger", "[ledger]") {
        ledger.known(&["path", "key"]);
        online.ledger = LedgerKeys {
            path: ledger.text("path"),
            key: value_from(&ledger, "key"),
        };
    }
    online
}

/// A list whose texts are read by their type.
fn parsed<T: std::str::FromStr<Err = String>>(table: &Table<'_>, key: &str) -> Vec<T> {
    let texts = table.list(key, |text| text.parse::<T>().map(drop));
    let values = texts.into_iter();
    values.filter_map(|at| at.value.parse().ok()).collect()
}

fn endpoints_of(table: &Table<'_>) -> Vec<(HostPattern, WebAddress)> {
    let mut endpoints = Vec::new();
    for (key, value) in table.table {
        let name: &str = key.get_ref();
        // Without quotes the dots of a host make tables of it.
        if value.get_ref().as_table().is_some() {
            let message = "[endpoints] a host has dots, so quote it, as in \"api.github.com\" = \"https://…\"";
            table.source.fail(&key.span(), message.to_owned());
            continue;
        }
        let pattern = match name.parse::<HostPattern>() {
            Ok(pattern) => pattern,
            Err(why) => {
                let message = format!(
                    "[endpoints] {why}; quote it, as in \"api.github.com\" = \"https://…\""
                );
                table.source.fail(&key.span(), message);
                continue;
            }
        };
        let wanted = "an address in quotes, such as \"https://ghe.example.org/api/v3\"";
        let address = table.value(name, wanted, |value| value.as_str().map(endpoint));
        endpoints.extend(address.map(|address| (pattern, address.value)));
    }
    endpoints
}

fn endpoint(text: &str) -> Result<WebAddress, String> {
    let wrong = |why: &str| {
        format!(
            "is no address that requests can go to: {why}; write one such as \"https://ghe.example.org/api/v3\""
        )
    };
    let address: WebAddress = text.parse().map_err(wrong)?;
    if address.rest.contains('?') {
        return Err(wrong("it has a query"));
    }
    let bare = address.host.trim_start_matches('[').trim_end_matches(']');
    let loopback = bare.parse::<std::net::IpAddr>();
    let loopback = loopback.map_or(bare == "localhost", |ip| ip.to_canonical().is_loopback());
    if address.plain && !loopback {
        return Err(wrong("plain http is for loopback alone"));
    }
    Ok(address)
}

fn parts_of(table: &Table<'_>) -> BTreeMap<String, At<ValueFrom>> {
    let mut parts = BTreeMap::new();
    for (key, _) in table.table {
        let part: &str = key.get_ref();
        if !plain(part) {
            let message = "a part has a name of small letters, digits and `_`, such as token";
            table.source.fail(&key.span(), message.to_owned());
        } else if let Some(from) = value_from(table, part) {
            parts.insert(part.to_owned(), from);
        }
    }
    parts
}

fn plain(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    !name.is_empty() && name.len() <= 60 && name.bytes().all(inner)
}

/// `{ env = "NAME" }` or `{ file = "path" }`.
fn value_from(table: &Table<'_>, key: &str) -> Option<At<ValueFrom>> {
    let wanted = "{ env = \"NAME\" } or { file = \"path\" }";
    table.value(key, wanted, |value| {
        let inner = match value {
            DeValue::Table(inner) => inner,
            // What stands here may be the secret, so it is not shown.
            DeValue::String(_) => {
                return Some(Err(format!(
                    "is a text, and a secret has no place in this file; write {wanted}"
                )));
            }
            _ => return None,
        };
        let mut entries = inner.iter();
        let (Some((name, value)), None) = (entries.next(), entries.next()) else {
            return Some(Err(format!("does not say where it is; write {wanted}")));
        };
        let text = value.get_ref().as_str().map(str::trim);
        let text = text.filter(|text| !text.is_empty() && !text.contains('\0'));
        let name: &str = name.get_ref();
        Some(match (name, text) {
            ("env", Some(text)) if !text.contains('=') => Ok(ValueFrom::Env(text.to_owned())),
            ("file", Some(text)) => Ok(ValueFrom::File(text.to_owned())),
            _ => Err(format!("does not say where it is; write {wanted}")),
        })
    })
}

/// A time of seconds, minutes, hours or days: `90s`, `15m`, `24h`, `2d`; 30 days at the most.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || {
        "is no time; write one such as \"90s\", \"15m\", \"24h\" or \"2d\", 30 days at the most"
            .to_owned()
    };
    let text = text.trim();
    let (digits, factor) = match text.chars().last() {
        Some('s') => (text.strip_suffix('s'), 1),
        Some('m') => (text.strip_suffix('m'), 60),
        Some('h') => (text.strip_suffix('h'), 3600),
        Some('d') => (text.strip_suffix('d'), 86_400),
        _ => (None, 0),
    };
    let number = digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    let number: Option<u64> = number.and_then(|digits| digits.parse().ok());
    let seconds = number.and_then(|number| number.checked_mul(factor));
    let seconds = seconds.filter(|seconds| *seconds <= 30 * 86_400);
    seconds.map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    #[test]
    fn the_sections_are_read_and_the_others_left_alone() {
        let text = r#"
[scan]
exclude = ["x"]
[endpoints]
"api.github.com" = "https://ghe.example.org/api/v3"
"*.blob.core.windows.net" = "http://127.0.0.1:10000"
[network]
hosts = ["db.example.org", "gitlab.example.org:8443"]
private = ["10.0.0.0/8", "::1"]
ca = "ca.pem"
timeout = 5
budget = 60
[authority.github]
token = { env = "ADMIN" }
[authority.postgres]
password = { file = "pw" }
[respond]
recheck = false
grace = "24h"
[ledger]
path = "l.sqlite"
key = { file = "k" }
"#;
        let online = Online::parse("k", text).unwrap();
        assert_eq!(online.endpoints.len(), 2);
        let at = |host: &str| {
            let found = online.endpoints.iter().find(|(p, _)| p.fits(host, None));
            found.map(|(_, address)| address.authority())
        };
        assert_eq!(at("api.github.com").as_deref(), Some("ghe.example.org"));
        assert_eq!(
            at("a.blob.core.windows.net").as_deref(),
            Some("127.0.0.1:10000")
        );
        assert_eq!(
            (online.network.hosts.len(), online.network.private.len()),
            (2, 2)
        );
        assert_eq!(online.network.timeout, Some(At { value: 5, line: 11 }));
        assert_eq!(
            online.authority["github"]["token"].value,
            ValueFrom::Env("ADMIN".to_owned())
        );
        assert!(!online.respond.recheck.unwrap().value);
        assert_eq!(
            online.respond.grace.unwrap().value,
            Duration::from_secs(86_400)
        );
        assert_eq!(
            online.ledger.key.unwrap().value,
            ValueFrom::File("k".to_owned())
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_line_and_mend_and_without_secrets() {
        for (text, line, says) in [
            ("[network]\nhost = []", 2, "did you mean `hosts`?"),
            (
                "[network]\nhosts = [\"a b\"]",
                2,
                "is no host; write one such as",
            ),
            (
                "[network]\nprivate = [\"10.0.0.1/8\"]",
                2,
                "write 10.0.0.0/8",
            ),
            ("[network]\ntimeout = 0", 2, "from 1 to 600"),
            (
                "[endpoints]\n\"a.example\" = \"ghe\"",
                2,
                "does not begin with https://",
            ),
            (
                "[endpoints]\n\"a.example\" = \"http://ghe.example\"",
                2,
                "loopback alone",
            ),
            (
                "[endpoints]\n\"a.example\" = \"https://u:hunter2@ghe.example\"",
                2,
                "a user",
            ),
            (
                "[endpoints]\napi.github.com = \"https://x.example\"",
                2,
                "quote it",
            ),
            (
                "[authority.github]\ntoken = \"hunter2\"",
                2,
                "no place in this file",
            ),
            (
                "[authority.github]\ntoken = { path = \"hunter2\" }",
                2,
                "{ env = \"NAME\" }",
            ),
            (
                "[authority.GitHub]\ntoken = { env = \"X\" }",
                1,
                "small letters",
            ),
            ("[respond]\ngrace = \"1w\"", 2, "such as \"90s\""),
            ("[ledger]\nkey = \"hunter2\"", 2, "no place in this file"),
            ("network = 1", 1, "a table, [network]"),
        ] {
            let errors = Online::parse("k", text).unwrap_err();
            let error = &errors[0];
            assert_eq!((errors.len(), error.line), (1, line), "{text}: {errors:?}");
            assert!(error.message.contains(says), "{text}: {error}");
            assert!(!error.message.contains("hunter2"), "{error}");
        }
    }
}
