//! Providers that a block of a rule file declares.

mod rows;
mod said;

use std::collections::BTreeMap;

use self::rows::rows;
use self::said::{doubt, fitting, identity};
use super::named::is_part;
use super::template::{Values, listed_by, printable};
use super::{
    Authority, Done, Effect, Failure, Known, Object, Provider, Registry, Revocation, Revoke, Terms,
    Together, of_calls,
};
use crate::model::{ConfirmedLeak, Credential, Doubt, Identity, Level, Parts, Verification};
use crate::net::{Error, Net, Reply, Request};
use crate::rule::block::{self, Answer};

/// The part of a key that was active.
const PROVEN: &str = "proven";

/// A `[verify.*]` block.
pub struct Declared<'b> {
    block: &'b block::Verify,
    known: &'b Known,
    /// The provider's name in configuration, where messages need it.
    name: Option<&'b str>,
}

impl<'b> Declared<'b> {
    /// Of a block, and what the caller knows.
    #[must_use]
    pub fn new(block: &'b block::Verify, known: &'b Known) -> Self {
        Self {
            block,
            known,
            name: None,
        }
    }

    /// The same with the provider's name in configuration.
    #[must_use]
    pub fn named(mut self, name: &'b str) -> Self {
        self.name = Some(name);
        self
    }

    /// Says of a part that is missing how the caller's configuration gives it.
    fn mended(&self, doubt: Doubt) -> Doubt {
        match (doubt, self.name) {
            (Doubt::Missing(part), Some(name))
                if is_part(&&*part) && !self.block.vars.contains_key(&part) =>
            {
                Doubt::missing(&part, &Registry::mend(name, &part))
            }
            (doubt, _) => doubt,
        }
    }

    fn values(
        &self,
        key: &Credential,
        is_listed: &dyn Fn(&str) -> bool,
    ) -> Result<Values<'_>, Doubt> {
        let mut values = Values::new(key, &self.block.vars, None, self.known)?;
        values.choose_host(self.block.self_hosted.as_deref(), self.known, is_listed)?;
        stays_home(self.block.self_hosted.as_deref(), Some(self.block), &values)?;
        Ok(values)
    }

    /// The parts that keys of the kind differ in: those that its call names, and what the block says besides. One that nothing beside
    /// the key tells, and the caller's `[known]` does, says where to ask, not that the key is of there.
    fn parts(&self) -> Vec<String> {
        let mut parts = self.block.elsewhere.clone();
        if let Some(request) = &self.block.request {
            let names: Vec<&str> = request.variables().collect();
            let names = of_calls(&names, &self.block.vars);
            parts.extend(names.into_iter().map(str::to_owned));
        }
        parts
    }

    /// Whether a refusal counts only where the key was active, and it was not.
    fn needs_proof(&self, key: &Credential) -> bool {
        self.block.elsewhere.iter().any(|part| part == PROVEN) && key.part(PROVEN).is_none()
    }

    /// Why a key is shown to nobody.
    pub(super) fn refusal(&self, key: &Credential, net: &dyn Net) -> Option<Doubt> {
        match self.values(key, &listed_by(net)) {
            Err(doubt @ Doubt::Refused(_)) => Some(doubt),
            _ => None,
        }
    }

    fn requests(
        &self,
        key: &Credential,
        is_listed: &dyn Fn(&str) -> bool,
    ) -> Result<(Vec<Request>, Option<String>), Doubt> {
        let Some(request) = &self.block.request else {
            return Ok((Vec::new(), None));
        };
        let mended = |doubt| self.mended(doubt);
        let values = self.values(key, is_listed).map_err(mended)?;
        let mut requests = if self.block.self_hosted.as_deref() == values.host() {
            values.requests(request).map_err(mended)?
        } else {
            // Addresses of the provider's own are none of somebody else's server.
            let mut request = request.clone();
            let is_own = request.url.contains("{host}");
            request.also.retain(|url| !is_own || url.contains("{host}"));
            values.requests(&request).map_err(mended)?
        };
        for request in &mut requests {
            // A verification never changes anything, whatever its method.
            request.is_read = true;
            request.per_second = self.block.per_second;
        }
        let told = values.told(&self.parts());
        Ok((requests, told))
    }

    /// What the provider says, and the part that was not found beside the key and without which a refusal proves nothing.
    fn ask(&self, net: &dyn Net, key: &Credential) -> (Verification, Option<String>) {
        let (requests, told) = match self.requests(key, &listed_by(net)) {
            Ok((requests, _)) if requests.is_empty() => return (Verification::Unsupported, None),
            Ok(asked) => asked,
            Err(doubt) => return (Verification::Unknown(doubt), None),
        };
        let mut said = None;
        for request in &requests {
            let verification = match net.send(request) {
                Ok(reply) => self.judge(&reply),
                Err(error) => Verification::Unknown(error.into()),
            };
            said = Some(match (said, verification) {
                (_, active @ Verification::Active(_)) => return (active, told),
                (Some(doubt @ Verification::Unknown(_)), _) => doubt,
                (_, other) => other,
            });
        }
        (said.unwrap_or(Verification::Unsupported), told)
    }

    fn judge(&self, reply: &Reply) -> Verification {
        let json = reply.json();
        let Some(answer) = fitting(&self.block.answers, reply, json.as_ref()) else {
            return Verification::Unknown(doubt(&self.block.answers, reply));
        };
        match answer.means.as_str() {
            "active" => {
                let whose = self.block.whose.as_ref();
                let mut identity = whose
                    .map(|w| identity(w, reply, json.as_ref()))
                    .unwrap_or_default();
                if identity.level.is_none() {
                    identity.level = whose.and_then(|w| w.level.as_deref()).and_then(Level::of);
                }
                Verification::Active(identity)
            }
            "inactive" => Verification::Inactive(if answer.reason.is_empty() {
                format!("refused with {}", reply.status)
            } else {
                answer.reason.clone()
            }),
            _ if reply.status == 429 => Verification::Unknown(Doubt::RateLimited),
            _ => Verification::Unknown(Doubt::Answer(if answer.reason.is_empty() {
                format!("status {}", reply.status)
            } else {
                answer.reason.clone()
            })),
        }
    }
}

