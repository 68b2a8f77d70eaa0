//! Hooks on real repositories: git runs them, and what they say and stop is looked at.
#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::repo::{Repo, write};
use crate::support::{fake, repository_file};

/// A repository in whose folder git runs as a user would run it.
struct Site {
    repo: Repo,
}

/// What a command said, and how it ended.
#[derive(Debug)]
struct Said {
    code: i32,
    text: String,
}

impl Said {
    #[track_caller]
    fn passes(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.text);
        self
    }

    #[track_caller]
    fn fails(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, code, "{}", self.text);
        self.tells(words)
    }

    #[track_caller]
    fn tells(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.text.contains(word), "no {word:?} in:\n{}", self.text);
        }
        self
    }

    #[track_caller]
    fn hides(self, secret: &str) -> Self {
        assert!(!self.text.contains(secret), "a secret is shown");
        self
    }
}

fn said(output: &Output) -> Said {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains("panicked"), "{text}");
    Said {
        code: output.status.code().unwrap(),
        text,
    }
}

fn keysweep() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_keysweep"))
}

fn env(key: &str) -> String {
    format!("TOKEN={key}\n")
}

impl Site {
    fn new() -> Self {
        let site = Self { repo: Repo::new() };
        site.setup(&site.repo.path());
        site
    }

    /// Gives a repository an author, so that nothing but the hook stops a commit.
    fn setup(&self, folder: &Path) {
        for (key, value) in [
            ("user.name", "Ann"),
            ("user.email", "ann@example.org"),
            ("protocol.file.allow", "always"),
            ("core.autocrlf", "false"),
        ] {
            self.git_in(folder, &["config", key, value]).passes();
        }
    }

    /// With a first commit and the hook.
    fn hooked() -> Self {
        let site = Self::new();
        site.repo.commit_file("README", "a project\n");
        site.run(&["hook", "install"]).passes();
        site
    }

    fn command(&self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.repo.beside(""))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_EDITOR", "true")
            .stdin(Stdio::null());
        command
    }

    fn git_in(&self, folder: &Path, arguments: &[&str]) -> Said {
        let mut command = self.command(Path::new("git"), folder);
        said(&command.args(arguments).output().unwrap())
    }

    fn git(&self, arguments: &[&str]) -> Said {
        self.git_in(&self.repo.path(), arguments)
    }

    fn run_in(&self, folder: &Path, arguments: &[&str]) -> Said {
        let mut command = self.command(&keysweep(), folder);
        said(&command.args(arguments).output().unwrap())
    }

    fn run(&self, arguments: &[&str]) -> Said {
        self.run_in(&self.repo.path(), arguments)
    }

    /// Stages a file.
    fn stage(&self, path: &str, content: impl AsRef<[u8]>) {
        self.repo.write(path, content);
        self.git(&["add", "-f", path]).passes();
    }

    fn commit(&self) -> Said {
        self.git(&["commit", "-qm", "change"])
    }

    fn hook(&self, name: &str) -> PathBuf {
        self.repo.dot_git().join("hooks").join(name)
    }

    /// Writes a hook that somebody else has.
    fn foreign(&self, name: &str, body: &str) {
        script(&self.hook(name), body);
    }
}

fn script(path: &Path, body: &str) {
    write(path, format!("#!/bin/sh\n{body}"));
    executable(path, 0o755);
}

