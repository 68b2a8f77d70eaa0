//! A plan and what became of it, as text and as JSON.

use std::io::{self, Write};

use serde_json::{Value, json};

use keysweep::model::Finding;
use keysweep::net::Net;
use keysweep::provider::Registry;
use keysweep::report::{Redactor, printable, wrap};
use keysweep::respond::{Authorised, Ended, LeftOut, Outcome, Plan, Planned};

/// Formats of plans and of what became of them.
pub(crate) const FORMATS: [&str; 2] = ["text", "json"];

/// Complains of a format that is none of [`FORMATS`].
pub(crate) fn check_format(format: &str) -> anyhow::Result<()> {
    if FORMATS.contains(&format) {
        return Ok(());
    }
    anyhow::bail!("this command writes text and json, not {format}");
}

/// The plan as text.
/// In a terminal of so many `columns` it is wrapped; elsewhere each thing said is one line.
pub(crate) fn write_plan(
    out: &mut dyn Write,
    plan: &Plan,
    redactor: &Redactor,
    columns: Option<usize>,
) -> io::Result<()> {
    let pen = Pen { redactor, columns };
    for leak in &plan.leaks {
        pen.leak(out, leak)?;
    }
    if !plan.left_out.is_empty() {
        writeln!(out, "left as they are:")?;
        for left in &plan.left_out {
            pen.left(out, left)?;
        }
        writeln!(out)?;
    }
    for gap in &plan.not_searched {
        writeln!(out, "not searched for uses: {}", pen.clean(gap))?;
    }
    let by_hand = plan.leaks.iter().filter(|l| !l.is_automatic()).count();
    let automatic = plan.leaks.len() - by_hand;
    let count = |n: usize| match n {
        0 => "nothing".to_owned(),
        1 => "1 leak".to_owned(),
        n => format!("{n} leaks"),
    };
    write!(out, "{} to end", count(automatic))?;
    if by_hand > 0 {
        write!(out, ", {} for a person to end", count(by_hand))?;
    }
    let unknown = doubts(plan);
    if !unknown.is_empty() {
        let all: usize = unknown.iter().map(|(_, n)| n).sum();
        write!(out, ", {all} not known: ")?;
        for (at, (why, n)) in unknown.iter().take(DOUBTS).enumerate() {
            let comma = if at == 0 { "" } else { "; " };
            write!(out, "{comma}{} ({n})", pen.clean(why))?;
        }
        if unknown.len() > DOUBTS {
            write!(out, "; …")?;
        }
    }
    writeln!(out)
}

/// Reasons that a plan's last line names.
const DOUBTS: usize = 3;

/// Why nothing is known of findings, and of how many, the most first.
fn doubts(plan: &Plan) -> Vec<(&str, usize)> {
    let mut all: Vec<(&str, usize)> = Vec::new();
    for left in plan.not_known() {
        match all.iter_mut().find(|(why, _)| *why == left.why) {
            Some((_, n)) => *n += 1,
            None => all.push((&left.why, 1)),
        }
    }
    all.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    all
}

/// Says of a plan's requests where they go, or that they go nowhere.
pub(crate) fn place(plan: &mut Plan, live: &[Finding], registry: &Registry, net: &dyn Net) {
    plan.place(net);
    for leak in &mut plan.leaks {
        let key = live.get(leak.index).map(|f| &f.credential);
        let Some(doubt) = key.and_then(|key| registry.refusal(&leak.rule, key, net)) else {
            continue;
        };
        for stage in &mut leak.stages {
            stage.request = Some(doubt.to_string());
        }
    }
}

/// A line that begins with `first`, those that it is broken into with `next`.
fn wrapped(
    out: &mut dyn Write,
    first: &str,
    next: &str,
    text: &str,
    columns: Option<usize>,
) -> io::Result<()> {
    let Some(columns) = columns else {
        return writeln!(out, "{first}{text}");
    };
    let mut begin = first;
    for line in wrap(text, columns.saturating_sub(next.len()).max(20)) {
        writeln!(out, "{begin}{line}")?;
        begin = next;
    }
    Ok(())
}

/// Writes what is foreign cleaned.
struct Pen<'r> {
    redactor: &'r Redactor,
    columns: Option<usize>,
}

