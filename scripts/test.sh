#!/usr/bin/env bash
# The tests on real servers: brings up its own, builds, tests, takes them down again, also after a failure or Ctrl-C.
#   scripts/test.sh                              everything, and the runbook
#   scripts/test.sh [arguments of cargo test]    for example: --workspace --test dal; with -p cargo would choose other features and build much anew
# Servers that scripts/test-infra.sh keeps up are used as they are and left up.
set -euo pipefail
# shellcheck source=scripts/lib/test-servers.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/test-servers.sh"
# shellcheck source=scripts/lib/progress.sh
. "$HERE/lib/progress.sh"
# shellcheck source=scripts/lib/install.sh
. "$HERE/lib/install.sh"
# shellcheck source=scripts/lib/web.sh
. "$HERE/lib/web.sh"
cd "$HERE/.."

# Programs and tests are built together, because cargo would choose other features for the programs alone.
# The tests of pkg/service start the example echo. The other examples are benchmarks, which clippy checks.
build() { cargo build --workspace --bins --tests --example echo; }

servers_up() {
    "$HERE/infra.sh" reset
    "$HERE/infra.sh" start
}

# After a failure the ends of the servers' logs are kept.
keep_logs() {
    local log name
    rm -rf "$RUN/last-failure"
    mkdir -p "$RUN/last-failure"
    for log in "$RUN"/{primary,replica*,etcd*,redis*,s3}/*log; do
        [ -e "$log" ] || continue
        name=${log#"$RUN/"}
        tail -n 500 "$log" >"$RUN/last-failure/${name//\//-}"
    done
    complain "FAILED. The ends of the servers' logs: $RUN/last-failure/"
}

leave() {
    local result=$?
    trap - EXIT INT TERM
    [ $result = 0 ] || keep_logs
    [ -e "$RUN/kept" ] || "$HERE/infra.sh" reset
    exit $result
}

lock test
need_cargo
trap leave EXIT
trap 'exit 130' INT TERM
needed=(chromium)
# For the test of partitions, which only root can make.
[ "$(id -u)" != 0 ] || needed+=(nft:nftables)
step install "the lines above name what could not be installed; as a plain user this needs sudo" "$HERE/infra.sh" install "${needed[@]}"
web
if [ -e "$RUN/kept" ]; then
    STEP_NOTE="kept up by scripts/test-infra.sh" step servers "scripts/test-infra.sh down, then again" "$HERE/infra.sh" start
else
    step servers "scripts/test-infra.sh status; a port that is taken is named above with its setting" servers_up
fi
eval "$(test_env_lines)"
step build "cargo build --workspace --bins --tests" build
start=$(tenths)
tests=("$@")
# There are no tests in documents.
[ $# != 0 ] || tests=(--workspace --lib --bins --tests)
# Many tests wait for a lease, a timeout or a server, so more of them run at once than there are cores. Those with a system of their own
# wait until the machine has headroom (pkg/testkit/src/headroom.rs).
RUST_TEST_THREADS=${RUST_TEST_THREADS:-4} cargo test --no-fail-fast "${tests[@]}"
printf '  %-12s %9s\n' tests "$(since "$start")"
# The runbook is tested only when all tests run.
if [ $# = 0 ]; then step runbook "scripts/runbook-test.sh" "$HERE/runbook-test.sh"; fi