fn executable(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_blocked_commit_says_what_where_why_and_the_three_ways_on() {
    let site = Site::hooked();
    let key = fake::github_pat(7);
    site.stage("b.env", env(&key));
    // What is staged counts, not what the file says by now.
    site.repo.write("b.env", "TOKEN=\n");
    let said = site.commit().hides(&key).fails(
        1,
        &[
            "github-pat-classic",
            "b.env:1:7",
            "The commit is blocked: it would add 1 secret",
            "git add b.env",
            "above line 1 of b.env:",
            "# keysweep:allow github-pat-classic",
            "git commit --no-verify",
        ],
    );
    // The line that it gives is the line that helps.
    let line = said.text.lines().find(|l| l.contains("keysweep:allow"));
    let pasted = format!("{}\n{}", line.unwrap().trim(), env(&key));
    site.stage("b.env", pasted);
    let quiet = site.commit().passes();
    assert_eq!(quiet.text, "", "quiet where nothing is wrong");
}

#[test]
fn a_hook_speaks_text_whatever_format_reports_have() {
    for format in ["json", "html", "sarif"] {
        let site = Site::hooked();
        let file = format!("[report]\nformat = \"{format}\"\n");
        site.stage("keysweep.toml", file);
        site.stage("b.env", env(&fake::github_pat(7)));
        let said = site
            .commit()
            .fails(1, &["The commit is blocked", "b.env:1:7"]);
        assert!(
            !said.text.contains("<html") && !said.text.contains('{'),
            "{}",
            said.text
        );
        // Whoever asks for another one on the command line gets it.
        let arguments = ["hook", "run", "pre-commit", "--format", "jsonl"];
        let run = crate::support::Run::of(
            crate::support::program()
                .current_dir(site.repo.path())
                .args(arguments),
        );
        assert_eq!(run.findings().len(), 1, "{}", run.err);
    }
}

#[test]
fn a_file_without_comments_gets_its_fingerprint_for_the_ignore_file() {
    let site = Site::hooked();
    let key = fake::github_pat(8);
    site.stage("a b.json", format!("{{\"token\": \"{key}\"}}\n"));
    let said = site.commit().hides(&key).fails(
        1,
        &["git add 'a b.json'", "for a b.json in .keysweepignore:"],
    );
    assert!(!said.text.contains("keysweep:allow"), "{}", said.text);
    let lines: Vec<&str> = said.text.lines().map(str::trim).collect();
    let at = lines.iter().position(|l| l.ends_with(".keysweepignore:"));
    let print = lines[at.unwrap() + 1];
    assert!(
        said.text.contains(&format!("fingerprint {print}")),
        "{}",
        said.text
    );
    assert!(
        print.len() == 32 && print.chars().all(|c| c.is_ascii_hexdigit()),
        "{print}"
    );
}

#[test]
fn the_advice_for_an_odd_name_is_a_command_that_works() {
    let site = Site::hooked();
    site.repo.commit_file("README", "x\n");
    let name = "we ird\n\"na'mé\u{1b}[31m.txt";
    site.stage(name, env(&fake::github_pat(8)));
    let told = site
        .commit()
        .fails(1, &["take it out, then: git add ':(top,glob)we"]);
    let (_, command) = told.text.split_once("take it out, then: ").unwrap();
    let command = command.lines().next().unwrap();
    site.repo.write(name, "TOKEN=\n");
    let mut shell = site.command(Path::new("sh"), &site.repo.path());
    said(&shell.args(["-c", command]).output().unwrap()).passes();
    site.commit().passes();
}

#[test]
fn what_git_does_not_ask_about_is_said() {
    let site = Site::new();
    let words = "neither in clean merges, cherry-picks and rebases nor for messages";
    site.run(&["hook", "install"]).passes().tells(&[words]);
    let both = site
        .run(&["hook", "install", "-t", "pre-commit", "-t", "pre-push"])
        .passes();
    assert!(!both.text.contains(words), "{}", both.text);
    let again = site.run(&["hook", "install"]).passes();
    assert!(!again.text.contains(words), "{}", again.text);
}

#[test]
fn skipping_once_and_what_the_base_holds() {
    let site = Site::hooked();
    let key = fake::github_pat(9);
    site.stage("b.env", env(&key));
    site.commit().fails(1, &["blocked"]);
    site.git(&["commit", "-qnm", "anyway"]).passes();
    // It is there now: other changes pass, moved lines and files too.
    site.stage("b.env", format!("# one\n\n{}OTHER=1\n", env(&key)));
    site.commit().passes();
    site.git(&["mv", "b.env", "c.env"]).passes();
    site.commit().passes();
    site.git(&["commit", "-q", "--amend", "-m", "said otherwise"])
        .passes();
    // Beside it a new one does not pass.
    let other = fake::npm_token(3);
    site.stage("c.env", format!("{}NPM={other}\n", env(&key)));
    let said = site.commit().hides(&key).hides(&other);
    let said = said.fails(1, &["npm", "it would add 1 secret"]);
    assert!(!said.text.contains("github-pat-classic"), "{}", said.text);
}

#[test]
fn the_hook_has_the_whole_policy() {
    use base64::Engine as _;
    let site = Site::hooked();
    let key = fake::github_pat(10);
    let encoded = base64::engine::general_purpose::STANDARD.encode(env(&key));
    let password = fake::password(4);
    site.stage("secret.yaml", format!("data:\n  config: {encoded}\n"));
    site.stage("app.yml", format!("database:\n  password: {password}\n"));
    site.commit()
        .hides(&key)
        .hides(&encoded)
        .hides(&password)
        .fails(
            1,
            &[
                "secret.yaml:2",
                "decoded from base64",
                "app.yml:2",
                "2 secrets",
            ],
        );
}

#[test]
fn every_way_to_commit() {
    let site = Site::new();
    site.run(&["hook", "install"]).passes();
    let key = fake::github_pat(11);
    // The very first commit.
    site.stage("a/first.env", env(&key));
    site.commit().fails(1, &["a/first.env:1:7"]);
    site.stage("a/first.env", "TOKEN=\n");
    site.commit().passes();

    // From a subfolder, with an index of its own, by -a, by a file's name, by --amend.
    site.repo.write("a/first.env", env(&key));
    let inside = site.repo.path().join("a");
    site.git_in(&inside, &["commit", "-qam", "all"])
        .fails(1, &["a/first.env:1:7"]);
    site.git_in(&inside, &["commit", "-qm", "one", "first.env"])
        .fails(1, &["a/first.env:1:7"]);
    site.git(&["commit", "-q", "--amend", "-a", "--no-edit"])
        .fails(1, &["a/first.env:1:7"]);
    // A file that is not committed does not count.
    site.repo.write("other", "text\n");
    site.git(&["add", "other"]).passes();
    site.git(&["commit", "-qm", "other alone", "other"])
        .passes();
    site.git(&["checkout", "-q", "a/first.env"]).passes();

    // Nothing is staged.
    site.git(&["commit", "-q", "--allow-empty", "-m", "none"])
        .passes();
    site.git(&["commit", "-q", "--amend", "--allow-empty", "-m", "words"])
        .passes();

    // What adds no content says so.
    executable(&site.repo.path().join("other"), 0o755);
    site.git(&["commit", "-qam", "mode"])
        .passes()
        .tells(&["only changes of mode are staged"]);
    site.git(&["mv", "other", "moved"]).passes();
    site.commit().passes();
    site.git(&["rm", "-q", "moved"]).passes();
    site.commit().passes().tells(&["only deletions are staged"]);
}

#[test]
fn merges() {
    let site = Site::hooked();
    let key = fake::github_pat(12);
    site.repo.commit_file("shared", "one\ntwo\nthree\n");
    site.git(&["checkout", "-qb", "topic"]).passes();
    site.repo.write("topic.env", env(&key));
    site.repo.write("shared", "one topic\ntwo\nthree\n");
    site.git(&["add", "-A"]).passes();
    site.git(&["commit", "-qnm", "topic with a key"]).passes();
    site.git(&["checkout", "-q", "main"]).passes();
    site.repo.write("shared", "one main\ntwo\nthree\n");
    site.git(&["commit", "-qam", "main"]).passes();
    // A conflict: what either side holds is there already, what the resolution adds is not.
    assert_ne!(site.git(&["merge", "-q", "topic"]).code, 0);
    let new = fake::npm_token(5);
    site.stage("shared", format!("one\nNPM_TOKEN={new}\n"));
    site.commit()
        .hides(&new)
        .fails(1, &["shared:2", "1 secret"]);
    site.stage("shared", "one both\n");
    site.commit().passes();

    // Without a conflict git asks pre-merge-commit, where it is installed.
    site.run(&["hook", "install", "-t", "pre-merge-commit"])
        .passes();
    site.git(&["checkout", "-qb", "second", "HEAD~1"]).passes();
    site.repo.write("second.env", env(&fake::github_pat(13)));
    site.git(&["add", "-A"]).passes();
    site.git(&["commit", "-qnm", "second"]).passes();
    site.git(&["checkout", "-q", "main"]).passes();
    site.git(&["merge", "-q", "--no-ff", "-m", "clean", "second"])
        .passes();
    // A squashed one is a commit like any other.
    site.git(&["checkout", "-qb", "third"]).passes();
    site.repo.write("third.env", env(&fake::github_pat(14)));
    site.git(&["add", "-A"]).passes();
    site.git(&["commit", "-qnm", "third"]).passes();
    site.git(&["checkout", "-q", "main"]).passes();
    site.git(&["merge", "-q", "--squash", "third"]).passes();
    site.commit().fails(1, &["third.env:1:7"]);
}

#[test]
fn submodules() {
    let site = Site::hooked();
    let inner = Repo::new();
    inner.commit_file("inside", "text\n");
    let address = inner.path();
    let address = address.to_str().unwrap();
    site.git(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        address,
        "sub",
    ])
    .passes();
    site.commit().passes();
    inner.commit_file("inside", "other\n");
    let sub = site.repo.path().join("sub");
    site.git_in(&sub, &["pull", "-q"]).passes();
    site.git(&["commit", "-qam", "newer"])
        .passes()
        .tells(&["only commits of submodules are staged"]);
    // A submodule has hooks of its own.
    site.run_in(&sub, &["hook", "install"]).passes();
    site.setup(&sub);
    let key = fake::github_pat(15);
    write(&sub.join("k.env"), env(&key));
    site.git_in(&sub, &["add", "-A"]).passes();
    site.git_in(&sub, &["commit", "-qm", "key"])
        .fails(1, &["k.env:1:7"]);
    assert!(
        site.repo
            .dot_git()
            .join("modules/sub/hooks/pre-commit")
            .exists()
    );
}

