//! Real servers and emulators, which `tests/servers/` starts.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use keysweep::net::Client;

use super::playground::Playground;
use crate::support::repository_file;

/// One in a folder of its own; it ends with the test.
pub(super) struct Server {
    script: PathBuf,
    folder: tempfile::TempDir,
}

impl Server {
    /// Starts one by `tests/servers/NAME.sh`.
    pub(super) fn start(name: &str, arguments: &[&str]) -> Self {
        let server = Self {
            script: repository_file(&format!("tests/servers/{name}.sh")),
            folder: tempfile::Builder::new().prefix(name).tempdir().unwrap(),
        };
        server.script("start", arguments);
        server
    }

    /// Runs the server's script; what it prints.
    pub(super) fn script(&self, command: &str, arguments: &[&str]) -> String {
        let output = Command::new(&self.script)
            .arg(command)
            .arg(self.folder.path())
            .args(arguments)
            .output()
            .unwrap();
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {out}{err}");
        out.trim_end().to_owned()
    }

    /// A file of its folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What it wrote about itself.
    pub(super) fn file(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// A key that it made: `LEAK_ID`.
    pub(super) fn fact(&self, name: &str) -> String {
        let text = self.file("keys.env");
        let mut facts = text.lines().filter_map(|line| line.split_once('='));
        let fact = facts.find(|(known, _)| *known == name);
        fact.unwrap_or_else(|| panic!("no {name}")).1.to_owned()
    }

    /// Its address.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.file("port").trim())
    }

    /// A client that goes there in place of hosts.
    pub(super) fn client(&self, hosts: &[&str]) -> Client {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        Playground::at(&self.url(), &hosts, Duration::from_secs(10)).client
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be stopped already.
        let _ = Command::new(&self.script)
            .arg("stop")
            .arg(self.folder.path())
            .output();
    }
}
