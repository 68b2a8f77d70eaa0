//! Which folder may import which: the table of ARCHITECTURE.md, kept.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

use crate::support::repository_file;

/// Folder of `src/`, and the folders that it may import beside itself.
const EDGES: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("rule", &["model"]),
    ("config", &["model", "rule"]),
    ("decode", &["model"]),
    ("filter", &["model", "rule"]),
    ("place", &["model", "rule", "filter", "config"]),
    ("pack", &["model"]),
    ("history", &["model", "pack"]),
    ("source", &["model", "config", "place", "history"]),
    (
        "scan",
        &[
            "model", "rule", "config", "decode", "filter", "place", "pack", "history", "source",
        ],
    ),
    ("import", &["model", "rule", "place", "config"]),
    ("report", &["model", "rule", "scan"]),
    ("net", &["model"]),
    ("provider", &["model", "rule", "net"]),
    ("verify", &["model", "net", "provider"]),
    ("ledger", &["model", "report"]),
    (
        "respond",
        &["model", "source", "net", "provider", "verify", "ledger"],
    ),
    ("cli", &["keysweep"]),
    ("main", &["cli"]),
    (
        "lib",
        &[
            "model", "rule", "config", "decode", "filter", "place", "pack", "history", "source",
            "scan", "import", "report", "net", "provider", "verify", "ledger", "respond",
        ],
    ),
];

/// Crates that only the program uses.
const PROGRAM_ONLY: &[&str] = &[
    "anyhow",
    "clap",
    "clap_complete",
    "clap_mangen",
    "indicatif",
    "anstream",
    "ctrlc",
    "crossterm",
];

/// What the library asks nobody for: clocks, the environment, the end of the process.
const NOT_IN_LIBRARY: &[&[&str]] = &[
    &["std", "env"],
    &["std", "process"],
    &["std", "time", "SystemTime"],
    &["std", "time", "Instant"],
];

/// A path in a file, from the crate's root or an external crate.
type Import = Vec<String>;

struct Imports {
    /// The module that is being read.
    module: Vec<String>,
    found: BTreeSet<Import>,
}

impl Imports {
    fn add(&mut self, segments: &[String]) {
        let mut rest = segments;
        let mut base = self.module.clone();
        match rest.first().map(String::as_str) {
            Some("crate") => {
                base.clear();
                rest = &rest[1..];
            }
            Some("self") => rest = &rest[1..],
            Some("super") => {
                while rest.first().is_some_and(|s| s == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            _ => {
                self.found
                    .insert([vec!["::".to_owned()], segments.to_vec()].concat());
                return;
            }
        }
        base.extend(rest.iter().cloned());
        self.found.insert(base);
    }

    fn tree(&mut self, before: &[String], tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(p) => {
                let mut path = before.to_vec();
                path.push(p.ident.to_string());
                self.tree(&path, &p.tree);
            }
            syn::UseTree::Name(n) => self.add(&[before, &[n.ident.to_string()]].concat()),
            syn::UseTree::Rename(r) => self.add(&[before, &[r.ident.to_string()]].concat()),
            syn::UseTree::Glob(_) => self.add(before),
            syn::UseTree::Group(g) => g.items.iter().for_each(|t| self.tree(before, t)),
        }
    }
}

impl<'ast> Visit<'ast> for Imports {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        if segments.len() > 1 {
            self.add(&segments);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        let text = mac.tokens.to_string().replace(' ', "");
        for root in ["crate::", "keysweep::"] {
            for (at, _) in text.match_indices(root) {
                let path: Vec<String> = text[at..]
                    .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
                    .next()
                    .into_iter()
                    .flat_map(|p| p.split("::"))
                    .filter(|s| !s.is_empty())
                    .map(str::to_owned)
                    .collect();
                self.add(&path);
            }
        }
        visit::visit_macro(self, mac);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

/// Files below `src/` with the folder that they belong to and what they import.
fn imports() -> Vec<(String, String, BTreeSet<Import>)> {
    let root = repository_file("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    files
        .into_iter()
        .map(|path| {
            let relative = path.strip_prefix(&root).unwrap().with_extension("");
            let mut module: Vec<String> = relative
                .iter()
                .map(|c| c.to_str().unwrap().to_owned())
                .filter(|c| c != "mod")
                .collect();
            let folder = module[0].clone();
            if matches!(folder.as_str(), "main" | "lib") {
                module.clear();
            }
            let file = syn::parse_file(&fs::read_to_string(&path).unwrap()).unwrap();
            let mut imports = Imports {
                module,
                found: BTreeSet::new(),
            };
            imports.visit_file(&file);
            (folder, relative.display().to_string(), imports.found)
        })
        .collect()
}

#[test]
fn folders_import_only_what_is_listed() {
    let mut wrong = Vec::new();
    for (folder, file, imports) in imports() {
        let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == folder) else {
            wrong.push(format!(
                "{file}: `{folder}` is not in the table of tests/it/layering.rs"
            ));
            continue;
        };
        for import in imports {
            let first = import.first().map_or("", String::as_str);
            let (target, known) = if first == "::" {
                let name = import[1].as_str();
                (name, name == "keysweep" || PROGRAM_ONLY.contains(&name))
            } else {
                (first, EDGES.iter().any(|(name, _)| *name == first))
            };
            let program = matches!(folder.as_str(), "cli" | "main");
            let fine = !known
                || target == folder
                || allowed.contains(&target)
                || (program && PROGRAM_ONLY.contains(&target));
            if !fine {
                wrong.push(format!("{file}: imports `{}`", import.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_library_has_no_clock_and_reads_no_environment() {
    let mut wrong = Vec::new();
    for (folder, file, imports) in imports() {
        if matches!(folder.as_str(), "cli" | "main") || file.contains("tests") {
            continue;
        }
        for import in imports.iter().filter(|i| i[0] == "::") {
            if NOT_IN_LIBRARY.iter().any(|path| {
                import[1..].starts_with(&path.iter().map(ToString::to_string).collect::<Vec<_>>())
            }) {
                wrong.push(format!("{file}: uses `{}`", import[1..].join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
