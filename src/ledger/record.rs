//! The record of an incident: what leaked, what was done about it and what is left to do, as text, Markdown and JSON.
//!
//! All of it comes from the ledger, whose head it prints: a ledger that is cut off later shows against it. Text of others stands in
//! code spans; commands quote it for a shell. `record.schema.json` describes the JSON.

use std::fmt::Write as _;
use std::io;

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Check, CheckState, Error, Event, Incident, IncidentId, IncidentState, Ledger, NewIncident,
    Step, StepKind, StepState,
};
use crate::report::{code, printable, prose, write_document};

/// The JSON Schema of a record in JSON.
pub const RECORD_SCHEMA: &str = include_str!("record.schema.json");

/// Version of the JSON.
const SCHEMA: u8 = 1;

/// Everything that is on record of an incident.
#[derive(Debug, Clone)]
pub struct Record {
    /// The incident.
    pub incident: Incident,
    /// The steps in order.
    pub steps: Vec<Step>,
    /// The uses of the key, the oldest first.
    pub checks: Vec<Check>,
    /// What else happened, the oldest first.
    pub events: Vec<Event>,
    /// Whether the secret is kept, sealed.
    pub is_sealed: bool,
    /// Head of the ledger's chain when the record was made.
    pub head: String,
    /// When it was made.
    pub made: Timestamp,
    /// What made it: `keysweep 0.1.0`.
    pub made_by: String,
}

/// Something that is left to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Todo {
    /// In words.
    pub what: String,
    /// What it is about: places, names, steps by hand; text of others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<String>,
    /// Commands that do it, quoted for a POSIX shell.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
}

impl Todo {
    fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            items: Vec::new(),
            commands: Vec::new(),
        }
    }

    fn with(self, items: impl IntoIterator<Item = String>) -> Self {
        Self {
            items: items.into_iter().collect(),
            ..self
        }
    }

    fn by(self, command: impl Into<String>) -> Self {
        Self {
            commands: vec![command.into()],
            ..self
        }
    }
}

impl Record {
    /// Reads the record of an incident.
    ///
    /// # Errors
    /// Those of reading; [`Error::NoIncident`].
    pub fn of(
        ledger: &Ledger,
        id: IncidentId,
        made: Timestamp,
        made_by: &str,
    ) -> Result<Self, Error> {
        Ok(Self {
            incident: ledger.incident(id)?,
            steps: ledger.steps(id)?,
            checks: ledger.checks(id)?,
            events: ledger.events(id)?,
            is_sealed: ledger.is_sealed(id)?,
            head: ledger.head()?,
            made,
            made_by: made_by.to_owned(),
        })
    }

    /// The check that says last whether the key is dead.
    #[must_use]
    pub fn verdict(&self) -> Option<&Check> {
        let mut checks = self.checks.iter().rev();
        checks.find(|check| check.state != CheckState::Unknown)
    }

