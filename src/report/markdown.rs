//! `markdown`: for the comment on a pull request and for a job's summary.
//!
//! GitHub takes comments of 65,536 characters; what does not fit is left out and counted, the least severe
//! findings first. Scanned text stands in code spans alone, where nothing is a link, a mention or HTML, and
//! never in a table, whose cells a code span does not protect.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};

use super::sarif::{cut, is_url};
use super::{
    Report, Reporter, by_severity, counted, file_place, printable, suppressed, verification, words,
};
use crate::model::{Finding, History, SkipKind};

/// Characters of the whole text. Below GitHub's limit, so that a caller can put a line of its own before it.
const LIMIT: usize = 65_000;
/// Places of a finding that are listed.
const PLACES: usize = 5;
/// Findings that are gone, of which a difference names so many.
pub(super) const GONE: usize = 50;
/// Gaps that are listed.
const GAPS: usize = 20;
/// Characters of one piece of scanned text.
const PIECE: usize = 300;
/// Characters of a sentence of a rule.
const SENTENCE: usize = 2_000;

/// GitHub's Markdown, which GitLab reads as well.
#[derive(Debug, Clone, Copy)]
pub struct Markdown;

impl Reporter for Markdown {
    fn write(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        let mut out = BufWriter::new(out);
        out.write_all(page(report).as_bytes())?;
        out.flush()
    }
}

fn page(report: &Report<'_>) -> String {
    let mut text = format!(
        "### keysweep: {} in {}\n\n",
        words::found(report),
        words::looked_at(report.summary)
    );
    let end = end(report);
    let mut all = by_severity(report.findings);
    all.extend(by_severity(report.shown_dropped()));
    let used = length(&text) + length(&end);
    text.push_str(&blocks(report, &all, used));
    text.push_str(&end);
    text
}

/// Findings as far as they fit beside so many characters, and how many do not.
pub(super) fn blocks(report: &Report<'_>, all: &[&Finding], used: usize) -> String {
    let mut text = String::new();
    let mut count = 0;
    let sentence = |left: usize| match left {
        0 => String::new(),
        left => format!(
            "**{} left out here, because a comment takes no more text; the run's other reports have {}.**\n\n",
            counted(left as u64, "more finding is", "more findings are"),
            if left == 1 { "it" } else { "them" }
        ),
    };
    let mut room = LIMIT.saturating_sub(used + length(&sentence(all.len())));
    for finding in all {
        let block = block(report, finding);
        let size = length(&block);
        if size > room {
            break;
        }
        room -= size;
        text.push_str(&block);
        count += 1;
    }
    text.push_str(&sentence(all.len() - count));
    text
}

