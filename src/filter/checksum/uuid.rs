//! Random UUIDs.

use super::Check;

/// Random UUIDs: version 4, variant 1, in the last 36 characters.
///
/// <https://www.rfc-editor.org/rfc/rfc9562#section-5.4>
/// Never more than `Silent`: a UUID proves nothing about being a secret.
pub(super) fn uuid_v4(secret: &[u8]) -> Check {
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
