//! Who depends on a leaked key: where else in a tree its value stands, and which manifests use the variable that carries it.
//!
//! The tree is hostile: no link is followed, nothing is waited for, and files, bytes and findings have limits that are told when
//! they are met.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use aho_corasick::{AhoCorasick, MatchKind};
use ignore::WalkBuilder;
use serde::Serialize;

use crate::model::{Finding, Place};
use crate::source::open_regular;

/// How much of a tree is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Files that are read.
    pub files: u64,
    /// Longer files are left out, in bytes.
    pub size: u64,
    /// Bytes that are read in all.
    pub bytes: u64,
    /// Uses that are listed for a leak.
    pub uses: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            files: 100_000,
            size: 1 << 20,
            bytes: 512 << 20,
            uses: 50,
        }
    }
}

/// A place that depends on a leaked key, or may.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Use {
    /// Path below the root; it comes from the tree and is cleaned before it is shown.
    pub path: String,
    /// Line, from 1.
    pub line: u32,
    /// What sort of file it is: `CI workflow`, `compose file`, ….
    pub sort: &'static str,
    /// The variable that is used; `None` where the value itself stands there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
}

/// What a search came to.
#[derive(Debug, Clone, Default)]
pub struct Uses {
    /// For each leak in order, sorted.
    pub of: Vec<Vec<Use>>,
    /// Files that were read.
    pub files: u64,
    /// What was not looked at, in words; empty if all was.
    pub gaps: Vec<String>,
}

/// Shorter values are not searched for: they would stand everywhere.
const LEAST: usize = 8;
/// Folders that hold other people's code or what tools made.
const FOREIGN: [&str; 5] = [".git", "node_modules", ".terraform", ".venv", "__pycache__"];

/// What is searched for.
struct Wanted {
    leak: usize,
    variable: Option<String>,
}

/// Searches a tree for the values of leaks and, in manifests, for their variables.
#[must_use]
pub fn search(root: &Path, leaks: &[&Finding], limits: Limits) -> Uses {
    let mut uses = Uses {
        of: vec![Vec::new(); leaks.len()],
        ..Uses::default()
    };
    let (patterns, wanted) = wanted(leaks);
    if patterns.is_empty() {
        return uses;
    }
    let search = AhoCorasick::builder()
        .match_kind(MatchKind::Standard)
        .build(&patterns);
    let Ok(search) = search else {
        uses.gaps
            .push("the tree was not searched: too many leaks at once".to_owned());
        return uses;
    };
    let mut look = Look {
        root,
        leaks,
        search,
        wanted,
        limits,
        bytes: 0,
        left: 0,
        cut: BTreeSet::new(),
        uses,
    };
    // A clone's address can hold a token.
    look.file(&root.join(".git/config"));
    let walk = WalkBuilder::new(root)
        .standard_filters(false)
        .follow_links(false)
        .same_file_system(true)
        .max_depth(Some(64))
        .sort_by_file_name(Ord::cmp)
        .filter_entry(|entry| {
            let is_folder = entry.file_type().is_some_and(|sort| sort.is_dir());
            !(is_folder && FOREIGN.iter().any(|name| entry.file_name() == *name))
        })
        .build();
    for entry in walk {
        let Ok(entry) = entry else {
            look.left += 1;
            continue;
        };
        if !entry.file_type().is_some_and(|sort| sort.is_file()) {
            continue;
        }
        if look.uses.files >= limits.files || look.bytes >= limits.bytes {
            look.uses
                .gaps
                .push("the tree is larger than what is searched for uses of a key".to_owned());
            break;
        }
        look.file(entry.path());
    }
    look.end()
}

/// The search while it goes on.
struct Look<'s> {
    root: &'s Path,
    leaks: &'s [&'s Finding],
    search: AhoCorasick,
    wanted: Vec<Wanted>,
    limits: Limits,
    bytes: u64,
    /// Files that could not be read or are too long.
    left: u64,
    /// Leaks with more uses than are listed.
    cut: BTreeSet<usize>,
    uses: Uses,
}

