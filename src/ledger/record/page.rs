//! A record for people: text for a terminal, Markdown for a ticket. Text of others stands in code spans.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::todo::quoted;
use super::{Record, at, shown};
use crate::ledger::{CheckState, IncidentState, StepKind, StepState};
use crate::report::{code, printable, prose};

impl Record {
    /// For a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        for section in self.sections() {
            if !out.is_empty() {
                out.push('\n');
            }
            let _ = writeln!(out, "{}", joined(&section.title, Piece::text));
            for line in &section.lines {
                match line {
                    Line::Item(depth, pieces) => {
                        let indent = "  ".repeat(depth + 1);
                        let _ = writeln!(out, "{indent}{}", joined(pieces, Piece::text));
                    }
                    Line::Commands(lines) | Line::Shown(lines) => {
                        for line in lines {
                            let line = format!("      {}", printable(line));
                            let _ = writeln!(out, "{}", line.trim_end());
                        }
                    }
                }
            }
        }
        out
    }

    /// For a ticket or a folder of incidents: GitHub's Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        let mut level = "#";
        for section in self.sections() {
            // A block ends with an empty line.
            if !out.is_empty() && !out.ends_with("\n\n") {
                out.push('\n');
            }
            let title = joined(&section.title, Piece::markdown);
            let _ = write!(out, "{level} {title}\n\n");
            level = "##";
            for line in &section.lines {
                match line {
                    Line::Item(depth, pieces) => {
                        let indent = "  ".repeat(*depth);
                        let _ = writeln!(out, "{indent}- {}", joined(pieces, Piece::markdown));
                    }
                    Line::Commands(commands) => fenced(&mut out, "  ", "sh", commands),
                    Line::Shown(lines) => fenced(&mut out, "    ", "", lines),
                }
            }
        }
        out
    }

    fn sections(&self) -> Vec<Section> {
        let mut all = vec![self.summary(), self.leak()];
        all.extend(self.exposure());
        all.push(self.places());
        all.extend(self.systems());
        all.push(self.actions());
        all.push(self.proof());
        all.push(self.left());
        all.push(self.origin());
        all
    }

    fn summary(&self) -> Section {
        let incident = &self.incident;
        let leak = &incident.leak;
        let title = vec![
            ours(format!("Incident {}: ", incident.id)),
            told(if leak.name.is_empty() {
                &leak.rule
            } else {
                &leak.name
            }),
        ];
        let state = match incident.state {
            IncidentState::Open => "open: there is something to do",
            IncidentState::Closed if self.is_proven() => "closed: the key is proven dead",
            IncidentState::Closed => "closed, without proof that the key is dead",
            IncidentState::NotProven => "not proven: the key was not refused in time",
            IncidentState::Reopened => "reopened: the key works again",
        };
        let mut lines = vec![field("State", [ours(state.to_owned())])];
        if !incident.why.is_empty() {
            lines.push(field("Why", [told(&incident.why)]));
        }
        lines.push(field("Opened", [time(incident.opened)]));
        if incident.changed != incident.opened {
            lines.push(field("State since", [time(incident.changed)]));
        }
        let first = leak.exposure.as_ref().map(|exposure| exposure.date);
        let end = match incident.state {
            IncidentState::Closed => incident.changed,
            _ => self.made,
        };
        if let Some(first) = first.filter(|first| *first < end) {
            let days = end.duration_since(first).as_hours() / 24;
            let so_far = if incident.state == IncidentState::Closed {
                "until it was closed"
            } else {
                "so far"
            };
            let unit = if days == 1 { "day" } else { "days" };
            lines.push(field("Exposed", [ours(format!("{days} {unit} {so_far}"))]));
        }
        Section { title, lines }
    }

    fn leak(&self) -> Section {
        let leak = &self.incident.leak;
        let mut lines = vec![
            field("Secret", [told(&leak.secret)]),
            field(
                "Kind",
                [
                    told(&leak.rule),
                    ours(format!(", severity {}, provider ", leak.severity)),
                    told(&leak.provider),
                ],
            ),
            field("Fingerprint", [told(&leak.fingerprint.to_string())]),
        ];
        let mut verified = vec![told(&leak.verification)];
        if let Some(at) = leak.verified {
            verified.extend([ours(" at ".to_owned()), time(at)]);
        }
        if !leak.verification_note.is_empty() {
            verified.extend([ours(": ".to_owned()), told(&leak.verification_note)]);
        }
        lines.push(field("Verified", verified));
        for one in &leak.asked {
            let mut pieces = vec![told(&one.at)];
            if one.named != one.at {
                pieces.extend([ours(" for ".to_owned()), told(&one.named)]);
            }
            lines.push(field("Asked at", pieces));
        }
        if let Some(whose) = &leak.identity {
            for (label, value) in [
                ("Account", &whose.account),
                ("Owner", &whose.owner),
                ("Key", &whose.key),
                ("Allows", &whose.level),
                ("Ends by itself", &whose.expires),
            ] {
                lines.extend(value.as_ref().map(|value| field(label, [told(value)])));
            }
            if !whose.scopes.is_empty() {
                lines.push(field("Scopes", list(&whose.scopes)));
            }
        }
        let mut detected = vec![time(leak.detected)];
        if !leak.detected_by.is_empty() {
            detected.extend([ours(" by ".to_owned()), told(&leak.detected_by)]);
        }
        lines.push(field("Detected", detected));
        for (label, value) in [("Command", &leak.command), ("Scanned", &leak.scanned)] {
            if !value.is_empty() {
                lines.push(field(label, [told(value)]));
            }
        }
        section("What leaked", lines)
    }

    fn exposure(&self) -> Option<Section> {
        let first = self.incident.leak.exposure.as_ref()?;
        let mut lines = vec![
            field(
                "Commit",
                [
                    told(&first.commit),
                    ours(" of ".to_owned()),
                    time(first.date),
                ],
            ),
            field(
                "Author",
                [told(&format!("{} <{}>", first.author, first.email))],
            ),
            field("Subject", [told(&first.subject)]),
        ];
        if first.or_earlier {
            let older = "perhaps: what was before that commit was not there to be scanned";
            lines.push(field("Older", [ours(older.to_owned())]));
        }
        let mut refs = list(&first.refs);
        if first.more_refs > 0 {
            refs.push(ours(format!(" and {} more", first.more_refs)));
        }
        if refs.is_empty() {
            refs.push(ours("none that was scanned".to_owned()));
        }
        lines.push(field("Refs that hold it", refs));
        let in_head = if first.in_head { "yes" } else { "no" };
        lines.push(field("Still in HEAD", [ours(in_head.to_owned())]));
        Some(section("First exposed", lines))
    }

    fn places(&self) -> Section {
        let leak = &self.incident.leak;
        let mut lines: Vec<Line> = leak
            .places
            .iter()
            .map(|site| {
                let mut pieces = vec![told(&at(&site.path, site.line))];
                if let Some(commit) = &site.commit {
                    pieces.extend([ours(" of commit ".to_owned()), told(commit)]);
                }
                Line::Item(0, pieces)
            })
            .collect();
        if leak.more_places > 0 {
            let more = format!("and {} more", leak.more_places);
            lines.push(Line::Item(0, vec![ours(more)]));
        }
        if lines.is_empty() {
            let none = "nowhere that was scanned".to_owned();
            lines.push(Line::Item(0, vec![ours(none)]));
        }
        section("Where it stands", lines)
    }

    fn systems(&self) -> Option<Section> {
        let leak = &self.incident.leak;
        let opens = leak.systems.iter().map(|(name, value)| {
            let pieces = [ours("it opens the ".to_owned()), told(name)];
            let value = [ours(" ".to_owned()), told(value)];
            Line::Item(0, pieces.into_iter().chain(value).collect())
        });
        let uses = leak
            .dependants
            .iter()
            .map(|used| Line::Item(0, vec![ours("it is used at ".to_owned()), told(used)]));
        let lines: Vec<Line> = opens.chain(uses).collect();
        (!lines.is_empty()).then(|| section("Systems and services affected", lines))
    }

    fn actions(&self) -> Section {
        let mut lines = Vec::new();
        for step in &self.steps {
            let plan = &step.plan;
            lines.push(Line::Item(
                0,
                vec![
                    ours(format!("{}: ", plan.kind)),
                    told(&plan.what),
                    ours(format!(", {}", step.state)),
                ],
            ));
            let mut sub = |label: &str, pieces: Vec<Piece>| {
                let space = if pieces.is_empty() { "" } else { " " };
                let mut all = vec![ours(format!("{label}{space}"))];
                all.extend(pieces);
                lines.push(Line::Item(1, all));
            };
            for (label, value) in [
                ("on", &plan.object),
                ("by the authority of", &plan.authority),
            ] {
                if !value.is_empty() {
                    sub(label, vec![told(value)]);
                }
            }
            if plan.kind == StepKind::Revoke {
                match (plan.reversible, plan.undo.is_empty()) {
                    (true, true) => sub("can be undone", Vec::new()),
                    (true, false) => sub("can be undone:", vec![told(&plan.undo)]),
                    (false, _) => sub("cannot be undone", Vec::new()),
                }
            }
            if let Some(agreed) = plan.agreed.filter(|_| !plan.reversible) {
                let mut pieces = vec![time(agreed)];
                if !plan.agreed_by.is_empty() {
                    pieces.extend([ours(" by ".to_owned()), told(&plan.agreed_by)]);
                }
                sub("agreed to", pieces);
            }
            if let Some(due) = plan.due.filter(|_| step.state == StepState::Planned) {
                sub("due from", vec![time(due)]);
            }
            let tries = self.attempts.get(&step.id).map_or(&[][..], Vec::as_slice);
            if tries.len() > 1 {
                let mut before = 0;
                for one in tries {
                    let mut pieces = vec![time(one.started)];
                    if let Some(finished) = one.finished {
                        pieces.extend([ours(", answered ".to_owned()), time(finished)]);
                    }
                    pieces.push(ours(format!(": {}", one.state)));
                    if !one.answer.is_empty() {
                        pieces.extend([ours(", ".to_owned()), told(&one.answer)]);
                    }
                    // What was found out later of an answer that was lost is no other attempt.
                    if one.number == before {
                        sub("looked at again, begun", pieces);
                    } else {
                        sub(&format!("{}. begun", one.number), pieces);
                    }
                    before = one.number;
                }
            } else {
                if let Some(started) = step.started {
                    sub("begun", vec![time(started)]);
                }
                if let Some(finished) = step.finished {
                    let mut pieces = vec![time(finished)];
                    if !step.answer.is_empty() {
                        pieces.extend([ours(": ".to_owned()), told(&step.answer)]);
                    }
                    sub("answered", pieces);
                }
            }
            if !plan.request.is_empty() {
                sub("request:", Vec::new());
                lines.push(Line::Shown(
                    plan.request.lines().map(str::to_owned).collect(),
                ));
            }
        }
        if lines.is_empty() {
            lines.push(Line::Item(0, vec![ours("none so far".to_owned())]));
        }
        section("Actions", lines)
    }

    fn proof(&self) -> Section {
        let mut lines = Vec::new();
        let verdict = match self.verdict() {
            Some(check) if check.state == CheckState::Refused => "the key is refused",
            Some(_) => "the key works",
            None if self.checks.is_empty() => "the key was not used again",
            None => "nothing is known: no use of the key was answered",
        };
        lines.push(Line::Item(0, vec![ours(verdict.to_owned())]));
        for check in &self.checks {
            let mut pieces = vec![time(check.at), ours(": ".to_owned())];
            let word = check.state.word();
            // What begins with the word needs it once.
            if check.answer.is_empty() {
                pieces.push(ours(word.to_owned()));
            } else if check.answer.starts_with(word) {
                pieces.push(told(&check.answer));
            } else {
                pieces.extend([ours(format!("{word}, ")), told(&check.answer)]);
            }
            lines.push(Line::Item(1, pieces));
        }
        section("Proof", lines)
    }

    fn left(&self) -> Section {
        let mut lines = Vec::new();
        for todo in self.todo() {
            lines.push(Line::Item(0, vec![Piece::Prose(todo.what)]));
            for item in &todo.items {
                lines.push(Line::Item(1, vec![Piece::Prose(item.clone())]));
            }
            if !todo.commands.is_empty() {
                lines.push(Line::Commands(todo.commands));
            }
        }
        section("What is left to do", lines)
    }

    fn origin(&self) -> Section {
        let mut lines: Vec<Line> = self
            .events
            .iter()
            .map(|event| {
                let mut pieces = vec![time(event.at), ours(" ".to_owned()), told(&event.action)];
                if !event.note.is_empty() {
                    pieces.extend([ours(": ".to_owned()), told(&event.note)]);
                }
                Line::Item(0, pieces)
            })
            .collect();
        let kept = if self.is_sealed {
            "kept, sealed, for rechecks"
        } else {
            "not kept"
        };
        lines.push(field("The secret", [ours(kept.to_owned())]));
        lines.push(field(
            "Record made",
            [
                time(self.made),
                ours(" by ".to_owned()),
                told(&self.made_by),
            ],
        ));
        lines.push(field("Head of the ledger", [told(&self.head)]));
        lines.push(Line::Item(
            0,
            vec![ours("Whether the ledger still holds this:".to_owned())],
        ));
        lines.push(Line::Commands(vec![
            self.look(&format!("verify --head {}", quoted(&self.head))),
        ]));
        section("On record", lines)
    }
}

