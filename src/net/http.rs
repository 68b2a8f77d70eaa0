//! The only client: ureq with addresses of our choice, transports of our own (`transport.rs`), and no redirects.
//!
//! ureq keeps address and header fields in buffers of its own while a request is under way; those are not wiped.

use std::fmt;
use std::io;
use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use jiff::Timestamp;
use ureq::http::{HeaderName, HeaderValue, Uri};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    ConnectProxyConnector, Connector as _, NextTimeout, TcpConnector,
};
use ureq::{Agent, Proxy, Timeout};
use zeroize::Zeroizing;

use super::guard::{Guard, NoProxy, Route};
use super::limits::{Limits, Stop, Waiting};
use super::transport::{Interrupted, Mark, SENT, Tls, Watch, tls_settings};
use super::{Clock, Error, Net, Origin, Reply, Request, Settings, base, origin_by};
use crate::model::{HostPattern, WebAddress};

/// Most bytes of a body that are read.
const MOST_BYTES: u64 = 1 << 20;
/// Most bytes of an answer's header.
const MOST_HEADER: usize = 64 << 10;
/// Times that a read is sent, at the most.
const MOST_TRIES: u32 = 3;
/// Longest that is waited because a host asks for it.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Longest for name, connection and TLS.
const CONNECT: Duration = Duration::from_secs(5);
/// First step of the waits between tries.
const BACKOFF: Duration = Duration::from_millis(500);

/// Looks up the addresses of a host and port.
pub type Lookup = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// The client of a run.
pub struct Client {
    guard: Arc<Guard>,
    lookup: Arc<Lookup>,
    clock: Arc<dyn Clock>,
    tls: Arc<rustls::ClientConfig>,
    limits: Limits,
    timeout: Duration,
    /// When the time is over.
    end: Mutex<Duration>,
    direct: Agents,
    proxied: Option<Agents>,
}

/// Reads take connections that are open already; for a change one is made, so that none dies under it.
struct Agents {
    reads: Agent,
    changes: Agent,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// A client; its budget begins now.
    ///
    /// # Errors
    /// What of the settings cannot be used, and the mend.
    pub fn new(settings: Settings) -> Result<Self, String> {
        let tls = Arc::new(tls_settings(&settings.ca)?);
        let mut guard = Guard {
            hosts: settings.hosts,
            private: settings.private,
            endpoints: settings.endpoints,
            proxy: None,
            no_proxy: NoProxy::list(&settings.no_proxy),
        };
        let proxy = settings.proxy.as_deref().map(proxy).transpose()?;
        if let Some(proxy) = &proxy {
            guard.proxy = Some(address_of(proxy.uri()).ok_or("the proxy's address has no host")?);
        }
        let guard = Arc::new(guard);
        let lookup = settings.lookup.unwrap_or_else(|| Arc::new(system_lookup));
        let agents = |proxy: Option<&Proxy>| {
            let agent = |idle: usize| {
                let config = Agent::config_builder()
                    .http_status_as_error(false)
                    .max_redirects(0)
                    .max_redirects_will_error(false)
                    .proxy(proxy.cloned())
                    .user_agent(concat!("keysweep/", env!("CARGO_PKG_VERSION")))
                    .accept_encoding("identity")
                    .max_response_header_size(MOST_HEADER)
                    .max_idle_connections(idle * 16)
                    .max_idle_connections_per_host(idle * 4)
                    .build();
                let chain =
                    ().chain(ConnectProxyConnector::default())
                        .chain(TcpConnector::default())
                        .chain(Watch(Arc::clone(&settings.clock)))
                        .chain(Tls(Arc::clone(&tls)))
                        .chain(Mark {
                            proxied: proxy.is_some(),
                        });
                let names = Names {
                    guard: Arc::clone(&guard),
                    lookup: Arc::clone(&lookup),
                };
                Agent::with_parts(config, chain, names)
            };
            Agents {
                reads: agent(1),
                changes: agent(0),
            }
        };
        Ok(Self {
            direct: agents(None),
            proxied: proxy.as_ref().map(|proxy| agents(Some(proxy))),
            limits: Limits::default(),
            timeout: settings.timeout,
            end: Mutex::new(settings.clock.elapsed().saturating_add(settings.budget)),
            guard,
            lookup,
            clock: settings.clock,
            tls,
        })
    }

