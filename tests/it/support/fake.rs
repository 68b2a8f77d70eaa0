//! Synthetic secrets: random, valid in form, of no account.
//!
//! Written from the providers' descriptions, apart from `src/filter/checksum/` and without looking at
//! it, so that an error in one shows against the other. Everything follows from a `u64` seed.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "support code of one program: no test uses all of it"
)]

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

const DIGITS: &str = "0123456789";
const HEX: &str = "0123456789abcdef";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const BASE32: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE36: &str = "0123456789abcdefghijklmnopqrstuvwxyz";
const BASE62: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64URL: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// xorshift64*: small, and the same everywhere.
pub struct Rng(u64);

impl Rng {
    /// Any seed will do; neighbours give unrelated numbers.
    pub fn new(seed: u64) -> Self {
        let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self((mixed ^ (mixed >> 31)) | 1)
    }

    /// As [`Rng::new`], but two kinds share no text at the same seed.
    fn of(kind: &str, seed: u64) -> Self {
        Self::new(seed ^ (u64::from(crc32(kind.as_bytes())) << 32))
    }

    /// The next 64 bits.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number from 0 to `limit - 1`.
    pub fn below(&mut self, limit: usize) -> usize {
        ((self.number() >> 33) % limit as u64) as usize
    }

    /// That many random bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| (self.number() >> 40) as u8).collect()
    }

    /// That many characters of an alphabet.
    pub fn text(&mut self, alphabet: &str, length: usize) -> String {
        let alphabet = alphabet.as_bytes();
        (0..length)
            .map(|_| char::from(alphabet[self.below(alphabet.len())]))
            .collect()
    }
}

// ---------------------------------------------------------------------------------------------
// Tokens

/// A classic personal access token of GitHub, 40 characters.
pub fn github_pat(seed: u64) -> String {
    let body = Rng::of("github_pat", seed).text(BASE62, 30);
    let check = in_base(crc32(body.as_bytes()), BASE62, 6);
    format!("{}{body}{check}", concat!("gh", "p_"))
}

/// A token of the npm registry, 40 characters.
pub fn npm_token(seed: u64) -> String {
    let body = Rng::of("npm_token", seed).text(BASE62, 30);
    let check = in_base(crc32(body.as_bytes()), BASE62, 6);
    format!("{}{body}{check}", concat!("np", "m_"))
}

/// A personal access token of GitLab in the form without check digits.
pub fn gitlab_pat(seed: u64) -> String {
    format!(
        "{}{}",
        concat!("gl", "pat-"),
        Rng::of("gitlab_pat", seed).text(BASE64URL, 20)
    )
}

/// A routable personal access token of GitLab, for user 4711 and organization 1.
pub fn gitlab_routable(seed: u64) -> String {
    let mut payload = Rng::of("gitlab_routable", seed).bytes(16);
    let routing = b"o:1\nu:3mv";
    payload.extend_from_slice(routing);
    payload.push(routing.len() as u8);
    let payload = URL_SAFE_NO_PAD.encode(payload);
    let length = in_base(payload.len() as u32, BASE36, 2);
    let covered = format!("{}{payload}.01.{length}", concat!("gl", "pat-"));
    let check = in_base(crc32(covered.as_bytes()), BASE36, 7);
    covered + &check
}

/// A personal token of Vercel, 60 characters.
pub fn vercel_token(seed: u64) -> String {
    let body = Rng::of("vercel_token", seed).text(BASE62, 50);
    let check = in_base(crc32(body.as_bytes()), BASE62, 6);
    format!("{}{body}{check}", concat!("vc", "p_"))
}

/// A service account token of Grafana, 46 characters.
pub fn grafana_sa(seed: u64) -> String {
    let covered = format!(
        "{}{}",
        concat!("gl", "sa_"),
        Rng::of("grafana_sa", seed).text(BASE62, 32)
    );
    let check = u32::from_be_bytes(crc32(covered.as_bytes()).to_le_bytes());
    format!("{covered}_{check:08x}")
}

/// A trusted-publishing token of crates.io.
pub fn cratesio_tp(seed: u64) -> String {
    let body = Rng::of("cratesio_tp", seed).text(BASE62, 31);
    let check = xor_character(body.as_bytes());
    format!("{}{body}{check}", concat!("cio", "_tp_"))
}

/// A long-term access key id of AWS, of account 123456789012.
pub fn aws_key_id(seed: u64) -> String {
    aws_key_id_of(123_456_789_012, seed)
}