impl Provider for Declared<'_> {
    fn preview(&self, key: &Credential) -> Result<Vec<String>, Doubt> {
        Ok(self
            .requests(key, &|_| true)?
            .0
            .iter()
            .map(Request::shown)
            .collect())
    }

    fn asks_with(&self, key: &Credential) -> Parts {
        let Some(request) = &self.block.request else {
            return Vec::new();
        };
        let names: Vec<&str> = request.variables().collect();
        let mut names = of_calls(&names, &self.block.vars);
        names.extend(["host", PROVEN]);
        let parts = key.parts.iter();
        parts
            .filter(|(name, _)| names.contains(&name.as_str()))
            .cloned()
            .collect()
    }

    /// What was told and not found beside the key is where it works: from now on a refusal there is one.
    fn learned(&self, key: &Credential, _identity: &Identity) -> Vec<(String, String)> {
        let values = self.values(key, &|_| true);
        let mut all = values.map_or_else(|_| Vec::new(), |v| v.told_values(&self.parts()));
        if self.needs_proof(key) {
            all.push((PROVEN.to_owned(), "yes".to_owned()));
        }
        all
    }

    fn verify(&self, net: &dyn Net, key: &Credential) -> Verification {
        match self.ask(net, key) {
            (Verification::Inactive(_), Some(part)) => {
                let of = match part.as_str() {
                    "default" => "host",
                    part => part,
                };
                Verification::Unknown(Doubt::Answer(format!(
                    "it is not known there, but may be of another {of}: none stands beside it"
                )))
            }
            (Verification::Inactive(_), None) if self.needs_proof(key) => {
                Verification::Unknown(Doubt::Answer(
                    "it is refused, but not in words that the service alone says, and it was never seen to work there".to_owned(),
                ))
            }
            (verification, _) => verification,
        }
    }
}

/// Refuses to show a key to its provider's public host where another one stands beside it: a call that has no `{host}` goes there alone.
fn stays_home(
    self_hosted: Option<&str>,
    verify: Option<&block::Verify>,
    values: &Values<'_>,
) -> Result<(), Doubt> {
    let Some(verify) = verify.filter(|v| self_hosted.is_none() && !v.beside.is_empty()) else {
        return Ok(());
    };
    match values.host() {
        Some(host) if verify.self_hosted.as_deref() != Some(host) => Err(Doubt::Refused(format!(
            "`{}` stands beside it, so it may be of a server of its own; where it is, ask with --rule and [endpoints]",
            printable(host)
        ))),
        _ => Ok(()),
    }
}

