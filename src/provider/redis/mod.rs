//! Redis and Valkey: a real `AUTH`, and users that may no longer log in.
//! Commands: <https://redis.io/docs/latest/commands/auth/>, <https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/>.
//!
//! The protocol has nothing but a password in clear text: it goes out in TLS, to a server that has proved its name, or to this
//! machine; to nobody else. A user whom the server lets in with any password proves nothing.

mod session;

use self::session::{Refused, Session};
use super::login::{self, Refusal as _};
use super::socket::Target;
use super::template::Values;
use super::{Authority, Done, Effect, Failure, Needed, Object, Provider, Revoke, Terms};
use crate::model::{ConfirmedLeak, Credential, Doubt, Verification};
use crate::net::Net;
use crate::rule::block;

/// Name in the caller's configuration.
const NAME: &str = "redis";
/// The user of those who give no name.
const DEFAULT: &str = "default";

/// Logins to Redis, Valkey and what speaks their protocol.
pub struct Redis;

impl Provider for Redis {
    fn preview(&self, key: &Credential) -> Result<Vec<String>, Doubt> {
        let target = target(key)?;
        let address = target.address();
        let way = if is_tls(&target) {
            "TLS"
        } else {
            "plain, only if it is this machine"
        };
        Ok(vec![
            format!("{address}: connect, {way}"),
            format!("{address}: AUTH {} …", target.user),
            format!("{address}: ACL WHOAMI"),
            format!("{address}: ACL GETUSER {}", target.user),
        ])
    }

    fn verify(&self, net: &dyn Net, key: &Credential) -> Verification {
        let target = match target(key) {
            Ok(target) => target,
            Err(doubt) => return Verification::Unknown(doubt),
        };
        match Session::open(net, &target) {
            Ok(mut session) => session.identity(&target),
            Err(refused) => refused.meaning(),
        }
    }
}

/// Users that may no longer log in.
pub struct RedisRevoke<'b> {
    block: &'b block::Revoke,
}

impl<'b> RedisRevoke<'b> {
    /// As a block says.
    #[must_use]
    pub fn new(block: &'b block::Revoke) -> Self {
        Self { block }
    }
}

impl Revoke for RedisRevoke<'_> {
    fn terms(&self, key: &Credential) -> Terms {
        let target = target(key).ok();
        let user = target.as_ref().map_or(DEFAULT, |t| t.user.as_str());
        let host = target.as_ref().map(Target::address);
        let mut names = vec![("user", user)];
        names.extend(host.as_deref().map(|host| ("host", host)));
        let names = Values::naming(&names);
        let mut terms = Terms::of(self.block, NAME, &names);
        // Everybody who gives no name is this user; to switch it off may stop every application.
        if user == DEFAULT {
            return Terms {
                object: names.shown("the password of Redis' default user on {host}"),
                needed: Needed::Person,
                stages: Vec::new(),
                effect: "whoever gives the old password, or no user name, is refused until told the new one".to_owned(),
                steps: vec![
                    "at a hosting provider: set a new password in its console".to_owned(),
                    "else choose a new password and run: CONFIG SET requirepass NEW; then CONFIG REWRITE, or ACL SAVE where users are in a file of their own".to_owned(),
                    "do the same on every replica and cluster node, with masterauth for the replicas".to_owned(),
                    "hand it to the applications, then end the old connections: CLIENT KILL USER default".to_owned(),
                ],
                ..terms
            };
        }
        for stage in &mut terms.stages {
            "switch the user off and end its connections".clone_into(&mut stage.what);
        }
        terms
    }

    fn find(
        &self,
        net: &dyn Net,
        leak: &ConfirmedLeak<'_>,
        authority: &Authority,
    ) -> Result<Object, Failure> {
        let (admin, user) = admin(net, leak, authority)?;
        login::find(admin, user)
    }

    fn effect(
        &self,
        net: &dyn Net,
        leak: &ConfirmedLeak<'_>,
        authority: &Authority,
        object: &Object,
        _stage: usize,
    ) -> Effect {
        let admin = admin(net, leak, authority);
        login::effect(admin.map(|(admin, _)| admin), &object.id)
    }

    fn run(
        &self,
        net: &dyn Net,
        leak: &ConfirmedLeak<'_>,
        authority: &Authority,
        object: &Object,
        _stage: usize,
    ) -> Result<Done, Failure> {
        let (admin, _) = admin(net, leak, authority)?;
        login::run(net, admin, &object.id)
    }

    fn preview(
        &self,
        key: &Credential,
        authority: &Authority,
        _stage: usize,
    ) -> Result<String, Doubt> {
        let it = target(key)?;
        let own = login::user(authority, NAME).unwrap_or("…");
        let user = &it.user;
        Ok(format!(
            "{}: AUTH {own} …; ACL SETUSER {user} off; CLIENT KILL USER {user}",
            it.address()
        ))
    }
}

fn target(key: &Credential) -> Result<Target, Doubt> {
    let mut target = Target::of(key, |_| 6379)?;
    if target.user.is_empty() {
        DEFAULT.clone_into(&mut target.user);
    }
    match target.scheme.as_str() {
        "redis" | "rediss" | "valkey" | "valkeys" | "redis+tls" | "redis+ssl" => Ok(target),
        scheme => Err(Doubt::Refused(format!(
            "{scheme}:// names no one server of Redis: ask by redis:// or rediss://"
        ))),
    }
}

fn is_tls(target: &Target) -> bool {
    matches!(
        target.scheme.as_str(),
        "rediss" | "valkeys" | "redis+tls" | "redis+ssl"
    )
}

/// A session of the caller's own, and the name of the user that leaked.
fn admin<'n>(
    net: &'n dyn Net,
    leak: &ConfirmedLeak<'_>,
    authority: &Authority,
) -> Result<(Session<'n>, String), Failure> {
    let leaked = target(leak.credential()).map_err(|doubt| Failure::NotSent(doubt.to_string()))?;
    if leaked.user == DEFAULT {
        return Err(Failure::Refused(
            "the default user is whoever gives no name: a person sets its password anew".to_owned(),
        ));
    }
    let own = login::own(&leaked, authority, NAME)?;
    match Session::open(net, &own) {
        Ok(session) => Ok((session, leaked.user)),
        Err(refused @ Refused::Answer(_)) => Err(login::not_let_in(&own, NAME, &refused)),
        Err(refused) => Err(Failure::NotSent(refused.words())),
    }
}
