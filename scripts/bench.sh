#!/usr/bin/env bash
# Benchmarks, on the servers of the tests; nothing else should run meanwhile. Arguments choose the parts; without any, all run but growth:
#   routes     requests/s, latencies and processor time of each route, and the memory of each process; see below
#   likes      likes per second with and without group commit
#   reads      the cost of read-your-writes
#   hostile    the effect of hostile clients on another user
#   traces     the cost of traces
#   capacity   the cost of a request in each part
#   backlog    a feed page while a transcoder works on 200 jobs, against none
#   growth     what runs beside the requests, at a large installation's data against a tenth; half an hour; GROW=0.1 is quicker
#   ledger     the cost of folds, likes and counts under a dump that runs for long; LEDGER_ROWS=2000000
# Settings of routes, by environment variable:
#   BASELINE=directory   compares with another build's programs (api, user, video, favorite, comment, relation, message, migrate), turn by turn
#   GROW=1               compares with a database as large as SCALE=1 scripts/grow.sh makes it; GROW=0.01 is quick
#   ROUTES=feed,like     routes whose name begins with one of these    CLIENTS=8,64   so many clients at once (1,8,64,512)
#   SECONDS_EACH=2       seconds of one run                            ROUNDS=3       runs of each side, the median counts
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$HERE/.."
# shellcheck source=scripts/lib/settings.sh
. "$HERE/lib/settings.sh"
# shellcheck source=scripts/lib/process.sh
. "$HERE/lib/process.sh"
# shellcheck source=scripts/lib/progress.sh
. "$HERE/lib/progress.sh"

USUAL=(likes reads routes hostile traces capacity backlog ledger)
PARTS=("${USUAL[@]}" growth)

# Servers that somebody keeps up (test-infra.sh up) stay up.
servers_down() { [ -n "$KEPT" ] || "$HERE/test-infra.sh" down; }

release() { # EXAMPLE
    "$TARGET/release/examples/$1"
}

development() { # EXAMPLE
    "$TARGET/debug/examples/$1"
}

[ $# != 0 ] || set -- "${USUAL[@]}"
for part in "$@"; do
    case " ${PARTS[*]} " in
        *" $part "*) ;;
        *)
            sed -n '2,16s/^# \?//p' "$0"
            exit 2
            ;;
    esac
done
need_cargo
KEPT=$([ ! -e "${DOUSHENG_TEST_RUN:-.run/test}/kept" ] || say kept)
"$HERE/test-infra.sh" up
trap servers_down EXIT
eval "$("$HERE/test-infra.sh" env)"
TARGET=$(cargo metadata --no-deps --format-version 1 | jq -r .target_directory)
for part in "$@"; do
    printf '\n'
    case $part in
        likes | reads)
            cargo build --release --quiet -p dal --examples
            release "${part}_bench"
            ;;
        routes)
            cargo build --release --quiet --workspace --bins --example routes_bench
            release routes_bench
            ;;
        *)
            # The programs as `make run-all` builds them.
            cargo build --workspace --bins --tests --examples --quiet
            development "${part}_bench"
            ;;
    esac
done
