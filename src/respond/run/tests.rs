use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::ledger::Kek;
use crate::provider::Authority;
use crate::respond::fake::{Fake, Play, Trouble, active, finding};
use crate::respond::{Detected, opened, plan};

/// A leak, its provider, its ledger, and a clock.
struct Stage {
    fake: Fake,
    net: Play,
    folder: tempfile::TempDir,
    leak: Finding,
    policy: Policy,
    answer: Answer,
    agreed: bool,
    asked: RefCell<Vec<Question>>,
    /// The number of the moment at which a run is cut off, from 1; 0 for never.
    cut: RefCell<u32>,
}

struct Cut;

impl Stage {
    fn new(fake: Fake) -> Self {
        Self {
            fake,
            net: Play::new(),
            folder: tempfile::tempdir().unwrap(),
            leak: active(finding("a.env", "DEPLOY_TOKEN=", "secret-value-0")),
            policy: Policy::default(),
            answer: Answer::Yes,
            agreed: false,
            asked: RefCell::default(),
            cut: RefCell::default(),
        }
    }

    fn ledger(&self) -> Ledger {
        let kek = Kek::from_file(&self.folder.path().join("ledger.key"), true).unwrap();
        Ledger::open(
            &self.folder.path().join("ledger.sqlite"),
            &kek,
            self.net.now(),
        )
        .unwrap()
    }

    fn with<T>(&self, work: impl FnOnce(&Run<'_>, &Ledger) -> T) -> T {
        let ledger = self.ledger();
        let held = |_: &str, _: &[String]| Ok(Authority::default());
        let ask = |question: &Question| {
            self.asked.borrow_mut().push(question.clone());
            self.answer
        };
        let clean = |_: &Finding, text: &str| text.replace("secret-value-0", "…");
        let at = |_: Point| {
            let mut cut = self.cut.borrow_mut();
            if *cut > 0 {
                *cut -= 1;
                if *cut == 0 {
                    drop(cut);
                    std::panic::resume_unwind(Box::new(Cut));
                }
            }
        };
        let run = Run {
            net: &self.net,
            kinds: &self.fake,
            ledger: &ledger,
            held: &held,
            policy: self.policy,
            owner: "test".to_owned(),
            agreed: self.agreed,
            send_again: false,
            flags: Flags::default(),
            ask: &ask,
            tell: &|_| {},
            clean: &clean,
            progress: Progress::default(),
            at: &at,
        };
        work(&run, &ledger)
    }

    fn apply(&self) -> Ended {
        self.with(|run, _| {
            let leaks = [self.leak.clone()];
            let named = [self.leak.fingerprint];
            let plan = plan(&leaks, &self.fake, run.held, &self.policy, &named);
            let detected = Detected {
                at: self.net.now(),
                by: "keysweep".to_owned(),
                command: "keysweep scan".to_owned(),
                scanned: ".".to_owned(),
                flags: String::new(),
            };
            let incident = opened(&self.leak, &plan.leaks[0], &detected, &str::to_owned);
            let leak = ConfirmedLeak::new(&self.leak)
                .or_else(|| ConfirmedLeak::named(&self.leak, named[0]))
                .unwrap();
            let leaks = [(leak, incident)];
            let id = run.open(&leaks).unwrap()[0];
            both(|first| run.end(id, &leaks[0].0, first).unwrap())
        })
    }

    fn resume(&self) -> Ended {
        self.with(|run, ledger| {
            let incident = ledger.incidents().unwrap().remove(0);
            both(|first| run.resume(&incident, None, first).unwrap())
        })
    }

    fn recheck(&self) -> Ended {
        self.with(|run, ledger| {
            let incident = ledger.incidents().unwrap().remove(0);
            both(|first| run.recheck(&incident, first).unwrap())
        })
    }

    /// Steps with their states, and the incident's state.
    fn record(&self) -> (Vec<String>, String) {
        self.with(|_, ledger| {
            let incident = ledger.incidents().unwrap().remove(0);
            ledger.verify().unwrap();
            let steps = ledger.steps(incident.id).unwrap();
            let told = steps.iter().map(|s| format!("{} {}", s.plan.kind, s.state));
            (told.collect(), incident.state.to_string())
        })
    }

    fn calls(&self) -> Vec<&'static str> {
        self.fake.state().calls.clone()
    }
}

