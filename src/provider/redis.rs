//! Redis and Valkey: a real `AUTH`, and users that may no longer log in.
//! Commands: <https://redis.io/docs/latest/commands/auth/>, <https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/>.
//!
//! The protocol has nothing but a password in clear text: it goes out in TLS, to a server that has proved its name, or to this
//! machine; to nobody else. A user whom the server lets in with any password proves nothing.

use std::time::Duration;

use zeroize::{Zeroize, Zeroizing};

use super::socket::{Line, Target, authority_user};
use super::{
    Authority, Done, Effect, Failure, Needed, Object, Provider, Revoke, StageTerms, Terms, socket,
};
use crate::model::{ConfirmedLeak, Credential, Doubt, Identity, Level, Verification};
use crate::net::{Error, Net};

/// Name in the caller's configuration.
const NAME: &str = "redis";
/// The user of those who give no name.
const DEFAULT: &str = "default";
/// The longest line of an answer, in bytes.
const LINE: usize = 4 << 10;
/// The longest text of an answer, in bytes: a list of some thousand clients.
const TEXT: usize = 4 << 20;
/// The most elements of an answer, and how deep they nest.
const ELEMENTS: usize = 4096;
const DEPTH: usize = 6;
/// How often connections are ended before it counts as failed, a fifth of a second apart.
const ROUNDS: u32 = 25;

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

impl Revoke for Redis {
    fn terms(&self, key: &Credential) -> Terms {
        let target = target(key).ok();
        let user = target.as_ref().map_or(DEFAULT, |t| t.user.as_str());
        let place = target.as_ref().map(|t| format!(" on {}", t.address()));
        let place = place.unwrap_or_default();
        let source = "https://redis.io/docs/latest/commands/acl-setuser/".to_owned();
        let deadline = Duration::from_secs(30);
        // Everybody who gives no name is this user; to switch it off may stop every application.
        if user == DEFAULT {
            return Terms {
                object: format!("the password of Redis' default user{place}"),
                needed: Needed::Person,
                stages: Vec::new(),
                effect: "whoever gives the old password, or no user name, is refused until told the new one".to_owned(),
                deadline,
                steps: vec![
                    "at a hosting provider: set a new password in its console".to_owned(),
                    "else choose a new password and run: CONFIG SET requirepass NEW; then CONFIG REWRITE, or ACL SAVE where users are in a file of their own".to_owned(),
                    "do the same on every replica and cluster node, with masterauth for the replicas".to_owned(),
                    "hand it to the applications, then end the old connections: CLIENT KILL USER default".to_owned(),
                ],
                console: String::new(),
                source,
            };
        }
        Terms {
            object: format!("the Redis user {user}{place}"),
            needed: Needed::Owner {
                name: NAME.to_owned(),
                parts: vec!["user".to_owned(), "password".to_owned()],
            },
            stages: vec![StageTerms {
                what: "switch the user off and end its connections".to_owned(),
                reversible: true,
                undo: format!("ACL SETUSER {user} on, once it has a new password"),
                repeatable: true,
                after: Duration::ZERO,
                kills: true,
            }],
            effect: "nobody can log in as this user, and its connections end; on this node alone, and until it restarts: run ACL SAVE (or CONFIG REWRITE), and switch it off on replicas and cluster nodes, too".to_owned(),
            deadline,
            steps: vec![
                format!("as a user with the right to: ACL SETUSER {user} off, then CLIENT KILL USER {user}"),
                "keep it over a restart: ACL SAVE where users are in a file of their own, else CONFIG REWRITE".to_owned(),
                "do the same on every replica and cluster node".to_owned(),
            ],
            console: String::new(),
            source,
        }
    }

    fn find(
        &self,
        net: &dyn Net,
        leak: &ConfirmedLeak<'_>,
        authority: &Authority,
    ) -> Result<Object, Failure> {
        let (mut admin, user) = admin(net, leak, authority)?;
        let address = admin.address.clone();
        let state = admin
            .state(&user)
            .map_err(|e| e.failure(Failure::NotSent))?;
        let Some(state) = state else {
            return Err(Failure::Object(format!(
                "{address}: there is no user {user}"
            )));
        };
        Ok(Object {
            title: format!("user {user} on {address}"),
            id: user,
            facts: std::iter::once(("connections".to_owned(), state.connections.to_string()))
                .collect(),
        })
    }