/// A finding in one line: what it was and where.
pub(super) fn one_line(report: &Report<'_>, finding: &Finding) -> String {
    let at = file_place(report, finding).map(|place| code(&words::at(report, place)));
    format!(
        "{} {}: {} at {}",
        finding.severity,
        prose(&finding.name),
        code(&report.redactor.secret(&finding.credential.secret)),
        at.unwrap_or_default()
    )
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// A finding with its heading.
fn block(report: &Report<'_>, finding: &Finding) -> String {
    let redactor = report.redactor;
    let reason = suppressed(finding);
    let word = if reason.is_some() {
        "suppressed"
    } else {
        finding.severity.word()
    };
    let mut out = format!(
        "#### {word}: {}\n\n- secret {}, rule {}, confidence {}\n",
        prose(&finding.name),
        code(&redactor.secret(&finding.credential.secret)),
        code(&finding.rule),
        finding.confidence()
    );
    let mut places = report.places(finding);
    let shown: Vec<String> = places
        .by_ref()
        .take(PLACES)
        .map(|place| {
            let mut at = code(&words::at(report, place));
            if !place.decoded_from.is_empty() {
                let _ = write!(at, " (decoded from {})", words::decodings(place));
            }
            at
        })
        .collect();
    let more = match places.count() {
        0 => String::new(),
        more => format!(" and {}", counted(more as u64, "more place", "more places")),
    };
    let _ = writeln!(out, "- at {}{more}", shown.join(", "));
    if let Some(told) = verification::told(report, finding) {
        // The first word is ours, what follows it is the provider's.
        let (status, rest) = told.split_at(told.find([',', ':', ' ']).unwrap_or(told.len()));
        let rest = rest.trim_start_matches([',', ':', ' ']);
        let _ = writeln!(out, "- verified: **{status}** {}", code(rest));
    }
    if let Some(history) = &finding.history {
        out.push_str(&past(report, history));
    }
    if let Some(reason) = reason {
        let reason = redactor.redact(reason.as_bytes());
        let _ = writeln!(out, "- {}", code(&reason));
    } else {
        let _ = write!(out, "- **next:** {}", prose(&words::next(finding)));
        for (title, url) in [("Console", &finding.console), ("More", &finding.link)] {
            if is_url(url) && !url.contains(['(', ')']) {
                let _ = write!(out, " [{title}]({url})");
            }
        }
        out.push('\n');
    }
    let _ = writeln!(out, "- fingerprint `{}`\n", finding.fingerprint);
    out
}

/// Who brought it, and where it still is.
fn past(report: &Report<'_>, history: &History) -> String {
    let Some(first) = &history.first else {
        return String::new();
    };
    let text = |text: &str| code(&report.redactor.redact(text.as_bytes()));
    let came = if history.or_earlier {
        "introduced, where the shallow clone ends or earlier, by"
    } else {
        "introduced by"
    };
    let mut out = format!("- {came} `{}`", super::history::short(first.id));
    if let Some(date) = super::history::date(first.date) {
        let _ = write!(out, " on {}", date.get(..10).unwrap_or_default());
    }
    if !first.author.is_empty() {
        let _ = write!(out, " of {}", text(&first.author));
    }
    let state = words::state(history);
    if !state.is_empty() {
        let _ = write!(out, ", {state}");
    }
    out.push('\n');
    out
}

/// What was not scanned, and what is not shown.
fn end(report: &Report<'_>) -> String {
    let mut out = String::new();
    if let Some(what) = words::incomplete(report) {
        let _ = writeln!(out, "**{what}**\n");
        for gap in words::gaps(report).take(GAPS) {
            let _ = writeln!(out, "- {}", code(&gap));
        }
        let left = report.summary.gaps.len().saturating_sub(GAPS);
        if left > 0 {
            let _ = writeln!(out, "- and {} more", super::grouped(left as u64));
        }
        out.push('\n');
    }
    let named = |kind: SkipKind| {
        let all = report.summary.notable.iter().filter(|s| s.kind == kind);
        let names: Vec<String> = all
            .take(PLACES)
            .map(|skip| code(&report.redactor.path(skip.path.as_bytes())))
            .collect();
        if names.is_empty() {
            String::new()
        } else {
            format!(" (among them {})", names.join(", "))
        }
    };
    let left = words::left_out(report.summary, named);
    if !left.is_empty() {
        let _ = writeln!(out, "Not scanned: {}.\n", left.join(", "));
    }
    if let Some(tally) = &report.summary.verified {
        let summed = verification::summed(tally);
        let _ = writeln!(out, "{}.\n", words::sentence(&summed));
    }
    let hidden = words::hidden(report);
    if !hidden.is_empty() {
        let _ = writeln!(out, "Not shown: {}.\n", hidden.join(", "));
    }
    out
}

/// A code span: its fence is longer than any run of backticks in it.
pub(crate) fn code(text: &str) -> String {
    let text = cut(printable(text).into_owned(), PIECE);
    if text.is_empty() {
        return "``".to_owned();
    }
    let longest = text
        .split(|c| c != '`')
        .map(str::len)
        .max()
        .unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    // One space on both sides is taken off again.
    let space = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) {
        " "
    } else {
        ""
    };
    format!("{fence}{space}{text}{space}{fence}")
}

