#!/usr/bin/env bash
# Adds an RPC method by the recipe of idl/README.md, in a scratch copy of the tree: applies idl/tests/adding_a_method.diff there, and
# checks that it touches only the .thrift file, the service and the method's test, and that everything still compiles.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$HERE/.."
ROOT=$PWD
DIFF=$ROOT/idl/tests/adding_a_method.diff
# Always the same path, so that cargo finds what it has built before.
COPY=$ROOT/target/scratch/adding-a-method

fail() {
    printf 'adding-a-method: %s\n' "$1" >&2
    exit 1
}

touched() {
    sed -n 's|^+++ b/||p' "$DIFF" | sort
}

expected='idl/tests/idl/rules/user.rs
idl/user.thrift
rpc/user/src/find_user.rs
rpc/user/src/lib.rs'
[ "$(touched)" = "$expected" ] ||
    fail "$DIFF touches other files than idl/README.md, \"Adding a method\", names: $(touched | tr '\n' ' ')"

mkdir -p "$COPY"
find "$COPY" -mindepth 1 -delete
# As the files are now, committed or not; without those that are deleted.
git ls-files -z --cached --others --exclude-standard |
    while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
    tar --null --files-from=- --create --file=- | tar --extract --file=- --directory="$COPY"
patch --quiet --directory="$COPY" --strip=1 --forward --input="$DIFF" ||
    fail "$DIFF doesn't apply: make it anew by the recipe of idl/README.md"
cd "$COPY"
CARGO_TARGET_DIR=$ROOT/target cargo check --quiet --workspace --tests ||
    fail "with the method added, the lines above don't compile: the recipe of idl/README.md lacks a step"
echo "adding-a-method: 4 files, and everything compiles"