    fn effect(
        &self,
        net: &dyn Net,
        leak: &ConfirmedLeak<'_>,
        authority: &Authority,
        object: &Object,
        _stage: usize,
    ) -> Effect {
        let state = admin(net, leak, authority).and_then(|(mut admin, _)| {
            admin
                .state(&object.id)
                .map_err(|e| e.failure(Failure::NotSent))
        });
        match state {
            Ok(None) => Effect::There,
            Ok(Some(state)) if !state.is_on && state.connections == 0 => Effect::There,
            Ok(Some(_)) => Effect::NotThere,
            Err(failure) => Effect::Unknown(failure.to_string()),
        }
    }

    fn run(
        &self,
        net: &dyn Net,
        leak: &ConfirmedLeak<'_>,
        authority: &Authority,
        object: &Object,
        _stage: usize,
    ) -> Result<Done, Failure> {
        let user = &object.id;
        let (mut admin, _) = admin(net, leak, authority)?;
        // SETUSER makes a user that is not there.
        let before = admin.state(user).map_err(|e| e.failure(Failure::NotSent))?;
        let Some(before) = before else {
            return Ok(Done {
                answer: "the user is gone".to_owned(),
                was_gone: true,
            });
        };
        if before.is_on {
            admin
                .ask(&[b"ACL", b"SETUSER", user.as_bytes(), b"off"])
                .map_err(|e| e.failure(Failure::Unknown))?;
        }
        // From here on the user is off, whatever else fails.
        let half = |why: &str| {
            Failure::Unknown(format!(
                "the user {user} is off, but its connections may be open: {why}"
            ))
        };
        for _ in 0..ROUNDS {
            admin
                .ask(&[b"CLIENT", b"KILL", b"USER", user.as_bytes()])
                .map_err(|e| half(&e.words()))?;
            match admin.state(user).map_err(|e| half(&e.words()))? {
                Some(now) if now.is_on => {
                    return Err(Failure::Unknown(format!(
                        "{user} is on again: somebody switched it on meanwhile"
                    )));
                }
                Some(now) if now.connections > 0 => {
                    if !net.pause(Duration::from_millis(200)) {
                        return Err(half("interrupted"));
                    }
                }
                _ => {
                    return Ok(Done {
                        answer: format!(
                            "ACL SETUSER off; {} connections ended",
                            before.connections
                        ),
                        was_gone: !before.is_on && before.connections == 0,
                    });
                }
            }
        }
        Err(half("they do not end"))
    }

    fn preview(
        &self,
        key: &Credential,
        authority: &Authority,
        _stage: usize,
    ) -> Result<String, Doubt> {
        let it = target(key)?;
        let own = authority_user(authority, NAME).unwrap_or_else(|_| "…".to_owned());
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
    let user = authority_user(authority, NAME)?;
    let own = leaked.with(&user, socket::authority(authority, NAME, "password")?);
    if leaked.user == DEFAULT {
        return Err(Failure::Refused(
            "the default user is whoever gives no name: a person sets its password anew".to_owned(),
        ));
    }
    if leaked.user == user {
        return Err(Failure::Authority(format!(
            "{user} under [authority.{NAME}] is the user that leaked: it would lock itself out; give another one that may run ACL and CLIENT"
        )));
    }
    match Session::open(net, &own) {
        Ok(session) => Ok((session, leaked.user)),
        Err(refused @ Refused::Answer(_)) => Err(Failure::Authority(format!(
            "{}: the login of {user} under [authority.{NAME}] is refused: {}",
            own.address(),
            refused.words()
        ))),
        Err(refused) => Err(Failure::NotSent(refused.words())),
    }
}

/// What the server says of a user.
struct State {
    is_on: bool,
    connections: usize,
}

/// Why there is no session, or no answer in it.
#[derive(Debug)]
enum Refused {
    /// No conversation.
    Net(Error),
    /// An error of the server.
    Answer(Word),
    /// What we do not go along with.
    Declined(String),
    /// No answer of the protocol, or none that fits here.
    Strange,
}

/// What an error of the server begins with; the rest might repeat what it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    WrongPass,
    NoPassword,
    OldWrongPassword,
    NoAuth,
    NoPerm,
    Loading,
    Busy,
    Denied,
    MasterDown,
    MaxClients,
    Other,
}

