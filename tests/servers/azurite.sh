#!/usr/bin/env bash
# Azurite, Microsoft's emulator of Azure Storage, which checks signatures made with account keys.
#
#   azurite.sh install DIR   what it needs, by npm
#   azurite.sh start DIR     starts one in DIR: DIR/port has its port, DIR/keys.env the two keys of its account `logs42`
#   azurite.sh stop DIR

# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly version=3.35.0

do_install() {
    if is_installed "$version"; then return 0; fi
    npm_install "\"dependencies\":{\"azurite\":\"$version\"}"
    mark_installed "$version"
}

ready() {
    listens "$port"
}

try() {
    launch 30 env "AZURITE_ACCOUNTS=logs42:$first:$second" "$from/node_modules/.bin/azurite-blob" --blobHost 127.0.0.1 \
        --blobPort "$port" --silent --disableTelemetry --location "$folder"
}

do_start() {
    local first second
    need "$from/node_modules/.bin/azurite-blob"
    first=$(head -c 64 /dev/urandom | base64 -w 0)
    second=$(head -c 64 /dev/urandom | base64 -w 0)
    start_at_free_port
    (umask 077 && printf 'KEY1=%s\nKEY2=%s\n' "$first" "$second" >"$folder/keys.env")
}

dispatch "$@"
