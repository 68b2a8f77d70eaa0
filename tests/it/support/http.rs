//! A provider on loopback: a small HTTP server that answers what a test says, and keeps what it was asked.
//!
//! A connection has a thread of its own and may carry several requests. With TLS the certificate comes from a test authority, which
//! a client must be told to trust.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `GET`, `POST`, ….
    pub method: String,
    /// Path and query, as on the wire.
    pub target: String,
    /// Header fields in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// When its last byte had arrived.
    pub at: Instant,
    /// Which request of the server it is, from 0.
    pub number: usize,
}

impl Seen {
    /// The target without its query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    /// The first header field of a name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        all.find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `Null` where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Whether a text stands anywhere in the request.
    pub fn holds(&self, text: &str) -> bool {
        let mut headers = self.headers.iter();
        self.target.contains(text)
            || self.text().contains(text)
            || headers.any(|(_, value)| value.contains(text))
    }
}

/// What the server does with a request.
#[derive(Debug, Clone)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    delay: Duration,
    end: End,
}

/// How an answer ends.
#[derive(Debug, Clone, Copy)]
enum End {
    /// As it should.
    Whole,
    /// The connection is cut before the first byte.
    Unanswered,
    /// The connection is cut after half the body.
    Half,
    /// The body never ends: its bytes come again and again, chunked.
    Endless,
    /// The bytes are sent as they are, without a status line of the server's.
    Raw,
}

impl Answer {
    /// An answer without a body.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            delay: Duration::ZERO,
            end: End::Whole,
        }
    }

    /// 200 with JSON.
    pub fn json(body: &Value) -> Self {
        Self::status(200).with_json(body)
    }

    /// No answer: the connection is cut once the request has arrived.
    pub fn cut() -> Self {
        Self {
            end: End::Unanswered,
            ..Self::status(200)
        }
    }

    /// Bytes for the wire, whatever they are; the connection is closed behind them.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            end: End::Raw,
            ..Self::status(200).with_body("", bytes)
        }
    }

    /// The same with a header field.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with a body.
    pub fn with_body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.with_header("Content-Type", content_type)
    }

    /// The same with a body whose type a header field says already.
    pub fn with_raw_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The same with a body of JSON.
    pub fn with_json(self, body: &Value) -> Self {
        self.with_body("application/json", body.to_string())
    }

    /// The same, that long after the request.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// The same, cut after half the body.
    pub fn half(mut self) -> Self {
        self.end = End::Half;
        self
    }

    /// The same with a body that repeats for ever.
    pub fn endless(mut self) -> Self {
        self.end = End::Endless;
        self
    }

    /// Writes it; whether the connection stays.
    fn write(&self, method: &str, out: &mut dyn Write) -> io::Result<bool> {
        match self.end {
            End::Unanswered => return Ok(false),
            End::Raw => {
                out.write_all(&self.body)?;
                out.flush()?;
                return Ok(false);
            }
            End::Whole | End::Half | End::Endless => {}
        }
        let mut head = Vec::new();
        write!(head, "HTTP/1.1 {} Test\r\n", self.status)?;
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n")?;
        }
        let bare = matches!(self.status, 204 | 304);
        if matches!(self.end, End::Endless) {
            head.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
            out.write_all(&head)?;
            let chunk = self.body.repeat((4096 / self.body.len().max(1)).max(1));
            loop {
                write!(out, "{:x}\r\n", chunk.len())?;
                out.write_all(&chunk)?;
                out.write_all(b"\r\n")?;
            }
        }
        if !bare {
            write!(head, "Content-Length: {}\r\n", self.body.len())?;
        }
        head.extend_from_slice(b"\r\n");
        out.write_all(&head)?;
        let length = match self.end {
            End::Half => self.body.len() / 2,
            _ => self.body.len(),
        };
        if !bare && method != "HEAD" {
            out.write_all(&self.body[..length])?;
        }
        out.flush()?;
        Ok(matches!(self.end, End::Whole))
    }
}

type Script = dyn Fn(&Seen) -> Answer + Send + Sync;

struct State {
    script: Box<Script>,
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    most_open: AtomicUsize,
    stop: AtomicBool,
    tls: Option<Arc<rustls::ServerConfig>>,
}

/// The server; it stops when it is dropped.
pub struct Server {
    address: SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// A server without TLS on a free port of 127.0.0.1.
    pub fn start(script: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        Self::with(Box::new(script), None)
    }

    /// One that gives these answers in turn, and the last one from then on.
    pub fn of(answers: impl IntoIterator<Item = Answer>) -> Self {
        let answers: Vec<Answer> = answers.into_iter().collect();
        Self::start(move |seen| answers[seen.number.min(answers.len() - 1)].clone())
    }

