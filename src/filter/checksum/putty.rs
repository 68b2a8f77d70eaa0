//! Private keys of PuTTY.

use super::block::{plain, uncommented};
use super::read::{Reader, decode, find, number, split_once};
use super::{Check, fits_or_fails};

/// PuTTY keys: as many lines as announced, a public blob of the algorithm named on top, a private one.
///
/// <https://the.earth.li/~sgtatham/putty/latest/htmldoc/AppendixC.html>
/// Its MAC is not recomputed: it needs SHA-1 or the passphrase, and the structure is proof enough.
pub(super) fn putty(secret: &[u8]) -> Check {
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
