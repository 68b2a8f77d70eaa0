//! Where a request may go: hosts that are listed, addresses that are nobody's own.
//!
//! A name is looked up once for a connection; what comes back is checked, and the connection is made to one of the addresses that
//! passed. So an answer that changes between looking and connecting changes nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use zeroize::Zeroizing;

use super::Error;
use crate::model::{AddressRange, HostPattern, WebAddress, host_name};

/// What a configuration says of hosts and addresses.
#[derive(Debug, Default)]
pub(super) struct Guard {
    /// Hosts of the caller's own.
    pub(super) hosts: Vec<HostPattern>,
    /// Ranges that are not refused.
    pub(super) private: Vec<AddressRange>,
    /// A provider's host, and where its requests go instead.
    pub(super) endpoints: Vec<(HostPattern, WebAddress)>,
    /// The proxy.
    pub(super) proxy: Option<WebAddress>,
    /// Hosts that are reached without it.
    pub(super) no_proxy: Vec<NoProxy>,
}

/// Where a request goes.
pub(super) struct Route {
    /// The address for the wire.
    pub(super) url: Zeroizing<String>,
    /// The host that the request names: limits and messages go by it.
    pub(super) host: String,
    /// Whether through the proxy.
    pub(super) proxied: bool,
}

impl Guard {
    /// Decides where a request goes.
    pub(super) fn route(&self, url: &str) -> Result<Route, Error> {
        let address: WebAddress = url.parse().map_err(|why: &str| Error::Malformed {
            host: "a request".to_owned(),
            why: why.to_owned(),
        })?;
        let host = address.host.clone();
        let refused = |why: &str| Error::Refused {
            host: address.authority(),
            why: why.to_owned(),
        };
        let endpoint = endpoint_of(&self.endpoints, &address);
        let listed = |port| {
            let mut hosts = self.hosts.iter();
            hosts.any(|pattern| pattern.has_port() && pattern.fits(&host, port))
        };
        let target = match endpoint {
            Some(endpoint) => {
                let path = endpoint.rest.trim_end_matches('/');
                WebAddress {
                    rest: format!("{path}{}", rooted(&address.rest)),
                    ..endpoint.clone()
                }
            }
            None if address.port.is_some() && !listed(address.port) => {
                return Err(refused(
                    "is not asked on a port of its own; list it with its port under [network] hosts, or name it under [endpoints]",
                ));
            }
            None => WebAddress {
                rest: rooted(&address.rest),
                ..address.clone()
            },
        };
        let literal = literal(&target.host);
        if target.plain && !is_local(&target.host) {
            return Err(refused(
                "is not asked over plain http; that is for loopback alone",
            ));
        }
        let scheme = if target.plain { "http" } else { "https" };
        let proxied = self.proxy.is_some()
            && !target.plain
            && !is_local(&target.host)
            && !self.no_proxy.iter().any(|entry| entry.fits(&target.host));
        // The proxy looks names up, so only addresses that are written out can be checked here.
        if let (true, Some(address)) = (proxied, literal) {
            let exempt = endpoint.is_some() || self.allows(address);
            if let Some(kind) = kind_of(address).filter(|_| !exempt) {
                return Err(Error::Refused {
                    host: target.host,
                    why: refusal(address, kind),
                });
            }
        }
        Ok(Route {
            url: Zeroizing::new(format!("{scheme}://{}{}", target.authority(), target.rest)),
            host,
            proxied,
        })
    }

    /// Whether the caller lists a host that a service of one's own may have; `host` or `host:port`.
    pub(super) fn lists(&self, host: &str) -> bool {
        let Ok(asked) = format!("https://{host}").parse::<WebAddress>() else {
            return false;
        };
        if !asked.rest.is_empty() {
            return false;
        }
        let endpoints = self.endpoints.iter().map(|(pattern, _)| pattern);
        let mut all = self.hosts.iter().chain(endpoints);
        all.any(|pattern| pattern.fits(&asked.host, asked.port))
    }

    /// Whether a connection may be made to a host's port.
    pub(super) fn lists_port(&self, host: &str, port: u16) -> bool {
        let Some(host) = host_name(host) else {
            return false;
        };
        self.hosts.iter().any(|p| p.fits(&host, Some(port)))
    }

    /// Whether a range of the caller's holds an address.
    pub(super) fn allows(&self, address: IpAddr) -> bool {
        self.private.iter().any(|range| range.contains(address))
    }

