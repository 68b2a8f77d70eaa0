#!/usr/bin/env bash
# Azurite, Microsoft's emulator of Azure Storage, which checks signatures made with account keys.
#   azurite.sh install DIR   installs it in DIR/azurite by npm, once
#   azurite.sh start DIR     starts a server whose files are in DIR: DIR/port, and DIR/keys.env with the account's two keys
#   azurite.sh stop DIR
# It is looked for in $KEYSWEEP_SERVERS, else in target/servers of this repository. In test.sh:
#   servers_azurite() { tests/servers/azurite.sh install target/servers; }   # the test of online::azure_storage starts its own
set -euo pipefail

usage() {
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

[ $# -eq 2 ] || usage
command=$1 dir=$2
here=$(cd "$(dirname "$0")" && pwd)
program=${KEYSWEEP_SERVERS:-$here/../../target/servers}/azurite/node_modules/.bin/azurite-blob

case $command in
install)
    [ -x "$dir/azurite/node_modules/.bin/azurite-blob" ] && exit 0
    command -v npm >/dev/null || {
        echo "azurite.sh: npm is missing (Debian: npm)" >&2
        exit 1
    }
    mkdir -p "$dir/azurite"
    npm install --silent --no-audit --no-fund --prefix "$dir/azurite" azurite@3
    ;;
start)
    [ -x "$program" ] || {
        echo "azurite.sh: Azurite is not installed; run: tests/servers/azurite.sh install target/servers" >&2
        exit 1
    }
    mkdir -p "$dir"
    port=$(node -e 's=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})')
    key() { head -c 64 /dev/urandom | base64 -w 0; }
    first=$(key) second=$(key)
    AZURITE_ACCOUNTS="logs42:$first:$second" "$program" --blobHost 127.0.0.1 --blobPort "$port" --silent \
        --disableTelemetry --location "$dir" >"$dir/log" 2>&1 </dev/null &
    echo $! >"$dir/pid"
    for _ in $(seq 300); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            (umask 077 && printf 'KEY1=%s\nKEY2=%s\n' "$first" "$second" >"$dir/keys.env")
            echo "$port" >"$dir/port"
            exit 0
        fi
        kill -0 "$(cat "$dir/pid")" 2>/dev/null || break
        sleep 0.1
    done
    echo "azurite.sh: the server does not come up:" >&2
    cat "$dir/log" >&2
    exit 1
    ;;
stop)
    if [ -f "$dir/pid" ]; then
        kill "$(cat "$dir/pid")" 2>/dev/null || true
        rm -f "$dir/pid" "$dir/port" "$dir/keys.env"
    fi
    ;;
*) usage ;;
esac
