//! What the commands that end keys have in common: the run, the person who is asked, and what is printed in the end.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use keysweep::ledger::{self, Incident, IncidentId, Ledger};
use keysweep::model::{ConfirmedLeak, Finding};
use keysweep::net::Net;
use keysweep::provider::Registry;
use keysweep::report::{Redactor, printable};
use keysweep::respond::{
    Answer, Detected, Ended, Error, Flags, Outcome, Planned, Point, Policy, Progress, Question,
    Refusal, Run, Why, opened,
};

use super::keep::{self, KeepArgs};
use super::plan;
use super::settings::{CallerArgs, Own};
use crate::cli::args::Shared;
use crate::cli::console;
use crate::cli::exit::Exit;
use crate::cli::input::Patient;
use crate::cli::progress::stopped;

/// What the commands take that end keys, or see that they are dead.
#[derive(Debug, clap::Args)]
pub(crate) struct ActArgs {
    /// Agree to steps that cannot be undone, those that are due later too, and ask nothing
    #[arg(long, short = 'y')]
    yes: bool,
    #[command(flatten)]
    pub(crate) keep: KeepArgs,
    #[command(flatten)]
    pub(crate) caller: CallerArgs,
}

impl ActArgs {
    /// What was said on the command line, for the record.
    pub(crate) fn said(&self) -> String {
        let yes = if self.yes { " --yes" } else { "" };
        format!("{yes}{}{}", self.keep.said(), self.caller.flags())
    }
}

/// The person at the terminal.
pub(crate) struct Person {
    yes: bool,
    send_again: bool,
    /// Opened with the first question: until then, what is typed is for others.
    terminal: RefCell<Option<BufReader<Patient>>>,
}

impl Person {
    /// With what was agreed to on the command line.
    pub(crate) fn new(args: &ActArgs, send_again: bool) -> Self {
        Self {
            yes: args.yes,
            send_again,
            terminal: RefCell::default(),
        }
    }

    /// Complains where nobody can be asked, and nothing was agreed to.
    pub(crate) fn needed(&self) -> anyhow::Result<()> {
        if self.yes || device().is_some() {
            return Ok(());
        }
        bail!(
            "nothing was done: there is no terminal to ask at before steps that cannot be undone; agree to them with --yes"
        )
    }

    fn ask(&self, question: &Question) -> Answer {
        let (agreed, why) = match &question.why {
            Why::Irreversible(effect) if effect.is_empty() => {
                (self.yes, "this cannot be undone".to_owned())
            }
            Why::Irreversible(effect) => {
                (self.yes, format!("this cannot be undone; also: {effect}"))
            }
            Why::SentBefore(known) => (
                self.send_again,
                format!("it was sent before and its answer was lost; {known}: send it again?"),
            ),
        };
        if agreed {
            return Answer::Yes;
        }
        let mut terminal = self.terminal.borrow_mut();
        if terminal.is_none() {
            *terminal = device().and_then(Device::open);
        }
        let Some(reader) = terminal.as_mut() else {
            return Answer::Nobody;
        };
        let object = if question.what.contains(&question.object) {
            String::new()
        } else {
            format!(" ({})", question.object)
        };
        let text = format!("{}: {}{object}: {why}", question.incident, question.what);
        let mut err = io::stderr();
        let _ = write!(err, "{} [y/N] ", printable(&text));
        let _ = err.flush();
        let mut line = String::new();
        match reader.read_line(&mut line) {
            Ok(0) | Err(_) => {
                let _ = writeln!(err);
                Answer::Nobody
            }
            Ok(_) if matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes") => {
                Answer::Yes
            }
            Ok(_) => Answer::No,
        }
    }
}

/// Where a person answers.
enum Device {
    /// Standard input.
    Stdin,
    /// The terminal behind it, where that holds a report or a secret.
    Terminal(&'static Path),
}

fn device() -> Option<Device> {
    if !io::stderr().is_terminal() {
        return None;
    }
    if io::stdin().is_terminal() {
        return Some(Device::Stdin);
    }
    let path = Path::new("/dev/tty");
    // A process without a terminal cannot open it.
    let is_there = std::fs::File::open(path).is_ok_and(|file| file.is_terminal());
    is_there.then_some(Device::Terminal(path))
}

impl Device {
    fn open(self) -> Option<BufReader<Patient>> {
        let patient = match self {
            Self::Stdin => Patient::stdin(),
            Self::Terminal(path) => Patient::pipe(path),
        };
        patient.ok().map(BufReader::new)
    }
}

/// What is needed to work on incidents.
pub(crate) struct Desk<'d> {
    args: &'d ActArgs,
    net: &'d dyn Net,
    registry: &'d Registry,
    pub(crate) ledger: Ledger,
    own: &'d Own,
    policy: Policy,
    person: &'d Person,
    shared: &'d Shared,
}

