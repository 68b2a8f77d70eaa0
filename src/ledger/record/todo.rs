//! What is left to do about an incident, with the exact commands.

use serde::Serialize;

use super::{Flags, Record, at, shown};
use crate::ledger::{IncidentState, NewIncident, Step, StepKind, StepState};
use crate::report::printable;

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
            all.push(Todo::new(again).by(self.act(&format!("recheck {}", self.incident.id))));
            let enough = "Remove the sealed secret from the ledger when that is no longer wanted.";
            let forget = self.look(&format!("forget {}", self.incident.id));
            all.push(Todo::new(enough).by(forget));
        }
        all
    }

    fn to_end_it(&self) -> Vec<Todo> {
        let incident = &self.incident;
        let leak = &incident.leak;
        let mut all = Vec::new();
        let resume = |what: String, yes: &str| {
            let command = if self.is_sealed {
                format!("respond --resume {}{yes}", incident.id)
            } else {
                format!("{}{yes}", self.given_again())
            };
            Todo::new(what).by(self.act(&command))
        };
        let ends = |step: &&Step| step.plan.kind == StepKind::Revoke && !step.plan.is_by_hand();
        for step in self.steps.iter().filter(ends) {
            let what = spanned(&step.plan.what);
            // Who runs it without a terminal agrees by this.
            let yes = if step.plan.reversible || step.plan.agreed.is_some() {
                ""
            } else {
                " --yes"
            };
            let (what, yes) = match (step.state, step.plan.due) {
                (StepState::Done | StepState::Skipped, _) => continue,
                (StepState::Started | StepState::Unknown, _) => (
                    format!("Find out whether a step had its effect ({what}), and finish it."),
                    "",
                ),
                (StepState::Failed, _) => (format!("Do the step that failed ({what}) again."), yes),
                (StepState::Planned, Some(due)) if due > self.made => (
                    format!("From {} on, do the later step ({what}).", shown(due)),
                    yes,
                ),
                (StepState::Planned, _) => (format!("Do the step that is planned ({what})."), yes),
            };
            all.push(resume(what, yes));
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
        let by_hand = self.steps.iter().any(|step| step.plan.is_by_hand());
        let what = match incident.state {
            IncidentState::Open if by_hand => {
                "When that is done, prove that the key is dead: this closes the incident."
            }
            IncidentState::NotProven => "Prove that the key is dead: it was not refused in time.",
            IncidentState::Reopened => "The key works again: find out who made it so, and end it.",
            IncidentState::Open | IncidentState::Closed => return all,
        };
        let prove = Todo::new(what);
        all.push(if self.is_sealed {
            prove.by(self.act(&format!("recheck {}", incident.id)))
        } else {
            prove.by(self.act(&self.given_again()))
        });
        if incident.state == IncidentState::NotProven && self.is_sealed && !by_hand {
            let again = "Or send the call that ends it again, where the key still works.";
            let command = format!("respond --resume {} --send-again", incident.id);
            all.push(Todo::new(again).by(self.act(&command)));
        }
        all
    }

    fn given_again(&self) -> String {
        self.incident.leak.given_again(self.incident.id)
    }

    /// A command that asks providers as it was done then.
    fn act(&self, command: &str) -> String {
        let leak = &self.incident.leak;
        let as_then = if leak.flags.is_empty() {
            &self.flags.config
        } else {
            &leak.flags
        };
        format!("keysweep {command}{as_then}{}", self.flags.ledger)
    }

    /// A command that looks at the ledger.
    pub(super) fn look(&self, command: &str) -> String {
        let Flags { config, ledger } = &self.flags;
        format!("keysweep incidents {command}{config}{ledger}")
    }
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
            // It holds the secret: whatever comes of it, it goes.
            "(trap 'rm -f ../replace.txt' EXIT; git filter-repo --replace-text ../replace.txt --replace-message ../replace.txt)".to_owned(),
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

/// Text of others as one word of a POSIX shell. What does not show is spelled out, so that the command does not do what nobody sees.
#[must_use]
pub fn quoted(text: &str) -> String {
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
