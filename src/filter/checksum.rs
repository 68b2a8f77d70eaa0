//! A token's own check digits and structure: what proves a match without asking anyone.
//!
//! A rule file names a verifier (`checksum = "github-crc32"`), the content filters run it last. It
//! stands apart from the patterns because a CRC, a DER length or a JSON body is beyond a regex, and
//! apart from `verify` because nothing here leaves the machine.
//!
//! How a verdict is chosen, kind by kind:
//! - [`Check::Fits`] only where chance is ruled out: a proven match stays a finding in tests and docs.
//!   What one string in sixty would pass by accident (a UUID's version) is [`Check::Silent`] instead.
//! - [`Check::Fails`] only where the scheme is published or was proven on public samples, for a wrong
//!   refusal loses a live key. Where vendors are known to deviate, a misfit is `Silent`.
//!
//! Deliberately absent: signatures and MACs (they need a key), placeholders inside decoded text beyond
//! the few that every manual prints, and any clock: an expired token is still a finding.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

/// What a verifier says of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Proven: the check digits fit, or the structure parses beyond chance.
    Fits,
    /// No statement: this variant of the kind has no check digits, or too few to prove anything.
    Silent,
    /// Disproven: no finding.
    Fails,
}

/// A verifier: bytes of the secret to its verdict. Pure, never panics, linear in the length.
pub type Verifier = fn(&[u8]) -> Check;