/// A long-term access key id of AWS, of any account.
pub fn aws_key_id_of(account: u64, seed: u64) -> String {
    let mut rng = Rng::of("aws_key_id_of", seed);
    // One set bit, forty of the account, then noise: 80 bits, five to a character.
    let noise = u128::from(rng.number() >> 25);
    let bits = (1 << 79) | (u128::from(account) << 39) | noise;
    let alphabet = BASE32.as_bytes();
    let body: String = (0..16)
        .rev()
        .map(|at| char::from(alphabet[((bits >> (5 * at)) & 31) as usize]))
        .collect();
    format!("{}{body}", concat!("AK", "IA"))
}

/// A secret access key of AWS, 40 characters.
pub fn aws_secret(seed: u64) -> String {
    Rng::of("aws_secret", seed).text(BASE64, 40)
}

/// A bot token of Slack.
pub fn slack_bot(seed: u64) -> String {
    let mut rng = Rng::of("slack_bot", seed);
    let team = format!("{}{}", 1 + rng.below(9), rng.text(DIGITS, 11));
    let bot = format!("{}{}", 1 + rng.below(9), rng.text(DIGITS, 12));
    format!(
        "{}{team}-{bot}-{}",
        concat!("xo", "xb-"),
        rng.text(BASE62, 24)
    )
}

/// A live secret key of Stripe.
pub fn stripe_live(seed: u64) -> String {
    format!(
        "{}51{}",
        concat!("sk_", "live_"),
        Rng::of("stripe_live", seed).text(BASE62, 97)
    )
}

/// An API key of SendGrid, 69 characters.
pub fn sendgrid(seed: u64) -> String {
    let mut rng = Rng::of("sendgrid", seed);
    let id = rng.text(BASE64URL, 22);
    format!("{}{id}.{}", concat!("S", "G."), rng.text(BASE64URL, 43))
}

/// A project key of OpenAI.
pub fn openai_project(seed: u64) -> String {
    let mut rng = Rng::of("openai_project", seed);
    let first = rng.text(BASE64URL, 74);
    let second = rng.text(BASE64URL, 74);
    format!(
        "{}{first}{}{second}",
        concat!("sk-", "proj-"),
        concat!("T3Blbk", "FJ")
    )
}

/// An API key of Anthropic.
pub fn anthropic(seed: u64) -> String {
    format!(
        "{}{}AA",
        concat!("sk-", "ant-api03-"),
        Rng::of("anthropic", seed).text(BASE64URL, 93)
    )
}

/// A token of PyPI for the project `fake`, until 2038.
pub fn pypi(seed: u64) -> String {
    let mut rng = Rng::of("pypi", seed);
    let macaroon = macaroon(
        b"pypi.org",
        &[
            br#"[1, ["fake"]]"#.to_vec(),
            b"[0, 2145916800, 1700000000]".to_vec(),
        ],
        &mut rng,
    );
    format!(
        "{}{}",
        concat!("py", "pi-"),
        URL_SAFE_NO_PAD.encode(macaroon)
    )
}

/// A signed web token, until 2038.
pub fn jwt(seed: u64) -> String {
    let mut rng = Rng::of("jwt", seed);
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let payload = URL_SAFE_NO_PAD.encode(format!(
        r#"{{"iss":"https://login.example.com/","sub":"user-{}","iat":1700000000,"exp":2145916800}}"#,
        rng.text(DIGITS, 6)
    ));
    format!(
        "{header}.{payload}.{}",
        URL_SAFE_NO_PAD.encode(rng.bytes(32))
    )
}

/// A bot token of Discord.
pub fn discord_bot(seed: u64) -> String {
    let mut rng = Rng::of("discord_bot", seed);
    let id = STANDARD_NO_PAD.encode(format!("1{}", rng.text(DIGITS, 17)));
    format!(
        "{id}.G{}.{}",
        rng.text(BASE64URL, 5),
        rng.text(BASE64URL, 38)
    )
}

/// A password of 20 characters with every sort of them.
pub fn password(seed: u64) -> String {
    let mut rng = Rng::of("password", seed);
    let marks = "!#%*+-_=?^~";
    let mut parts: Vec<u8> = [
        rng.text(LOWER, 7),
        rng.text(UPPER, 6),
        rng.text(DIGITS, 5),
        rng.text(marks, 2),
    ]
    .concat()
    .into_bytes();
    for last in (1..parts.len()).rev() {
        parts.swap(last, rng.below(last + 1));
    }
    text_of(&parts)
}

// ---------------------------------------------------------------------------------------------
// Key blocks

/// A key of RSA, 2048 bits by its form: the numbers are random, not prime.
pub fn rsa_pem(seed: u64) -> String {
    let der = rsa_der(&mut Rng::of("rsa_pem", seed));
    block("RSA PRIVATE KEY", &der, 64)
}

