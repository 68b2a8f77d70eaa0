//! Repositories elsewhere: the user's git clones them into a temporary folder.

use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use tempfile::TempDir;

use super::input::Interrupted;
use super::progress::stopped;

/// Ways to a repository that git may take; above all not `ext`, which runs any program.
const PROTOCOLS: &str = "https:ssh:git:http:file";

/// A clone, gone with this value.
pub(crate) struct Clone {
    folder: TempDir,
}

impl Clone {
    /// Clones all refs of a repository. Nothing of it is checked out, no hook is installed or run, and nobody is asked for
    /// a password: credential helpers serve as the user has set them up.
    ///
    /// # Errors
    /// No git, no folder, or what git says.
    pub(crate) fn of(address: &str) -> anyhow::Result<Self> {
        if address.starts_with('-') {
            bail!("`{address}` is no address");
        }
        let folder = tempfile::Builder::new()
            .prefix("keysweep-")
            .tempdir()
            .context("cannot make a temporary folder for the clone")?;
        let mut git = git();
        git.args(["clone", "--quiet", "--mirror", "--template=", "--"])
            .arg(address)
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if !has_own_ssh() {
            git.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes");
        }
        let output = match ended(&mut git) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!(
                "there is no git on the PATH, which clones addresses; install it, or clone the repository and name its folder"
            ),
            other => other.context("git could not be run")?,
        };
        if stopped() {
            return Err(Interrupted.into());
        }
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.replace(address, &without_login(address));
            bail!("git could not clone it: {}", said.trim());
        }
        Ok(Self { folder })
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Runs git to its end, or until the user wants to stop.
fn ended(git: &mut Command) -> std::io::Result<Output> {
    let mut child = git.spawn()?;
    let said = child.stderr.take().map(|mut said| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = said.read_to_end(&mut bytes);
            bytes
        })
    });
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if stopped() {
            child.kill()?;
            break child.wait()?;
        }
        std::thread::sleep(LOOK);
    };
    // What git has started may hold its end of the pipe a little longer.
    let said = said
        .filter(|_| !stopped())
        .and_then(|said| said.join().ok());
    Ok(Output {
        status,
        stdout: Vec::new(),
        stderr: said.unwrap_or_default(),
    })
}

/// How often git is looked at.
const LOOK: Duration = Duration::from_millis(20);

fn git() -> Command {
    let mut git = Command::new("git");
    git.args([
        "-c",
        "core.hooksPath=/dev/null",
        "-c",
        "core.fsmonitor=false",
    ])
    .env("GIT_ALLOW_PROTOCOL", PROTOCOLS)
    .env("GIT_TERMINAL_PROMPT", "0")
    .env("GIT_ASKPASS", "")
    .env("SSH_ASKPASS", "")
    .env("GIT_LFS_SKIP_SMUDGE", "1")
    // These name the repository that a hook runs in, not the one to be made.
    .env_remove("GIT_DIR")
    .env_remove("GIT_WORK_TREE")
    .env_remove("GIT_INDEX_FILE")
    .env_remove("GIT_OBJECT_DIRECTORY")
    .env_remove("GIT_ALTERNATE_OBJECT_DIRECTORIES");
    git
}

/// Whether the user has said how to call ssh.
fn has_own_ssh() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| value != OsStr::new(""));
    if is_set("GIT_SSH_COMMAND") || is_set("GIT_SSH") {
        return true;
    }
    let asked = git()
        .args(["config", "--global", "--get", "core.sshCommand"])
        .stdin(Stdio::null())
        .output();
    asked.is_ok_and(|asked| asked.status.success())
}

/// An address without user and password, for reports.
pub(crate) fn without_login(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else {
        return address.to_owned();
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_not_shown() {
        let shown = [
            (
                "https://user:pass@host.example/a/b.git",
                "https://host.example/a/b.git",
            ),
            ("https://host.example/a@b", "https://host.example/a@b"),
            ("ssh://git@host.example", "ssh://host.example"),
            ("git@host.example:a/b", "git@host.example:a/b"),
        ];
        for (address, expected) in shown {
            assert_eq!(without_login(address), expected);
        }
    }
}
