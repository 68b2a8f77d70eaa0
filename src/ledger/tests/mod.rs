//! Ledgers in files of their own: written, claimed, sealed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod harm;
mod older;

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::model::{Fingerprint, Secret};

/// A ledger in a folder of its own.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("data/ledger.sqlite")
    }

    fn kek(&self) -> Kek {
        Kek::from_file(&self.folder.path().join("data/ledger.key"), true).unwrap()
    }

    fn open(&self) -> Ledger {
        self.try_open().unwrap()
    }

    fn try_open(&self) -> Result<Ledger, Error> {
        Ledger::open(&self.path(), &self.kek(), at(0))
    }

    fn look(&self) -> Ledger {
        Ledger::look(&self.path(), &self.kek()).unwrap()
    }

    /// The file by SQLite alone, as somebody else would change it.
    fn raw(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    /// All bytes of the ledger's files.
    fn bytes(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for entry in fs::read_dir(self.path().parent().unwrap()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e != "key") {
                all.extend(fs::read(path).unwrap());
            }
        }
        all
    }
}

/// So many seconds after the tests' beginning.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_769_850_000 + seconds).unwrap()
}

fn leak(byte: u8) -> NewIncident {
    NewIncident {
        fingerprint: Fingerprint([byte; 16]),
        rule: "github-pat-classic".to_owned(),
        secret: "ghp_… (40 bytes)".to_owned(),
        detected: at(0),
        ..NewIncident::default()
    }
}

fn revoke() -> NewStep {
    NewStep::of(StepKind::Revoke, "delete the token")
}

fn credential() -> Credential {
    Credential::new(
        Secret::new(b"a-secret-that-nobody-may-read", ""),
        vec![("user".to_owned(), "a-part-of-it".to_owned())],
    )
}

/// A ledger with a row of everything.
fn full(desk: &Desk) -> (Ledger, IncidentId) {
    let ledger = desk.open();
    let id = ledger.begin(&leak(1), at(1)).unwrap().incident;
    ledger.claim(id, "run 1", at(2)).unwrap();
    let steps = ledger.plan(id, &[revoke(), revoke()], at(3)).unwrap();
    ledger.seal(id, &credential(), at(4)).unwrap();
    ledger.start(steps[0], at(5)).unwrap();
    ledger
        .finish(steps[0], StepState::Done, "204", at(6))
        .unwrap();
    ledger.check(id, CheckState::Refused, "401", at(7)).unwrap();
    ledger
        .set_state(id, IncidentState::Closed, "refused", at(8))
        .unwrap();
    (ledger, id)
}

#[test]
fn what_is_written_is_read_and_holds_against_the_chain() {
    let desk = Desk::new();
    let (ledger, id) = full(&desk);
    assert_eq!(id.to_string(), "KS-20260131-1");
    drop(ledger);
    let ledger = desk.look();
    let incident = ledger.incident(id).unwrap();
    assert_eq!(incident.leak, leak(1));
    assert_eq!(incident.state, IncidentState::Closed);
    assert_eq!((incident.opened, incident.changed), (at(1), at(8)));
    let steps = ledger.steps(id).unwrap();
    assert_eq!(steps.len(), 2);
    assert_eq!(steps[0].state, StepState::Done);
    assert_eq!(steps[0].answer, "204");
    assert_eq!(steps[0].attempts, 1);
    assert_eq!(
        (steps[0].planned, steps[0].started, steps[0].finished),
        (at(3), Some(at(5)), Some(at(6)))
    );
    assert_eq!(steps[1].state, StepState::Planned);
    assert_eq!(steps[1].plan, revoke());
    let checks = ledger.checks(id).unwrap();
    assert_eq!(checks.len(), 1);
    assert_eq!(
        (checks[0].state, checks[0].at),
        (CheckState::Refused, at(7))
    );
    let actions: Vec<_> = ledger
        .events(id)
        .unwrap()
        .into_iter()
        .map(|e| (e.action, e.note))
        .collect();
    let actions: Vec<_> = actions.iter().map(|(a, n)| (&**a, &**n)).collect();
    assert_eq!(
        actions,
        [
            ("open", ""),
            ("claim", "run 1"),
            ("seal", ""),
            ("state", "closed: refused")
        ]
    );
    // A row for each version, and one for each write.
    assert_eq!(ledger.verify().unwrap(), 11);
    assert!(ledger.head().unwrap().starts_with("11:"));
    ledger.verify_head(&ledger.head().unwrap()).unwrap();
}

