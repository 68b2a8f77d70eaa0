#!/usr/bin/env bash
# A Redis of the tests' own, in a folder of its own, on free ports: one with TLS, one plain, which also answers on the
# machine's address off loopback.
#
#   redis.sh install DIR         what it needs: Debian's redis-server and openssl if missing; certificates in DIR
#   redis.sh start DIR           starts one in DIR; DIR/port has the port with TLS, DIR/plain the other one, DIR/ca.pem the CA
#   redis.sh command DIR WORD…   runs a command as its administrator
#   redis.sh stop DIR
#
# test.sh: servers_redis() { tests/servers/redis.sh install "$target/servers/redis"; }, then
# KEYSWEEP_SERVERS="$target/servers" cargo test --locked --test it online::redis -- --ignored
# Each test starts a server of its own. No service of the system is started or changed.
set -euo pipefail

fail() {
    printf 'redis.sh: %s\n' "$*" >&2
    exit 2
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
(($# >= 2)) || fail 'usage: redis.sh install|start|stop|command DIR …'
readonly command=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)
readonly folder

install() {
    local missing=() sudo=()
    command -v redis-server >/dev/null || missing+=(redis-server)
    command -v openssl >/dev/null || missing+=(openssl)
    if ((${#missing[@]})); then
        ((EUID == 0)) || sudo=(sudo)
        "${sudo[@]}" apt-get update -qq
        # A machine that has a policy of its own keeps it; else the package must not start its service.
        if [[ -e /usr/sbin/policy-rc.d ]]; then
            "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
        else
            printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee /usr/sbin/policy-rc.d >/dev/null
            "${sudo[@]}" chmod 755 /usr/sbin/policy-rc.d
            "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
            "${sudo[@]}" rm -f /usr/sbin/policy-rc.d
        fi
    fi
    "$here/ca.sh" "$folder"
}

# By the socket in the folder, which nobody else enters.
client() {
    redis-cli -s "$folder/socket" --user keeper --pass "$(<"$folder/keeper")" --no-auth-warning "$@"
}

start() {
    local from=${KEYSWEEP_SERVERS:-$here/../../target/servers}/redis tls plain attempt wait
    command -v redis-server >/dev/null || fail 'Redis is missing: run tests/servers/redis.sh install target/servers/redis'
    [[ -e $from/server.pem ]] || fail "no certificates in $from: run tests/servers/redis.sh install target/servers/redis"
    cp "$from/ca.pem" "$from/server.pem" "$from/server.key" "$folder/"
    if [[ ! -e $folder/users ]]; then
        python3 -c 'import secrets; print(secrets.token_hex(16), end="")' >"$folder/keeper"
        printf 'user default on >%s ~* &* +@all\nuser keeper on >%s ~* &* +@all\n' \
            "$(python3 -c 'import secrets; print(secrets.token_hex(16))')" "$(<"$folder/keeper")" >"$folder/users"
    fi
    # Another process may take the ports that were free a moment ago.
    for attempt in 1 2 3; do
        read -r tls plain < <(python3 -c '
import socket
a, b = socket.socket(), socket.socket()
a.bind(("127.0.0.1", 0)); b.bind(("0.0.0.0", 0))
print(a.getsockname()[1], b.getsockname()[1])')
        redis-server --bind 0.0.0.0 --protected-mode no --port "$plain" --tls-port "$tls" --tls-cert-file "$folder/server.pem" \
            --tls-key-file "$folder/server.key" --tls-ca-cert-file "$folder/ca.pem" --tls-auth-clients no \
            --aclfile "$folder/users" --unixsocket "$folder/socket" --unixsocketperm 700 --dir "$folder" --save '' \
            --pidfile "$folder/pid" --logfile "$folder/log" --daemonize yes >/dev/null
        for wait in {1..50}; do
            if [[ $(client ping 2>/dev/null) == PONG ]]; then
                printf '%s' "$tls" >"$folder/port"
                printf '%s' "$plain" >"$folder/plain"
                return 0
            fi
            sleep 0.1
        done
    done
    tail -5 "$folder/log" >&2
    fail "Redis does not start ($attempt attempts, $wait waits)"
}

stop() {
    client shutdown nosave 2>/dev/null || true
    local wait
    for wait in {1..50}; do
        [[ -e $folder/pid ]] || return 0
        sleep 0.1
    done
    fail "Redis does not stop ($wait waits)"
}

case $command in
install) install ;;
start) start ;;
stop) stop ;;
command) client "${@:3}" ;;
*) fail "unknown command $command" ;;
esac
