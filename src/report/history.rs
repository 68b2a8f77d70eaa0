//! What several formats say of git's history, each in the same words.

use jiff::Timestamp;

use super::{Report, printable};
use crate::model::{Finding, History, Oid, Origin, Place, Summary};

/// Digits of an object id where a person reads it.
const SHORT: usize = 10;

/// What stands behind the remedy of a secret that was committed.
pub(super) const STAYS: &str =
    "Revoking comes first: removing it from the newest tree does not remove it from the history.";

/// Whether the run looked at a history.
pub(super) fn is_scanned(summary: &Summary) -> bool {
    summary.commits > 0 || summary.objects > 0
}

/// Whether a commit is known that holds the secret.
pub(super) fn is_committed(finding: &Finding) -> bool {
    finding.history.as_ref().is_some_and(|h| h.first.is_some())
}

/// Whether no newest tree holds the secret.
pub(super) fn is_removed(history: &History) -> bool {
    !history.in_head && history.tips.is_empty()
}

/// Whether the secret is known to be in no newest tree, so that no file of today can be pointed at.
pub(super) fn is_past(finding: &Finding) -> bool {
    finding
        .history
        .as_ref()
        .is_some_and(|h| !h.is_partial && is_removed(h))
}

/// An instant as RFC 3339 has it, UTC; `None` outside of the years 0 to 9999, which a forged commit can claim.
pub(super) fn date(seconds: i64) -> Option<String> {
    let date = Timestamp::from_second(seconds).ok()?.to_string();
    (!date.starts_with('-')).then_some(date)
}

/// The id's first digits.
pub(super) fn short(id: Oid) -> String {
    id.to_string().chars().take(SHORT).collect()
}

/// `commit:<id>`, `tag:<id>` or `ref:<name>`, redacted and printable; `None` for what is a file.
pub(super) fn object_name(report: &Report<'_>, place: &Place) -> Option<String> {
    let id = || {
        let id = place.blob.or(place.commit);
        id.map_or_else(|| "-".to_owned(), |id| id.to_string())
    };
    match place.origin {
        Origin::Content | Origin::Name => None,
        Origin::Commit => Some(format!("commit:{}", id())),
        Origin::Tag => Some(format!("tag:{}", id())),
        Origin::Ref => {
            let name = report.redactor.path(&place.path);
            Some(format!("ref:{}", printable(&name)))
        }
    }
}

/// Full names of refs: branches, tags, remote branches, then the others, each sort in the given order.
pub(super) fn refs_in_order(names: &[String]) -> impl Iterator<Item = &str> {
    (0..=3).flat_map(move |wanted| {
        names
            .iter()
            .map(String::as_str)
            .filter(move |name| sort(name) == wanted)
    })
}

fn sort(name: &str) -> u8 {
    let sorts = ["refs/heads/", "refs/tags/", "refs/remotes/"];
    (0..)
        .zip(sorts)
        .find(|(_, prefix)| name.starts_with(prefix))
        .map_or(3, |(index, _)| index)
}

/// The name without what goes without saying: `main`, `tags/v1`, `remotes/origin/main`, `pull/1/head`.
pub(super) fn short_ref(name: &str) -> &str {
    name.strip_prefix("refs/heads/")
        .or_else(|| name.strip_prefix("refs/"))
        .unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::super::{FORMATS, Options, by_name, sample};
    use super::*;

    #[test]
    fn dates_that_rfc_3339_cannot_write_are_left_out() {
        assert_eq!(date(0).as_deref(), Some("1970-01-01T00:00:00Z"));
        assert_eq!(date(-1).as_deref(), Some("1969-12-31T23:59:59Z"));
        assert_eq!(date(1_769_853_600).as_deref(), Some("2026-01-31T10:00:00Z"));
        for forged in [i64::MIN, i64::MAX, -70_000_000_000, 260_000_000_000] {
            assert_eq!(date(forged), None, "{forged}");
        }
    }

    #[test]
    fn branches_come_first() {
        let names = [
            "HEAD",
            "refs/heads/b",
            "refs/pull/1/head",
            "refs/remotes/o/a",
            "refs/tags/a",
        ]
        .map(str::to_owned);
        let shown: Vec<_> = refs_in_order(&names).map(short_ref).collect();
        assert_eq!(shown, ["b", "tags/a", "remotes/o/a", "HEAD", "pull/1/head"]);
        assert_eq!(short(sample::oid(0xA1)), "a1a1a1a1a1");
    }

    #[test]
    fn no_format_shows_a_secret_that_history_repeats() {
        let (token, password) = (sample::token(), concat!("s3cret", "-Pa55!"));
        for format in FORMATS {
            let reporter = by_name(format).expect("a format");
            for show_suppressed in [false, true] {
                let options = Options {
                    show_suppressed,
                    width: 300,
                    ..Options::default()
                };
                let text = sample::written(
                    &*reporter,
                    &sample::historical(),
                    &[],
                    &sample::history_summary(),
                    options,
                );
                for secret in [&token[..], &token[..12], &token[28..], password] {
                    assert!(!text.contains(secret), "{format}: {text}");
                }
                assert!(!text.contains('\u{1b}'), "{format}");
                assert!(!text.contains('\u{202e}'), "{format}");
            }
        }
    }

    #[test]
    fn a_plain_word_that_is_a_secret_of_a_name_goes_from_names() {
        let word = "hunters";
        let mut place = sample::past(b"pw=hunters", Origin::Name, 1);
        place.snippet = sample::place(b"", 1, "pw=hunters", word).snippet;
        let mut found = sample::finding(word, vec![place]);
        found.history = Some(History {
            refs: vec!["refs/heads/hunters".into()],
            tips: vec!["refs/heads/hunters".into()],
            first: Some(sample::commit(1, "hunters")),
            ..History::default()
        });
        for format in FORMATS {
            let reporter = by_name(format).expect("a format");
            let summary = sample::history_summary();
            let found = std::slice::from_ref(&found);
            let text = sample::written(&*reporter, found, &[], &summary, Options::default());
            assert!(!text.contains(word), "{format}: {text}");
        }
    }
}