/// A rule's sentence: its code spans stay, everything else is plain text. Rules come from files and from
/// reports that were read, so nothing in them is a link, a mention or HTML.
pub(crate) fn prose(text: &str) -> String {
    let text = cut(printable(text).into_owned(), SENTENCE);
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        // A backtick without its other: no code at all.
        return plain(&text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for (index, part) in parts.iter().enumerate() {
        match index % 2 {
            1 if part.trim().is_empty() => out.push_str("\\`\\`"),
            1 => out.push_str(&code(part)),
            _ => out.push_str(&plain(part)),
        }
    }
    out
}

/// Plain text; an address in it is code, which can be copied and is no link.
fn plain(text: &str) -> String {
    let words = text.split_inclusive(' ').map(|word| {
        let bare = word.trim_end_matches([' ', '.', ',', ';', ':']);
        if is_url(bare) {
            let rest = word.get(bare.len()..).unwrap_or_default();
            format!("{}{rest}", code(bare))
        } else {
            escaped(word)
        }
    });
    words.collect()
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // Mentions, references and addresses are looked for in the rendered text: broken by a character of no width.
            '@' => out.push_str("@&#8203;"),
            '#' => out.push_str("#&#8203;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' | '$' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out.replace("://", ":&#8203;//")
        .replace("www.", "www&#8203;.")
}

#[cfg(test)]
mod tests {
    use super::super::{Options, sample};
    use super::*;
    use crate::model::{Gap, Summary};

    fn written(findings: &[Finding], dropped: &[Finding], summary: &Summary) -> String {
        let options = Options {
            show_suppressed: true,
            ..Options::default()
        };
        sample::written(&Markdown, findings, dropped, summary, options)
    }

    #[test]
    fn a_finding_says_what_where_and_what_next() {
        let text = written(&sample::findings(), &[], &sample::summary());
        for expected in [
            "### keysweep: 2 findings (1 critical, 1 low) in 1,234 files, 12.3 MB\n\n#### critical: GitHub personal access token (classic)\n\n\
             - secret `ghp_… (40 bytes)`, rule `github-pat-classic`, confidence high\n- at `src/app.py:12`, `a <script>",
            " (decoded from base64)\n- **next:** Revoke the token on the page of tokens, then",
            " [Console](https://github.com/settings/tokens) [More](https://docs.github.com/authentication)\n",
            "#### low: PostgreSQL connection URL",
            "**incomplete: 1 thing could not be scanned**\n\n- `locked/ghp_… (40 bytes): permission denied`\n",
            "Not scanned: 3 ignored by git (among them `.env`, `b\\u{1b}.pem`).\n",
            "Not shown: 4 findings are below --min-confidence.\n",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
        let clean = written(&[], &[], &Summary::default());
        assert!(clean.starts_with("### keysweep: no secrets found in 0 files, 0 bytes\n"));
    }

    #[test]
    fn history_and_suppressions_are_told() {
        let token = sample::token();
        let place = sample::place(b"x", 1, &token, &token);
        let dropped = [sample::dropped(
            &token,
            place,
            "suppressed by `keysweep:allow` of @team",
        )];
        let text = written(&sample::historical(), &dropped, &sample::history_summary());
        assert!(text.contains(
            "- introduced by `1a1a1a1a1a` on 2024-03-02 of `Jane Doe`, still in HEAD and in the tip of 2 refs, exposed 1,214 days\n"
        ), "{text}");
        assert!(text.contains("#### suppressed: GitHub"));
        assert!(text.contains("- ``suppressed by `keysweep:allow` of @team``\n"));
    }

    #[test]
    fn code_spans_cannot_be_left() {
        assert_eq!(code("a`b``c"), "```a`b``c```");
        assert_eq!(code("`a"), "`` `a ``");
        assert_eq!(code("a\n@b <i> | ![x](y)"), "`a\\n@b <i> | ![x](y)`");
        assert_eq!(code(""), "``");
    }

    #[test]
    fn sentences_hold_no_link_mention_or_markup() {
        assert_eq!(
            prose("use `ALTER ROLE <user>` now"),
            "use `ALTER ROLE <user>` now"
        );
        assert_eq!(
            prose("<b>@team #1 [x](https://e.example) ![y](z) www.e.example *a* | `"),
            "&lt;b&gt;@&#8203;team #&#8203;1 \\[x\\](https:&#8203;//e.example) \\!\\[y\\](z) www&#8203;.e.example \\*a\\* \\| \\`"
        );
    }

    #[test]
    fn addresses_in_sentences_can_be_copied() {
        assert_eq!(
            prose("POST it to https://api.example.com/a_b; then https://e.example."),
            "POST it to `https://api.example.com/a_b`; then `https://e.example`."
        );
    }

    #[test]
    fn what_does_not_fit_is_counted_and_the_most_severe_stay() {
        let token = sample::token();
        let long = "`d/".repeat(400);
        let mut all: Vec<Finding> = (0..400)
            .map(|n| {
                let path = format!("{n}{long}");
                sample::finding(
                    &token,
                    vec![sample::place(path.as_bytes(), 1, &token, &token)],
                )
            })
            .collect();
        for found in all.iter_mut().take(399) {
            found.severity = crate::model::Severity::Low;
        }
        let mut summary = Summary::default();
        for n in 0..1000 {
            summary.gaps.push(Gap {
                path: format!("{n}{}", "@".repeat(5000)),
                reason: "unreadable".into(),
            });
        }
        let text = written(&all, &[], &summary);
        assert!(text.chars().count() <= LIMIT && text.chars().count() > LIMIT * 9 / 10);
        let blocks = text.matches("\n#### ").count();
        assert!(text.contains(&format!(
            "**{} more findings are left out here",
            400 - blocks
        )));
        let first = text.split("\n#### ").nth(1).unwrap_or_default();
        assert!(first.starts_with("critical") && first.contains("399`d/"));
        assert!(text.contains("- and 980 more\n"));
    }
}