/// The same in PKCS #8.
pub fn pkcs8_pem(seed: u64) -> String {
    let key = rsa_der(&mut Rng::of("pkcs8_pem", seed));
    let identifier = [0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
    let body = [vec![2, 1, 0], der(0x30, &identifier), der(4, &key)].concat();
    block("PRIVATE KEY", &der(0x30, &body), 64)
}

/// An encrypted key in PKCS #8.
pub fn encrypted_pem(seed: u64) -> String {
    let mut rng = Rng::of("encrypted_pem", seed);
    let salt = der(4, &rng.bytes(8));
    let scheme = [
        vec![0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13],
        der(0x30, &salt),
    ]
    .concat();
    let body = [der(0x30, &scheme), der(4, &rng.bytes(1216))].concat();
    block("ENCRYPTED PRIVATE KEY", &der(0x30, &body), 64)
}

/// A key on the curve P-256 in the form of SEC 1.
pub fn ec_pem(seed: u64) -> String {
    let mut rng = Rng::of("ec_pem", seed);
    let curve = [0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    let point = [vec![0, 4], rng.bytes(64)].concat();
    let body = [
        vec![2, 1, 1],
        der(4, &rng.bytes(32)),
        der(0xa0, &curve),
        der(0xa1, &der(3, &point)),
    ]
    .concat();
    block("EC PRIVATE KEY", &der(0x30, &body), 64)
}

/// An Ed25519 key as `ssh-keygen` writes it, without a passphrase.
pub fn openssh_key(seed: u64) -> String {
    let mut rng = Rng::of("openssh_key", seed);
    let check = rng.bytes(4);
    let public = rng.bytes(32);
    let whole = openssh_container(&check, &check, &public, &rng.bytes(32));
    block("OPENSSH PRIVATE KEY", &whole, 70)
}

/// A private key in OpenPGP armour: the first packet's head and noise, with the right CRC-24.
pub fn pgp_block(seed: u64) -> String {
    let mut packets = vec![0x95, 0x03, 0x98];
    packets.extend(Rng::of("pgp_block", seed).bytes(920));
    pgp_armor(&packets, crc24(&packets))
}

/// An Ed25519 key as PuTTYgen writes it, without a passphrase; its MAC is noise.
pub fn putty_key(seed: u64) -> String {
    let mut rng = Rng::of("putty_key", seed);
    let public = [ssh_string(b"ssh-ed25519"), ssh_string(&rng.bytes(32))].concat();
    let private = ssh_string(&rng.bytes(32));
    let public = lines(&STANDARD.encode(public), 64);
    let private = lines(&STANDARD.encode(private), 64);
    format!(
        "{}-3: ssh-ed25519\nEncryption: none\nComment: fake\nPublic-Lines: {}\n{public}\n\
         Private-Lines: {}\n{private}\nPrivate-MAC: {}\n",
        concat!("PuTTY-User", "-Key-File"),
        public.lines().count(),
        private.lines().count(),
        rng.text(HEX, 64),
    )
}

/// An age identity.
pub fn age_identity(seed: u64) -> String {
    let data: Vec<u8> = Rng::of("age_identity", seed)
        .bytes(52)
        .iter()
        .map(|byte| byte & 31)
        .collect();
    bech32(concat!("age-secret", "-key-"), &data).to_uppercase()
}

// ---------------------------------------------------------------------------------------------
// Check digits put right and wrong

/// Makes a randomly generated token fit the verifier `name`.
///
/// Where check digits depend on the rest, only they are overwritten. Where a structure has to parse, the
/// variable part is replaced, at the same length if the structure allows it. A name of neither sort,
/// and a token without the form of the kind, stay as they are.
pub fn fix_checksum(name: &str, token: &mut Vec<u8>) {
    let seed = u64::from(crc32(token));
    let mut rng = Rng::new(seed);
    let length = token.len();
    match name {
        "github-crc32" | "vercel-crc32" => {
            if let Some(start) = place(token, b'_').map(|at| at + 1)
                && length >= start + 6
            {
                let check = in_base(crc32(&token[start..length - 6]), BASE62, 6);
                overwrite(token, length - 6, &check);
            }
        }
        "gitlab-routable" if length > 13 && token[length - 10] == b'.' => {
            let head = &token[..length - 10];
            let head = head.strip_suffix(b".01").unwrap_or(head);
            let body = &head[place(head, b'-').map_or(0, |at| at + 1)..];
            // A runner's `t1_` belongs to the prefix.
            let size = match body {
                [b't', b'0'..=b'9', b'_', payload @ ..] | payload => payload.len(),
            };
            overwrite(token, length - 9, &in_base(size as u32, BASE36, 2));
            let check = in_base(crc32(&token[..length - 7]), BASE36, 7);
            overwrite(token, length - 7, &check);
        }
        "grafana-glsa" if length > 9 => {
            let check = crc32(&token[..length - 9]).swap_bytes();
            overwrite(token, length - 8, &format!("{check:08x}"));
        }
        "cratesio-tp" => {
            if let Some(at) = token.iter().rposition(|byte| *byte == b'_')
                && length > at + 2
            {
                let check = xor_character(&token[at + 1..length - 1]);
                overwrite(token, length - 1, &check.to_string());
            }
        }
        // `Q` is a set bit and four clear ones: an account of at most eleven digits.
        "aws-key-id" if length == 20 => token[4] = b'Q',
        "azure-identifiable" => fix_identifiable(token),
        "azure-cask" => {
            if let Ok(body) = STANDARD.decode(token.get(..80).unwrap_or_default()) {
                let check = cask_check(marvin(&body, "Default0"));
                match length {
                    84 => overwrite(token, 80, &check[..4]),
                    88 => overwrite(token, 80, &check),
                    _ => {}
                }
            }
        }
        "azure-entra-8q" if length > 9 && &token[3..6] == b"8Q~" => {
            let check = entra_check(&token[..length - 3]);
            overwrite(token, length - 3, &check);
        }
        "azure-devops-pat" => {
            if let Some(mut bytes) = base32_bytes(token).filter(|_| length == 52) {
                let check = (crc32(&without_check(&bytes)) ^ 0xE0B9_692D).to_be_bytes();
                for (at, byte) in [2, 7, 8, 22].into_iter().zip(check) {
                    bytes[at] = byte;
                }
                *token = base32_text(&bytes).to_ascii_lowercase().into_bytes();
            }
        }
        "jwt" => {
            let prefix = find(token, b"ey").unwrap_or(0);
            token.truncate(prefix);
            token.extend_from_slice(jwt(seed).as_bytes());
        }
        "json-base64" => fix_json(token, &mut rng),
        "pypi-macaroon" => {
            let test = find(token, concat!("AgENdGVzdC5", "weXBp").as_bytes()).is_some();
            let location: &[u8] = if test { b"test.pypi.org" } else { b"pypi.org" };
            let bare = macaroon(location, &[], &mut Rng::new(seed)).len();
            // A caveat of the size that is left, if there is room for one.
            let room = (length.saturating_sub(5) * 3 / 4).saturating_sub(bare + 3);
            let caveats = match room {
                0..10 => vec![],
                _ => {
                    vec![format!(r#"[1, ["{}"]]"#, rng.text(LOWER, room.min(120) - 9)).into_bytes()]
                }
            };
            let whole = URL_SAFE_NO_PAD.encode(macaroon(location, &caveats, &mut rng));
            *token = format!("{}{whole}", concat!("py", "pi-")).into_bytes();
        }
        "discord-bot" => {
            if let Some(at) = place(token, b'.') {
                let digits = (at * 3 / 4).clamp(17, 20);
                let id = format!("1{}", rng.text(DIGITS, digits - 1));
                token.splice(..at, STANDARD_NO_PAD.encode(id).into_bytes());
            }
        }
        "artifactory-ref" => {
            let text = format!("reftkn:01:2145916800:{}", rng.text(BASE62, 27));
            *token = STANDARD.encode(text).into_bytes();
        }
        "atlassian-dc" => {
            let mut bytes = rng.text(DIGITS, 12).into_bytes();
            bytes.push(b':');
            bytes.extend(rng.bytes(20));
            *token = STANDARD.encode(bytes).into_bytes();
        }
        "basic-auth" => {
            let start = if token.to_ascii_lowercase().starts_with(b"basic ") {
                6
            } else {
                0
            };
            let padded = token.ends_with(b"=") || (length - start).is_multiple_of(4);
            let size = ((length - start) * 3 / 4).max(16) / 3 * 3;
            let size = if padded { size } else { size.max(18) };
            let user = rng.text(LOWER, size / 3);
            let pass = rng.text(BASE62, size - size / 3 - 1);
            token.truncate(start);
            token.extend_from_slice(STANDARD.encode(format!("{user}:{pass}")).as_bytes());
        }
        "uuid-v4" if length >= 36 => {
            token[length - 22] = b'4';
            let variant = token[length - 17];
            if !b"89abAB".contains(&variant) {
                token[length - 17] = b"89ab"[usize::from(variant) % 4];
            }
        }
        "age-bech32" => {
            if let Some(at) = token.iter().rposition(|byte| *byte == b'1')
                && length > at + 7
            {
                let lower = token.to_ascii_lowercase();
                let data: Vec<u8> = lower[at + 1..length - 6]
                    .iter()
                    .filter_map(|c| bech32_value(*c))
                    .collect();
                let whole = bech32(&text_of(&lower[..at]), &data);
                *token = whole.to_uppercase().into_bytes();
            }
        }
        "openssh-key" => *token = openssh_key(seed).into_bytes(),
        "pgp" => *token = pgp_block(seed).into_bytes(),
        "putty" => *token = putty_key(seed).into_bytes(),
        "pem" => {
            let whole = match label(token).as_deref() {
                Some("RSA PRIVATE KEY") => rsa_pem(seed),
                Some("EC PRIVATE KEY") => ec_pem(seed),
                Some("PRIVATE KEY") => pkcs8_pem(seed),
                Some("ENCRYPTED PRIVATE KEY") => encrypted_pem(seed),
                Some("OPENSSH PRIVATE KEY") => openssh_key(seed),
                Some("DSA PRIVATE KEY") => rsa_pem(seed).replace("RSA", "DSA"),
                Some(name) if name.starts_with("PGP") => pgp_block(seed),
                _ => return,
            };
            *token = whole.into_bytes();
        }
        _ => {}
    }
}

/// Alters the check digits, or what makes the structure parse, of a token that fits; whether it did.
///
/// Three kinds cannot be refused by it, for their verifiers never disprove: `azure-cask`,
/// `azure-entra-8q`, and `github-crc32` of a `ghs_` token.
pub fn break_checksum(name: &str, token: &mut Vec<u8>) -> bool {
    let length = token.len();
    if length < 20 {
        return false;
    }
    let before = token.clone();
    match name {
        "github-crc32" | "vercel-crc32" | "cratesio-tp" => turn(token, length - 1, BASE62),
        "gitlab-routable" => turn(token, length - 1, BASE36),
        "grafana-glsa" => turn(token, length - 1, HEX),
        "azure-entra-8q" => turn(token, length - 1, LOWER),
        "azure-devops-pat" => turn(token, 0, &BASE32.to_lowercase()),
        "azure-cask" if length > 80 => turn(token, 80, BASE62),
        "azure-identifiable" => {
            let end = token.iter().rposition(|byte| *byte != b'=').unwrap_or(0);
            turn(token, end.saturating_sub(2), BASE62);
        }
        // All bits set: an account above 999,999,999,999.
        "aws-key-id" if length == 20 => overwrite(token, 4, "77777777777"),
        // `{"` and a first byte above 0x7f, no UTF-8.
        "jwt" => {
            if let Some(at) = place(token, b'.') {
                overwrite(token, at + 3, "K");
            }
        }
        "json-base64" => {
            if let Some(at) = find(token, b"ey") {
                overwrite(token, at + 2, "K");
            }
        }
        "pypi-macaroon" => token.truncate(length - 4),
        "discord-bot" | "atlassian-dc" => overwrite(token, 0, "Z"),
        "artifactory-ref" => overwrite(token, 0, "d"),
        "basic-auth" => {
            let start = if token.to_ascii_lowercase().starts_with(b"basic ") {
                6
            } else {
                0
            };
            if let Ok(mut bytes) = STANDARD.decode(&token[start..]) {
                bytes
                    .iter_mut()
                    .filter(|byte| **byte == b':')
                    .for_each(|byte| *byte = b'.');
                token.splice(start.., STANDARD.encode(bytes).into_bytes());
            }
        }
        "uuid-v4" if length >= 36 => overwrite(token, length - 22, "1"),
        "age-bech32" => {
            let other = if token[length - 1] == b'Q' { "P" } else { "Q" };
            overwrite(token, length - 1, other);
        }
        "openssh-key" => {
            let mut rng = Rng::new(u64::from(crc32(token)));
            let check = rng.bytes(4);
            let other: Vec<u8> = check.iter().map(|byte| !byte).collect();
            let whole = openssh_container(&check, &other, &rng.bytes(32), &rng.bytes(32));
            *token = block("OPENSSH PRIVATE KEY", &whole, 70).into_bytes();
        }
        "pgp" => {
            let packets = [
                vec![0x95, 0x03, 0x98],
                Rng::new(u64::from(crc32(token))).bytes(920),
            ]
            .concat();
            *token = pgp_armor(&packets, crc24(&packets) ^ 1).into_bytes();
        }
        "pem" => match label(token) {
            Some(name) if name.starts_with("PGP") => return break_checksum("pgp", token),
            Some(name) if name.starts_with("OPENSSH") => {
                return break_checksum("openssh-key", token);
            }
            Some(_) => {
                // `N` is a tag of 0x34 and more where a sequence has 0x30.
                if let Some(at) = find(token, b"KEY-----").map(|at| at + 8)
                    && let Some(first) = token[at..].iter().position(u8::is_ascii_alphanumeric)
                {
                    let skip =
                        usize::from(token[at + first] == b'n' && token[at + first - 1] == b'\\');
                    overwrite(token, at + first + skip, "N");
                }
            }
            None => {}
        },
        "putty" => {
            if let Some(at) = find(token, b"ssh-ed25519") {
                overwrite(token, at, "sshx");
            }
        }
        _ => {}
    }
    *token != before
}

/// Another character of the alphabet than the one that stands there.
fn turn(token: &mut [u8], at: usize, alphabet: &str) {
    let alphabet = alphabet.as_bytes();
    let now = alphabet.iter().position(|c| *c == token[at]).unwrap_or(0);
    token[at] = alphabet[(now + 1) % alphabet.len()];
}

fn overwrite(token: &mut [u8], at: usize, text: &str) {
    token[at..at + text.len()].copy_from_slice(text.as_bytes());
}

fn place(token: &[u8], byte: u8) -> Option<usize> {
    token.iter().position(|b| *b == byte)
}

fn find(token: &[u8], needle: &[u8]) -> Option<usize> {
    token
        .windows(needle.len())
        .position(|window| window == needle)
}

fn label(token: &[u8]) -> Option<String> {
    let begin = b"-----BEGIN ";
    let start = find(token, begin)? + begin.len();
    let end = start + find(&token[start..], b"-----")?;
    Some(text_of(&token[start..end]))
}

/// A JSON body in the form of the provider that the prefix names, as long as the token.
fn fix_json(token: &mut Vec<u8>, rng: &mut Rng) {
    let text = text_of(token);
    let (start, tail) = if text.starts_with(concat!("snt", "rys_")) {
        (7, format!("_{}", rng.text(BASE62, 43)))
    } else if text.as_bytes().get(1..3) == Some(b"k.") {
        (3, format!(".{}", rng.text(BASE64URL, 22)))
    } else {
        (
            text.find('_').filter(|at| *at < 8).map_or(0, |at| at + 1),
            String::new(),
        )
    };
    let head = &text[..start];
    let json = |filler: &str| match &text[..start.min(3)] {
        "snt" => format!(
            r#"{{"iat":1700000000.125,"url":"https://sentry.io","region_url":"https://us.sentry.io","org":"{filler}"}}"#
        ),
        "glc" => format!(r#"{{"o":"123456","n":"fake-{filler}","k":"{filler}","m":{{"r":"us"}}}}"#),
        "ops" => format!(
            r#"{{"signInAddress":"fake.1password.com","userAuth":{{"email":"a@b.c"}},"k":"{filler}"}}"#
        ),
        "sk." | "pk." | "tk." => format!(r#"{{"u":"fake","a":"{filler}"}}"#),
        _ => format!(r#"{{"k":"{filler}","n":"fake","id":1}}"#),
    };
    // Whole groups of three bytes need no padding. The cloud form holds the filler twice.
    let size = text.len().saturating_sub(start + tail.len()) / 4 * 3;
    let times = (json("x").len() - json("").len()).max(1);
    let mut count = (size.saturating_sub(json("").len()) / times).max(8);
    while !(json("").len() + count * times).is_multiple_of(3) {
        count += 1;
    }
    let filler = rng.text(BASE62, count);
    *token = format!("{head}{}{tail}", STANDARD_NO_PAD.encode(json(&filler))).into_bytes();
}

/// Writes the checksum of the kind whose signature stands before the last six characters.
fn fix_identifiable(token: &mut [u8]) {
    let padding = token.iter().rev().take_while(|byte| **byte == b'=').count();
    let bare = token.len() - padding;
    if bare < 10 {
        return;
    }
    let seed = match &token[bare - 10..bare - 6] {
        b"+ASt" => "Default0",
        b"ACDb" => "MastRW00",
        b"+ASb" | b"+AEh" | b"+ARm" => "Manage00",
        b"AzFu" => "Functi00",
        b"AzSe" => "PAdmin00",
        b"AzCa" => "Access00",
        b"+ABa" => "AbAcct00",
        b"+ACR" => "ACRDflt0",
        b"+AMC" => "Classic0",
        b"AIoT" => "Device00",
        b"APIM" => "Tenant00",
        b"AZEG" => "SendRecv",
        _ => return,
    };
    let url =
        token.iter().any(|byte| b"-_".contains(byte)) || &token[bare - 10..bare - 6] == b"AzFu";
    let standard: Vec<u8> = token[..bare]
        .iter()
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        })
        .collect();
    // The last character may hold bits that belong to no byte.
    let Some(mut bytes) = loose_base64(&standard) else {
        return;
    };
    let end = bytes.len() - 4;
    let check = marvin(&bytes[..end], seed).to_le_bytes();
    bytes[end..].copy_from_slice(&check);
    let fixed = if url {
        URL_SAFE_NO_PAD.encode(&bytes)
    } else {
        STANDARD_NO_PAD.encode(&bytes)
    };
    token[..bare].copy_from_slice(fixed.as_bytes());
}

fn loose_base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (mut held, mut bits) = (0_u32, 0);
    for byte in text {
        held = (held << 6 | place(BASE64.as_bytes(), *byte)? as u32) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((held >> bits) as u8);
        }
    }
    Some(out)
}

// ---------------------------------------------------------------------------------------------
// Codes

/// CRC-32 of IEEE 802.3, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 {
                sum >> 1 ^ 0xedb8_8320
            } else {
                sum >> 1
            };
        }
    }
    !sum
}

