//! `[verify.*]` and `[revoke.*]` blocks of rule files: requests and what each documented answer means.
//!
//! Data alone: what runs them is in `provider/`. build.rs includes this file by path, as it does `file.rs`, so that a block that
//! could not be run, or that could take an outage for a dead key, fails the build.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// All blocks of a set of rule files, and which rule uses which.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Blocks {
    /// Rule id → what proves and ends its credentials.
    #[serde(default)]
    pub rules: BTreeMap<String, Uses>,
    /// `<provider file>.<name>` → block.
    #[serde(default)]
    pub verify: BTreeMap<String, Verify>,
    /// `<provider file>.<name>` → block.
    #[serde(default)]
    pub revoke: BTreeMap<String, Revoke>,
}

/// The blocks of a rule, by their keys in [`Blocks`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uses {
    /// Name of the rule's title, for people.
    pub name: String,
    /// Stem of the rule file, which is the provider's name in configuration: `github`.
    pub provider: String,
    /// Parts that are found beside its secrets, as `near` says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub near: Vec<String>,
    /// Key in [`Blocks::verify`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<String>,
    /// Key in [`Blocks::revoke`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoke: Option<String>,
}

/// An HTTP request with variables in braces: `{secret}`, a part of the credential (`{id}`), a variable of the block, in
/// revocations `{authority.token}` and `{found}`. A value is escaped for the place it stands in: percent-encoded in `url` and
/// `form`, as a JSON string's inside in `json`, verbatim (no control characters) in `headers` and `basic`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// `GET` unless said.
    #[serde(default = "get")]
    pub method: String,
    /// `https://…`; its host is fixed but for whole labels in front of a registered domain, or `{host}` of a self-hosted service.
    pub url: String,
    /// Further addresses of the same service (regions, sandboxes), asked in turn: active where one says so, inactive where all do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// Header fields.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Header fields for the addresses of `also`, where they are others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub also_headers: BTreeMap<String, String>,
    /// User and password of `Authorization: Basic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<[String; 2]>,
    /// Fields of an `application/x-www-form-urlencoded` body.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub form: BTreeMap<String, String>,
    /// An `application/json` body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<String>,
}

fn get() -> String {
    "GET".to_owned()
}

/// A test of an answer. Where several tests stand in one answer, all must hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// A JSON pointer (`/user/login`, `` for the whole body as JSON), `header:NAME`, or `text` for the whole body as text.
    pub at: String,
    /// The value is there (and not null), or is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub present: Option<bool>,
    /// The value as text is one of these (`true`, `3`, `invalid_auth`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub equals: Vec<String>,
    /// The value as text holds one of these, whatever the case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contains: Vec<String>,
}

/// What an answer means. The first answer whose status and tests fit counts; where none does, nothing is known.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Status codes.
    pub status: Vec<u16>,
    /// Tests of header and body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<When>,
    /// In a verification `active`, `inactive` or `unknown`; in a revocation `done`, `gone` (was dead before), `refused` (nothing
    /// was done) or `unknown`.
    pub means: String,
    /// In words, for reports: `the token was revoked`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// A body as the provider documents it, for the contract test; not compiled in.
    #[serde(default, skip_serializing)]
    pub example: String,
    /// Header fields as the provider documents them, for the contract test; not compiled in.
    #[serde(default, skip_serializing)]
    pub example_headers: BTreeMap<String, String>,
}

/// Where an active answer tells whose key it is; each as [`When::at`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whose {
    /// Account, organisation or workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The person or machine user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// A list, one value of each of a list (`/scopes/*/name`), or text with commas or blanks between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<String>,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// The provider's id of the key, safe to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Read-only, write or admin by scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub levels: Option<Levels>,
    /// The level of every key of this kind: `read-only`, `write`, `admin` or `custom`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
}

/// Scopes by what they allow; `*` in an entry stands for anything. The highest level that a scope fits counts; scopes that
/// fit none make the level `custom`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Levels {
    /// Administration of others, or everything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub admin: Vec<String>,
    /// Changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub write: Vec<String>,
    /// Reading alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty", rename = "read-only")]
    pub read_only: Vec<String>,
}

/// A variable taken from a part of the credential.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Var {
    /// `secret` or the name of a part.
    pub from: String,
    /// A regex (no Unicode) whose first group is the value.
    pub pattern: String,
    /// Whether the value may be shown: an id that stands inside the token.
    #[serde(default)]
    pub public: bool,
}

