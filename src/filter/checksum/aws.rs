//! Key ids of AWS, which hold the account.

use super::Check;
use super::read::base32;

/// AWS key ids: base32 after the prefix, and the account number in it has at most twelve digits.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>
/// `Silent` where it fits: nine of ten random ids decode to a plausible account.
pub(super) fn aws_key_id(secret: &[u8]) -> Check {
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
pub(super) fn aws_account(secret: &[u8]) -> Option<u64> {
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