    /// Whether the key is proven dead: the incident is closed, and the last check that says anything was refused.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.incident.state == IncidentState::Closed
            && self
                .verdict()
                .is_some_and(|check| check.state == CheckState::Refused)
    }

    /// What is left to do, the most urgent first.
    #[must_use]
    pub fn todo(&self) -> Vec<Todo> {
        let mut all = self.to_end_it();
        let leak = &self.incident.leak;
        let new =
            "Put a new credential where the old one was used, and nowhere into the repository.";
        all.push(Todo::new(new).with(leak.dependants.iter().cloned()));
        all.extend(in_files(leak));
        all.extend(in_history(leak));
        all.push(tell(leak));
        if self.is_proven() && self.is_sealed {
            let again = "See from time to time that the key stays dead.";
            all.push(Todo::new(again).by(format!("keysweep recheck {}", self.incident.id)));
            let enough = "Remove the sealed secret from the ledger when that is no longer wanted.";
            all.push(
                Todo::new(enough).by(format!("keysweep incidents forget {}", self.incident.id)),
            );
        }
        all
    }

    fn to_end_it(&self) -> Vec<Todo> {
        let incident = &self.incident;
        let leak = &incident.leak;
        let mut all = Vec::new();
        let resume = |what: String| Todo::new(what).by("keysweep respond --resume");
        let ends = |step: &&Step| step.plan.kind == StepKind::Revoke;
        for step in self.steps.iter().filter(ends) {
            let what = spanned(&step.plan.what);
            match (step.state, step.plan.due) {
                (StepState::Done | StepState::Skipped, _) => {}
                (StepState::Started | StepState::Unknown, _) => all.push(resume(format!(
                    "Find out whether a step had its effect ({what}), and finish it."
                ))),
                (StepState::Failed, _) => {
                    all.push(resume(format!("Do the step that failed ({what}) again.")));
                }
                (StepState::Planned, Some(due)) if due > self.made => all.push(resume(format!(
                    "From {} on, do the later step ({what}).",
                    shown(due)
                ))),
                (StepState::Planned, _) => {
                    all.push(resume(format!("Do the step that is planned ({what}).")));
                }
            }
        }
        if incident.state == IncidentState::Closed {
            return all;
        }
        if !leak.by_hand.is_empty() || !leak.console.is_empty() {
            let mut items = leak.by_hand.clone();
            if !leak.console.is_empty() {
                items.push(leak.console.clone());
            }
            let what = if all.is_empty() {
                "End the key by hand."
            } else {
                "Or end the key by hand."
            };
            all.push(Todo::new(what).with(items));
        } else if all.is_empty() && !leak.remedy.is_empty() {
            all.push(Todo::new("End the key.").with([leak.remedy.clone()]));
        }
        let what = match incident.state {
            IncidentState::NotProven => "Prove that the key is dead: it was not refused in time.",
            IncidentState::Reopened => "The key works again: find out who made it so, and end it.",
            IncidentState::Open | IncidentState::Closed => return all,
        };
        let prove = Todo::new(what);
        all.push(if self.is_sealed {
            prove.by(format!("keysweep recheck {}", incident.id))
        } else {
            prove.by(format!("keysweep verify --rule {}", quoted(&leak.rule)))
        });
        all
    }

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
                    Line::Commands(commands) => {
                        for command in commands {
                            let _ = writeln!(out, "      {}", printable(command));
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
                    Line::Commands(commands) => fenced(&mut out, commands),
                }
            }
        }
        out
    }

    /// As JSON, for other programs.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn json(&self, out: &mut dyn io::Write) -> io::Result<()> {
        write_json(&self.document(), out)
    }

    fn document(&self) -> Document<'_> {
        let incident = &self.incident;
        Document {
            schema: SCHEMA,
            kind: "incident",
            id: incident.id.to_string(),
            state: incident.state,
            why: &incident.why,
            opened: shown(incident.opened),
            changed: shown(incident.changed),
            leak: &incident.leak,
            steps: &self.steps,
            proof: Proof {
                proven: self.is_proven(),
                at: self.verdict().map(|check| shown(check.at)),
                answer: self.verdict().map(|check| &*check.answer),
            },
            checks: &self.checks,
            events: self
                .events
                .iter()
                .map(|event| Happened {
                    row: event.row,
                    at: shown(event.at),
                    action: &event.action,
                    note: &event.note,
                })
                .collect(),
            sealed: self.is_sealed,
            todo: self.todo(),
            ledger: &self.head,
            made: shown(self.made),
            made_by: &self.made_by,
        }
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
                ("request", &plan.request),
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
            if let Some(due) = plan.due.filter(|_| step.state == StepState::Planned) {
                sub("due from", vec![time(due)]);
            }
            if let Some(started) = step.started {
                let mut pieces = vec![time(started)];
                if step.attempts > 1 {
                    pieces.push(ours(format!(", for the {}. time", step.attempts)));
                }
                sub("begun", pieces);
            }
            if let Some(finished) = step.finished {
                let mut pieces = vec![time(finished)];
                if !step.answer.is_empty() {
                    pieces.extend([ours(": ".to_owned()), told(&step.answer)]);
                }
                sub("answered", pieces);
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
            let mut pieces = vec![time(check.at), ours(format!(": {}", check.state))];
            if !check.answer.is_empty() {
                pieces.extend([ours(", ".to_owned()), told(&check.answer)]);
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
        lines.push(Line::Commands(vec![format!(
            "keysweep incidents verify --head {}",
            quoted(&self.head)
        )]));
        section("On record", lines)
    }
}

/// Writes what comes from a ledger as JSON, indented; what does not show or would steer a terminal is escaped.
///
/// # Errors
/// Those of the writer.
pub fn write_json(what: &impl Serialize, out: &mut dyn io::Write) -> io::Result<()> {
    write_document(what, out)
}

/// What the tree still holds.
fn in_files(leak: &NewIncident) -> Option<Todo> {
    let is_there = leak.exposure.as_ref().is_none_or(|first| first.in_head);
    if !is_there || leak.places.is_empty() {
        return None;
    }
    let mut places: Vec<String> = leak
        .places
        .iter()
        .map(|site| at(&site.path, site.line))
        .collect();
    places.sort();
    places.dedup();
    let what = "Take it out of the files; let them name a variable or a secret store instead.";
    Some(Todo::new(what).with(places.into_iter().map(|place| spanned(&place))))
}