fn crc24(bytes: &[u8]) -> u32 {
    let mut sum: u32 = 0x00b7_04ce;
    for bit in bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |at| u32::from(byte >> at & 1)))
    {
        let carry = sum >> 23 ^ bit;
        sum = sum << 1 & 0x00ff_ffff;
        if carry == 1 {
            sum ^= 0x0086_4cfb;
        }
    }
    sum
}

/// Digits in the base that the alphabet's length is, padded in front with its first character.
fn in_base(value: u32, alphabet: &str, width: usize) -> String {
    let base = alphabet.len() as u32;
    let mut rest = value;
    let mut text = String::new();
    while rest > 0 {
        text.insert(0, char::from(alphabet.as_bytes()[(rest % base) as usize]));
        rest /= base;
    }
    while text.len() < width {
        text.insert(0, char::from(alphabet.as_bytes()[0]));
    }
    text
}

/// The check character of crates.io.
fn xor_character(body: &[u8]) -> char {
    let mut sum = 0;
    for byte in body {
        sum ^= byte;
    }
    let alphabet = format!("{UPPER}{LOWER}{DIGITS}");
    char::from(alphabet.as_bytes()[usize::from(sum) % 62])
}

/// Marvin32 after the description in SymCrypt; the seed is eight letters, a big-endian number.
fn marvin(data: &[u8], seed: &str) -> u32 {
    let seed = seed
        .bytes()
        .fold(0_u64, |sum, byte| sum << 8 | u64::from(byte));
    let mut state = (seed as u32, (seed >> 32) as u32);
    let mut padded = data.to_vec();
    padded.push(0x80);
    while !padded.len().is_multiple_of(4) {
        padded.push(0);
    }
    padded.extend([0; 4]);
    for word in padded.chunks(4) {
        let word = word
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        let (mut a, mut b) = (state.0.wrapping_add(word), state.1);
        b ^= a;
        a = a.rotate_left(20);
        a = a.wrapping_add(b);
        b = b.rotate_left(9);
        b ^= a;
        a = a.rotate_left(27);
        a = a.wrapping_add(b);
        b = b.rotate_left(19);
        state = (a, b);
    }
    state.0 ^ state.1
}