    /// The addresses of an answer that may be connected to, at least one.
    ///
    /// # Errors
    /// Why none may, with the mend.
    pub(super) fn check(
        &self,
        purpose: Purpose,
        addresses: &[SocketAddr],
    ) -> Result<Vec<SocketAddr>, String> {
        let mut why = "has no address".to_owned();
        let mut fine = Vec::new();
        for address in addresses {
            let ip = address.ip();
            let trusted = match purpose {
                Purpose::Own => true,
                Purpose::Plain { own } => {
                    if !canonical(ip).is_loopback() {
                        why = format!("{ip} is not loopback, and plain http is for that alone");
                        continue;
                    }
                    own
                }
                Purpose::Other => false,
            };
            match kind_of(ip) {
                Some(kind) if !trusted && !self.allows(ip) => why = refusal(ip, kind),
                _ => fine.push(*address),
            }
        }
        if fine.is_empty() { Err(why) } else { Ok(fine) }
    }

    /// What a connection to an address is for.
    pub(super) fn purpose(&self, plain: bool, host: &str, port: u16) -> Purpose {
        let is =
            |own: &WebAddress| own.plain == plain && own.host == host && own.port_used() == port;
        if self.proxy.as_ref().is_some_and(is) {
            return Purpose::Own;
        }
        let own = self.endpoints.iter().any(|(_, endpoint)| is(endpoint));
        match (plain, own) {
            (true, own) => Purpose::Plain { own },
            (false, true) => Purpose::Own,
            (false, false) => Purpose::Other,
        }
    }
}

/// What is asked in place of an address. An endpoint without a port stands for the usual port of the provider alone.
pub(super) fn endpoint_of<'e>(
    endpoints: &'e [(HostPattern, WebAddress)],
    address: &WebAddress,
) -> Option<&'e WebAddress> {
    let mut endpoints = endpoints.iter();
    let fits = |(pattern, _): &&(HostPattern, WebAddress)| {
        pattern.has_port() == address.port.is_some() && pattern.fits(&address.host, address.port)
    };
    endpoints.find(fits).map(|(_, endpoint)| endpoint)
}

/// What a connection is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// To an endpoint or proxy of the caller's own: any address.
    Own,
    /// Without TLS: loopback alone; `own` where the caller names it as an endpoint.
    Plain {
        /// Whether the caller names it.
        own: bool,
    },
    /// Anything else.
    Other,
}

/// An entry of `NO_PROXY`.
#[derive(Debug, Clone)]
pub(super) enum NoProxy {
    /// `*`
    All,
    /// A host and all below it.
    Name(String),
    /// Addresses.
    Range(AddressRange),
}

impl NoProxy {
    /// The entries of a list between commas; what is none fits nothing.
    pub(super) fn list(text: &str) -> Vec<Self> {
        let entries = text.split([',', ' ']).map(str::trim);
        entries
            .filter_map(|entry| {
                if entry == "*" {
                    return Some(Self::All);
                }
                if let Ok(range) = entry.parse() {
                    return Some(Self::Range(range));
                }
                let name = entry.trim_start_matches("*.").trim_start_matches('.');
                host_name(name).map(Self::Name)
            })
            .collect()
    }

    fn fits(&self, host: &str) -> bool {
        match self {
            Self::All => true,
            Self::Name(name) => host
                .strip_suffix(&**name)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.')),
            Self::Range(range) => literal(host).is_some_and(|ip| range.contains(ip)),
        }
    }
}

/// A path and query with `/` in front.
fn rooted(rest: &str) -> String {
    if rest.starts_with('/') {
        rest.to_owned()
    } else {
        format!("/{rest}")
    }
}

/// The address that a host is, if it is one.
fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok()
}

/// Whether a host is this machine by its name or address; what it is looked up as is checked all the same.
fn is_local(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || literal(host).is_some_and(|ip| canonical(ip).is_loopback())
}

fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

fn refusal(address: IpAddr, kind: &str) -> String {
    let length = if address.is_ipv4() { 32 } else { 128 };
    format!(
        "{address} is {kind}, and secrets are not sent there; list it under [network] private, such as \"{address}/{length}\", if it is meant"
    )
}

/// What an address is that no public service has; `None` for a public one.
pub(super) fn kind_of(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => kind_of_v4(address),
        IpAddr::V6(address) => kind_of_v6(address),
    }
}

fn kind_of_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = address.octets();
    Some(match (a, b, c) {
        (0, ..) => "unspecified",
        (127, ..) => "loopback",
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => "private",
        (169, 254, _) => "link-local",
        (100, 64..=127, _) => "of a carrier's own network",
        (192, 0, 2) | (198, 51, 100) | (203, 0, 113) => "for documentation",
        (192, 88, 99) => "a relay",
        (198, 18..=19, _) => "for measurements",
        (224..=239, ..) => "multicast",
        (192, 0, 0) | (240.., ..) => "reserved",
        // Azure's machine services; those of the others have link-local addresses or a carrier's.
        (168, 63, 129) => "a cloud's own",
        _ => return None,
    })
}

