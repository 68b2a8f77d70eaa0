//! Hosts, ranges of addresses and web addresses as people write them in a configuration, and as requests carry them.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// A range of addresses, `10.0.0.0/8` or `fd00::/8`; a single address is a range of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRange {
    /// Of an IPv4 address the IPv6-mapped form.
    first: u128,
    /// Leading bits that count, of 128.
    bits: u32,
}

impl AddressRange {
    /// Whether an address is in it; an IPv6-mapped one counts as the IPv4 address that it is.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        (number(address) ^ self.first) & self.mask() == 0
    }

    fn mask(self) -> u128 {
        u128::MAX.checked_shl(128 - self.bits).unwrap_or(0)
    }
}

fn number(address: IpAddr) -> u128 {
    let wide = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    u128::from(wide)
}

impl FromStr for AddressRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{}` is no range of addresses; write one such as 10.0.0.0/8 or fd00::/8",
                short(text)
            )
        };
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => all,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse::<u32>().map_err(|_| wrong())?
            }
            Some(_) => return Err(wrong()),
        };
        if length > all {
            return Err(wrong());
        }
        let range = Self {
            first: number(address),
            bits: 128 - all + length,
        };
        let lowest = range.first & range.mask();
        if lowest != range.first {
            let lowest = Ipv6Addr::from(lowest);
            let lowest = lowest
                .to_ipv4_mapped()
                .filter(|_| address.is_ipv4())
                .map_or(IpAddr::V6(lowest), IpAddr::V4);
            return Err(format!(
                "`{}` begins in the middle of a range; write {lowest}/{length}",
                short(text)
            ));
        }
        Ok(range)
    }
}

/// A host that is listed: `db.example.org`, with `*.` in front of it every host below it, with `:PORT` behind it that port alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    name: String,
    below: bool,
    port: Option<u16>,
}

impl HostPattern {
    /// Whether a host fits, as [`host_name`] writes it. A pattern without a port fits every port; no port is the usual one of the
    /// service.
    #[must_use]
    pub fn fits(&self, host: &str, port: Option<u16>) -> bool {
        let named = if self.below {
            host.strip_suffix(&*self.name)
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
        } else {
            host == self.name
        };
        named && (self.port.is_none() || self.port == port)
    }

    /// Whether it names a port.
    #[must_use]
    pub fn has_port(&self) -> bool {
        self.port.is_some()
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let below = if self.below { "*." } else { "" };
        write!(f, "{below}{}", self.name)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl FromStr for HostPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{}` is no host; write one such as db.example.org, *.example.org or db.example.org:5432",
                short(text)
            )
        };
        let (below, rest) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (host, port) = split_port(rest).ok_or_else(wrong)?;
        let name = host_name(host).ok_or_else(wrong)?;
        let is_address = name.starts_with('[') || name.parse::<IpAddr>().is_ok();
        if below && (is_address || !name.contains('.')) {
            return Err(wrong());
        }
        Ok(Self { name, below, port })
    }
}

/// A web address in its parts, without user and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebAddress {
    /// Whether it is `http://` and not `https://`.
    pub plain: bool,
    /// The host as [`host_name`] writes it.
    pub host: String,
    /// The port, where one is written.
    pub port: Option<u16>,
    /// Path and query; empty or with `/` or `?` in front.
    pub rest: String,
}

impl WebAddress {
    /// `host` or `host:port`.
    #[must_use]
    pub fn authority(&self) -> String {
        match self.port {
            None => self.host.clone(),
            Some(port) => format!("{}:{port}", self.host),
        }
    }

    /// The port that is connected to.
    #[must_use]
    pub fn port_used(&self) -> u16 {
        self.port.unwrap_or(if self.plain { 80 } else { 443 })
    }
}

impl fmt::Display for WebAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.plain { "http" } else { "https" };
        write!(f, "{scheme}://{}{}", self.authority(), self.rest)
    }
}

impl FromStr for WebAddress {
    /// What is wrong, in words that hold nothing of the address: a secret may stand in it.
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        if !text.bytes().all(|b| b.is_ascii_graphic()) || text.contains('\\') {
            return Err("the address has a character that none can have; percent-encode it");
        }
        let (plain, after) = if let Some(after) = text.strip_prefix("https://") {
            (false, after)
        } else if let Some(after) = text.strip_prefix("http://") {
            (true, after)
        } else {
            return Err("the address does not begin with https://");
        };
        if after.contains('#') {
            return Err("the address has a fragment, `#…`; leave it out");
        }
        let end = after.find(['/', '?']).unwrap_or(after.len());
        let (authority, rest) = after.split_at(end);
        if authority.contains('@') {
            return Err("the address has a user in front of its host, `user@…`; leave it out");
        }
        let wrong = "the host of the address is none";
        let (host, port) = split_port(authority).ok_or(wrong)?;
        Ok(Self {
            plain,
            host: host_name(host).ok_or(wrong)?,
            port,
            rest: rest.to_owned(),
        })
    }
}

