#!/usr/bin/env bash
# The hooks of .pre-commit-hooks.yaml under the programs that read it, on real repositories and without a network:
#
#   tests/hooks/frameworks.sh KEYSWEEP RUNNER...
#
# KEYSWEEP is the built program, each RUNNER a `pre-commit` or `prek`.
set -euo pipefail

readonly project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly keysweep=$(realpath "$1")
shift
runners=()
for runner in "$@"; do
    runners+=("$(cd "$(dirname "$runner")" && pwd)/$(basename "$runner")")
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME=$work/home PRE_COMMIT_HOME=$work/cache PREK_HOME=$work/cache-prek
export GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0
# The hooks find the program as `language: system` has it: on the PATH.
mkdir -p "$HOME" "$work/bin"
ln -s "$keysweep" "$work/bin/keysweep"
export PATH=$work/bin:$PATH
unset KEYSWEEP PRE_COMMIT GIT_DIR GIT_INDEX_FILE GIT_WORK_TREE
git config --global user.name Ann
git config --global user.email ann@example.org
git config --global init.defaultBranch main
git config --global protocol.file.allow always
git config --global advice.detachedHead false

fail() {
    printf 'frameworks.sh: %s\n' "$*" >&2
    [[ -e $work/out ]] && cat "$work/out" >&2
    exit 1
}

# Runs a command that must end well, or badly and with these words.
passes() { "$@" >"$work/out" 2>&1 || fail "failed: $*"; }

blocked() {
    local words=$1
    shift
    if "$@" >"$work/out" 2>&1; then fail "not blocked: $*"; fi
    grep -qF -- "$words" "$work/out" || fail "blocked without «$words»: $*"
    if grep -qF -- "$key" "$work/out"; then fail "the key is shown: $*"; fi
}

# Passes, and keysweep did run.
looked() {
    passes "$@"
    grep -q 'keysweep.*Passed' "$work/out" || fail "keysweep did not run: $*"
}

# A clone of this project, with its manifest as it is in the working tree.
published() {
    if git -C "$project" rev-parse --git-dir >/dev/null 2>&1; then
        git clone --quiet --no-hardlinks "$project" "$work/project"
    else
        git init --quiet "$work/project"
    fi
    cp "$project/.pre-commit-hooks.yaml" "$work/project"
    git -C "$work/project" add -f .pre-commit-hooks.yaml
    git -C "$work/project" commit --quiet --allow-empty -m 'as it is'
    git -C "$work/project" rev-parse HEAD
}

# Put together at run time, as the ones below, so that no scanner takes this script for a leak.
key=$("$project/benches/generate.py" --key)
readonly key
revision=$(published)
readonly revision

check() {
    local runner=$1 repo=$work/repo-${1##*/} remote=$work/remote-${1##*/}.git
    passes "$runner" validate-manifest "$work/project/.pre-commit-hooks.yaml"
    git init --quiet "$repo"
    git init --quiet --bare "$remote"
    cd "$repo"
    git remote add origin "$remote"
    cat >.pre-commit-config.yaml <<YAML
repos:
  - repo: $work/project
    rev: $revision
    hooks:
      - id: keysweep-system
YAML
    passes "$runner" install -t pre-commit -t pre-merge-commit -t pre-push
    # Beside it we install nothing, and say what to do.
    blocked 'looks after the hooks' "$keysweep" hook install

    echo text >a
    git add .
    looked git commit -m first
    echo more >>a
    looked git commit -am 'all that changed'
    looked "$runner" run --all-files

    # Staged, in a new file: blocked, from a subfolder too.
    mkdir -p sub
    printf 'TOKEN=%s\n' "$key" >sub/k.env
    git add -f sub/k.env
    # What is staged counts.
    printf 'TOKEN=\n' >sub/k.env
    blocked 'Three ways on' git commit -m key
    blocked 'sub/k.env:1:7' git -C sub commit -m key
    # Another file alone, with an index of its own, passes.
    echo more >>a
    looked git commit -m 'a alone' a
    git add sub/k.env
    looked git commit -m 'without the key'
    printf 'TOKEN=%s\n' "$key" >sub/k.env
    blocked 'sub/k.env:1:7' git commit -m 'k alone' sub/k.env
    git add sub/k.env
    blocked 'sub/k.env:1:7' git commit -m 'key'

    # It got in: all files are looked at although nothing is staged, and commits pass as before.
    git commit --quiet --no-verify -m key
    blocked 'sub/k.env:1:7' "$runner" run --all-files
    echo more >>a
    looked git commit -am 'a again'
    looked git commit --allow-empty -m 'nothing at all'
    looked git commit --amend --allow-empty -m 'nothing, said otherwise'

    # The first push brings all, a later one what is new.
    blocked 'sub/k.env:1:7' git push origin main
    passes git push --no-verify origin main
    echo more >>a
    looked git commit -am 'and again'
    looked git push origin main
    printf 'API_SECRET=sk_%s\n' live_51Mx9kHGj8kL2pQn4Y7vN3tK9sW5xR2zB1 >o.env
    git add -f o.env
    git commit --quiet --no-verify -m other
    git rm --quiet o.env
    git commit --quiet --no-verify -m 'gone again'
    blocked 'o.env:1:12' git push origin main
    blocked 'o.env:1:12' git push origin main:refs/heads/new
    blocked 'o.env:1:12' "$runner" run --from-ref origin/main --to-ref HEAD
    git reset --quiet --hard HEAD~2

    # A merge that needs no hand adds nothing that was not there.
    git checkout --quiet -b topic
    printf 'URL=postgres://app:%s@db.acme.io/orders\n' Vk7pQ2zLw9 >t.env
    git add -f t.env
    git commit --quiet --no-verify -m topic
    git checkout --quiet main
    echo more >>a
    git commit --quiet --no-verify -am main
    looked git merge --no-ff -m merge topic
    cd "$work"
}

for runner in "${runners[@]}"; do
    check "$runner"
done
