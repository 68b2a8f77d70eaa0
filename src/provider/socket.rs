//! Database servers: what a URL says of one, and a timed and bounded line to it.
//!
//! A login is no HTTP request, so it does not pass [`Net::send`]; where it may go is [`Net::dial`]'s to say all the same. Nothing
//! here sends anything by itself.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use zeroize::Zeroizing;

use crate::model::{Credential, Doubt, Secret};
use crate::net::{Error, Net};

/// The most that is read of one server, in bytes; a login takes some hundred.
const MOST: u64 = 4 << 20;
/// How long a conversation may take in all, however often the server says a little.
const WHOLE: SignedDuration = SignedDuration::from_secs(30);
/// How long one read or write may take where the connection has no limit of its own.
const STEP: Duration = Duration::from_secs(10);

/// What a URL says of a server and of who logs in.
pub(super) struct Target {
    /// Without the protocol's signs: `postgresql+psycopg2`, `rediss`.
    pub(super) scheme: String,
    /// A name or an address, an IPv6 address without its brackets.
    pub(super) host: String,
    /// Where the URL has none, the scheme's.
    pub(super) port: u16,
    /// Decoded; empty where the URL has none.
    pub(super) user: String,
    /// Decoded.
    pub(super) password: Zeroizing<Vec<u8>>,
    /// Decoded.
    pub(super) database: Option<String>,
}

impl Target {
    /// Of a credential's parts.
    pub(super) fn of(key: &Credential, port: fn(&str) -> u16) -> Result<Self, Doubt> {
        if !key.secret.is_known() {
            return Err(Doubt::NotThere);
        }
        let part = |name: &str| key.part(name);
        if part("more").is_some_and(|more| more.contains(|c: char| c.is_ascii_alphanumeric())) {
            return Err(Doubt::Refused(
                "the URL names several hosts: ask each one by a URL of its own".to_owned(),
            ));
        }
        let host = part("host").unwrap_or_default();
        let host = host.strip_prefix('[').unwrap_or(host);
        let host = host.strip_suffix(']').unwrap_or(host);
        // A path of a socket, or a variable that something fills in.
        if host.is_empty() {
            return Err(Doubt::Missing("host".to_owned()));
        }
        let scheme = part("scheme").unwrap_or_default().to_ascii_lowercase();
        let scheme = scheme.trim_end_matches("://");
        let port = match part("port") {
            None => port(scheme),
            Some(digits) => match digits.parse() {
                Ok(number) if number > 0 => number,
                _ => return Err(Doubt::Refused(format!("there is no port {digits}"))),
            },
        };
        let database = part("database");
        Ok(Self {
            scheme: scheme.to_owned(),
            host: host.to_ascii_lowercase(),
            port,
            user: name("user", part("user").unwrap_or_default())?,
            password: decoded(&exposed(&key.secret)),
            database: database.map(|d| name("database", d)).transpose()?,
        })
    }

    /// `host:port`, as one would write it in a URL.
    pub(super) fn address(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        }
    }

    /// A line to the server, if the caller lists it.
    pub(super) fn dial<'n>(&self, net: &'n dyn Net) -> Result<Line<'n>, Error> {
        Line::new(net, &self.host, net.dial(&self.host, self.port)?)
    }

    /// The same place for somebody else.
    pub(super) fn with(&self, user: &str, password: &Secret) -> Self {
        Self {
            scheme: self.scheme.clone(),
            host: self.host.clone(),
            port: self.port,
            user: user.to_owned(),
            password: exposed(password),
            database: self.database.clone(),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a login needs the password; the copy is wiped"
)]
fn exposed(secret: &Secret) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(secret.expose().to_vec())
}

/// A name of a URL, decoded; what cannot be a name of a user or database is not sent.
fn name(what: &str, text: &str) -> Result<String, Doubt> {
    let bytes = decoded(text.as_bytes());
    match std::str::from_utf8(&bytes) {
        Ok(name) if !name.contains(char::is_control) => Ok(name.to_owned()),
        _ => Err(Doubt::Refused(format!("the {what} of the URL is no text"))),
    }
}