struct Section {
    title: Vec<Piece>,
    lines: Vec<Line>,
}

enum Line {
    /// Its depth, from 0.
    Item(usize, Vec<Piece>),
    Commands(Vec<String>),
    /// Lines of others as they are.
    Shown(Vec<String>),
}

enum Piece {
    /// Our own words.
    Ours(String),
    /// Text of others.
    Told(String),
    /// A sentence of a rule, or one of ours with text of others in code spans.
    Prose(String),
}

impl Piece {
    fn text(&self) -> String {
        match self {
            Self::Ours(text) | Self::Told(text) | Self::Prose(text) => printable(text).into_owned(),
        }
    }

    fn markdown(&self) -> String {
        match self {
            Self::Ours(text) => text.clone(),
            Self::Told(text) => code(text),
            Self::Prose(text) => prose(text),
        }
    }
}

fn ours(text: String) -> Piece {
    Piece::Ours(text)
}

fn told(text: &str) -> Piece {
    Piece::Told(text.to_owned())
}

fn time(at: Timestamp) -> Piece {
    Piece::Ours(shown(at))
}

fn field(label: &str, pieces: impl IntoIterator<Item = Piece>) -> Line {
    let label = ours(format!("{label}: "));
    Line::Item(0, [label].into_iter().chain(pieces).collect())
}

fn list(texts: &[String]) -> Vec<Piece> {
    let mut all = Vec::new();
    for text in texts {
        if !all.is_empty() {
            all.push(ours(", ".to_owned()));
        }
        all.push(told(text));
    }
    all
}

fn section(title: &str, lines: Vec<Line>) -> Section {
    Section {
        title: vec![ours(title.to_owned())],
        lines,
    }
}

fn joined(pieces: &[Piece], form: fn(&Piece) -> String) -> String {
    pieces.iter().map(form).collect()
}

/// A block that nothing in its lines can end.
fn fenced(out: &mut String, indent: &str, language: &str, lines: &[String]) {
    let longest = lines
        .iter()
        .flat_map(|line| line.split(|c| c != '`'))
        .map(str::len)
        .max()
        .unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let _ = writeln!(out, "\n{indent}{fence}{language}");
    for line in lines {
        let line = format!("{indent}{}", printable(line));
        let _ = writeln!(out, "{}", line.trim_end());
    }
    let _ = write!(out, "{indent}{fence}\n\n");
}
