//! What an access key's id tells.

/// Accounts whose keys alert somebody when they are used: those of canarytokens.org and of services like it, as
/// <https://trufflesecurity.com/blog/canaries> found and TruffleHog lists them
/// (<https://github.com/trufflesecurity/trufflehog/blob/main/pkg/detectors/aws/access_keys/canary.go>).
pub(super) const CANARIES: &[u64] = &[
    44_858_866_125,
    52_310_077_262,
    171_436_882_533,
    251_535_659_677,
    266_735_846_894,
    344_043_088_457,
    351_906_852_752,
    390_477_818_340,
    426_127_672_474,
    427_150_556_519,
    439_872_796_651,
    445_142_720_921,
    465_867_158_099,
    534_261_010_715,
    595_918_472_158,
    637_958_123_769,
    693_412_236_332,
    717_712_589_309,
    730_335_385_048,
    732_624_840_810,
    735_421_457_923,
    819_147_034_852,
    893_192_397_702,
    959_235_150_393,
    982_842_642_351,
    992_382_622_183,
];

/// Whether the use of a key alerts somebody.
pub(super) fn is_canary(id: &str) -> bool {
    account_of(id).is_some_and(|account| CANARIES.contains(&account))
}

/// Whether it is a key of a session, which goes with a token.
pub(super) fn is_session(id: &str) -> bool {
    id.starts_with("ASIA")
}

/// Why an id signs no requests, if it does not.
pub(super) fn check(id: &str) -> Result<(), String> {
    let is_key = (16..=128).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if is_key && (id.starts_with("AKIA") || is_session(id)) {
        Ok(())
    } else {
        Err("only ids that begin with AKIA or ASIA sign requests".to_owned())
    }
}

/// The account in a key id of the newer form: forty bits behind the first one, which is set.
pub(super) fn account_of(id: &str) -> Option<u64> {
    let body = id.get(4..14)?;
    let bits = body.bytes().try_fold(0u64, |bits, byte| {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'2'..=b'7' => byte - b'2' + 26,
            _ => return None,
        };
        Some(bits << 5 | u64::from(digit))
    })?;
    // Ten characters are fifty bits: one that is set, forty of the account, nine of the rest.
    (bits >> 49 == 1).then_some((bits >> 9) & 0xff_ffff_ffff)
}
