//! The only door to the network: one blocking HTTP client and guarded connections, behind a trait.
//!
//! Where a request may go is decided here, from rules and the caller's own configuration; nothing of a scanned tree is asked. Nothing
//! here knows of findings or providers.

mod guard;
mod http;
mod limits;
mod over;
mod request;
mod transport;

use std::fmt;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{AddressRange, HostPattern, WebAddress};

pub use http::{Client, Lookup};
pub use over::Over;
pub use request::{Piece, Reply, Request, Text};

/// What providers reach the network with; tests and dry runs have their own.
pub trait Net: Sync {
    /// Sends a request and gives the answer, whatever its status. Redirects are not followed: they are answers. A request that
    /// [`Request::is_read`] says is a read is repeated within the limits where that helps; any other is sent once at most.
    ///
    /// # Errors
    /// [`Error`] where there is no answer, or none that may be read.
    fn send(&self, request: &Request) -> Result<Reply, Error>;

    /// Opens a TCP connection to a host that the caller lists; its address is checked and pinned.
    ///
    /// # Errors
    /// [`Error`] where the host is not listed, its address is refused, or nothing answers.
    fn dial(&self, host: &str, port: u16) -> Result<TcpStream, Error>;

    /// The TLS settings of the run: the system's trust and the caller's own CA.
    fn tls(&self) -> Arc<rustls::ClientConfig>;

    /// What the caller's `[endpoints]` say: a provider's host, and what is asked in its place.
    fn endpoints(&self) -> &[(HostPattern, WebAddress)] {
        &[]
    }

    /// Where a request to an address would go; nothing is sent, and of the address the host alone is looked at.
    ///
    /// # Errors
    /// Why it would go nowhere.
    fn origin(&self, url: &str) -> Result<Origin, Error> {
        origin_by(self.endpoints(), url)
    }

    /// Whether the caller lists a host that a self-hosted service may have.
    fn is_listed(&self, host: &str) -> bool;

    /// The time now.
    fn now(&self) -> Timestamp;

    /// Waits, unless the run is interrupted; says whether it may go on.
    fn pause(&self, time: Duration) -> bool;

    /// Adds to the time that the run may take: for a wait that belongs to what is done, however many of them there are. Where a run
    /// may take any time, nothing happens.
    fn grant(&self, _: Duration) {}
}

/// Where requests to a host go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The host that is named, with scheme and port: `https://api.github.com`; of a login `host:port`.
    pub named: String,
    /// What is asked instead: the same, or what the caller's `[endpoints]` say, with the path that they put in front.
    pub at: String,
}

impl Origin {
    /// Whether the host that is named is the one that is asked.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.named == self.at
    }
}

/// Where a request to an address goes by these `[endpoints]`; of the address the host alone is looked at.
///
/// # Errors
/// Where it is no address.
pub fn origin_by(endpoints: &[(HostPattern, WebAddress)], url: &str) -> Result<Origin, Error> {
    let named = base(url)?;
    let at = guard::endpoint_of(endpoints, &named).unwrap_or(&named);
    let shown = |address: &WebAddress| address.to_string().trim_end_matches('/').to_owned();
    Ok(Origin {
        at: shown(at),
        named: shown(&named),
    })
}

/// Scheme, host and port of an address.
fn base(url: &str) -> Result<WebAddress, Error> {
    let malformed = |why: &str| Error::Malformed {
        host: "a request".to_owned(),
        why: why.to_owned(),
    };
    let scheme = url.find("://").map_or(0, |at| at + 3);
    let after = url.get(scheme..).unwrap_or_default();
    let end = after.find(['/', '?', '#']).unwrap_or(after.len());
    url.get(..scheme + end)
        .unwrap_or_default()
        .parse()
        .map_err(malformed)
}

/// Requests as they are shown ([`Request::shown`], one below the other), each with the address that it goes to where that is another:
/// `GET https://ghe.example.org/api/v3/user  (for api.github.com)`.
#[must_use]
pub fn placed(net: &dyn Net, requests: &str) -> String {
    let parts = requests.split("\n\n").map(|part| {
        let (line, rest) = part.split_at(part.find('\n').unwrap_or(part.len()));
        match placed_line(net, line) {
            Some(line) => format!("{line}{rest}"),
            None => part.to_owned(),
        }
    });
    parts.collect::<Vec<_>>().join("\n\n")
}