    /// One with TLS, whose certificate a test authority made.
    pub fn tls(
        authority: &Authority,
        script: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::with(Box::new(script), Some(authority.server()))
    }

    fn with(script: Box<Script>, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            script,
            seen: Mutex::default(),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            most_open: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            tls,
        });
        let shared = Arc::clone(&state);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.stop.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    // A client that goes away ends its connection, which is no failure of the server.
                    let _ = talk(&shared, stream);
                });
            }
        });
        Self {
            address,
            state,
            thread: Some(thread),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`, or with TLS `https://localhost:PORT`.
    pub fn url(&self) -> String {
        match self.state.tls {
            None => format!("http://{}", self.address),
            Some(_) => format!("https://localhost:{}", self.address.port()),
        }
    }

    /// The requests so far, in the order of their arrival.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap().clone()
    }

    /// How many requests of a method and a path (without query) there were.
    pub fn count(&self, method: &str, path: &str) -> usize {
        let seen = self.seen();
        let fits = |seen: &&Seen| seen.method == method && seen.path() == path;
        seen.iter().filter(fits).count()
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// How many requests were being answered at one time, at the most.
    pub fn most_at_once(&self) -> usize {
        self.state.most_open.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::SeqCst);
        // The thread that waits for connections looks at the flag with the next one.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn talk(state: &State, stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.set_write_timeout(Some(Duration::from_secs(30)))?;
    stream.set_nodelay(true)?;
    match &state.tls {
        None => converse(state, BufReader::new(stream)),
        Some(config) => {
            let connection = rustls::ServerConnection::new(Arc::clone(config)).unwrap();
            let tls = rustls::StreamOwned::new(connection, stream);
            converse(state, BufReader::new(tls))
        }
    }
}

fn converse<S: Read + Write>(state: &State, mut stream: BufReader<S>) -> io::Result<()> {
    while let Some(mut seen) = request(&mut stream)? {
        {
            let mut all = state.seen.lock().unwrap();
            seen.number = all.len();
            all.push(seen.clone());
        }
        let open = state.open.fetch_add(1, Ordering::SeqCst) + 1;
        state.most_open.fetch_max(open, Ordering::SeqCst);
        let answer = (state.script)(&seen);
        thread::sleep(answer.delay);
        state.open.fetch_sub(1, Ordering::SeqCst);
        let stays = answer.write(&seen.method, stream.get_mut())?;
        if !stays || state.stop.load(Ordering::SeqCst) {
            break;
        }
    }
    Ok(())
}

/// The next request of a connection; `None` where the client is done.
fn request(stream: &mut impl BufRead) -> io::Result<Option<Seen>> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut seen = Seen {
        method,
        target,
        headers,
        body: Vec::new(),
        at: Instant::now(),
        number: 0,
    };
    let chunked = seen
        .header("Transfer-Encoding")
        .is_some_and(|coding| coding.contains("chunked"));
    if chunked {
        loop {
            let mut size = String::new();
            stream.read_line(&mut size)?;
            let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk)?;
            if size == 0 {
                break;
            }
            seen.body.extend_from_slice(&chunk[..size]);
        }
    } else if let Some(length) = seen.header("Content-Length") {
        seen.body = vec![0; length.parse().map_err(io::Error::other)?];
        stream.read_exact(&mut seen.body)?;
    }
    seen.at = Instant::now();
    Ok(Some(seen))
}

/// A certificate authority of the tests.
pub struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    certificate: String,
}

impl Authority {
    /// A new one.
    pub fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: rcgen::Issuer::new(params, key),
            certificate,
        }
    }

    /// Its certificate, for a client to trust.
    pub fn pem(&self) -> &str {
        &self.certificate
    }

    /// A certificate for `localhost`, 127.0.0.1 and `api.example.test`, and its key, both PEM: for servers that are other programs.
    pub fn localhost(&self) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let names = ["localhost", "127.0.0.1", "api.example.test"].map(str::to_owned);
        let params = rcgen::CertificateParams::new(names).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn server(&self) -> Arc<rustls::ServerConfig> {
        use rustls::pki_types::pem::PemObject;
        use rustls::pki_types::{CertificateDer, PrivateKeyDer};
        let (certificate, key) = self.localhost();
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        Arc::new(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_answers_in_turn_and_keeps_what_it_was_asked() {
        let server = Server::of([Answer::status(500), Answer::json(&Value::Bool(true))]);
        let mut stream = TcpStream::connect(server.address()).unwrap();
        for _ in 0..2 {
            stream
                .write_all(b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
                .unwrap();
        }
        let mut text = String::new();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 500 "), "{text}");
        assert!(text.ends_with("\r\n\r\ntrue"), "{text}");
        assert_eq!((server.count("POST", "/a"), server.connections()), (2, 1));
        assert!(server.seen()[1].holds("hi"));
    }
}