/// Percent escapes replaced; what is no escape stays.
fn decoded(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
    let digit = |at: usize| text.get(at).and_then(|b| char::from(*b).to_digit(16));
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        if let (b'%', Some(high), Some(low)) = (*byte, digit(at + 1), digit(at + 2)) {
            out.push((high * 16 + low) as u8);
            at += 3;
        } else {
            out.push(*byte);
            at += 1;
        }
    }
    out
}

/// A connection that ends after a time and a number of bytes.
struct Timed<'n> {
    net: &'n dyn Net,
    stream: TcpStream,
    until: Timestamp,
    left: u64,
}

impl Timed<'_> {
    fn in_time(&self) -> io::Result<()> {
        if self.net.now() > self.until {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.in_time()?;
        if self.left == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let most = buffer.len().min(self.left as usize);
        let count = self
            .stream
            .read(buffer.get_mut(..most).unwrap_or_default())?;
        self.left -= count as u64;
        Ok(count)
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.in_time()?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

enum Stream<'n> {
    Plain(Timed<'n>),
    Tls(Box<StreamOwned<ClientConnection, Timed<'n>>>),
}

/// A line to a server.
pub(super) struct Line<'n> {
    host: String,
    stream: Stream<'n>,
    is_local: bool,
    /// Whether anything was sent.
    sent: bool,
}

impl<'n> Line<'n> {
    fn new(net: &'n dyn Net, host: &str, stream: TcpStream) -> Result<Self, Error> {
        let set = || -> io::Result<bool> {
            if stream.read_timeout()?.is_none() {
                stream.set_read_timeout(Some(STEP))?;
            }
            if stream.write_timeout()?.is_none() {
                stream.set_write_timeout(Some(STEP))?;
            }
            Ok(stream.peer_addr()?.ip().to_canonical().is_loopback())
        };
        let is_local = set().map_err(|error| told(host, &error, false))?;
        let until = net.now().checked_add(WHOLE).unwrap_or(Timestamp::MAX);
        let left = MOST;
        Ok(Self {
            host: host.to_owned(),
            stream: Stream::Plain(Timed {
                net,
                stream,
                until,
                left,
            }),
            is_local,
            sent: false,
        })
    }

    /// Whether the server is this machine: nobody listens in between.
    pub(super) fn is_local(&self) -> bool {
        self.is_local
    }

    /// Whether TLS proved that the server is the host.
    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    /// Goes on in TLS; the server must prove that it is the host.
    pub(super) fn encrypted(self, net: &dyn Net) -> Result<Self, Error> {
        let Self {
            host,
            stream,
            is_local,
            sent,
        } = self;
        let mut timed = match stream {
            Stream::Plain(timed) => timed,
            Stream::Tls(_) => {
                return Ok(Self {
                    host,
                    stream,
                    is_local,
                    sent,
                });
            }
        };
        let malformed = |why: &str| Error::Malformed {
            host: host.clone(),
            why: why.to_owned(),
        };
        let name = ServerName::try_from(host.clone())
            .map_err(|_| malformed("no name that a certificate can have"))?;
        // What is agreed on for HTTP means nothing to a database.
        let mut config = (*net.tls()).clone();
        config.alpn_protocols.clear();
        let mut connection = ClientConnection::new(Arc::new(config), name)
            .map_err(|error| malformed(&error.to_string()))?;
        while connection.is_handshaking() {
            connection
                .complete_io(&mut timed)
                .map_err(|error| told(&host, &error, false))?;
        }
        Ok(Self {
            stream: Stream::Tls(Box::new(StreamOwned::new(connection, timed))),
            host,
            is_local,
            sent,
        })
    }

    /// Sends all of it.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.sent = true;
        let done = match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        };
        done.map_err(|error| told(&self.host, &error, true))
    }

    /// Reads as much as there is, at least a byte; the end is an error.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let read = match &mut self.stream {
            Stream::Plain(stream) => stream.read(buffer),
            Stream::Tls(stream) => stream.read(buffer),
        };
        match read {
            Ok(0) => Err(told(
                &self.host,
                &io::ErrorKind::UnexpectedEof.into(),
                self.sent,
            )),
            Ok(count) => Ok(count),
            Err(error) => Err(told(&self.host, &error, self.sent)),
        }
    }

    /// Fills the buffer.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<(), Error> {
        let mut at = 0;
        while at < buffer.len() {
            at += self.read(buffer.get_mut(at..).unwrap_or_default())?;
        }
        Ok(())
    }

    /// What is longer than a server has to say.
    pub(super) fn too_long(&self, limit: u64) -> Error {
        Error::TooLong {
            host: self.host.clone(),
            limit,
        }
    }
}