impl Word {
    fn of(line: &[u8]) -> Self {
        let has = |text: &str| memchr::memmem::find(line, text.as_bytes()).is_some();
        match line.split(|b| *b == b' ').next().unwrap_or_default() {
            b"WRONGPASS" => Self::WrongPass,
            b"NOAUTH" => Self::NoAuth,
            b"NOPERM" => Self::NoPerm,
            b"LOADING" => Self::Loading,
            b"BUSY" => Self::Busy,
            b"DENIED" => Self::Denied,
            b"MASTERDOWN" => Self::MasterDown,
            b"ERR" if has("without any password configured") || has("no password is set") => {
                Self::NoPassword
            }
            b"ERR" if line.trim_ascii_end() == b"ERR invalid password" => Self::OldWrongPassword,
            b"ERR" if has("max number of clients") => Self::MaxClients,
            _ => Self::Other,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::WrongPass => "wrong password, or the user is off (WRONGPASS)",
            Self::OldWrongPassword => "wrong password (ERR invalid password)",
            Self::NoPassword => "the server asks for no password: it lets everybody in",
            Self::NoAuth => "no login was made (NOAUTH)",
            Self::NoPerm => "not permitted (NOPERM)",
            Self::Loading => "the server is starting (LOADING)",
            Self::Busy => "the server is busy (BUSY)",
            Self::Denied => "the server takes nobody from here (DENIED)",
            Self::MasterDown => "a replica without its master (MASTERDOWN)",
            Self::MaxClients => "too many connections",
            Self::Other => "an error that proves nothing",
        }
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Net(error)
    }
}

impl Refused {
    /// What it says of the password, as an answer to AUTH.
    fn meaning(self) -> Verification {
        match self {
            Self::Answer(word @ (Word::WrongPass | Word::OldWrongPassword)) => {
                Verification::Inactive(word.words().to_owned())
            }
            Self::Answer(word) => Verification::Unknown(Doubt::Answer(word.words().to_owned())),
            Self::Net(error) => Verification::Unknown(error.into()),
            Self::Declined(why) => Verification::Unknown(Doubt::Refused(why)),
            Self::Strange => Verification::Unknown(Doubt::Answer(self.words())),
        }
    }

    /// What failed of a call; `otherwise` where it is not known that the server refused.
    fn failure(self, otherwise: fn(String) -> Failure) -> Failure {
        let words = self.words();
        match self {
            Self::Answer(Word::NoPerm) => Failure::Authority(format!(
                "{words}: the user under [authority.{NAME}] needs ACL and CLIENT, +@admin"
            )),
            Self::Answer(_) => Failure::Refused(words),
            _ => otherwise(words),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Net(error) => error.to_string(),
            Self::Answer(word) => word.words().to_owned(),
            Self::Declined(why) => why.clone(),
            Self::Strange => "no answer of Redis' protocol that fits here".to_owned(),
        }
    }
}

/// An answer; what it holds is wiped, for hashes of passwords are among it.
enum Reply {
    Text(Zeroizing<Vec<u8>>),
    Number,
    List(Vec<Reply>),
    Nothing,
}

impl Reply {
    fn text(&self) -> Option<String> {
        match self {
            Self::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        }
    }

    fn list(&self) -> &[Reply] {
        match self {
            Self::List(all) => all,
            _ => &[],
        }
    }

    /// What follows a name in a list of names and values.
    fn value(&self, name: &str) -> Option<&Reply> {
        let mut pairs = self.list().chunks_exact(2);
        pairs.find_map(|pair| match pair {
            [Self::Text(key), value] if key.as_slice() == name.as_bytes() => Some(value),
            _ => None,
        })
    }

    fn flags(&self) -> Vec<String> {
        let flags = self.value("flags").map(Reply::list).unwrap_or_default();
        flags.iter().filter_map(Reply::text).collect()
    }
}

/// Somebody logged in.
struct Session<'n> {
    line: Line<'n>,
    address: String,
    /// What was read and is not used up.
    read: Zeroizing<Vec<u8>>,
    at: usize,
}

