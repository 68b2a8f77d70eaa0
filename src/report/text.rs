//! `text`: the report for a person at a terminal.
//!
//! Nothing from scanned material is printed before the redactor and [`printable`] have seen it, so
//! that a hostile file name cannot move the cursor, hide a line or forge one.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};

use anstyle::{AnsiColor, Style};

use super::redact::is_cut;
use super::{
    Report, Reporter, by_severity, counted, grouped, history, named, percent_encoded, printable,
    scaled, suppressed, verification, width, words,
};
use crate::model::{Commit, Finding, History, Origin, Place, Severity, SkipKind};

/// Places of a finding beyond the first that are listed.
const PLACES: usize = 5;
/// Refs that are listed.
const REFS: usize = 3;
/// Names of left-out files that are listed.
const NOTABLE: usize = 10;
/// Suppressions without use that are listed.
const IDLE: usize = 100;
/// Gaps that are listed.
const GAPS: usize = 20;
/// Columns of the labels under a finding.
const LABEL: usize = 9;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const PLAIN: Style = Style::new();

/// Findings with their lines, then what was scanned and what was not.
#[derive(Debug, Clone, Copy)]
pub struct Text;

impl Reporter for Text {
    fn write(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        let mut out = BufWriter::new(out);
        let mut page = Page {
            report,
            width: report.options.width.max(24),
            text: String::new(),
        };
        for finding in by_severity(report.findings) {
            page.finding(finding);
            page.turn(&mut out)?;
        }
        for finding in by_severity(report.shown_dropped()) {
            page.finding(finding);
            page.turn(&mut out)?;
        }
        page.totals();
        page.left_out();
        page.idle();
        page.gaps();
        page.turn(&mut out)?;
        out.flush()
    }
}

/// What is written next.
struct Page<'r> {
    report: &'r Report<'r>,
    width: usize,
    text: String,
}

