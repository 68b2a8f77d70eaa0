//! A ledger of the version before, which kept neither where providers were asked nor who agreed to a step.

use super::*;

/// One with an incident and a step, as that version's program left them.
fn older(desk: &Desk) -> IncidentId {
    let before = &schema::MIGRATIONS[..1];
    let ledger = Ledger::open_as(&desk.path(), &desk.kek(), at(0), before).unwrap();
    let id = ledger.begin(&leak(1), at(1)).unwrap().incident;
    ledger.claim(id, "run 1", at(2)).unwrap();
    let step = ledger.plan(id, &[revoke()], at(3)).unwrap()[0];
    ledger.seal(id, &credential(), at(4)).unwrap();
    ledger.start(step, at(5)).unwrap();
    ledger
        .finish(step, StepState::Failed, "403", at(6))
        .unwrap();
    ledger.start(step, at(7)).unwrap();
    ledger.finish(step, StepState::Done, "204", at(8)).unwrap();
    ledger.release(id, at(9)).unwrap();
    let strip = "UPDATE incident SET leak = json_remove(leak, '$.asked', '$.endpoints', '$.flags');
        UPDATE step SET plan = json_remove(plan, '$.agreed');";
    ledger.conn.execute_batch(strip).unwrap();
    let (incident, step) = (id.to_string(), step.0.to_string());
    for subject in [("incident", &*incident), ("step", &step)] {
        let entry = chain::Entry {
            at: at(10),
            action: "note",
            incident: &incident,
            subject: Some(subject),
            note: "",
        };
        chain::add(&ledger.conn, &ledger.path, &ledger.keys, &entry).unwrap();
    }
    id
}

fn version(desk: &Desk) -> i64 {
    let raw = desk.raw();
    raw.pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap()
}

#[test]
fn an_older_ledger_goes_on_with_what_it_says() {
    let desk = Desk::new();
    let id = older(&desk);
    assert_eq!(version(&desk), 1);
    // Looking brings it to no other version.
    let looked = desk.look();
    looked.verify().unwrap();
    assert_eq!(looked.incident(id).unwrap().leak.asked, []);
    drop(looked);
    assert_eq!(version(&desk), 1);
    let ledger = desk.open();
    assert_eq!(version(&desk), 2);
    ledger.verify().unwrap();
    let incident = ledger.incident(id).unwrap();
    assert_eq!(
        (incident.leak.asked, incident.leak.endpoints),
        (vec![], vec![])
    );
    assert!(ledger.unseal(id).unwrap().is_some());
    let steps = ledger.steps(id).unwrap();
    assert_eq!(steps[0].plan.agreed, None);
    // The answer that the row no longer has is among its attempts.
    let attempts = ledger.attempts(id).unwrap();
    let answers: Vec<&str> = attempts[&steps[0].id].iter().map(|a| &*a.answer).collect();
    assert_eq!(answers, ["403", "204"]);
    // Taken up again, it says where.
    let asked = Asked {
        named: "https://api.example.org".to_owned(),
        at: "https://own.example.org".to_owned(),
    };
    let found = NewIncident {
        asked: vec![asked.clone()],
        verification: "active".to_owned(),
        ..leak(1)
    };
    let again = ledger.begin(&found, at(20)).unwrap().incident;
    assert_eq!(again, id);
    assert_eq!(ledger.incident(id).unwrap().leak.asked, [asked]);
    ledger.verify().unwrap();
}

#[test]
fn an_older_ledger_that_somebody_changed_stays_as_it_is() {
    let desk = Desk::new();
    older(&desk);
    let raw = desk.raw();
    raw.execute("UPDATE step SET answer = '404'", []).unwrap();
    drop(raw);
    assert!(matches!(desk.try_open(), Err(Error::Tampered { .. })));
    assert_eq!(version(&desk), 1);
    let other = Kek::of_text("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "a test").unwrap();
    assert!(Ledger::open(&desk.path(), &other, at(1)).is_err());
    assert_eq!(version(&desk), 1);
}