#[test]
fn work_trees_and_sparse_checkouts() {
    let site = Site::new();
    site.repo.commit_file("a/x", "x\n");
    site.repo.commit_file("b/y", "y\n");
    let linked = site.repo.beside("linked");
    site.git(&[
        "worktree",
        "add",
        "-q",
        "-b",
        "other",
        linked.to_str().unwrap(),
    ])
    .passes();
    // Installed from the one, it runs in both.
    site.run_in(&linked, &["hook", "install"]).passes();
    let key = fake::github_pat(16);
    write(&linked.join("k.env"), env(&key));
    site.git_in(&linked, &["add", "-A"]).passes();
    site.git_in(&linked, &["commit", "-qm", "key"])
        .fails(1, &["k.env:1:7"]);
    site.git_in(&linked, &["commit", "-qam", "key"])
        .fails(1, &["k.env:1:7"]);
    site.repo.write("more", "clean\n");
    site.git(&["add", "more"]).passes();
    site.commit().passes();

    site.git(&["sparse-checkout", "set", "--cone", "--sparse-index", "a"])
        .passes();
    assert!(!site.repo.path().join("b").exists());
    site.stage("a/k.env", env(&key));
    site.commit().fails(1, &["a/k.env:1:7"]);
    site.stage("a/k.env", "TOKEN=\n");
    site.commit().passes();
}

#[test]
fn a_hook_that_cannot_look_does_not_pass() {
    let site = Site::hooked();
    site.stage("a.txt", "text\n");
    let mut command = site.command(&keysweep(), &site.repo.path());
    command
        .args(["hook", "run", "pre-commit"])
        .env("GIT_INDEX_FILE", ".git/no-such-index");
    said(&command.output().unwrap()).fails(2, &["no such index"]);

    // The staged content is gone.
    let id = site.repo.git(&["rev-parse", ":a.txt"]);
    fs::remove_file(site.repo.loose(&id)).unwrap();
    site.run(&["hook", "run", "pre-commit"]).fails(
        2,
        &["missing", "not everything could be scanned", "--no-verify"],
    );
    site.stage("a.txt", "text\n");

    // keysweep is gone.
    let hook = site.hook("pre-commit");
    let text = fs::read_to_string(&hook).unwrap();
    let text = text.replace(keysweep().to_str().unwrap(), "/nowhere/keysweep");
    fs::write(&hook, text).unwrap();
    let mut command = site.command(Path::new("git"), &site.repo.path());
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
    let gone = said(&command.args(["commit", "-qm", "x"]).output().unwrap());
    assert_ne!(gone.code, 0);
    gone.tells(&["keysweep is not installed any more"]);
}

#[test]
fn hooks_that_were_there_go_on_running_and_come_back() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let site = Site::new();
    site.repo.commit_file("README", "x\n");
    let body =
        "echo \"theirs $#\"\necho more >>README && git add README\n[ ! -e stop ] || exit 7\n";
    site.foreign("pre-commit", body);
    executable(&site.hook("pre-commit"), 0o751);
    let before = fs::metadata(site.hook("pre-commit")).unwrap();
    let text = fs::read(site.hook("pre-commit")).unwrap();

    site.run(&["hook", "install"])
        .passes()
        .tells(&["kept as pre-commit.before-keysweep"]);
    let ours = fs::read(site.hook("pre-commit")).unwrap();
    // Again changes nothing.
    site.run(&["hook", "install"])
        .passes()
        .tells(&["installed already"]);
    assert_eq!(ours, fs::read(site.hook("pre-commit")).unwrap());

    site.stage("a", "clean\n");
    site.commit().passes().tells(&["theirs 0"]);
    // What it stages is scanned, too.
    assert!(site.repo.git(&["show", "HEAD:README"]).contains("more"));
    site.stage("k.env", env(&fake::github_pat(17)));
    site.commit().fails(1, &["theirs 0", "k.env:1:7"]);
    // Its refusal counts.
    site.stage("k.env", "TOKEN=\n");
    site.repo.write("stop", "");
    site.commit().fails(1, &["theirs 0"]);
    site.repo.remove("stop");

    site.run(&["hook", "uninstall"])
        .passes()
        .tells(&["as it was before"]);
    let after = fs::metadata(site.hook("pre-commit")).unwrap();
    assert_eq!(fs::read(site.hook("pre-commit")).unwrap(), text);
    assert_eq!(after.permissions().mode(), before.permissions().mode());
    assert_eq!((after.mtime(), after.ino()), (before.mtime(), before.ino()));
    assert!(!site.hook("pre-commit.before-keysweep").exists());
    site.run(&["hook", "uninstall"])
        .passes()
        .tells(&["no hook of keysweep"]);
}