impl<'n> Session<'n> {
    /// Logs in.
    fn open(net: &'n dyn Net, target: &Target) -> Result<Self, Refused> {
        let mut line = target.dial(net)?;
        if is_tls(target) {
            line = line.encrypted(net)?;
        } else if !line.is_local() {
            return Err(Refused::Declined(format!(
                "{}:// would send the password in clear text over a network: only TLS is used, rediss://",
                target.scheme
            )));
        }
        let mut session = Self {
            line,
            address: target.address(),
            read: Zeroizing::new(Vec::new()),
            at: 0,
        };
        // With its name a default user without password would take any; and older servers know no names.
        let user = target.user.as_bytes();
        let said = if target.user == DEFAULT {
            session.ask(&[b"AUTH", &target.password])?
        } else {
            session.ask(&[b"AUTH", user, &target.password])?
        };
        match said {
            Reply::Text(ok) if ok.as_slice() == b"OK" => Ok(session),
            _ => Err(Refused::Strange),
        }
    }

    /// Sends a command and reads its answer.
    fn ask(&mut self, command: &[&[u8]]) -> Result<Reply, Refused> {
        let mut out = format!("*{}\r\n", command.len()).into_bytes();
        out.reserve_exact(command.iter().map(|word| word.len() + 16).sum());
        for word in command {
            out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            out.extend_from_slice(word);
            out.extend_from_slice(b"\r\n");
        }
        let sent = self.line.write(&out);
        out.zeroize();
        sent?;
        let mut left = ELEMENTS;
        self.reply(DEPTH, &mut left)
    }

    fn reply(&mut self, depth: usize, left: &mut usize) -> Result<Reply, Refused> {
        *left = left.checked_sub(1).ok_or(Refused::Strange)?;
        let line = self.row()?;
        let (sort, rest) = line.split_first().ok_or(Refused::Strange)?;
        let count = || -> Result<Option<usize>, Refused> {
            let text = std::str::from_utf8(rest).map_err(|_| Refused::Strange)?;
            if text == "-1" {
                return Ok(None);
            }
            text.parse().map(Some).map_err(|_| Refused::Strange)
        };
        match sort {
            b'+' => Ok(Reply::Text(Zeroizing::new(rest.to_vec()))),
            b'-' => Err(Refused::Answer(Word::of(rest))),
            b':' => Ok(Reply::Number),
            b'_' => Ok(Reply::Nothing),
            b'$' => match count()? {
                None => Ok(Reply::Nothing),
                Some(length) if length > TEXT => Err(self.line.too_long(TEXT as u64).into()),
                Some(length) => {
                    let mut text = self.take(length + 2)?;
                    if !text.ends_with(b"\r\n") {
                        return Err(Refused::Strange);
                    }
                    text.truncate(length);
                    Ok(Reply::Text(text))
                }
            },
            b'*' => match count()? {
                None => Ok(Reply::Nothing),
                Some(length) if length <= *left && depth > 0 => {
                    let mut all = Vec::new();
                    for _ in 0..length {
                        all.push(self.reply(depth - 1, left)?);
                    }
                    Ok(Reply::List(all))
                }
                Some(_) => Err(Refused::Strange),
            },
            _ => Err(Refused::Strange),
        }
    }