/// A host in the one form that is compared: lower case, without a last dot; an IPv6 address in brackets. `None` where it is no host.
#[must_use]
pub fn host_name(text: &str) -> Option<String> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    if let Ok(address) = bare.unwrap_or(text).parse::<Ipv6Addr>() {
        return Some(format!("[{address}]"));
    }
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let label = |label: &str| {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        !label.is_empty() && label.len() <= 63 && label.bytes().all(inner)
    };
    (name.len() <= 253 && name.split('.').all(label)).then_some(name)
}

/// Host and port of `host`, `host:port` and `[address]:port`.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let port = |digits: &str| -> Option<u16> {
        let all_digits = digits.bytes().all(|b| b.is_ascii_digit());
        digits.parse().ok().filter(|port| all_digits && *port != 0)
    };
    if text.parse::<Ipv6Addr>().is_ok() {
        return Some((text, None));
    }
    match text.rsplit_once(':') {
        Some((host, _)) if host.starts_with('[') && !host.ends_with(']') => Some((text, None)),
        Some((host, digits)) => Some((host, Some(port(digits)?))),
        None => Some((text, None)),
    }
}

fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_what_they_say_mapped_addresses_too() {
        let holds = |range: &str, address: &str| {
            let range: AddressRange = range.parse().unwrap();
            range.contains(address.parse().unwrap())
        };
        assert!(holds("10.0.0.0/8", "10.255.0.1"));
        assert!(holds("10.0.0.0/8", "::ffff:10.0.0.1"));
        assert!(!holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("127.0.0.1", "127.0.0.1"));
        assert!(!holds("127.0.0.1", "127.0.0.2"));
        assert!(holds("fd00::/8", "fd12::1"));
        assert!(!holds("fd00::/8", "10.0.0.1"));
        assert!(holds("::/0", "10.0.0.1") && holds("::/0", "fe80::1"));
        assert!(holds("0.0.0.0/0", "8.8.8.8") && !holds("0.0.0.0/0", "2001::1"));
        for wrong in ["10.0.0.0/33", "10.0.0", "x", "10.0.0.0/+8", "::/129", ""] {
            let error = wrong.parse::<AddressRange>().unwrap_err();
            assert!(error.contains("10.0.0.0/8"), "{error}");
        }
        let error = "10.1.2.3/8".parse::<AddressRange>().unwrap_err();
        assert!(error.ends_with("write 10.0.0.0/8"), "{error}");
    }

    #[test]
    fn hosts_are_compared_in_one_form() {
        let fits = |pattern: &str, host: &str, port| {
            let pattern: HostPattern = pattern.parse().unwrap();
            pattern.fits(&host_name(host).unwrap(), port)
        };
        assert!(fits("DB.example.org", "db.EXAMPLE.org.", Some(5432)));
        assert!(!fits("db.example.org:1", "db.example.org", None));
        assert!(fits("db.example.org:1", "db.example.org", Some(1)));
        assert!(fits("*.example.org", "a.b.example.org", None));
        assert!(!fits("*.example.org", "example.org", None));
        assert!(!fits("*.example.org", "badexample.org", None));
        assert!(fits("[::1]:5", "[0:0::1]", Some(5)) && fits("::1", "[::1]", None));
        for wrong in [
            "*.org",
            "a b",
            "a/b",
            "u@h",
            "a..b",
            "h:0",
            "h:x",
            "",
            "*",
            "*.10.0.0.1",
            "h:+5",
        ] {
            assert!(wrong.parse::<HostPattern>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn addresses_have_no_user_and_say_nothing_of_what_stands_in_them() {
        let address: WebAddress = "https://API.example.org:8443/v1?q=1".parse().unwrap();
        assert_eq!(address.authority(), "api.example.org:8443");
        assert_eq!(address.rest, "/v1?q=1");
        let bare: WebAddress = "http://[::1]?q".parse().unwrap();
        assert_eq!(
            (bare.host.as_str(), bare.port_used(), bare.rest.as_str()),
            ("[::1]", 80, "?q")
        );
        for wrong in [
            "https://user:word@host.example/",
            "https://good.example@evil.example/",
            "https://good.example\\@evil.example/",
            "https://host.example/#word",
            "https://ho st/word",
            "https://host.example/word\r\nX: y",
            "ftp://word/",
            "https:///word",
            "https://host:99999/word",
            "https://h\u{f6}st/word",
            "HTTPS://word.example/",
        ] {
            let error = wrong.parse::<WebAddress>().unwrap_err();
            assert!(!error.contains("word"), "{error}");
        }
    }
}
