//! `keysweep init`: a commented keysweep.toml with a salt of its own, and what runs keysweep for a project.

use std::collections::hash_map::RandomState;
use std::fs::{self, OpenOptions};
use std::hash::BuildHasher;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, bail};
use clap::ValueEnum;
use sha2::{Digest, Sha256};

use keysweep::config::NAME;
use keysweep::report::printable;

use super::args::Shared;
use super::console::say;
use super::exit::Exit;
use super::project::{root_of, shown};

/// Arguments of `init`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct InitArgs {
    /// The project: a folder; in a repository the top of its working tree is meant
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) folder: PathBuf,
    /// Have each commit checked, too
    #[arg(long)]
    pub(crate) hook: bool,
    /// Write what runs keysweep in this service, too
    #[arg(long, value_enum, value_name = "SERVICE")]
    pub(crate) ci: Option<Service>,
}

/// Services that run workflows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Service {
    /// GitHub Actions: .github/workflows/keysweep.yml
    Github,
    /// GitLab CI: .gitlab/keysweep.yml
    Gitlab,
}

/// Runs the command.
pub(crate) fn run(args: &InitArgs, shared: &Shared) -> anyhow::Result<Exit> {
    let named = shown(&args.folder);
    let folder = args.folder.canonicalize().with_context(|| named.clone())?;
    if !folder.is_dir() {
        bail!("{named}: not a folder; name the project's folder, or go there first");
    }
    let root = root_of(&folder);
    let mut wanted = args.clone();
    if !args.hook && args.ci.is_none() && io::stdin().is_terminal() && !shared.quiet {
        let (mut answers, mut questions) = (io::stdin().lock(), io::stderr());
        ask(&mut wanted, &root, &mut answers, &mut questions)?;
    }

    let mut done = false;
    if create(&root.join(NAME), &document(&salt()))? {
        say(shared, &format!("wrote {}", name(&root, NAME)));
        done = true;
    } else {
        let file = name(&root, NAME);
        say(
            shared,
            &format!(
                "{file} is there already and stays as it is; `keysweep config check` checks it"
            ),
        );
    }
    if let Some(service) = wanted.ci {
        done |= write_workflow(&root, service, shared)?;
    }
    if wanted.hook {
        super::hook::install_in(&root, shared)?;
        done = true;
    }
    if done {
        say(
            shared,
            "next: `keysweep` scans the working tree and the history; commit the new files",
        );
    }
    Ok(if done { Exit::Clean } else { Exit::Trouble })
}

fn name(root: &Path, file: &str) -> String {
    printable(&shown(&root.join(file))).into_owned()
}

/// Asks what else is wanted.
fn ask(
    wanted: &mut InitArgs,
    root: &Path,
    answers: &mut dyn BufRead,
    questions: &mut dyn Write,
) -> io::Result<()> {
    // Nothing where the answers are over.
    let mut answer = |question: &str| -> io::Result<Option<String>> {
        write!(questions, "{question} ")?;
        questions.flush()?;
        let mut line = String::new();
        let read = answers.read_line(&mut line)?;
        Ok((read > 0).then(|| line.trim().to_ascii_lowercase()))
    };
    if root.join(".git").exists() {
        let yes = answer("Check each commit with a hook? [y/N]")?;
        wanted.hook = matches!(yes.as_deref(), Some("y" | "yes"));
    }
    let at = |path: &str| root.join(path).exists();
    let likely = if at(".github") {
        Some(Service::Github)
    } else if at(".gitlab-ci.yml") || at(".gitlab") {
        Some(Service::Gitlab)
    } else {
        None
    };
    let question = match likely {
        Some(Service::Github) => "Write a CI workflow? [GITHUB/gitlab/n]",
        Some(Service::Gitlab) => "Write a CI workflow? [github/GITLAB/n]",
        None => "Write a CI workflow? [github/gitlab/N]",
    };
    let mut question = question.to_owned();
    wanted.ci = loop {
        match (answer(&question)?.as_deref(), likely) {
            (None | Some(""), _) => break likely,
            // Only where a service was proposed is it clear which one is meant.
            (Some("y" | "yes"), Some(service)) => break Some(service),
            (Some("github"), _) => break Some(Service::Github),
            (Some("gitlab"), _) => break Some(Service::Gitlab),
            (Some("n" | "no"), _) => break None,
            _ => "For which service? Type github, gitlab or n:".clone_into(&mut question),
        }
    };
    Ok(())
}

/// Writes a file that is not there yet; `false` where something of that name is.
fn create(path: &Path, text: &str) -> anyhow::Result<bool> {
    let named = shown(path);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| shown(folder))?;
    }
    // A link in its place counts as there: nothing is written through it.
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = match file {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(error).context(named),
    };
    file.write_all(text.as_bytes()).context(named)?;
    Ok(true)
}