/// A `[revoke.*]` block.
pub struct DeclaredRevoke<'b> {
    block: &'b block::Revoke,
    provider: &'b str,
    /// What proves keys of the kind: it says whether the effect is there.
    verify: Option<&'b block::Verify>,
    known: &'b Known,
}

impl<'b> DeclaredRevoke<'b> {
    /// Of a block, the provider's name in configuration, the block that proves the kind, and what the caller knows.
    #[must_use]
    pub fn new(
        block: &'b block::Revoke,
        provider: &'b str,
        verify: Option<&'b block::Verify>,
        known: &'b Known,
    ) -> Self {
        Self {
            block,
            provider,
            verify,
            known,
        }
    }

    fn values<'a>(
        &self,
        key: &Credential,
        authority: Option<&'a Authority>,
        is_listed: &dyn Fn(&str) -> bool,
    ) -> Result<Values<'a>, Doubt> {
        let mut values = Values::new(key, &self.block.vars, authority, self.known)?;
        values.choose_host(self.block.self_hosted.as_deref(), self.known, is_listed)?;
        stays_home(self.block.self_hosted.as_deref(), self.verify, &values)?;
        Ok(values)
    }

    fn values_of<'a>(&self, of: &Revocation<'a>) -> Result<Values<'a>, Failure> {
        let key = of.leak.credential();
        self.values(key, Some(of.authority), &listed_by(of.net))
            .map_err(not_written)
    }

    fn request(&self, values: &Values<'_>) -> Result<Request, Doubt> {
        let block = self.block.request.as_ref();
        let block =
            block.ok_or_else(|| Doubt::Refused("no call exists: a person does it".to_owned()))?;
        let mut requests = values.requests(block)?;
        let mut request = requests.remove(0);
        request.is_read = false;
        Ok(request)
    }

    /// What a call came to by its answer.
    fn came_to(&self, reply: &Reply, net: &dyn Net) -> Result<Done, Failure> {
        let json = reply.json();
        let words = |answer: &Answer| {
            if answer.reason.is_empty() {
                reply.status.to_string()
            } else {
                format!("{} {}", reply.status, answer.reason)
            }
        };
        if let Some(answer) = fitting(&self.block.answers, reply, json.as_ref()) {
            return match answer.means.as_str() {
                "done" => Ok(Done {
                    answer: words(answer),
                    was_gone: false,
                }),
                "gone" => Ok(Done {
                    answer: words(answer),
                    was_gone: true,
                }),
                "refused" => Err(Failure::Refused(format!(
                    "the provider refused: {}",
                    words(answer)
                ))),
                _ => Err(Failure::Unknown(format!(
                    "the provider answered {}",
                    words(answer)
                ))),
            };
        }
        if let Some(until) = reply.limited(net.now()) {
            return Err(Failure::RateLimited(until));
        }
        Err(match reply.status {
            // Nobody's credential was sent.
            401 | 403 if self.block.authority != "none" => Failure::Authority(format!(
                "the provider answered {}: the credential may not do this",
                reply.status
            )),
            400..=499 => Failure::Refused(format!("the provider answered {}", reply.status)),
            status => Failure::Unknown(format!(
                "the provider answered {status}, which its documentation does not describe"
            )),
        })
    }
}