fn kind_of_v6(address: Ipv6Addr) -> Option<&'static str> {
    if let Some(inner) = address.to_ipv4_mapped() {
        return kind_of_v4(inner);
    }
    let parts = address.segments();
    let v4 = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    Some(match parts {
        [0, 0, 0, 0, 0, 0, 0, 0] => "unspecified",
        [0, 0, 0, 0, 0, 0, 0, 1] => "loopback",
        // Addresses that have an IPv4 address in them are what that one is.
        [0, 0, 0, 0, 0, 0, ..] => "reserved",
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => return kind_of_v4(v4(high, low)),
        [0x64, 0xff9b, ..] => "private",
        [0x2002, high, low, ..] => kind_of_v4(v4(high, low)).unwrap_or("a relay"),
        [0x2001, 0x0db8, ..] => "for documentation",
        [0x3fff, second, ..] if second < 0x1000 => "for documentation",
        // Teredo, benchmarking, ORCHID and whatever else is no one's network.
        [0x2001, second, ..] if second < 0x200 => "reserved",
        [first, ..] if first & 0xfe00 == 0xfc00 => "private",
        [first, ..] if first & 0xffc0 == 0xfe80 => "link-local",
        [first, ..] if first & 0xffc0 == 0xfec0 => "private",
        [first, ..] if first & 0xff00 == 0xff00 => "multicast",
        // Only 2000::/3 has been given to anybody.
        [first, ..] if first & 0xe000 != 0x2000 => "reserved",
        _ => return None,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_public_networks_pass() {
        for refused in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "169.254.170.2",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::8.8.8.8",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:0808:0808::1",
            "3fff::1",
            "4000::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            let address: IpAddr = refused.parse().unwrap();
            assert!(kind_of(address).is_some(), "{refused}");
        }
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2001:4860:4860::8888",
            "2606:4700:4700::1111",
        ] {
            let address: IpAddr = public.parse().unwrap();
            assert_eq!(kind_of(address), None, "{public}");
        }
    }

    fn guard() -> Guard {
        Guard {
            hosts: vec!["gitlab.example:8443".parse().unwrap()],
            endpoints: vec![(
                "api.github.com".parse().unwrap(),
                "https://ghe.example:444/api/v3/".parse().unwrap(),
            )],
            ..Guard::default()
        }
    }

    #[test]
    fn an_endpoint_takes_scheme_host_port_and_puts_its_path_in_front() {
        let url = |url: &str| guard().route(url).map(|route| route.url.to_string());
        let there = "https://ghe.example:444/api/v3/user?a=b";
        assert_eq!(url("https://API.github.com/user?a=b").unwrap(), there);
        let query = url("https://api.github.com?a=b").unwrap();
        assert_eq!(query, "https://ghe.example:444/api/v3/?a=b");
        let other = url("https://api.github.com.evil.example/user").unwrap();
        assert_eq!(other, "https://api.github.com.evil.example/user");
        assert_eq!(
            url("https://gitlab.example:8443").unwrap(),
            "https://gitlab.example:8443/"
        );
    }

    #[test]
    fn what_is_no_plain_address_of_a_host_goes_nowhere() {
        for url in [
            "https://api.github.com@evil.example/",
            "https://api.github.com:x@evil.example/",
            "https://api.github.com:8080/",
            "https://gitlab.example:8444/",
            "http://api.example.org/",
            "http://10.0.0.1/",
            "https://evil.example\\.github.com/",
            "https://api.github.com/#@evil.example",
            "file:///etc/passwd",
        ] {
            let outcome = guard().route(url).err();
            assert!(
                matches!(
                    outcome,
                    Some(Error::Refused { .. } | Error::Malformed { .. })
                ),
                "{url}: {outcome:?}"
            );
        }
    }

    #[test]
    fn a_proxy_looks_names_up_but_is_given_no_address_of_a_private_network() {
        let guard = Guard {
            proxy: Some("http://proxy.example:3128".parse().unwrap()),
            no_proxy: NoProxy::list("internal.example, .corp.example,10.0.0.0/8"),
            ..Guard::default()
        };
        let proxied = |url: &str| guard.route(url).map(|route| route.proxied);
        assert_eq!(proxied("https://api.github.com/"), Ok(true));
        assert_eq!(proxied("https://a.internal.example/"), Ok(false));
        assert_eq!(proxied("https://corp.example/"), Ok(false));
        assert_eq!(proxied("https://notcorp.example/"), Ok(true));
        assert_eq!(proxied("https://10.1.1.1/"), Ok(false));
        assert_eq!(proxied("https://localhost/"), Ok(false));
        for url in [
            "https://169.254.169.254/",
            "https://[::ffff:169.254.169.254]/",
        ] {
            assert!(matches!(proxied(url), Err(Error::Refused { .. })), "{url}");
        }
    }
}
