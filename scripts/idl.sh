#!/usr/bin/env bash
# Generates servers, clients and validators from idl/*.thrift and prints where the code is.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$HERE/.."
# shellcheck source=scripts/lib/settings.sh
. "$HERE/lib/settings.sh"
# shellcheck source=scripts/lib/process.sh
. "$HERE/lib/process.sh"
# shellcheck source=scripts/lib/progress.sh
. "$HERE/lib/progress.sh"

need_cargo
"$HERE/infra.sh" install
messages=$(cargo build -p idl --message-format=json-render-diagnostics)
package=$(cargo metadata --no-deps --format-version 1 | jq -r '.packages[] | select(.name == "idl") | .id')
dir=$(jq -r --arg id "$package" 'select(.reason == "build-script-executed" and .package_id == $id) | .out_dir' <<<"$messages")
say "generated from idl/*.thrift:"
find "$dir" -name '*.rs' -printf '  %p  (%s bytes)\n' | sort
