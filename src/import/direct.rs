//! What was imported as the configuration of a run at once, without a keysweep.toml in between.

use super::{Imported, write};
use crate::config::{At, ConfigFile};
use crate::rule::{self, FileError};

/// The configuration that `config` would write, with the lines of the files that were imported. `line` is where `name`
/// says which rules it switches off.
///
/// # Errors
/// Rules that do not load together.
pub fn config_file(name: &str, line: u32, imported: &Imported) -> Result<ConfigFile, FileError> {
    let at = |list: &[String]| -> Vec<At<String>> {
        let fresh = |value: &String| At {
            value: value.clone(),
            line,
        };
        list.iter().map(fresh).collect()
    };
    let mut file = ConfigFile {
        name: name.to_owned(),
        allow: imported.allows.clone(),
        ..ConfigFile::default()
    };
    file.scan.include = at(&imported.include);
    file.scan.exclude = at(&imported.exclude);
    file.rules.enable = at(&imported.enabled);
    file.rules.disable = at(&imported.disabled);
    if let Some(first) = imported.rules.first() {
        file.own_rules = Some(At {
            value: rule::parse(name, &write::rules(imported))?,
            line: first.line,
        });
    }
    Ok(file)
}
