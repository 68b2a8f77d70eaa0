//! Sentences that several formats say: counts, places, what was left out. All of them are printable and redacted.

use std::fmt::Write as _;

use super::{
    Report, counted, grouped, history, is_accepted, named, printable, size, suppressed,
    verification,
};
use crate::model::{Finding, History, Origin, Place, SkipKind, Summary};

/// A text as a sentence begins.
pub(super) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

/// `2 findings (1 critical, 1 low)`, with those that are left out as not active: `1 finding (1 low; 3 hidden)`. A run that was stopped does not begin like a clean one.
pub(super) fn found(report: &Report<'_>) -> String {
    let counts: Vec<String> = report
        .counts()
        .into_iter()
        .map(|(severity, n)| format!("{} {severity}", grouped(n as u64)))
        .collect();
    let count = counted(report.findings.len() as u64, "finding", "findings");
    let hidden = report.summary.verified.as_ref().map_or(0, |t| t.hidden);
    if counts.is_empty() && hidden > 0 && !report.summary.cancelled {
        return format!("no active secret found ({} hidden)", grouped(hidden));
    }
    if hidden > 0 && !counts.is_empty() {
        let hidden = grouped(hidden);
        return format!("{count} ({}; {hidden} hidden)", counts.join(", "));
    }
    if counts.is_empty() && report.summary.cancelled {
        "stopped, no secrets found until then".to_owned()
    } else if counts.is_empty() {
        "no secrets found".to_owned()
    } else {
        format!("{count} ({})", counts.join(", "))
    }
}

/// `1,234 files, 12.3 MB`, of a history `87,432 commits, 497,109 objects, 6.0 GB`.
pub(super) fn looked_at(summary: &Summary) -> String {
    let bytes = size(summary.bytes);
    let files = counted(summary.files, "file", "files");
    if !history::is_scanned(summary) {
        return format!("{files}, {bytes}");
    }
    let files = if summary.files > 0 {
        format!("{files}, ")
    } else {
        String::new()
    };
    let commits = counted(summary.commits, "commit", "commits");
    let objects = match summary.objects {
        0 => String::new(),
        count => format!("{}, ", counted(count, "object", "objects")),
    };
    format!("{files}{commits}, {objects}{bytes}")
}

/// `3 ignored by git`, `1 symbolic link`, each with what stands behind it.
pub(super) fn left_out(summary: &Summary, behind: impl Fn(SkipKind) -> String) -> Vec<String> {
    let sorts = summary.skipped.iter().filter(|(_, count)| **count > 0);
    sorts
        .map(|(kind, count)| {
            let words = match kind {
                SkipKind::Symlink if *count != 1 => "symbolic links",
                SkipKind::Shallow if *count != 1 => {
                    "histories before commits where the shallow clone ends"
                }
                SkipKind::Special if *count != 1 => "not regular files",
                _ => kind.words(),
            };
            format!("{} {words}{}", grouped(*count), behind(*kind))
        })
        .collect()
}

/// How many findings a baseline accepted, and how many marks and lists did.
pub(super) fn accepted(report: &Report<'_>) -> (u64, u64) {
    let accepted = report.dropped.iter();
    let accepted = accepted.filter(|f| suppressed(f).is_some_and(is_accepted));
    let by_baseline = report.summary.baseline.as_ref().map_or(0, |b| b.accepted);
    (
        by_baseline,
        (accepted.count() as u64).saturating_sub(by_baseline),
    )
}