/// What the history still holds.
fn in_history(leak: &NewIncident) -> Option<Todo> {
    leak.exposure.as_ref()?;
    let mut whole: Vec<&str> = leak
        .places
        .iter()
        .filter(|site| site.end_line > site.line)
        .map(|site| &*site.path)
        .collect();
    whole.sort_unstable();
    whole.dedup();
    let mut commands = vec![
        "url='ADDRESS OF THE REPOSITORY'".to_owned(),
        "git clone --mirror \"$url\" rewrite.git && cd rewrite.git".to_owned(),
    ];
    let what = if whole.is_empty() {
        commands.extend([
            "(umask 077; printf 'the secret, as it stands there: '; stty -echo; IFS= read -r secret; stty echo; printf 'literal:%s==>***REMOVED***\\n' \"$secret\" > ../replace.txt)".to_owned(),
            "git filter-repo --replace-text ../replace.txt --replace-message ../replace.txt && rm ../replace.txt".to_owned(),
        ]);
        "Rewrite the history, if it may not stay there: a dead key need not be hidden. Tell everybody to clone anew, and ask the forge to drop cached views, forks and refs of pull requests. With `git-filter-repo`:"
    } else {
        let paths: Vec<String> = whole
            .iter()
            .map(|path| format!("--path={}", quoted(path)))
            .collect();
        commands.push(format!(
            "git filter-repo --invert-paths {}",
            paths.join(" ")
        ));
        "Rewrite the history, if it may not stay there: a dead key need not be hidden. The secret spans lines, so this removes its files from all commits. Tell everybody to clone anew, and ask the forge to drop cached views, forks and refs of pull requests. With `git-filter-repo`:"
    };
    commands.extend([
        "keysweep git .".to_owned(),
        "git push --force \"$url\" 'refs/heads/*:refs/heads/*' 'refs/tags/*:refs/tags/*'"
            .to_owned(),
    ]);
    Some(Todo {
        commands,
        ..Todo::new(what)
    })
}

/// Who is to hear of it.
fn tell(leak: &NewIncident) -> Todo {
    let mut items = Vec::new();
    if let Some(whose) = &leak.identity {
        let names = [
            ("the owner of the key", &whose.owner),
            ("the account", &whose.account),
        ];
        for (what, name) in names {
            items.extend(
                name.as_ref()
                    .map(|name| format!("{what}: {}", spanned(name))),
            );
        }
    }
    if let Some(first) = &leak.exposure {
        let author = format!("{} <{}>", first.author, first.email);
        items.push(format!("the author of the commit: {}", spanned(&author)));
    }
    items.extend(
        leak.owners
            .iter()
            .map(|owner| format!("an owner of the files: {}", spanned(owner))),
    );
    items.extend(
        leak.systems
            .iter()
            .map(|(name, value)| format!("who runs the {name} {}", spanned(value))),
    );
    let what = if items.is_empty() {
        "Tell whoever owns the account and the files."
    } else {
        "Tell whoever it concerns."
    };
    Todo::new(what).with(items)
}

/// Text of others as a code span of a sentence, which its own backticks cannot end.
fn spanned(text: &str) -> String {
    format!("`{}`", printable(text).replace('`', "'"))
}

fn at(path: &str, line: u32) -> String {
    match line {
        0 => path.to_owned(),
        line => format!("{path}:{line}"),
    }
}

/// Text of others as one word of a POSIX shell. What does not show is spelled out, so that the command does not do what nobody sees.
fn quoted(text: &str) -> String {
    let text = printable(text);
    let is_plain = !text.is_empty()
        && text.bytes().all(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/' | b':' | b'@')
        });
    if is_plain {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Seconds are enough.
fn shown(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

struct Section {
    title: Vec<Piece>,
    lines: Vec<Line>,
}

enum Line {
    /// Its depth, from 0.
    Item(usize, Vec<Piece>),
    Commands(Vec<String>),
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
fn fenced(out: &mut String, commands: &[String]) {
    let longest = commands
        .iter()
        .flat_map(|command| command.split(|c| c != '`'))
        .map(str::len)
        .max()
        .unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let _ = writeln!(out, "\n  {fence}sh");
    for command in commands {
        let _ = writeln!(out, "  {}", printable(command));
    }
    let _ = write!(out, "  {fence}\n\n");
}

#[derive(Serialize)]
struct Document<'r> {
    schema: u8,
    kind: &'static str,
    id: String,
    state: IncidentState,
    why: &'r str,
    opened: String,
    changed: String,
    leak: &'r NewIncident,
    steps: &'r [Step],
    proof: Proof<'r>,
    checks: &'r [Check],
    events: Vec<Happened<'r>>,
    sealed: bool,
    todo: Vec<Todo>,
    ledger: &'r str,
    made: String,
    made_by: &'r str,
}

#[derive(Serialize)]
struct Proof<'r> {
    proven: bool,
    at: Option<String>,
    answer: Option<&'r str>,
}

#[derive(Serialize)]
struct Happened<'r> {
    row: u64,
    at: String,
    action: &'r str,
    note: &'r str,
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
