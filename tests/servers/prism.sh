#!/usr/bin/env bash
# GitHub's REST API as its own OpenAPI description says it is: Prism. It checks requests against the description and keeps no state.
#
#   prism.sh install DIR     what it needs, by npm
#   prism.sh start DIR       starts one in DIR; DIR/port has its port
#   prism.sh stop DIR

# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly wanted='"@stoplight/prism-cli":"5.16.0","@octokit/openapi":"23.0.2"'

do_install() {
    if is_installed "$wanted"; then return 0; fi
    npm_install "\"dependencies\":{$wanted}"
    # The paths that are called, alone: the whole description takes half a minute to load.
    node -e '
const fs = require("fs"), from = require(process.argv[1] + "/node_modules/@octokit/openapi/generated/api.github.com.deref.json");
const paths = {};
for (const path of ["/credentials/revoke", "/installation/token", "/user", "/installation/repositories"]) paths[path] = from.paths[path];
fs.writeFileSync(process.argv[1] + "/github.json", JSON.stringify({openapi: from.openapi, info: from.info, servers: from.servers, paths}));
' "$folder"
    mark_installed "$wanted"
}

ready() {
    grep -q 'Prism is listening' "$log" 2>/dev/null
}

try() {
    launch 30 "$from/node_modules/.bin/prism" mock -h 127.0.0.1 -p "$port" "$from/github.json"
}

do_start() {
    need "$from/github.json"
    start_at_free_port
}

dispatch "$@"
