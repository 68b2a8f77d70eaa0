//! Whether a configuration names providers, and parts of them, that there are: `[authority.NAME]`, `[known.NAME]`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use keysweep::config::NamedPart;
use keysweep::provider::{Authority, Registry};
use keysweep::rule::block::Blocks;
use keysweep::rule::nearest;

/// What is found out about the names of a file; each line with its place.
#[derive(Default)]
pub(crate) struct Names {
    /// Names that mean nothing.
    pub(crate) wrong: Vec<String>,
    /// Parts that are needed beside others.
    pub(crate) missing: Vec<String>,
}

/// What a section may hold: name → part → whether it is needed.
type Sorts<'r> = BTreeMap<&'r str, BTreeMap<&'r str, bool>>;

/// Checks the names of a file; `rules` are the rule files that it names.
pub(crate) fn check(shown: &str, named: &[NamedPart], rules: &[PathBuf]) -> Names {
    let mut names = Names::default();
    if named.is_empty() {
        return names;
    }
    // What is wrong with rule files is told by the check of the rules.
    let blocks = Blocks::load(rules).or_else(|_| Blocks::load(&[]));
    let registry = Registry::new(blocks.unwrap_or_default());
    let (authorities, knowable) = (registry.authorities(), registry.knowable());
    let authorities: Sorts<'_> = authorities
        .iter()
        .map(|(name, (parts, _))| {
            let needed = parts.needed.iter().map(|part| (&**part, true));
            let more = parts.more.iter().map(|part| (&**part, false));
            (&**name, needed.chain(more).collect())
        })
        .collect();
    let knowable: Sorts<'_> = knowable
        .iter()
        .map(|(name, known)| {
            let parts = known.parts.keys().map(|part| (&**part, false));
            (&**name, parts.collect())
        })
        .collect();
    for one in named {
        let (sorts, ends) = match one.section {
            "authority" => (
                &authorities,
                "no kind is ended by a credential of that name",
            ),
            _ => (&knowable, "nothing is asked that it would help"),
        };
        let (section, name, line) = (one.section, &*one.name, one.line);
        let Some(parts) = sorts.get(name) else {
            // Once for all of its parts.
            if one.part.is_none() {
                let hint = hint(name, sorts.keys().copied(), |n| format!("[{section}.{n}]"));
                let text = format!(
                    "{shown}:{line}: [{section}.{name}]: {ends}; {hint}; kinds of rule files of yours count where [rules] files names them"
                );
                names.wrong.push(text);
            }
            continue;
        };
        let Some(part) = &one.part else {
            let given = named
                .iter()
                .filter(|o| o.section == section && o.name == name);
            let given: BTreeSet<&str> = given.filter_map(|o| o.part.as_deref()).collect();
            let lacks = parts.iter().filter(|(part, needed)| {
                let variable = Authority::variable(name, part);
                **needed && !given.contains(*part) && std::env::var_os(variable).is_none()
            });
            names.missing.extend(lacks.map(|(part, _)| {
                let mend = Authority::mend(name, part);
                format!("{shown}:{line}: [{section}.{name}] has no {part}: {mend}")
            }));
            continue;
        };
        if !parts.contains_key(&**part) {
            let hint = hint(part, parts.keys().copied(), |p| format!("`{p}`"));
            let text =
                format!("{shown}:{line}: [{section}.{name}] has no use for `{part}`; {hint}");
            names.wrong.push(text);
        }
    }
    names
}

/// What may be meant, or what there is.
fn hint<'n>(
    word: &str,
    names: impl Iterator<Item = &'n str> + Clone,
    form: impl Fn(&str) -> String,
) -> String {
    if let Some(name) = nearest(word, names.clone()) {
        format!("did you mean {}?", form(name))
    } else {
        let all: Vec<String> = names.map(form).collect();
        format!("there are {}", all.join(", "))
    }
}
