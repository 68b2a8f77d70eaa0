//! Installing and removing hooks. Where they lie is asked of git, which knows of `core.hooksPath`, work trees and includes.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use super::manager::Manager;
use super::script::{self, KEPT, Parts};
use super::{InstallArgs, Kind};
use crate::cli::args::Shared;
use crate::cli::console;
use crate::cli::exit::Exit;

/// Most bytes of a hook that is looked into; a longer one is a program.
const MOST: u64 = 1 << 20;

/// Where hooks go.
struct Target {
    /// The folder of hooks.
    hooks: PathBuf,
    /// The top of the working tree, where there is one.
    top: Option<PathBuf>,
    /// Whether it is a bare repository.
    bare: bool,
}

/// Runs `hook install`.
pub(super) fn install(args: &InstallArgs, shared: &Shared) -> anyhow::Result<Exit> {
    let target = target(args, true)?;
    let kinds = match &*args.kinds {
        [] if target.bare => bail!(
            "this is a bare repository, to which nobody commits; for what is pushed to it: keysweep hook install --type pre-receive"
        ),
        [] => vec![Kind::PreCommit],
        kinds => kinds.to_vec(),
    };
    for kind in &kinds {
        if let Some((manager, file)) =
            Manager::of(target.top.as_deref(), &target.hooks, *kind).filter(|_| !args.force)
        {
            bail!("{}", manager.advice(*kind, &file));
        }
    }
    fs::create_dir_all(&target.hooks).with_context(|| {
        format!(
            "{}: this folder for hooks cannot be made",
            target.hooks.display()
        )
    })?;
    let in_tree = target.is_in_tree();
    let asks_no_push = kinds.contains(&Kind::PreCommit)
        && !kinds.contains(&Kind::PrePush)
        && fs::symlink_metadata(target.hooks.join(Kind::PrePush.name())).is_err();
    // Others may get a hook that lies in the working tree, and their keysweep lies elsewhere.
    let program = if in_tree { None } else { program() };
    for kind in kinds {
        let what = install_one(&target.hooks, kind, program.as_deref())?;
        console::say(shared, &what);
        if target.bare && kind != Kind::PreReceive || !target.bare && kind == Kind::PreReceive {
            let note = if target.bare {
                "runs in no bare repository"
            } else {
                "runs only where others push to"
            };
            console::say(shared, &format!("note that {} {note}", kind.name()));
        }
    }
    if asks_no_push {
        let note = "git asks pre-commit neither in clean merges, cherry-picks and rebases nor for messages; for these: \
            keysweep hook install --type pre-push";
        console::say(shared, note);
    }
    if in_tree {
        let note =
            "core.hooksPath leads into the working tree: commit the hook if all are to have it";
        console::say(shared, note);
    }
    if args.global {
        set_template(&target.hooks)?;
        let note = "runs in repositories that are made or cloned from now on; in one that is there, run `git init` or \
            `keysweep hook install`";
        console::say(shared, note);
    }
    Ok(Exit::Clean)
}

/// Runs `hook uninstall`.
pub(super) fn uninstall(args: &InstallArgs, shared: &Shared) -> anyhow::Result<Exit> {
    let target = target(args, false)?;
    let kinds = if args.kinds.is_empty() {
        Kind::ALL.to_vec()
    } else {
        args.kinds.clone()
    };
    let mut removed = 0;
    for kind in kinds {
        if let Some(what) = uninstall_one(&target.hooks, kind)? {
            console::say(shared, &what);
            removed += 1;
        }
    }
    if args.global {
        unset_template(&target.hooks)?;
    }
    if removed == 0 {
        let folder = target.hooks.display();
        console::say(shared, &format!("no hook of keysweep in {folder}"));
    }
    Ok(Exit::Clean)
}