/// Eight characters: base62 of the sum's bytes, low byte first, through base64 and back.
fn cask_check(sum: u32) -> String {
    let bytes = sum.to_le_bytes();
    let mut value = u32::from_be_bytes(bytes);
    let mut text = String::new();
    while value > 0 || text.is_empty() {
        text.insert(0, char::from(BASE62.as_bytes()[(value % 62) as usize]));
        value /= 62;
    }
    for byte in &bytes[..3] {
        if *byte != 0 {
            break;
        }
        text.insert(0, '0');
    }
    while text.len() < 6 {
        text.push('0');
    }
    let rounded = loose_base64(text.as_bytes()).unwrap_or_default();
    STANDARD.encode(rounded)
}

/// Three of the six characters of a client secret's checksum.
fn entra_check(body: &[u8]) -> String {
    let alphabet = format!("{LOWER}{UPPER}1234567890.-_~");
    in_base(marvin(body, "AadPwd00"), &alphabet, 6)[..3].to_owned()
}

fn base32_bytes(text: &[u8]) -> Option<Vec<u8>> {
    let bits: Vec<u8> = text
        .to_ascii_uppercase()
        .iter()
        .map(|byte| place(BASE32.as_bytes(), *byte))
        .collect::<Option<Vec<_>>>()?
        .into_iter()
        .flat_map(|value| (0..5).rev().map(move |at| (value >> at & 1) as u8))
        .collect();
    Some(
        bits.chunks_exact(8)
            .map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | bit))
            .collect(),
    )
}