/// How a credential is proven: the cheapest call that changes nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// A provider in code (`aws`, `gcp`, `jwt`, `postgres`, `redis`, …) in place of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builtin: Option<String>,
    /// The provider's page that documents call and answers.
    pub source: String,
    /// What it was tested against: `contract`, `emulator` or `server`.
    #[serde(default = "contract")]
    pub tested: String,
    /// Whether the answers are written from memory: no page or code of the provider was found that shows them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recalled: bool,
    /// Default host of a service that people run themselves, or empty for none; `{host}` in the URL. Others count only where the
    /// caller's own configuration names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_hosted: Option<String>,
    /// Where a refusal means nothing. `default`: at the host of `self_hosted`, where none stands beside the key; another host may know
    /// it. `proven`: where the key was never active; others than the service refuse in the same words. Of each part that the request
    /// names (`account`, `host`) it is so without being said: where the caller's `[known]` alone tells it, another one may know the key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<String>,
    /// Words in lower case that name the service in an address or in front of it (`gitlab`, `/api/v4`): a host that they stand with beside
    /// a key is the key's, part `host`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<String>,
    /// The provider's own domains, which are no host of anybody's beside a key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub home: Vec<String>,
    /// Values taken out of parts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vars: BTreeMap<String, Var>,
    /// Requests a second that the provider allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_second: Option<f64>,
    /// The call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Request>,
    /// What its answers mean.
    #[serde(default, rename = "answer", skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
    /// Whose key it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whose: Option<Whose>,
}

fn contract() -> String {
    "contract".to_owned()
}

/// How the exact object is looked up that a revocation must name.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Find {
    /// The call that lists or names it.
    pub request: Request,
    /// JSON pointer to the list; without it the answer itself is the one row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
    /// JSON pointer to the address of the next page; it must be on the same host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How a list goes on that is not at its end, where that is no address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<More>,
    /// What the row must say; exactly one row must fit, else nothing is done.
    #[serde(default, rename = "row", skip_serializing_if = "Vec::is_empty")]
    pub row: Vec<Row>,
    /// JSON pointer in the row to the id: `{found}`.
    pub id: String,
}

/// How a list goes on that has several pages. One that cannot be read to its end proves nothing of what is in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct More {
    /// Where the answer says whether there is more: a JSON pointer to `true` or `false`, or to the number of pages; `header:NAME`,
    /// which is there only then.
    pub when: String,
    /// Where the mark of the next page stands: a JSON pointer or `header:NAME`; without it, pages are numbered from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What takes the mark: a parameter of the address, or `header:NAME`.
    pub to: String,
}

/// A test of a row.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// JSON pointer in the row.
    pub at: String,
    /// The value is this text, with variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<String>,
    /// The value is this text with its middle masked by dots, stars, blanks or an ellipsis; at least six characters show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked: Option<String>,
}

/// How a credential is ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    /// A provider in code in place of the request; what a plan says of it is the block's all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builtin: Option<String>,
    /// The provider's page that documents the call.
    pub source: String,
    /// What it was tested against: `contract`, `emulator` or `server`.
    #[serde(default = "contract")]
    pub tested: String,
    /// Whether the answers are written from memory: no page or code of the provider was found that shows them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recalled: bool,
    /// Whose authority the call needs: `none` (anonymous), `self` (the leaked key's own), `owner` (another credential of the caller's)
    /// or `person` (no call exists).
    pub authority: String,
    /// Parts of the owner's credential: `token`; the caller's configuration or environment has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// What dies, in words, with public variables: `the API key {id}`.
    pub object: String,
    /// What else happens: `the app is uninstalled`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub effect: String,
    /// Whether it can be undone, and the words say how.
    #[serde(default)]
    pub reversible: bool,
    /// How it is undone, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub undo: String,
    /// Whether the call may be sent again where its answer was lost.
    #[serde(default = "yes")]
    pub repeatable: bool,
    /// Seconds within which the provider refuses the key, after which it counts as not proven dead.
    #[serde(default = "minute")]
    pub deadline: u32,
    /// What a person does where no call exists, step by step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<String>,
    /// Page of the provider where a person does it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub console: String,
    /// As in [`Verify`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_hosted: Option<String>,
    /// As in [`Verify`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vars: BTreeMap<String, Var>,
    /// The look-up before the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub find: Option<Find>,
    /// How many keys one call ends, where it takes a list: `json` then holds `["{secret}"]`, in which the others stand beside the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<u32>,
    /// The call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Request>,
    /// What its answers mean.
    #[serde(default, rename = "answer", skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
}

fn yes() -> bool {
    true
}

fn minute() -> u32 {
    60
}

/// Where the keys of a `batch` stand.
pub const LISTED: &str = "\"{secret}\"";

/// The providers in code that prove credentials.
pub const VERIFIERS: [&str; 6] = ["aws", "azure-storage", "gcp", "jwt", "postgres", "redis"];
/// Those that end them.
pub const REVOKERS: [&str; 4] = ["aws", "gcp", "postgres", "redis"];

