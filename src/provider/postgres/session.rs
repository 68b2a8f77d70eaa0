//! PostgreSQL's protocol: logging in, statements and their rows, refusals.

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::escape::{escape_identifier, escape_literal};
use postgres_protocol::message::backend::{DataRowBody, ErrorResponseBody, Message};
use postgres_protocol::message::frontend;
use zeroize::{Zeroize, Zeroizing};

use super::super::Failure;
use super::super::login::{self, Admin, Refusal, State};
use super::super::socket::{Line, Target};
use super::NAME;
use crate::model::{Doubt, Identity, Level, Verification};
use crate::net::{Error, Net};

/// The longest message that is read, in bytes.
const MESSAGE: usize = 64 << 10;
/// What `pg_stat_activity` calls the sessions that a login opens.
const SESSIONS: &str = "backend_type IN ('client backend', 'walsender')";

/// Why there is no session, or no answer in it.
#[derive(Debug)]
pub(super) enum Refused {
    /// No conversation.
    Net(Error),
    /// An error of the server.
    Sql {
        code: String,
        /// The server's function, which no language changes.
        routine: String,
        /// Whether the server has had what proves the password.
        sent: bool,
        /// Whether it has taken it.
        accepted: bool,
    },
    /// What we do not go along with, or what proves nothing.
    Declined(&'static str),
    /// No message of the protocol, or none that fits here.
    Strange(&'static str),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Net(error)
    }
}

impl Refused {
    /// The password was taken, but the database is not there or not open to this role.
    pub(super) fn is_database(&self) -> bool {
        matches!(self, Self::Sql { code, accepted: true, .. } if matches!(code.as_str(), "3D000" | "42501" | "55000"))
    }

    /// What it says of the password.
    pub(super) fn meaning(self, target: &Target) -> Verification {
        if self.is_database() {
            return Verification::Active(Identity {
                account: Some(target.address()),
                owner: Some(target.user.clone()),
                ..Identity::default()
            });
        }
        let words = self.words();
        match self {
            Self::Sql {
                code,
                sent: true,
                accepted: false,
                ..
            } if code == "28P01" => {
                Verification::Inactive("the server refuses the password (28P01)".to_owned())
            }
            // After the password was found right.
            Self::Sql {
                code,
                routine,
                accepted: true,
                ..
            } if code == "28000" && routine == "InitializeSessionUserId" => {
                Verification::Inactive("the role may not log in (28000)".to_owned())
            }
            Self::Net(error) => Verification::Unknown(error.into()),
            Self::Declined(why) => Verification::Unknown(Doubt::Refused(why.to_owned())),
            Self::Sql { .. } | Self::Strange(_) => Verification::Unknown(Doubt::Answer(words)),
        }
    }
}

impl Refusal for Refused {
    fn failure(self, otherwise: fn(String) -> Failure) -> Failure {
        let words = self.words();
        match self {
            Self::Sql { code, .. } if code == "42501" => Failure::Authority(words),
            Self::Sql { .. } => Failure::Refused(words),
            _ => otherwise(words),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Net(error) => error.to_string(),
            Self::Declined(why) | Self::Strange(why) => (*why).to_owned(),
            Self::Sql { code, sent, .. } => {
                let why = match code.as_str() {
                    "28P01" if *sent => "wrong password",
                    "28000" => "no login of this role from here is allowed",
                    "3D000" => "no such database",
                    "42501" => "not permitted",
                    "53300" => "too many connections",
                    "57P03" => "the server is starting or stopping",
                    "57P01" => "the session was ended",
                    "25006" => "a read-only replica: name the primary",
                    "08P01" => "not the protocol that it expects",
                    _ => "refused",
                };
                let known = code.len() == 5
                    && code
                        .bytes()
                        .all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
                if known {
                    format!("{why} (SQLSTATE {code})")
                } else {
                    why.to_owned()
                }
            }
        }
    }
}

/// Whose login it is, with what `pg_roles` says of its rights.
pub(super) const WHO: &str = "SELECT rolname, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolvaliduntil FROM pg_catalog.pg_roles WHERE rolname = session_user";

/// Somebody logged in.
pub(super) struct Session<'n> {
    line: Line<'n>,
    address: String,
    user: String,
}

