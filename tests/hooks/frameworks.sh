#!/usr/bin/env bash
# The hooks of .pre-commit-hooks.yaml, and the recipes of hooks/README.md as they stand there, under the programs that read them,
# on real repositories and without a network:
#
#   tests/hooks/frameworks.sh KEYSWEEP RUNNER...
#
# KEYSWEEP is the built program, each RUNNER a `pre-commit`, `prek`, `lefthook`, `husky`, or a `git` whose configuration names hooks.
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

# The first block of the section of hooks/README.md with this title.
recipe() {
    awk -v title="## $1" '
        $0 == title { inside = 1; next }
        inside && /^## / { exit }
        inside && /^```/ { if (block) exit; block = 1; next }
        block' "$project/hooks/README.md"
}

# What every hook must do whoever calls it: a commit, a push, amended, merged, of some files, in a work tree.
check_recipe() {
    local repo=$1
    echo text >a
    git add .
    passes git commit -m first
    passes git push origin main

    mkdir -p sub
    printf 'TOKEN=%s\n' "$key" >sub/k.env
    git add -f sub/k.env
    # What is staged counts.
    printf 'TOKEN=\n' >sub/k.env
    blocked 'Three ways on' git commit -m key
    blocked 'sub/k.env:1:7' git -C sub commit -m key
    blocked 'sub/k.env:1:7' git commit --amend -m key
    echo more >>a
    passes git commit -m 'a alone' a
    git add sub/k.env
    passes git commit -m 'without the key'
    passes git commit --amend -m 'without the key, said otherwise'
    passes git push origin main

    printf 'TOKEN=%s\n' "$key" >sub/k.env
    git commit --quiet --no-verify -am key
    git rm --quiet sub/k.env
    git commit --quiet --no-verify -m 'gone again'
    blocked 'sub/k.env:1:7' git push origin main
    blocked 'sub/k.env:1:7' git push origin main:refs/heads/new
    git reset --quiet --hard HEAD~2

    # A merge that needs no hand, and one that does.
    git checkout --quiet -b topic
    echo topic >t
    echo topic >both
    git add .
    passes git commit -m topic
    git checkout --quiet main
    echo main >>a
    passes git commit -am main
    passes git merge --no-ff -m merge topic
    git checkout --quiet topic
    echo topic again >both
    passes git commit -am 'topic again'
    git checkout --quiet main
    echo main >both
    passes git commit -am both
    if git merge topic >/dev/null 2>&1; then fail 'the merge was to conflict'; fi
    printf 'TOKEN=%s\n' "$key" >both
    git add both
    blocked 'both:1:7' git commit -m 'by hand'
    echo both >both
    git add both
    passes git commit -m 'by hand'
    passes git push origin main

    git worktree add --quiet -b tree "$repo-tree"
    cd "$repo-tree"
    printf 'TOKEN=%s\n' "$key" >w.env
    git add -f w.env
    blocked 'w.env:1:7' git commit -m 'in a work tree'
    cd "$repo"
    git worktree remove --force "$repo-tree"
}

# A repository with a remote, and this folder.
fresh() {
    local name=$1
    git init --quiet "$work/repo-$name"
    git init --quiet --bare "$work/remote-$name.git"
    cd "$work/repo-$name"
    git remote add origin "$work/remote-$name.git"
}

check_lefthook() {
    fresh lefthook
    recipe lefthook >lefthook.yml
    passes "$1" install
    blocked 'lefthook looks after' "$keysweep" hook install
    check_recipe "$PWD"
}

check_husky() {
    fresh husky
    passes "$1"
    blocked 'husky looks after' "$keysweep" hook install
    recipe husky >husky.sh
    passes sh -e husky.sh
    # husky's folder of scripts is not committed, and relative to the work tree.
    rm husky.sh
    git config core.hooksPath "$PWD/.husky/_"
    check_recipe "$PWD"
}

# Git from 2.54 on.
check_git() (
    PATH=$(dirname "$1"):$PATH
    hash -r
    fresh git
    recipe "Hooks in git's configuration" >"$work/recipe"
    passes bash -e "$work/recipe"
    check_recipe "$PWD"

    # Beside a hook in a file, which git runs last.
    printf '#!/bin/sh\necho the file, too\n' >.git/hooks/pre-commit
    chmod +x .git/hooks/pre-commit
    passes git commit --allow-empty -m both
    grep -q 'the file, too' "$work/out" || fail 'the hook in the file did not run'
    printf 'TOKEN=%s\n' "$key" >k.env
    git add -f k.env
    blocked 'k.env:1:7' git commit -m key
    # Two hooks get the refs of a push each.
    git config hook.other.command 'sh -c "cat >/dev/null"'
    git config hook.other.event pre-push
    git commit --quiet --no-verify -m key
    blocked 'k.env:1:7' git push origin main
    git reset --quiet --soft HEAD~1
    # Off in one repository.
    git config hook.keysweep.enabled false
    passes git commit -m key
    git config --global --remove-section hook.keysweep
    git config --global --remove-section hook.keysweep-push
    passes git push origin main
)

for runner in "${runners[@]}"; do
    case ${runner##*/} in
        lefthook) check_lefthook "$runner" ;;
        husky) check_husky "$runner" ;;
        git) check_git "$runner" ;;
        *) check "$runner" ;;
    esac
    cd "$work"
done
