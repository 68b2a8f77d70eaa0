# shellcheck shell=bash
# Sourced by the scripts of this folder, each for one server: SCRIPT COMMAND DIR …, where COMMAND is a function `do_COMMAND`.
# A server of the tests' own runs in DIR, on free ports of loopback; DIR/port has its port, DIR/pid its process, DIR/log what it says.
# It is started from what `install` left in $KEYSWEEP_SERVERS/NAME, else in target/servers/NAME of this repository.
# No service of the system is started or changed.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
name=$(basename "$0" .sh)
from=${KEYSWEEP_SERVERS:-$here/../../target/servers}/$name
readonly here name
# shellcheck disable=SC2034  # the scripts take from it what they start
readonly from

fail() {
    printf '%s.sh: %s\n' "$name" "$*" >&2
    exit 2
}

# The head of the script.
usage() {
    awk 'NR > 1 && !/^#/ { exit } NR > 1 { sub(/^# ?/, ""); print }' "$0" >&2
    exit 2
}

# Runs the script's command; called at its end with all of its arguments.
dispatch() {
    if (($# < 2)) || ! declare -F "do_$1" >/dev/null; then usage; fi
    mkdir -p "$2"
    folder=$(cd "$2" && pwd)
    log=$folder/log
    "do_$1" "${@:3}"
}

# Ends where something that `install` makes is not there.
need() {
    [[ -e $1 ]] || fail "$1 is missing: run tests/servers/$name.sh install target/servers/$name"
}

# Packages of Debian.
debian() {
    local sudo=()
    ((EUID == 0)) || sudo=(sudo)
    "${sudo[@]}" apt-get update -qq
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Whether this text was marked as installed.
is_installed() {
    [[ -e $folder/installed && $(<"$folder/installed") == "$1" ]]
}

mark_installed() {
    printf '%s' "$1" >"$folder/installed"
}

# Packages of npm, as the members of package.json say.
npm_install() {
    command -v npm >/dev/null || fail 'npm is missing: install nodejs and npm'
    rm -rf "${folder:?}/node_modules" "$folder/package-lock.json" "$folder/installed"
    printf '{"private":true,%s}' "$1" >"$folder/package.json"
    (cd "$folder" && npm install --silent --no-fund --no-audit --ignore-scripts)
}

# So many ports that are free at every address of this machine.
free_ports() {
    python3 -c '
import socket, sys
held = [socket.socket() for _ in range(int(sys.argv[1]))]
for one in held:
    one.bind(("", 0))
print(*(one.getsockname()[1] for one in held))' "$1"
}

# Whether a process lives; one that only waits to be collected does not.
lives() {
    local stat
    read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
    [[ ${stat##*) } != Z* ]]
}

# Whether somebody listens at a port.
listens() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# Starts a program in the folder and waits, at most so many seconds, until `ready` says yes; else stops it.
launch() {
    local tries=$(($1 * 10))
    shift
    (cd "$folder" && exec setsid "$@" >"$log" 2>&1 </dev/null) &
    printf '%s' $! >"$folder/pid"
    while ((tries-- > 0)); do
        if ready; then return 0; fi
        lives "$(<"$folder/pid")" || break
        sleep 0.1
    done
    do_stop
    return 1
}

# Calls `try`, which starts the server at $port; three times, for another process may take a port that was free a moment ago.
start_at_free_port() {
    local attempt
    for attempt in 1 2 3; do
        port=$(free_ports 1)
        if try; then
            printf '%s' "$port" >"$folder/port"
            return 0
        fi
    done
    broken "$attempt attempts"
}

broken() {
    tail -20 "$log" >&2 || true
    fail "the server does not come up ($*)"
}

# Stops what `launch` started, and waits for its end.
do_stop() {
    local pid tries
    [[ -e $folder/pid ]] || return 0
    pid=$(<"$folder/pid")
    kill "$pid" 2>/dev/null || true
    for tries in {1..100}; do
        lives "$pid" || break
        sleep 0.1
    done
    rm -f "$folder/pid" "$folder/port" "$folder/keys.env"
    if lives "$pid"; then fail "process $pid does not end ($tries waits)"; fi
}
