#!/usr/bin/env bash
# Certificates of test servers: `ca.sh DIR` makes DIR/ca.pem, a CA of the tests, and DIR/server.pem with DIR/server.key,
# for localhost, db.example.org and the loopback addresses. What is there already stays.
set -euo pipefail

readonly folder=$1
[[ -e $folder/server.pem && -e $folder/ca.pem && -e $folder/server.key ]] && exit 0
command -v openssl >/dev/null || {
    echo 'ca.sh: openssl is missing: apt-get install openssl' >&2
    exit 2
}
mkdir -p "$folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj '/CN=keysweep tests' \
    -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign' \
    -keyout "$work/ca.key" -out "$work/ca.pem" 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=db.example.org' \
    -keyout "$work/server.key" -out "$work/server.csr" 2>/dev/null
cat >"$work/extensions" <<'TEXT'
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth
subjectAltName=DNS:localhost,DNS:db.example.org,IP:127.0.0.1,IP:::1
TEXT
openssl x509 -req -in "$work/server.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial -days 3650 \
    -extfile "$work/extensions" -out "$work/server.pem" 2>/dev/null
# The CA's key is of no further use.
mv "$work/server.key" "$work/ca.pem" "$folder/"
mv "$work/server.pem" "$folder/"
