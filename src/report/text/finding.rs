//! One finding: what it is, where it stands with its line, and what to do next.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::super::redact::is_cut;
use super::super::{
    counted, grouped, history, named, percent_encoded, printable, suppressed, verification, width,
    words,
};
use super::{BOLD, DIM, LABEL, Page};
use crate::model::{Finding, Origin, Place, Severity};

/// Places of a finding beyond the first that are listed.
const PLACES: usize = 5;

impl Page<'_> {
    pub(super) fn finding(&mut self, finding: &Finding) {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::{Options, Redactor, Report, sample};
    use super::*;
    use crate::model::Summary;
    use crate::rule::{RuleSet, Selection};

    #[test]
    fn a_place_of_the_past_is_no_link() {
        let place = sample::past(b"src/app.py", Origin::Content, 1);
        let rules = RuleSet::load(&Selection {
            no_builtin: true,
            ..Selection::default()
        })
        .expect("no rules");
        let redactor = Redactor::new([], false);
        let report = Report {
            findings: &[],
            dropped: &[],
            summary: &Summary::default(),
            rules: &rules,
            elapsed: Duration::ZERO,
            finished: None,
            hidden_low: 0,
            root: "/srv/app",
            revision: None,
            branch: None,
            redactor: &redactor,
            options: Options {
                hyperlinks: true,
                ..Options::default()
            },
        };
        let page = Page {
            report: &report,
            width: 80,
            text: String::new(),
        };
        assert_eq!(page.file_url(&place, "src/app.py"), None);
        let now = Place {
            blob: None,
            commit: None,
            ..place
        };
        assert_eq!(
            page.file_url(&now, "src/app.py").as_deref(),
            Some("file:///srv/app/src/app.py")
        );
    }
}
