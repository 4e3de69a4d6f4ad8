#!/usr/bin/env bash
# Benchmarks on the servers of the tests: likes per second, the cost of read-your-writes, the effect of hostile clients and the cost of
# traces, as ratios within one run; and the cost of a request in each part. Takes minutes; nothing else should run meanwhile.
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
# The programs as `make run-all` builds them.
cargo build --workspace --bins --tests --examples --quiet
"${target%release}debug/examples/hostile_bench"
printf '\n'
"${target%release}debug/examples/traces_bench"
printf '\n'
"${target%release}debug/examples/capacity_bench"
