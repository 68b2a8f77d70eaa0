//! PostgreSQL: a real login, and roles that may no longer log in.
//! Messages: <https://www.postgresql.org/docs/current/protocol-flow.html>, error codes:
//! <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
//!
//! A password goes out in clear text or as MD5 only in TLS, to a server that has proved its name; without TLS only SCRAM-SHA-256 is
//! done, which does not reveal it. A server that lets everybody in proves nothing.

mod session;

use postgres_protocol::escape::{escape_identifier, escape_literal};

use self::session::{Refused, Session, WHO};
use super::login::{self, Admin, Refusal as _, Service};
use super::socket::Target;
use super::template::Values;
use super::{Failure, Provider, Revocation, Terms};
use crate::model::{Credential, Doubt, Verification};
use crate::net::Net;
use crate::rule::block;

/// Name in the caller's configuration.
const NAME: &str = "postgres";

/// Logins to PostgreSQL and what speaks its protocol.
pub struct Postgres;

impl Provider for Postgres {
    fn preview(&self, key: &Credential) -> Result<Vec<String>, Doubt> {
        let target = self.target(key)?;
        let address = target.address();
        Ok(vec![
            format!("{address}: SSLRequest, then TLS; without TLS SCRAM-SHA-256 alone"),
            format!(
                "{address}: log in as {} to database {} with password …",
                target.user,
                target.database.as_deref().unwrap_or(&target.user)
            ),
            format!("{address}: {WHO}"),
        ])
    }

    fn verify(&self, net: &dyn Net, key: &Credential) -> Verification {
        let target = match self.target(key) {
            Ok(target) => target,
            Err(doubt) => return Verification::Unknown(doubt),
        };
        match Session::open(net, &target, target.database.as_deref()) {
            Ok(mut session) => Verification::Active(session.identity(&target)),
            Err(refused) => refused.meaning(&target),
        }
    }
}

/// Roles may no longer log in.
impl Service for Postgres {
    const NAME: &'static str = NAME;

    fn target(&self, key: &Credential) -> Result<Target, Doubt> {
        let target = Target::of(key, |scheme| match scheme.split('+').next() {
            Some("redshift") => 5439,
            Some("cockroachdb") => 26257,
            _ => 5432,
        })?;
        if target.user.is_empty() {
            return Err(Doubt::Missing("user".to_owned()));
        }
        // The protocol ends texts by a zero byte.
        if target.password.contains(&0) {
            return Err(Doubt::Refused("the password holds a zero byte".to_owned()));
        }
        Ok(target)
    }

    fn terms(&self, block: &block::Revoke, key: &Credential) -> Terms {
        let names = match self.target(key) {
            Ok(it) => Values::naming(&[
                ("user", &it.user),
                ("role", &escape_identifier(&it.user)),
                ("literal", &escape_literal(&it.user)),
                ("host", &it.address()),
            ]),
            Err(_) => Values::naming(&[]),
        };
        let mut terms = Terms::of(block, NAME, &names);
        for stage in &mut terms.stages {
            "switch the role's login off and end its sessions".clone_into(&mut stage.what);
        }
        terms
    }

    fn admin(&self, of: &Revocation<'_>, leaked: Target) -> Result<(impl Admin, String), Failure> {
        // Behind a pooler the name in the URL is not the role's; the server says which it is.
        let owner = of.leak.identity().and_then(|i| i.owner.clone());
        let role = owner.unwrap_or_else(|| leaked.user.clone());
        let own = login::own(&leaked, of.authority, NAME)?;
        if role == own.user {
            return Err(login::itself(&own.user, NAME));
        }
        let mut last = None;
        for database in own.database.iter().map(String::as_str).chain(["postgres"]) {
            match Session::open(of.net, &own, Some(database)) {
                Ok(session) => return Ok((session, role)),
                // Roles are the same in every database of a server.
                Err(refused @ Refused::Sql { accepted: true, .. }) if refused.is_database() => {
                    last = Some(refused);
                }
                Err(refused) => {
                    last = Some(refused);
                    break;
                }
            }
        }
        Err(last.map_or_else(
            || Failure::NotSent("no database to log in to".to_owned()),
            |refused| match refused {
                Refused::Sql { .. } => login::not_let_in(&own, NAME, &refused),
                other => Failure::NotSent(other.words()),
            },
        ))
    }

    fn shown(&self, target: &Target, own: &str) -> String {
        format!(
            "log in as {own} with password …; ALTER ROLE {} NOLOGIN; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = {}",
            escape_identifier(&target.user),
            escape_literal(&target.user),
        )
    }
}