#[test]
fn links_and_hooks_that_git_does_not_run() {
    let site = Site::new();
    site.repo.commit_file("README", "x\n");
    script(&site.repo.path().join("tools/hook"), "echo linked\n");
    fs::create_dir_all(site.hook("")).unwrap();
    std::os::unix::fs::symlink("../../tools/hook", site.hook("pre-commit")).unwrap();
    site.run(&["hook", "install"]).passes();
    site.stage("a", "clean\n");
    site.commit().passes().tells(&["linked"]);
    assert_eq!(
        fs::read_to_string(site.repo.path().join("tools/hook")).unwrap(),
        "#!/bin/sh\necho linked\n",
        "what the link leads to is left alone"
    );
    site.run(&["hook", "uninstall"]).passes();
    let link = fs::read_link(site.hook("pre-commit")).unwrap();
    assert_eq!(link, Path::new("../../tools/hook"));

    // A hook that may not be executed is not run by git, so not by us either.
    fs::remove_file(site.hook("pre-commit")).unwrap();
    site.foreign("pre-commit", "echo never\nexit 1\n");
    executable(&site.hook("pre-commit"), 0o644);
    site.run(&["hook", "install"]).passes();
    site.stage("b", "clean\n");
    let said = site.commit().passes();
    assert!(!said.text.contains("never"), "{}", said.text);
    site.stage("k.env", env(&fake::github_pat(18)));
    site.commit().fails(1, &["k.env"]);
}

#[test]
fn what_others_write_into_the_hook_stays() {
    let site = Site::hooked();
    let hook = site.hook("pre-commit");
    let ours = fs::read_to_string(&hook).unwrap();
    fs::write(&hook, format!("{ours}echo appended\n")).unwrap();
    site.stage("a", "clean\n");
    site.commit().passes().tells(&["appended"]);
    // An older block is brought up to date, and nothing else.
    let old = ours.replace("hook run pre-commit", "hook run  pre-commit");
    fs::write(&hook, format!("{old}echo appended\n")).unwrap();
    site.run(&["hook", "install"])
        .passes()
        .tells(&["up to date"]);
    assert_eq!(
        fs::read_to_string(&hook).unwrap(),
        format!("{ours}echo appended\n")
    );
    site.run(&["hook", "uninstall"])
        .passes()
        .tells(&["are left"]);
    assert_eq!(
        fs::read_to_string(&hook).unwrap(),
        "#!/bin/sh\necho appended\n"
    );

    // Two files that are not ours: nothing is overwritten.
    write(&site.hook("pre-commit.before-keysweep"), "precious");
    site.run(&["hook", "install"])
        .fails(2, &["put one of them aside"]);
    assert_eq!(
        fs::read(site.hook("pre-commit.before-keysweep")).unwrap(),
        b"precious"
    );
    fs::remove_file(&hook).unwrap();
    site.run(&["hook", "install"]).fails(2, &["install again"]);

    // A hook that calls keysweep by itself is not doubled.
    fs::remove_file(site.hook("pre-commit.before-keysweep")).unwrap();
    let linked = repository_file("hooks/pre-commit");
    std::os::unix::fs::symlink(&linked, &hook).unwrap();
    site.run(&["hook", "install"])
        .passes()
        .tells(&["calls keysweep already"]);
    assert_eq!(fs::read_link(&hook).unwrap(), linked);
}

#[test]
fn the_script_linked_by_hand() {
    let site = Site::new();
    site.repo.commit_file("README", "x\n");
    fs::create_dir_all(site.hook("")).unwrap();
    std::os::unix::fs::symlink(repository_file("hooks/pre-commit"), site.hook("pre-commit"))
        .unwrap();
    site.stage("k.env", env(&fake::github_pat(19)));
    let commit = |path: Option<PathBuf>| {
        let mut command = site.command(Path::new("git"), &site.repo.path());
        command.args(["commit", "-qm", "x"]);
        command.env(
            "KEYSWEEP",
            path.unwrap_or_else(|| "/nowhere/keysweep".into()),
        );
        said(&command.output().unwrap())
    };
    commit(Some(keysweep())).fails(1, &["k.env:1:7", "# keysweep:allow"]);
    let gone = commit(None);
    assert_ne!(gone.code, 0);
    gone.tells(&["is not installed"]);
    site.stage("k.env", "TOKEN=\n");
    commit(Some(keysweep())).passes();
}

#[test]
fn folders_of_hooks_that_the_configuration_names() {
    let site = Site::new();
    site.repo.commit_file("a/x", "x\n");
    site.git(&["config", "core.hooksPath", "tools/git hooks"])
        .passes();
    // Relative to the top, from wherever it is installed.
    let inside = site.repo.path().join("a");
    site.run_in(&inside, &["hook", "install"])
        .passes()
        .tells(&["leads into the working tree"]);
    let hook = site.repo.path().join("tools/git hooks/pre-commit");
    let text = fs::read_to_string(&hook).unwrap();
    assert!(
        !text.contains(keysweep().to_str().unwrap()),
        "others have it elsewhere: {text}"
    );
    let bin = keysweep();
    let path = format!(
        "{}:/usr/bin:/bin:/usr/local/bin",
        bin.parent().unwrap().display()
    );
    site.stage("k.env", env(&fake::github_pat(20)));
    let mut command = site.command(Path::new("git"), &site.repo.path());
    command.args(["commit", "-qm", "x"]).env("PATH", path);
    said(&command.output().unwrap()).fails(1, &["k.env:1:7"]);
    site.run(&["hook", "uninstall"]).passes();
    assert!(!hook.exists());

    // One folder for all repositories of the user is not changed by the way.
    site.git(&["config", "--unset", "core.hooksPath"]).passes();
    let all = site.repo.beside("all-hooks");
    site.git(&[
        "config",
        "--global",
        "core.hooksPath",
        all.to_str().unwrap(),
    ])
    .passes();
    site.run(&["hook", "install"])
        .fails(2, &["global configuration", "--force"]);
    assert!(!all.exists());
    site.run(&["hook", "install", "--force"]).passes();
    site.commit().fails(1, &["k.env:1:7"]);
    site.run(&["hook", "uninstall", "--force"]).passes();
    assert!(!all.join("pre-commit").exists());
    site.git(&["config", "--global", "core.hooksPath", "/dev/null"])
        .passes();
    site.run(&["hook", "install", "--force"])
        .fails(2, &["is no folder"]);
}

