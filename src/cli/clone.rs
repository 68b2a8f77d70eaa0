//! Repositories elsewhere: the user's git clones them into a temporary folder.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use tempfile::TempDir;

use super::input::Interrupted;
use super::progress::stopped;

/// Between two looks at git.
const PAUSE: Duration = Duration::from_millis(25);

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
        let mut child = match git.spawn() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
                "there is no git on the PATH, which clones addresses; install it, or clone the repository and name its folder"
            ),
            other => other.context("git could not be run")?,
        };
        // Read meanwhile, so that git never waits for room.
        let said = child.stderr.take().map(|mut pipe| {
            std::thread::spawn(move || {
                let mut said = Vec::new();
                let _ = pipe.read_to_end(&mut said);
                said
            })
        });
        let status = wait(&mut child)?;
        if !status.success() {
            // A signal to the whole group can end git before it reaches us.
            if status.code().is_none() {
                std::thread::sleep(PAUSE * 4);
            }
            if stopped() {
                return Err(Interrupted.into());
            }
            let said = said.and_then(|thread| thread.join().ok());
            let said = String::from_utf8_lossy(&said.unwrap_or_default()).into_owned();
            let said = said.replace(address, &without_login(address));
            match said.trim() {
                "" => bail!("git could not clone it: {status}"),
                said => bail!("git could not clone it: {said}"),
            }
        }
        Ok(Self { folder })
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Waits for git, or for the wish to stop. Git is asked to end first, so that it can tidy up.
fn wait(child: &mut Child) -> anyhow::Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait().context("git could not be waited for")? {
            return Ok(status);
        }
        if stopped() {
            break;
        }
        std::thread::sleep(PAUSE);
    }
    ask_to_end(child);
    for _ in 0..20 {
        if matches!(child.try_wait(), Ok(Some(_))) {
            return Err(Interrupted.into());
        }
        std::thread::sleep(PAUSE);
    }
    let _ = child.kill();
    let _ = child.wait();
    Err(Interrupted.into())
}

#[cfg(unix)]
fn ask_to_end(child: &Child) {
    use rustix::process::{Pid, Signal, kill_process};
    // Git leaves those who transfer for it to notice by themselves, which takes as long as the server is silent. Where the
    // system lists children they are ended with it. A process group of their own would cut helpers off the terminal.
    let mut all = vec![child.id()];
    let mut next = 0;
    while let Some(id) = all.get(next).filter(|_| next < 100) {
        let list = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let list = list.unwrap_or_default();
        all.extend(
            list.split_whitespace()
                .filter_map(|id| id.parse::<u32>().ok()),
        );
        next += 1;
    }
    for id in all {
        if let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}

#[cfg(not(unix))]
fn ask_to_end(_: &Child) {}

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