impl<'n> Session<'n> {
    /// Logs in, and does not believe a server that did not ask for the password.
    pub(super) fn open(
        net: &'n dyn Net,
        target: &Target,
        database: Option<&str>,
    ) -> Result<Self, Refused> {
        let mut line = target.dial(net)?;
        let mut out = BytesMut::new();
        frontend::ssl_request(&mut out);
        line.write(&out)?;
        let mut answer = [0];
        line.fill(&mut answer)?;
        match answer {
            [b'S'] => line = line.encrypted(net)?,
            [b'N'] => {}
            [b'E'] => {
                return Err(Refused::Strange(
                    "the server answered with an error before the login",
                ));
            }
            _ => {
                return Err(Refused::Strange(
                    "the server does not speak PostgreSQL's protocol",
                ));
            }
        }
        out.clear();
        let parameters = [
            ("user", target.user.as_str()),
            ("database", database.unwrap_or(&target.user)),
            ("application_name", "keysweep"),
            ("client_encoding", "UTF8"),
        ];
        frontend::startup_message(parameters, &mut out)
            .map_err(|_| Refused::Declined("a name with a zero byte"))?;
        line.write(&out)?;
        let mut session = Self {
            line,
            address: target.address(),
            user: target.user.clone(),
        };
        session.log_in(target)?;
        Ok(session)
    }