impl<'d> Desk<'d> {
    /// With the ledger that flags and configuration name; `makes` it if it is not there.
    pub(crate) fn open(
        args: &'d ActArgs,
        makes: bool,
        own: &'d Own,
        net: &'d dyn Net,
        registry: &'d Registry,
        person: &'d Person,
        shared: &'d Shared,
    ) -> anyhow::Result<Self> {
        let ledger = if makes {
            keep::ledger(&args.keep, own)?
        } else {
            keep::existing_ledger(&args.keep, own)?
        };
        Ok(Self {
            args,
            net,
            registry,
            ledger,
            own,
            policy: keep::policy(&args.keep, own),
            person,
            shared,
        })
    }

    /// Ends leaks that were planned: proven active, or named by a person. All are on record before the first is ended.
    pub(crate) fn end(
        &self,
        leaks: &[(&Finding, &Planned)],
        detected: &Detected,
        redactor: &Redactor,
        results: &mut Results,
    ) {
        let clean = |text: &str| redactor.redact(text.as_bytes());
        let mut learned = Vec::new();
        for (finding, planned) in leaks {
            let mut finding = Finding::clone(finding);
            self.registry.learn(&mut finding);
            let incident = opened(&finding, planned, detected, &clean);
            learned.push((finding, incident));
        }
        let leaks = learned.iter().filter_map(|(finding, incident)| {
            let named = || ConfirmedLeak::named(finding, finding.fingerprint);
            let leak = ConfirmedLeak::new(finding).or_else(named)?;
            Some((leak, incident.clone()))
        });
        let leaks: Vec<_> = leaks.collect();
        self.run(|run| match run.open(&leaks) {
            Ok(ids) => {
                let together = ids.iter().copied().zip(leaks.iter().map(|(leak, _)| leak));
                results.begin(run.end_together(&together.collect::<Vec<_>>()), self.shared);
                let all = ids.into_iter().zip(&leaks);
                results.take_all(
                    run,
                    all,
                    |(id, _)| *id,
                    |(id, (leak, _)), first| run.end(*id, leak, first),
                    self.shared,
                );
            }
            Err(error) => {
                results.take(Err(error), self.shared);
            }
        });
    }

