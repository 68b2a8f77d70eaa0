//! Keys of Microsoft: Marvin32, and the checksums of Azure, Entra and DevOps.

use super::crc::BASE62;
use super::read::{base32, decode, decode_strict, digits, unpadded};
use super::{Check, Facts, fits_or_fails};

/// Microsoft's Marvin32, folded to 32 bits.
///
/// <https://github.com/microsoft/SymCrypt/blob/main/lib/marvin32.c>
pub(super) fn marvin32(data: &[u8], seed: [u8; 8]) -> u32 {
    // The seed is eight letters read as a big-endian number.
    let seed = u64::from_be_bytes(seed);
    let (mut low, mut high) = ((seed & 0xffff_ffff) as u32, (seed >> 32) as u32);
    let mut mix = |word: u32| {
        low = low.wrapping_add(word);
        high ^= low;
        low = low.rotate_left(20).wrapping_add(high);
        high = high.rotate_left(9) ^ low;
        low = low.rotate_left(27).wrapping_add(high);
        high = high.rotate_left(19);
    };
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        mix(u32::from_le_bytes(*word));
    }
    let mut last = [0; 4];
    for (slot, byte) in last.iter_mut().zip(rest.iter().chain(&[0x80])) {
        *slot = *byte;
    }
    mix(u32::from_le_bytes(last));
    mix(0);
    low ^ high
}

/// One kind of Azure's identifiable keys.
struct Identifiable {
    /// Four characters before the six of the checksum.
    signature: &'static str,
    service: &'static str,
    /// Length of the decoded key.
    bytes: usize,
    seeds: &'static [&'static [u8; 8]],
    /// Whether every key of the kind is known to be made with one of the seeds.
    settled: bool,
}

/// <https://github.com/microsoft/security-utilities/blob/main/src/Microsoft.Security.Utilities.Core/IdentifiableMetadata.cs>
const IDENTIFIABLE: &[Identifiable] = &[
    identifiable_kind("+ASt", "Azure Storage", 64, &[b"Default0"]),
    identifiable_kind("ACDb", "Azure Cosmos DB", 64, COSMOS),
    identifiable_kind("+ASb", "Azure Service Bus", 32, MESSAGING),
    identifiable_kind("+AEh", "Azure Event Hubs", 32, MESSAGING),
    identifiable_kind("+ARm", "Azure Relay", 32, MESSAGING),
    identifiable_kind("AzFu", "Azure Functions", 40, FUNCTIONS),
    identifiable_kind("AzSe", "Azure AI Search", 39, &[b"Query000", b"PAdmin00"]),
    identifiable_kind("+ABa", "Azure Batch", 64, &[b"AbAcct00"]),
    identifiable_kind("+ACR", "Azure Container Registry", 39, &[b"ACRDflt0"]),
    identifiable_kind("+AMC", "Azure ML Studio (classic)", 64, &[b"Classic0"]),
    identifiable_kind("AIoT", "Azure IoT", 32, IOT),
    Identifiable {
        settled: false, // the source names one seed and its tests use another
        ..identifiable_kind("AZEG", "Azure Event Grid", 32, &[b"SendRecv", b"Default0"])
    },
    Identifiable {
        settled: false, // its makers replaced `+` and `/` by letters, before or after the checksum
        ..identifiable_kind("AzCa", "Azure Cache for Redis", 32, &[b"Access00"])
    },
    Identifiable {
        settled: false, // the source gives one of its keys the seed of the IoT hub: a slip, it seems
        ..identifiable_kind("APIM", "Azure API Management", 64, API_MANAGEMENT)
    },
];

const MESSAGING: &[&[u8; 8]] = &[
    b"Send0000",
    b"Listen00",
    b"Manage00",
    b"System00",
    b"Unknown0",
];
const COSMOS: &[&[u8; 8]] = &[
    b"MastRO00",
    b"MastRW00",
    b"SysAll00",
    b"Resour00",
    b"SystRO00",
    b"SystRW00",
    b"Encryp00",
];
const FUNCTIONS: &[&[u8; 8]] = &[b"Functi00", b"System00", b"Master00"];
const IOT: &[&[u8; 8]] = &[b"IoTHub00", b"DpsKey00", b"Device00"];
const API_MANAGEMENT: &[&[u8; 8]] = &[b"Tenant00", b"Gatewy00", b"GitKey00", b"IoTHub00"];

const fn identifiable_kind(
    signature: &'static str,
    service: &'static str,
    bytes: usize,
    seeds: &'static [&'static [u8; 8]],
) -> Identifiable {
    Identifiable {
        signature,
        service,
        bytes,
        seeds,
        settled: true,
    }
}

/// The kind whose signature stands in its place, and the decoded key.
fn identifiable(secret: &[u8]) -> Option<(&'static Identifiable, Vec<u8>)> {
    let trimmed = unpadded(secret);
    let signature = trimmed
        .get(trimmed.len().checked_sub(10)?..)?
        .first_chunk::<4>()?;
    let kind = IDENTIFIABLE
        .iter()
        .find(|kind| kind.signature.as_bytes() == signature)?;
    let key = decode_strict(secret).filter(|key| key.len() == kind.bytes)?;
    Some((kind, key))
}

/// Azure's identifiable keys: the last four bytes are Marvin32 of the others, low byte first.
///
/// A key without a known signature is of the older form, which has no digits.
pub(super) fn azure_identifiable(secret: &[u8]) -> Check {
    if cask(secret).is_some() {
        return azure_cask(secret); // the same provider signature, in the same place
    }
    let Some((kind, key)) = identifiable(secret) else {
        return Check::Silent;
    };
    let Some((body, check)) = key.split_last_chunk::<4>() else {
        return Check::Silent;
    };
    let check = u32::from_le_bytes(*check);
    if kind
        .seeds
        .iter()
        .any(|seed| marvin32(body, **seed) == check)
    {
        Check::Fits
    } else if kind.settled {
        Check::Fails
    } else {
        Check::Silent
    }
}