impl Pen<'_> {
    fn clean(&self, text: &str) -> String {
        self.redactor.printable(text.as_bytes())
    }

    fn leak(&self, out: &mut dyn Write, leak: &Planned) -> io::Result<()> {
        let (name, secret) = (self.clean(&leak.name), printable(&leak.secret));
        writeln!(out, "{name}  {secret}  {}", leak.severity)?;
        let mut row = |what: &str, text: &str| {
            let text = self.clean(text);
            // Places are copied, blanks and all.
            let is_place = ["at", "needed by"].contains(&what);
            let columns = self.columns.filter(|_| !is_place);
            wrapped(
                out,
                &format!("  {what:<12} "),
                &" ".repeat(15),
                &text,
                columns,
            )
        };
        row("rule", &leak.rule)?;
        row("fingerprint", &leak.fingerprint)?;
        for place in &leak.places {
            row("at", place)?;
        }
        if leak.more_places > 0 {
            row("", &format!("and {} more", leak.more_places))?;
        }
        if !leak.login.is_empty() {
            row("login", &leak.login)?;
        }
        if leak.confirmed {
            let identity = if leak.identity.is_empty() {
                "yes".to_owned()
            } else {
                leak.identity.join(", ")
            };
            row("active", &identity)?;
        } else {
            let text = format!("not proven; named with --unconfirmed ({})", leak.doubt);
            row("active", &text)?;
        }
        if leak.is_automatic() {
            // Which one it is, its provider has yet to say.
            let found = if leak.object.contains('…') {
                " (its id is looked up first)"
            } else {
                ""
            };
            row("dies", &format!("{}{found}", leak.object))?;
        }
        row("authority", &leak.authority.words())?;
        if let Authorised::Missing { mend, .. } = &leak.authority {
            row("", mend)?;
        }
        for (at, stage) in leak.stages.iter().enumerate() {
            let undo = match (stage.reversible, stage.undo.as_str()) {
                (false, _) => "cannot be undone".to_owned(),
                (true, "") => "can be undone".to_owned(),
                (true, undo) => format!("can be undone: {undo}"),
            };
            let when = if stage.after == 0 {
                String::new()
            } else {
                let after = std::time::Duration::from_secs(stage.after);
                format!(" {} later", keysweep::respond::span(after))
            };
            row(
                &format!("step {}", at + 1),
                &format!("{}{when}; {undo}", stage.what),
            )?;
            // What is looked up first has a request of its own; a body is none.
            let parts = stage.request.iter().flat_map(|r| r.split("\n\n"));
            for line in parts
                .filter_map(|part| part.lines().next())
                .filter(|line| is_request(line) || line.starts_with("not asked: "))
            {
                row("", line)?;
            }
        }
        if leak.is_automatic() {
            let deadline = std::time::Duration::from_secs(leak.deadline);
            let deadline = keysweep::respond::span(deadline);
            row(
                "proof",
                &format!("the key is used again until it is refused twice, at most {deadline}"),
            )?;
        }
        if !leak.effect.is_empty() {
            row("also", &leak.effect)?;
        }
        for used in &leak.used_by {
            let what = match &used.variable {
                Some(name) => format!("uses {name}"),
                None => "holds the value".to_owned(),
            };
            row(
                "needed by",
                &format!("{}:{}  {what} ({})", used.path, used.line, used.sort),
            )?;
        }
        // Where a call exists, this is for when it is refused.
        let by_hand = if leak.is_automatic() {
            "or by hand"
        } else {
            "by hand"
        };
        for step in &leak.by_hand {
            row(by_hand, step)?;
        }
        for (what, link) in [("console", &leak.console), ("see", &leak.source)] {
            if !link.is_empty() {
                row(what, link)?;
            }
        }
        writeln!(out)
    }

    fn left(&self, out: &mut dyn Write, left: &LeftOut) -> io::Result<()> {
        let name = self.clean(&left.name);
        let (secret, why) = (printable(&left.secret), self.clean(&left.why));
        let login = match self.clean(&left.login) {
            login if login.is_empty() => login,
            login => format!("  {login}"),
        };
        let text = format!("{name}  {secret}{login}  {}: {why}", left.status);
        wrapped(out, "  ", "    ", &text, self.columns)?;
        for place in &left.places {
            writeln!(out, "    at {}", self.clean(place))?;
        }
        if left.more_places > 0 {
            writeln!(out, "    and at {} more", left.more_places)?;
        }
        if left.can_end {
            writeln!(
                out,
                "    end it all the same: --unconfirmed {}",
                left.fingerprint
            )?;
        }
        Ok(())
    }
}

/// Whether a line begins a request: `GET https://…`; a login has an address and what is said there.
fn is_request(line: &&str) -> bool {
    let is_address = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    line.split_once(' ').is_some_and(|(word, _)| {
        word.bytes().all(|b| b.is_ascii_uppercase())
            || word.ends_with(':') && word.bytes().all(is_address)
    })
}

/// The plan as JSON, redacted.
pub(crate) fn plan_value(plan: &Plan, redactor: &Redactor) -> Value {
    let mut value = serde_json::to_value(plan).unwrap_or_default();
    redact(&mut value, redactor);
    value
}

