//! A network over another: what it changes, and all else as that does it.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{Error, Net, Origin, Reply, Request};
use crate::model::{HostPattern, WebAddress};

/// What passes what it does not change on to another network; it is a [`Net`] itself.
pub trait Over: Sync {
    /// The network below.
    fn below(&self) -> &dyn Net;

    /// See [`Net::send`].
    ///
    /// # Errors
    /// As there.
    fn pass(&self, request: &Request) -> Result<Reply, Error> {
        self.below().send(request)
    }

    /// See [`Net::dial`].
    ///
    /// # Errors
    /// As there.
    fn connect(&self, host: &str, port: u16) -> Result<TcpStream, Error> {
        self.below().dial(host, port)
    }

    /// Whether there is anything to wait for.
    fn waits(&self) -> bool {
        true
    }
}

impl<T: Over> Net for T {
    fn send(&self, request: &Request) -> Result<Reply, Error> {
        self.pass(request)
    }

    fn dial(&self, host: &str, port: u16) -> Result<TcpStream, Error> {
        self.connect(host, port)
    }

    fn tls(&self) -> Arc<rustls::ClientConfig> {
        self.below().tls()
    }

    fn endpoints(&self) -> &[(HostPattern, WebAddress)] {
        self.below().endpoints()
    }

    fn origin(&self, url: &str) -> Result<Origin, Error> {
        self.below().origin(url)
    }

    fn is_listed(&self, host: &str) -> bool {
        self.below().is_listed(host)
    }

    fn now(&self) -> Timestamp {
        self.below().now()
    }

    fn pause(&self, time: Duration) -> bool {
        self.waits() && self.below().pause(time)
    }

    fn grant(&self, time: Duration) {
        if self.waits() {
            self.below().grant(time);
        }
    }
}
