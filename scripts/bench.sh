#!/usr/bin/env bash
# Benchmarks of an optimised build, on the servers of the tests: ratios within one run. Minutes; nothing else should run meanwhile.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$HERE/.."

"$HERE/test-infra.sh" up
eval "$("$HERE/test-infra.sh" env)"
trap '"$HERE/test-infra.sh" down' EXIT
cargo run --release --quiet -p dal --example likes_bench
