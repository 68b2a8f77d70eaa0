//! Redis' protocol: logging in, commands and their answers, refusals.

use zeroize::{Zeroize, Zeroizing};

use super::super::Failure;
use super::super::login::{Admin, Refusal, State};
use super::super::socket::{Line, Target};
use super::{DEFAULT, NAME, is_tls};
use crate::model::{Doubt, Identity, Level, Verification};
use crate::net::{Error, Net};

/// The longest line of an answer, in bytes.
const LINE: usize = 4 << 10;
/// The longest text of an answer, in bytes: a list of some thousand clients.
const TEXT: usize = 4 << 20;
/// The most elements of an answer, and how deep they nest.
const ELEMENTS: usize = 4096;
const DEPTH: usize = 6;

/// Why there is no session, or no answer in it.
#[derive(Debug)]
pub(super) enum Refused {
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
pub(super) enum Word {
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
    pub(super) fn meaning(self) -> Verification {
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
}

impl Refusal for Refused {
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
pub(super) struct Session<'n> {
    line: Line<'n>,
    address: String,
    /// What was read and is not used up.
    read: Zeroizing<Vec<u8>>,
    at: usize,
}

impl<'n> Session<'n> {
    /// Logs in.
    pub(super) fn open(net: &'n dyn Net, target: &Target) -> Result<Self, Refused> {
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
    pub(super) fn identity(&mut self, target: &Target) -> Verification {
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
}

impl Admin for Session<'_> {
    type Refused = Refused;

    const LOGIN: &'static str = "user";
    const SESSIONS: &'static str = "connections";
    const OFF: &'static str = "ACL SETUSER off";

    fn address(&self) -> &str {
        &self.address
    }

    fn look(&mut self, user: &str) -> Result<Option<State>, Refused> {
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
        Ok(Some(State {
            is_on,
            sessions: connections as u64,
            hindrance: None,
        }))
    }

    // SETUSER makes a user that is not there.
    fn switch_off(&mut self, name: &str) -> Result<(), Refused> {
        self.ask(&[b"ACL", b"SETUSER", name.as_bytes(), b"off"])?;
        Ok(())
    }

    fn end_sessions(&mut self, name: &str) -> Result<(), Refused> {
        self.ask(&[b"CLIENT", b"KILL", b"USER", name.as_bytes()])?;
        Ok(())
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