#[test]
fn an_incident_is_taken_up_until_it_is_closed() {
    let desk = Desk::new();
    let ledger = desk.open();
    let first = ledger.begin(&leak(1), at(1)).unwrap();
    assert!(first.is_new);
    let mut newer = leak(1);
    newer.detected = at(60);
    newer.verification = "active".to_owned();
    newer.verified = Some(at(60));
    newer.identity = Some(Whose {
        account: Some("acme".to_owned()),
        ..Whose::default()
    });
    let again = ledger.begin(&newer, at(61)).unwrap();
    assert!(!again.is_new);
    assert_eq!(again.incident, first.incident);
    let held = ledger.incident(first.incident).unwrap().leak;
    assert_eq!(held.detected, at(0), "the first time counts");
    assert_eq!(held.verification, "active");
    assert_eq!(held.identity, newer.identity);
    // A run that knows less takes nothing away.
    let rows = ledger.verify().unwrap();
    let less = NewIncident {
        detected: at(90),
        ..leak(1)
    };
    ledger.begin(&less, at(91)).unwrap();
    assert_eq!(ledger.incident(first.incident).unwrap().leak, held);
    assert_eq!(ledger.verify().unwrap(), rows);

    for (state, is_new) in [
        (IncidentState::NotProven, false),
        (IncidentState::Reopened, false),
        (IncidentState::Closed, true),
    ] {
        ledger.set_state(first.incident, state, "", at(92)).unwrap();
        assert_eq!(ledger.begin(&leak(1), at(93)).unwrap().is_new, is_new);
    }
    let other = ledger.begin(&leak(2), at(94)).unwrap();
    assert_eq!(other.incident.to_string(), "KS-20260131-3");
    let next_day = ledger.begin(&leak(3), at(86_400)).unwrap();
    assert_eq!(next_day.incident.to_string(), "KS-20260201-1");
    ledger.verify().unwrap();
}

#[test]
fn what_comes_without_bound_is_kept_with_one() {
    let desk = Desk::new();
    let ledger = desk.open();
    let mut big = leak(1);
    let site = |line| Site {
        path: "é".repeat(10_000),
        line,
        end_line: line,
        commit: None,
    };
    big.places = (1..=1000).map(site).collect();
    big.owners = (0..1000).map(|n| format!("@team-{n}")).collect();
    big.identity = Some(Whose {
        scopes: vec!["x".repeat(1 << 20); 500],
        ..Whose::default()
    });
    let id = ledger.begin(&big, at(1)).unwrap().incident;
    let held = ledger.incident(id).unwrap().leak;
    assert_eq!(held.places.len(), LIST);
    assert_eq!(held.more_places, 800);
    assert_eq!(held.places[0].path.chars().count(), TEXT + 1);
    assert_eq!(held.owners.last().unwrap(), "… and 800 more");
    ledger.begin(&big, at(2)).unwrap();
    assert_eq!(ledger.incident(id).unwrap().leak, held, "it does not grow");
    ledger
        .check(id, CheckState::Unknown, &"a".repeat(1 << 20), at(3))
        .unwrap();
    assert_eq!(ledger.checks(id).unwrap()[0].answer.len(), ANSWER + 3);
}