fn builtin(name: &str, known: &[&str]) -> Result<(), String> {
    if known.contains(&name) {
        Ok(())
    } else {
        Err(format!("`builtin` is one of {}", known.join(", ")))
    }
}

impl Verify {
    /// What is wrong with the block, and the mend.
    ///
    /// # Errors
    /// The first thing wrong.
    pub fn check(&self) -> Result<(), String> {
        source(&self.source)?;
        tested(&self.tested)?;
        let Some(request) = &self.request else {
            return match &self.builtin {
                Some(name) if self.answers.is_empty() => builtin(name, &VERIFIERS),
                Some(_) => Err("`builtin` and `answer` exclude each other".to_owned()),
                None => Err("give a `request` with its `answer`s, or `builtin`".to_owned()),
            };
        };
        if self.builtin.is_some() {
            return Err("`builtin` and `request` exclude each other".to_owned());
        }
        request.check(self.self_hosted.is_some())?;
        if !self.answers.iter().any(|a| a.means == "active") {
            return Err("no answer means `active`".to_owned());
        }
        let proves_an_end =
            |a: &Answer| a.means == "inactive" || (a.means == "unknown" && !a.reason.is_empty());
        if !self.answers.iter().any(proves_an_end) {
            return Err("no answer means `inactive`, and no `unknown` one says by its `reason` why none can".to_owned());
        }
        if self.beside.is_empty() != self.home.is_empty() {
            return Err("`beside` and `home` go together".to_owned());
        }
        for part in &self.elsewhere {
            if part == "default" && self.self_hosted.as_deref().is_none_or(str::is_empty) {
                return Err(
                    "`elsewhere = [\"default\"]` goes with a host in `self_hosted`".to_owned(),
                );
            }
            if !["default", "proven"].contains(&part.as_str())
                && !request.variables().any(|name| name == part)
            {
                return Err(format!(
                    "`elsewhere` names `{part}`, which the request does not use"
                ));
            }
        }
        for answer in &self.answers {
            answer.check(&["active", "inactive", "unknown"])?;
            if answer.means == "inactive" && !answer.is_evident() {
                return Err("an `inactive` answer needs a test of the body or a header that only the provider gives: a proxy or a captive portal answers with the same status".to_owned());
            }
            if answer.means == "active" && !answer.is_evident() {
                return Err("an `active` answer needs a test of the body or a header: a captive portal answers 200, too".to_owned());
            }
            if answer.means == "inactive"
                && answer
                    .status
                    .iter()
                    .any(|s| *s >= 500 || *s == 429 || (300..400).contains(s))
            {
                return Err("429, 3xx and 5xx are never `inactive`".to_owned());
            }
        }
        Ok(())
    }
}

impl Verify {
    /// Whether more than the secret decides whom it is shown to and what is asked: the same secret beside other parts is another question.
    pub fn needs_parts(&self) -> bool {
        let of_parts = |name: &str| name != "secret" && !self.vars.contains_key(name);
        self.builtin.as_deref().is_some_and(|name| name != "jwt")
            || !self.beside.is_empty()
            || self.vars.values().any(|var| var.from != "secret")
            || self
                .request
                .as_ref()
                .is_some_and(|request| request.variables().any(of_parts))
    }
}

impl Revoke {
    /// What is wrong with the block, and the mend.
    ///
    /// # Errors
    /// The first thing wrong.
    pub fn check(&self) -> Result<(), String> {
        source(&self.source)?;
        tested(&self.tested)?;
        if !["none", "self", "owner", "person"].contains(&self.authority.as_str()) {
            return Err("`authority` is none, self, owner or person".to_owned());
        }
        if (self.authority == "owner") == self.needs.is_empty() {
            return Err("`needs` goes with authority = \"owner\"".to_owned());
        }
        if self.authority == "person" {
            if self.steps.is_empty() || self.request.is_some() {
                return Err("authority = \"person\" has `steps` and no `request`".to_owned());
            }
            return Ok(());
        }
        if self.reversible && self.undo.is_empty() {
            return Err("say in `undo` how it is undone".to_owned());
        }
        let Some(request) = &self.request else {
            return match &self.builtin {
                Some(name) => builtin(name, &REVOKERS),
                None => Err("give a `request` with its `answer`s, or `builtin`".to_owned()),
            };
        };
        request.check(self.self_hosted.is_some())?;
        if request.method == "GET" {
            return Err("a revocation is no GET".to_owned());
        }
        if !self.answers.iter().any(|a| a.means == "done") {
            return Err("no answer means `done`".to_owned());
        }
        for answer in &self.answers {
            answer.check(&["done", "gone", "refused", "unknown"])?;
        }
        if let Some(batch) = self.batch {
            let list = request.json.as_deref().unwrap_or_default();
            let is_one = list.matches(LISTED).count() == 1 && request.variables().count() == 1;
            if batch < 2 || !is_one || self.authority != "none" || self.find.is_some() {
                return Err(format!(
                    "`batch` is 2 or more and goes with authority = \"none\", no `find`, and a `json` in which `[{LISTED}]` is the list of keys and the only variable"
                ));
            }
        }
        if let Some(find) = &self.find {
            find.request.check(self.self_hosted.is_some())?;
            if find.list.is_some() && find.row.is_empty() {
                return Err(
                    "a list needs a `row` test: the first of a list may be an innocent key"
                        .to_owned(),
                );
            }
            if find.more.is_some() && (find.list.is_none() || find.next.is_some()) {
                return Err("`more` goes with a `list`, and not with `next`".to_owned());
            }
            for row in &find.row {
                if row.equals.is_some() == row.masked.is_some() {
                    return Err("a `row` has either `equals` or `masked`".to_owned());
                }
            }
        }
        Ok(())
    }
}