impl Look<'_> {
    fn file(&mut self, path: &Path) {
        // Neither a link nor a pipe is opened.
        let Ok(content) = open_regular(path, false) else {
            self.left += u64::from(fs::symlink_metadata(path).is_ok_and(|m| m.is_file()));
            return;
        };
        if content.length > self.limits.size {
            self.left += 1;
            return;
        }
        let mut bytes = Vec::new();
        let Ok(count) = content.read_whole(&mut bytes, self.limits.size) else {
            self.left += 1;
            return;
        };
        let bytes = bytes.get(..count).unwrap_or_default();
        self.bytes += count as u64;
        self.uses.files += 1;
        let shown = path
            .strip_prefix(self.root)
            .unwrap_or(path)
            .to_string_lossy()
            .replace('\\', "/");
        let manifest = sort(&shown);
        let mut found = BTreeSet::new();
        let (mut line, mut counted) = (1, 0);
        for hit in self.search.find_overlapping_iter(bytes) {
            let Some(wanted) = self.wanted.get(hit.pattern().as_usize()) else {
                continue;
            };
            let is_named = wanted.variable.is_some();
            if is_named && (manifest.is_none() || !is_word(bytes, hit.range())) {
                continue;
            }
            // Where the value itself stands there, it is found as that.
            if is_named && has_value(bytes.get(hit.end()..).unwrap_or_default()) {
                continue;
            }
            let start = hit.start();
            if start >= counted {
                let newlines = memchr::memchr_iter(b'\n', &bytes[counted..start]).count();
                line += u32::try_from(newlines).unwrap_or(u32::MAX);
                counted = start;
            }
            let own = self.leaks.get(wanted.leak).is_some_and(|leak| {
                let mut places = leak.places.iter();
                places.any(|p| {
                    p.path == shown.as_bytes() && p.start.line <= line && line <= p.end.line
                })
            });
            if !own {
                found.insert((
                    wanted.leak,
                    Use {
                        path: shown.clone(),
                        line,
                        sort: manifest.unwrap_or("file"),
                        variable: wanted.variable.clone(),
                    },
                ));
            }
        }
        for (leak, place) in found {
            let Some(list) = self.uses.of.get_mut(leak) else {
                continue;
            };
            if list.len() < self.limits.uses {
                list.push(place);
            } else {
                self.cut.insert(leak);
            }
        }
    }

    fn end(mut self) -> Uses {
        self.uses.of.iter_mut().for_each(|list| list.sort());
        if self.left > 0 {
            self.uses.gaps.push(format!(
                "{} could not be read or are longer than {} bytes",
                if self.left == 1 {
                    "1 file".to_owned()
                } else {
                    format!("{} files", self.left)
                },
                self.limits.size
            ));
        }
        if !self.cut.is_empty() {
            let most = self.limits.uses;
            self.uses
                .gaps
                .push(format!("only the first {most} uses of a key are listed"));
        }
        self.uses
    }
}

/// Whether a value is assigned in clear to a name, by what stands behind the name: another one than the leak's, or found by itself.
fn has_value(behind: &[u8]) -> bool {
    let line = behind.split(|b| *b == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line.get(..line.len().min(512)).unwrap_or_default());
    let quotes = |c: char| c.is_whitespace() || "\"'`".contains(c);
    let assigned = line.trim_start_matches(quotes);
    let Some(value) = assigned
        .strip_prefix("=>")
        .or_else(|| assigned.strip_prefix(":="))
        .or_else(|| assigned.strip_prefix(['=', ':']))
    else {
        return false;
    };
    let value = value.trim_start_matches(quotes);
    let value = value.split(quotes).next().unwrap_or_default();
    // A path names a file that holds it; what has other signs is worked out elsewhere.
    value.len() >= LEAST
        && value.starts_with(|c: char| c.is_ascii_alphanumeric())
        && value.contains(|c: char| c.is_ascii_digit())
        && value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.+=~".contains(&b))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the value is searched for in the tree; what is found is told by its place alone"
)]
fn wanted(leaks: &[&Finding]) -> (Vec<Vec<u8>>, Vec<Wanted>) {
    let (mut patterns, mut wanted) = (Vec::new(), Vec::new());
    for (leak, finding) in leaks.iter().enumerate() {
        let value = finding.credential.secret.expose();
        if value.len() >= LEAST {
            patterns.push(value.to_vec());
            wanted.push(Wanted {
                leak,
                variable: None,
            });
        }
        let names: BTreeSet<String> = finding.places.iter().filter_map(carrier).collect();
        for name in names {
            patterns.push(name.clone().into_bytes());
            wanted.push(Wanted {
                leak,
                variable: Some(name),
            });
        }
    }
    (patterns, wanted)
}

