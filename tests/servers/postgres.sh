#!/usr/bin/env bash
# A PostgreSQL of the tests' own.
#
#   postgres.sh install DIR      what it needs: Debian's postgresql and openssl if missing; an empty cluster and certificates in DIR
#   postgres.sh start DIR [plain]   starts one in DIR; DIR/port has its port, DIR/ca.pem its CA; with `plain` it has no TLS
#   postgres.sh sql DIR TEXT     runs SQL as its superuser
#   postgres.sh stop DIR

# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

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

do_install() {
    local missing=() sudo=()
    [[ -n $(programs) ]] || missing+=(postgresql)
    command -v openssl >/dev/null || missing+=(openssl)
    if ((${#missing[@]})); then
        # No cluster of the system's own, hence no service.
        ((EUID == 0)) || sudo=(sudo)
        "${sudo[@]}" mkdir -p /etc/postgresql-common
        [[ -e /etc/postgresql-common/createcluster.conf ]] ||
            echo 'create_main_cluster = false' | "${sudo[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
        debian "${missing[@]}"
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

try() {
    as_user "$(programs)/pg_ctl" start --silent --wait --pgdata "$data" --log "$log" --options "-p $port" >/dev/null
}

do_start() {
    local data=$folder/data log=$folder/data/log tls=on
    [[ -n $(programs) ]] || fail 'PostgreSQL is missing: run tests/servers/postgres.sh install target/servers/postgres'
    need "$from/cluster/PG_VERSION"
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
    start_at_free_port
}

do_stop() {
    as_user "$(programs)/pg_ctl" stop --silent --mode immediate --wait --pgdata "$folder/data" >/dev/null
}

do_sql() {
    as_user psql --quiet --no-psqlrc --tuples-only --no-align --set ON_ERROR_STOP=1 --host "$folder/data" \
        --port "$(<"$folder/port")" --username postgres --command "${1:?SQL}"
}

dispatch "$@"