/// Facts read out of a secret: name and value, in a fixed order. See [`facts`].
type Facts = Vec<(&'static str, String)>;

/// Sorted by name; what [`by_name`] searches and [`NAMES`] lists.
const TABLE: &[(&str, Verifier)] = &[
    ("age-bech32", age_bech32),
    ("artifactory-ref", artifactory_ref),
    ("atlassian-dc", atlassian_dc),
    ("aws-key-id", aws_key_id),
    ("azure-cask", azure_cask),
    ("azure-devops-pat", azure_devops_pat),
    ("azure-entra-8q", azure_entra_8q),
    ("azure-identifiable", azure_identifiable),
    ("basic-auth", basic_auth),
    ("cratesio-tp", cratesio_tp),
    ("discord-bot", discord_bot),
    ("github-crc32", github_crc32),
    ("gitlab-routable", gitlab_routable),
    ("grafana-glsa", grafana_glsa),
    ("json-base64", json_base64),
    ("jwt", jwt),
    ("openssh-key", openssh_key),
    ("pem", pem),
    ("pgp", pgp),
    ("putty", putty),
    ("pypi-macaroon", pypi_macaroon),
    ("uuid-v4", uuid_v4),
    ("vercel-crc32", vercel_crc32),
];

const TABLE_NAMES: [&str; TABLE.len()] = {
    let mut names = [""; TABLE.len()];
    let mut at = 0;
    while at < TABLE.len() {
        names[at] = TABLE[at].0;
        at += 1;
    }
    names
};

/// The names that [`by_name`] knows, sorted; for error messages.
pub const NAMES: &[&str] = &TABLE_NAMES;

/// The verifier with this name, as rule files use it in `checksum = "…"`.
#[must_use]
pub fn by_name(name: &str) -> Option<Verifier> {
    let at = TABLE.binary_search_by_key(&name, |(known, _)| known).ok()?;
    TABLE.get(at).map(|(_, verifier)| *verifier)
}

/// Facts read offline out of a secret that the verifier `name` accepts.
///
/// Pairs of a lower-case name and a printable value of at most 200 characters, such as
/// `("account", "123456789012")` for an AWS key id or `("expires", "1767225600")`, in seconds since
/// 1970, for a JWT. None of them is part of what grants access. Empty where the kind carries none, the
/// secret does not parse, or the name is unknown.
#[must_use]
pub fn facts(name: &str, secret: &[u8]) -> Vec<(&'static str, String)> {
    let found = match name {
        "artifactory-ref" => artifactory_facts(secret),
        "aws-key-id" => {
            aws_account(secret).map(|account| vec![("account", format!("{account:012}"))])
        }
        "azure-cask" => cask_facts(secret),
        "azure-identifiable" => identifiable_facts(secret),
        "basic-auth" => basic_auth_facts(secret),
        "discord-bot" => {
            discord_id(secret).map(|id| vec![("user", printable(&String::from_utf8_lossy(&id)))])
        }
        "gitlab-routable" => gitlab_facts(secret),
        "json-base64" => json_facts(secret),
        "jwt" => jwt_facts(secret),
        "openssh-key" => openssh_facts(secret),
        "pem" => pem_facts(secret),
        "pypi-macaroon" => pypi_facts(secret),
        _ => None,
    };
    found.unwrap_or_default()
}

// ---------------------------------------------------------------------------------------------
// CRC32 families

const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE36: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// GitHub and npm: the last six characters are the CRC32 of the body before them in base62.
///
/// <https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/>
/// The alphabet and the padding are proven on public samples of `ghp_`, `gho_`, `ghu_`, `ghr_`, `npm_`.
/// A misfit of `ghs_` says nothing: some servers issue installation tokens without the digits.
fn github_crc32(secret: &[u8]) -> Check {
    let Some((prefix, body)) = split_once(secret, b'_') else {
        return Check::Silent;
    };
    let Some((random, check)) = body.split_last_chunk::<6>() else {
        return Check::Silent;
    };
    if *check == digits::<6>(crc32fast::hash(random), BASE62) {
        return Check::Fits;
    }
    match (prefix, body.len()) {
        (b"ghp" | b"gho" | b"ghu" | b"npm", 36) | (b"ghr", 76) => Check::Fails,
        _ => Check::Silent,
    }
}

/// Vercel: the scheme of GitHub over a body of 50 characters after a prefix of four.
///
/// <https://vercel.com/docs/rest-api#authentication>; proven on four public samples. Tokens of
/// another length are the old form of 24 characters, which has no digits.
fn vercel_crc32(secret: &[u8]) -> Check {
    match secret {
        [b'v', b'c', _, b'_', body @ ..] if body.len() == 56 => {
            match body.split_last_chunk::<6>() {
                Some((random, check)) => {
                    fits_or_fails(*check == digits::<6>(crc32fast::hash(random), BASE62))
                }
                None => Check::Silent,
            }
        }
        _ => Check::Silent,
    }
}

/// GitLab's routable tokens: `….01.` + payload length (2) + CRC32 of all that precedes (7), in base36.
///
/// <https://gitlab.com/gitlab-org/gitlab/-/blob/master/lib/authn/token_field/generator/routable_token.rb>
/// The first releases left the version out; a misfit in that form is no proof.
fn gitlab_routable(secret: &[u8]) -> Check {
    let Some((head, tail)) = rsplit_once(secret, b'.') else {
        return Check::Silent;
    };
    let Some((covered, check)) = secret.split_last_chunk::<7>() else {
        return Check::Silent;
    };
    if tail.len() != 9 {
        return Check::Silent;
    }
    if *check == digits::<7>(crc32fast::hash(covered), BASE36) {
        Check::Fits
    } else if head.ends_with(b".01") {
        Check::Fails
    } else {
        Check::Silent
    }
}

/// The routing part of the payload: 16 random bytes, lines such as `u:1a` in base36, their length.
fn gitlab_facts(secret: &[u8]) -> Option<Facts> {
    let (head, tail) = rsplit_once(secret, b'.')?;
    let head = head.strip_suffix(b".01").unwrap_or(head);
    let length = usize::try_from(number(tail.get(..2)?, 36)?).ok()?;
    let payload = decode(head.get(head.len().checked_sub(length)?..)?)?;
    let (size, rest) = payload.split_last()?;
    let routing = rest.get(rest.len().checked_sub(usize::from(*size))?..)?;
    let mut facts = Facts::new();
    for line in routing.split(|&b| b == b'\n') {
        let Some((key, value)) = split_once(line, b':') else {
            continue;
        };
        let name = match key {
            b"c" => "cell",
            b"g" => "group",
            b"o" => "organization",
            b"p" => "project",
            b"u" => "user",
            _ => continue,
        };
        if let Some(id) = number(value, 36) {
            facts.push((name, id.to_string()));
        }
    }
    Some(facts)
}

/// Grafana service account tokens: eight hex digits, the CRC32 of all before the last `_`, low byte first.
///
/// <https://github.com/grafana/grafana/blob/main/pkg/components/satokengen/satokengen.go>
fn grafana_glsa(secret: &[u8]) -> Check {
    if secret.len() != 46 || !secret.starts_with(b"glsa_") {
        return Check::Silent;
    }
    let Some((covered, check)) = rsplit_once(secret, b'_') else {
        return Check::Fails;
    };
    let expected = crc32fast::hash(covered).swap_bytes();
    fits_or_fails(check.len() == 8 && number(check, 16) == Some(u64::from(expected)))
}

/// crates.io trusted publishing: one check character, the XOR of the 31 before it, modulo 62.
///
/// <https://github.com/rust-lang/crates.io/blob/main/crates/crates_io_trustpub/src/access_token.rs>
fn cratesio_tp(secret: &[u8]) -> Check {
    // Not BASE62: capitals first.
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let Some(body) = secret.strip_prefix(b"cio_tp_") else {
        return Check::Silent; // `cio` + 32: the ordinary token, without a check character
    };
    let Some((check, random)) = body.split_last() else {
        return Check::Fails;
    };
    let sum = random.iter().fold(0, |sum, byte| sum ^ byte);
    let expected = ALPHABET.get(usize::from(sum) % ALPHABET.len());
    fits_or_fails(
        random.len() == 31
            && random.iter().all(u8::is_ascii_alphanumeric)
            && expected == Some(check),
    )
}

// ---------------------------------------------------------------------------------------------
// AWS

/// AWS key ids: base32 after the prefix, and the account number in it has at most twelve digits.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>
/// `Silent` where it fits: nine of ten random ids decode to a plausible account.
fn aws_key_id(secret: &[u8]) -> Check {
    let Some(body) = secret.get(4..) else {
        return Check::Fails;
    };
    if body.len() != 16 || base32(body).is_none() {
        return Check::Fails;
    }
    match aws_account_bits(body) {
        Some(account) if account > 999_999_999_999 => Check::Fails,
        _ => Check::Silent,
    }
}

/// The account that a key id belongs to, at most twelve digits.
fn aws_account(secret: &[u8]) -> Option<u64> {
    let body = secret.get(4..).filter(|body| body.len() == 16)?;
    aws_account_bits(body).filter(|account| (1..=999_999_999_999).contains(account))
}

/// Forty bits of an id whose first bit is set; ids of 2019 and before (`AKIAI…`, `AKIAJ…`) have it
/// clear and hold no account.
fn aws_account_bits(body: &[u8]) -> Option<u64> {
    let bytes = base32(body)?;
    let head = bytes
        .get(..6)?
        .iter()
        .fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
    (head & 0x8000_0000_0000 != 0).then_some((head & 0x7fff_ffff_ff80) >> 7)
}

// ---------------------------------------------------------------------------------------------
// Microsoft

/// Microsoft's Marvin32, folded to 32 bits.
///
/// <https://github.com/microsoft/SymCrypt/blob/main/lib/marvin32.c>
fn marvin32(data: &[u8], seed: [u8; 8]) -> u32 {
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
fn azure_identifiable(secret: &[u8]) -> Check {
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

fn identifiable_facts(secret: &[u8]) -> Option<Facts> {
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
fn azure_cask(secret: &[u8]) -> Check {
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
fn cask_digits(sum: [u8; 4]) -> [u8; 6] {
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
fn cask_facts(secret: &[u8]) -> Option<Facts> {
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
fn azure_entra_8q(secret: &[u8]) -> Check {
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
fn azure_devops_pat(secret: &[u8]) -> Check {
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

// ---------------------------------------------------------------------------------------------
// JSON inside base64

/// JSON web tokens: header and payload are JSON objects, the header names an algorithm.
///
/// <https://www.rfc-editor.org/rfc/rfc7519> and <https://www.rfc-editor.org/rfc/rfc7518#section-3.1>.
/// `Silent` where nothing is signed (`none`), where the signature has not the length of its algorithm
/// (cut off at the end of a line), and for the payload that every tutorial shows.
fn jwt(secret: &[u8]) -> Check {
    let Some((header, payload, signature)) = jwt_parts(secret) else {
        return Check::Fails;
    };
    let Some(algorithm) = header.get("alg").and_then(Value::as_str) else {
        return Check::Fails;
    };
    if algorithm.eq_ignore_ascii_case("none") {
        return Check::Silent;
    }
    let Some(signature) = decode(signature).filter(|bytes| !bytes.is_empty()) else {
        return Check::Fails;
    };
    let whole = match algorithm {
        "HS256" => signature.len() == 32,
        "HS384" => signature.len() == 48,
        "HS512" | "ES256" | "ES256K" => signature.len() == 64,
        "ES384" => signature.len() == 96,
        "ES512" => signature.len() == 132,
        "EdDSA" => matches!(signature.len(), 64 | 114),
        "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" => signature.len() >= 128,
        _ => true,
    };
    let tutorial = payload.get("sub").and_then(Value::as_str) == Some("1234567890")
        && payload.get("name").and_then(Value::as_str) == Some("John Doe");
    if whole && !tutorial {
        Check::Fits
    } else {
        Check::Silent
    }
}

/// Header and payload, parsed, and the signature as it stands.
fn jwt_parts(secret: &[u8]) -> Option<(Value, Value, &[u8])> {
    let mut parts = secret.split(|&b| b == b'.');
    let (first, second, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    // A prefix may stand before it (`ghs_<app id>_eyJ…`).
    let header = object(first).or_else(|| object(first.get(find(first, b"eyJ")?..)?))?;
    Some((header, object(second)?, signature))
}

fn jwt_facts(secret: &[u8]) -> Option<Facts> {
    let (header, payload, _) = jwt_parts(secret)?;
    let mut facts = Facts::new();
    add_text(&mut facts, "algorithm", header.get("alg"));
    add_text(&mut facts, "issuer", payload.get("iss"));
    add_text(&mut facts, "subject", payload.get("sub"));
    match payload.get("aud") {
        Some(Value::Array(several)) => add_text(&mut facts, "audience", several.first()),
        one => add_text(&mut facts, "audience", one),
    }
    add_seconds(&mut facts, "issued", payload.get("iat"));
    add_seconds(&mut facts, "expires", payload.get("exp"));
    add_text(&mut facts, "role", payload.get("role")); // Supabase: `service_role` or `anon`
    add_text(&mut facts, "project", payload.get("ref"));
    let kubernetes = payload.get("kubernetes.io");
    add_text(
        &mut facts,
        "namespace",
        kubernetes.and_then(|k| k.get("namespace")),
    );
    add_text(
        &mut facts,
        "namespace",
        payload.get("kubernetes.io/serviceaccount/namespace"),
    );
    Some(facts)
}

/// Tokens that carry JSON in base64: Grafana `glc_`, Sentry `sntrys_`, 1Password `ops_`, Mapbox.
///
/// <https://docs.mapbox.com/help/glossary/access-token/>,
/// <https://github.com/getsentry/rfcs/blob/main/text/0091-ci-upload-tokens.md>.
fn json_base64(secret: &[u8]) -> Check {
    fits_or_fails(json_body(secret).is_some())
}

/// The JSON object in it; something may stand before it and, after `_` or `.`, behind it.
fn json_body(secret: &[u8]) -> Option<Value> {
    // `{"` is `ey` in base64, after the prefix or at once.
    let start = (0..secret.len()).find(|&at| {
        let before = at.checked_sub(1).and_then(|b| secret.get(b));
        secret.get(at..).is_some_and(|rest| rest.starts_with(b"ey"))
            && before.is_none_or(|b| matches!(b, b'_' | b'.' | b':' | b' '))
    })?;
    let rest = secret.get(start..)?;
    let end = rest
        .iter()
        .position(|b| !(b.is_ascii_alphanumeric() || b"+/-_=".contains(b)))
        .unwrap_or(rest.len());
    let run = rest.get(..end)?;
    object(run)
        .or_else(|| object(rsplit_once(run, b'_')?.0))
        .or_else(|| object(split_once(run, b'_')?.0))
}

fn json_facts(secret: &[u8]) -> Option<Facts> {
    let body = json_body(secret)?;
    let mut facts = Facts::new();
    if secret.starts_with(b"glc_") {
        add_text(&mut facts, "org", body.get("o"));
        add_text(&mut facts, "name", body.get("n"));
        add_text(&mut facts, "region", body.get("m").and_then(|m| m.get("r")));
    } else if secret.starts_with(b"sntrys_") {
        add_text(&mut facts, "org", body.get("org"));
        add_text(&mut facts, "url", body.get("url"));
        add_text(&mut facts, "region", body.get("region_url"));
        add_seconds(&mut facts, "issued", body.get("iat"));
    } else if secret.starts_with(b"ops_") {
        add_text(&mut facts, "url", body.get("signInAddress"));
        add_text(
            &mut facts,
            "user",
            body.get("userAuth").and_then(|user| user.get("email")),
        );
    } else if matches!(secret, [b's' | b'p' | b't', b'k', b'.', ..]) {
        add_text(&mut facts, "user", body.get("u"));
        add_text(&mut facts, "authorization", body.get("a"));
    } else if body.get("k").is_some() {
        add_text(&mut facts, "name", body.get("n")); // Grafana's API keys of old
        add_text(&mut facts, "org", body.get("id"));
    }
    Some(facts)
}

// ---------------------------------------------------------------------------------------------
// Other structures

/// PyPI tokens: a macaroon of the second format, whole up to its signature of 32 bytes.
///
/// <https://github.com/rescrv/libmacaroons/blob/master/doc/format.txt>
fn pypi_macaroon(secret: &[u8]) -> Check {
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
fn pypi_facts(secret: &[u8]) -> Option<Facts> {
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

/// Discord bot tokens: the first part is the bot's id, 17 to 20 digits, in base64.
///
/// <https://discord.com/developers/docs/reference#authentication>
fn discord_bot(secret: &[u8]) -> Check {
    if secret.starts_with(b"mfa.") {
        return Check::Silent; // a user's token of old, without an id
    }
    fits_or_fails(discord_id(secret).is_some())
}

fn discord_id(secret: &[u8]) -> Option<Vec<u8>> {
    let (first, _) = split_once(secret, b'.')?;
    decode(first).filter(|id| (17..=20).contains(&id.len()) && id.iter().all(u8::is_ascii_digit))
}

/// JFrog reference tokens: base64 of `reftkn:<version>:<expiry>:<random>`.
///
/// <https://jfrog.com/help/r/jfrog-platform-administration-documentation/understanding-reference-tokens>
/// The vendor prints only the prefix; what follows it is known from samples, so it disproves nothing.
fn artifactory_ref(secret: &[u8]) -> Check {
    match decode(secret) {
        Some(text) if !text.starts_with(b"reftkn:") => Check::Fails,
        Some(text) if artifactory_expiry(&text).is_some() => Check::Fits,
        Some(_) => Check::Silent,
        None => Check::Fails,
    }
}

/// Seconds since 1970, 0 where it never expires.
fn artifactory_expiry(text: &[u8]) -> Option<u64> {
    let (version, rest) = split_once(text.strip_prefix(b"reftkn:")?, b':')?;
    let (expiry, random) = split_once(rest, b':')?;
    number(version, 10)?;
    let whole = random.len() >= 8 && random.iter().all(u8::is_ascii_graphic);
    number(expiry, 10).filter(|_| whole)
}

fn artifactory_facts(secret: &[u8]) -> Option<Facts> {
    let expiry = artifactory_expiry(&decode(secret)?)?;
    Some(if expiry == 0 {
        Facts::new()
    } else {
        vec![("expires", expiry.to_string())]
    })
}

/// Personal access tokens of Jira and Confluence Data Center: base64 of `<numeric id>:<bytes>`.
///
/// <https://confluence.atlassian.com/enterprise/using-personal-access-tokens-1026032365.html>
fn atlassian_dc(secret: &[u8]) -> Check {
    let parts = decode(secret).and_then(|bytes| {
        let (id, random) = split_once(&bytes, b':')?;
        Some(
            (6..=16).contains(&id.len()) && id.iter().all(u8::is_ascii_digit) && random.len() >= 16,
        )
    });
    fits_or_fails(parts == Some(true))
}

/// Basic authentication, also Docker's `auth` and npm's `_auth`: base64 of `user:password`.
///
/// <https://www.rfc-editor.org/rfc/rfc7617#section-2>
/// `Silent` for the passwords of manuals, and where too little is there to tell it from chance.
fn basic_auth(secret: &[u8]) -> Check {
    let Some((user, password)) = user_password(secret) else {
        return Check::Fails;
    };
    let lower = password.to_ascii_lowercase();
    let manual = lower.is_empty()
        || lower == user.to_ascii_lowercase()
        || [
            "password",
            "passwd",
            "pass",
            "secret",
            "changeme",
            "your-password",
            "test",
        ]
        .contains(&&*lower);
    // Some services take a key in the user's place and nothing, or a word, as the password.
    if user.len() + password.len() < 7 || (manual && user.len() < 20) {
        Check::Silent
    } else {
        Check::Fits
    }
}

fn user_password(secret: &[u8]) -> Option<(String, String)> {
    let bare = match secret.split_first_chunk::<6>() {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(b"basic ") => rest,
        _ => secret,
    };
    let text = String::from_utf8(decode(bare.trim_ascii())?).ok()?;
    let (user, password) = text.trim_end_matches(['\r', '\n']).split_once(':')?;
    let printable = !user.contains(char::is_control) && !password.contains(char::is_control);
    (printable && !(user.is_empty() && password.is_empty()))
        .then(|| (user.to_owned(), password.to_owned()))
}

/// The user, unless it may be the key itself (`<token>:x-oauth-basic`).
fn basic_auth_facts(secret: &[u8]) -> Option<Facts> {
    let (user, password) = user_password(secret)?;
    let is_name = !password.is_empty() && (user.len() <= 24 || user.contains('@'));
    Some(if is_name && !user.is_empty() {
        vec![("user", printable(&user))]
    } else {
        Facts::new()
    })
}

/// Random UUIDs: version 4, variant 1, in the last 36 characters.
///
/// <https://www.rfc-editor.org/rfc/rfc9562#section-5.4>
/// Never more than `Silent`: a UUID proves nothing about being a secret.
fn uuid_v4(secret: &[u8]) -> Check {
    let Some((_, uuid)) = secret.split_last_chunk::<36>() else {
        return Check::Fails;
    };
    let fits = uuid.iter().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        14 => *byte == b'4',
        19 => b"89abAB".contains(byte),
        _ => byte.is_ascii_hexdigit(),
    });
    if fits { Check::Silent } else { Check::Fails }
}

/// age identities: Bech32 in one case, with its checksum of six characters.
///
/// <https://github.com/C2SP/C2SP/blob/main/age.md> and
/// <https://github.com/bitcoin/bips/blob/master/bip-0173.mediawiki>.
fn age_bech32(secret: &[u8]) -> Check {
    const CHARSET: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let mixed =
        secret.iter().any(u8::is_ascii_lowercase) && secret.iter().any(u8::is_ascii_uppercase);
    let lower = secret.to_ascii_lowercase();
    let Some((prefix, data)) = rsplit_once(&lower, b'1') else {
        return Check::Fails;
    };
    if mixed || !prefix.starts_with(b"age-secret-key-") || data.len() < 58 {
        return Check::Fails;
    }
    let mut sum = 1;
    for byte in prefix {
        bech32_step(&mut sum, u32::from(byte >> 5));
    }
    bech32_step(&mut sum, 0);
    for byte in prefix {
        bech32_step(&mut sum, u32::from(byte & 31));
    }
    for byte in data {
        match (0..).zip(CHARSET).find(|(_, known)| *known == byte) {
            Some((value, _)) => bech32_step(&mut sum, value),
            None => return Check::Fails,
        }
    }
    fits_or_fails(sum == 1)
}

/// One character of five bits through the code of BIP 173.
fn bech32_step(sum: &mut u32, value: u32) {
    const GENERATOR: [u32; 5] = [
        0x3b6a_57b2,
        0x2650_8e6d,
        0x1ea1_19fa,
        0x3d42_33dd,
        0x2a14_62b3,
    ];
    let top = *sum >> 25;
    *sum = ((*sum & 0x1ff_ffff) << 5) ^ value;
    for (bit, term) in (0..).zip(GENERATOR) {
        if (top >> bit) & 1 == 1 {
            *sum ^= term;
        }
    }
}

// ---------------------------------------------------------------------------------------------
// Key blocks

/// A key block, freed of the text around it.
struct Block<'a> {
    /// What stands after `BEGIN`, such as `RSA PRIVATE KEY`.
    label: &'a [u8],
    /// Whether a header says `ENCRYPTED`.
    encrypted: bool,
    /// Base64 without padding or white space.
    body: Vec<u8>,
    /// The four characters of an OpenPGP checksum line.
    crc: Option<[u8; 4]>,
}

/// Runs `check` on the block as a piece of program text, then, where that fails, as plain text: a
/// quote is the end of a string in the one and a stray byte in the other.
fn on_block(secret: &[u8], check: fn(&Block<'_>) -> Check) -> Check {
    let Some((label, inner)) = armor(secret) else {
        return Check::Silent; // the rule took something else than a whole block
    };
    // Somebody cut it short to show it.
    if find(inner, b"...").is_some() || find(inner, "…".as_bytes()).is_some() {
        return Check::Fails;
    }
    let verdict = block(label, inner, true).map_or(Check::Fails, |block| check(&block));
    if verdict != Check::Fails || !inner.iter().any(|b| b"\"'`".contains(b)) {
        return verdict;
    }
    block(label, inner, false).map_or(Check::Fails, |block| check(&block))
}

/// The block as [`on_block`] first reads it.
fn first_block(secret: &[u8]) -> Option<Block<'_>> {
    let (label, inner) = armor(secret)?;
    block(label, inner, true)
}

/// Label and contents of `-----BEGIN label-----contents-----END`; the end may be missing.
fn armor(secret: &[u8]) -> Option<(&[u8], &[u8])> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    let rest = secret.get(find(secret, BEGIN)? + BEGIN.len()..)?;
    let end = find(rest, b"-----")?;
    let (label, inner) = (rest.get(..end)?, rest.get(end + 5..)?);
    let end = find(inner, b"-----END").unwrap_or(inner.len());
    Some((label.trim_ascii(), inner.get(..end)?))
}

/// The block out of its contents; `None` where something in them is neither base64, nor a header, nor
/// the noise of quoting, commenting or indenting.
fn block<'a>(label: &'a [u8], inner: &[u8], quoted: bool) -> Option<Block<'a>> {
    let mut block = Block {
        label,
        encrypted: false,
        body: Vec::with_capacity(inner.len()),
        crc: None,
    };
    let text = plain(inner, quoted);
    // In a patch or a comment the mark of its lines stands before the END line too.
    let margin = match text.rsplit(|&b| b == b'\n').next().map(<[u8]>::trim_ascii) {
        Some(mark @ (b"+" | b"-" | b"//" | b"--")) => mark,
        _ => b"",
    };
    for line in text.split(|&b| b == b'\n') {
        let line = line.trim_ascii();
        let line = line.strip_prefix(margin).unwrap_or(line);
        let line = uncommented(line);
        let is_header = line.contains(&b':');
        if is_header && line.starts_with(b"Proc-Type") && find(line, b"ENCRYPTED").is_some() {
            block.encrypted = true;
        }
        let mut in_header = is_header;
        for token in line
            .split(u8::is_ascii_whitespace)
            .filter(|token| !token.is_empty() && *token != b"+")
        {
            let is_base64 = token
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(b));
            // Where line ends were lost, the body follows the headers on their line.
            in_header = in_header && !(is_base64 && token.len() >= 40);
            match token {
                _ if in_header => {}
                [b'=', crc @ ..] if crc.len() == 4 => block.crc = crc.first_chunk().copied(),
                _ if is_base64 => block.body.extend(token.iter().filter(|b| **b != b'=')),
                _ => return None,
            }
        }
    }
    Some(block)
}

/// A line without what comments, quoted mail, Javadoc and margins put before it.
fn uncommented(mut line: &[u8]) -> &[u8] {
    loop {
        line = match line.trim_ascii() {
            [b'#' | b'*' | b'>' | b'|' | b';', rest @ ..]
            | [b'/', b'/', b' ', rest @ ..]
            | [b'-', b'-', b' ', rest @ ..] => rest,
            bare => return bare,
        }
    }
}

/// Text with its escapes resolved; where `quoted`, only what lies within strings, given that it begins
/// within one: between them stand the joins of some language.
fn plain(text: &[u8], quoted: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut quote = None;
    let mut inside = true;
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let (byte, next) = match first {
            b'\\' => escape(rest),
            b'&' if tail.starts_with(b"#") => entity(rest),
            _ => (Some(*first), tail),
        };
        rest = next;
        match byte {
            Some(mark @ (b'"' | b'\'' | b'`')) if quoted && *quote.get_or_insert(mark) == mark => {
                inside = !inside;
                out.push(b'\n');
            }
            Some(b'"' | b'\'' | b'`' | b',' | b';' | b'(' | b')' | b'[' | b']') if !quoted => {
                out.push(b' ');
            }
            Some(byte) if inside || byte == b'\n' => out.push(byte),
            _ => {}
        }
    }
    out
}

/// What a run of backslashes and the byte behind it stand for, and what follows.
fn escape(text: &[u8]) -> (Option<u8>, &[u8]) {
    let run = text.iter().take_while(|b| **b == b'\\').count();
    let rest = text.get(run..).unwrap_or_default();
    let code = |digits: usize| {
        let value = number(rest.get(1..=digits)?, 16)?;
        Some((u8::try_from(value).ok()?, rest.get(1 + digits..)?))
    };
    match rest {
        [b'n' | b'r', tail @ ..] => (Some(b'\n'), tail),
        [b't', tail @ ..] => (Some(b' '), tail),
        [b'u', ..] => code(4).map_or((None, rest), |(byte, tail)| (Some(byte), tail)),
        [b'x', ..] => code(2).map_or((None, rest), |(byte, tail)| (Some(byte), tail)),
        // A quote ends the string in the program, a slash needs no escape, a line goes on.
        _ => (None, rest),
    }
}

/// The character that `&#10;` or `&#xA;` stands for, and what follows.
fn entity(text: &[u8]) -> (Option<u8>, &[u8]) {
    let parsed = || {
        let end = text.iter().take(8).position(|b| *b == b';')?;
        let value = match text.get(2..end)? {
            [b'x' | b'X', hex @ ..] => number(hex, 16)?,
            decimal => number(decimal, 10)?,
        };
        Some((u8::try_from(value).ok()?, text.get(end + 1..)?))
    };
    match parsed() {
        Some((byte, tail)) => (Some(byte), tail),
        None => (Some(b'&'), text.get(1..).unwrap_or_default()),
    }
}

/// The bytes of a block's body, unless it is made of too few different characters to be a key.
fn body_bytes(block: &Block<'_>) -> Option<Vec<u8>> {
    let mut seen = [false; 256];
    for byte in &block.body {
        if let Some(slot) = seen.get_mut(usize::from(*byte)) {
            *slot = true;
        }
    }
    if seen.iter().filter(|s| **s).count() < 12 {
        return None;
    }
    decode(&block.body)
}

/// Private keys in PEM: base64 of a DER structure as long as it says, or of an encrypted body.
///
/// <https://www.rfc-editor.org/rfc/rfc7468>, <https://www.rfc-editor.org/rfc/rfc5958>,
/// <https://www.rfc-editor.org/rfc/rfc8017#appendix-A.1.2>, <https://www.rfc-editor.org/rfc/rfc5915>.
/// `Silent` for labels of other software whose contents these do not define.
fn pem(secret: &[u8]) -> Check {
    on_block(secret, |block| match block.label {
        b"OPENSSH PRIVATE KEY" => openssh_block(block),
        label if label.starts_with(b"PGP ") => pgp_block(block),
        _ => pem_block(block),
    })
}

fn pem_block(block: &Block<'_>) -> Check {
    let Some(bytes) = body_bytes(block) else {
        return Check::Fails;
    };
    // The smallest keys in use: RSA of 512 bits, a P-256 key without its public half, Ed25519.
    let least = match block.label {
        // Whole blocks of its cipher: DES has 8 bytes, AES 16.
        _ if block.encrypted => return fits_or_fails(bytes.len() >= 64 && bytes.len() % 8 == 0),
        b"ENCRYPTED PRIVATE KEY" => {
            return fits_or_fails(bytes.len() >= 64 && der_sequence(&bytes).is_some());
        }
        b"RSA PRIVATE KEY" => 300,
        b"DSA PRIVATE KEY" => 200,
        b"EC PRIVATE KEY" => 48,
        b"PRIVATE KEY" | b"ANY PRIVATE KEY" => 46,
        _ => {
            return if bytes.len() >= 32 {
                Check::Silent
            } else {
                Check::Fails
            };
        }
    };
    // All four structures begin with a version of 0 or 1; a certificate or a public key does not.
    let fits = der_sequence(&bytes).is_some_and(|content| matches!(content, [2, 1, 0 | 1, ..]));
    fits_or_fails(fits && bytes.len() >= least)
}

/// The content of a DER sequence that fills `bytes` up to three stray bytes at the end.
fn der_sequence(bytes: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader(bytes);
    if reader.byte()? != 0x30 {
        return None;
    }
    let length = match reader.byte()? {
        short @ 0..=0x7f => usize::from(short),
        long @ 0x81..=0x84 => reader
            .take(usize::from(long & 0x7f))?
            .iter()
            .try_fold(0_usize, |sum, byte| {
                sum.checked_mul(256)?.checked_add(usize::from(*byte))
            })?,
        _ => return None,
    };
    let content = reader.take(length)?;
    (reader.0.len() <= 3).then_some(content)
}

fn pem_facts(secret: &[u8]) -> Option<Facts> {
    // Object identifiers in DER, the algorithms that PKCS #8 keys are of.
    const KINDS: &[(&[u8], &str)] = &[
        (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01], "RSA"),
        (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01], "EC"),
        (&[0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01], "DSA"),
        (&[0x06, 0x03, 0x2b, 0x65, 0x70], "Ed25519"),
        (&[0x06, 0x03, 0x2b, 0x65, 0x71], "Ed448"),
        (&[0x06, 0x03, 0x2b, 0x65, 0x6e], "X25519"),
    ];
    let block = first_block(secret)?;
    if block.label == b"OPENSSH PRIVATE KEY" {
        return openssh_facts(secret);
    }
    if block.label.starts_with(b"PGP ") {
        return None;
    }
    let bytes = body_bytes(&block)?;
    let encrypted = block.encrypted || block.label.starts_with(b"ENCRYPTED");
    let algorithm = match block.label {
        b"RSA PRIVATE KEY" => Some("RSA"),
        b"DSA PRIVATE KEY" => Some("DSA"),
        b"EC PRIVATE KEY" => Some("EC"),
        // Its identifier stands in the first few bytes; further on they are the key's own.
        b"PRIVATE KEY" => bytes
            .get(..bytes.len().min(32))
            .and_then(|head| KINDS.iter().find(|(id, _)| find(head, id).is_some()))
            .map(|(_, name)| *name),
        _ => None,
    };
    let mut facts: Facts = algorithm
        .map(|name| ("algorithm", name.to_owned()))
        .into_iter()
        .collect();
    facts.push(("encrypted", encrypted.to_string()));
    Some(facts)
}

/// OpenSSH keys: the container parses to its end, and where it is open its two check numbers agree.
///
/// <https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.key>
fn openssh_key(secret: &[u8]) -> Check {
    on_block(secret, openssh_block)
}

fn openssh_block(block: &Block<'_>) -> Check {
    fits_or_fails(body_bytes(block).is_some_and(|bytes| openssh(&bytes).is_some()))
}

/// Cipher and algorithm of a whole container.
fn openssh(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut reader = Reader(bytes.strip_prefix(b"openssh-key-v1\0")?);
    let cipher = reader.string()?;
    let (_kdf, _options) = (reader.string()?, reader.string()?);
    let count = reader.number()?;
    let mut algorithm = None;
    for _ in 0..count {
        let public = reader.string()?;
        algorithm = algorithm.or_else(|| Reader(public).string());
    }
    let private = reader.string()?;
    let mut reader = Reader(private);
    let fits = match cipher {
        b"none" => reader.number()? == reader.number()? && reader.0.len() >= 32,
        _ => private.len() >= 64,
    };
    fits.then_some((cipher, algorithm?))
}

fn openssh_facts(secret: &[u8]) -> Option<Facts> {
    let bytes = body_bytes(&first_block(secret)?)?;
    let (cipher, algorithm) = openssh(&bytes)?;
    Some(vec![
        ("algorithm", printable(&String::from_utf8_lossy(algorithm))),
        ("encrypted", (cipher != b"none").to_string()),
    ])
}

/// OpenPGP private keys: the armour decodes, its CRC-24 fits where there is one, a key comes first.
///
/// <https://www.rfc-editor.org/rfc/rfc4880#section-6.1>; RFC 9580 makes the checksum optional.
fn pgp(secret: &[u8]) -> Check {
    on_block(secret, pgp_block)
}

fn pgp_block(block: &Block<'_>) -> Check {
    let Some(bytes) = body_bytes(block).filter(|bytes| bytes.len() >= 100) else {
        return Check::Fails;
    };
    if let Some(check) = block.crc {
        return fits_or_fails(decode(&check).as_deref() == crc24(&bytes).to_be_bytes().get(1..));
    }
    // The tag of the first packet: a secret key, in the old or the new form.
    fits_or_fails(matches!(bytes.first(), Some(0x94..=0x97 | 0xc5)))
}

fn crc24(bytes: &[u8]) -> u32 {
    let mut sum = 0x00b7_04ce;
    for byte in bytes {
        sum ^= u32::from(*byte) << 16;
        for _ in 0..8 {
            sum <<= 1;
            if sum & 0x0100_0000 != 0 {
                sum ^= 0x0186_4cfb;
            }
        }
    }
    sum
}

/// PuTTY keys: as many lines as announced, a public blob of the algorithm named on top, a private one.
///
/// <https://the.earth.li/~sgtatham/putty/latest/htmldoc/AppendixC.html>
/// Its MAC is not recomputed: it needs SHA-1 or the passphrase, and the structure is proof enough.
fn putty(secret: &[u8]) -> Check {
    if find(secret, b"PuTTY-User-Key-File-").is_none() {
        return Check::Silent;
    }
    fits_or_fails(
        [true, false]
            .into_iter()
            .any(|quoted| ppk(&plain(secret, quoted)).is_some()),
    )
}

fn ppk(text: &[u8]) -> Option<()> {
    let mut lines = text
        .split(|&b| b == b'\n')
        .map(uncommented)
        .filter(|line| !line.is_empty());
    let mut algorithm: Option<&[u8]> = None;
    let mut public = None;
    while let Some(line) = lines.next() {
        let Some((name, value)) = split_once(line, b':') else {
            continue;
        };
        let value = value.trim_ascii();
        let mut blob = || {
            let count = usize::try_from(number(value, 10)?).ok()?;
            let joined: Vec<u8> = lines.by_ref().take(count).flatten().copied().collect();
            decode(&joined)
        };
        match name {
            name if name.starts_with(b"PuTTY-User-Key-File-") => algorithm = Some(value),
            b"Public-Lines" => public = Some(blob()?),
            b"Private-Lines" => {
                let private = blob()?;
                let named = Reader(public.as_deref()?).string()?;
                return (Some(named) == algorithm && private.len() >= 32).then_some(());
            }
            _ => {}
        }
    }
    None
}

// ---------------------------------------------------------------------------------------------
// Small tools

fn fits_or_fails(fits: bool) -> Check {
    if fits { Check::Fits } else { Check::Fails }
}

/// The lowest `N` digits of a number, highest first, padded with the alphabet's zero.
fn digits<const N: usize>(value: u32, alphabet: &[u8]) -> [u8; N] {
    let radix = u32::try_from(alphabet.len()).unwrap_or(u32::MAX).max(2);
    let mut rest = value;
    let mut out = [0; N];
    for slot in out.iter_mut().rev() {
        *slot = alphabet
            .get((rest % radix) as usize)
            .copied()
            .unwrap_or_default();
        rest /= radix;
    }
    out
}

/// A number in base 36 or less; `None` where it is empty, too large or has another character.
fn number(digits: &[u8], radix: u32) -> Option<u64> {
    let parse = |sum: u64, digit: &u8| {
        let value = char::from(*digit).to_digit(radix)?;
        sum.checked_mul(u64::from(radix))?
            .checked_add(u64::from(value))
    };
    if digits.is_empty() {
        None
    } else {
        digits.iter().try_fold(0, parse)
    }
}

fn split_once(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = bytes.iter().position(|b| *b == at)?;
    Some((bytes.get(..place)?, bytes.get(place + 1..)?))
}

fn rsplit_once(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = bytes.iter().rposition(|b| *b == at)?;
    Some((bytes.get(..place)?, bytes.get(place + 1..)?))
}

/// Where a short needle first stands.
fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes
        .windows(needle.len())
        .position(|window| window == needle)
}

fn unpadded(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., b'='] = text {
        text = rest;
    }
    text
}