    fn log_in(&mut self, target: &Target) -> Result<(), Refused> {
        let mut login = Login::Nothing;
        loop {
            match self.message()? {
                Message::AuthenticationCleartextPassword if matches!(login, Login::Nothing) => {
                    if !self.line.is_encrypted() {
                        return Err(Refused::Declined(
                            "the server wants the password in clear text and offers no TLS",
                        ));
                    }
                    self.send_password(&target.password)?;
                    login = Login::Sent;
                }
                Message::AuthenticationMd5Password(body) if matches!(login, Login::Nothing) => {
                    if !self.line.is_encrypted() {
                        return Err(Refused::Declined(
                            "the server wants the password as MD5 and offers no TLS",
                        ));
                    }
                    let user = target.user.as_bytes();
                    let hash = Zeroizing::new(md5_hash(user, &target.password, body.salt()));
                    self.send_password(hash.as_bytes())?;
                    login = Login::Sent;
                }
                Message::AuthenticationSasl(body) if matches!(login, Login::Nothing) => {
                    let known = body.mechanisms().any(|m| Ok(m == SCRAM_SHA_256));
                    if !known.unwrap_or(false) {
                        return Err(Refused::Declined("the server offers no SCRAM-SHA-256"));
                    }
                    let scram = ScramSha256::new(&target.password, ChannelBinding::unsupported());
                    let mut out = BytesMut::new();
                    frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), &mut out)
                        .map_err(|_| STRANGE)?;
                    self.line.write(&out)?;
                    login = Login::Begun(scram);
                }
                Message::AuthenticationSaslContinue(body) => {
                    let Login::Begun(mut scram) = login else {
                        return Err(STRANGE);
                    };
                    scram
                        .update(body.data())
                        .map_err(|_| Refused::Strange("no SCRAM answer that fits"))?;
                    let mut out = BytesMut::new();
                    frontend::sasl_response(scram.message(), &mut out).map_err(|_| STRANGE)?;
                    self.line.write(&out)?;
                    login = Login::Proved(scram);
                }
                Message::AuthenticationSaslFinal(body) => {
                    let Login::Proved(mut scram) = login else {
                        return Err(STRANGE);
                    };
                    scram.finish(body.data()).map_err(|_| {
                        Refused::Strange("the server does not know the password itself: it may be another one than it says")
                    })?;
                    login = Login::Sent;
                }
                Message::AuthenticationOk => match login {
                    Login::Sent => login = Login::Accepted,
                    Login::Nothing => {
                        return Err(Refused::Strange(
                            "the server asked for no password: it lets everybody in from here",
                        ));
                    }
                    _ => return Err(STRANGE),
                },
                Message::ParameterStatus(_)
                | Message::BackendKeyData(_)
                | Message::NoticeResponse(_) => {}
                Message::ReadyForQuery(_) if matches!(login, Login::Accepted) => return Ok(()),
                Message::ErrorResponse(body) => {
                    let sent = matches!(login, Login::Sent | Login::Proved(_) | Login::Accepted);
                    return Err(refusal(&body, sent, matches!(login, Login::Accepted)));
                }
                Message::AuthenticationGss
                | Message::AuthenticationSspi
                | Message::AuthenticationKerberosV5
                | Message::AuthenticationScmCredential => {
                    return Err(Refused::Strange(
                        "the server wants another proof than a password",
                    ));
                }
                // A second question is among it.
                _ => return Err(STRANGE),
            }
        }
    }

    fn send_password(&mut self, password: &[u8]) -> Result<(), Refused> {
        let mut out = BytesMut::with_capacity(password.len() + 8);
        let written = frontend::password_message(password, &mut out);
        let sent = match written {
            Ok(()) => self.line.write(&out).map_err(Refused::Net),
            Err(_) => Err(Refused::Declined("the password holds a zero byte")),
        };
        out.as_mut().zeroize();
        sent
    }

    /// The next message.
    fn message(&mut self) -> Result<Message, Refused> {
        let mut head = [0; 5];
        self.line.fill(&mut head)?;
        let [_, length @ ..] = head;
        // The length counts itself.
        let body = (u32::from_be_bytes(length) as usize)
            .checked_sub(4)
            .ok_or(STRANGE)?;
        if body > MESSAGE {
            return Err(self.line.too_long(MESSAGE as u64).into());
        }
        let mut whole = BytesMut::zeroed(head.len() + body);
        let (start, rest) = whole.split_at_mut(head.len());
        start.copy_from_slice(&head);
        self.line.fill(rest)?;
        match Message::parse(&mut whole) {
            Ok(Some(message)) => Ok(message),
            _ => Err(STRANGE),
        }
    }

    /// The rows of one statement.
    fn ask(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>, Refused> {
        let mut out = BytesMut::new();
        frontend::query(sql, &mut out).map_err(|_| Refused::Declined("a name with a zero byte"))?;
        self.line.write(&out)?;
        let mut rows = Vec::new();
        let mut refused = None;
        loop {
            match self.message() {
                Ok(Message::DataRow(body)) => rows.push(columns(&body).ok_or(STRANGE)?),
                Ok(Message::ErrorResponse(body)) => refused = Some(refusal(&body, true, true)),
                Ok(Message::ReadyForQuery(_)) => return refused.map_or(Ok(rows), Err),
                Ok(
                    Message::RowDescription(_)
                    | Message::CommandComplete(_)
                    | Message::EmptyQueryResponse
                    | Message::NoticeResponse(_)
                    | Message::NotificationResponse(_)
                    | Message::ParameterStatus(_),
                ) => {}
                Ok(_) => return Err(STRANGE),
                // A session that ends says why before it does.
                Err(error) => return Err(refused.unwrap_or(error)),
            }
        }
    }

    /// Whose login it is; where the server has no such catalog, the name that was let in.
    pub(super) fn identity(&mut self, target: &Target) -> Identity {
        let mut identity = Identity {
            account: Some(target.address()),
            owner: Some(target.user.clone()),
            ..Identity::default()
        };
        let row = self.ask(WHO).ok().and_then(|mut rows| rows.pop());
        if let Some([Some(name), rights @ .., until]) = row.as_deref() {
            let has = |at: usize| rights.get(at).is_some_and(|r| r.as_deref() == Some("t"));
            identity.owner = Some(name.clone());
            identity.level = Some(if has(0) || has(1) {
                Level::Admin
            } else {
                Level::Custom
            });
            identity.scopes = [
                "SUPERUSER",
                "CREATEROLE",
                "CREATEDB",
                "REPLICATION",
                "BYPASSRLS",
            ]
            .into_iter()
            .enumerate()
            .filter(|(at, _)| has(*at))
            .map(|(_, word)| word.to_owned())
            .collect();
            identity.expires = until.clone().filter(|u| u != "infinity");
        }
        identity
    }
}

