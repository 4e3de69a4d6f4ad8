#!/usr/bin/env bash
# Static checks: formatting, clippy, shellcheck, the documents, the files for deployment, and the rules for imports between rooms.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$HERE/.."
# shellcheck source=scripts/lib/settings.sh
. "$HERE/lib/settings.sh"
# shellcheck source=scripts/lib/process.sh
. "$HERE/lib/process.sh"
# shellcheck source=scripts/lib/progress.sh
. "$HERE/lib/progress.sh"
# shellcheck source=scripts/lib/install.sh
. "$HERE/lib/install.sh"
# shellcheck source=scripts/lib/web.sh
. "$HERE/lib/web.sh"

shell_files() {
    local list
    mapfile -t list < <(find scripts .ci idl/kitex -type f \( -name '*.sh' -o -path '.ci/run' \) | sort)
    shellcheck -x "${list[@]}"
}

need_cargo
step install "the lines above name what could not be installed; as a plain user this needs sudo" "$HERE/infra.sh" install shellcheck
step fmt "cargo fmt" cargo fmt --all --check
step shellcheck "the notes above; https://www.shellcheck.net explains each" shell_files
step documents "the lines above name document and line; scripts/python/documents.py says what is checked" python3 "$HERE/python/documents.py"
step deploy "scripts/deploy-lint.sh; its tools come from PyPI, pinned in scripts/python/deploy-requirements.txt" "$HERE/deploy-lint.sh"
web
step clippy "cargo clippy --workspace --all-targets" cargo clippy --workspace --all-targets -- -D warnings
step method "idl/README.md, \"Adding a method\"; the lines above say what is wrong" "$HERE/adding-a-method.sh"
step rooms "the table of rooms in README.md says who may import what" cargo test --workspace --test testkit rooms::