fn install_one(hooks: &Path, kind: Kind, program: Option<&str>) -> anyhow::Result<String> {
    let hook = hooks.join(kind.name());
    let kept = kept(&hook);
    let shown = hook.display();
    let done = format!("{} installed: {shown}", kind.name());
    let Some(text) = read(&hook)? else {
        if fs::symlink_metadata(&kept).is_ok() {
            bail!(
                "{}: the hook that was here before keysweep's is kept in this file, but keysweep's is gone; rename it to {} \
                 or delete it, and install again",
                kept.display(),
                kind.name()
            );
        }
        write(&hook, script::whole(kind, program).as_bytes(), None)?;
        return Ok(done);
    };
    if let Some(parts) = Parts::of(&text) {
        let new = parts.with(&script::block(kind, program));
        if new == text {
            return Ok(format!("{} is installed already: {shown}", kind.name()));
        }
        let mode = fs::metadata(&hook).ok().map(|meta| meta.permissions());
        write(&hook, &new, mode)?;
        return Ok(format!("{} brought up to date: {shown}", kind.name()));
    }
    if script::calls_us(&text, kind) {
        return Ok(format!(
            "{} calls keysweep already, left as it is: {shown}",
            kind.name()
        ));
    }
    if fs::symlink_metadata(&kept).is_ok() {
        bail!(
            "{shown} is not keysweep's, and there is a {} beside it, too; put one of them aside, and install again",
            kept.display()
        );
    }
    fs::rename(&hook, &kept).with_context(|| format!("{shown}: cannot be moved aside"))?;
    if let Err(error) = write(&hook, script::whole(kind, program).as_bytes(), None) {
        let _ = fs::rename(&kept, &hook);
        return Err(error);
    }
    let order = match kind {
        Kind::PreCommit | Kind::PreMergeCommit => "before it",
        Kind::PrePush | Kind::PreReceive => "after it",
    };
    let kept = kept.file_name().unwrap_or_default().display();
    Ok(format!(
        "{done}\nkeysweep: the hook that was there is kept as {kept} and runs {order}"
    ))
}

fn uninstall_one(hooks: &Path, kind: Kind) -> anyhow::Result<Option<String>> {
    let hook = hooks.join(kind.name());
    let kept = kept(&hook);
    let has_kept = fs::symlink_metadata(&kept).is_ok();
    let shown = hook.display();
    let text = read(&hook)?;
    let Some(parts) = text.as_deref().and_then(Parts::of) else {
        if has_kept && text.is_none() {
            fs::rename(&kept, &hook).with_context(|| format!("{shown}: cannot be put back"))?;
            return Ok(Some(format!("{shown} is as it was before")));
        }
        return Ok(None);
    };
    if !parts.is_ours_alone() {
        if has_kept {
            bail!(
                "{shown} holds lines of others beside keysweep's, and what was there before is kept in {}; take keysweep's lines \
                 out by hand, and join the two",
                kept.display()
            );
        }
        let mode = fs::metadata(&hook).ok().map(|meta| meta.permissions());
        write(&hook, &parts.with(""), mode)?;
        return Ok(Some(format!(
            "{} removed from {shown}; the lines of others in it are left",
            kind.name()
        )));
    }
    if has_kept {
        // Over ours in one step, so that there is always a hook.
        fs::rename(&kept, &hook).with_context(|| format!("{shown}: cannot be put back"))?;
        return Ok(Some(format!("{shown} is as it was before")));
    }
    fs::remove_file(&hook).with_context(|| format!("{shown}: cannot be removed"))?;
    Ok(Some(format!("{} removed: {shown}", kind.name())))
}

/// Where the hook is kept that was there before.
fn kept(hook: &Path) -> PathBuf {
    let mut name = hook.as_os_str().to_owned();
    name.push(KEPT);
    PathBuf::from(name)
}

/// What a hook says; `None` where there is none. A link to nowhere is there and says nothing, and so does a program.
fn read(hook: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    if fs::symlink_metadata(hook).is_err() {
        return Ok(None);
    }
    match fs::metadata(hook) {
        Ok(meta) if !meta.is_file() => bail!("{}: not a file", hook.display()),
        Ok(meta) if meta.len() > MOST => Ok(Some(Vec::new())),
        Err(_) => Ok(Some(Vec::new())),
        Ok(_) => {
            let text = fs::read(hook);
            text.map(Some)
                .with_context(|| format!("{}: cannot be read", hook.display()))
        }
    }
}

/// Writes a hook beside its place, and moves it there when it is whole.
fn write(hook: &Path, text: &[u8], mode: Option<fs::Permissions>) -> anyhow::Result<()> {
    let folder = hook.parent().unwrap_or(Path::new("."));
    let failed = || format!("{}: cannot be written", hook.display());
    let mut file = tempfile::Builder::new()
        .prefix(".keysweep-")
        .tempfile_in(folder)
        .with_context(failed)?;
    file.write_all(text).with_context(failed)?;
    let mode = mode.or_else(executable);
    if let Some(mode) = mode {
        fs::set_permissions(file.path(), mode).with_context(failed)?;
    }
    // A link stays what it is; what it leads to is written.
    let place = fs::canonicalize(hook).unwrap_or_else(|_| hook.to_owned());
    file.persist(place).with_context(failed)?;
    Ok(())
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "there is none on other systems")]
fn executable() -> Option<fs::Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn executable() -> Option<fs::Permissions> {
    None
}

/// Where this program lies, for a hook that runs without the user's PATH.
fn program() -> Option<String> {
    let path = std::env::current_exe().ok()?;
    let text = path.to_str()?;
    // Hooks run in a shell of git's own on Windows, too.
    (!text.contains('\n')).then(|| text.replace('\\', "/"))
}

