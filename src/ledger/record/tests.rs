//! Records: what they say, and what text of others in them cannot do.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use super::*;
use crate::ledger::{Exposure, NewStep, Site, StepId, StepKind, StepState, Whose};
use crate::model::{Fingerprint, Severity};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_769_850_000 + seconds).unwrap()
}

const HOSTILE: &str =
    "a`b``` <script>\u{1b}[2J @team #1 [x](https://e.example)\n\n# '; rm -rf ~\u{202e}";

fn record(state: IncidentState) -> Record {
    let id = IncidentId {
        day: 20_260_131,
        number: 3,
    };
    let site = |path: &str, line, end_line| Site {
        path: path.to_owned(),
        line,
        end_line,
        commit: Some("5f0c".to_owned()),
    };
    let leak = NewIncident {
        fingerprint: Fingerprint([7; 16]),
        rule: "github-pat-classic".to_owned(),
        name: "GitHub personal access token (classic)".to_owned(),
        provider: "GitHub".to_owned(),
        severity: Severity::Critical,
        secret: "ghp_… (40 bytes)".to_owned(),
        identity: Some(Whose {
            account: Some("acme".to_owned()),
            owner: Some("ann".to_owned()),
            scopes: vec!["repo".to_owned(), "gist".to_owned()],
            level: Some("write".to_owned()),
            expires: None,
            key: Some("17".to_owned()),
        }),
        verification: "active".to_owned(),
        verified: Some(at(1)),
        detected: at(0),
        detected_by: "keysweep 0.1.0".to_owned(),
        command: "keysweep git .".to_owned(),
        scanned: ".".to_owned(),
        exposure: Some(Exposure {
            commit: "5f0c".to_owned(),
            author: "Ann".to_owned(),
            email: "ann@example.org".to_owned(),
            date: at(-10 * 86_400),
            subject: "Add the deployment".to_owned(),
            refs: vec!["refs/heads/main".to_owned()],
            more_refs: 2,
            in_head: true,
            or_earlier: false,
        }),
        systems: vec![("host".to_owned(), "api.example.org".to_owned())],
        places: vec![site("deploy/app.env", 3, 3)],
        owners: vec!["@acme/ops".to_owned()],
        dependants: vec!["compose.yaml:12: API_TOKEN".to_owned()],
        by_hand: vec!["Open Settings, then Tokens".to_owned()],
        console: "https://github.com/settings/tokens".to_owned(),
        ..NewIncident::default()
    };
    Record {
        incident: Incident {
            id,
            state,
            why: String::new(),
            opened: at(2),
            changed: at(60),
            leak,
        },
        steps: Vec::new(),
        attempts: BTreeMap::new(),
        checks: Vec::new(),
        events: Vec::new(),
        is_sealed: true,
        head: format!("12:{}", "ab".repeat(32)),
        made: at(100),
        made_by: "keysweep 0.1.0".to_owned(),
        flags: Flags::default(),
    }
}

fn step(state: StepState, plan: NewStep) -> Step {
    Step {
        id: StepId(1),
        incident: IncidentId {
            day: 20_260_131,
            number: 3,
        },
        plan,
        state,
        planned: at(3),
        started: Some(at(4)),
        finished: Some(at(5)),
        attempts: 1,
        answer: "204".to_owned(),
    }
}

fn check(state: CheckState, seconds: i64) -> Check {
    Check {
        id: 1,
        incident: IncidentId {
            day: 20_260_131,
            number: 3,
        },
        at: at(seconds),
        state,
        answer: "401 Bad credentials".to_owned(),
    }
}

fn revoke() -> NewStep {
    NewStep::of(StepKind::Revoke, "delete the token")
}

fn commands(record: &Record) -> Vec<String> {
    record
        .todo()
        .into_iter()
        .flat_map(|todo| todo.commands)
        .collect()
}