impl Request {
    /// The names of all variables, in the order of the templates.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        let templates = std::iter::once(&self.url)
            .chain(&self.also)
            .chain(self.headers.values())
            .chain(self.also_headers.values())
            .chain(self.basic.iter().flatten())
            .chain(self.form.values())
            .chain(&self.json);
        templates.flat_map(|template| {
            let ends = template.split('{').skip(1);
            ends.filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
                .filter(|name| {
                    !name.is_empty()
                        && name
                            .bytes()
                            .all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'.')
                })
        })
    }

    fn check(&self, self_hosted: bool) -> Result<(), String> {
        if !["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"].contains(&self.method.as_str()) {
            return Err(format!("unknown method `{}`", self.method));
        }
        for url in std::iter::once(&self.url).chain(&self.also) {
            let Some(rest) = url.strip_prefix("https://") else {
                return Err(format!("`{url}` does not begin with https://"));
            };
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            if host == "{host}" {
                if self_hosted {
                    continue;
                }
                return Err("`{host}` goes with `self_hosted`".to_owned());
            }
            // Variables are whole labels in front of at least two fixed ones.
            let labels: Vec<&str> = host.split('.').collect();
            let fixed = labels
                .iter()
                .rev()
                .take_while(|l| !l.contains(['{', '}']))
                .count();
            if fixed < 2 || host.contains(['@', ':', '%']) {
                return Err(format!(
                    "the host of `{url}` must end in a fixed domain, without user or port"
                ));
            }
            for label in &labels {
                let braces = label.contains(['{', '}']);
                if braces && !(label.starts_with('{') && label.ends_with('}')) {
                    return Err(format!(
                        "`{label}`: a variable is a whole label of the host"
                    ));
                }
            }
        }
        if !self.also_headers.is_empty() && self.also.is_empty() {
            return Err("`also_headers` goes with `also`".to_owned());
        }
        let bodies = [!self.form.is_empty(), self.json.is_some()];
        if bodies.iter().filter(|b| **b).count() > 1 {
            return Err("`form` and `json` exclude each other".to_owned());
        }
        Ok(())
    }
}

impl Answer {
    fn check(&self, means: &[&str]) -> Result<(), String> {
        if self.status.is_empty() || !self.status.iter().all(|s| (100..600).contains(s)) {
            return Err("`status` lists codes from 100 to 599".to_owned());
        }
        if !means.contains(&self.means.as_str()) {
            return Err(format!("`means` is one of {}", means.join(", ")));
        }
        for test in &self.when {
            if !(test.at.is_empty()
                || test.at.starts_with('/')
                || test.at == "text"
                || test.at.starts_with("header:"))
            {
                return Err(format!(
                    "`at = \"{}\"`: write a JSON pointer, `text` or `header:NAME`",
                    test.at
                ));
            }
            if test.present.is_none() && test.equals.is_empty() && test.contains.is_empty() {
                return Err(format!(
                    "the test at `{}` tests nothing: give present, equals or contains",
                    test.at
                ));
            }
        }
        Ok(())
    }

    /// Whether a test demands something that is there.
    fn is_evident(&self) -> bool {
        self.when
            .iter()
            .any(|w| w.present != Some(false) && !w.at.eq_ignore_ascii_case("header:content-type"))
    }
}

fn source(url: &str) -> Result<(), String> {
    if url.starts_with("https://") {
        Ok(())
    } else {
        Err("`source` is the https:// address of the provider's page".to_owned())
    }
}

fn tested(word: &str) -> Result<(), String> {
    if ["contract", "emulator", "server"].contains(&word) {
        Ok(())
    } else {
        Err("`tested` is contract, emulator or server".to_owned())
    }
}
