//! Which of several parts beside a secret are its: each choice is asked for in turn, the likeliest first, until one works.

use crate::model::{Credential, Doubt, Parts, Verification};
use crate::net::Net;
use crate::provider::Provider;

/// Choices that are asked for.
const MOST: usize = 8;

/// What the provider says of a credential whose parts may be others, and the parts that it says works with.
///
/// It is dead only where each choice is refused and there can be none besides. That something is known and is not this secret's says
/// nothing of the secret, where another choice says more.
#[must_use]
pub fn ask(
    net: &dyn Net,
    provider: &dyn Provider,
    key: &Credential,
) -> (Verification, Option<Parts>) {
    let (asked, is_cut) = distinct(provider, key);
    let mut inactive = None;
    let mut mismatches = Vec::new();
    let mut doubt = None;
    for parts in &asked {
        match provider.verify(net, &key.with(parts)) {
            active @ Verification::Active(_) => return (active, Some((*parts).clone())),
            it @ Verification::Unknown(Doubt::Interrupted | Doubt::Budget) => return (it, None),
            it @ Verification::Inactive(_) => inactive = inactive.or(Some(it)),
            Verification::Unknown(Doubt::Mismatch(why)) => mismatches.push(why),
            it => doubt = doubt.or(Some(it)),
        }
    }
    if let Some(doubt) = doubt {
        return (doubt, None);
    }
    let unseen = if is_cut {
        Some("more stands near it than is asked for")
    } else {
        key.rivals.unseen.as_deref()
    };
    let it = match (inactive, unseen) {
        (Some(Verification::Inactive(why)), Some(unseen)) => Verification::Unknown(Doubt::Answer(
            format!("{why}; but it may work with something that was not tried: {unseen}"),
        )),
        (Some(Verification::Inactive(why)), None) if asked.len() > 1 => {
            Verification::Inactive(format!(
                "{why}; none of the {} that stand near it works",
                asked.len()
            ))
        }
        (Some(it), _) => it,
        (None, _) => Verification::Unknown(Doubt::Mismatch(mismatches.join("; "))),
    };
    (it, None)
}

/// The parts that are asked for, and whether there are more.
pub(super) fn distinct<'k>(provider: &dyn Provider, key: &'k Credential) -> (Vec<&'k Parts>, bool) {
    let mut known = Vec::new();
    let mut all = Vec::new();
    for parts in key.choices() {
        let question = provider.asks_with(&key.with(parts));
        if known.contains(&question) {
            continue;
        }
        if all.len() == MOST {
            return (all, true);
        }
        known.push(question);
        all.push(parts);
    }
    (all, false)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::model::{Identity, Rivals, Secret};
    use crate::verify::tests::Memory;

    /// Says of each id what it begins with, and notes which were asked.
    #[derive(Default)]
    struct Ids(Mutex<Vec<String>>);

    impl Provider for Ids {
        fn preview(&self, _: &Credential) -> Result<Vec<String>, Doubt> {
            Ok(Vec::new())
        }

        fn asks_with(&self, key: &Credential) -> Parts {
            let parts = key.parts.iter();
            parts.filter(|(name, _)| name == "id").cloned().collect()
        }

        fn verify(&self, _: &dyn Net, key: &Credential) -> Verification {
            let id = key.part("id").unwrap_or_default().to_owned();
            let it = match id.get(..1) {
                Some("L") => Verification::Active(Identity::default()),
                Some("D") => Verification::Inactive(format!("{id} is gone")),
                Some("M") => Verification::Unknown(Doubt::Mismatch(format!("{id} is another's"))),
                Some("S") => Verification::Unknown(Doubt::Interrupted),
                _ => Verification::Unknown(Doubt::Timeout),
            };
            self.0.lock().expect("one thread").push(id);
            it
        }
    }

    fn key(ids: &[&str], unseen: Option<&str>) -> Credential {
        let of = |id: &&str| vec![("id".to_owned(), (*id).to_owned())];
        let mut key = Credential::new(Secret::new(b"a secret", ""), of(&ids[0]));
        key.rivals = Rivals {
            parts: ids[1..].iter().map(of).collect(),
            unseen: unseen.map(str::to_owned),
        };
        key
    }

    fn said(ids: &[&str], unseen: Option<&str>) -> (String, Vec<String>) {
        let provider = Ids::default();
        let net = Memory::default();
        let (it, parts) = ask(&net, &provider, &key(ids, unseen));
        let mut text = match &it {
            Verification::Inactive(why) => format!("inactive: {why}"),
            Verification::Unknown(doubt) => format!("unknown: {doubt}"),
            other => other.word().to_owned(),
        };
        if let Some(parts) = parts {
            text.push(' ');
            text.push_str(&parts[0].1);
        }
        (text, provider.0.into_inner().expect("one thread"))
    }

    #[test]
    fn it_is_dead_only_where_each_choice_is_refused_and_there_is_no_other() {
        for (ids, text, asked) in [
            (&["D1"][..], "inactive: D1 is gone", 1),
            (&["L1", "D2"], "active L1", 1),
            (&["D1", "M2", "T3", "L4"], "active L4", 4),
            (
                &["D1", "D2"],
                "inactive: D1 is gone; none of the 2 that stand near it works",
                2,
            ),
            (&["D1", "T2"], "unknown: no answer in time", 2),
            (&["T1", "D2"], "unknown: no answer in time", 2),
            (
                &["D1", "S2", "L3"],
                "unknown: interrupted before there was an answer",
                2,
            ),
            (
                &["M1", "M2"],
                "unknown: not a pair: M1 is another's; M2 is another's",
                2,
            ),
            (
                &["M1", "D2"],
                "inactive: D2 is gone; none of the 2 that stand near it works",
                2,
            ),
            (&["D1", "D1", "D1"], "inactive: D1 is gone", 1),
        ] {
            let (said, seen) = said(ids, None);
            assert_eq!((&*said, seen.len()), (text, asked), "{ids:?}");
        }
    }

    #[test]
    fn what_was_not_tried_keeps_a_refusal_from_proving_anything() {
        let (text, _) = said(&["D1"], Some("its place is gone"));
        assert_eq!(
            text,
            "unknown: ambiguous answer: D1 is gone; but it may work with something that was not tried: its place is gone"
        );
        let (text, _) = said(&["L1"], Some("its place is gone"));
        assert_eq!(text, "active L1");
        let many: Vec<String> = (0..=MOST).map(|n| format!("D{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let (text, asked) = said(&many, None);
        assert!(
            text.starts_with("unknown: ") && text.contains("more stands near it"),
            "{text}"
        );
        assert_eq!(asked.len(), MOST);
        let (text, _) = said(&many[1..], None);
        assert!(text.starts_with("inactive: "), "{text}");
    }
}
