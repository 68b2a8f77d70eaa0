//! Keys that are ended in two stages: made inactive at once, deleted after a time of grace. What providers differ in is [`Keys`].

use std::time::Duration;

use super::template::printable;
use super::{Authority, Done, Effect, Failure, Object, Revocation, Revoke, StageTerms, Terms};
use crate::model::{Credential, Doubt};

/// Between making a key inactive and deleting it, unless the caller says otherwise.
pub(super) const GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// What the owner sees of a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    Live,
    Inactive,
    Gone,
}

/// The call of a stage.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Deactivate,
    Delete,
}

impl Call {
    fn of(stage: usize) -> Option<Self> {
        match stage {
            0 => Some(Self::Deactivate),
            1 => Some(Self::Delete),
            _ => None,
        }
    }
}

/// Keys of a provider.
pub(super) trait Keys: Send + Sync {
    /// [`Revoke::terms`].
    fn terms(&self, key: &Credential) -> Terms;

    /// [`Revoke::find`].
    fn find(&self, of: &Revocation<'_>) -> Result<Object, Failure>;

    /// The key of a revocation, and where a record says that it is.
    fn held<'r>(&self, of: &Revocation<'r>, object: &'r Object) -> Result<impl Held, Failure>;

    /// The request of a call, redacted.
    fn preview(&self, key: &Credential, authority: &Authority, call: Call)
    -> Result<String, Doubt>;
}

/// A leaked key in the hands of its owner.
pub(super) trait Held {
    /// What it is called: `the access key`.
    const TITLE: &'static str;

    /// The leaked key's own id.
    fn id(&self) -> &str;

    /// Looks it up.
    fn look(&self) -> Result<Seen, Failure>;

    /// Fails where it may be absent only for this owner.
    fn is_gone(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// Sends a call, once. A key that is absent is [`Done::was_gone`].
    fn change(&self, call: Call) -> Result<Done, Failure>;
}

/// How such keys are ended.
pub(super) struct Staged<K>(pub(super) K);

impl<K: Keys> Revoke for Staged<K> {
    fn terms(&self, key: &Credential) -> Terms {
        self.0.terms(key)
    }

    fn find(&self, of: &Revocation<'_>) -> Result<Object, Failure> {
        self.0.find(of)
    }

    fn effect(&self, of: &Revocation<'_>, object: &Object, stage: usize) -> Effect {
        let seen = self.0.held(of, object).and_then(|key| {
            let seen = key.look()?;
            if seen == Seen::Gone {
                key.is_gone()?;
            }
            Ok(seen)
        });
        match (seen, stage) {
            (Ok(Seen::Gone), _) | (Ok(Seen::Inactive), 0) => Effect::There,
            (Ok(_), _) => Effect::NotThere,
            (Err(failure), _) => Effect::Unknown(failure.to_string()),
        }
    }

    fn run(&self, of: &Revocation<'_>, object: &Object, stage: usize) -> Result<Done, Failure> {
        let key = self.0.held(of, object)?;
        done(&key, object, stage)
    }

    fn preview(
        &self,
        key: &Credential,
        authority: &Authority,
        stage: usize,
    ) -> Result<String, Doubt> {
        let call = Call::of(stage)
            .ok_or_else(|| Doubt::Refused("no call exists: a person does it".to_owned()))?;
        self.0.preview(key, authority, call)
    }
}

fn done<K: Held>(key: &K, object: &Object, stage: usize) -> Result<Done, Failure> {
    let (title, id) = (K::TITLE, key.id());
    // Two notes of one key that differ: whichever is meant, nothing is done.
    if object.id != id {
        return Err(Failure::Object(format!(
            "the plan names {title} {}, but the leak is {id}",
            printable(&object.id)
        )));
    }
    let Some(call) = Call::of(stage) else {
        return Err(Failure::NotSent(format!("there is no stage {stage}")));
    };
    // Somebody has made it active again since.
    if call == Call::Delete && key.look()? == Seen::Live {
        return Err(Failure::Object(format!(
            "{title} {id} is active again, so that it is not deleted: somebody may need it; `keysweep recheck` opens its incident again, and `keysweep respond --resume` then begins anew"
        )));
    }
    let done = key.change(call)?;
    if done.was_gone {
        key.is_gone()?;
    }
    Ok(done)
}

impl Terms {
    /// The same where the block's stage only makes the key `inactive`, in words, and a later one deletes it for good.
    pub(super) fn deleting(mut self, inactive: &str) -> Self {
        let object = &self.object;
        for stage in &mut self.stages {
            stage.what = format!("{inactive} {object}");
        }
        self.stages.push(StageTerms {
            what: format!("delete {object}"),
            reversible: false,
            undo: String::new(),
            repeatable: true,
            after: GRACE,
            kills: false,
        });
        self
    }
}
