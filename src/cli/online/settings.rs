//! From flags to the network's client: nothing is reached yet.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use keysweep::net::{Error, Net, Reply, Request};

use crate::cli::args::CommonArgs;
use crate::cli::progress::stopped;

/// Flags of the network.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct NetworkArgs {}

/// The client.
pub(crate) struct Client(Option<String>);

/// Makes the client.
#[expect(clippy::unnecessary_wraps, reason = "a stand-in")]
pub(crate) fn client(_: &NetworkArgs, _: &CommonArgs) -> anyhow::Result<Client> {
    Ok(Client(std::env::var("KEYSWEEP_STAND_IN").ok()))
}

impl Net for Client {
    fn send(&self, request: &Request) -> Result<Reply, Error> {
        let url = request.url.wire();
        let rest = url.strip_prefix("https://").unwrap_or(&url);
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let fail = |e: std::io::Error| Error::Unreachable {
            host: host.to_owned(),
            why: e.to_string(),
            sent: false,
        };
        let to = self.0.clone().unwrap_or("127.0.0.1:9".to_owned());
        let mut stream = TcpStream::connect(to).map_err(fail)?;
        let mut text = format!("{} /{path} HTTP/1.0\r\nHost: {host}\r\n", request.method);
        for (name, value) in &request.headers {
            text.push_str(&format!("{name}: {}\r\n", value.wire()));
        }
        let body = request.body.as_ref().map(keysweep::net::Text::wire);
        let body = body.unwrap_or_default();
        text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        stream.write_all(text.as_bytes()).map_err(fail)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).map_err(fail)?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok());
        let headers = head.lines().skip(1).filter_map(|l| l.split_once(": "));
        let headers = headers.map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
        Ok(Reply::new(
            status.unwrap_or(0),
            headers,
            body.as_bytes().to_vec(),
        ))
    }

    fn dial(&self, host: &str, _: u16) -> Result<TcpStream, Error> {
        let host = host.to_owned();
        Err(Error::Timeout { host })
    }

    fn tls(&self) -> Arc<rustls::ClientConfig> {
        let roots = rustls::RootCertStore::empty();
        let config = rustls::ClientConfig::builder().with_root_certificates(roots);
        Arc::new(config.with_no_client_auth())
    }

    fn is_listed(&self, _: &str) -> bool {
        false
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn pause(&self, time: Duration) -> bool {
        std::thread::sleep(time);
        !stopped()
    }
}
