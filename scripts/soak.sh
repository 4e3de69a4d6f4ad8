#!/usr/bin/env bash
# Runs the model test at full size: 10,000 writes by 200 users on 50 videos, once for each fault. Writes are likes, unlikes, follows,
# unfollows, comments, deletions of comments, and messages. Takes minutes and prints a table. Then folds 2,000,000 rows of the ledger while
# a dump keeps an old view open, and prints what that costs.
#   scripts/soak.sh [fault]    only with faults whose names begin so, for example: the_folder, or redis; and no ledger
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

table() {
    printf '\n| fault | operations | unanswered | lost | doubled | stale | counts right after |\n|---|---|---|---|---|---|---|\n'
    cat "$DOUSHENG_SOAK"
    rm -f "$DOUSHENG_SOAK"
}

DOUSHENG_SOAK=$(mktemp)
export DOUSHENG_SOAK
trap table EXIT
"$HERE/test.sh" --workspace --test e2e -- --test-threads=1 "model::all_is_right_when_${1:-}"
[ $# != 0 ] || "$HERE/bench.sh" ledger
