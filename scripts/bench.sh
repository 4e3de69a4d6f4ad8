#!/usr/bin/env bash
# Benchmarks, on the servers of the tests: likes a second, what it costs to see what was written, what the hostile do to the others,
# what traces cost, as ratios within one run; and what a request costs each part. Minutes; nothing else should run meanwhile.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$HERE/.."

"$HERE/test-infra.sh" up
eval "$("$HERE/test-infra.sh" env)"
trap '"$HERE/test-infra.sh" down' EXIT
cargo build --release --quiet -p dal --examples
target=$(cargo metadata --no-deps --format-version 1 | jq -r .target_directory)/release
"$target/examples/likes_bench"
printf '\n'
"$target/examples/reads_bench"
printf '\n'
# The programs as they run: their build is optimised, too.
cargo build --workspace --bins --tests --examples --quiet
"${target%release}debug/examples/hostile_bench"
printf '\n'
"${target%release}debug/examples/traces_bench"
printf '\n'
"${target%release}debug/examples/capacity_bench"
