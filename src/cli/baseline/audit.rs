//! `keysweep baseline audit`: entry by entry, one key a decision.
//!
//! A decision is in the file before the next entry is shown, so that one may stop and go on at any time.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, poll, read};
use crossterm::{cursor, execute, terminal};

use keysweep::model::{Finding, Summary};
use keysweep::place::Note;
use keysweep::place::baseline::{Baseline, Key, Verdict};
use keysweep::report::{self, Redactor, Report, printable};

use super::super::args::Shared;
use super::super::exit::Exit;
use super::super::progress::stopped;
use super::{AuditArgs, Opened, Scanned, console, save, say, shown_path};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Decide(Verdict),
    Skip,
    Back,
    Show,
    Quit,
    Interrupt,
}

const KEYS: &str =
    "[r] real leak  [f] false alarm  [a] accept  [s] skip  [b] back  [v] show secret  [q] quit";

fn action(key: &KeyEvent) -> Option<Action> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return matches!(key.code, KeyCode::Char('c' | 'd')).then_some(Action::Interrupt);
    }
    Some(match key.code {
        KeyCode::Char('r' | 'R') => Action::Decide(Verdict::Real),
        KeyCode::Char('f' | 'F') => Action::Decide(Verdict::FalseAlarm),
        KeyCode::Char('a' | 'A') => Action::Decide(Verdict::Accepted),
        KeyCode::Char('s' | 'S' | ' ') | KeyCode::Right | KeyCode::Down => Action::Skip,
        KeyCode::Char('b' | 'B') | KeyCode::Left | KeyCode::Up | KeyCode::Backspace => Action::Back,
        KeyCode::Char('v' | 'V') => Action::Show,
        KeyCode::Char('q' | 'Q') | KeyCode::Esc => Action::Quit,
        _ => return None,
    })
}

/// Runs the command.
pub(super) fn run(args: &AuditArgs, shared: &Shared) -> anyhow::Result<Exit> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        bail!(
            "`baseline audit` asks for keys, so it needs a terminal; in scripts edit the file: `# verdict=false-alarm`, `verdict=accepted` or `verdict=real` behind an entry"
        );
    }
    let note = args.note.note()?;
    let Opened {
        what,
        path,
        mut baseline,
        ..
    } = Opened::of(&args.what, shared)?;
    let scanned = Scanned::of(&what, shared)?;
    let items = items(&scanned, &baseline, args.all);
    let met: BTreeSet<Key> = scanned
        .findings()
        .iter()
        .filter_map(|f| Some(baseline.find(&f.rule, &f.credential.secret)?.0))
        .collect();
    let gone = baseline.entries.len() - met.len();
    if items.is_empty() {
        say(
            shared,
            &format!(
                "{}: nothing left to decide{}; --all begins again",
                shown_path(&path),
                not_met(gone)
            ),
        )?;
        return Ok(Exit::Clean);
    }
    let clear = Redactor::new([], true);
    let mut session = Session {
        scanned: &scanned,
        clear: &clear,
        path: &path,
        note: &note,
        color: console::colored(shared),
        at: 0,
        shown: false,
        decided: BTreeSet::new(),
    };
    let screen = Screen::open()?;
    let ended = session.run(&items, &mut baseline);
    drop(screen);
    let action = ended?;
    let (decided, left) = (session.decided.len(), items.len() - session.decided.len());
    say(
        shared,
        &format!(
            "{}: {decided} decided, {left} left{}",
            shown_path(&path),
            not_met(gone)
        ),
    )?;
    let real = baseline
        .entries
        .values()
        .filter(|e| e.verdict == Some(Verdict::Real))
        .count();
    if real > 0 {
        let what = if real == 1 {
            "is a real leak and is"
        } else {
            "are real leaks and are"
        };
        say(shared, &format!("{real} {what} reported again from now on"))?;
    }
    Ok(if action == Action::Interrupt {
        Exit::Interrupted
    } else {
        Exit::Clean
    })
}

fn not_met(gone: usize) -> String {
    match gone {
        0 => String::new(),
        1 => " (1 entry was not met; `baseline update --prune` drops it)".to_owned(),
        gone => format!(" ({gone} entries were not met; `baseline update --prune` drops them)"),
    }
}

/// What is to be decided: the most severe first.
fn items<'f>(scanned: &'f Scanned, baseline: &Baseline, all: bool) -> Vec<(Key, &'f Finding)> {
    let found = scanned.findings().iter().filter_map(|finding| {
        let (key, entry) = baseline.find(&finding.rule, &finding.credential.secret)?;
        (all || entry.verdict.is_none()).then_some((key, finding))
    });
    let mut items: Vec<_> = found.collect();
    items.sort_by_key(|(_, finding)| std::cmp::Reverse(finding.severity));
    items
}