    /// Sends it once.
    fn once(&self, route: &Route, request: &Request, fields: &Fields) -> Result<Reply, Error> {
        let left = self.end().saturating_sub(self.clock.elapsed());
        let timeout = self.timeout.min(left);
        let agents = match &self.proxied {
            Some(agents) if route.proxied => agents,
            _ => &self.direct,
        };
        let agent = if request.is_read {
            &agents.reads
        } else {
            &agents.changes
        };
        SENT.set(false);
        let fail = |error: ureq::Error| error_of(&route.host, error, SENT.get());
        let url = route.url.as_str();
        // The two kinds of builder differ in type, so what both need is written for both.
        macro_rules! ready {
            ($builder:expr) => {{
                let mut builder = $builder;
                for (name, value) in &fields.0 {
                    builder = builder.header(name.clone(), value.clone());
                }
                builder
                    .config()
                    .timeout_global(Some(timeout))
                    .timeout_connect(Some(CONNECT.min(timeout)))
                    .timeout_resolve(Some(CONNECT.min(timeout)))
                    .build()
            }};
        }
        let body = request
            .body
            .as_ref()
            .map(|body| Zeroizing::new(body.wire()));
        let body = body.as_ref().map(|text| text.as_bytes());
        let bodiless = match request.method.as_str() {
            "GET" => Some(agent.get(url)),
            "HEAD" => Some(agent.head(url)),
            "DELETE" => Some(agent.delete(url)),
            "OPTIONS" => Some(agent.options(url)),
            _ => None,
        };
        let answer = match (bodiless, body) {
            (Some(builder), None) => ready!(builder).call(),
            (Some(builder), Some(body)) => ready!(builder.force_send_body()).send(body),
            (None, body) => {
                let builder = match request.method.as_str() {
                    "POST" => agent.post(url),
                    "PUT" => agent.put(url),
                    "PATCH" => agent.patch(url),
                    _ => {
                        return Err(Error::Malformed {
                            host: route.host.clone(),
                            why:
                                "the method is none of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
                                    .to_owned(),
                        });
                    }
                };
                ready!(builder).send(body.unwrap_or_default())
            }
        };
        let mut answer = answer.map_err(fail)?;
        let headers = answer
            .headers()
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), value)
            })
            .collect();
        let mut reply = Zeroizing::new(Vec::new());
        let mut reader = answer.body_mut().with_config().limit(u64::MAX).reader();
        let read = (&mut reader).take(MOST_BYTES + 1).read_to_end(&mut reply);
        read.map_err(|error| fail(error.into()))?;
        if reply.len() as u64 > MOST_BYTES {
            return Err(Error::TooLong {
                host: route.host.clone(),
                limit: MOST_BYTES,
            });
        }
        let status = answer.status().as_u16();
        Ok(Reply::new(status, headers, std::mem::take(&mut *reply)))
    }

    fn end(&self) -> Duration {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopped(host: &str, stop: Stop) -> Error {
        let host = host.to_owned();
        match stop {
            Stop::Budget => Error::Budget { host },
            Stop::Held => Error::Held { host },
            Stop::Interrupted => Error::Interrupted { host },
        }
    }
}

impl Net for Client {
    fn send(&self, request: &Request) -> Result<Reply, Error> {
        let route = self.guard.route(&Zeroizing::new(request.url.wire()))?;
        let fields = Fields::of(request, &route.host)?;
        let host = route.host.as_str();
        let mut tries = 0;
        let last = request.patience.map(|time| self.clock.elapsed() + time);
        let waiting = Patient { client: self, last };
        loop {
            let place = self.limits.enter(host, request.per_second, &waiting);
            let place = place.map_err(|stop| Self::stopped(host, stop))?;
            let outcome = self.once(&route, request, &fields);
            drop(place);
            tries += 1;
            let asked = match &outcome {
                Ok(reply) if matches!(reply.status, 429 | 503) => reply
                    .header("Retry-After")
                    .and_then(|text| retry_after(text, self.clock.now())),
                _ => None,
            };
            let now = self.clock.elapsed();
            if let Some(wait) = asked {
                self.limits.hold(host, now + wait.min(LONGEST_WAIT));
            }
            if !request.is_read || tries == MOST_TRIES || !worth_another(&outcome, tries) {
                return outcome;
            }
            let wait = asked.unwrap_or_else(|| jitter(BACKOFF * 2_u32.pow(tries)));
            // What cannot be waited for is answered with what there is.
            if wait > LONGEST_WAIT || now + wait >= self.end() {
                return outcome;
            }
            if let Err(stop) = waiting.sleep_until(now + wait) {
                return match stop {
                    Stop::Budget | Stop::Held => outcome,
                    Stop::Interrupted => Err(Self::stopped(host, stop)),
                };
            }
        }
    }