fn base32_text(bytes: &[u8]) -> String {
    let bits: Vec<u8> = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1))
        .collect();
    bits.chunks(5)
        .map(|group| {
            (0..5).fold(0, |sum, at| {
                sum << 1 | usize::from(group.get(at).copied().unwrap_or(0))
            })
        })
        .map(|value| char::from(BASE32.as_bytes()[value]))
        .collect()
}

/// What a DevOps token's checksum covers.
fn without_check(bytes: &[u8]) -> Vec<u8> {
    [&bytes[..2], &bytes[3..7], &bytes[9..22], &bytes[23..]].concat()
}

const BECH32: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

fn bech32_value(character: u8) -> Option<u8> {
    place(BECH32, character).map(|value| value as u8)
}

/// The reference code of BIP 173.
fn bech32(prefix: &str, data: &[u8]) -> String {
    let mut values: Vec<u8> = prefix.bytes().map(|byte| byte >> 5).collect();
    values.push(0);
    values.extend(prefix.bytes().map(|byte| byte & 31));
    values.extend_from_slice(data);
    values.extend([0; 6]);
    let mut sum: u32 = 1;
    for value in values {
        let top = sum >> 25;
        sum = (sum & 0x01ff_ffff) << 5 ^ u32::from(value);
        for (bit, generator) in [
            0x3b6a_57b2,
            0x2650_8e6d,
            0x1ea1_19fa,
            0x3d42_33dd,
            0x2a14_62b3,
        ]
        .into_iter()
        .enumerate()
        {
            sum ^= if top >> bit & 1 == 1 { generator } else { 0 };
        }
    }
    sum ^= 1;
    let check = (0..6).map(|at| (sum >> (5 * (5 - at)) & 31) as u8);
    let tail = data
        .iter()
        .copied()
        .chain(check)
        .map(|value| char::from(BECH32[usize::from(value)]));
    format!("{prefix}1{}", tail.collect::<String>())
}