#[test]
fn steps_keep_their_order() {
    let desk = Desk::new();
    let ledger = desk.open();
    let id = ledger.begin(&leak(1), at(1)).unwrap().incident;
    let [step, other] = ledger.plan(id, &[revoke(), revoke()], at(2)).unwrap()[..] else {
        panic!("two steps were planned")
    };
    // Nothing begins in an incident that is not claimed.
    assert!(matches!(
        ledger.start(step, at(3)),
        Err(Error::Busy { why, .. }) if why.contains("does not have")
    ));
    ledger.claim(id, "run 1", at(3)).unwrap();
    let mut more = revoke();
    more.object = "token 17".to_owned();
    more.facts.insert("id".to_owned(), "17".to_owned());
    ledger.refine(step, &more, at(3)).unwrap();
    ledger.start(step, at(4)).unwrap();
    assert!(matches!(
        ledger.refine(step, &more, at(4)),
        Err(Error::Order { .. })
    ));
    for no_outcome in [StepState::Planned, StepState::Started] {
        assert!(matches!(
            ledger.finish(step, no_outcome, "", at(5)),
            Err(Error::Order { .. })
        ));
    }
    // A lost answer: it begins again, and that is counted.
    ledger
        .finish(step, StepState::Unknown, "cut off", at(5))
        .unwrap();
    ledger.start(step, at(6)).unwrap();
    let begun = ledger.step(step).unwrap();
    assert_eq!((begun.attempts, begun.finished), (2, None));
    assert_eq!(begun.plan, more);
    ledger.finish(step, StepState::Done, "204", at(7)).unwrap();
    assert!(matches!(
        ledger.start(step, at(8)),
        Err(Error::Order { .. })
    ));
    assert!(matches!(
        ledger.finish(step, StepState::Failed, "", at(8)),
        Err(Error::Order { .. })
    ));
    // What was not begun may be there already, or not needed.
    ledger
        .finish(other, StepState::Skipped, "said no", at(9))
        .unwrap();
    assert!(matches!(
        ledger.start(StepId(99), at(9)),
        Err(Error::Order { why, .. }) if why == "no step 99"
    ));
    ledger.verify().unwrap();
}