/// Base64 of either alphabet, padded or not. Stray bits at the end are let pass: hand-made encoders
/// leave them.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
    const URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);
    let text = unpadded(text);
    let engine = if text.iter().any(|b| b"-_".contains(b)) {
        URL
    } else {
        STANDARD
    };
    engine.decode(text).ok()
}

/// As [`decode`], but refuses stray bits: for check digits every bit counts.
fn decode_strict(text: &[u8]) -> Option<Vec<u8>> {
    const CONFIG: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::RequireNone);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
    const URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);
    let text = unpadded(text);
    let engine = if text.iter().any(|b| b"-_".contains(b)) {
        URL
    } else {
        STANDARD
    };
    engine.decode(text).ok()
}

/// Base32 of RFC 4648 in either case, without padding; bits that do not fill a byte are dropped.
fn base32(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() * 5 / 8);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in text {
        let value = match byte.to_ascii_uppercase() {
            letter @ b'A'..=b'Z' => letter - b'A',
            digit @ b'2'..=b'7' => digit - b'2' + 26,
            _ => return None,
        };
        bits = (bits << 5) | u32::from(value);
        held += 5;
        if held >= 8 {
            held -= 8;
            let [.., low] = (bits >> held).to_be_bytes();
            out.push(low);
            bits &= (1 << held) - 1;
        }
    }
    Some(out)
}