/// A macaroon of the second format.
fn macaroon(location: &[u8], caveats: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let field = |kind: u8, value: &[u8]| {
        let mut out = vec![kind];
        let mut rest = value.len();
        while rest > 127 {
            out.push((rest & 127) as u8 | 128);
            rest >>= 7;
        }
        out.push(rest as u8);
        out.extend_from_slice(value);
        out
    };
    let mut out = vec![2];
    out.extend(field(1, location));
    out.extend(field(2, uuid(rng).as_bytes()));
    out.push(0);
    for caveat in caveats {
        out.extend(field(2, caveat));
        out.push(0);
    }
    out.push(0);
    out.extend(field(6, &rng.bytes(32)));
    out
}

fn uuid(rng: &mut Rng) -> String {
    let hex = rng.text(HEX, 31);
    format!(
        "{}-{}-4{}-a{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..15],
        &hex[15..18],
        &hex[18..30]
    )
}

fn rsa_der(rng: &mut Rng) -> Vec<u8> {
    let mut body = vec![2, 1, 0];
    for (size, top) in [
        (256, true),
        (3, false),
        (256, false),
        (128, true),
        (128, true),
        (128, true),
        (128, true),
        (128, false),
    ] {
        let mut number = rng.bytes(size);
        number[0] = number[0] & 0x7f | 0x40;
        if size == 3 {
            number = vec![1, 0, 1];
        }
        if top {
            number.insert(0, 0);
            number[1] |= 0x80;
        }
        body.extend(der(2, &number));
    }
    der(0x30, &body)
}

