#!/usr/bin/env bash
# A PostgreSQL of the tests' own, in a folder of its own, on a free port of loopback.
#
#   postgres.sh install DIR      what it needs: Debian's postgresql and openssl if missing; an empty cluster and certificates in DIR
#   postgres.sh start DIR [plain]   starts one in DIR; DIR/port has its port, DIR/ca.pem its CA; with `plain` it has no TLS
#   postgres.sh sql DIR TEXT     runs SQL as its superuser
#   postgres.sh stop DIR
#
# test.sh: servers_postgres() { tests/servers/postgres.sh install "$target/servers/postgres"; }, then
# KEYSWEEP_SERVERS="$target/servers" cargo test --locked --test it online::postgres -- --ignored
# Each test starts a server of its own from what `install` left. No service of the system is started or changed.
set -euo pipefail

fail() {
    printf 'postgres.sh: %s\n' "$*" >&2
    exit 2
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
(($# >= 2)) || fail 'usage: postgres.sh install|start|stop|sql DIR …'
readonly command=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)
readonly folder

# The newest one; Debian keeps the server's programs off PATH.
programs() {
    find /usr/lib/postgresql -maxdepth 3 -name initdb 2>/dev/null | sort -V | tail -1 | xargs -r dirname
}

# PostgreSQL refuses to run as root: then Debian's own user of it does.
as_user() {
    if ((EUID == 0)); then
        # Not from a folder that the user may not enter.
        (cd / && setpriv --reuid=postgres --regid=postgres --clear-groups env HOME=/ "$@")
    else
        "$@"
    fi
}

own() {
    if ((EUID == 0)); then chown -R postgres:postgres "$@"; fi
}

install() {
    local missing=() sudo=()
    [[ -n $(programs) ]] || missing+=(postgresql)
    command -v openssl >/dev/null || missing+=(openssl)
    if ((${#missing[@]})); then
        ((EUID == 0)) || sudo=(sudo)
        "${sudo[@]}" apt-get update -qq
        # No cluster of the system's own, hence no service.
        "${sudo[@]}" mkdir -p /etc/postgresql-common
        [[ -e /etc/postgresql-common/createcluster.conf ]] ||
            echo 'create_main_cluster = false' | "${sudo[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
        "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    fi
    "$here/ca.sh" "$folder"
    [[ -e $folder/cluster/PG_VERSION ]] && return 0
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    chmod 711 "$work"
    mkdir "$work/cluster"
    own "$work/cluster"
    as_user "$(programs)/initdb" --pgdata "$work/cluster" --username postgres --auth-local trust \
        --auth-host reject --encoding UTF8 --no-locale --no-sync >/dev/null
    rm -rf "$folder/cluster"
    mv "$work/cluster" "$folder/cluster"
}

start() {
    local from=${KEYSWEEP_SERVERS:-$here/../../target/servers}/postgres data=$folder/data tls=on port attempt
    [[ -n $(programs) ]] || fail 'PostgreSQL is missing: run tests/servers/postgres.sh install target/servers/postgres'
    [[ -e $from/cluster/PG_VERSION ]] || fail "no cluster in $from: run tests/servers/postgres.sh install target/servers/postgres"
    [[ ${1-} == plain ]] && tls=off
    chmod 711 "$folder"
    # After a stop it goes on with what it had.
    if [[ ! -e $data ]]; then
        cp -R "$from/cluster" "$data"
        cp "$from/server.pem" "$from/server.key" "$data/"
        cp "$from/ca.pem" "$folder/ca.pem"
        # By the role's name: what it is asked for.
        cat >"$data/pg_hba.conf" <<'TEXT'
local all postgres trust
host all clear_text all password
host all everybody all trust
host all nobody all reject
host all old_hash all md5
host all all all scram-sha-256
TEXT
        cat >>"$data/postgresql.conf" <<TEXT
listen_addresses = '127.0.0.1'
unix_socket_directories = '$data'
ssl = $tls
ssl_cert_file = 'server.pem'
ssl_key_file = 'server.key'
password_encryption = 'scram-sha-256'
shared_buffers = '16MB'
max_connections = 30
fsync = off
TEXT
        chmod 700 "$data"
        chmod 600 "$data/server.key"
        own "$data"
    fi
    # Another process may take the port that was free a moment ago.
    for attempt in 1 2 3; do
        port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
        if as_user "$(programs)/pg_ctl" start --silent --wait --pgdata "$data" --log "$data/log" \
            --options "-p $port" >/dev/null; then
            printf '%s' "$port" >"$folder/port"
            return 0
        fi
    done
    tail -5 "$data/log" >&2
    fail "PostgreSQL does not start ($attempt attempts)"
}

case $command in
install) install ;;
start) start "${3-}" ;;
stop) as_user "$(programs)/pg_ctl" stop --silent --mode immediate --wait --pgdata "$folder/data" >/dev/null ;;
sql) as_user psql --quiet --no-psqlrc --tuples-only --no-align --set ON_ERROR_STOP=1 --host "$folder/data" \
    --port "$(<"$folder/port")" --username postgres --command "${3:?SQL}" ;;
*) fail "unknown command $command" ;;
esac
