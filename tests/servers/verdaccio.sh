#!/usr/bin/env bash
# A real npm registry of the tests' own: Verdaccio, on a free port of 127.0.0.1. It keeps tokens alive that were deleted, which is
# what a proof of death is for.
#
#   verdaccio.sh install DIR     what it needs, by npm
#   verdaccio.sh start DIR       starts one in DIR; DIR/port has its port
#   verdaccio.sh stop DIR
#
# test.sh: servers_verdaccio() { tests/servers/verdaccio.sh install "$target/servers/verdaccio"; }, then
# KEYSWEEP_SERVERS="$target/servers" cargo test --locked --test it online::verdaccio -- --ignored
set -euo pipefail

fail() {
    printf 'verdaccio.sh: %s\n' "$*" >&2
    exit 2
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
(($# == 2)) || fail 'usage: verdaccio.sh install|start|stop DIR'
readonly command=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)
readonly folder
# The last line that runs on Node 20; it asks for a node-fetch that npm no longer resolves.
readonly version=6.1.6

install() {
    command -v npm >/dev/null || fail 'npm is missing: install nodejs and npm'
    [[ -e $folder/installed && $(<"$folder/installed") == "$version" ]] && return 0
    rm -rf "${folder:?}/node_modules" "$folder/installed"
    printf '{"private":true,"dependencies":{"verdaccio":"%s"},"overrides":{"node-fetch":"2.7.0"}}' "$version" >"$folder/package.json"
    (cd "$folder" && npm install --silent --no-fund --no-audit --ignore-scripts)
    printf '%s' "$version" >"$folder/installed"
}

start() {
    local from=${KEYSWEEP_SERVERS:-$here/../../target/servers}/verdaccio port attempt wait
    [[ -x $from/node_modules/.bin/verdaccio ]] || fail 'Verdaccio is missing: run tests/servers/verdaccio.sh install target/servers/verdaccio'
    cat >"$folder/config.yaml" <<'CONFIG'
storage: ./storage
auth: {htpasswd: {file: ./htpasswd}}
uplinks: {}
packages: {'**': {access: $all, publish: $authenticated}}
log: {type: stdout, level: warn}
CONFIG
    # Another process may take the port that was free a moment ago.
    for attempt in 1 2 3; do
        port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
        (cd "$folder" && exec setsid "$from/node_modules/.bin/verdaccio" -c config.yaml -l "127.0.0.1:$port" >log 2>&1 </dev/null) &
        printf '%s' $! >"$folder/pid"
        for wait in {1..150}; do
            if curl -sf "http://127.0.0.1:$port/-/ping" >/dev/null 2>&1; then
                printf '%s' "$port" >"$folder/port"
                return 0
            fi
            kill -0 "$(<"$folder/pid")" 2>/dev/null || break
            sleep 0.1
        done
        stop
    done
    cat "$folder/log" >&2
    fail 'Verdaccio does not start'
}

stop() {
    [[ -e $folder/pid ]] || return 0
    kill "$(<"$folder/pid")" 2>/dev/null || true
    rm -f "$folder/pid" "$folder/port"
}

case $command in
    install | start | stop) "$command" ;;
    *) fail "unknown command $command" ;;
esac