/// The same twice, where the first refusal proves nothing yet.
fn both(work: impl Fn(Option<&Refusal>) -> Ended) -> Ended {
    let ended = work(None);
    match &ended.outcome {
        Outcome::Once(first) => {
            assert_ne!(ended.state, "closed", "after one refusal");
            work(Some(first))
        }
        _ => ended,
    }
}

#[track_caller]
fn is_dead(ended: &Ended) {
    assert!(matches!(ended.outcome, Outcome::Dead(_)), "{ended:?}");
    assert_eq!(ended.state, "closed");
}

#[test]
fn a_key_is_ended_proven_dead_and_deleted_after_the_grace() {
    let stage = Stage::new(Fake::new());
    stage.fake.state().lag = 2;
    let ended = stage.apply();
    is_dead(&ended);
    assert_eq!(ended.due.len(), 1);
    assert_eq!(stage.net.pauses(), [1, 2, 2]);
    assert_eq!(stage.calls(), ["deactivate"]);
    assert!(
        stage.asked.borrow().is_empty(),
        "what can be undone is not asked"
    );
    // Not due yet.
    is_dead(&stage.recheck());
    assert_eq!(stage.calls(), ["deactivate"]);
    stage.net.pass(Duration::from_secs(86_400));
    let ended = stage.recheck();
    is_dead(&ended);
    assert!(ended.due.is_empty());
    assert_eq!(stage.calls(), ["deactivate", "delete"]);
    assert_eq!(stage.asked.borrow().len(), 1);
    let (steps, state) = stage.record();
    assert_eq!(
        steps,
        ["find done", "revoke done", "prove done", "revoke done"]
    );
    assert_eq!(state, "closed");
}

#[test]
fn a_due_step_that_cannot_be_undone_waits_for_somebody_to_agree() {
    let mut stage = Stage::new(Fake::new());
    stage.apply();
    stage.net.pass(Duration::from_secs(90_000));
    stage.answer = Answer::Nobody;
    let ended = stage.recheck();
    assert!(
        matches!(ended.outcome, Outcome::Unasked { .. }),
        "{ended:?}"
    );
    stage.answer = Answer::No;
    let ended = stage.resume();
    assert!(matches!(ended.outcome, Outcome::Declined(_)), "{ended:?}");
    assert_eq!(stage.calls(), ["deactivate"]);
    stage.answer = Answer::Yes;
    is_dead(&stage.resume());
    assert_eq!(stage.calls(), ["deactivate", "delete"]);
}

#[test]
fn a_key_that_works_again_reopens_its_incident_and_is_not_deleted() {
    let stage = Stage::new(Fake::new());
    stage.apply();
    stage.fake.state().active = true;
    stage.net.pass(Duration::from_secs(90_000));
    let ended = stage.recheck();
    assert_eq!((ended.outcome, ended.state), (Outcome::Lives, "reopened"));
    assert_eq!(stage.calls(), ["deactivate"]);
    // An outage says nothing, and changes nothing.
    stage.fake.state().is_down = true;
    let ended = stage.recheck();
    assert!(matches!(ended.outcome, Outcome::Unclear(_)));
    assert_eq!(ended.state, "reopened");
    stage.fake.state().is_down = false;
    // It is ended anew.
    is_dead(&stage.resume());
    assert_eq!(stage.calls(), ["deactivate", "deactivate"]);
}

#[test]
fn an_answer_without_effect_is_not_proven() {
    let stage = Stage::new(Fake::new());
    stage.fake.state().trouble = vec![Trouble::NoEffect];
    let ended = stage.apply();
    assert!(
        matches!(ended.outcome, Outcome::NotProven { .. }),
        "{ended:?}"
    );
    assert_eq!(ended.state, "not-proven");
    // Resuming proves again; applying again ends it again.
    let ended = stage.resume();
    assert!(
        matches!(ended.outcome, Outcome::NotProven { .. }),
        "{ended:?}"
    );
    assert_eq!(stage.calls(), ["deactivate"]);
    is_dead(&stage.apply());
    assert_eq!(stage.calls(), ["deactivate", "deactivate"]);
}

