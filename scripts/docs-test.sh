#!/usr/bin/env bash
# Opens /docs of a running API in headless Chromium, registers and logs in there, and fails on a console error or a request to
# another host. Not part of `make test`: Chromium is large. Installs it if it is missing.
#   scripts/docs-test.sh [http://127.0.0.1:8080]
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/settings.sh
. "$HERE/lib/settings.sh"
# shellcheck source=scripts/lib/process.sh
. "$HERE/lib/process.sh"

API=${1:-http://$API_LISTEN}
command -v chromium >/dev/null || "$HERE/infra.sh" install chromium
wait_for "$API" 10 http_ok "$API/openapi.json"
mkdir -p "$RUN/logs"
python3 "$HERE/python/docs_test.py" chromium "$API" "$RUN/logs/docs.png"