/// Redacts each text of a value.
fn redact(value: &mut Value, redactor: &Redactor) {
    match value {
        Value::String(text) => *text = redactor.redact(text.as_bytes()),
        Value::Array(all) => all.iter_mut().for_each(|one| redact(one, redactor)),
        Value::Object(fields) => fields.values_mut().for_each(|one| redact(one, redactor)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The word of an outcome.
pub(crate) fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Dead(_) => "dead",
        Outcome::NotProven { .. } => "not-proven",
        Outcome::Once(_) => "refused-once",
        Outcome::Lives => "lives",
        Outcome::Unclear(_) => "unknown",
        Outcome::ByHand(_) => "by-hand",
        Outcome::Stopped { .. } => "stopped",
        Outcome::Unasked { .. } => "unasked",
        Outcome::Declined(_) => "declined",
        Outcome::NotKept => "not-kept",
        Outcome::Interrupted => "interrupted",
        Outcome::Left => "left",
    }
}

/// An outcome in words, and the command that goes on.
fn told(ended: &Ended) -> (String, Option<String>) {
    let resume = || Some(ended.resume.clone());
    match &ended.outcome {
        Outcome::Dead(answer) => (format!("proven dead: {answer}"), None),
        Outcome::NotProven { why, .. } => (format!("NOT PROVEN dead: {why}"), resume()),
        Outcome::Once(first) => {
            let text = format!(
                "refused once ({}), which proves nothing yet: the run ended before the second time",
                first.answer
            );
            (text, resume())
        }
        Outcome::Lives if ended.state == "reopened" => (
            "the key WORKS AGAIN: the incident is open again".to_owned(),
            resume(),
        ),
        Outcome::Lives => ("the key WORKS".to_owned(), resume()),
        Outcome::Unclear(why) => (format!("not known: {why}"), None),
        Outcome::ByHand(steps) => {
            let steps = steps.join(" ");
            let recheck = Some(ended.recheck.clone());
            (format!("a person ends it: {steps}"), recheck)
        }
        Outcome::Stopped { why, command } => (format!("stopped: {why}"), Some(command.clone())),
        Outcome::Unasked { what, command } => {
            let text = format!("waits: {what} cannot be undone, and there is nobody to agree");
            (text, Some(command.clone()))
        }
        Outcome::Declined(what) => (format!("left: {what} was not wanted"), resume()),
        Outcome::NotKept => (
            "its secret is not kept: it cannot be used again".to_owned(),
            None,
        ),
        // Nothing goes on with what is closed: it was being looked at.
        Outcome::Interrupted if ended.state == "closed" => {
            ("interrupted".to_owned(), Some(ended.recheck.clone()))
        }
        Outcome::Interrupted => ("interrupted".to_owned(), resume()),
        Outcome::Left if ended.state == "closed" => (
            "the run ended before its turn".to_owned(),
            Some(ended.recheck.clone()),
        ),
        Outcome::Left => (
            "the run ended before its turn: it is on record".to_owned(),
            resume(),
        ),
    }
}

/// What became of an incident, as text. What comes here was redacted when it was written down.
pub(crate) fn write_ended(out: &mut dyn Write, ended: &Ended) -> io::Result<()> {
    let (text, command) = told(ended);
    let head = format!(
        "{}  {}  {}  {}",
        ended.incident, ended.name, ended.secret, ended.state
    );
    writeln!(out, "{}", printable(&head))?;
    writeln!(out, "  {}", printable(&text))?;
    for (what, due) in &ended.due {
        writeln!(
            out,
            "  later: {}, from {due:.0} on: {}",
            printable(what),
            printable(&ended.recheck)
        )?;
    }
    if let Some(command) = command {
        let when = match ended.outcome {
            Outcome::ByHand(_) => "then",
            Outcome::NotProven { is_lost: true, .. } => "go on (it may send the call again)",
            Outcome::NotProven { .. } => "prove it again",
            _ => "go on",
        };
        writeln!(out, "  {when}: {}", printable(&command))?;
    }
    if let Outcome::NotProven {
        again: Some(again), ..
    } = &ended.outcome
    {
        writeln!(out, "  send it again: {}", printable(again))?;
    }
    writeln!(out, "  record: {}", printable(&ended.show))
}

/// The same as JSON.
pub(crate) fn ended_value(ended: &Ended) -> Value {
    let (text, command) = told(ended);
    let due = ended.due.iter();
    let due: Vec<Value> = due
        .map(|(what, at)| json!({ "what": what, "due": format!("{at:.0}") }))
        .collect();
    let mut value = json!({
        "incident": ended.incident,
        "rule": ended.rule,
        "name": ended.name,
        "secret": ended.secret,
        "fingerprint": ended.fingerprint,
        "state": ended.state,
        "outcome": word(&ended.outcome),
        "told": text,
        "due": due,
    });
    if let Some(fields) = value.as_object_mut() {
        if let Some(command) = command {
            fields.insert("go_on".to_owned(), Value::String(command));
        }
        if let Outcome::NotProven {
            again: Some(again), ..
        } = &ended.outcome
        {
            fields.insert("send_again".to_owned(), Value::String(again.clone()));
        }
    }
    value
}