    /// Runs something over incidents.
    pub(crate) fn run<T>(&self, work: impl FnOnce(&Run<'_>) -> T) -> T {
        let tell = |text: &str| console::say(self.shared, &printable(text));
        let clean =
            |finding: &Finding, text: &str| Redactor::new([finding], false).redact(text.as_bytes());
        let ask = |question: &Question| {
            let begun = Instant::now();
            let answer = self.person.ask(question);
            // Whoever thinks for long finds the run where it was.
            self.net.grant(begun.elapsed());
            answer
        };
        let held = |name: &str, parts: &[String]| self.own.held(name, parts);
        let run = Run {
            net: self.net,
            kinds: self.registry,
            ledger: &self.ledger,
            held: &held,
            policy: self.policy,
            owner: keep::who(),
            agreed: self.person.yes,
            send_again: self.person.send_again,
            flags: Flags {
                act: self.flags(),
                look: format!(
                    "{}{}",
                    self.args.caller.config_flag(),
                    self.args.keep.flag()
                ),
                ledger: self.args.keep.flag(),
            },
            ask: &ask,
            tell: &tell,
            clean: &clean,
            progress: Progress::default(),
            at: &|point| crash(point),
        };
        work(&run)
    }

    /// What commands that ask providers are called with.
    fn flags(&self) -> String {
        format!("{}{}", self.args.caller.flags(), self.args.keep.flag())
    }

    /// A command that asks providers as this one does.
    pub(crate) fn command(&self, what: &str) -> String {
        format!("keysweep {what}{}", self.flags())
    }

    /// The incident with an id that the user typed.
    pub(crate) fn incident(&self, id: &str) -> anyhow::Result<Incident> {
        let id: IncidentId = id.parse().with_context(|| format!("`{id}`"))?;
        Ok(self.ledger.incident(id)?)
    }
}

/// Ends the program at a moment that a test names, as a crash would: only in builds for tests.
#[cfg(debug_assertions)]
fn crash(_: Point) {
    use std::sync::atomic::{AtomicU32, Ordering};
    static PASSED: AtomicU32 = AtomicU32::new(0);
    let now = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
    let at = std::env::var("KEYSWEEP_CRASH_AT").ok();
    if at.and_then(|at| at.parse().ok()) == Some(now) {
        std::process::abort();
    }
}

#[cfg(not(debug_assertions))]
fn crash(_: Point) {}

/// What became of incidents.
#[derive(Default)]
pub(crate) struct Results {
    pub(crate) ended: Vec<Ended>,
    /// Incidents that could not be worked on, and why.
    failed: Vec<String>,
    /// Whether the run came to no incident's own turn.
    is_over: bool,
}

impl Results {
    /// Takes the outcome of an incident; gives whether to go on with the next one: not where what failed would stop that, too.
    pub(crate) fn take(&mut self, ended: Result<Ended, Error>, shared: &Shared) -> bool {
        match ended {
            Ok(ended) => {
                let interrupted = ended.outcome == Outcome::Interrupted;
                self.ended.push(ended);
                !interrupted && !stopped()
            }
            Err(error) => {
                let one = matches!(error, Error::Ledger(ledger::Error::Busy { .. }));
                let text = error.to_string();
                self.fail(text, shared);
                one && !stopped()
            }
        }
    }

    /// Notes an incident that cannot be worked on, and why.
    pub(crate) fn fail(&mut self, text: String, shared: &Shared) {
        console::say(shared, &printable(&text));
        self.failed.push(text);
    }

    /// Takes what was done for several incidents at once: where that failed, none has its turn.
    pub(crate) fn begin(&mut self, done: Result<(), Error>, shared: &Shared) {
        if let Err(error) = done {
            self.is_over = true;
            self.fail(error.to_string(), shared);
        }
    }

    /// Works on incidents in order, and then a second time on those whose keys were refused once: so they share the time that must be
    /// between two refusals. Those that the run does not come to are told of, too.
    pub(crate) fn take_all<T>(
        &mut self,
        run: &Run<'_>,
        all: impl IntoIterator<Item = T>,
        id: impl Fn(&T) -> IncidentId,
        work: impl Fn(&T, Option<&Refusal>) -> Result<Ended, Error>,
        shared: &Shared,
    ) {
        let mut goes_on = !self.is_over && !stopped();
        let mut once = Vec::new();
        for one in all {
            if goes_on {
                let ended = work(&one, None);
                if let Ok(Ended {
                    outcome: Outcome::Once(refusal),
                    ..
                }) = &ended
                {
                    once.push((self.ended.len(), one, refusal.clone()));
                }
                goes_on = self.take(ended, shared);
            } else if let Ok(left) = run.left(id(&one)) {
                self.ended.push(left);
            }
        }
        for (at, one, refusal) in once {
            if !goes_on {
                break;
            }
            let ended = work(&one, Some(&refusal));
            let is_told = ended.is_ok();
            goes_on = self.take(ended, shared);
            // It takes the place of what was known of it.
            if is_told && at < self.ended.len() {
                self.ended.swap_remove(at);
            }
        }
    }

