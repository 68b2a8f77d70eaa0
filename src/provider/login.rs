//! Logins to database servers and how they are ended: an administrator switches the login off, then its sessions end. What the
//! protocols differ in is [`Service`] and [`Admin`].

use std::time::Duration;

use super::socket::Target;
use super::{Authority, Done, Effect, Failure, Object, Provider, Revocation, Revoke, Terms};
use crate::model::{Credential, Doubt};
use crate::net::Net;
use crate::rule::block;

/// How often sessions are ended before it counts as failed.
const ROUNDS: u32 = 25;
/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(200);

/// What an administrator sees of a login.
pub(super) struct State {
    /// Whether it is let in.
    pub(super) is_on: bool,
    /// Its open sessions.
    pub(super) sessions: u64,
    /// Why this administrator may not end it.
    pub(super) hindrance: Option<Failure>,
}

/// Why a server gives no answer.
pub(super) trait Refusal {
    /// In words of our own: the server's might repeat what it was told.
    fn words(&self) -> String;

    /// What failed of a call; `otherwise` where it is not known that the server refused.
    fn failure(self, otherwise: fn(String) -> Failure) -> Failure;
}

/// An administrator's session.
pub(super) trait Admin {
    type Refused: Refusal;

    /// What a login is called: `role`.
    const LOGIN: &'static str;
    /// What its sessions are called.
    const SESSIONS: &'static str;
    /// The command that switches it off.
    const OFF: &'static str;

    /// `host:port`.
    fn address(&self) -> &str;

    /// The login of exactly this name; `None` where there is none.
    fn look(&mut self, name: &str) -> Result<Option<State>, Self::Refused>;

    /// Switches it off; called where it is there and on.
    fn switch_off(&mut self, name: &str) -> Result<(), Self::Refused>;

    /// Asks the server to end its sessions; they may take a while.
    fn end_sessions(&mut self, name: &str) -> Result<(), Self::Refused>;
}

/// Servers of a kind.
pub(super) trait Service: Provider {
    /// Name in the caller's configuration.
    const NAME: &'static str;

    /// The server of a leaked login.
    fn target(&self, key: &Credential) -> Result<Target, Doubt>;

    /// [`Revoke::terms`] as a block says.
    fn terms(&self, block: &block::Revoke, key: &Credential) -> Terms;

    /// A session of the caller's own, and the name of the login that leaked.
    fn admin(&self, of: &Revocation<'_>, leaked: Target) -> Result<(impl Admin, String), Failure>;

    /// What a session of `own` would say to end a login.
    fn shown(&self, target: &Target, own: &str) -> String;
}

/// Logins that are switched off.
pub(super) struct Logins<'b, S> {
    service: S,
    block: &'b block::Revoke,
}

impl<'b, S: Service> Logins<'b, S> {
    /// To servers of a kind, as a block says.
    pub(super) fn new(service: S, block: &'b block::Revoke) -> Self {
        Self { service, block }
    }

    fn admin(&self, of: &Revocation<'_>) -> Result<(impl Admin, String), Failure> {
        let leaked = self.service.target(of.leak.credential());
        let leaked = leaked.map_err(|doubt| Failure::NotSent(doubt.to_string()))?;
        self.service.admin(of, leaked)
    }
}

impl<S: Service> Revoke for Logins<'_, S> {
    fn terms(&self, key: &Credential) -> Terms {
        self.service.terms(self.block, key)
    }

    fn find(&self, of: &Revocation<'_>) -> Result<Object, Failure> {
        let (admin, name) = self.admin(of)?;
        find(admin, name)
    }

    fn effect(&self, of: &Revocation<'_>, object: &Object, _stage: usize) -> Effect {
        effect(self.admin(of).map(|(admin, _)| admin), &object.id)
    }

    fn run(&self, of: &Revocation<'_>, object: &Object, _stage: usize) -> Result<Done, Failure> {
        let (admin, _) = self.admin(of)?;
        run(of.net, admin, &object.id)
    }

    fn preview(
        &self,
        key: &Credential,
        authority: &Authority,
        _stage: usize,
    ) -> Result<String, Doubt> {
        let target = self.service.target(key)?;
        let own = user(authority, S::NAME).unwrap_or("…");
        Ok(format!(
            "{}: {}",
            target.address(),
            self.service.shown(&target, own)
        ))
    }
}