#[test]
fn a_closed_incident_says_what_was_done_and_its_proof() {
    let mut record = record(IncidentState::Closed);
    let mut plan = revoke();
    plan.object = "token 17".to_owned();
    plan.reversible = false;
    plan.request = "DELETE https://api.github.com/…".to_owned();
    record.steps = vec![step(StepState::Done, plan)];
    record.checks = vec![
        check(CheckState::Alive, 6),
        check(CheckState::Refused, 50),
        check(CheckState::Unknown, 90),
    ];
    record.events = vec![Event {
        row: 7,
        at: at(60),
        action: "state".to_owned(),
        note: "closed: refused".to_owned(),
    }];
    assert!(record.is_proven());
    let page = record.markdown();
    for line in [
        "# Incident KS-20260131-3: `GitHub personal access token (classic)`",
        "- State: closed: the key is proven dead",
        "- Exposed: 10 days until it was closed",
        "- Account: `acme`",
        "- Scopes: `repo`, `gist`",
        "- Commit: `5f0c` of 2026-01-21T09:00:00Z",
        "- Author: `Ann <ann@example.org>`",
        "- Refs that hold it: `refs/heads/main` and 2 more",
        "- `deploy/app.env:3` of commit `5f0c`",
        "- it opens the `host` `api.example.org`",
        "- revoke: `delete the token`, done",
        "  - on `token 17`",
        "  - cannot be undone",
        "  - answered 2026-01-31T09:00:05Z: `204`",
        "- the key is refused",
        "  - 2026-01-31T09:00:50Z: refused, `401 Bad credentials`",
        "- 2026-01-31T09:01:00Z `state`: `closed: refused`",
        "  - an owner of the files: `@acme/ops`",
        "  keysweep recheck KS-20260131-3",
        &format!("  keysweep incidents verify --head 12:{}", "ab".repeat(32)),
    ] {
        assert!(
            page.lines().any(|found| found == line),
            "{line} is not in\n{page}"
        );
    }
    assert!(!page.contains("by hand"), "it is over:\n{page}");
    let text = record.text();
    assert!(text.contains("  State: closed: the key is proven dead\n"));
    assert!(text.contains("  Account: acme\n"));
}

#[test]
fn what_is_not_proven_is_never_called_so() {
    for (state, checks) in [
        (IncidentState::Closed, vec![]),
        (IncidentState::Closed, vec![check(CheckState::Unknown, 5)]),
        (
            IncidentState::Closed,
            vec![check(CheckState::Refused, 5), check(CheckState::Alive, 6)],
        ),
        (
            IncidentState::NotProven,
            vec![check(CheckState::Refused, 5)],
        ),
        (IncidentState::Reopened, vec![check(CheckState::Alive, 5)]),
        (IncidentState::Open, vec![]),
    ] {
        let mut record = record(state);
        record.checks = checks;
        assert!(!record.is_proven(), "{state}");
        assert!(!record.text().contains("proven dead"), "{}", record.text());
        assert_eq!(record.document().proof.proven, record.is_proven());
    }
}

#[test]
fn what_is_left_depends_on_how_far_it_went() {
    let mut open = record(IncidentState::Open);
    let mut later = revoke();
    later.due = Some(at(86_400));
    open.steps = vec![
        step(StepState::Done, revoke()),
        step(StepState::Unknown, revoke()),
        step(StepState::Failed, revoke()),
        step(StepState::Planned, revoke()),
        step(StepState::Planned, later),
        step(StepState::Planned, NewStep::of(StepKind::Prove, "use it")),
    ];
    let words: Vec<String> = open.todo().into_iter().map(|todo| todo.what).collect();
    assert!(words[0].starts_with("Find out whether"), "{words:?}");
    assert!(words[1].starts_with("Do the step that failed"), "{words:?}");
    assert!(
        words[2].starts_with("Do the step that is planned"),
        "{words:?}"
    );
    assert!(
        words[3].starts_with("From 2026-02-01T09:00:00Z on"),
        "{words:?}"
    );
    assert_eq!(words[4], "Or end the key by hand.");

    // Where only a person can do it.
    open.steps.clear();
    let todo = open.todo();
    assert_eq!(todo[0].what, "End the key by hand.");
    assert_eq!(
        todo[0].items,
        [
            "Open Settings, then Tokens",
            "https://github.com/settings/tokens"
        ]
    );

    let mut unproven = record(IncidentState::NotProven);
    assert!(commands(&unproven).contains(&"keysweep recheck KS-20260131-3".to_owned()));
    unproven.is_sealed = false;
    let again = "keysweep respond REPORT --resume KS-20260131-3".to_owned();
    assert!(commands(&unproven).contains(&again));
    unproven.incident.leak.scanned.clear();
    let again = "keysweep revoke --rule github-pat-classic".to_owned();
    assert!(commands(&unproven).contains(&again));
}

#[test]
fn the_rewrite_is_for_what_a_history_holds() {
    let mut record = record(IncidentState::Open);
    let all = commands(&record).join("\n");
    assert!(all.contains("git filter-repo --replace-text"), "{all}");
    // A secret of several lines is no line of a list of replacements.
    record.incident.leak.places = vec![
        Site {
            path: "-keys/it's mine.pem".to_owned(),
            line: 1,
            end_line: 27,
            commit: None,
        },
        Site {
            path: "id_rsa".to_owned(),
            line: 1,
            end_line: 27,
            commit: None,
        },
    ];
    let all = commands(&record).join("\n");
    assert!(
        all.contains(
            "git filter-repo --invert-paths --path='-keys/it'\\''s mine.pem' --path=id_rsa"
        ),
        "{all}"
    );
    record.incident.leak.exposure = None;
    let all = commands(&record).join("\n");
    assert!(!all.contains("filter-repo"), "{all}");
}