#[test]
fn hook_managers_are_left_alone_and_told_about() {
    for (file, content, words) in [
        (
            ".pre-commit-config.yaml",
            "repos: []\n",
            [
                "pre-commit looks after",
                "entry: keysweep hook run pre-commit",
            ],
        ),
        (
            "lefthook.yml",
            "pre-push:\n",
            ["lefthook looks after", "run: keysweep hook run pre-commit"],
        ),
        (
            ".overcommit.yml",
            "x: y\n",
            [
                "overcommit looks after",
                "command: [keysweep, hook, run, pre-commit]",
            ],
        ),
        (
            ".husky/_/h",
            "#!/bin/sh\n",
            [".husky/pre-commit", "keysweep hook run pre-commit"],
        ),
    ] {
        let site = Site::new();
        site.repo.write(file, content);
        site.run(&["hook", "install"]).fails(2, &words);
        assert!(!site.hook("pre-commit").exists());
        site.run(&["hook", "install", "--force"]).passes();
        assert!(site.hook("pre-commit").exists());
    }
    // Cloned, and not installed yet.
    for (file, content) in [
        (".husky/pre-commit", "npm test\n"),
        ("package.json", "{\"devDependencies\": {\"husky\": \"^9\"}}"),
    ] {
        let site = Site::new();
        site.repo.write(file, content);
        site.run(&["hook", "install"]).fails(
            2,
            &["husky looks after", file, "keysweep hook run pre-commit"],
        );
        assert!(!site.hook("pre-commit").exists());
    }
    // Another package is none.
    let site = Site::new();
    site.repo
        .write("package.json", "{\"keywords\": [\"husky\"]}");
    site.run(&["hook", "install"]).passes();
    let site = Site::new();
    site.foreign(
        "pre-push",
        "# File generated by pre-commit: https://pre-commit.com\n",
    );
    site.run(&["hook", "install", "--type", "pre-push"])
        .fails(2, &["pre-commit looks after", "stages: [pre-push]"]);
    // The other hook is nobody's.
    site.run(&["hook", "install"]).passes();
}

