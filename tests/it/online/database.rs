//! Database servers of the tests: the way to real ones, and ones that a test plays.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use keysweep::model::{Checked, Credential, Finding, Identity, Secret, Verification};
use keysweep::net::{Error, Net, Reply, Request};
use keysweep::provider::{Authority, Effect, Failure, Object, Registry, Revocation, Revoke};
use keysweep::rule::block::Blocks;
use keysweep::scan::Options;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::server::Server;
use crate::support::{fake, found};

/// The name that the servers' certificate is for.
pub(super) const HOST: &str = "db.example.org";

impl Server {
    /// A way to it, as `db.example.org` and by its address.
    pub(super) fn net(&self) -> Way {
        Way::trusting(&self.path("ca.pem"))
    }
}

/// A net that reaches what a test maps names to, and listed hosts alone.
pub(super) struct Way {
    tls: Arc<ClientConfig>,
    names: BTreeMap<String, IpAddr>,
    patience: Duration,
}

impl Way {
    /// To loopback, as `db.example.org`, `localhost` and by address; no certificate is trusted.
    pub(super) fn new() -> Self {
        Self::with(RootCertStore::empty())
    }

    fn trusting(ca: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(ca).unwrap())
            .unwrap();
        Self::with(roots)
    }

    fn with(roots: RootCertStore) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        // As an HTTP client would have it.
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let names = [HOST, "localhost", "127.0.0.1"].map(|n| (n.to_owned(), loopback));
        Self {
            tls: Arc::new(tls),
            names: names.into_iter().collect(),
            patience: Duration::from_secs(10),
        }
    }

    /// The same with one more name.
    pub(super) fn naming(mut self, name: &str, address: IpAddr) -> Self {
        self.names.insert(name.to_owned(), address);
        self
    }

    /// The same, waiting so long for one answer.
    pub(super) fn patient(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}

impl Net for Way {
    fn send(&self, request: &Request) -> Result<Reply, Error> {
        panic!("a database is no HTTP server: {request:?}")
    }

    fn dial(&self, host: &str, port: u16) -> Result<TcpStream, Error> {
        let Some(address) = self.names.get(host) else {
            return Err(Error::Refused {
                host: host.to_owned(),
                why: format!("is not listed; pass --allow-host {host}"),
            });
        };
        let stream = TcpStream::connect((*address, port)).map_err(|error| Error::Unreachable {
            host: host.to_owned(),
            why: error.kind().to_string(),
            sent: false,
        })?;
        stream.set_read_timeout(Some(self.patience)).unwrap();
        Ok(stream)
    }

    fn tls(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.tls)
    }

    fn is_listed(&self, host: &str) -> bool {
        self.names.contains_key(host)
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn pause(&self, time: Duration) -> bool {
        std::thread::sleep(time);
        true
    }
}

/// The providers of the built-in rules.
pub(super) fn registry() -> Registry {
    Registry::new(Blocks::load(&[]).unwrap())
}

/// A password that stands in a URL as it is.
pub(super) fn word(seed: u64) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    format!(
        "k{}",
        fake::password(seed).chars().map(safe).collect::<String>()
    )
}

/// What the rules find in a line that holds the URL.
pub(super) fn leak(url: &str) -> Finding {
    let mut all = found(
        "app.env",
        format!("URL={url}\n").as_bytes(),
        &Options::default(),
    );
    assert_eq!(all.len(), 1, "findings of the URL");
    all.remove(0)
}

/// What the provider of the finding's rule says.
pub(super) fn verify(net: &dyn Net, finding: &Finding) -> Verification {
    let registry = registry();
    let provider = registry.verifier(&finding.rule).unwrap();
    let said = provider.verify(net, &finding.credential);
    let shown = format!("{said:?}");
    let preview = provider.preview(&finding.credential);
    for text in [shown, format!("{preview:?}")] {
        hides(&text, &finding.credential);
    }
    said
}

#[expect(clippy::disallowed_methods, reason = "to see that it is not shown")]
fn hides(text: &str, key: &Credential) {
    let secret = String::from_utf8_lossy(key.secret.expose()).into_owned();
    assert!(!text.contains(&secret), "shows the password");
}

/// Whose it is, of what is active.
#[track_caller]
pub(super) fn active(said: &Verification) -> &Identity {
    match said {
        Verification::Active(identity) => identity,
        other => panic!("not active: {other:?}"),
    }
}

/// Fails unless nothing is known, for this reason.
#[track_caller]
pub(super) fn unknown(said: &Verification, why: &str) {
    match said {
        Verification::Unknown(doubt) => {
            let text = doubt.to_string();
            assert!(text.contains(why), "{text:?} does not say {why:?}");
        }
        other => panic!("not unknown: {other:?}"),
    }
}

