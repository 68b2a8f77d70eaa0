#!/usr/bin/env bash
# moto, an emulator of AWS, with its authorisation on: wrong signatures, unknown, deleted and inactive keys are refused.
#
#   moto.sh install DIR   what it needs: a Python environment in DIR
#   moto.sh start DIR     starts one in DIR: DIR/port has its port, DIR/keys.env the keys that were made
#   moto.sh status DIR ID Active|Inactive   what the owner of the account does at the console
#   moto.sh list DIR      access keys of the user `deploy` with their status
#   moto.sh stop DIR

# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly wanted='moto[server,iam,sts]==5.2.5'

do_install() {
    if is_installed "$wanted"; then return 0; fi
    python3 -c 'import venv, ensurepip' 2>/dev/null || fail 'python3 with venv is missing: install python3 and python3-venv'
    python3 -m venv --clear "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check "$wanted"
    mark_installed "$wanted"
}

account() {
    "$from/bin/python" "$here/moto_account.py" "$1" "$folder" "${@:2}"
}

# Written when the account is made.
ready() {
    [[ -s $folder/keys.env ]]
}

do_start() {
    need "$from/bin/python"
    # It takes a free port by itself.
    launch 30 "$from/bin/python" "$here/moto_account.py" serve "$folder" || broken
}

do_status() { account status "$@"; }
do_list() { account list; }

dispatch "$@"