/// The variable that carries the secret at a place.
#[expect(
    clippy::disallowed_methods,
    reason = "the name before the secret is taken from its line, not the secret"
)]
fn carrier(place: &Place) -> Option<String> {
    let (start, _) = place.snippet.secret;
    let before = place.snippet.text.expose().get(..start)?;
    variable(&String::from_utf8_lossy(before))
}

/// The name that a value is assigned to, from what stands before it on its line; `None` where it is so common that it says nothing.
fn variable(before: &str) -> Option<String> {
    // In an address, the name is before the address.
    let before = match before.rfind("://") {
        Some(at) => {
            before[..at].trim_end_matches(|c: char| c.is_ascii_alphanumeric() || "+.-".contains(c))
        }
        None => before,
    };
    let quotes = |c: char| c.is_whitespace() || "\"'`([{".contains(c);
    let before = before.trim_end_matches(quotes);
    let before = before
        .strip_suffix("Bearer")
        .map_or(before, |rest| rest.trim_end_matches(quotes));
    let name = before
        .strip_suffix("=>")
        .or_else(|| before.strip_suffix(":="))
        .or_else(|| before.strip_suffix(['=', ':']))?;
    let name = name.trim_end_matches(|c: char| c.is_whitespace() || "\"'`]?".contains(c));
    let start = name
        .char_indices()
        .rev()
        .take_while(|(_, c)| c.is_ascii_alphanumeric() || "_.-".contains(*c))
        .last()?
        .0;
    let name = name[start..].trim_matches(['.', '-']);
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    (begins && name.len() >= 4 && name.len() <= 128 && !is_common(name)).then(|| name.to_owned())
}

/// Whether a name is so common that its uses say nothing.
fn is_common(name: &str) -> bool {
    const COMMON: [&str; 30] = [
        "access_token",
        "accesstoken",
        "api_key",
        "api-key",
        "apikey",
        "auth",
        "authorization",
        "auth_token",
        "client_secret",
        "connection",
        "credential",
        "credentials",
        "data",
        "default",
        "host",
        "key",
        "name",
        "pass",
        "passwd",
        "password",
        "private_key",
        "secret",
        "secret_key",
        "string",
        "token",
        "uri",
        "url",
        "user",
        "username",
        "value",
    ];
    COMMON.contains(&name.to_ascii_lowercase().as_str())
}

fn is_word(bytes: &[u8], range: std::ops::Range<usize>) -> bool {
    let is_part = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let before = range.start.checked_sub(1).and_then(|at| bytes.get(at));
    !is_part(before) && !is_part(bytes.get(range.end))
}

/// What sort of manifest a path names, if it names one.
fn sort(path: &str) -> Option<&'static str> {
    let lower = path.to_ascii_lowercase();
    let name = lower.rsplit('/').next().unwrap_or_default();
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let is_yaml = matches!(ending, "yml" | "yaml");
    let within = |folder: &str| lower.starts_with(folder) || lower.contains(&format!("/{folder}"));
    let is_ci_folder = CI_FOLDERS.into_iter().any(within);
    if is_yaml && is_ci_folder || CI_FILES.contains(&name) || name.starts_with("jenkinsfile") {
        return Some("CI workflow");
    }
    if is_yaml && (name.starts_with("docker-compose") || name.starts_with("compose")) {
        return Some("compose file");
    }
    if matches!(ending, "tf" | "tfvars" | "hcl") || name.ends_with(".tf.json") {
        return Some("Terraform");
    }
    if name.starts_with(".env") || ending == "env" {
        return Some("environment file");
    }
    let is_chart = name.starts_with("values") || within("charts/") || within("templates/");
    if is_yaml && is_chart {
        return Some("Helm chart");
    }
    let is_container = ["dockerfile", "containerfile"];
    if ending == "dockerfile" || is_container.iter().any(|start| name.starts_with(start)) {
        return Some("container file");
    }
    let is_settings = is_yaml || SETTINGS.contains(&ending) || SETTINGS_FILES.contains(&name);
    is_settings.then_some("configuration")
}

