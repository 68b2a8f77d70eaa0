//! Macaroons: tokens of PyPI.

use serde_json::Value;

use super::fact::{add_list, add_seconds, printable};
use super::read::{Reader, decode};
use super::{Check, Facts, fits_or_fails};

/// PyPI tokens: a macaroon of the second format, whole up to its signature of 32 bytes.
///
/// <https://github.com/rescrv/libmacaroons/blob/master/doc/format.txt>
pub(super) fn pypi_macaroon(secret: &[u8]) -> Check {
    fits_or_fails(pypi(secret).is_some())
}

struct Macaroon {
    location: Vec<u8>,
    caveats: Vec<Vec<u8>>,
}

fn pypi(secret: &[u8]) -> Option<Macaroon> {
    const END: u8 = 0;
    const LOCATION: u8 = 1;
    const IDENTIFIER: u8 = 2;
    const VERIFIER: u8 = 4;
    const SIGNATURE: u8 = 6;
    let data = decode(secret.strip_prefix(b"pypi-").unwrap_or(secret))?;
    let mut reader = Reader(data.strip_prefix(&[2])?);
    let mut macaroon = Macaroon {
        location: Vec::new(),
        caveats: Vec::new(),
    };
    let mut field = reader.byte()?;
    if field == LOCATION {
        macaroon.location = reader.counted()?.to_vec();
        field = reader.byte()?;
    }
    if field != IDENTIFIER || reader.counted()?.is_empty() || reader.byte()? != END {
        return None;
    }
    loop {
        field = reader.byte()?;
        if field == END {
            break;
        }
        if field == LOCATION {
            reader.counted()?;
            field = reader.byte()?;
        }
        if field != IDENTIFIER {
            return None;
        }
        macaroon.caveats.push(reader.counted()?.to_vec());
        field = reader.byte()?;
        if field == VERIFIER {
            reader.counted()?;
            field = reader.byte()?;
        }
        if field != END {
            return None;
        }
    }
    let whole = reader.byte()? == SIGNATURE && reader.counted()?.len() == 32 && reader.0.is_empty();
    whole.then_some(macaroon)
}

/// Where it counts, for which projects, until when.
///
/// <https://github.com/pypi/warehouse/blob/main/warehouse/macaroons/caveats/__init__.py>
pub(super) fn pypi_facts(secret: &[u8]) -> Option<Facts> {
    let macaroon = pypi(secret)?;
    let mut facts = Facts::new();
    if !macaroon.location.is_empty() {
        facts.push((
            "url",
            printable(&String::from_utf8_lossy(&macaroon.location)),
        ));
    }
    for caveat in &macaroon.caveats {
        match serde_json::from_slice(caveat) {
            Ok(Value::Array(tagged)) => match tagged.first().and_then(Value::as_u64) {
                Some(0) => add_seconds(&mut facts, "expires", tagged.get(1)),
                Some(1) => add_list(&mut facts, "projects", tagged.get(1)),
                _ => {}
            },
            Ok(old) => {
                add_seconds(&mut facts, "expires", old.get("exp"));
                add_list(
                    &mut facts,
                    "projects",
                    old.get("permissions").and_then(|p| p.get("projects")),
                );
            }
            Err(_) => {}
        }
    }
    Some(facts)
}
