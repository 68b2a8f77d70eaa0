//! What lies between ureq and a socket: TLS with settings of our own, waits that end with the run, and a note of when a request left.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
    TransportAdapter, time,
};
use zeroize::Zeroize;

use super::Clock;

/// The trust of the system where there is one, else that of browsers; the caller's own on top.
pub(super) fn tls_settings(ca: &[u8]) -> Result<rustls::ClientConfig, String> {
    let mut own = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(ca) {
        own.push(certificate.map_err(|error| format!("holds no PEM certificates: {error}"))?);
    }
    if own.is_empty() && !ca.is_empty() {
        return Err(
            "holds no certificate; a PEM file begins with -----BEGIN CERTIFICATE-----".to_owned(),
        );
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = [&rustls::version::TLS13, &rustls::version::TLS12];
    let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(|error| format!("TLS cannot be set up: {error}"))?;
    let unusable =
        |error: rustls::Error| format!("holds a certificate that cannot be used: {error}");
    let system = rustls_platform_verifier::Verifier::new(Arc::clone(&provider)).is_ok();
    if system {
        let verifier = rustls_platform_verifier::Verifier::new_with_extra_roots(own, provider);
        let verifier = Arc::new(verifier.map_err(unusable)?);
        return Ok(builder
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth());
    }
    let mut roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    for certificate in own {
        roots.add(certificate).map_err(unusable)?;
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// The run was interrupted.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub(super) struct Interrupted;

/// Waits in small steps, so that an interrupted run need not wait for a silent server.
pub(super) struct Watch(pub(super) Arc<dyn Clock>);

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

impl<In: Transport> Connector<In> for Watch {
    type Out = Watched<In>;

    fn connect(
        &self,
        _: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        Ok(chained.map(|inner| Watched {
            inner,
            clock: Arc::clone(&self.0),
        }))
    }
}

pub(super) struct Watched<In> {
    inner: In,
    clock: Arc<dyn Clock>,
}

impl<In> fmt::Debug for Watched<In> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watched")
    }
}

impl<In: Transport> Transport for Watched<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let begun = self.clock.elapsed();
        loop {
            if self.clock.interrupted() {
                return Err(io::Error::other(Interrupted).into());
            }
            let mut step = timeout;
            let waited = self.clock.elapsed().saturating_sub(begun);
            let left = (*timeout.after).saturating_sub(waited);
            let last = left <= STEP;
            step.after = time::Duration::Exact(left.min(STEP));
            match self.inner.await_input(step) {
                Err(ureq::Error::Timeout(_)) if !last => {}
                outcome => return outcome,
            }
        }
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// How long a step of waiting is.
const STEP: Duration = Duration::from_millis(200);

/// TLS with the settings of the run.
pub(super) struct Tls(pub(super) Arc<rustls::ClientConfig>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl<In: Transport> Connector<In> for Tls {
    type Out = Either<In, Encrypted>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(transport) = chained else {
            return Ok(None);
        };
        if !details.needs_tls() || transport.is_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let host = details.uri.host().unwrap_or_default();
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let name = ServerName::try_from(bare.unwrap_or(host).to_owned());
        let name = name.map_err(|_| ureq::Error::Tls("the host's name is none"))?;
        let mut connection = rustls::ClientConnection::new(Arc::clone(&self.0), name)?;
        let clock = Arc::clone(&details.current_time);
        let mut socket = TransportAdapter::new(transport.boxed(), clock);
        socket.set_timeout(details.timeout);
        connection.complete_io(&mut socket)?;
        Ok(Some(Either::B(Encrypted {
            buffers: LazyBuffers::new(
                details.config.input_buffer_size(),
                details.config.output_buffer_size(),
            ),
            stream: rustls::StreamOwned::new(connection, socket),
        })))
    }
}

pub(super) struct Encrypted {
    buffers: LazyBuffers,
    stream: rustls::StreamOwned<rustls::ClientConnection, TransportAdapter>,
}

impl fmt::Debug for Encrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encrypted")
    }
}

impl Transport for Encrypted {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        use io::Write as _;
        self.stream.get_mut().set_timeout(timeout);
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        self.stream.write_all(output)?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.get_mut().set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.get_mut().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl Drop for Encrypted {
    fn drop(&mut self) {
        self.buffers.output().zeroize();
    }
}

thread_local! {
    /// Whether a byte of the request that this thread sends has left. A request is written by the thread that asked for it.
    pub(super) static SENT: Cell<bool> = const { Cell::new(false) };
}

/// Notes when a request begins to leave: from then on it may have had its effect.
#[derive(Debug)]
pub(super) struct Mark {
    /// Whether a proxy is used; the connection to the proxy itself does not count.
    pub(super) proxied: bool,
}

impl<In: Transport> Connector<In> for Mark {
    type Out = Marked<In>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        Ok(chained.map(|inner| Marked {
            inner,
            counts: details.config.proxy().is_some() == self.proxied,
        }))
    }
}

#[derive(Debug)]
pub(super) struct Marked<In> {
    inner: In,
    counts: bool,
}

impl<In: Transport> Transport for Marked<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        if self.counts {
            SENT.set(true);
        }
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