    fn dial(&self, host: &str, port: u16) -> Result<TcpStream, Error> {
        let name = host.to_owned();
        let refused = |why: String| Error::Refused {
            host: name.clone(),
            why,
        };
        if !self.guard.lists_port(host, port) {
            return Err(refused(format!(
                "is not listed; if the credential may be sent there, add it to [network] hosts in your own keysweep.toml, or pass --allow-host {name}"
            )));
        }
        let now = self.clock.elapsed();
        self.may_wait(now)
            .map_err(|stop| Self::stopped(host, stop))?;
        let timeout = CONNECT
            .min(self.timeout)
            .min(self.end().saturating_sub(now));
        let unreachable = |why: &str| Error::Unreachable {
            host: name.clone(),
            why: why.to_owned(),
            sent: false,
        };
        let found = look_up(&self.lookup, host, port, timeout);
        let found = found.map_err(|error| unreachable(&error.to_string()))?;
        let purpose = self.guard.purpose(false, "", 0);
        let fine = self.guard.check(purpose, &found).map_err(refused)?;
        let mut last = unreachable("no connection");
        for address in fine {
            let left = timeout.saturating_sub(self.clock.elapsed().saturating_sub(now));
            if left.is_zero() {
                return Err(unreachable("no connection in time"));
            }
            match TcpStream::connect_timeout(&address, left) {
                Ok(stream) => {
                    let limit = Some(self.timeout);
                    let set = stream
                        .set_read_timeout(limit)
                        .and_then(|()| stream.set_write_timeout(limit))
                        .and_then(|()| stream.set_nodelay(true));
                    set.map_err(|error| unreachable(&in_words(&error)))?;
                    return Ok(stream);
                }
                Err(error) => last = unreachable(&in_words(&error)),
            }
        }
        Err(last)
    }

    fn tls(&self) -> Arc<rustls::ClientConfig> {
        Arc::clone(&self.tls)
    }

    fn endpoints(&self) -> &[(HostPattern, WebAddress)] {
        &self.guard.endpoints
    }

    fn origin(&self, url: &str) -> Result<Origin, Error> {
        // What goes nowhere has none.
        self.guard.route(&base(url)?.to_string())?;
        origin_by(self.endpoints(), url)
    }

    fn is_listed(&self, host: &str) -> bool {
        self.guard.lists(host)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn grant(&self, time: Duration) {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        *end = end.saturating_add(time);
    }

    fn pause(&self, time: Duration) -> bool {
        let end = self.clock.elapsed() + time;
        loop {
            if self.clock.interrupted() {
                return false;
            }
            let left = end.saturating_sub(self.clock.elapsed());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(super::limits::LOOK));
        }
    }
}

impl Waiting for Client {
    fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    fn may_wait(&self, until: Duration) -> Result<(), Stop> {
        if self.clock.interrupted() {
            Err(Stop::Interrupted)
        } else if until >= self.end() {
            Err(Stop::Budget)
        } else {
            Ok(())
        }
    }
}

/// The client for a request that may not wait for ever.
struct Patient<'c> {
    client: &'c Client,
    /// The moment after which it waits no more.
    last: Option<Duration>,
}

impl Waiting for Patient<'_> {
    fn elapsed(&self) -> Duration {
        self.client.elapsed()
    }

    fn may_wait(&self, until: Duration) -> Result<(), Stop> {
        self.client.may_wait(until)?;
        match self.last {
            Some(last) if until > last => Err(Stop::Held),
            _ => Ok(()),
        }
    }
}

