//! Under all findings: what was scanned, and what was not.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::super::{Report, counted, grouped, printable, scaled, verification, words};
use super::{BOLD, DIM, PLAIN, Page};
use crate::model::SkipKind;

/// Names of left-out files that are listed.
const NOTABLE: usize = 10;

/// Suppressions without use that are listed.
const IDLE: usize = 100;

/// Gaps that are listed.
const GAPS: usize = 20;

impl Page<'_> {
    /// `2 findings (1 critical, 1 low) in 1,234 files, 12.3 MB, 0.4 s (30 MB/s)`.
    pub(super) fn totals(&mut self) {
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
    pub(super) fn left_out(&mut self) {
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
    pub(super) fn idle(&mut self) {
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

    pub(super) fn gaps(&mut self) {
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