    /// Prints what became of all; of a report, of which so many leaks were planned and so many are not known, how many came to what, too.
    pub(crate) fn write(
        &self,
        out: &mut dyn Write,
        plan: Option<Value>,
        of: Option<(usize, usize)>,
        shared: &Shared,
    ) -> io::Result<()> {
        let counts = of.map(|(planned, unknown)| self.counts(planned, unknown));
        if shared.format == "text" {
            let mut ended = self.ended.iter();
            ended.try_for_each(|ended| plan::write_ended(out, ended))?;
            return match &counts {
                Some(counts) => writeln!(out, "{}", counted(counts)),
                None => Ok(()),
            };
        }
        let all: Vec<Value> = self.ended.iter().map(plan::ended_value).collect();
        let mut value = json!({ "schema": 1, "kind": "response", "incidents": all });
        if let Some(fields) = value.as_object_mut() {
            if let Some(plan) = plan {
                fields.insert("plan".to_owned(), plan);
            }
            if let Some(counts) = counts {
                let counts = counts.map(|(what, n)| (what.replace(' ', "_"), json!(n)));
                fields.insert(
                    "tally".to_owned(),
                    Value::Object(counts.into_iter().collect()),
                );
            }
            if !self.failed.is_empty() {
                fields.insert("failed".to_owned(), json!(self.failed));
            }
        }
        ledger::write_json(&value, out)
    }

    /// What became of how many: proven dead, ended or tried without proof, waiting for a person, stopped on the way, not known at all.
    fn counts(&self, planned: usize, unknown: usize) -> [(&'static str, usize); 5] {
        let count = |test: fn(&Outcome) -> bool| {
            let all = self.ended.iter().filter(|ended| test(&ended.outcome));
            all.count()
        };
        let dead = count(|o| matches!(o, Outcome::Dead(_)));
        let not_proven = count(|o| {
            matches!(
                o,
                Outcome::NotProven { .. } | Outcome::Lives | Outcome::Unclear(_)
            )
        });
        let by_hand = count(|o| matches!(o, Outcome::ByHand(_)));
        // Where the ledger fails, not all have an outcome.
        let stopped = planned.saturating_sub(dead + not_proven + by_hand);
        [
            ("ended", dead),
            ("not proven", not_proven),
            ("for a person", by_hand),
            ("stopped", stopped),
            ("not known", unknown),
        ]
    }

    /// Whether there is more than one incident on record to go on with, or to prove; one names its own command.
    pub(crate) fn goes_on(&self) -> bool {
        let is_open = |ended: &Ended| {
            !matches!(
                ended.outcome,
                Outcome::Dead(_) | Outcome::ByHand(_) | Outcome::NotKept
            )
        };
        self.ended.iter().filter(|ended| is_open(ended)).count() > 1
    }

    /// The exit code of commands that end keys: all are proven dead, or it is trouble.
    pub(crate) fn exit(&self) -> Exit {
        let is_dead = |ended: &Ended| matches!(ended.outcome, Outcome::Dead(_));
        if stopped() {
            Exit::Interrupted
        } else if self.failed.is_empty() && self.ended.iter().all(is_dead) {
            Exit::Clean
        } else {
            Exit::Trouble
        }
    }

    /// The exit code of `recheck`: 1 if a key works, 2 where it cannot be said.
    pub(crate) fn rechecked(&self, is_named: bool) -> Exit {
        let any = |test: fn(&Outcome) -> bool| self.ended.iter().any(|e| test(&e.outcome));
        if stopped() || any(|o| *o == Outcome::Interrupted) {
            return Exit::Interrupted;
        }
        let unclear = any(|o| {
            matches!(
                o,
                Outcome::Unclear(_)
                    | Outcome::NotProven { .. }
                    | Outcome::Once(_)
                    | Outcome::Left
                    | Outcome::Stopped { .. }
                    | Outcome::Unasked { .. }
                    | Outcome::Declined(_)
            )
        });
        // Who made the ledger forget a key that was dead wants no more to hear of it.
        let mut not_kept = self.ended.iter().filter(|e| e.outcome == Outcome::NotKept);
        let not_said = not_kept.any(|ended| is_named || ended.state != "closed");
        if !self.failed.is_empty() || unclear || not_said {
            return Exit::Trouble;
        }
        if any(|o| *o == Outcome::Lives) {
            return Exit::Findings(1);
        }
        Exit::Clean
    }
}

/// `170 leaks: 150 ended, 2 not proven, 10 for a person, 0 stopped, 25 not known`.
fn counted(counts: &[(&str, usize)]) -> String {
    let all: usize = counts.iter().map(|(_, n)| n).sum();
    let leaks = if all == 1 { "leak" } else { "leaks" };
    let words = counts.iter().map(|(what, n)| format!("{n} {what}"));
    let words: Vec<String> = words.collect();
    format!("{all} {leaks}: {}", words.join(", "))
}