/// Whether it may help to send a read again.
fn worth_another(outcome: &Result<Reply, Error>, tries: u32) -> bool {
    match outcome {
        Ok(reply) => matches!(reply.status, 429 | 502 | 503 | 504),
        // A name that is not there and a certificate that is not trusted are so the next moment, too.
        Err(Error::Unreachable { why, .. }) => !why.starts_with("TLS") && why != NO_NAME,
        // Whoever is silent twice is not asked a third time: each costs all the time for an answer.
        Err(Error::Timeout { .. }) => tries < 2,
        Err(_) => false,
    }
}

/// How long `Retry-After` asks to wait: seconds or a date.
pub(super) fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(date.duration_since(now)).unwrap_or_default())
}

/// Any time up to a limit, each as likely.
fn jitter(most: Duration) -> Duration {
    use ring::rand::SecureRandom as _;
    let mut bytes = [0; 4];
    // Without randomness the longest is waited.
    if ring::rand::SystemRandom::new().fill(&mut bytes).is_err() {
        return most;
    }
    most.mul_f64(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
}

/// The header fields of a request, checked.
struct Fields(Vec<(HeaderName, HeaderValue)>);

impl Fields {
    fn of(request: &Request, host: &str) -> Result<Self, Error> {
        let wrong = |why: String| Error::Malformed {
            host: host.to_owned(),
            why,
        };
        let mut fields = Vec::new();
        for (name, value) in &request.headers {
            let parsed = HeaderName::from_bytes(name.as_bytes());
            let parsed = parsed.map_err(|_| wrong(format!("`{name}` is no header field")))?;
            let text = Zeroizing::new(value.wire());
            if matches!(
                parsed.as_str(),
                "content-length"
                    | "transfer-encoding"
                    | "connection"
                    | "proxy-authorization"
                    | "expect"
            ) || parsed == "host" && !text.eq_ignore_ascii_case(host)
            {
                return Err(wrong(format!("{name} is not a request's to set")));
            }
            let visible = text.bytes().all(|b| b == b'\t' || b >= b' ' && b != 0x7f);
            let value = HeaderValue::from_bytes(text.as_bytes()).ok();
            let Some(mut value) = value.filter(|_| visible) else {
                return Err(wrong(format!("{name} has a control character")));
            };
            value.set_sensitive(true);
            fields.push((parsed, value));
        }
        Ok(Self(fields))
    }
}

const NO_NAME: &str = "no such host";

/// ureq's errors in words; those of them that hold the address are not shown.
fn error_of(host: &str, error: ureq::Error, sent: bool) -> Error {
    let host = host.to_owned();
    let unreachable = |why: String, sent: bool| Error::Unreachable {
        host: host.clone(),
        why,
        sent,
    };
    match error {
        ureq::Error::Timeout(Timeout::Connect) => {
            unreachable("no connection in time".to_owned(), false)
        }
        ureq::Error::Timeout(Timeout::Resolve) => {
            unreachable("its name was not looked up in time".to_owned(), false)
        }
        ureq::Error::Timeout(_) if sent => Error::Timeout { host },
        ureq::Error::Timeout(_) => unreachable("no connection in time".to_owned(), false),
        ureq::Error::HostNotFound => unreachable(NO_NAME.to_owned(), false),
        ureq::Error::Other(why) => match why.downcast::<Refusal>() {
            Ok(refusal) => Error::Refused {
                host,
                why: refusal.0,
            },
            Err(_) => unreachable("the connection failed".to_owned(), sent),
        },
        ureq::Error::Io(error) => {
            let kind = error.kind();
            let inner = error.get_ref();
            let interrupted = inner.and_then(|inner| inner.downcast_ref::<Interrupted>());
            if interrupted.is_some() {
                if sent {
                    return unreachable("interrupted before the answer".to_owned(), true);
                }
                return Error::Interrupted { host };
            }
            if let Some(tls) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                return unreachable(tls_in_words(tls), sent);
            }
            if kind == io::ErrorKind::TimedOut && sent {
                return Error::Timeout { host };
            }
            unreachable(in_words(&error), sent)
        }
        ureq::Error::Rustls(error) => unreachable(tls_in_words(&error), sent),
        ureq::Error::Tls(why) => unreachable(format!("TLS: {why}"), sent),
        ureq::Error::TlsRequired => unreachable("TLS: none".to_owned(), sent),
        ureq::Error::ConnectProxyFailed(why) => unreachable(format!("the proxy: {why}"), false),
        ureq::Error::LargeResponseHeader(_, most) => Error::TooLong {
            host,
            limit: most as u64,
        },
        ureq::Error::Http(_) | ureq::Error::BadUri(_) => Error::Malformed {
            host,
            why: "the request cannot be written".to_owned(),
        },
        ureq::Error::Protocol(_) | ureq::Error::BodyStalled => {
            unreachable("the answer is not HTTP".to_owned(), sent)
        }
        _ => unreachable("the connection failed".to_owned(), sent),
    }
}