/// 128 bits that nobody can guess. They are no secret, but two projects have different ones.
fn salt() -> String {
    let mut hash = Sha256::new();
    // The keys of the standard hasher come from the system's source of randomness.
    for round in 0..4_u8 {
        hash.update(RandomState::new().hash_one(round).to_le_bytes());
    }
    #[cfg(unix)]
    if let Ok(mut source) = fs::File::open("/dev/urandom") {
        let mut random = [0; 32];
        if io::Read::read_exact(&mut source, &mut random).is_ok() {
            hash.update(random);
        }
    }
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    hash.update(since.map_or(0, |since| since.as_nanos()).to_le_bytes());
    hash.update(std::process::id().to_le_bytes());
    let digest = hash.finalize();
    let mut text = String::with_capacity(32);
    for byte in digest.iter().take(16) {
        use std::fmt::Write as _;
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The new file.
fn document(salt: &str) -> String {
    format!(
        r#"# keysweep: which keys are looked for, and what this project accepts.
# `keysweep config show` prints every value in force, `keysweep config check` checks this file.
# A keysweep.toml in a folder below adds [scan] exclude and include, [rules] disable and [[allow]] for that folder.

# Fingerprints identify a secret from run to run without showing it. With a salt of its own a project's
# fingerprints fit no other project's. Commit it and leave it as it is: a new salt makes every finding new.
fingerprint_salt = "{salt}"

# Findings that are known and accepted for now; only new ones fail.
# baseline = "keysweep-baseline.txt"

[scan]
# Left out: globs relative to this folder. `*` also crosses `/`, a bare name means that name anywhere, a folder
# everything in it. What is left out is counted in every report.
# exclude = ["vendor", "third_party/**", "*.min.js"]
# include = ["src/**"]          # only these
# max_size = "10M"              # leave out bigger files
# no_ignore = true              # scan what git ignores, too

[report]
# min_confidence = "medium"     # low, medium, high: what is shown
# fail_on = "medium"            # low, medium, high, critical: what makes the exit code 1
# format = "text"

[rules]
# disable = ["generic-password"]
# files = ["security/rules"]    # rule files or folders of them, relative to this folder

# A rule of your own; `keysweep rules test keysweep.toml` runs its examples.
# [[rule]]
# id = "acme-api-key"
# provider = "Acme"
# name = "Acme API key"
# severity = "high"
# confidence = "high"
# literals = ["acme_"]          # one of them stands in every match
# pattern = '{{left}}(?<secret>acme_[0-9a-z]{{32}}){{right}}'
# remedy = "Delete the key in the Acme console and make a new one."
# examples = ["key: acme_{{-}}0123abcd4567efab8901cdef2345abcd"]  # {{-}} goes on loading: no scanner stumbles over it

# Accepted: findings that meet every criterion of one entry. Of a list, one value is enough.
# [[allow]]
# rule = "generic-password"     # or a list of rules
# path = "tests/fixtures/**"    # also: path_regex, regex, stopword, commit, fingerprint
# reason = "made-up passwords of the test suite"
# owner = "platform team"
# expires = 2027-01-31          # optional: the last day on which it counts
"#
    )
}

/// Writes what runs keysweep in a service; `false` where it is there already.
fn write_workflow(root: &Path, service: Service, shared: &Shared) -> anyhow::Result<bool> {
    let (file, text) = match service {
        Service::Github => (".github/workflows/keysweep.yml", github_workflow()),
        Service::Gitlab => (".gitlab/keysweep.yml", gitlab_job()),
    };
    let written = create(&root.join(file), &text)?;
    if written {
        say(shared, &format!("wrote {}", name(root, file)));
        say(
            shared,
            "its line with `cargo install` works once this version is published on crates.io; until then put in its place how keysweep comes to your runners, for example: cargo install --locked --git ADDRESS-OF-YOUR-COPY",
        );
    } else {
        let there = name(root, file);
        say(
            shared,
            &format!("{there} is there already and stays as it is"),
        );
    }
    if service == Service::Gitlab {
        let include = format!("include:\n  - local: {file}\n");
        if create(&root.join(".gitlab-ci.yml"), &include)? {
            say(shared, &format!("wrote {}", name(root, ".gitlab-ci.yml")));
        } else {
            say(
                shared,
                &format!(
                    "add to {}, if it is not there:\n{include}",
                    name(root, ".gitlab-ci.yml")
                ),
            );
        }
    }
    Ok(written)
}

fn github_workflow() -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        r#"# Looks for exposed keys in what a pull request or a push adds, and in the whole history once a week.
name: keysweep

on:
  pull_request:
  merge_group:
  push:
    branches: [main]
  schedule:
    - cron: "17 4 * * 1"
  workflow_dispatch:

permissions: {{}}

jobs:
  keysweep:
    runs-on: ubuntu-latest
    permissions:
      contents: read
    steps:
      # Works once this version is published on crates.io. Until then, install from a copy of the repository that your
      # runners can reach: cargo install --locked --git ADDRESS keysweep
      - name: Install keysweep # before the files are there, so that no .cargo/config.toml of theirs tells cargo what to run
        run: cargo install --locked --version {version} keysweep
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with:
          fetch-depth: 0 # what is new shows only beside what was there
          persist-credentials: false
      - name: Scan
        run: keysweep ci --reports keysweep-reports
      # To have findings under Security, Code scanning, too: these lines, and `security-events: write` under permissions.
      # - uses: github/codeql-action/upload-sarif@5595ccaf912efad79be6eef63a5619ff05969be3 # v4.37.6
      #   if: always() && !github.event.pull_request.head.repo.fork
      #   with:
      #     sarif_file: keysweep-reports/report.sarif
"#
    )
}

