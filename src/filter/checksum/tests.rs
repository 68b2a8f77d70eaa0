use base64::Engine as _;

use super::azure::{cask_digits, marvin32};
use super::crc::{BASE36, BASE62};
use super::pgp::crc24;
use super::read::digits;
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
        "AGE-SEC",
        "RET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
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
        "AGE-SEC",
        "RET-KEY-PQ-1XX76JRALNLXDMEW0CRK45QMCCH4X06SE84UN3VPM33W6HWDX0H3SK3ZQFR"
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
    let key = armored("RSA PRIVATE KEY", &noise(640)).replacen('\n', &format!("\n{headers}"), 1);
    assert_eq!(check("pem", &key), Check::Fits);
    assert_eq!(check("pem", key.replace('\n', " ")), Check::Fits);
    assert_eq!(fact("pem", &key, "encrypted").as_deref(), Some("true"));
    let short = armored("RSA PRIVATE KEY", &noise(40)).replacen('\n', &format!("\n{headers}"), 1);
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
