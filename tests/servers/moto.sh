#!/usr/bin/env bash
# moto, an emulator of AWS, with its authorisation on: wrong signatures, unknown, deleted and inactive keys are refused.
#   moto.sh install DIR   makes a Python environment DIR/moto, once
#   moto.sh start DIR     starts a server whose files are in DIR: DIR/port, and DIR/keys.env with the keys that were made
#   moto.sh status DIR ID Active|Inactive   what the owner of the account does at the console
#   moto.sh list DIR      access keys of the user `deploy` with their status
#   moto.sh stop DIR
# The environment is looked for in $KEYSWEEP_SERVERS, else in target/servers of this repository. In test.sh:
#   servers_moto() { tests/servers/moto.sh install target/servers; }   # the tests of online::aws start servers of their own
set -euo pipefail

usage() {
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

[ $# -ge 2 ] || usage
command=$1 dir=$2
here=$(cd "$(dirname "$0")" && pwd)
account=$here/moto_account.py
python=${KEYSWEEP_SERVERS:-$here/../../target/servers}/moto/bin/python

case $command in
install)
    if "$dir/moto/bin/python" -c 'import moto.server, boto3' 2>/dev/null; then
        exit 0
    fi
    python3 -c 'import venv, ensurepip' 2>/dev/null || {
        echo "moto.sh: python3 with venv is missing (Debian: python3, python3-venv)" >&2
        exit 1
    }
    mkdir -p "$dir"
    python3 -m venv --clear "$dir/moto"
    "$dir/moto/bin/pip" install --quiet --disable-pip-version-check 'moto[server,iam,sts]==5.2.5'
    ;;
start)
    [ -x "$python" ] || {
        echo "moto.sh: moto is not installed; run: tests/servers/moto.sh install target/servers" >&2
        exit 1
    }
    mkdir -p "$dir"
    "$python" "$account" serve "$dir" >"$dir/log" 2>&1 </dev/null &
    echo $! >"$dir/pid"
    for _ in $(seq 300); do
        [ -s "$dir/keys.env" ] && exit 0
        kill -0 "$(cat "$dir/pid")" 2>/dev/null || break
        sleep 0.1
    done
    echo "moto.sh: the server does not come up:" >&2
    cat "$dir/log" >&2
    exit 1
    ;;
status | list)
    exec "$python" "$account" "$command" "$dir" "${@:3}"
    ;;
stop)
    if [ -f "$dir/pid" ]; then
        kill "$(cat "$dir/pid")" 2>/dev/null || true
        rm -f "$dir/pid" "$dir/port" "$dir/keys.env"
    fi
    ;;
*) usage ;;
esac