impl Page<'_> {
    fn turn(&mut self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(self.text.as_bytes())?;
        self.text.clear();
        Ok(())
    }

    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.report.options.color && style != PLAIN {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    fn link(&self, url: &str, text: &str) -> String {
        if self.report.options.hyperlinks && !url.is_empty() {
            format!("\x1b]8;;{}\x1b\\{text}\x1b]8;;\x1b\\", printable(url))
        } else {
            text.to_owned()
        }
    }

    fn finding(&mut self, finding: &Finding) {
        let reason = suppressed(finding);
        self.header(finding, reason.is_some());
        let secret = self.report.redactor.secret(&finding.credential.secret);
        let secret = self.paint(BOLD, &printable(&secret));
        self.line(&format!("  {secret}"));
        let mut places = self.report.places(finding);
        let first = places.next();
        if let Some(place) = first {
            let at = self.place(place, finding.history.is_some());
            self.line(&format!("  {at}"));
            self.snippet(finding, place);
            if !place.decoded_from.is_empty() {
                self.line(&format!("  decoded from {}", words::decodings(place)));
            }
        }
        self.more_places(&places.collect::<Vec<_>>(), finding.history.is_some());
        if let Some(history) = &finding.history {
            self.history(history);
        }
        if let Some(told) = verification::told(self.report, finding) {
            self.labelled("status:", &told);
        }
        if let Some(reason) = reason {
            let reason = self.report.redactor.redact(reason.as_bytes());
            self.labelled("dropped:", &printable(&reason));
        } else {
            let mut lapses = finding.places.iter().filter_map(|p| p.lapsed.as_ref());
            if let Some(lapsed) = lapses.next() {
                let lapsed = self.report.redactor.redact(lapsed.as_bytes());
                let more = lapses.count() as u64;
                let more = match more {
                    0 => String::new(),
                    more => format!(", and {}", counted(more, "more like it", "more like it")),
                };
                self.labelled("note:", &format!("{}{more}", printable(&lapsed)));
            }
            self.facts("opens:", &finding.opens);
            let owners: Vec<String> = finding
                .owners
                .iter()
                .map(|owner| printable(&self.report.redactor.redact(owner.as_bytes())).into_owned())
                .collect();
            self.labelled("owners:", &owners.join(", "));
            let others: Vec<_> = finding
                .credential
                .parts
                .iter()
                // The line above shows how the URL begins.
                .filter(|part| !finding.opens.contains(part) && part.0 != "scheme")
                .cloned()
                .collect();
            self.facts("parts:", &others);
            let mut next = printable(&finding.remedy).into_owned();
            if history::is_committed(finding) {
                let _ = write!(next, " {}", history::STAYS);
            }
            self.labelled("next:", &next);
            if !finding.console.is_empty() {
                let url = printable(&finding.console);
                let url = self.link(&url, &url);
                self.line(&format!("  {:<LABEL$}{url}", "console:"));
            }
        }
        let print = self.paint(DIM, &format!("  fingerprint {}", finding.fingerprint));
        self.line(&print);
        self.line("");
    }

    /// `critical  Stripe secret key  stripe-secret-key  (confidence high)`, on two lines where it is long.
    fn header(&mut self, finding: &Finding, dropped: bool) {
        let (word, style) = if dropped {
            ("dropped", DIM)
        } else {
            (finding.severity.word(), severity_style(finding.severity))
        };
        let name = printable(&finding.name);
        let confidence = if dropped {
            String::new()
        } else {
            let status = match verification::word(finding) {
                word @ ("active" | "inactive") => format!(", {word}"),
                _ => String::new(),
            };
            format!("  (confidence {}{status})", finding.confidence())
        };
        let used = 10 + width::of(&name) + 2 + width::of(&finding.rule) + width::of(&confidence);
        let id = self.link(&finding.link, &printable(&finding.rule));
        let id = self.paint(DIM, &format!("{id}{confidence}"));
        let head = format!(
            "{}  {}",
            self.paint(style, &format!("{word:<8}")),
            self.paint(BOLD, &name)
        );
        if used <= self.width {
            self.line(&format!("{head}  {id}"));
        } else {
            self.line(&head);
            self.line(&format!("{:10}{id}", ""));
        }
    }

    /// `src/app.py:12:9`, in history `src/app.py:12:9  (commit 1a2b3c4d5e)`.
    fn place(&self, place: &Place, has_history: bool) -> String {
        let path = self.report.redactor.path(&named(&place.path));
        let shown = printable(&path);
        let object = place.blob.or(place.commit).map(history::short);
        let object = object.unwrap_or_default();
        let at = match place.origin {
            Origin::Content => format!("{shown}:{}:{}", place.start.line, place.start.column),
            Origin::Name => format!("in the name of a file: {shown}"),
            Origin::Commit => format!("in commit {object} (message, author or committer)"),
            Origin::Tag => format!("in the message of tag {object}"),
            Origin::Ref => format!("in the name of a ref: {shown}"),
        };
        let mut at = self.paint(Style::new().fg_color(Some(AnsiColor::Blue.into())), &at);
        if let Some(url) = self.file_url(place, &path) {
            at = self.link(&url, &at);
        }
        if matches!(place.origin, Origin::Content | Origin::Name) {
            match (place.commit, place.blob) {
                (Some(id), _) => {
                    let _ = write!(at, "  (commit {})", history::short(id));
                }
                // What is staged has no commit yet, and its file is at hand.
                (None, Some(_)) if !has_history => {}
                (None, Some(id)) => {
                    let _ = write!(at, "  (object {})", history::short(id));
                }
                (None, None) => {}
            }
        }
        at
    }

    /// When the secret came, whether it is still there, and for how long it was.
    fn history(&mut self, history: &History) {
        let mut lines = Vec::new();
        let came = if history.or_earlier {
            "introduced here, where the shallow clone ends, or earlier:"
        } else {
            "introduced"
        };
        match &history.first {
            // A range says nothing of what came after it.
            Some(first) if history.is_partial => {
                lines.push(format!("{came} {}", self.commit(first)));
            }
            Some(first) => {
                lines.push(format!("{came} {}", self.commit(first)));
                let again = if history.introductions > 1 {
                    let times = grouped(u64::from(history.introductions));
                    format!(", introduced {times} times")
                } else {
                    String::new()
                };
                let days = match history.exposed_days {
                    0 => "less than a day".to_owned(),
                    days => counted(u64::from(days), "day", "days"),
                };
                let state = self.state(history);
                lines.push(format!("{state}, exposed {days}{again}"));
                if let Some(last) = history
                    .last
                    .as_ref()
                    .filter(|_| history::is_removed(history))
                {
                    lines.push(format!("last held by {}", self.commit(last)));
                }
            }
            None if history::is_removed(history) && history.refs.is_empty() => {
                lines.push("in no commit of a scanned ref".to_owned());
            }
            None => lines.push(self.state(history)),
        }
        if !history.refs.is_empty() {
            lines.push(format!(
                "held by {}",
                self.refs(&history.refs, history.more_refs)
            ));
        }
        let mut label = "history:";
        for line in lines {
            self.labelled(label, &line);
            label = "";
        }
    }

    /// Where the newest trees stand.
    fn state(&self, history: &History) -> String {
        match (history.in_head, history.tips.is_empty()) {
            (true, true) => "still in HEAD".to_owned(),
            (true, false) => {
                let all = history.tips.len() as u64 + history.more_tips;
                let count = counted(all, "ref", "refs");
                format!("still in HEAD and in the tip of {count}")
            }
            (false, true) if history.refs.is_empty() => "in no ref any more".to_owned(),
            (false, true) => "removed from HEAD and from the tip of every ref".to_owned(),
            (false, false) => format!(
                "not in HEAD, still in the tip of {}",
                self.refs(&history.tips, history.more_tips)
            ),
        }
    }

    /// `1a2b3c4d5e 2024-03-02 Jane Doe <jane@example.com> Add the app`, no part wider than a line.
    fn commit(&self, commit: &Commit) -> String {
        let room = self.width.saturating_sub(LABEL + 4);
        let text = |text: &str| width::head(&self.report.redactor.printable(text.as_bytes()), room);
        let mut out = history::short(commit.id);
        if let Some(date) = history::date(commit.date) {
            let _ = write!(out, " {}", date.get(..10).unwrap_or_default());
        }
        if !commit.author.is_empty() {
            let _ = write!(out, " {}", text(&commit.author));
        }
        if !commit.email.is_empty() {
            let _ = write!(out, " <{}>", text(&commit.email));
        }
        if !commit.subject.is_empty() {
            let _ = write!(out, " {}", text(&commit.subject));
        }
        out
    }

    /// `5 refs: main, tags/v1, remotes/origin/main and 2 more`, branches first.
    fn refs(&self, names: &[String], more: u64) -> String {
        let room = self.width.saturating_sub(LABEL + 4);
        let shown: Vec<String> = history::refs_in_order(names)
            .take(REFS)
            .map(|name| {
                let name = self.report.redactor.path(name.as_bytes());
                width::head(&printable(history::short_ref(&name)), room)
            })
            .collect();
        let all = names.len() as u64 + more;
        let more = match all - shown.len() as u64 {
            0 => String::new(),
            more => format!(" and {} more", grouped(more)),
        };
        let count = counted(all, "ref", "refs");
        format!("{count}: {}{more}", shown.join(", "))
    }

    /// The address of a file, where the root is absolute and nothing of the path is hidden.
    fn file_url(&self, place: &Place, shown: &str) -> Option<String> {
        let root = self.report.root;
        let path = std::str::from_utf8(&place.path)
            .ok()
            .filter(|p| *p == shown && !p.is_empty())?;
        // What history holds need not be in the tree.
        let is_past = place.blob.is_some() || place.origin != Origin::Content;
        if !self.report.options.hyperlinks
            || is_past
            || !root.starts_with('/')
            || self.report.redactor.path(root.as_bytes()) != root
        {
            return None;
        }
        let root = root.trim_end_matches('/');
        let is_file = root
            .strip_suffix(path)
            .is_some_and(|folder| folder.ends_with('/'));
        let full = if is_file {
            root.to_owned()
        } else {
            format!("{root}/{path}")
        };
        Some(format!("file://{}", percent_encoded(full.as_bytes())))
    }

    /// The line with a gutter, and carets under the secret.
    fn snippet(&mut self, finding: &Finding, place: &Place) {
        let shown = self
            .report
            .redactor
            .snippet(place, &finding.credential.secret);
        let number = place.start.line.to_string();
        let gutter = format!("    {number} | ");
        let room = self.width.saturating_sub(gutter.len()).max(20);
        let cut = if is_cut(place) { "…" } else { "" };
        let mut before = width::flat(&format!("{cut}{}", shown.before), 0);
        let secret = width::head(&width::flat(&shown.secret, width::of(&before)), room);
        let after = width::flat(&shown.after, width::of(&before) + width::of(&secret));
        let mut after = after.trim_end().to_owned();
        let left = room - width::of(&secret);
        if width::of(&before) + width::of(&after) > left {
            // A third of what is left goes to what follows, or less if it is short.
            let behind = width::of(&after).min(left / 3);
            before = width::tail(before.trim_start(), left - behind);
            after = width::head(&after, left - width::of(&before));
        }
        let bar = self.paint(DIM, &gutter);
        let secret_painted = self.paint(severity_style(finding.severity), &secret);
        self.line(&format!("{bar}{before}{secret_painted}{after}"));
        let carets = "^".repeat(width::of(&secret).max(1));
        let carets = self.paint(severity_style(finding.severity), &carets);
        let bar = self.paint(DIM, &format!("    {:1$} | ", "", number.len()));
        self.line(&format!("{bar}{:1$}{carets}", "", width::of(&before)));
    }

    fn more_places(&mut self, places: &[&Place], has_history: bool) {
        if places.is_empty() {
            return;
        }
        self.line(&format!(
            "  +{}:",
            counted(places.len() as u64, "more place", "more places")
        ));
        for place in places.iter().take(PLACES) {
            let mut at = self.place(place, has_history);
            if !place.decoded_from.is_empty() {
                let _ = write!(at, "  (decoded from {})", words::decodings(place));
            }
            if let Some(reason) = &place.dropped {
                let reason = self.report.redactor.redact(reason.as_bytes());
                let _ = write!(at, "  (dropped: {})", printable(&reason));
            }
            self.line(&format!("    {at}"));
        }
        if places.len() > PLACES {
            self.line(&format!(
                "    and {} more",
                grouped((places.len() - PLACES) as u64)
            ));
        }
    }

    /// `opens: host db.example.com, database app`.
    fn facts(&mut self, label: &str, facts: &[(String, String)]) {
        let facts: Vec<String> = facts
            .iter()
            .map(|(name, value)| {
                let value = self.report.redactor.redact(value.as_bytes());
                format!(
                    "{} {}",
                    printable(name),
                    width::head(&printable(&value), 200)
                )
            })
            .collect();
        self.labelled(label, &facts.join(", "));
    }

    /// A label and wrapped text beside it; nothing for an empty text.
    fn labelled(&mut self, label: &str, text: &str) {
        let mut label = label;
        for line in width::wrap(text, self.width.saturating_sub(LABEL + 2)) {
            self.line(&format!("  {label:<LABEL$}{line}"));
            label = "";
        }
    }

    /// Wrapped text whose further lines are indented.
    fn wrapped(&mut self, style: Style, text: &str) {
        let mut indent = "";
        for line in width::wrap(text, self.width.saturating_sub(2)) {
            let line = self.paint(style, &line);
            self.line(&format!("{indent}{line}"));
            indent = "  ";
        }
    }

    /// `2 findings (1 critical, 1 low) in 1,234 files, 12.3 MB, 0.4 s (30 MB/s)`.
    fn totals(&mut self) {
        let report = self.report;
        let summary = report.summary;
        let (what, style) = if report.findings.is_empty() {
            let style = if report.is_complete() {
                AnsiColor::Green
            } else {
                AnsiColor::Yellow
            };
            (
                words::sentence(&words::found(report)),
                Style::new().bold().fg_color(Some(style.into())),
            )
        } else {
            (words::found(report), BOLD)
        };
        let is_empty = summary.files == 0 && summary.commits == 0 && summary.objects == 0;
        let mut text = if is_empty && report.findings.is_empty() && !report.is_complete() {
            "Nothing was scanned".to_owned()
        } else {
            format!("{what} in {}, {}", words::looked_at(summary), time(report))
        };
        if report.bytes_per_second() > 0 {
            let _ = write!(text, " ({}/s)", scaled(report.bytes_per_second(), 9.95));
        }
        self.wrapped(style, &text);
        if report.hidden_low > 0 {
            let hidden = counted(report.hidden_low as u64, "finding is", "findings are");
            self.wrapped(
                DIM,
                &format!("{hidden} below --min-confidence and not shown"),
            );
        }
        if let Some(tally) = &summary.verified {
            self.wrapped(PLAIN, &verification::summed(tally));
            if let Some(hidden) = verification::hidden(tally) {
                self.wrapped(
                    DIM,
                    &format!("{hidden} and not shown; see it without --only-active"),
                );
            }
        }
        let (_, accepted) = words::accepted(report);
        if let Some(baseline) = &summary.baseline {
            let file = report.redactor.path(baseline.file.as_bytes());
            let known = counted(baseline.accepted, "finding is", "findings are");
            let mut text = format!("{known} accepted by {}", printable(&file));
            match baseline.gone {
                Some(gone) if gone > 0 => {
                    let all = counted(baseline.entries, "entry", "entries");
                    let were = if gone == 1 { "was" } else { "were" };
                    let _ = write!(text, "; {} of its {all} {were} not met", grouped(gone));
                }
                _ => {}
            }
            self.wrapped(DIM, &text);
        }
        if accepted > 0 && !report.options.show_suppressed {
            let accepted = counted(accepted, "finding is", "findings are");
            self.wrapped(
                DIM,
                &format!("{accepted} suppressed and not shown; see --show-suppressed"),
            );
        }
        if summary.already_there > 0 {
            let secrets = counted(summary.already_there, "secret was", "secrets were");
            self.wrapped(
                DIM,
                &format!("{secrets} there before and not counted; `keysweep git` shows them"),
            );
        }
        if summary.unreachable_hits > 0 {
            let hits = counted(summary.unreachable_hits, "match is", "matches are");
            self.wrapped(
                DIM,
                &format!(
                    "{hits} in objects that no scanned ref reaches and not shown; see --all-objects"
                ),
            );
        }
        if summary.binary_files > 0 {
            let binary = counted(summary.binary_files, "binary file was", "binary files were");
            self.wrapped(
                DIM,
                &format!("{binary} searched for distinctive prefixes and key blocks alone"),
            );
        }
    }

    /// `not scanned: 3 ignored by git (among them .env — use --no-ignore)`.
    fn left_out(&mut self) {
        let sorts = words::left_out(self.report.summary, |kind| self.notable(kind));
        if !sorts.is_empty() {
            self.wrapped(PLAIN, &format!("not scanned: {}", sorts.join(", ")));
        }
        for note in &self.report.summary.notes {
            let note = self.report.redactor.path(note.as_bytes());
            self.wrapped(DIM, &printable(&note));
        }
    }

    fn notable(&self, kind: SkipKind) -> String {
        let all: Vec<&str> = self
            .report
            .summary
            .notable
            .iter()
            .filter(|s| s.kind == kind)
            .map(|s| s.path.as_str())
            .collect();
        if all.is_empty() {
            return String::new();
        }
        let mut names: Vec<String> = all
            .iter()
            .take(NOTABLE)
            .map(|path| printable(&self.report.redactor.path(path.as_bytes())).into_owned())
            .collect();
        if all.len() > NOTABLE {
            names.push(format!("{} more", grouped((all.len() - NOTABLE) as u64)));
        }
        let hint = match kind {
            SkipKind::Ignored => " — use --no-ignore",
            SkipKind::TooLarge => " — use --max-size",
            SkipKind::Promised => " — let git fetch them first",
            SkipKind::Configured => " — use --no-repo-config",
            SkipKind::Shallow => " — use git fetch --unshallow",
            SkipKind::Excluded | SkipKind::Symlink | SkipKind::Special => "",
        };
        format!(" (among them {}{hint})", names.join(", "))
    }

    /// Suppressions that do nothing, where they were asked for.
    fn idle(&mut self) {
        let report = self.report;
        let all = &report.summary.idle;
        if all.is_empty() {
            return;
        }
        let count = counted(all.len() as u64, "suppression does", "suppressions do");
        self.wrapped(PLAIN, &format!("{count} nothing:"));
        for idle in all.iter().take(IDLE) {
            let path = report.redactor.path(idle.path.as_bytes());
            let reason = report.redactor.redact(idle.reason.as_bytes());
            let (path, reason) = (printable(&path), printable(&reason));
            self.line(&format!("  {path}:{}: {} {reason}", idle.line, idle.sort));
        }
        if all.len() > IDLE {
            let more = grouped((all.len() - IDLE) as u64);
            self.line(&format!("  and {more} more"));
        }
    }

    fn gaps(&mut self) {
        let report = self.report;
        let gaps = &report.summary.gaps;
        let alert = Style::new().bold().fg_color(Some(AnsiColor::Yellow.into()));
        if !gaps.is_empty() {
            let count = counted(gaps.len() as u64, "thing", "things");
            self.wrapped(alert, &format!("incomplete: {count} could not be scanned"));
        }
        for gap in gaps.iter().take(GAPS) {
            let path = report.redactor.path(gap.path.as_bytes());
            let reason = report.redactor.path(gap.reason.as_bytes());
            let colon = if path.is_empty() { "" } else { ": " };
            let (path, reason) = (printable(&path), printable(&reason));
            self.line(&format!("  {path}{colon}{reason}"));
        }
        if gaps.len() > GAPS {
            self.line(&format!(
                "  and {} more",
                grouped((gaps.len() - GAPS) as u64)
            ));
        }
        if report.summary.cancelled {
            self.wrapped(alert, "incomplete: the run was stopped before its end");
        }
    }
}

fn severity_style(severity: Severity) -> Style {
    let color = match severity {
        Severity::Critical | Severity::High => AnsiColor::Red,
        Severity::Medium => AnsiColor::Yellow,
        Severity::Low => AnsiColor::Cyan,
    };
    let style = Style::new().fg_color(Some(color.into()));
    if severity == Severity::Critical {
        style.bold()
    } else {
        style
    }
}

fn time(report: &Report<'_>) -> String {
    let seconds = report.elapsed.as_secs_f64();
    if seconds < 0.0995 {
        format!("{:.0} ms", seconds * 1000.0)
    } else if seconds < 119.5 {
        format!("{seconds:.1} s")
    } else {
        let whole = report.elapsed.as_secs();
        format!("{} min {} s", grouped(whole / 60), whole % 60)
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
