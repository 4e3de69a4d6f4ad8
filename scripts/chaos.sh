#!/usr/bin/env bash
# Injects one fault after the other under load and prints a table with a row for each. It starts servers of its own and stops them again,
# also after a failure or Ctrl-C. Takes 20 to 25 minutes.
#   scripts/chaos.sh [filter...]    only rows whose name contains one of these, for example: pairs, or 'fault Redis'
# With DOUSHENG_TEST_REPLICAS=2 DOUSHENG_TEST_ETCD_NODES=3 DOUSHENG_TEST_REDIS_NODES=3 there are several servers of each kind.
# DOUSHENG_CHAOS_PERCENT=10 runs a tenth of the write-then-read pairs, of the publishes, of the jobs of the transcoder and of the deletions.
set -euo pipefail
# Other ports than those of the tests and of a run, so that all may be up at once.
export DOUSHENG_TEST_RUN=${DOUSHENG_TEST_RUN:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/.run/chaos}
export DOUSHENG_TEST_PRIMARY_PORT=${DOUSHENG_TEST_PRIMARY_PORT:-24306}
export DOUSHENG_TEST_REPLICA_PORT=${DOUSHENG_TEST_REPLICA_PORT:-24307}
export DOUSHENG_TEST_ETCD_PORT=${DOUSHENG_TEST_ETCD_PORT:-23379}
export DOUSHENG_TEST_ETCD_PEER_PORT=${DOUSHENG_TEST_ETCD_PEER_PORT:-23380}
export DOUSHENG_TEST_REDIS_PORT=${DOUSHENG_TEST_REDIS_PORT:-27379}
export DOUSHENG_TEST_S3_PORT=${DOUSHENG_TEST_S3_PORT:-21000}
# shellcheck source=scripts/lib/test-servers.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/test-servers.sh"
# shellcheck source=scripts/lib/progress.sh
. "$HERE/lib/progress.sh"
cd "$HERE/.."

build() { cargo build --workspace --bins --tests; }

servers_up() {
    "$HERE/infra.sh" reset
    "$HERE/infra.sh" start
}

# A failed run prints the ends of the logs into a file.
leave() {
    local result=$?
    trap - EXIT INT TERM
    [ $result = 0 ] || complain "FAILED. What went on meanwhile: $RUN/errors.log, $RUN/commands.log"
    "$HERE/infra.sh" reset
    exit $result
}

lock chaos
need_cargo
trap leave EXIT
trap 'exit 130' INT TERM
needed=(rclone)
# Partitions are rules of the kernel's packet filter; without root their rows say that they are skipped.
[ "$(id -u)" != 0 ] || needed+=(nft:nftables)
step install "the lines above name what could not be installed; as a plain user this needs sudo" "$HERE/infra.sh" install "${needed[@]}"
step servers "a port that is taken is named above with its setting" servers_up
eval "$(test_env_lines)"
step build "cargo build --workspace --bins --tests" build
rm -f "$RUN/errors.log" "$RUN/commands.log"
target/debug/chaos "$@" 2>"$RUN/errors.log"