struct Session<'s> {
    scanned: &'s Scanned,
    /// Hides nothing.
    clear: &'s Redactor,
    path: &'s Path,
    note: &'s Note,
    color: bool,
    at: usize,
    /// Whether the secret of this entry is shown.
    shown: bool,
    decided: BTreeSet<Key>,
}

impl Session<'_> {
    fn run(
        &mut self,
        items: &[(Key, &Finding)],
        baseline: &mut Baseline,
    ) -> anyhow::Result<Action> {
        while let Some((key, finding)) = items.get(self.at) {
            let lines = self.lines(items.len(), finding, baseline, key)?;
            draw(&lines)?;
            let action = loop {
                // A signal says that the terminal is gone, or that the user had enough.
                if stopped() {
                    break Action::Interrupt;
                }
                if !poll(Duration::from_millis(200))? {
                    continue;
                }
                match read()? {
                    Event::Key(key) if key.kind != KeyEventKind::Release => {
                        if let Some(action) = action(&key) {
                            break action;
                        }
                    }
                    Event::Resize(..) => draw(&self.lines(items.len(), finding, baseline, key)?)?,
                    _ => {}
                }
            };
            match action {
                Action::Show => {
                    self.shown = !self.shown;
                    continue;
                }
                Action::Quit | Action::Interrupt => return Ok(action),
                Action::Back => self.at = self.at.saturating_sub(1),
                Action::Skip => self.at += 1,
                Action::Decide(verdict) => {
                    if let Some(entry) = baseline.entries.get_mut(key) {
                        entry.verdict = Some(verdict);
                        let (new, old) = (self.note.clone(), &mut entry.note);
                        old.owner = new.owner.or(old.owner.take());
                        old.expires = new.expires.or(old.expires.take());
                        old.reason = new.reason.or(old.reason.take());
                    }
                    save(self.path, baseline, self.scanned.own_salt.as_deref())?;
                    self.decided.insert(key.clone());
                    self.at += 1;
                }
            }
            self.shown = false;
        }
        Ok(Action::Quit)
    }

    /// What is on the screen for an entry.
    fn lines(
        &self,
        all: usize,
        finding: &Finding,
        baseline: &Baseline,
        key: &Key,
    ) -> anyhow::Result<Vec<String>> {
        let (width, height) = terminal::size().unwrap_or((80, 24));
        let (width, height) = (usize::from(width.max(40)), usize::from(height.max(12)));
        let entry = baseline.entries.get(key);
        let verdict = entry.and_then(|entry| entry.verdict);
        let verdict = verdict.map_or("not decided", Verdict::word);
        let note = entry
            .map(|entry| entry.note.to_string())
            .unwrap_or_default();
        let head = format!("{} of {all}, {verdict}{}", self.at + 1, printable(&note));
        let mut lines = vec![head, String::new()];
        let text = self.text(finding, width)?;
        // A finding's text ends with the first empty line; the totals behind it are no matter of ours.
        let body = text.lines().take_while(|line| !line.is_empty());
        let room = height.saturating_sub(6);
        lines.extend(body.take(room).map(str::to_owned));
        lines.push(String::new());
        let mut keys = String::new();
        for key in KEYS.split("  ") {
            if keys.len() + key.len() + 2 > width {
                lines.push(std::mem::take(&mut keys));
            }
            if !keys.is_empty() {
                keys.push_str("  ");
            }
            keys.push_str(key);
        }
        lines.push(keys);
        Ok(lines)
    }

    fn text(&self, finding: &Finding, width: usize) -> anyhow::Result<String> {
        let scanned = self.scanned;
        let redactor = if self.shown {
            self.clear
        } else {
            &scanned.redactor
        };
        let report = Report {
            findings: std::slice::from_ref(finding),
            dropped: &[],
            summary: &Summary::default(),
            rules: scanned.engine.rules(),
            elapsed: Duration::ZERO,
            finished: None,
            hidden_low: 0,
            root: "",
            revision: None,
            branch: None,
            redactor,
            options: report::Options {
                show_secrets: self.shown,
                color: self.color,
                width,
                ..report::Options::default()
            },
        };
        let mut text = Vec::new();
        if let Some(reporter) = report::by_name("text") {
            reporter.write(&report, &mut text)?;
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

fn draw(lines: &[String]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    execute!(
        out,
        terminal::Clear(terminal::ClearType::All),
        cursor::MoveTo(0, 0)
    )?;
    out.write_all(lines.join("\r\n").as_bytes())?;
    out.write_all(b"\r\n")?;
    out.flush()
}

/// The terminal while keys are asked for; it is as it was when this is gone.
struct Screen;

impl Screen {
    fn open() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        let screen = Self;
        execute!(io::stdout(), terminal::EnterAlternateScreen, cursor::Hide)?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = execute!(io::stdout(), cursor::Show, terminal::LeaveAlternateScreen);
        let _ = terminal::disable_raw_mode();
    }
}