/// What went wrong, in words.
fn told(host: &str, error: &io::Error, sent: bool) -> Error {
    let host = host.to_owned();
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Error::Timeout { host },
        io::ErrorKind::FileTooLarge => Error::TooLong { host, limit: MOST },
        kind => {
            let tls = error
                .get_ref()
                .and_then(|e| e.downcast_ref::<rustls::Error>());
            let why = match tls {
                Some(rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer)) => {
                    "its certificate is of a CA that is not trusted here: name the CA's file in your own configuration, ca = \"FILE\" under [network]".to_owned()
                }
                Some(rustls::Error::InvalidCertificate(
                    rustls::CertificateError::NotValidForName
                    | rustls::CertificateError::NotValidForNameContext { .. },
                )) => "its certificate is for another name".to_owned(),
                Some(rustls::Error::InvalidCertificate(_)) => "its certificate is not valid".to_owned(),
                Some(_) => "no TLS could be agreed on".to_owned(),
                None if kind == io::ErrorKind::UnexpectedEof => "the connection was closed".to_owned(),
                None => kind.to_string(),
            };
            Error::Unreachable { host, why, sent }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    fn target(secret: &str, parts: &[(&str, &str)]) -> Result<Target, Doubt> {
        let parts = parts
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        let key = Credential::new(Secret::new(secret.as_bytes(), ""), parts.collect());
        Target::of(&key, |_| 5432)
    }

    #[test]
    fn names_and_password_are_decoded_and_a_bare_percent_stays() {
        let parts = [
            ("user", "a%40b"),
            ("host", "DB.example.org"),
            ("database", "x%2Dy"),
        ];
        let it = target("p%40ss%zz%4", &parts).unwrap();
        assert_eq!(
            (it.user.as_str(), it.host.as_str()),
            ("a@b", "db.example.org")
        );
        assert_eq!(it.database.as_deref(), Some("x-y"));
        assert_eq!(&it.password[..], b"p@ss%zz%4");
        assert_eq!(it.address(), "db.example.org:5432");
    }

    #[test]
    fn an_ipv6_address_has_brackets_in_a_url_alone() {
        let it = target("pass", &[("host", "[2001:db8::1]"), ("port", "6000")]).unwrap();
        assert_eq!((it.host.as_str(), it.port), ("2001:db8::1", 6000));
        assert_eq!(it.address(), "[2001:db8::1]:6000");
    }

    #[test]
    fn what_is_no_one_server_is_not_asked() {
        let refused = |parts: &[(&str, &str)]| match target("pass", parts) {
            Ok(_) => panic!("taken: {parts:?}"),
            Err(doubt) => doubt,
        };
        assert_eq!(refused(&[("user", "a")]), Doubt::Missing("host".to_owned()));
        for parts in [
            [("host", "a"), ("more", ",b:1")],
            [("host", "a"), ("port", "0")],
            [("host", "a"), ("port", "70000")],
            [("host", "a"), ("user", "x%0ay")],
            [("host", "a"), ("user", "x%ff")],
        ] {
            assert!(matches!(refused(&parts), Doubt::Refused(_)));
        }
    }
}