impl Target {
    /// Whether the hooks lie among the files of the working tree.
    fn is_in_tree(&self) -> bool {
        let parts = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        self.top.as_deref().is_some_and(|top| {
            let hooks = parts(&self.hooks);
            let inside = hooks.strip_prefix(parts(top));
            inside.is_ok_and(|inside| !inside.starts_with(".git"))
        })
    }
}

fn target(args: &InstallArgs, make: bool) -> anyhow::Result<Target> {
    if args.global {
        return Ok(Target {
            hooks: template(make)?.join("hooks"),
            top: None,
            bare: false,
        });
    }
    let repo = &args.repo;
    let bare = git(repo, &["rev-parse", "--is-bare-repository"])? == "true";
    let (top, place) = if bare {
        let folder = PathBuf::from(git(repo, &["rev-parse", "--absolute-git-dir"])?);
        (None, folder)
    } else {
        let top = PathBuf::from(git(repo, &["rev-parse", "--show-toplevel"])?);
        (Some(top.clone()), top)
    };
    // Asked at the top: git gives the path from where it is asked, and runs hooks there.
    let hooks = place.join(git(&place, &["rev-parse", "--git-path", "hooks"])?);
    let scope = git(
        &place,
        &["config", "--show-scope", "--get", "core.hooksPath"],
    );
    let scope = scope.unwrap_or_default();
    let scope = scope.split_whitespace().next();
    if let Some(scope @ ("global" | "system")) = scope
        && !args.force
    {
        bail!(
            "core.hooksPath is set in git's {scope} configuration, so {} serves all your repositories; to install there: \
             keysweep hook {} --force",
            hooks.display(),
            if make { "install" } else { "uninstall" },
        );
    }
    if hooks.exists() && !hooks.is_dir() {
        bail!(
            "{} is no folder, so that no hook runs in this repository; change core.hooksPath first: git config --show-origin \
             --get core.hooksPath says where it is set",
            hooks.display()
        );
    }
    Ok(Target { hooks, top, bare })
}

/// The template of new repositories: the user's, or one of our own.
fn template(make: bool) -> anyhow::Result<PathBuf> {
    let here = Path::new(".");
    let set = git(
        here,
        &["config", "--global", "--path", "--get", "init.templateDir"],
    );
    if let Ok(set) = set
        && !set.is_empty()
    {
        return Ok(PathBuf::from(set));
    }
    let own = own_template()?;
    if !make && !own.is_dir() {
        bail!("no hook of keysweep in git's template: init.templateDir is not set");
    }
    Ok(own)
}

fn own_template() -> anyhow::Result<PathBuf> {
    let folder = |name: &str| {
        let path = std::env::var_os(name).map(PathBuf::from);
        path.filter(|path| path.is_absolute())
    };
    let home = || folder("HOME").map(|home| home.join(".config"));
    let base = if cfg!(windows) {
        folder("APPDATA")
    } else {
        folder("XDG_CONFIG_HOME").or_else(home)
    };
    let base = base.context("there is no home folder: HOME is not set")?;
    Ok(base.join("keysweep").join("git-template"))
}

/// Makes our template that of new repositories, where the user has none.
fn set_template(hooks: &Path) -> anyhow::Result<()> {
    let own = own_template()?;
    if hooks.parent() == Some(&own) {
        let path = own.to_str().context("the path is not UTF-8")?;
        git(
            Path::new("."),
            &["config", "--global", "init.templateDir", path],
        )?;
    }
    Ok(())
}

/// Undoes that when nothing is left in it.
fn unset_template(hooks: &Path) -> anyhow::Result<()> {
    let own = own_template()?;
    if hooks.parent() != Some(&own) {
        return Ok(());
    }
    // Folders with something in them stay.
    if fs::remove_dir(hooks).is_ok() && fs::remove_dir(&own).is_ok() {
        let unset = ["config", "--global", "--unset", "init.templateDir"];
        git(Path::new("."), &unset)?;
    }
    Ok(())
}

/// What git says in a folder, without the line's end.
fn git(folder: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let mut git = Command::new("git");
    git.arg("-C")
        .arg(folder)
        .args(arguments)
        .stdin(Stdio::null());
    let output = match git.output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!("there is no git on the PATH; it says where hooks lie")
        }
        other => other.context("git could not be run")?,
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim();
        bail!(
            "{}: {}",
            folder.display(),
            said.strip_prefix("fatal: ").unwrap_or(said)
        );
    }
    let said = String::from_utf8(output.stdout).context("git gives a path that is not UTF-8")?;
    Ok(said.trim_end_matches(['\n', '\r']).to_owned())
}
