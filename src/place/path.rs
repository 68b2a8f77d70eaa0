//! What a path says of its content.

use std::path::Path;

/// Sorts of file, by what an unquoted value means there and how likely examples are.
#[expect(clippy::struct_excessive_bools, reason = "independent marks of a path")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathKind {
    /// Settings: `.env`, YAML, INI, properties, …: a bare word behind `=` or `:` is a value.
    pub config: bool,
    /// Settings that hold no program: what stands behind the sign, to the end of the line, is the value.
    pub plain: Option<Plain>,
    /// Program text: a bare word behind `=` is a variable.
    pub code: bool,
    /// Prose: documentation, change logs.
    pub prose: bool,
    /// Tests, examples, fixtures, vendored code.
    pub example: bool,
    /// Made by a machine: lock files, source maps, catalogues of translations.
    pub generated: bool,
    /// A minified script, in which names and strings of a program stand side by side.
    pub minified: bool,
}

/// Sorts of settings by the signs with which a bare value may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plain {
    /// `.env`, properties, INI: with any.
    Lines,
    /// YAML: `*`, `&`, `!`, `@`, `%` and brackets have a meaning of their own.
    Yaml,
}

/// Names the sort of a file by its path.
#[must_use]
pub fn path_kind(path: &Path) -> PathKind {
    let name = path
        .file_name()
        .map(|n| n.to_string_lossy().to_ascii_lowercase())
        .unwrap_or_default();
    let ending = name.rsplit_once('.').map_or("", |(_, e)| e);
    let config = name.starts_with(".env")
        || name.contains("dockerfile")
        || name.contains("credentials")
        || name.starts_with(".npmrc")
        || name.starts_with(".netrc")
        || name.starts_with(".pypirc")
        || matches!(
            ending,
            "env"
                | "yml"
                | "yaml"
                | "properties"
                | "ini"
                | "conf"
                | "cfg"
                | "cnf"
                | "config"
                | "toml"
                | "json"
                | "json5"
                | "tfvars"
                | "xml"
                | "plist"
                | "envrc"
                | "service"
                | "settings"
                | "dockerfile"
                | "ps1"
                | "sh"
                | "bash"
                | "zsh"
                | "bat"
                | "cmd"
                | "mk"
                | "sql"
                | "hcl"
                | "tf"
                | "editorconfig"
                | "csv"
                | "log"
                | "example"
                | "sample"
                | "dist"
                | "template"
                | "tpl"
                | "j2"
                | "local"
        );
    let plain = match ending {
        "yml" | "yaml" => Some(Plain::Yaml),
        "env" | "properties" | "ini" | "cfg" | "cnf" => Some(Plain::Lines),
        _ if name.starts_with(".env") && name != ".envrc" => Some(Plain::Lines),
        _ => None,
    };
    let prose = matches!(
        ending,
        "md" | "markdown"
            | "rst"
            | "txt"
            | "adoc"
            | "asciidoc"
            | "html"
            | "htm"
            | "org"
            | "tex"
            | "pod"
            | "rdoc"
            | "textile"
    ) || name.starts_with("readme")
        || name.starts_with("changelog");
    let code = !config
        && !prose
        && matches!(
            ending,
            "c" | "h"
                | "cc"
                | "cpp"
                | "cxx"
                | "hpp"
                | "hh"
                | "m"
                | "mm"
                | "rs"
                | "go"
                | "java"
                | "kt"
                | "kts"
                | "scala"
                | "groovy"
                | "gradle"
                | "js"
                | "jsx"
                | "mjs"
                | "cjs"
                | "ts"
                | "tsx"
                | "vue"
                | "svelte"
                | "py"
                | "pyi"
                | "rb"
                | "erb"
                | "php"
                | "pl"
                | "pm"
                | "t"
                | "cs"
                | "fs"
                | "vb"
                | "swift"
                | "dart"
                | "lua"
                | "r"
                | "jl"
                | "ex"
                | "exs"
                | "erl"
                | "hs"
                | "ml"
                | "clj"
                | "cljs"
                | "el"
                | "lisp"
                | "tcl"
                | "sol"
                | "zig"
                | "nim"
                | "d"
                | "coffee"
                | "proto"
                | "graphql"
                | "css"
                | "scss"
                | "less"
                | "po"
                | "pot"
                | "ipynb"
        );
    let folders: Vec<String> = path
        .parent()
        .into_iter()
        .flat_map(|p| p.components())
        .map(|c| c.as_os_str().to_string_lossy().to_ascii_lowercase())
        .collect();
    let example_folder = |f: &String| {
        matches!(
            f.as_str(),
            "test"
                | "tests"
                | "testing"
                | "testdata"
                | "test-data"
                | "test_data"
                | "spec"
                | "specs"
                | "fixtures"
                | "fixture"
                | "__tests__"
                | "__mocks__"
                | "mocks"
                | "mock"
                | "examples"
                | "example"
                | "samples"
                | "sample"
                | "demo"
                | "demos"
                | "e2e"
                | "integration"
                | "t"
                | "vendor"
                | "third_party"
                | "node_modules"
                | "docs"
                | "doc"
                | "documentation"
                | "guides"
                | "site-packages"
                | "locale"
                | "locales"
                | "i18n"
        ) || f.ends_with("-test")
            || f.ends_with("_test")
            || f.ends_with("-tests")
            || f.ends_with("test")
            || f.starts_with("test-")
            || f.starts_with("test_")
    };
    let example = folders.iter().any(example_folder)
        || name.starts_with("test_")
        || name.contains("_test.")
        || name.contains(".test.")
        || name.contains("_spec.")
        || name.contains(".spec.")
        || name.contains("-test.")
        || name.starts_with("test.")
        || matches!(ending, "example" | "sample" | "template" | "tpl" | "dist")
        || name.ends_with("test.java")
        || name.ends_with("tests.java")
        || name.ends_with("test.kt")
        || name.ends_with("tests.kt")
        || name.ends_with("test.php")
        || name.ends_with("tests.cs");
    let generated = name.contains("lock.")
        || ending == "lock"
        || name.ends_with(".min.css")
        || matches!(ending, "map" | "sum" | "po" | "pot" | "svg" | "snap")
        || name == "go.sum";
    PathKind {
        config,
        plain,
        code,
        prose,
        example,
        generated,
        minified: name.ends_with(".min.js"),
    }
}

/// Whether a file's name says that a secret may be inside.
#[must_use]
pub fn is_notable(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let ending = name.rsplit_once('.').map_or("", |(_, e)| e);
    name == ".env"
        || name.starts_with(".env.")
        || matches!(
            ending,
            "env"
                | "pem"
                | "key"
                | "pfx"
                | "p12"
                | "jks"
                | "keystore"
                | "ppk"
                | "kdbx"
                | "tfvars"
                | "tfstate"
        )
        || (name.starts_with("id_") && ending != "pub" && !name.contains(' '))
        || matches!(
            name.as_str(),
            ".netrc"
                | "_netrc"
                | ".npmrc"
                | ".pypirc"
                | ".pgpass"
                | ".my.cnf"
                | ".git-credentials"
                | ".htpasswd"
                | "credentials"
                | "credentials.json"
                | "secrets.yml"
                | "secrets.yaml"
                | "secrets.json"
                | "kubeconfig"
                | ".dockercfg"
                | "master.key"
        )
}