#[test]
fn an_outage_stops_before_anything_is_done_and_is_gone_on_with() {
    let stage = Stage::new(Fake::new());
    stage.fake.state().is_down = true;
    let ended = stage.apply();
    assert!(
        matches!(ended.outcome, Outcome::Stopped { .. }),
        "{ended:?}"
    );
    assert_eq!(ended.state, "open");
    assert!(stage.calls().is_empty());
    stage.fake.state().is_down = false;
    is_dead(&stage.resume());
    assert_eq!(stage.calls(), ["deactivate"]);
}

#[test]
fn a_refusal_is_told_and_tried_again_when_somebody_says_so() {
    let stage = Stage::new(Fake::new());
    stage.fake.state().trouble = vec![Trouble::Refused];
    let ended = stage.apply();
    let Outcome::Stopped { why, command } = &ended.outcome else {
        panic!("{ended:?}");
    };
    assert_eq!((&**why, ended.state), ("not yours", "open"));
    assert_eq!(
        *command,
        format!("keysweep respond --resume {}", ended.incident)
    );
    assert!(stage.calls().is_empty());
    is_dead(&stage.resume());
    assert_eq!(stage.calls(), ["deactivate"]);
}

#[test]
fn a_lost_answer_is_found_out_by_its_effect_and_a_lost_call_is_sent_again() {
    let stage = Stage::new(Fake::new());
    stage.fake.state().trouble = vec![Trouble::AnswerLost];
    is_dead(&stage.apply());
    assert_eq!(stage.calls(), ["deactivate"]);

    let stage = Stage::new(Fake::new());
    stage.fake.state().trouble = vec![Trouble::CallLost];
    let ended = stage.apply();
    assert!(
        matches!(ended.outcome, Outcome::NotProven { .. }),
        "{ended:?}"
    );
    is_dead(&stage.resume());
    assert_eq!(stage.calls(), ["deactivate"]);
}

#[test]
fn a_call_that_must_not_be_sent_twice_is_sent_again_by_a_person_alone() {
    let mut stage = Stage::new(Fake::rash());
    stage.fake.state().trouble = vec![Trouble::CallLost];
    let ended = stage.apply();
    assert!(
        matches!(ended.outcome, Outcome::NotProven { .. }),
        "{ended:?}"
    );
    stage.answer = Answer::Nobody;
    let ended = stage.resume();
    let Outcome::Stopped { command, .. } = &ended.outcome else {
        panic!("{ended:?}");
    };
    assert!(command.ends_with("--send-again"), "{command}");
    assert!(stage.calls().is_empty());
    stage.answer = Answer::Yes;
    is_dead(&stage.resume());
    assert_eq!(stage.calls(), ["delete"]);
    // Where the answer alone was lost, the refused key says so.
    let stage = Stage::new(Fake::rash());
    stage.fake.state().trouble = vec![Trouble::AnswerLost];
    stage.fake.state().lag = 3;
    is_dead(&stage.apply());
    assert_eq!(stage.calls(), ["delete"]);
}

#[test]
fn what_a_person_does_closes_the_incident_when_the_key_is_refused() {
    let stage = Stage::new(Fake::new().without_revoker());
    let ended = stage.apply();
    assert_eq!(
        ended.outcome,
        Outcome::ByHand(vec!["Revoke it.".to_owned()])
    );
    assert_eq!(ended.state, "open");
    assert_eq!(stage.recheck().outcome, Outcome::Lives);
    stage.fake.state().exists = false;
    is_dead(&stage.recheck());
    assert_eq!(stage.record().0, ["revoke done", "prove done"]);
}

#[test]
fn a_long_proof_keeps_its_incident() {
    let mut stage = Stage::new(Fake::new());
    stage.policy.deadline = Some(Duration::from_secs(3_000));
    stage.fake.state().lag = u32::MAX;
    let folder = stage.folder.path().to_owned();
    let refused = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&refused);
    stage.net.paused = Box::new(move |now| {
        let kek = Kek::from_file(&folder.join("ledger.key"), false).unwrap();
        let other = Ledger::open(&folder.join("ledger.sqlite"), &kek, now).unwrap();
        let incident = other.incidents().unwrap().remove(0);
        let taken = other.claim(incident.id, "another", now);
        assert!(
            matches!(taken, Err(ledger::Error::Busy { .. })),
            "{taken:?}"
        );
        *counted.lock().unwrap() += 1;
    });
    let ended = stage.apply();
    assert!(
        matches!(ended.outcome, Outcome::NotProven { .. }),
        "{ended:?}"
    );
    assert!(*refused.lock().unwrap() > 100);
}