const CI_FOLDERS: [&str; 6] = [
    ".github/",
    ".gitea/",
    ".forgejo/",
    ".circleci/",
    ".buildkite/",
    ".woodpecker/",
];
const CI_FILES: [&str; 7] = [
    ".gitlab-ci.yml",
    "azure-pipelines.yml",
    "bitbucket-pipelines.yml",
    ".travis.yml",
    ".drone.yml",
    "appveyor.yml",
    "cloudbuild.yaml",
];
const SETTINGS: [&str; 6] = ["toml", "ini", "cfg", "conf", "properties", "service"];
const SETTINGS_FILES: [&str; 6] = [
    "procfile", "makefile", "app.json", ".npmrc", ".pypirc", ".netrc",
];

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use crate::respond::fake::finding;

    #[test]
    fn the_name_before_a_value_is_its_variable() {
        for (before, name) in [
            ("export DEPLOY_TOKEN=", Some("DEPLOY_TOKEN")),
            ("  DEPLOY_TOKEN: \"", Some("DEPLOY_TOKEN")),
            ("os.environ[\"DEPLOY_TOKEN\"] = '", Some("DEPLOY_TOKEN")),
            ("DATABASE_URL=postgres://app:", Some("DATABASE_URL")),
            (
                "spring.datasource.secret=",
                Some("spring.datasource.secret"),
            ),
            ("\"password\": \"", None),
            ("Authorization: Bearer ", None),
            ("see the key ", None),
            ("", None),
            ("k=", None),
        ] {
            assert_eq!(variable(before).as_deref(), name, "{before}");
        }
    }

    #[test]
    fn a_name_with_another_value_is_no_use_of_the_key() {
        for behind in [
            "=0123other4567",
            ": \"glpat-0123456789\"\nx",
            "\": \"a1b2c3d4e5\",",
        ] {
            assert!(has_value(behind.as_bytes()), "{behind}");
        }
        for behind in [
            "",
            "=",
            "=$OTHER_TOKEN_1",
            ": ${{ secrets.TOKEN_123 }}",
            ": /run/secrets/token1",
            ": {{ .Values.token1 }}",
            "=changeme",
            " }}",
            "=short1",
        ] {
            assert!(!has_value(behind.as_bytes()), "{behind}");
        }
    }

    #[test]
    fn values_are_found_everywhere_and_variables_in_manifests_alone() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let value = "s3cretvalue0123";
        let finding = finding("app.env", "DEPLOY_TOKEN=", value);
        write("app.env", &format!("DEPLOY_TOKEN={value}\n"));
        write(".env.local", &format!("# mine\nOTHER={value}\n"));
        write(
            ".github/workflows/ci.yml",
            "a:\n  b: ${{ secrets.DEPLOY_TOKEN }}\n  c: MY_DEPLOY_TOKEN_2\n",
        );
        write("main.tf", "token = var.DEPLOY_TOKEN\n");
        write("src/main.c", "getenv(\"DEPLOY_TOKEN\");\n");
        write("node_modules/x/.env", &format!("DEPLOY_TOKEN={value}\n"));
        let uses = search(folder.path(), &[&finding], Limits::default());
        let told: Vec<_> = uses.of[0]
            .iter()
            .map(|u| {
                format!(
                    "{}:{} {} {}",
                    u.path,
                    u.line,
                    u.sort,
                    u.variable.as_deref().unwrap_or("value")
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ".env.local:2 environment file value",
                ".github/workflows/ci.yml:2 CI workflow DEPLOY_TOKEN",
                "main.tf:1 Terraform DEPLOY_TOKEN",
            ]
        );
        assert!(uses.gaps.is_empty(), "{:?}", uses.gaps);
    }

    #[cfg(unix)]
    #[test]
    fn links_lead_nowhere_and_limits_are_told() {
        let outside = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let value = "s3cretvalue0123";
        fs::write(outside.path().join("x.env"), format!("A={value}\n")).unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join("out")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("x.env"), folder.path().join("y.env"))
            .unwrap();
        let leak = finding("gone.env", "DEPLOY_TOKEN=", value);
        assert!(search(folder.path(), &[&leak], Limits::default()).of[0].is_empty());
        for n in 0..9 {
            fs::write(
                folder.path().join(format!("{n}.env")),
                format!("A={value}\n"),
            )
            .unwrap();
        }
        let limits = Limits {
            uses: 3,
            files: 5,
            ..Limits::default()
        };
        let uses = search(folder.path(), &[&leak], limits);
        assert_eq!((uses.of[0].len(), uses.files), (3, 5));
        assert_eq!(uses.gaps.len(), 2, "{:?}", uses.gaps);
    }
}