/// A DER element.
fn der(tag: u8, value: &[u8]) -> Vec<u8> {
    let size = value.len();
    let mut out = vec![tag];
    match size {
        0..128 => out.push(size as u8),
        128..256 => out.extend([0x81, size as u8]),
        _ => out.extend([0x82, (size >> 8) as u8, size as u8]),
    }
    out.extend_from_slice(value);
    out
}

fn ssh_string(value: &[u8]) -> Vec<u8> {
    [&(value.len() as u32).to_be_bytes(), value].concat()
}

fn openssh_container(check: &[u8], again: &[u8], public: &[u8], private: &[u8]) -> Vec<u8> {
    let kind = ssh_string(b"ssh-ed25519");
    let blob = [kind.clone(), ssh_string(public)].concat();
    let both = [private, public].concat();
    let mut list = [
        check,
        again,
        &kind,
        &ssh_string(public),
        &ssh_string(&both),
        &ssh_string(b"fake@example.com"),
    ]
    .concat();
    for padding in 1.. {
        if list.len().is_multiple_of(8) {
            break;
        }
        list.push(padding);
    }
    [
        b"openssh-key-v1\0".to_vec(),
        ssh_string(b"none"),
        ssh_string(b"none"),
        ssh_string(b""),
        1_u32.to_be_bytes().to_vec(),
        ssh_string(&blob),
        ssh_string(&list),
    ]
    .concat()
}

fn pgp_armor(packets: &[u8], check: u32) -> String {
    let body = lines(&STANDARD.encode(packets), 64);
    let check = STANDARD.encode(&check.to_be_bytes()[1..]);
    let label = concat!("PGP PRIVATE", " KEY BLOCK");
    format!("-----BEGIN {label}-----\n\n{body}\n={check}\n-----END {label}-----\n")
}

fn block(label: &str, bytes: &[u8], width: usize) -> String {
    let body = lines(&STANDARD.encode(bytes), width);
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

fn lines(text: &str, width: usize) -> String {
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(width)
        .map(|line| std::str::from_utf8(line).unwrap_or_default())
        .collect();
    lines.join("\n")
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