#[test]
fn husky_runs_it() {
    // As husky lays it out: its own folder of scripts, which run the user's lines with `sh -e`.
    let site = Site::new();
    site.repo.commit_file("README", "x\n");
    let runner = "n=$(basename \"$0\")\ns=$(dirname \"$(dirname \"$0\")\")/$n\n[ ! -f \"$s\" ] && exit 0\nsh -e \"$s\" \"$@\"\n";
    script(&site.repo.path().join(".husky/_/h"), "exit 0\n");
    for name in ["pre-commit", "pre-push"] {
        script(&site.repo.path().join(".husky/_").join(name), runner);
    }
    site.git(&["config", "core.hooksPath", ".husky/_"]).passes();
    let told = site
        .run(&["hook", "install"])
        .fails(2, &["husky looks after"]);
    let line = told
        .text
        .lines()
        .map(str::trim)
        .find(|l| l.starts_with("keysweep hook run"));
    site.repo
        .write(".husky/pre-commit", format!("{}\n", line.unwrap()));
    site.stage("k.env", env(&fake::github_pat(21)));
    let path = format!(
        "{}:{}",
        keysweep().parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let mut command = site.command(Path::new("git"), &site.repo.path());
    command.args(["commit", "-qm", "x"]).env("PATH", path);
    said(&command.output().unwrap()).fails(1, &["k.env:1:7"]);
}

#[test]
fn new_repositories_get_it_from_the_template() {
    let site = Site::new();
    site.run(&["hook", "install", "--global"])
        .passes()
        .tells(&["from now on"]);
    let made = site.repo.beside("made");
    site.git(&["init", "-q", made.to_str().unwrap()]).passes();
    site.setup(&made);
    write(&made.join("k.env"), env(&fake::github_pat(22)));
    site.git_in(&made, &["add", "-A"]).passes();
    site.git_in(&made, &["commit", "-qm", "x"])
        .fails(1, &["k.env:1:7"]);
    site.run(&["hook", "uninstall", "--global"]).passes();
    assert_ne!(
        site.git(&["config", "--global", "init.templateDir"]).code,
        0
    );
    let later = site.repo.beside("later");
    site.git(&["init", "-q", later.to_str().unwrap()]).passes();
    assert!(!later.join(".git/hooks/pre-commit").exists());

    // The user's own template is used where there is one, and kept.
    let own = site.repo.beside("own");
    script(&own.join("hooks/pre-commit"), "echo own\n");
    site.git(&[
        "config",
        "--global",
        "init.templateDir",
        own.to_str().unwrap(),
    ])
    .passes();
    site.run(&["hook", "install", "--global"]).passes();
    let third = site.repo.beside("third");
    site.git(&["init", "-q", third.to_str().unwrap()]).passes();
    site.setup(&third);
    write(&third.join("k.env"), env(&fake::github_pat(23)));
    site.git_in(&third, &["add", "-A"]).passes();
    site.git_in(&third, &["commit", "-qm", "x"])
        .fails(1, &["own", "k.env:1:7"]);
    site.run(&["hook", "uninstall", "--global"]).passes();
    assert_eq!(
        fs::read_to_string(own.join("hooks/pre-commit")).unwrap(),
        "#!/bin/sh\necho own\n"
    );
    site.git(&["config", "--global", "init.templateDir"])
        .passes();
}

/// A repository with a bare remote called `origin`, which has `main`.
fn with_remote() -> Site {
    let site = Site::new();
    site.repo
        .git_in(".", &["init", "-q", "--bare", "-b", "main", "server.git"]);
    let server = site.repo.beside("server.git");
    site.git(&["remote", "add", "origin", server.to_str().unwrap()])
        .passes();
    site.repo.commit_file("README", "x\n");
    site.git(&["push", "-q", "origin", "main"]).passes();
    site
}

/// Commits a file without asking a hook.
fn unasked(site: &Site, path: &str, content: impl AsRef<[u8]>) -> String {
    site.repo.write(path, content);
    site.git(&["add", "-Af"]).passes();
    site.git(&["commit", "-qnm", path]).passes();
    site.repo.id("HEAD")
}

#[test]
fn a_push_is_scanned_for_what_the_remote_has_not() {
    let site = with_remote();
    site.run(&["hook", "install", "-t", "pre-push"]).passes();
    let key = fake::github_pat(30);
    let clean = site.git(&["push", "-q"]).text;
    assert!(!clean.contains("keysweep"), "{clean}");

    // The key is gone again by the tip; it would be published all the same.
    let bad = unasked(&site, "k.env", env(&key));
    unasked(&site, "k.env", "TOKEN=\n");
    site.git(&["push", "-q", "origin", "main"])
        .hides(&key)
        .fails(
            1,
            &[
                "k.env:1:7",
                "The push is blocked: it would publish 1 secret",
                &format!("git rebase -i {}^", &bad[..10]),
                ".keysweepignore",
                "git push --no-verify",
            ],
        );
    // A new branch, a tag, a push of several refs.
    site.git(&["push", "-q", "origin", "main:refs/heads/new"])
        .fails(1, &["k.env:1:7"]);
    site.git(&["tag", "v1"]).passes();
    site.git(&["push", "-q", "origin", "v1"])
        .fails(1, &["k.env:1:7"]);
    site.git(&["push", "-q", "origin", "HEAD~2:refs/heads/fine", "main"])
        .fails(1, &["k.env:1:7"]);
    // Once it is there, it blocks no more.
    site.git(&["push", "-q", "--no-verify", "origin", "main"])
        .passes();
    let server = site.repo.beside("server.git");
    unasked(&site, "more", "text\n");
    site.git(&["push", "-q", "origin", "main", "main:refs/heads/new", "v1"])
        .passes();
    assert_eq!(
        site.repo.git_in("server.git", &["rev-parse", "new"]),
        site.repo.id("HEAD")
    );

    // Deletes; a branch that goes back; a branch that goes another way.
    site.git(&["push", "-q", "origin", ":new", ":refs/tags/v1"])
        .passes();
    site.git(&["push", "-qf", "origin", "HEAD~1:main"]).passes();
    site.git(&["checkout", "-qb", "other", "HEAD~3"]).passes();
    unasked(&site, "o.env", env(&fake::github_pat(31)));
    site.git(&["push", "-qf", "origin", "other:main"])
        .fails(1, &["o.env:1:7"]);
    // The message of a tag, and of a commit.
    site.git(&["checkout", "-q", "main"]).passes();
    let in_tag = fake::github_pat(32);
    site.git(&["tag", "-am", &format!("the token is {in_tag}"), "v2"])
        .passes();
    site.git(&["push", "-q", "origin", "v2"])
        .hides(&in_tag)
        .fails(1, &["message of tag"]);
    let in_message = fake::github_pat(33);
    site.git(&[
        "commit",
        "-q",
        "--allow-empty",
        "-m",
        &format!("use {in_message}"),
    ])
    .passes();
    site.git(&["push", "-q", "origin", "main"])
        .hides(&in_message)
        .fails(1, &["in commit"]);
    drop(server);
}

#[test]
fn the_first_push_brings_everything() {
    let site = Site::new();
    site.repo
        .git_in(".", &["init", "-q", "--bare", "server.git"]);
    let server = site.repo.beside("server.git");
    let server = server.to_str().unwrap();
    site.run(&["hook", "install", "-t", "pre-push"]).passes();
    let key = fake::github_pat(34);
    unasked(&site, "README", "x\n");
    unasked(&site, "k.env", env(&key));
    unasked(&site, "k.env", "TOKEN=\n");
    // By address and by name.
    site.git(&["push", "-q", server, "main"])
        .fails(1, &["k.env:1:7"]);
    site.git(&["remote", "add", "origin", server]).passes();
    site.git(&["push", "-q", "origin", "main"])
        .hides(&key)
        .fails(1, &["k.env:1:7"]);
    site.git(&["push", "-q", "origin", "HEAD~2:refs/heads/main"])
        .passes();
}

#[test]
fn others_hooks_get_the_refs_too() {
    let site = with_remote();
    site.foreign(
        "pre-push",
        "echo \"theirs: $1\"; while read -r line; do echo \"got: $line\"; done; [ ! -e ../stop ]\n",
    );
    site.run(&["hook", "install", "-t", "pre-push"])
        .passes()
        .tells(&["runs after it"]);
    let id = unasked(&site, "a", "text\n");
    site.git(&["push", "-q", "origin", "main", "main:refs/heads/second"])
        .passes()
        .tells(&[
            "theirs: origin",
            &format!("got: refs/heads/main {id} refs/heads/main"),
            "refs/heads/second",
        ]);
    // What may send something is not asked before the scan.
    unasked(&site, "k.env", env(&fake::github_pat(35)));
    let said = site
        .git(&["push", "-q", "origin", "main"])
        .fails(1, &["k.env:1:7"]);
    assert!(!said.text.contains("theirs"), "{}", said.text);
    write(&site.repo.beside("stop"), "");
    site.git(&["reset", "-q", "--hard", "HEAD~1"]).passes();
    unasked(&site, "b", "text\n");
    site.git(&["push", "-q", "origin", "main"])
        .fails(1, &["theirs"]);
    // One that reads nothing does no harm.
    fs::remove_file(site.repo.beside("stop")).unwrap();
    script(&site.hook("pre-push.before-keysweep"), "exit 0\n");
    let said = site.git(&["push", "-q", "origin", "main"]).passes();
    assert_eq!(said.text, "");
}

#[test]
fn lines_that_git_does_not_write_are_refused() {
    let site = with_remote();
    for (kind, line) in [
        ("pre-push", "refs/heads/main abc refs/heads/main\n"),
        ("pre-receive", "what is this\n"),
    ] {
        let mut command = site.command(&keysweep(), &site.repo.path());
        command
            .args(["hook", "run", kind, "origin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), line.as_bytes()).unwrap();
        said(&child.wait_with_output().unwrap()).fails(2, &["standard input, line 1", kind]);
    }
}

/// A server whose folder is this, with the hook for what it receives.
fn with_server(name: &str) -> (Site, PathBuf) {
    let site = Site::new();
    site.repo
        .git_in(".", &["init", "-q", "--bare", "-b", "main", name]);
    let server = site.repo.beside(name);
    site.git(&["config", "remote.origin.url", server.to_str().unwrap()])
        .passes();
    site.git(&[
        "config",
        "remote.origin.fetch",
        "+refs/heads/*:refs/remotes/origin/*",
    ])
    .passes();
    site.run_in(&server, &["hook", "install"])
        .fails(2, &["--type pre-receive"]);
    site.run(&[
        "hook",
        "install",
        "-t",
        "pre-receive",
        server.to_str().unwrap(),
    ])
    .passes();
    (site, server)
}

#[test]
fn a_server_refuses_what_brings_a_key() {
    // With a colon, git quotes the folders of objects that it names to the hook.
    for name in ["server.git", "ser:ver \"ü.git"] {
        let (site, server) = with_server(name);
        let key = fake::github_pat(40);
        unasked(&site, "README", "x\n");
        let push = |refs: &[&str]| site.git(&[&["push", "-q", "-f", "origin"], refs].concat());
        push(&["main"]).passes();
        unasked(&site, "k.env", env(&key));
        unasked(&site, "k.env", "TOKEN=\n");
        let said = push(&["main"]).hides(&key).fails(
            1,
            &[
                "k.env:1:7",
                "The push is blocked: it would bring 1 secret",
                "rejected",
            ],
        );
        assert!(!said.text.contains("--no-verify"), "{}", said.text);
        push(&["main:refs/heads/new"]).fails(1, &["k.env:1:7"]);
        // One bad ref among good ones holds up all.
        push(&["main~2:refs/heads/good", "main"]).fails(1, &["k.env:1:7"]);
        assert_eq!(
            site.repo
                .git_in(name, &["for-each-ref", "--format=%(refname)"]),
            "refs/heads/main"
        );
        // What some ref of the server has does not block, whatever it is called.
        fs::rename(server.join("hooks/pre-receive"), server.join("hooks/off")).unwrap();
        push(&["main:refs/heads/secret"]).passes();
        fs::rename(server.join("hooks/off"), server.join("hooks/pre-receive")).unwrap();
        unasked(&site, "more", "text\n");
        push(&["main", "main:refs/heads/new"]).passes();
        push(&[":refs/heads/new"]).passes();
        push(&["main~1:main"]).passes();
        let in_tag = fake::github_pat(41);
        site.git(&["tag", "-am", &format!("token {in_tag}"), "v1"])
            .passes();
        push(&["v1"]).hides(&in_tag).fails(1, &["message of tag"]);
        site.run_in(&server, &["hook", "uninstall"]).passes();
        assert!(!server.join("hooks/pre-receive").exists());
    }
}

#[test]
fn the_first_push_to_a_server() {
    let (site, server) = with_server("server.git");
    let key = fake::github_pat(42);
    unasked(&site, "README", "x\n");
    unasked(&site, "k.env", env(&key));
    unasked(&site, "k.env", "TOKEN=\n");
    site.git(&["push", "-q", "origin", "main"])
        .hides(&key)
        .fails(1, &["k.env:1:7"]);
    // As a pack, not as loose objects.
    site.git_in(&server, &["config", "receive.unpackLimit", "1"])
        .passes();
    site.git(&["push", "-q", "origin", "main"])
        .hides(&key)
        .fails(1, &["k.env:1:7"]);
    site.git(&["push", "-q", "origin", "main~2:refs/heads/main"])
        .passes();
    site.git(&["push", "-q", "origin", "main"])
        .fails(1, &["k.env:1:7"]);
}

#[test]
fn a_server_may_let_a_push_through_when_asked() {
    let (site, server) = with_server("server.git");
    site.git_in(&server, &["config", "receive.advertisePushOptions", "true"])
        .passes();
    unasked(&site, "k.env", env(&fake::github_pat(43)));
    let skip = ["push", "-q", "-o", "keysweep.skip", "origin", "main"];
    site.git(&skip).fails(1, &["only who runs the server"]);
    let hook = server.join("hooks/pre-receive");
    let text = fs::read_to_string(&hook).unwrap();
    fs::write(
        &hook,
        text.replace("hook run pre-receive", "hook run --allow-skip pre-receive"),
    )
    .unwrap();
    site.git(&["push", "-q", "origin", "main"])
        .fails(1, &["git push -o keysweep.skip"]);
    site.git(&skip)
        .passes()
        .tells(&["not scanned", "keysweep.skip"]);
}

#[test]
fn what_a_hook_framework_says_in_the_environment() {
    let site = with_remote();
    let run = |kind: &str, variables: &[(&str, &str)]| {
        let mut command = site.command(&keysweep(), &site.repo.path());
        command.args(["hook", "run", kind]).env("PRE_COMMIT", "1");
        said(&command.envs(variables.iter().copied()).output().unwrap())
    };
    let bad = unasked(&site, "k.env", env(&fake::github_pat(50)));
    let end = unasked(&site, "k.env", "TOKEN=\n");
    // Nothing is staged: all files, as `run --all-files` means it, but not in a commit.
    run("pre-commit", &[]).passes();
    unasked(&site, "all.env", env(&fake::github_pat(51)));
    let said = run("pre-commit", &[]).fails(1, &["all.env:1:7"]);
    assert!(!said.text.contains("k.env"), "{}", said.text);
    run("pre-commit", &[("GIT_INDEX_FILE", ".git/index")]).passes();
    site.git(&["reset", "-q", "--hard", "HEAD~1"]).passes();
    // A range, with either hook's name.
    for kind in ["pre-commit", "pre-push"] {
        run(
            kind,
            &[
                ("PRE_COMMIT_FROM_REF", "origin/main"),
                ("PRE_COMMIT_TO_REF", "HEAD"),
            ],
        )
        .fails(1, &["k.env:1:7"]);
        run(
            kind,
            &[("PRE_COMMIT_FROM_REF", &bad), ("PRE_COMMIT_TO_REF", &end)],
        )
        .passes();
        run(
            kind,
            &[
                ("PRE_COMMIT_FROM_REF", "nothing"),
                ("PRE_COMMIT_TO_REF", "HEAD"),
            ],
        )
        .fails(2, &["nothing"]);
        // A branch that shares nothing with the remote.
        let push = [
            ("PRE_COMMIT_REMOTE_NAME", "origin"),
            ("PRE_COMMIT_LOCAL_BRANCH", "refs/heads/main"),
        ];
        run(kind, &push).fails(1, &["k.env:1:7"]);
    }
}

#[test]
fn time_that_is_over_is_said_aloud() {
    let site = Site::hooked();
    site.stage("k.env", env(&fake::github_pat(52)));
    let run = ["hook", "run", "pre-commit", "--time-limit", "0.0001"];
    let words = [
        "stopped after 0.0001 s (--time-limit)",
        "not everything could be scanned",
    ];
    site.run(&run).fails(2, &words);
    site.run(&[&run[..], &["--keep-going"]].concat())
        .passes()
        .tells(&words[..1]);
    site.run(&["hook", "run", "pre-commit", "--time-limit", "600"])
        .fails(1, &["k.env:1:7"]);
    site.run(&["hook", "run", "pre-commit", "--time-limit", "0"])
        .fails(2, &["--time-limit"]);
}

#[test]
fn machine_formats_are_given_without_advice() {
    let site = Site::hooked();
    site.stage("k.env", env(&fake::github_pat(53)));
    let mut command = site.command(&keysweep(), &site.repo.path());
    command.args(["hook", "run", "pre-commit", "--format", "jsonl"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let lines: Vec<serde_json::Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["rule"], "github-pat-classic");
    assert_eq!(lines[1]["kind"], "summary");
}

#[test]
fn a_configured_format_does_not_change_what_a_hook_says() {
    let site = Site::hooked();
    site.repo
        .write("keysweep.toml", "[report]\nformat = \"html\"\n");
    let key = fake::github_pat(54);
    site.stage("k.env", env(&key));
    let blocked = site.commit().hides(&key);
    let blocked = blocked.fails(1, &["k.env:1:7", "The commit is blocked"]);
    assert!(!blocked.text.contains("<html"), "{}", blocked.text);
    let mut command = site.command(&keysweep(), &site.repo.path());
    command.env("KEYSWEEP_FORMAT", "json");
    let run = command.args(["hook", "run", "pre-commit"]).output();
    said(&run.unwrap()).fails(1, &["The commit is blocked"]);
    // Other commands go by the file, and the command line by itself.
    site.run(&["git", "--staged"]).fails(1, &["<html"]);
    let json = site.run(&["hook", "run", "pre-commit", "--format", "json"]);
    assert!(json.text.starts_with('['), "{}", json.text);
}

#[test]
fn a_name_with_a_key_does_not_pass() {
    let site = with_remote();
    site.run(&["hook", "install"]).passes();
    let key = fake::github_pat(55);
    let file = format!("{key}.txt");
    site.stage(&file, "hi\n");
    site.commit()
        .hides(&key)
        .fails(1, &["in the name of a file", "another one: git mv"]);
    site.git(&["mv", &file, "fine.txt"]).passes();
    site.commit().passes();
    // A branch of commits that the other side has, and one beside new commits.
    site.git(&["push", "-q", "origin", "main"]).passes();
    site.run(&["hook", "install", "-t", "pre-push"]).passes();
    let to = format!("main:refs/heads/b-{key}");
    let push = || site.git(&["push", "-q", "origin", &to]).hides(&key);
    push().fails(1, &["in the name of a ref", "git branch -m"]);
    unasked(&site, "more", "x\n");
    push().fails(1, &["in the name of a ref", "git branch -m"]);
    site.git(&["push", "-q", "origin", "main:refs/heads/good"])
        .passes();
    // Where it is there already it is nobody's news.
    site.git(&["push", "-q", "--no-verify", "origin", &to])
        .passes();
    unasked(&site, "more", "y\n");
    push().passes();
    site.git(&["push", "-q", "origin", &format!(":refs/heads/b-{key}")])
        .passes();
}

#[test]
fn a_server_scans_the_names_of_refs() {
    let (site, _) = with_server("server.git");
    let key = fake::github_pat(56);
    unasked(&site, "README", "x\n");
    let to = format!("main:refs/heads/b-{key}");
    // git's own lines have the name; the hook's have not.
    let push = |to: &str| {
        let mut said = site.git(&["push", "-q", "origin", to]);
        let lines = said.text.lines();
        let ours: Vec<&str> = lines.filter(|l| l.starts_with("remote: ")).collect();
        said.text = ours.join("\n");
        said.hides(&key)
    };
    // Before there is anything, and onto commits that are there.
    push(&to).fails(1, &["in the name of a ref", "git branch -m"]);
    push("main").passes();
    let said = push(&to).fails(1, &["in the name of a ref", "git branch -m"]);
    assert!(!said.text.contains("git rebase"), "{}", said.text);
    push("main:refs/heads/good").passes();
}

#[test]
fn a_server_advises_what_works_there() {
    let (site, _) = with_server("server.git");
    let key = fake::github_pat(57);
    let push = || site.git(&["push", "-q", "origin", "main"]).hides(&key);
    // The first push brings a first commit, which has nothing before it.
    for before in [0, 1] {
        if before == 1 {
            site.repo.write("README", "x\n");
        }
        site.repo.write("k.env", env(&key));
        site.git(&["add", "-Af"]).passes();
        site.git(&["commit", "-qnm", "bring"]).passes();
        let first = site.repo.id("HEAD");
        unasked(&site, "more", format!("{before}\n"));
        let rebase = if before == 0 {
            "git rebase -i --root".to_owned()
        } else {
            format!("git rebase -i {}^", &first[..10])
        };
        let line = "above line 1 of k.env, in the same commit:";
        let said = push().fails(1, &[&rebase, line, "# keysweep:allow github-pat-classic"]);
        assert!(!said.text.contains(".keysweepignore"), "{}", said.text);
        // What it gives helps.
        let mark = said.text.lines().find(|l| l.contains("keysweep:allow"));
        let mark = mark.unwrap().trim_start_matches("remote:").trim();
        let parent = format!("{first}~{before}");
        site.git(&["reset", "-q", "--soft", &parent]).passes();
        site.repo.write("k.env", format!("{mark}\n{}", env(&key)));
        site.git(&["add", "-Af"]).passes();
        let amend: &[&str] = if before == 0 { &["--amend"] } else { &[] };
        site.git(&[&["commit", "-qnm", "marked"], amend].concat())
            .passes();
        push().passes();
        // The next round brings it where no mark is.
        unasked(&site, "k.env", "gone\n");
        push().passes();
    }
    let other = fake::github_pat(58);
    unasked(&site, "k.json", format!("{{\"token\": \"{other}\"}}\n"));
    let said = push().fails(1, &["for k.json only who runs the server can accept it:"]);
    assert!(!said.text.contains(".keysweepignore"), "{}", said.text);
}
