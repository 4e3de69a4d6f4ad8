#!/usr/bin/env bash
# Checks scripts/deploy as far as that goes without Docker or a cluster: the compose file and the manifests by their schemas, the
# Dockerfile by hadolint, the alerts by promtool, and all of them against this repository: settings, programs, ports. A part of `make lint`.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$HERE/.."
# shellcheck source=scripts/lib/settings.sh
. "$HERE/lib/settings.sh"
# shellcheck source=scripts/lib/process.sh
. "$HERE/lib/process.sh"
# shellcheck source=scripts/lib/install.sh
. "$HERE/lib/install.sh"

system_python -c 'import tomllib' 2>/dev/null || {
    complain "deploy-lint: needs Python 3.11 or newer, as Debian 12 has; this is $(system_python --version 2>&1)"
    exit 1
}
VENV=$(python_tools deploy-lint "$HERE/python/deploy-requirements.txt")
cd scripts/deploy
"$VENV/bin/check-jsonschema" --builtin-schema vendor.compose-spec compose.yaml
"$VENV/bin/kubernetes-validate" --strict --quiet kubernetes/*.yaml
"$VENV/bin/hadolint" Dockerfile
if PROMTOOL=$(from_debian prometheus promtool 2>&1); then
    "$PROMTOOL" check rules alerts.yaml
    "$PROMTOOL" test rules alerts_test.yaml
else
    say "NOT CHECKED: scripts/deploy/alerts.yaml, which needs $PROMTOOL"
fi
cd "$HERE/.."
cargo metadata --no-deps --format-version 1 --offline 2>/dev/null | jq -r '.packages[].targets[] | select(.kind[0] == "bin") | .name' |
    PRIMARY_PORT=$PRIMARY_PORT REPLICA_PORT=$REPLICA_PORT ETCD_PORT=$ETCD_PORT REDIS_PORT=$REDIS_PORT S3_PORT=$S3_PORT API_LISTEN=$API_LISTEN \
        "$VENV/bin/python" "$HERE/python/deploy_lint.py"