impl Revoke for DeclaredRevoke<'_> {
    fn terms(&self, key: &Credential) -> Terms {
        let values = self.values(key, None, &|_| true);
        let values = values.unwrap_or_else(|_| Values::naming(&[]));
        let mut terms = Terms::of(self.block, self.provider, &values);
        let usual = self.block.self_hosted.as_deref();
        if usual.is_some() && values.host().is_some_and(|host| Some(host) != usual) {
            // A server of one's own has not the provider's pages.
            terms.console.clear();
        }
        terms
    }

    fn find(&self, of: &Revocation<'_>) -> Result<Object, Failure> {
        let values = self.values_of(of)?;
        let title = values.shown(&self.block.object);
        let Some(find) = &self.block.find else {
            return Ok(Object {
                id: String::new(),
                title,
                facts: BTreeMap::new(),
            });
        };
        let ids = rows(of.net, find, &values)?;
        match ids.as_slice() {
            [id] => {
                let mut values = values;
                values.set("found", id);
                Ok(Object {
                    id: id.clone(),
                    title: values.shown(&self.block.object),
                    facts: BTreeMap::new(),
                })
            }
            [] => Err(Failure::Object(format!(
                "no entry of the provider's list fits {title}: it is gone already, or it belongs to an account that this credential does not see"
            ))),
            many => Err(Failure::Object(format!(
                "{} entries of the provider's list fit {title}, and only one may be ended: choose it at the provider's console",
                many.len()
            ))),
        }
    }

    fn effect(&self, of: &Revocation<'_>, _object: &Object, _stage: usize) -> Effect {
        let Some(verify) = self.verify else {
            return Effect::Unknown("the kind cannot be verified".to_owned());
        };
        // It was active there before, so that a refusal is its end.
        match Declared::new(verify, self.known)
            .ask(of.net, of.leak.credential())
            .0
        {
            Verification::Active(_) => Effect::NotThere,
            Verification::Inactive(_) => Effect::There,
            Verification::Unknown(doubt) => Effect::Unknown(doubt.to_string()),
            Verification::Unsupported => Effect::Unknown("the kind cannot be verified".to_owned()),
        }
    }

    fn run(&self, of: &Revocation<'_>, object: &Object, _stage: usize) -> Result<Done, Failure> {
        let mut values = self.values_of(of)?;
        values.set("found", &object.id);
        let request = self.request(&values).map_err(not_written)?;
        let reply = of.net.send(&request).map_err(|e| failed(&e))?;
        self.came_to(&reply, of.net)
    }

    fn together(&self) -> Option<Together> {
        let (most, request) = (self.block.batch?, self.block.request.as_ref()?);
        Some(Together {
            call: format!("{} {}", request.method, request.url),
            most: most as usize,
        })
    }

    fn run_together(&self, net: &dyn Net, leaks: &[&ConfirmedLeak<'_>]) -> Result<Done, Failure> {
        let mut all = Vec::new();
        for leak in leaks {
            // What this one is not sent with, the others can be.
            let values = self.values(leak.credential(), None, &listed_by(net));
            let values = values.map_err(|doubt| Failure::Refused(doubt.to_string()))?;
            all.push(values);
        }
        let Some((first, others)) = all.split_first() else {
            return Err(Failure::NotSent("no key is given".to_owned()));
        };
        let request = self.request(first).map_err(not_written)?;
        let request = match &self.block.request {
            Some(block) if !others.is_empty() => {
                first.listing(request, block, others).map_err(not_written)?
            }
            _ => request,
        };
        let reply = net.send(&request).map_err(|e| failed(&e))?;
        self.came_to(&reply, net)
    }

    fn preview(
        &self,
        key: &Credential,
        authority: &Authority,
        _stage: usize,
    ) -> Result<String, Doubt> {
        // Parts that are not there are shown by their names.
        let mut full = authority.clone();
        for part in &self.block.needs {
            full.parts
                .entry(part.clone())
                .or_insert_with(|| crate::model::Secret::new(b"-", ""));
        }
        let mut values = self.values(key, Some(&full), &|_| true)?;
        values.set("found", "ID");
        let mut text = String::new();
        if let Some(find) = &self.block.find {
            text = values
                .requests(&find.request)?
                .first()
                .map(Request::shown)
                .unwrap_or_default();
            text.push_str("\n\n");
        }
        text.push_str(&self.request(&values)?.shown());
        Ok(text)
    }
}

fn not_written(doubt: Doubt) -> Failure {
    match doubt {
        Doubt::Missing(name) => match name.strip_prefix("authority.") {
            Some(part) => {
                Failure::Authority(format!("the credential that may do this has no {part}"))
            }
            None => Failure::NotSent(format!("its {name} was not found beside it")),
        },
        other => Failure::NotSent(other.to_string()),
    }
}

fn failed(error: &Error) -> Failure {
    match error {
        Error::Timeout { .. } | Error::Unreachable { sent: true, .. } | Error::TooLong { .. } => {
            Failure::Unknown(error.to_string())
        }
        _ => Failure::NotSent(error.to_string()),
    }
}