    /// A line without its end.
    fn row(&mut self) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let mut seen = 0;
        loop {
            let rest = self.read.get(self.at..).unwrap_or_default();
            if let Some(end) = memchr::memchr(b'\n', rest.get(seen..).unwrap_or_default()) {
                let mut row = self.take(seen + end + 1)?;
                let text = row.strip_suffix(b"\r\n").ok_or(Refused::Strange)?.len();
                row.truncate(text);
                return Ok(row);
            }
            seen = rest.len();
            // Whoever does not speak the protocol (HTTP, SSH) is not read to its end.
            if seen > LINE || rest.first().is_some_and(|b| !b"+-:_$*".contains(b)) {
                return Err(Refused::Strange);
            }
            self.more()?;
        }
    }

    fn take(&mut self, count: usize) -> Result<Zeroizing<Vec<u8>>, Refused> {
        loop {
            if let Some(there) = self.read.get(self.at..self.at + count) {
                let taken = Zeroizing::new(there.to_vec());
                self.at += count;
                if self.at == self.read.len() {
                    self.read.clear();
                    self.at = 0;
                }
                return Ok(taken);
            }
            self.more()?;
        }
    }

    fn more(&mut self) -> Result<(), Refused> {
        let mut buffer = Zeroizing::new([0; 4096]);
        let count = self.line.read(&mut buffer[..])?;
        self.read
            .extend_from_slice(buffer.get(..count).unwrap_or_default());
        Ok(())
    }

    /// Whose login it is and what it may do, where the user may ask.
    fn identity(&mut self, target: &Target) -> Verification {
        let mut identity = Identity {
            account: Some(target.address()),
            owner: Some(target.user.clone()),
            ..Identity::default()
        };
        match self.ask(&[b"ACL", b"WHOAMI"]) {
            Ok(reply) => identity.owner = reply.text().or(identity.owner),
            // Not permitted, or a server without users; the login was taken all the same.
            Err(Refused::Answer(_)) => {}
            Err(_) => return Verification::Active(identity),
        }
        let user = identity.owner.clone().unwrap_or_default();
        if let Ok(rights) = self.ask(&[b"ACL", b"GETUSER", user.as_bytes()]) {
            if rights.flags().iter().any(|f| f == "nopass") {
                return Verification::Unknown(Doubt::Answer(
                    "the server lets this user in with any password".to_owned(),
                ));
            }
            if let Some(commands) = rights.value("commands").and_then(Reply::text) {
                identity.level = Some(level(&commands));
                identity.scopes = commands.split(' ').take(20).map(str::to_owned).collect();
            }
        }
        Verification::Active(identity)
    }

    /// What there is of a user: `None` if it is not there.
    fn state(&mut self, user: &str) -> Result<Option<State>, Refused> {
        let of = self.ask(&[b"ACL", b"GETUSER", user.as_bytes()])?;
        if matches!(of, Reply::Nothing) {
            return Ok(None);
        }
        let flags = of.flags();
        let is_on = match (
            flags.iter().any(|f| f == "on"),
            flags.iter().any(|f| f == "off"),
        ) {
            (true, false) => true,
            (false, true) => false,
            _ => return Err(Refused::Strange),
        };
        let Reply::Text(clients) = self.ask(&[b"CLIENT", b"LIST"])? else {
            return Err(Refused::Strange);
        };
        let field = format!("user={user}");
        let connections = clients
            .split(|b| *b == b'\n')
            .filter(|client| client.split(|b| *b == b' ').any(|f| f == field.as_bytes()))
            .count();
        Ok(Some(State { is_on, connections }))
    }
}

/// What a user's rules for commands allow, in one word.
fn level(commands: &str) -> Level {
    let (mut admin, mut write, mut read, mut other) = (false, false, false, false);
    for rule in commands.split(' ') {
        match rule {
            "+@all" | "allcommands" => (admin, write, read, other) = (true, true, true, false),
            "-@all" | "nocommands" => (admin, write, read, other) = (false, false, false, false),
            "+@admin" | "+@dangerous" => admin = true,
            "-@admin" | "-@dangerous" => admin = false,
            "+@write" => write = true,
            "-@write" => write = false,
            "+@read" => read = true,
            "-@read" => read = false,
            // What does not reach the data.
            "+@connection" => {}
            rule if rule.starts_with('+') => other = true,
            _ => {}
        }
    }
    match (admin, write, read, other) {
        (true, ..) => Level::Admin,
        (false, true, ..) => Level::Write,
        (false, false, true, false) => Level::ReadOnly,
        _ => Level::Custom,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_is_that_of_the_last_rules() {
        for (rules, expected) in [
            ("+@all", Level::Admin),
            ("+@all -@admin -@dangerous", Level::Write),
            ("+@all -@dangerous -@admin -@write", Level::ReadOnly),
            ("-@all +@read", Level::ReadOnly),
            ("-@all +@read +@connection", Level::ReadOnly),
            ("-@all +@read +@write", Level::Write),
            ("-@all +@read +set", Level::Custom),
            ("-@all +get", Level::Custom),
            ("-@all", Level::Custom),
            ("-@all +@dangerous", Level::Admin),
        ] {
            assert_eq!(level(rules), expected, "{rules}");
        }
    }

    #[test]
    fn only_the_documented_words_say_that_a_password_is_wrong() {
        for (line, expected) in [
            (
                "WRONGPASS invalid username-password pair or user is disabled.",
                Word::WrongPass,
            ),
            ("ERR invalid password", Word::OldWrongPassword),
            ("ERR invalid password length", Word::Other),
            (
                "ERR AUTH <password> called without any password configured for the default user.",
                Word::NoPassword,
            ),
            ("NOPERM this user has no permissions", Word::NoPerm),
            ("ERR max number of clients reached", Word::MaxClients),
            ("WRONGPASSWORD", Word::Other),
            ("", Word::Other),
        ] {
            assert_eq!(Word::of(line.as_bytes()), expected, "{line}");
        }
    }
}
