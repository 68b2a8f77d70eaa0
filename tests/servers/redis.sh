#!/usr/bin/env bash
# A Redis of the tests' own, on two ports: one with TLS, one plain, which also answers on the machine's address off loopback.
#
#   redis.sh install DIR         what it needs: Debian's redis-server and openssl if missing; certificates in DIR
#   redis.sh start DIR           starts one in DIR; DIR/port has the port with TLS, DIR/plain the other one, DIR/ca.pem the CA
#   redis.sh command DIR WORD…   runs a command as its administrator
#   redis.sh stop DIR

# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

do_install() {
    local missing=() sudo=() policy=/usr/sbin/policy-rc.d
    command -v redis-server >/dev/null || missing+=(redis-server)
    command -v openssl >/dev/null || missing+=(openssl)
    if ((${#missing[@]} == 0)); then
        :
    elif [[ -e $policy ]]; then
        # A machine that has a policy of its own keeps it.
        debian "${missing[@]}"
    else
        # The package must not start its service.
        ((EUID == 0)) || sudo=(sudo)
        printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy" >/dev/null
        "${sudo[@]}" chmod 755 "$policy"
        debian "${missing[@]}"
        "${sudo[@]}" rm -f "$policy"
    fi
    "$here/ca.sh" "$folder"
}

# By the socket in the folder, which nobody else enters.
do_command() {
    redis-cli -s "$folder/socket" --user keeper --pass "$(<"$folder/keeper")" --no-auth-warning "$@"
}

ready() {
    [[ $(do_command ping 2>/dev/null) == PONG ]]
}

try() {
    local plain
    plain=$(free_ports 1)
    printf '%s' "$plain" >"$folder/plain"
    launch 5 redis-server --bind 0.0.0.0 --protected-mode no --port "$plain" --tls-port "$port" \
        --tls-cert-file "$folder/server.pem" --tls-key-file "$folder/server.key" --tls-ca-cert-file "$folder/ca.pem" \
        --tls-auth-clients no --aclfile "$folder/users" --unixsocket "$folder/socket" --unixsocketperm 700 \
        --dir "$folder" --save ''
}

do_start() {
    command -v redis-server >/dev/null || fail 'Redis is missing: run tests/servers/redis.sh install target/servers/redis'
    need "$from/server.pem"
    cp "$from/ca.pem" "$from/server.pem" "$from/server.key" "$folder/"
    if [[ ! -e $folder/users ]]; then
        python3 -c 'import secrets; print(secrets.token_hex(16), end="")' >"$folder/keeper"
        printf 'user default on >%s ~* &* +@all\nuser keeper on >%s ~* &* +@all\n' \
            "$(python3 -c 'import secrets; print(secrets.token_hex(16))')" "$(<"$folder/keeper")" >"$folder/users"
    fi
    start_at_free_port
}

dispatch "$@"