pub(super) fn identifiable_facts(secret: &[u8]) -> Option<Facts> {
    if cask(secret).is_some() {
        return cask_facts(secret);
    }
    let (kind, _) = identifiable(secret)?;
    Some(vec![("service", kind.service.to_owned())])
}

/// The parts of an annotated key: its first 80 characters and its check digits.
fn cask(secret: &[u8]) -> Option<(&[u8; 80], &[u8])> {
    let (body, check) = secret.split_first_chunk::<80>()?;
    let marked = matches!(body.get(52..58), Some(b"JQQJ99" | b"JQQJ9D" | b"JQQJ9H"));
    (marked && matches!(secret.len(), 84 | 88)).then_some((body, check))
}

/// Azure's annotated keys: Marvin32 over the first 60 bytes, in base62 (in the oldest keys base64).
///
/// <https://github.com/microsoft/security-utilities/blob/main/src/Microsoft.Security.Utilities.Core/IdentifiableSecrets.cs>
/// `Silent` on a misfit: Microsoft's own scanner does not ask for the digits, the samples in its tests
/// do not fit them, and the six fixed characters already say what the key is.
pub(super) fn azure_cask(secret: &[u8]) -> Check {
    let Some((body, check)) = cask(secret) else {
        return Check::Silent;
    };
    let Some(bytes) = decode_strict(body) else {
        return Check::Silent;
    };
    let sum = marvin32(&bytes, *b"Default0").to_le_bytes();
    // The digits are read as base64 again, so the unused bits of the sixth are lost on the way.
    let width = if check.len() == 4 { 3 } else { 4 };
    let fits = decode_strict(check).is_some_and(|found| {
        found.len() == width
            && (sum.starts_with(&found)
                || decode(&cask_digits(sum)).is_some_and(|d| d.starts_with(&found)))
    });
    if fits { Check::Fits } else { Check::Silent }
}

/// Base62 of four bytes, first byte highest: a `0` for each leading zero byte, `0`s behind up to six.
pub(super) fn cask_digits(sum: [u8; 4]) -> [u8; 6] {
    let leading = sum.iter().take(3).take_while(|byte| **byte == 0).count();
    let shortest: Vec<u8> = {
        let padded: [u8; 6] = digits(u32::from_be_bytes(sum), BASE62);
        let zeros = padded
            .iter()
            .take(5)
            .take_while(|digit| **digit == b'0')
            .count();
        padded.into_iter().skip(zeros).collect()
    };
    let mut out = [b'0'; 6];
    for (slot, digit) in out.iter_mut().skip(leading).zip(shortest) {
        *slot = digit;
    }
    out
}

/// The provider's tag and the month of issue.
pub(super) fn cask_facts(secret: &[u8]) -> Option<Facts> {
    let (body, _) = cask(secret)?;
    let mut facts = vec![(
        "service",
        String::from_utf8_lossy(body.get(76..)?).into_owned(),
    )];
    if let Some([year @ b'A'..=b'Z', month @ b'A'..=b'L']) = body.get(58..60) {
        let (year, month) = (2024 + u32::from(year - b'A'), 1 + u32::from(month - b'A'));
        facts.push(("created", format!("{year}-{month:02}")));
    }
    Some(facts)
}

/// Entra client secrets with `8Q~`: the last three characters start a Marvin32 of the others.
///
/// <https://github.com/microsoft/security-utilities/blob/main/src/Microsoft.Security.Utilities.Core/IdentifiableMetadata.cs>
/// `Silent` on a misfit: the scheme is published, but its authors do not use it to refuse secrets.
pub(super) fn azure_entra_8q(secret: &[u8]) -> Check {
    // The order of the source: letters, digits from 1, and four marks.
    const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ1234567890.-_~";
    if secret.len() != 40 || secret.get(3..6) != Some(b"8Q~") {
        return Check::Silent;
    }
    match secret.split_last_chunk::<3>() {
        Some((body, check))
            if digits::<6>(marvin32(body, *b"AadPwd00"), ALPHABET).starts_with(check) =>
        {
            Check::Fits
        }
        _ => Check::Silent,
    }
}

/// Azure DevOps tokens of 52 base32 characters: bytes 22, 8, 7, 2 are a CRC32 of the others.
///
/// <https://github.com/microsoft/security-utilities/blob/main/src/Microsoft.Security.Utilities.Core/PreciselyClassifiedSecurityKeys/SEC101_102_AdoPat.cs>
/// `Fails` on a misfit: it is the only thing that tells such a token from any other lower-case word.
pub(super) fn azure_devops_pat(secret: &[u8]) -> Check {
    const USER: u32 = 0xE0B9_692D;
    const APPLICATION: u32 = 0x1019_F92E;
    if cask(secret).is_some() {
        return azure_cask(secret);
    }
    let Some(bytes) = base32(secret).filter(|_| secret.len() == 52) else {
        return Check::Fails;
    };
    let mut check = [0; 4];
    let mut body = Vec::with_capacity(28);
    for (at, byte) in bytes.into_iter().enumerate() {
        match at {
            2 => check[3] = byte,
            7 => check[2] = byte,
            8 => check[1] = byte,
            22 => check[0] = byte,
            _ => body.push(byte),
        }
    }
    let mask = u32::from_le_bytes(check) ^ crc32fast::hash(&body);
    fits_or_fails(mask == USER || mask == APPLICATION)
}