/// The finding as proven active.
pub(super) fn proven(net: &dyn Net, mut finding: Finding) -> Finding {
    let verification = verify(net, &finding);
    active(&verification);
    finding.verification = Some(Checked {
        verification,
        at: Timestamp::UNIX_EPOCH,
        took: Duration::ZERO,
    });
    finding
}

/// Whose authority ends it.
pub(super) fn owner(user: &str, password: &str) -> Authority {
    let parts = [("user", user), ("password", password)];
    Authority {
        parts: parts
            .map(|(n, v)| (n.to_owned(), Secret::new(v.as_bytes(), "")))
            .into_iter()
            .collect(),
    }
}

/// Fails unless the authority does not do, for this reason.
#[track_caller]
pub(super) fn denied<T>(why: &str, result: Result<T, Failure>) {
    match result.map(drop) {
        Err(Failure::Authority(text)) => assert!(text.contains(why), "{text}"),
        other => panic!("{why}: {other:?}"),
    }
}

/// Fails unless each of these users is told why it may not look up the login `app`, whose password is given.
pub(super) fn strangers_are_told_why(
    it: &dyn Revoke,
    of: &Revocation<'_>,
    password: &str,
    whys: [&str; 3],
) {
    let [wrong, weak, unset] = whys;
    let other = format!("{password}x");
    for (why, authority) in [
        (wrong, owner("keeper", &other)),
        (weak, owner("weak", password)),
        ("lock itself out", owner("app", password)),
        (unset, Authority::default()),
    ] {
        let authority = &authority;
        denied(why, it.find(&Revocation { authority, ..*of }));
    }
}

/// Fails unless a login dies, as far as the server's own words tell, with its one session.
pub(super) fn dies(it: &dyn Revoke, of: &Revocation<'_>, name: &str, session: &str) {
    let found = it.find(of).unwrap();
    assert_eq!(found.id, name);
    assert_eq!(it.effect(of, &found, 0), Effect::NotThere);
    let done = it.run(of, &found, 0).unwrap();
    assert!(!done.was_gone && done.answer.contains(session), "{done:?}");
    assert_eq!(it.effect(of, &found, 0), Effect::There);
    // A second time changes nothing.
    assert!(it.run(of, &found, 0).unwrap().was_gone);
}

/// Fails unless a stopped server leaves open what became of a login.
pub(super) fn tells_nothing(it: &dyn Revoke, of: &Revocation<'_>, login: &Object) {
    let effect = it.effect(of, login, 0);
    assert!(matches!(effect, Effect::Unknown(_)), "{effect:?}");
    let run = it.run(of, login, 0);
    assert!(matches!(run, Err(Failure::NotSent(_))), "{run:?}");
}

/// An object of that id.
pub(super) fn object(id: &str) -> Object {
    Object {
        id: id.to_owned(),
        ..Object::default()
    }
}

/// A server that a test plays, for one connection; what it was sent comes back.
pub(super) struct Played {
    pub(super) port: u16,
    thread: JoinHandle<Vec<u8>>,
}

impl Played {
    /// Plays a part; what it has not read itself is read to the end.
    pub(super) fn new(part: impl FnOnce(&mut Heard) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            stream
                .set_read_timeout(Some(Duration::from_secs(20)))
                .unwrap();
            let mut heard = Heard {
                stream,
                all: Vec::new(),
            };
            part(&mut heard);
            let _ = heard.stream.shutdown(Shutdown::Write);
            let mut rest = Vec::new();
            let _ = heard.stream.read_to_end(&mut rest);
            heard.all.extend(rest);
            heard.all
        });
        Self { port, thread }
    }

    /// What it was sent.
    pub(super) fn heard(self) -> Vec<u8> {
        self.thread.join().unwrap()
    }
}

/// The server's end of a connection.
pub(super) struct Heard {
    pub(super) stream: TcpStream,
    all: Vec<u8>,
}

impl Heard {
    /// Reads that many bytes.
    pub(super) fn take(&mut self, count: usize) -> Vec<u8> {
        let mut buffer = vec![0; count];
        self.stream.read_exact(&mut buffer).unwrap();
        self.all.extend(&buffer);
        buffer
    }

    /// Reads what there is.
    pub(super) fn some(&mut self) -> Vec<u8> {
        let mut buffer = vec![0; 4096];
        let count = self.stream.read(&mut buffer).unwrap();
        buffer.truncate(count);
        self.all.extend(&buffer);
        buffer
    }

    /// Waits until the other side has gone, or so long.
    pub(super) fn wait(&mut self, time: Duration) {
        let until = Instant::now() + time;
        self.stream.set_read_timeout(Some(time)).unwrap();
        let mut buffer = [0; 64];
        while Instant::now() < until && self.stream.read(&mut buffer).is_ok_and(|n| n > 0) {}
    }
}

/// Whether the bytes stand in what was sent.
pub(super) fn holds(heard: &[u8], text: &str) -> bool {
    heard.windows(text.len()).any(|w| w == text.as_bytes())
}
