#!/usr/bin/env bash
# Runs the model test at full size: 10,000 likes, unlikes and comments by 200 users on 50 videos, once for each fault. Takes minutes and
# prints a table.
#   scripts/soak.sh [fault]    the beginning of a fault's name, for example: the_folder, or redis
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