#[test]
fn a_secret_that_is_not_kept_is_needed_again() {
    let mut stage = Stage::new(Fake::new());
    stage.policy.recheck = false;
    stage.fake.state().is_down = true;
    stage.apply();
    stage.fake.state().is_down = false;
    let ended = stage.resume();
    assert!(
        matches!(ended.outcome, Outcome::Stopped { .. }),
        "{ended:?}"
    );
    is_dead(&stage.apply());
    assert_eq!(stage.recheck().outcome, Outcome::NotKept);
    // One incident, taken up.
    stage.with(|_, ledger| assert_eq!(ledger.incidents().unwrap().len(), 1));
}

/// Cuts a run off at each of its moments in turn, goes on, and looks at the end.
fn cut_everywhere(make: impl Fn() -> Fake, calls: &[&str]) {
    let whole = Stage::new(make());
    is_dead(&whole.apply());
    let record = whole.record();
    let mut at = 0;
    loop {
        at += 1;
        let stage = Stage::new(make());
        *stage.cut.borrow_mut() = at;
        let cut = catch_unwind(AssertUnwindSafe(|| stage.apply()));
        *stage.cut.borrow_mut() = 0;
        if cut.is_ok() {
            break;
        }
        let has_begun = stage.with(|_, ledger| !ledger.incidents().unwrap().is_empty());
        // Before the first writes there is nothing to go on with: the same command is given again.
        let is_kept = has_begun
            && stage.with(|_, ledger| {
                let incident = ledger.incidents().unwrap().remove(0);
                ledger.is_sealed(incident.id).unwrap()
            });
        let ended = if is_kept {
            stage.resume()
        } else {
            stage.apply()
        };
        is_dead(&ended);
        assert_eq!(stage.record(), record, "cut off at moment {at}");
        assert_eq!(stage.calls(), calls, "cut off at moment {at}");
    }
    assert!(at > 20, "only {at} moments");
}

#[test]
fn cut_off_at_any_moment_a_run_goes_on_to_the_same_end() {
    cut_everywhere(Fake::new, &["deactivate"]);
    cut_everywhere(Fake::rash, &["delete"]);
}

#[test]
fn cut_off_in_a_step_that_has_become_due_it_goes_on_to_the_same_end() {
    let due = || {
        let stage = Stage::new(Fake::new());
        is_dead(&stage.apply());
        stage.net.pass(Duration::from_secs(90_000));
        stage
    };
    let whole = due();
    is_dead(&whole.recheck());
    let mut at = 0;
    loop {
        at += 1;
        let stage = due();
        *stage.cut.borrow_mut() = at;
        let cut = catch_unwind(AssertUnwindSafe(|| stage.recheck()));
        *stage.cut.borrow_mut() = 0;
        if cut.is_ok() {
            break;
        }
        is_dead(&stage.recheck());
        assert_eq!(stage.record(), whole.record(), "cut off at moment {at}");
        assert_eq!(
            stage.calls(),
            ["deactivate", "delete"],
            "cut off at moment {at}"
        );
    }
    assert!(at > 8, "only {at} moments");
}

#[test]
fn a_key_that_never_worked_with_what_stands_beside_it_is_not_ended_and_its_refusal_is_no_proof() {
    let mut stage = Stage::new(Fake::new().paired());
    stage.leak.verification = None;
    stage.fake.state().is_down = true;
    let outcome = stage.apply().outcome;
    let Outcome::Stopped { why, .. } = &outcome else {
        panic!("{outcome:?}");
    };
    assert!(why.contains("has never said"), "{why}");
    stage.fake.state().is_down = false;
    stage.fake.state().active = false;
    assert!(matches!(stage.resume().outcome, Outcome::Stopped { .. }));
    assert!(matches!(stage.recheck().outcome, Outcome::Unclear(_)));
    assert!(stage.calls().is_empty());
    // Once it has worked, it is ended as any other.
    stage.fake.state().active = true;
    is_dead(&stage.resume());
    assert_eq!(stage.calls(), ["deactivate"]);
    is_dead(&stage.recheck());
}
