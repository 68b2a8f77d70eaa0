#!/usr/bin/env bash
# GitHub's REST API as its own OpenAPI description says it is: Prism, on a free port of 127.0.0.1. It checks requests against the
# description and keeps no state.
#
#   prism.sh install DIR     what it needs, by npm
#   prism.sh start DIR       starts one in DIR; DIR/port has its port
#   prism.sh stop DIR
#
# test.sh: servers_prism() { tests/servers/prism.sh install "$target/servers/prism"; }, then
# KEYSWEEP_SERVERS="$target/servers" cargo test --locked --test it online::prism -- --ignored
set -euo pipefail

fail() {
    printf 'prism.sh: %s\n' "$*" >&2
    exit 2
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
(($# == 2)) || fail 'usage: prism.sh install|start|stop DIR'
readonly command=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)
readonly folder
readonly wanted='"@stoplight/prism-cli":"5.16.0","@octokit/openapi":"23.0.2"'

install() {
    command -v npm >/dev/null || fail 'npm is missing: install nodejs and npm'
    [[ -e $folder/installed && $(<"$folder/installed") == "$wanted" ]] && return 0
    rm -rf "${folder:?}/node_modules" "$folder/installed"
    printf '{"private":true,"dependencies":{%s}}' "$wanted" >"$folder/package.json"
    (cd "$folder" && npm install --silent --no-fund --no-audit --ignore-scripts)
    # The paths that are called, alone: the whole description takes half a minute to load.
    node -e '
const fs = require("fs"), from = require(process.argv[1] + "/node_modules/@octokit/openapi/generated/api.github.com.deref.json");
const paths = {};
for (const path of ["/credentials/revoke", "/installation/token", "/user", "/installation/repositories"]) paths[path] = from.paths[path];
fs.writeFileSync(process.argv[1] + "/github.json", JSON.stringify({openapi: from.openapi, info: from.info, servers: from.servers, paths}));
' "$folder"
    printf '%s' "$wanted" >"$folder/installed"
}

start() {
    local from=${KEYSWEEP_SERVERS:-$here/../../target/servers}/prism port attempt wait
    [[ -e $from/github.json ]] || fail 'Prism is missing: run tests/servers/prism.sh install target/servers/prism'
    # Another process may take the port that was free a moment ago.
    for attempt in 1 2 3; do
        port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
        (cd "$folder" && exec setsid "$from/node_modules/.bin/prism" mock -h 127.0.0.1 -p "$port" "$from/github.json" >log 2>&1 </dev/null) &
        printf '%s' $! >"$folder/pid"
        for wait in {1..300}; do
            if grep -q 'Prism is listening' "$folder/log" 2>/dev/null; then
                printf '%s' "$port" >"$folder/port"
                return 0
            fi
            kill -0 "$(<"$folder/pid")" 2>/dev/null || break
            sleep 0.1
        done
        stop
    done
    cat "$folder/log" >&2
    fail 'Prism does not start'
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
