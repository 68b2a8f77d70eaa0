#!/usr/bin/env bash
# A real npm registry of the tests' own: Verdaccio. It keeps tokens alive that were deleted, which is what a proof of death is for.
#
#   verdaccio.sh install DIR     what it needs, by npm
#   verdaccio.sh start DIR       starts one in DIR; DIR/port has its port
#   verdaccio.sh stop DIR

# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The last line that runs on Node 20; it asks for a node-fetch that npm no longer resolves.
readonly version=6.1.6

do_install() {
    if is_installed "$version"; then return 0; fi
    npm_install "\"dependencies\":{\"verdaccio\":\"$version\"},\"overrides\":{\"node-fetch\":\"2.7.0\"}"
    mark_installed "$version"
}

ready() {
    curl -sf "http://127.0.0.1:$port/-/ping" >/dev/null 2>&1
}

try() {
    launch 15 "$from/node_modules/.bin/verdaccio" -c config.yaml -l "127.0.0.1:$port"
}

do_start() {
    need "$from/node_modules/.bin/verdaccio"
    cat >"$folder/config.yaml" <<'CONFIG'
storage: ./storage
auth: {htpasswd: {file: ./htpasswd}}
uplinks: {}
packages: {'**': {access: $all, publish: $authenticated}}
log: {type: stdout, level: warn}
CONFIG
    start_at_free_port
}

dispatch "$@"