fn tls_in_words(error: &rustls::Error) -> String {
    let mend = match error {
        rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer) => {
            "; if the certificate is your company's, name its CA under [network] ca"
        }
        _ => "",
    };
    format!("TLS: {error}{mend}")
}

fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "refuses connections".to_owned(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "no connection in time".to_owned(),
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => "the connection was cut".to_owned(),
        _ => error.to_string(),
    }
}

/// Why an address is not connected to.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refusal(String);

fn system_lookup(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    use std::net::ToSocketAddrs as _;
    Ok((host, port).to_socket_addrs()?.collect())
}

/// Looks a host up in a thread of its own: the system's way to ask has no time limit.
fn look_up(
    lookup: &Arc<Lookup>,
    host: &str,
    port: u16,
    timeout: Duration,
) -> io::Result<Vec<SocketAddr>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let lookup = Arc::clone(lookup);
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let host = bare.unwrap_or(host).to_owned();
    std::thread::spawn(move || sender.send(lookup(&host, port)).ok());
    match receiver.recv_timeout(timeout) {
        Ok(Ok(found)) if !found.is_empty() => Ok(found),
        Ok(_) => Err(io::Error::new(io::ErrorKind::NotFound, NO_NAME)),
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "its name was not looked up in time",
        )),
    }
}

/// Looks names up and gives back only addresses that passed.
struct Names {
    guard: Arc<Guard>,
    lookup: Arc<Lookup>,
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Names")
    }
}

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        _: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let address = address_of(uri).ok_or(ureq::Error::HostNotFound)?;
        let port = address.port_used();
        let timeout = (*timeout.after).min(CONNECT);
        let found = look_up(&self.lookup, &address.host, port, timeout).map_err(|error| {
            if error.kind() == io::ErrorKind::TimedOut {
                ureq::Error::Timeout(Timeout::Resolve)
            } else {
                ureq::Error::HostNotFound
            }
        })?;
        let purpose = self.guard.purpose(address.plain, &address.host, port);
        let fine = self.guard.check(purpose, &found);
        let fine = fine.map_err(|why| ureq::Error::Other(Box::new(Refusal(why))))?;
        let mut chosen = self.empty();
        for address in fine.into_iter().take(16) {
            chosen.push(address);
        }
        Ok(chosen)
    }
}

fn address_of(uri: &Uri) -> Option<WebAddress> {
    Some(WebAddress {
        plain: uri.scheme_str()? == "http",
        host: crate::model::host_name(uri.host()?)?,
        port: uri.port_u16(),
        rest: String::new(),
    })
}

fn proxy(text: &str) -> Result<Proxy, String> {
    let shown = || {
        // A password may stand in front of the host.
        let host = text.rsplit('@').next().unwrap_or_default();
        host.chars().take(60).collect::<String>()
    };
    let wrong = || {
        format!(
            "the proxy `{}` is none that can be used; write http://host:port or https://host:port",
            shown()
        )
    };
    let proxy = Proxy::new(text).map_err(|_| wrong())?;
    match proxy.protocol() {
        ureq::ProxyProtocol::Http | ureq::ProxyProtocol::Https => Ok(proxy),
        _ => Err(wrong()),
    }
}
