#!/usr/bin/env bash
# Runs the commands of all documents against a running API, each document's in one shell, and compares what they print with what the
# document says. A part of runbook-test.sh; scripts/python/documents.py says which fences are commands.
#   scripts/docs-test.sh [http://127.0.0.1:8080] [DOCUMENT...]
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/settings.sh
. "$HERE/lib/settings.sh"
# shellcheck source=scripts/lib/process.sh
. "$HERE/lib/process.sh"

API=${1:-http://$API_HERE}
wait_for "$API" 10 http_ok "$API/openapi.json"
cd "$PROJECT"
if [ $# -gt 1 ]; then
    documents=("${@:2}")
else
    mapfile -t documents < <(git ls-files -co --exclude-standard '*.md')
fi
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
failed=0
for document in "${documents[@]}"; do
    python3 "$HERE/python/documents.py" commands "$document" "$API" >"$WORK/commands.sh"
    grep -q '^at=' "$WORK/commands.sh" || continue
    bash "$WORK/commands.sh" || {
        complain "a command of $document failed, or printed something else: see the lines above"
        failed=1
    }
done
exit $failed