/// The line of a request that goes to another host than it names; `None` for any other line.
fn placed_line(net: &dyn Net, line: &str) -> Option<String> {
    let (method, url) = line.split_once(' ')?;
    if !method.bytes().all(|b| b.is_ascii_uppercase()) {
        return None;
    }
    let origin = net.origin(url).ok().filter(|origin| !origin.is_own())?;
    let host = base(url).ok()?.authority();
    // What is shown may be written otherwise; its host ends where the path begins.
    let path = url.get(url.find("://")? + 3..)?;
    let path = path.get(path.find(['/', '?']).unwrap_or(path.len())..)?;
    Some(format!("{method} {}{path}  (for {host})", origin.at))
}

/// The time, and whether the run goes on, from whoever may look.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Time since a moment that stays the same; it never goes back.
    fn elapsed(&self) -> Duration;

    /// Whether the run is interrupted.
    fn interrupted(&self) -> bool;
}

/// What a [`Client`] is made of; all of it is the caller's own.
pub struct Settings {
    /// A provider's host, and where its requests go instead: scheme, host and port, and what stands in front of the path.
    pub endpoints: Vec<(HostPattern, WebAddress)>,
    /// Hosts of the caller's own that credentials may be sent to.
    pub hosts: Vec<HostPattern>,
    /// Ranges of addresses that are refused otherwise.
    pub private: Vec<AddressRange>,
    /// Certificates to trust beside the system's, PEM; empty for none.
    pub ca: Vec<u8>,
    /// For one answer.
    pub timeout: Duration,
    /// For the run; [`Net::grant`] adds to it.
    pub budget: Duration,
    /// `http://host:port` or `https://host:port`, perhaps with a user.
    pub proxy: Option<String>,
    /// Hosts that are reached without the proxy, between commas; empty for none.
    pub no_proxy: String,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Looks hosts up; the system does where there is none.
    pub lookup: Option<Arc<Lookup>>,
}

impl Settings {
    /// The defaults: 10 seconds for an answer, 300 for the run, nothing listed.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            endpoints: Vec::new(),
            hosts: Vec::new(),
            private: Vec::new(),
            ca: Vec::new(),
            timeout: Duration::from_secs(10),
            budget: Duration::from_secs(300),
            proxy: None,
            no_proxy: String::new(),
            clock,
            lookup: None,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").finish_non_exhaustive()
    }
}

/// Why there is no answer. No text holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Name, connection or TLS; nothing was answered.
    #[error("{host}: {why}")]
    Unreachable {
        /// The host.
        host: String,
        /// In words.
        why: String,
        /// Whether the request may have arrived all the same: a change may have been made.
        sent: bool,
    },
    /// No answer in time; the request may have arrived.
    #[error("{host}: no answer in time")]
    Timeout {
        /// The host.
        host: String,
    },
    /// The host is not one that secrets may be sent to.
    #[error("{host}: {why}")]
    Refused {
        /// The host.
        host: String,
        /// In words, with the mend.
        why: String,
    },
    /// The answer is longer than may be read.
    #[error("{host}: the answer is longer than {limit} bytes")]
    TooLong {
        /// The host.
        host: String,
        /// In bytes.
        limit: u64,
    },
    /// The request cannot be written: a control character in a header, say.
    #[error("{host}: {why}")]
    Malformed {
        /// The host.
        host: String,
        /// In words.
        why: String,
    },
    /// The time that the run may take is over.
    #[error("{host}: not asked, the time for it is over")]
    Budget {
        /// The host.
        host: String,
    },
    /// It would have had to wait longer than it may.
    #[error("{host}: not asked, it wants to be left alone for longer than there is time")]
    Held {
        /// The host.
        host: String,
    },
    /// The run was interrupted before the request was sent.
    #[error("{host}: interrupted")]
    Interrupted {
        /// The host.
        host: String,
    },
}