#[test]
fn text_of_others_steers_nothing() {
    let mut record = record(IncidentState::Open);
    let hostile = || HOSTILE.to_owned();
    let leak = &mut record.incident.leak;
    for text in [
        &mut leak.rule,
        &mut leak.name,
        &mut leak.provider,
        &mut leak.secret,
        &mut leak.verification_note,
        &mut leak.command,
        &mut leak.scanned,
        &mut leak.console,
        &mut leak.remedy,
    ] {
        *text = hostile();
    }
    leak.identity = Some(Whose {
        account: Some(hostile()),
        owner: Some(hostile()),
        scopes: vec![hostile()],
        level: Some(hostile()),
        expires: Some(hostile()),
        key: Some(hostile()),
    });
    leak.systems = vec![(hostile(), hostile())];
    leak.owners = vec![hostile()];
    leak.dependants = vec![hostile()];
    leak.by_hand = vec![hostile()];
    leak.places = vec![Site {
        path: hostile(),
        line: 1,
        end_line: 2,
        commit: Some(hostile()),
    }];
    let first = leak.exposure.as_mut().unwrap();
    first.author = hostile();
    first.subject = hostile();
    first.refs = vec![hostile()];
    let mut plan = NewStep::of(StepKind::Revoke, HOSTILE);
    plan.object = hostile();
    plan.authority = hostile();
    plan.request = hostile();
    plan.undo = hostile();
    let mut one = step(StepState::Failed, plan);
    one.answer = hostile();
    record.steps = vec![one];
    record.checks = vec![Check {
        answer: hostile(),
        ..check(CheckState::Unknown, 5)
    }];
    record.events = vec![Event {
        row: 1,
        at: at(1),
        action: hostile(),
        note: hostile(),
    }];
    record.incident.why = hostile();
    record.incident.state = IncidentState::NotProven;
    record.is_sealed = false;

    let page = record.markdown();
    let text = record.text();
    let mut json = Vec::new();
    record.json(&mut json).unwrap();
    let json = String::from_utf8(json).unwrap();
    for out in [&page, &text, &json] {
        assert!(!out.contains(['\u{1b}', '\u{202e}']), "{out}");
        // No line begins with what a text of others brought.
        assert!(!out.lines().any(|line| line.starts_with("# '")), "{out}");
    }
    // Outside of code there is no markup: spans are taken out, then blocks.
    let mut fence = String::new();
    for line in page.lines() {
        let bare = line.trim_start();
        if !fence.is_empty() {
            if bare == fence {
                fence.clear();
            }
            continue;
        }
        let opened = bare.strip_suffix("sh").unwrap_or(bare);
        if opened.len() >= 3 && opened.bytes().all(|b| b == b'`') {
            opened.clone_into(&mut fence);
            continue;
        }
        let outside = without_spans(bare);
        for markup in ["<script", "](http", "@team"] {
            assert!(!outside.contains(markup), "{line}\n{outside}");
        }
    }
    assert!(fence.is_empty(), "a block that does not end");
    // In a command it is one word.
    let word = commands(&record)
        .into_iter()
        .find(|command| command.contains("--path="))
        .unwrap();
    assert!(word.contains("'\\''; rm -rf ~"), "{word}");
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(read["leak"]["identity"]["account"], HOSTILE);
}

/// The line without code spans, as CommonMark finds them, and without characters that a backslash takes their meaning from.
fn without_spans(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(start) = rest.find('`') {
        let (before, from) = rest.split_at(start);
        out.push_str(before);
        let ticks = from.len() - from.trim_start_matches('`').len();
        if before.ends_with('\\') {
            out.pop();
            rest = &from[1..];
            continue;
        }
        let body = &from[ticks..];
        // The next run of exactly as many.
        let mut at = 0;
        let mut end = None;
        while let Some(found) = body[at..].find('`') {
            let run = &body[at + found..];
            let length = run.len() - run.trim_start_matches('`').len();
            if length == ticks {
                end = Some(at + found + length);
                break;
            }
            at += found + length;
        }
        rest = end.map_or(body, |end| &body[end..]);
    }
    out.push_str(rest);
    for c in ["\\[", "\\]", "\\*", "\\_"] {
        out = out.replace(c, "");
    }
    out
}