fn gitlab_job() -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        r#"# Looks for exposed keys in what a merge request or a push adds, and in the whole history on a schedule.
keysweep:
  stage: test # where .gitlab-ci.yml lists `stages` of its own, write one of those
  image: rust:1
  variables:
    GIT_DEPTH: "0" # what is new shows only beside what was there
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
    - if: $CI_PIPELINE_SOURCE == "push" && $CI_COMMIT_BRANCH && $CI_OPEN_MERGE_REQUESTS
      when: never
    - when: on_success
  script:
    # Works once this version is published on crates.io. Until then, install from a copy of the repository that your
    # runners can reach: cargo install --locked --git ADDRESS keysweep
    # Outside of the files, whose .cargo/config.toml could tell cargo what to run.
    - (cd / && cargo install --locked --version {version} keysweep)
    - keysweep ci
  artifacts:
    when: always
    paths:
      - keysweep-reports/
    reports:
      secret_detection: keysweep-reports/gl-secret-detection-report.json
"#
    )
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::format_collect,
        reason = "a test that panics has failed, which is what it is for"
    )]

    use super::*;
    use keysweep::config::ConfigFile;

    #[test]
    fn the_new_file_is_right_with_and_without_its_comments() {
        let text = document(&salt());
        ConfigFile::parse(NAME, &text).unwrap();
        // Every commented setting is one that could be used as it stands.
        let bare: String = text
            .lines()
            .map(|line| {
                let setting = line.strip_prefix("# ").filter(|rest| {
                    rest.starts_with("[[")
                        || rest
                            .split_once(" = ")
                            .is_some_and(|(key, _)| !key.contains(' '))
                });
                format!("{}\n", setting.unwrap_or(line))
            })
            .collect();
        assert!(
            bare.contains("\n[[allow]]") && bare.contains("\nexclude ="),
            "{bare}"
        );
        ConfigFile::parse(NAME, &bare).unwrap();
    }

    #[test]
    fn salts_differ() {
        let (a, b) = (salt(), salt());
        assert_ne!(a, b);
        assert_eq!(a.len(), 32);
    }

    #[test]
    fn a_yes_to_a_choice_is_asked_again() {
        let folder = tempfile::tempdir().unwrap();
        let bare = InitArgs {
            folder: folder.path().to_owned(),
            hook: false,
            ci: None,
        };
        for (typed, ci) in [
            ("y\ngitlab\n", Some(Service::Gitlab)),
            ("yes\nn\n", None),
            ("y\n", None),
        ] {
            let (mut wanted, mut asked) = (bare.clone(), Vec::new());
            let root = folder.path();
            ask(&mut wanted, root, &mut typed.as_bytes(), &mut asked).unwrap();
            assert_eq!(wanted.ci, ci, "{typed:?}");
            let asked = String::from_utf8(asked).unwrap();
            assert!(asked.contains("For which service?"), "{asked}");
        }
    }

    #[test]
    fn questions_follow_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(".git")).unwrap();
        fs::create_dir(folder.path().join(".github")).unwrap();
        let bare = InitArgs {
            folder: folder.path().to_owned(),
            hook: false,
            ci: None,
        };
        for (typed, hook, ci) in [
            ("y\n\n", true, Some(Service::Github)),
            ("\nn\n", false, None),
            ("no\ngitlab\n", false, Some(Service::Gitlab)),
            ("", false, Some(Service::Github)),
            ("\ny\n", false, Some(Service::Github)),
            ("\nwhat\nno\n", false, None),
        ] {
            let (mut wanted, mut asked) = (bare.clone(), Vec::new());
            ask(
                &mut wanted,
                folder.path(),
                &mut typed.as_bytes(),
                &mut asked,
            )
            .unwrap();
            assert_eq!((wanted.hook, wanted.ci), (hook, ci), "{typed:?}");
            let asked = String::from_utf8(asked).unwrap();
            assert!(
                asked.contains("[y/N]") && asked.contains("GITHUB"),
                "{asked}"
            );
        }
    }
}
