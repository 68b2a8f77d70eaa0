//! How a comment is written in a file, by its name: for the line that accepts a finding.

use std::path::Path;

use keysweep::place::comment::OWN;

/// A comment that accepts findings of a rule, for the line above the `line` with that number; `None` for files that have no
/// comments, none that are known here, or other ones from part to part.
pub(super) fn accepting(path: &str, rule: &str, number: u32, line: &str) -> Option<String> {
    let (open, close) = marks(path)?;
    // Outside of its tags PHP puts a comment out as text, and nothing can stand above the first tag.
    let is_php = Path::new(path)
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("php"));
    if is_php && (number <= 1 || line.contains("<?") || line.contains("?>")) {
        return None;
    }
    // What must stand first: an XML declaration, and the line that names a script's interpreter.
    if number <= 1 && (open == "<!--" || line.trim_start().starts_with("#!")) {
        return None;
    }
    Some(format!("{open} {OWN} {rule}{close}"))
}

fn marks(path: &str) -> Option<(&'static str, &'static str)> {
    let path = Path::new(path);
    let lower = |part: Option<&std::ffi::OsStr>| {
        part.map(|part| part.to_string_lossy().to_ascii_lowercase())
            .unwrap_or_default()
    };
    let name = lower(path.file_name());
    let hash = Some(("#", ""));
    // `.env`, `.env.local`; names without an ending; names whose ending says nothing.
    if name.starts_with(".env") || name.starts_with("dockerfile") {
        return hash;
    }
    match name.as_str() {
        "makefile" | "gnumakefile" | "rakefile" | "gemfile" | "vagrantfile" | "procfile"
        | "brewfile" | "justfile" | "containerfile" | "cmakelists.txt" | "requirements.txt"
        | ".gitignore" | ".dockerignore" | ".gitattributes" | ".editorconfig" | ".bashrc"
        | ".bash_profile" | ".profile" | ".zshrc" | ".npmrc" | ".pgpass" | ".s3cfg" => {
            return hash;
        }
        "jenkinsfile" | "go.mod" => return Some(("//", "")),
        _ => {}
    }
    match lower(path.extension()).as_str() {
        "py" | "pyi" | "rb" | "sh" | "bash" | "zsh" | "fish" | "ksh" | "pl" | "pm" | "r" | "jl"
        | "yaml" | "yml" | "toml" | "env" | "envrc" | "conf" | "cfg" | "cnf" | "properties"
        | "tf" | "tfvars" | "hcl" | "nix" | "ps1" | "psm1" | "psd1" | "ex" | "exs" | "cmake"
        | "mk" | "graphql" | "gql" | "awk" | "tcl" | "cr" | "nim" | "gd" | "service" | "bzl"
        | "bazel" | "star" | "dockerfile" | "gemspec" | "rake" | "po" | "feature" | "coffee" => {
            hash
        }
        // Not jsx and tsx, where it is text between elements; not m, which MATLAB has, too.
        "rs" | "js" | "mjs" | "cjs" | "ts" | "mts" | "cts" | "java" | "kt" | "kts" | "go" | "c"
        | "h" | "cc" | "cpp" | "cxx" | "hh" | "hpp" | "mm" | "cs" | "swift" | "scala" | "sc"
        | "dart" | "groovy" | "gradle" | "proto" | "jsonc" | "json5" | "scss" | "less" | "zig"
        | "sol" | "php" | "fs" | "fsx" | "v" | "sv" | "cu" | "glsl" | "wgsl" | "bicep"
        | "jsonnet" | "libsonnet" | "rego" => Some(("//", "")),
        "sql" | "lua" | "hs" | "elm" | "adb" | "ads" | "vhd" | "vhdl" | "applescript" => {
            Some(("--", ""))
        }
        "ini" | "reg" | "lisp" | "lsp" | "clj" | "cljs" | "cljc" | "edn" | "el" | "scm" | "rkt"
        | "asm" => Some((";", "")),
        "tex" | "sty" | "bib" | "erl" | "hrl" => Some(("%", "")),
        "bat" | "cmd" => Some(("::", "")),
        "vb" | "vbs" | "bas" => Some(("'", "")),
        "vim" => Some(("\"", "")),
        "css" => Some(("/*", " */")),
        "html" | "htm" | "xhtml" | "xml" | "svg" | "xaml" | "plist" | "md" | "markdown"
        | "csproj" | "config" | "xsd" | "xsl" | "xslt" | "resx" | "pom" | "props" | "targets"
        | "wsdl" => Some(("<!--", " -->")),
        "ml" | "mli" => Some(("(*", " *)")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keysweep::place::comment::allows;

    #[test]
    fn each_comment_is_one_that_the_scanner_obeys() {
        let names = [
            "a.py",
            "a/b.rs",
            "q.sql",
            "x.ini",
            "p.tex",
            "r.bat",
            "s.css",
            "i.html",
            "m.ml",
            "b.vb",
            ".env",
            ".env.local",
            "Dockerfile",
            "Makefile",
            "v.vim",
        ];
        for name in names {
            let Some(line) = accepting(name, "some-rule", 2, "secret here") else {
                panic!("{name} has comments");
            };
            let text = format!("first\n{line}\nsecret here\n");
            let start = text.find("secret").unwrap_or_default();
            let span = start..start + 6;
            assert!(
                allows(text.as_bytes(), &span, "some-rule", None, &|_| Ok(())).is_some(),
                "{line}"
            );
            assert!(
                allows(text.as_bytes(), &span, "other-rule", None, &|_| Ok(())).is_none(),
                "{line}"
            );
        }
        for name in [
            "a.json", "id_rsa", "cert.pem", "data.csv", "noext", "a.ipynb", "a.jsx", "a.tsx",
            "a.m", "a.vue",
        ] {
            assert_eq!(accepting(name, "some-rule", 2, "secret"), None, "{name}");
        }
    }

    #[test]
    fn no_comment_is_put_where_php_prints_it() {
        let at = |number, line: &str| accepting("a/B.PHP", "r", number, line);
        assert_eq!(at(2, "$key = 'x';").as_deref(), Some("// keysweep:allow r"));
        assert_eq!(at(1, "$key = 'x';"), None);
        assert_eq!(at(7, "<p><?= 'x' ?></p>"), None);
    }

    #[test]
    fn nothing_is_to_stand_above_what_must_stand_first() {
        assert_eq!(accepting("a.xml", "some-rule", 1, "<?xml version"), None);
        assert_eq!(accepting("a.sh", "some-rule", 1, "#!/bin/sh -x"), None);
        assert!(accepting("a.xml", "some-rule", 2, "<a>").is_some());
        assert!(accepting("a.sh", "some-rule", 1, "key=").is_some());
    }
}