/// A JSON object in base64.
fn object(text: &[u8]) -> Option<Value> {
    serde_json::from_slice(&decode(text)?)
        .ok()
        .filter(Value::is_object)
}

/// What may be shown on a terminal: no control characters, at most 200 characters.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

fn add_text(facts: &mut Facts, name: &'static str, value: Option<&Value>) {
    let text = match value {
        Some(Value::String(text)) => printable(text),
        Some(Value::Number(number)) => number.to_string(),
        _ => return,
    };
    if !text.is_empty() {
        facts.push((name, text));
    }
}

/// Whole seconds; some issuers write fractions.
fn add_seconds(facts: &mut Facts, name: &'static str, value: Option<&Value>) {
    if let Some(Value::Number(number)) = value {
        let text = number.to_string();
        let whole = text.split_once('.').map_or(&*text, |(whole, _)| whole);
        facts.push((name, whole.to_owned()));
    }
}

fn add_list(facts: &mut Facts, name: &'static str, value: Option<&Value>) {
    if let Some(Value::Array(list)) = value {
        let joined = list
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        facts.push((name, printable(&joined)));
    }
}

/// What is left to read of a binary structure.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A number of 32 bits, high byte first.
    fn number(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*bytes))
    }

    /// A string of SSH: its length in 32 bits, its bytes.
    fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        self.take(length)
    }

    /// A field of a macaroon: its length, seven bits to a byte, low ones first, and its bytes.
    fn counted(&mut self) -> Option<&'a [u8]> {
        let mut length = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            length |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return self.take(length);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, secret: impl AsRef<[u8]>) -> Check {
        by_name(name).map_or(Check::Silent, |verify| verify(secret.as_ref()))
    }

    fn fact(name: &str, secret: impl AsRef<[u8]>, wanted: &str) -> Option<String> {
        let facts = facts(name, secret.as_ref());
        facts
            .into_iter()
            .find_map(|(key, value)| (key == wanted).then_some(value))
    }

    fn base64(bytes: impl AsRef<[u8]>) -> String {
        base64::engine::general_purpose::STANDARD.encode(bytes)
    }

    fn base64url(bytes: impl AsRef<[u8]>) -> String {
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Bytes without a pattern.
    fn noise(length: usize) -> Vec<u8> {
        let step = |state: &mut u32| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Some(state.to_be_bytes()[0])
        };
        std::iter::repeat_with(|| 0)
            .scan(7, |state, _: u8| step(state))
            .take(length)
            .collect()
    }

    fn armored(label: &str, bytes: &[u8]) -> String {
        let body = base64(bytes);
        let lines: Vec<_> = body
            .as_bytes()
            .chunks(64)
            .map(String::from_utf8_lossy)
            .collect();
        format!(
            "-----BEGIN {label}-----\n{}\n-----END {label}-----",
            lines.join("\n")
        )
    }

    /// Version 0 and an octet string.
    fn pkcs8(payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len())
            .unwrap_or_default()
            .to_be_bytes();
        let content = [&[2, 1, 0, 4, 0x82], length.as_slice(), payload].concat();
        let length = u16::try_from(content.len())
            .unwrap_or_default()
            .to_be_bytes();
        [&[0x30, 0x82], length.as_slice(), content.as_slice()].concat()
    }

    fn openssh_bytes(first: u32, second: u32) -> Vec<u8> {
        let string = |bytes: &[u8]| {
            [
                &u32::try_from(bytes.len()).unwrap_or_default().to_be_bytes(),
                bytes,
            ]
            .concat()
        };
        let public = [string(b"ssh-ed25519"), string(&noise(32))].concat();
        let private = [
            &first.to_be_bytes(),
            &second.to_be_bytes(),
            noise(128).as_slice(),
        ]
        .concat();
        [
            b"openssh-key-v1\0".to_vec(),
            string(b"none"),
            string(b"none"),
            string(b""),
            vec![0, 0, 0, 1],
            string(&public),
            string(&private),
        ]
        .concat()
    }

    #[test]
    fn names_are_sorted_and_known() {
        assert!(NAMES.is_sorted());
        assert!(NAMES.iter().all(|name| by_name(name).is_some()));
        assert!(by_name("crc32").is_none());
    }

    #[test]
    fn nothing_panics_on_pieces() {
        let samples = [
            armored("RSA PRIVATE KEY", &pkcs8(&noise(400))).into_bytes(),
            armored("OPENSSH PRIVATE KEY", &openssh_bytes(5, 5)).into_bytes(),
            noise(300),
            b"\\u00zz\\x&#;&#x;\\".to_vec(),
            concat!("eyJ", "hbGciOiJub25lIn0.e30.").as_bytes().to_vec(),
            b"pypi-AgEI_______".to_vec(),
        ];
        for sample in samples {
            for end in 0..=sample.len() {
                for (name, verify) in TABLE {
                    verify(&sample[..end]);
                    let _ = facts(name, &sample[..end]);
                    verify(&sample[end..]);
                }
            }
        }
    }

    #[test]
    fn github_digits() {
        let token = concat!("gh", "p_4fQ8rT2wXzB6dJ9mL3sV7yC1nHk5pG2Wecb6");
        assert_eq!(check("github-crc32", token), Check::Fits);
        assert_eq!(
            check("github-crc32", token.replace("ecb6", "ecb7")),
            Check::Fails
        );
        assert_eq!(
            check(
                "github-crc32",
                token.replace("ecb6", "ecb7").replace("hp_", "hs_")
            ),
            Check::Silent
        );
        assert_eq!(
            check("github-crc32", token.replace("gh", "GH")),
            Check::Fits,
            "the prefix is not covered"
        );
        assert_eq!(
            check("github-crc32", concat!("gh", "p_4fQ8")),
            Check::Silent
        );
    }

    #[test]
    fn vercel_digits() {
        let body = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmn";
        let digits = digits::<6>(crc32fast::hash(body.as_bytes()), BASE62);
        let token = format!("vcp_{body}{}", String::from_utf8_lossy(&digits));
        assert_eq!(check("vercel-crc32", &token), Check::Fits);
        assert_eq!(
            check("vercel-crc32", token.replace("vcp_01", "vcp_10")),
            Check::Fails
        );
        assert_eq!(check("vercel-crc32", &token[4..28]), Check::Silent);
    }

    #[test]
    fn gitlab_digits_and_routing() {
        let payload = base64url([noise(16).as_slice(), b"o:1\nu:2s", &[8]].concat());
        let length = String::from_utf8_lossy(&digits::<2>(
            u32::try_from(payload.len()).unwrap_or_default(),
            BASE36,
        ))
        .into_owned();
        let covered = format!("{}{payload}.01.{length}", concat!("gl", "pat-"));
        let digits = digits::<7>(crc32fast::hash(covered.as_bytes()), BASE36);
        let token = covered + &String::from_utf8_lossy(&digits);
        assert_eq!(check("gitlab-routable", &token), Check::Fits);
        assert_eq!(
            fact("gitlab-routable", &token, "user").as_deref(),
            Some("100")
        );
        assert_eq!(
            fact("gitlab-routable", &token, "organization").as_deref(),
            Some("1")
        );
        assert_eq!(
            check("gitlab-routable", token.replacen("gl", "GL", 1)),
            Check::Fails
        );
        assert_eq!(
            check("gitlab-routable", concat!("gl", "pat-0123456789abcdefghij")),
            Check::Silent
        );
    }

    #[test]
    fn grafana_digits() {
        // From Grafana's own test.
        let token = concat!("gl", "sa_yscW25imSKJIuav8zF37RZmnbiDvB05G_fcaaf58a");
        assert_eq!(check("grafana-glsa", token), Check::Fits);
        assert_eq!(
            check("grafana-glsa", token.replace("58a", "58b")),
            Check::Fails
        );
    }

    #[test]
    fn cratesio_check_character() {
        // From the tests of crates.io.
        assert_eq!(
            check(
                "cratesio-tp",
                concat!("cio_", "tp_gGK6jurSwKyl9V3Az19z7YEFQI9aoOOd")
            ),
            Check::Fits
        );
        assert_eq!(
            check(
                "cratesio-tp",
                concat!("cio_", "tp_0000000000000000000000000000000w")
            ),
            Check::Fits
        );
        assert_eq!(
            check(
                "cratesio-tp",
                concat!("cio_", "tp_00000000000000000000000000000000")
            ),
            Check::Fails
        );
        assert_eq!(
            check(
                "cratesio-tp",
                concat!("ci", "o0123456789abcdefghijABCDEFGHIJKL")
            ),
            Check::Silent
        );
    }

    #[test]
    fn aws_accounts() {
        // The id of a published write-up on the encoding.
        let id = concat!("AS", "IAQNZGKIQY56JQ7WML");
        assert_eq!(
            fact("aws-key-id", id, "account").as_deref(),
            Some("029608264753")
        );
        assert_eq!(check("aws-key-id", id), Check::Silent);
        assert_eq!(
            check("aws-key-id", concat!("AK", "IA7777777777777777")),
            Check::Fails,
            "13 digits"
        );
        assert_eq!(
            check("aws-key-id", concat!("AK", "IAQNZGKIQY56JQ7WM1")),
            Check::Fails,
            "no base32"
        );
        let old = concat!("AK", "IAIOSFODNN7EXAMPLE");
        assert_eq!(check("aws-key-id", old), Check::Silent);
        assert_eq!(fact("aws-key-id", old, "account"), None);
    }

    #[test]
    fn marvin_vectors() {
        // From Microsoft's tests: seed, data, both halves of the sum.
        for (seed, data, sum) in [
            (
                0x004f_b61a_001b_dbcc_u64,
                &b""[..],
                0x30ed_35c1_00cd_3c7d_u64,
            ),
            (0x004f_b61a_001b_dbcc, b"\xaf", 0x48e7_3fc7_7d75_ddc1),
            (0x004f_b61a_001b_dbcc, b"\xe7\x0f", 0xb5f6_e1fc_485d_bff8),
            (
                0x004f_b61a_001b_dbcc,
                b"\x37\xf4\x95",
                0xf0b0_7c78_9b8c_f7e8,
            ),
            (
                0x804f_b61a_001b_dbcc,
                b"\xab\x42\x7e\xa8\xd1\x0f\xc7",
                0xe203_987d_ba25_2fb3,
            ),
            (
                0x804f_b61a_801b_dbcc,
                b"\x00\xff\x00\xff\x00\xff",
                0xec21_276a_17e8_21a5,
            ),
        ] {
            let folded = (sum >> 32) ^ (sum & 0xffff_ffff);
            assert_eq!(u64::from(marvin32(data, seed.to_be_bytes())), folded);
        }
    }

    #[test]
    fn azure_identifiable_keys() {
        // From Microsoft's tests: a filler, its length, the end of the key.
        for (filler, length, end) in [
            ("a", 76, "+ASt5mnCaw=="),
            ("a", 76, "ACDbOpqrYA=="),
            ("a", 76, "+ABa13FZVQ=="),
            ("a", 76, "+AMCFNqWyA=="),
            ("a", 76, "APIMHbKhsQ=="),
            ("a", 33, "+ARmD7h+qo="),
            ("a", 33, "+AEhG2s/8w="),
            ("a", 33, "+ASbHpHeAI="),
            ("a", 33, "AIoTOumzco="),
            ("b", 33, "AZEGLiQbng="),
            ("a", 42, "AzSeCjhzCu"),
            ("d", 42, "+ACRCUDxQE"),
            ("d", 44, "AzFu182vhA=="),
        ] {
            let key = filler.repeat(length) + end;
            assert_eq!(check("azure-identifiable", &key), Check::Fits, "{end}");
            let other = key.replacen(filler, "x", 1);
            let doubt = if end.starts_with("APIM") || end.starts_with("AZEG") {
                Check::Silent
            } else {
                Check::Fails
            };
            assert_eq!(check("azure-identifiable", &other), doubt, "{end}");
        }
        assert_eq!(
            check("azure-identifiable", base64(noise(64))),
            Check::Silent,
            "a key of old"
        );
    }

    #[test]
    fn azure_annotated_keys() {
        // A filler, and the digits by a separate program: short, long, and in base64.
        for (filler, ends) in [
            ("H", ["xIXY", "xIXYzw==", "NDoZ", "NDoZHQ=="]),
            ("K", ["2KbW", "2KbW4w==", "f1v4", "f1v4VQ=="]),
            ("6", ["1TH1", "1TH1Lw==", "UGOU", "UGOURA=="]),
        ] {
            let body = filler.repeat(52) + concat!("JQ", "QJ99AEAAAAAAAAAAAAAAAAAZFU");
            for end in ends {
                let key = format!("{body}{end}");
                assert_eq!(check("azure-cask", &key), Check::Fits, "{filler} {end}");
                assert_eq!(check("azure-identifiable", &key), Check::Fits);
                assert_eq!(check("azure-devops-pat", &key), Check::Fits);
                assert_eq!(
                    fact("azure-cask", &key, "created").as_deref(),
                    Some("2024-05")
                );
                assert_eq!(fact("azure-cask", &key, "service").as_deref(), Some("AZFU"));
            }
            assert_eq!(check("azure-cask", format!("{body}AAAA")), Check::Silent);
        }
    }

    #[test]
    fn annotated_digits_keep_leading_zeros() {
        assert_eq!(&cask_digits([0, 0, 0, 0]), b"000000");
        assert_eq!(&cask_digits([0, 0, 0, 1]), b"000100");
        assert_eq!(&cask_digits([0, 0, 1, 0]), b"004800");
        assert_eq!(&cask_digits([255, 255, 255, 255]), b"4gfFC3");
    }

    #[test]
    fn entra_digits() {
        // From Microsoft's tests.
        let secret = format!("zzz8Q~{}blP", "z".repeat(31));
        assert_eq!(check("azure-entra-8q", &secret), Check::Fits);
        assert_eq!(
            check("azure-entra-8q", secret.replace("blP", "blQ")),
            Check::Silent
        );
        assert_eq!(
            check("azure-entra-8q", format!("yyy7Q~{}", "y".repeat(31))),
            Check::Silent
        );
    }

    #[test]
    fn devops_digits() {
        let mut bytes = noise(32);
        let body = [&bytes[..2], &bytes[3..7], &bytes[9..22], &bytes[23..]].concat();
        let sum = (crc32fast::hash(&body) ^ 0x1019_F92E).to_be_bytes();
        for (at, byte) in [2, 7, 8, 22].into_iter().zip(sum) {
            bytes[at] = byte;
        }
        let bit = |at: usize| {
            bytes
                .get(at / 8)
                .map_or(0, |byte| usize::from((byte >> (7 - at % 8)) & 1))
        };
        let token: String = (0..52)
            .map(|group| (0..5).fold(0, |sum, at| sum << 1 | bit(group * 5 + at)))
            .map(|value| char::from(b"abcdefghijklmnopqrstuvwxyz234567"[value]))
            .collect();
        assert_eq!(check("azure-devops-pat", &token), Check::Fits);
        let first = if token.starts_with('a') { "b" } else { "a" };
        assert_eq!(
            check("azure-devops-pat", format!("{first}{}", &token[1..])),
            Check::Fails
        );
        assert_eq!(check("azure-devops-pat", &token[1..]), Check::Fails);
    }

    #[test]
    fn web_tokens() {
        let token = |header: &str, payload: &str, signature: &[u8]| {
            format!(
                "{}.{}.{}",
                base64url(header),
                base64url(payload),
                base64url(signature)
            )
        };
        let header = r#"{"alg":"HS256","typ":"JWT"}"#;
        let payload =
            r#"{"iss":"https://a.example/","exp":1767225600.5,"aud":["x"],"sub":"s\u001b[2J"}"#;
        let whole = token(header, payload, &noise(32));
        assert_eq!(check("jwt", &whole), Check::Fits);
        assert_eq!(check("jwt", format!("ghs_1234_{whole}")), Check::Fits);
        assert_eq!(
            fact("jwt", &whole, "issuer").as_deref(),
            Some("https://a.example/")
        );
        assert_eq!(
            fact("jwt", &whole, "expires").as_deref(),
            Some("1767225600")
        );
        assert_eq!(fact("jwt", &whole, "audience").as_deref(), Some("x"));
        assert_eq!(
            fact("jwt", &whole, "subject").as_deref(),
            Some("s[2J"),
            "no control characters"
        );
        assert_eq!(
            check("jwt", token(header, payload, &noise(20))),
            Check::Silent,
            "cut off"
        );
        assert_eq!(
            check("jwt", token(r#"{"alg":"none"}"#, payload, b"")),
            Check::Silent
        );
        assert_eq!(check("jwt", token(header, payload, b"")), Check::Fails);
        assert_eq!(
            check("jwt", token(r#"{"typ":"JWT"}"#, payload, &noise(32))),
            Check::Fails
        );
        assert_eq!(check("jwt", token(header, "[1]", &noise(32))), Check::Fails);
        assert_eq!(check("jwt", format!("{whole}.x")), Check::Fails);
        let tutorial = r#"{"sub":"1234567890","name":"John Doe","iat":1516239022}"#;
        assert_eq!(
            check("jwt", token(header, tutorial, &noise(32))),
            Check::Silent
        );
    }

    #[test]
    fn json_in_tokens() {
        let grafana = format!(
            "glc_{}",
            base64(r#"{"o":"42","n":"ci","k":"c2VjcmV0","m":{"r":"eu"}}"#)
        );
        assert_eq!(check("json-base64", &grafana), Check::Fits);
        assert_eq!(
            facts("json-base64", grafana.as_bytes()),
            [
                ("org", "42".into()),
                ("name", "ci".into()),
                ("region", "eu".into())
            ]
        );
        assert_eq!(check("json-base64", &grafana[..30]), Check::Fails);
        let body = base64(r#"{"iat":1687336543.69859,"url":"https://sentry.io","org":"acme"}"#);
        let sentry = format!(
            "sntrys_{}_NzJkYzA3NzMyZTRjNGE2NmJlNjBjOWQxNGRjOTZiNmI",
            body.trim_end_matches('=')
        );
        assert_eq!(check("json-base64", &sentry), Check::Fits);
        assert_eq!(fact("json-base64", &sentry, "org").as_deref(), Some("acme"));
        assert_eq!(
            fact("json-base64", &sentry, "issued").as_deref(),
            Some("1687336543")
        );
        let mapbox = format!(
            "sk.{}.0123456789abcdefghijAB",
            base64url(r#"{"u":"me","a":"ck1"}"#)
        );
        assert_eq!(check("json-base64", &mapbox), Check::Fits);
        assert_eq!(fact("json-base64", &mapbox, "user").as_deref(), Some("me"));
        let service = format!(
            "ops_{}",
            base64url(r#"{"signInAddress":"my.1password.com","secretKey":"A3"}"#)
        );
        assert_eq!(
            facts("json-base64", service.as_bytes()),
            [("url", "my.1password.com".into())]
        );
    }

    #[test]
    fn pypi_macaroons() {
        // Made with pypitoken 7.
        let token = concat!(
            "pypi-",
            "AgEIcHlwaS5vcmcCJDNmMWQ2YzFlLTBkNmMtNGE1Mi05ZjBlLTZiM2IxYzlhN2QxMQACFlsxLCBbImFscGhhIiwgImJldGEiXV0A",
            "AhJbMCwgMTkwMDAwMDAwMCwgMV0AAAYgFjFhIhMxWfgGJjnFhn6YiwsBYzNk1Z5Rk7gVq29r6sE"
        );
        assert_eq!(check("pypi-macaroon", token), Check::Fits);
        assert_eq!(
            fact("pypi-macaroon", token, "url").as_deref(),
            Some("pypi.org")
        );
        assert_eq!(
            fact("pypi-macaroon", token, "projects").as_deref(),
            Some("alpha, beta")
        );
        assert_eq!(
            fact("pypi-macaroon", token, "expires").as_deref(),
            Some("1900000000")
        );
        assert_eq!(
            check("pypi-macaroon", &token[..token.len() - 4]),
            Check::Fails
        );
        assert_eq!(check("pypi-macaroon", format!("{token}AAAA")), Check::Fails);
    }

    #[test]
    fn ids_in_base64() {
        let discord = format!(
            "{}.GaBcDe.{}",
            base64url("123456789012345678"),
            base64url(noise(28))
        );
        assert_eq!(check("discord-bot", &discord), Check::Fits);
        assert_eq!(
            fact("discord-bot", &discord, "user").as_deref(),
            Some("123456789012345678")
        );
        assert_eq!(
            check("discord-bot", format!("A{}", &discord[1..])),
            Check::Fails
        );

        let jfrog = base64("reftkn:01:1767225600:abcdefghijklmnopqrstuvwxyz0");
        assert_eq!(
            (jfrog.len(), check("artifactory-ref", &jfrog)),
            (64, Check::Fits)
        );
        assert_eq!(
            fact("artifactory-ref", &jfrog, "expires").as_deref(),
            Some("1767225600")
        );
        assert_eq!(
            check("artifactory-ref", base64("reftkn:neu")),
            Check::Silent
        );
        assert_eq!(
            check("artifactory-ref", base64("reftkm:01:1767225600:abcdefgh")),
            Check::Fails
        );

        let jira = base64([b"123456789012:".as_slice(), &noise(20)].concat());
        assert_eq!(
            (jira.len(), check("atlassian-dc", &jira)),
            (44, Check::Fits)
        );
        assert_eq!(check("atlassian-dc", base64(noise(33))), Check::Fails);
    }

    #[test]
    fn basic_authentication() {
        assert_eq!(
            check("basic-auth", base64("deploy:s3cr3t-Tr41n")),
            Check::Fits
        );
        assert_eq!(
            check(
                "basic-auth",
                format!("Basic {}", base64("deploy:s3cr3t-Tr41n"))
            ),
            Check::Fits
        );
        assert_eq!(
            fact("basic-auth", base64("deploy:s3cr3t-Tr41n"), "user").as_deref(),
            Some("deploy")
        );
        assert_eq!(check("basic-auth", base64("user:password")), Check::Silent);
        assert_eq!(check("basic-auth", base64("admin:admin")), Check::Silent);
        assert_eq!(check("basic-auth", base64("no colon in it")), Check::Fails);
        assert_eq!(check("basic-auth", base64(noise(40))), Check::Fails);
        let key_as_user = base64("0123456789abcdef0123456789abcdef:x-oauth-basic");
        assert_eq!(check("basic-auth", &key_as_user), Check::Fits);
        assert_eq!(
            fact("basic-auth", &key_as_user, "user"),
            None,
            "it is the key"
        );
    }

    #[test]
    fn random_uuids() {
        assert_eq!(
            check(
                "uuid-v4",
                concat!("sdk", "-9b2d6e1c-3f47-4c0a-8d15-7e6fa1b0c2d3")
            ),
            Check::Silent
        );
        assert_eq!(
            check("uuid-v4", "9b2d6e1c-3f47-1c0a-8d15-7e6fa1b0c2d3"),
            Check::Fails
        );
        assert_eq!(
            check("uuid-v4", "9b2d6e1c-3f47-4c0a-cd15-7e6fa1b0c2d3"),
            Check::Fails
        );
        assert_eq!(check("uuid-v4", "9b2d6e1c"), Check::Fails);
    }

    #[test]
    fn age_identities() {
        // From the specification: a key of 32 bytes 0x42.
        let key = concat!(
            "AGE-SECRET-",
            "KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
        );
        assert_eq!(check("age-bech32", key), Check::Fits);
        assert_eq!(check("age-bech32", key.to_lowercase()), Check::Fits);
        assert_eq!(
            check("age-bech32", key.replace("EGAEX", "EGAEY")),
            Check::Fails
        );
        assert_eq!(
            check("age-bech32", key.replace("AGE", "age")),
            Check::Fails,
            "two cases"
        );
        let hybrid = concat!(
            "AGE-SECRET-",
            "KEY-PQ-1XX76JRALNLXDMEW0CRK45QMCCH4X06SE84UN3VPM33W6HWDX0H3SK3ZQFR"
        );
        assert_eq!(check("age-bech32", hybrid), Check::Fits);
    }

    #[test]
    fn pem_in_every_wrapping() {
        let key = armored("PRIVATE KEY", &pkcs8(&noise(600)));
        let lines: Vec<&str> = key.lines().collect();
        for joint in [
            "\n",
            "\r\n",
            "\n    ",
            "\\n",
            "\\\\n",
            "\\r\\n",
            " ",
            "&#xA;",
            "\\u000a",
            "\n# ",
            "\n * ",
            "\n// ",
            "\n+",
            "\n-",
            "\n> ",
            "\\n\" +\n    \"",
            "\\n'\n    '",
            "\" & vbCrLf & _\n \"",
            "',\n  '",
            "\\\\n\\\" + \\\"",
            "\\n\\\n",
            "\" > f\necho \"",
        ] {
            assert_eq!(check("pem", lines.join(joint)), Check::Fits, "{joint:?}");
        }
        assert_eq!(
            check("pem", lines.join("\\n").replace('/', "\\/")),
            Check::Fits
        );
        assert_eq!(
            check("pem", lines.join("\\n").replace('+', "\\u002B")),
            Check::Fits
        );
        assert_eq!(fact("pem", &key, "encrypted").as_deref(), Some("false"));
    }

    #[test]
    fn pem_that_is_no_key() {
        let key = armored("PRIVATE KEY", &pkcs8(&noise(600)));
        let lines: Vec<&str> = key.lines().collect();
        let without = [&lines[..4], &lines[5..]].concat().join("\n");
        assert_eq!(check("pem", without), Check::Fails, "a line is missing");
        assert_eq!(check("pem", key.replace(lines[4], "...")), Check::Fails);
        assert_eq!(
            check("pem", key.replace(lines[4], "<redacted>")),
            Check::Fails
        );
        assert_eq!(
            check("pem", armored("PRIVATE KEY", &noise(600))),
            Check::Fails
        );
        assert_eq!(
            check("pem", armored("PRIVATE KEY", &pkcs8(&[0; 600]))),
            Check::Fails,
            "too even"
        );
        assert_eq!(
            check("pem", armored("RSA PRIVATE KEY", &pkcs8(&noise(100)))),
            Check::Fails,
            "too short"
        );
        let certificate = [&[0x30, 0x82, 1, 0, 0x30, 0x81, 0xfc], noise(253).as_slice()].concat();
        assert_eq!(
            check("pem", armored("PRIVATE KEY", &certificate)),
            Check::Fails
        );
        assert_eq!(
            check("pem", armored("NEBULA X25519 PRIVATE KEY", &noise(32))),
            Check::Silent
        );
        assert_eq!(check("pem", lines[1]), Check::Silent, "not a block");
    }

    #[test]
    fn encrypted_pem() {
        let headers =
            "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,A64D7C748348B7851CE1D50554DA451F\n\n";
        let key =
            armored("RSA PRIVATE KEY", &noise(640)).replacen('\n', &format!("\n{headers}"), 1);
        assert_eq!(check("pem", &key), Check::Fits);
        assert_eq!(check("pem", key.replace('\n', " ")), Check::Fits);
        assert_eq!(fact("pem", &key, "encrypted").as_deref(), Some("true"));
        let short =
            armored("RSA PRIVATE KEY", &noise(40)).replacen('\n', &format!("\n{headers}"), 1);
        assert_eq!(check("pem", short), Check::Fails);
    }

    #[test]
    fn openssh_keys() {
        let key = armored("OPENSSH PRIVATE KEY", &openssh_bytes(9, 9));
        assert_eq!(check("openssh-key", &key), Check::Fits);
        assert_eq!(check("pem", &key), Check::Fits);
        assert_eq!(
            fact("pem", &key, "algorithm").as_deref(),
            Some("ssh-ed25519")
        );
        assert_eq!(
            check(
                "openssh-key",
                armored("OPENSSH PRIVATE KEY", &openssh_bytes(9, 8))
            ),
            Check::Fails
        );
        let cut = openssh_bytes(9, 9);
        assert_eq!(
            check(
                "openssh-key",
                armored("OPENSSH PRIVATE KEY", &cut[..cut.len() - 8])
            ),
            Check::Fails
        );
    }

    #[test]
    fn pgp_keys() {
        let packets = [&[0x95, 3, 0x98], noise(920).as_slice()].concat();
        let with = |sum: u32| {
            let line = format!("\n={}\n-----END", base64(&sum.to_be_bytes()[1..]));
            let label = concat!("PGP PRIVATE", " KEY BLOCK");
            armored(label, &packets)
                .replace("\n-----END", &line)
                .replacen('\n', "\nVersion: GnuPG v2\n\n", 1)
        };
        assert_eq!(
            crc24(b"123456789"),
            0x0021_cf02,
            "the code's published check value"
        );
        assert_eq!(check("pgp", with(crc24(&packets))), Check::Fits);
        assert_eq!(check("pem", with(crc24(&packets))), Check::Fits);
        assert_eq!(check("pgp", with(crc24(&packets) ^ 1)), Check::Fails);
        assert_eq!(
            check(
                "pgp",
                armored(concat!("PGP PRIVATE", " KEY BLOCK"), &packets)
            ),
            Check::Fits
        );
        assert_eq!(
            check(
                "pgp",
                armored(concat!("PGP PRIVATE", " KEY BLOCK"), &noise(920))
            ),
            Check::Fails
        );
    }

    #[test]
    fn putty_keys() {
        let public = base64(
            [
                &[0, 0, 0, 11],
                b"ssh-ed25519".as_slice(),
                &[0, 0, 0, 32],
                &noise(32),
            ]
            .concat(),
        );
        let private = base64([&[0, 0, 0, 32], noise(32).as_slice()].concat());
        let key = format!(
            "{}-3: ssh-ed25519\nEncryption: none\nComment: it's mine\nPublic-Lines: 2\n{}\n{}\nPrivate-Lines: 1\n{private}\nPrivate-MAC: 00\n",
            concat!("PuTTY-User", "-Key-File"),
            &public[..64],
            &public[64..]
        );
        assert_eq!(check("putty", &key), Check::Fits);
        assert_eq!(
            check("putty", key.trim_end().replace('\n', "\\r\\n")),
            Check::Fits
        );
        assert_eq!(
            check("putty", key.replace("3: ssh-ed25519", "3: ssh-rsa")),
            Check::Fails
        );
        assert_eq!(check("putty", key.replace(&private, "AAAA")), Check::Fails);
    }
}
