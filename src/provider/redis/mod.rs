//! Redis and Valkey: a real `AUTH`, and users that may no longer log in.
//! Commands: <https://redis.io/docs/latest/commands/auth/>, <https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/>.
//!
//! The protocol has nothing but a password in clear text: it goes out in TLS, to a server that has proved its name, or to this
//! machine; to nobody else. A user whom the server lets in with any password proves nothing.

mod session;

use self::session::{Refused, Session};
use super::login::{self, Admin, Refusal as _, Service};
use super::socket::Target;
use super::template::Values;
use super::{Failure, Needed, Provider, Revocation, Terms};
use crate::model::{Credential, Doubt, Verification};
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
        let target = self.target(key)?;
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
        let target = match self.target(key) {
            Ok(target) => target,
            Err(doubt) => return Verification::Unknown(doubt),
        };
        match Session::open(net, &target) {
            Ok(mut session) => session.identity(&target),
            Err(refused) => refused.meaning(),
        }
    }
}

/// Users may no longer log in.
impl Service for Redis {
    const NAME: &'static str = NAME;

    fn target(&self, key: &Credential) -> Result<Target, Doubt> {
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

    fn terms(&self, block: &block::Revoke, key: &Credential) -> Terms {
        let target = self.target(key).ok();
        let user = target.as_ref().map_or(DEFAULT, |t| t.user.as_str());
        let host = target.as_ref().map(Target::address);
        let mut names = vec![("user", user)];
        names.extend(host.as_deref().map(|host| ("host", host)));
        let names = Values::naming(&names);
        let mut terms = Terms::of(block, NAME, &names);
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

    fn admin(&self, of: &Revocation<'_>, leaked: Target) -> Result<(impl Admin, String), Failure> {
        if leaked.user == DEFAULT {
            return Err(Failure::Refused(
                "the default user is whoever gives no name: a person sets its password anew"
                    .to_owned(),
            ));
        }
        let own = login::own(&leaked, of.authority, NAME)?;
        match Session::open(of.net, &own) {
            Ok(session) => Ok((session, leaked.user)),
            Err(refused @ Refused::Answer(_)) => Err(login::not_let_in(&own, NAME, &refused)),
            Err(refused) => Err(Failure::NotSent(refused.words())),
        }
    }

    fn shown(&self, target: &Target, own: &str) -> String {
        let user = &target.user;
        format!("AUTH {own} …; ACL SETUSER {user} off; CLIENT KILL USER {user}")
    }
}

fn is_tls(target: &Target) -> bool {
    matches!(
        target.scheme.as_str(),
        "rediss" | "valkeys" | "redis+tls" | "redis+ssl"
    )
}