impl Admin for Session<'_> {
    type Refused = Refused;

    const LOGIN: &'static str = "role";
    const SESSIONS: &'static str = "sessions";
    const OFF: &'static str = "ALTER ROLE";

    fn address(&self) -> &str {
        &self.address
    }

    fn look(&mut self, name: &str) -> Result<Option<State>, Refused> {
        let name = escape_literal(name);
        let rows = self.ask(&format!(
            "SELECT r.rolcanlogin, \
             (SELECT m.rolsuper FROM pg_catalog.pg_roles m WHERE m.rolname = current_user) \
             OR (NOT r.rolsuper AND (pg_catalog.pg_has_role(r.oid, 'MEMBER') OR pg_catalog.pg_has_role('pg_signal_backend', 'MEMBER'))), \
             (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity a WHERE a.usesysid = r.oid AND a.{SESSIONS} AND a.pid <> pg_catalog.pg_backend_pid()), \
             r.rolname = session_user \
             FROM pg_catalog.pg_roles r WHERE r.rolname = {name}"
        ))?;
        match rows.as_slice() {
            [] => Ok(None),
            [row] => match row.as_slice() {
                [Some(may_login), Some(may_end), Some(sessions), Some(is_own)] => {
                    let hindrance = if is_own == "t" {
                        Some(login::itself(&self.user, NAME))
                    } else if may_end == "t" {
                        None
                    } else {
                        Some(Failure::Authority(format!(
                            "{}: {} may not end its sessions: give a superuser under [authority.{NAME}], or grant pg_signal_backend",
                            self.address, self.user
                        )))
                    };
                    Ok(Some(State {
                        is_on: may_login == "t",
                        sessions: sessions.parse().map_err(|_| STRANGE)?,
                        hindrance,
                    }))
                }
                _ => Err(STRANGE),
            },
            _ => Err(STRANGE),
        }
    }

    fn switch_off(&mut self, name: &str) -> Result<(), Refused> {
        self.ask(&format!("ALTER ROLE {} NOLOGIN", escape_identifier(name)))?;
        Ok(())
    }

    fn end_sessions(&mut self, name: &str) -> Result<(), Refused> {
        self.ask(&format!(
            "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE usename = {} AND {SESSIONS} AND pid <> pg_catalog.pg_backend_pid()",
            escape_literal(name)
        ))?;
        Ok(())
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        let mut out = BytesMut::new();
        frontend::terminate(&mut out);
        // Whoever is gone need not be told.
        let _ = self.line.write(&out);
    }
}

/// How far a login is.
enum Login {
    Nothing,
    /// SCRAM has begun: nothing that helps to know the password is out.
    Begun(ScramSha256),
    /// The proof is sent, the server's own is to come.
    Proved(ScramSha256),
    /// The password, or both proofs, were exchanged.
    Sent,
    Accepted,
}

const STRANGE: Refused = Refused::Strange("no message of PostgreSQL's protocol that fits here");

fn refusal(body: &ErrorResponseBody, sent: bool, accepted: bool) -> Refused {
    let (mut code, mut routine) = (String::new(), String::new());
    let mut fields = body.fields();
    while let Ok(Some(field)) = fields.next() {
        let value = String::from_utf8_lossy(field.value_bytes());
        match field.type_() {
            b'C' => code = value.into_owned(),
            b'R' => routine = value.into_owned(),
            _ => {}
        }
    }
    Refused::Sql {
        code,
        routine,
        sent,
        accepted,
    }
}

/// The columns of a row as text.
fn columns(row: &DataRowBody) -> Option<Vec<Option<String>>> {
    let mut ranges = row.ranges();
    let mut out = Vec::new();
    while let Some(range) = ranges.next().ok()? {
        out.push(match range {
            Some(range) => Some(String::from_utf8_lossy(row.buffer().get(range)?).into_owned()),
            None => None,
        });
    }
    Some(out)
}