/// `3 findings are below --min-confidence`, and other things that were found and are not shown.
pub(super) fn hidden(report: &Report<'_>) -> Vec<String> {
    let mut all = Vec::new();
    if report.hidden_low > 0 {
        let hidden = counted(report.hidden_low as u64, "finding is", "findings are");
        all.push(format!("{hidden} below --min-confidence"));
    }
    let summary = report.summary;
    let (by_baseline, by_others) = accepted(report);
    if by_others > 0 && !report.options.show_suppressed {
        let accepted = counted(by_others, "finding is", "findings are");
        all.push(format!("{accepted} suppressed by marks or lists"));
    }
    if by_baseline > 0 {
        let known = counted(by_baseline, "finding is", "findings are");
        all.push(format!("{known} accepted by the baseline"));
    }
    all.extend(summary.verified.as_ref().and_then(verification::hidden));
    if summary.already_there > 0 {
        let secrets = counted(summary.already_there, "secret was", "secrets were");
        all.push(format!("{secrets} there before"));
    }
    if summary.unreachable_hits > 0 {
        let hits = counted(summary.unreachable_hits, "match is", "matches are");
        all.push(format!("{hits} in objects that no scanned ref reaches"));
    }
    all
}

/// `base64, then hex`.
pub(super) fn decodings(place: &Place) -> String {
    let words: Vec<_> = place.decoded_from.iter().map(|d| d.word()).collect();
    words.join(", then ")
}

/// The path as it is shown.
pub(super) fn path(report: &Report<'_>, place: &Place) -> String {
    let path = report.redactor.path(&named(&place.path));
    printable(&path).into_owned()
}

/// `src/app.py:12`, or what else holds the secret.
pub(super) fn at(report: &Report<'_>, place: &Place) -> String {
    let path = path(report, place);
    let object = place.blob.or(place.commit).map(history::short);
    let object = object.unwrap_or_default();
    match place.origin {
        Origin::Content => format!("{path}:{}", place.start.line),
        Origin::Name => format!("name of {path}"),
        Origin::Commit => format!("message of commit {object}"),
        Origin::Tag => format!("message of tag {object}"),
        Origin::Ref => format!("name of ref {path}"),
    }
}

/// `still in HEAD and in the tip of 2 refs, exposed 41 days`; nothing where a range was scanned.
pub(super) fn state(history: &History) -> String {
    if history.is_partial || history.first.is_none() {
        return String::new();
    }
    let tips = history.tips.len() as u64 + history.more_tips;
    let mut out = match (history.in_head, tips) {
        (true, 0) => "still in HEAD".to_owned(),
        (true, _) => format!(
            "still in HEAD and in the tip of {}",
            counted(tips, "ref", "refs")
        ),
        (false, 0) if history.refs.is_empty() => "in no ref any more".to_owned(),
        (false, 0) => "removed from HEAD and from the tip of every ref".to_owned(),
        (false, _) => format!(
            "not in HEAD, still in the tip of {}",
            counted(tips, "ref", "refs")
        ),
    };
    let days = match history.exposed_days {
        0 => "less than a day".to_owned(),
        days => counted(u64::from(days), "day", "days"),
    };
    let _ = write!(out, ", exposed {days}");
    out
}

/// What to do next, and for a committed secret why removing it is not enough.
pub(super) fn next(finding: &Finding) -> String {
    let remedy = printable(super::remedy(finding));
    if history::is_committed(finding) {
        format!("{remedy} {}", history::STAYS)
    } else {
        remedy.into_owned()
    }
}

/// `locked/a: permission denied` for each gap.
pub(super) fn gaps(report: &Report<'_>) -> impl Iterator<Item = String> {
    report.summary.gaps.iter().map(|gap| {
        let path = report.redactor.path(gap.path.as_bytes());
        let reason = report.redactor.path(gap.reason.as_bytes());
        let colon = if path.is_empty() { "" } else { ": " };
        format!("{}{colon}{}", printable(&path), printable(&reason))
    })
}

/// Why the run is not complete; `None` for one that is.
pub(super) fn incomplete(report: &Report<'_>) -> Option<String> {
    let gaps = report.summary.gaps.len() as u64;
    match (gaps, report.summary.cancelled) {
        (0, false) => None,
        (0, true) => Some("incomplete: the run was stopped before its end".to_owned()),
        (_, cancelled) => {
            let things = counted(gaps, "thing", "things");
            let stopped = if cancelled {
                ", and the run was stopped before its end"
            } else {
                ""
            };
            Some(format!(
                "incomplete: {things} could not be scanned{stopped}"
            ))
        }
    }
}