/// The leaked login's server, for the caller's own user.
///
/// # Errors
/// [`Failure::Authority`] where it is not configured, or is the login that leaked.
pub(super) fn own(leaked: &Target, authority: &Authority, of: &str) -> Result<Target, Failure> {
    let user = user(authority, of)?;
    if leaked.user == user {
        return Err(itself(user, of));
    }
    Ok(leaked.with(user, authority.part(of, "password")?))
}

/// The user's name among the caller's authority.
pub(super) fn user<'a>(authority: &'a Authority, of: &str) -> Result<&'a str, Failure> {
    authority.text(of, "user", |c| !c.is_control())
}

/// The caller's user is the one that is to be ended.
pub(super) fn itself(user: &str, of: &str) -> Failure {
    Failure::Authority(format!(
        "{user} under [authority.{of}] is the login that leaked: it would lock itself out; give another one that may switch it off"
    ))
}

/// The server refuses the caller's own login.
pub(super) fn not_let_in(own: &Target, of: &str, refused: &impl Refusal) -> Failure {
    Failure::Authority(format!(
        "{}: the login of {} under [authority.{of}] is refused: {}",
        own.address(),
        own.user,
        refused.words()
    ))
}

/// [`Revoke::find`] of a login.
fn find<A: Admin>(mut admin: A, name: String) -> Result<Object, Failure> {
    let state = admin.look(&name).map_err(|e| e.failure(Failure::NotSent))?;
    let (address, login) = (admin.address(), A::LOGIN);
    let Some(state) = state else {
        return Err(Failure::Object(format!(
            "{address}: there is no {login} {name}"
        )));
    };
    if let Some(hindrance) = state.hindrance {
        return Err(hindrance);
    }
    Ok(Object {
        title: format!("{login} {name} on {address}"),
        id: name,
        facts: [(A::SESSIONS.to_owned(), state.sessions.to_string())].into(),
    })
}

/// [`Revoke::effect`] on a login.
fn effect<A: Admin>(admin: Result<A, Failure>, name: &str) -> Effect {
    let state = admin.and_then(|mut admin| {
        let state = admin.look(name);
        state.map_err(|e| e.failure(Failure::NotSent))
    });
    match state {
        Ok(None) => Effect::There,
        Ok(Some(state)) if !state.is_on && state.sessions == 0 => Effect::There,
        Ok(Some(_)) => Effect::NotThere,
        Err(failure) => Effect::Unknown(failure.to_string()),
    }
}

/// [`Revoke::run`] on a login.
fn run<A: Admin>(net: &dyn Net, mut admin: A, name: &str) -> Result<Done, Failure> {
    let before = admin.look(name).map_err(|e| e.failure(Failure::NotSent))?;
    let Some(before) = before else {
        return Ok(Done {
            answer: format!("the {} is gone", A::LOGIN),
            was_gone: true,
        });
    };
    if let Some(hindrance) = before.hindrance {
        return Err(hindrance);
    }
    if before.is_on {
        let off = admin.switch_off(name);
        off.map_err(|e| e.failure(Failure::Unknown))?;
    }
    // From here on the login is off, whatever else fails.
    let half = |why: &str| {
        Failure::Unknown(format!(
            "the {} {name} is off, but its {} may be open: {why}",
            A::LOGIN,
            A::SESSIONS
        ))
    };
    for _ in 0..ROUNDS {
        let asked = admin.end_sessions(name);
        asked.map_err(|e| half(&e.words()))?;
        match admin.look(name).map_err(|e| half(&e.words()))? {
            Some(now) if now.is_on => {
                return Err(Failure::Unknown(format!(
                    "{name} may log in again: somebody switched it on meanwhile"
                )));
            }
            Some(now) if now.sessions > 0 => {
                if !net.pause(PAUSE) {
                    return Err(half("interrupted"));
                }
            }
            _ => {
                return Ok(Done {
                    answer: format!("{}; {} {} ended", A::OFF, before.sessions, A::SESSIONS),
                    was_gone: !before.is_on && before.sessions == 0,
                });
            }
        }
    }
    Err(half("they do not end"))
}