#[test]
fn one_run_at_a_time_works_on_an_incident() {
    let desk = Desk::new();
    let (one, two) = (desk.open(), desk.open());
    let id = one.begin(&leak(1), at(1)).unwrap().incident;
    let step = one.plan(id, &[revoke()], at(1)).unwrap()[0];
    one.claim(id, "run 1", at(2)).unwrap();
    one.claim(id, "run 1", at(3)).unwrap();
    let busy = |result: Result<(), Error>| match result {
        Err(Error::Busy { why, .. }) => assert!(why.contains("run 1"), "{why}"),
        other => panic!("{other:?}"),
    };
    busy(two.claim(id, "run 2", at(4)));
    busy(two.start(step, at(4)));
    busy(two.set_state(id, IncidentState::Closed, "", at(4)));
    busy(two.forget(id, at(4)));
    busy(two.plan(id, &[revoke()], at(4)).map(drop));
    // Writes keep a claim alive.
    one.start(step, at(500)).unwrap();
    busy(two.claim(id, "run 2", at(1000)));
    // A silent run loses it, and notices before it calls anybody; what it has been answered counts.
    two.claim(id, "run 2", at(1200)).unwrap();
    assert!(matches!(
        one.start(step, at(1201)),
        Err(Error::Busy { why, .. }) if why.contains("run 2")
    ));
    one.finish(step, StepState::Done, "204", at(1201)).unwrap();
    two.release(id, at(1202)).unwrap();
    // One that died is noticed at once.
    one.claim(id, "run 3", at(1203)).unwrap();
    drop(one);
    two.claim(id, "run 4", at(1204)).unwrap();
    two.release(id, at(1205)).unwrap();
    two.release(id, at(1206)).unwrap();
    two.verify().unwrap();
    let files = fs::read_dir(desk.path().parent().unwrap()).unwrap();
    let left: Vec<_> = files
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("-run-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn several_write_at_once_and_the_chain_holds() {
    let desk = Desk::new();
    std::thread::scope(|scope| {
        for byte in 0..4 {
            let desk = &desk;
            scope.spawn(move || {
                let ledger = desk.open();
                for round in 0..25 {
                    let id = ledger.begin(&leak(byte), at(round)).unwrap().incident;
                    ledger
                        .check(id, CheckState::Unknown, "", at(round))
                        .unwrap();
                }
            });
        }
    });
    let ledger = desk.open();
    assert_eq!(ledger.incidents().unwrap().len(), 4);
    assert_eq!(ledger.verify().unwrap(), 2 + 4 + 100);
}

#[test]
fn a_secret_is_sealed_and_forgotten() {
    let desk = Desk::new();
    let (ledger, id) = full(&desk);
    let holds = |text: &[u8]| desk.bytes().windows(text.len()).any(|w| w == text);
    assert!(!holds(b"a-secret-that-nobody-may-read") && !holds(b"a-part-of-it"));
    assert!(ledger.is_sealed(id).unwrap());
    let opened = ledger.unseal(id).unwrap().unwrap();
    assert_eq!(opened.parts, credential().parts);
    assert_eq!(opened.secret.len(), credential().secret.len());
    let body: Vec<u8> = ledger
        .conn
        .query_row("SELECT body FROM sealed", [], |row| row.get(0))
        .unwrap();
    assert!(holds(&body), "the test looks where it is");
    ledger.forget(id, at(9)).unwrap();
    assert!(!holds(&body), "what was forgotten is overwritten");
    assert!(ledger.unseal(id).unwrap().is_none());
    assert!(!ledger.is_sealed(id).unwrap());
    ledger.forget(id, at(10)).unwrap();
    ledger.verify().unwrap();
    // Another incident's seal opens nothing.
    let other = ledger.begin(&leak(2), at(11)).unwrap().incident;
    ledger.seal(id, &credential(), at(12)).unwrap();
    desk.raw()
        .execute("UPDATE sealed SET incident = ?1", [other.to_string()])
        .unwrap();
    assert!(matches!(ledger.unseal(other), Err(Error::Tampered { .. })));
}

#[test]
fn looking_writes_nothing() {
    let desk = Desk::new();
    assert!(matches!(
        Ledger::look(&desk.path(), &desk.kek()),
        Err(Error::Absent { .. })
    ));
    assert!(!desk.path().exists());
    // Made, and not yet written.
    fs::write(desk.path(), b"").unwrap();
    assert!(matches!(
        Ledger::look(&desk.path(), &desk.kek()),
        Err(Error::Absent { .. })
    ));
    let (ledger, id) = full(&desk);
    drop(ledger);
    let looking = desk.look();
    assert!(looking.begin(&leak(1), at(9)).is_err());
    assert!(looking.check(id, CheckState::Alive, "", at(9)).is_err());
    assert_eq!(looking.verify().unwrap(), 11);
}

#[cfg(unix)]
#[test]
fn the_files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let desk = Desk::new();
    let (ledger, _) = full(&desk);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = desk.path();
    let folder = folder.parent().unwrap();
    assert_eq!(mode(folder), 0o700);
    let mut files = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        files += 1;
    }
    assert!(files >= 5, "the log of writes and the claim too: {files}");
    drop(ledger);
    // One that was opened to others is closed again.
    fs::set_permissions(desk.path(), fs::Permissions::from_mode(0o644)).unwrap();
    drop(desk.open());
    assert_eq!(mode(&desk.path()), 0o600);
}

#[test]
fn ids_are_read_as_they_are_written() {
    let id = IncidentId {
        day: 20_260_131,
        number: 12,
    };
    assert_eq!("KS-20260131-12".parse(), Ok(id));
    assert_eq!(id.to_string(), "KS-20260131-12");
    for text in [
        "",
        "KS-",
        "KS-2026-1",
        "KS-20260131",
        "KS-20260131-",
        "KS-20260131-0",
        "KS-20260131-01",
        "KS-20260131-+1",
        "KS-20260131-99999999999",
        "ks-20260131-1",
    ] {
        assert_eq!(text.parse::<IncidentId>(), Err(NoId), "{text}");
    }
}
