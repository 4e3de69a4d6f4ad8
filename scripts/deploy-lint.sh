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

REQUIREMENTS=$HERE/python/deploy-requirements.txt
VENV=$TOOLS/deploy-lint-$(sha256sum <"$REQUIREMENTS" | cut -c1-12)

PROMTOOL=$TOOLS/promtool

# Debian's package, unpacked and not installed: the server in it would be started. Where there is no such package, the alerts aren't checked.
fetch_promtool() {
    local work
    PROMTOOL=$(command -v promtool || say "$PROMTOOL")
    [ ! -x "$PROMTOOL" ] || return 0
    work=$(mktemp -d)
    if (cd "$work" && apt-get download -q prometheus && dpkg-deb -x prometheus_*.deb .) >"$work/log" 2>&1; then
        mkdir -p "$TOOLS"
        mv "$work/usr/bin/promtool" "$PROMTOOL"
    else
        say "NOT CHECKED: scripts/deploy/alerts.yaml, which needs promtool (Debian's package prometheus): $(tail -n 1 "$work/log")"
    fi
    rm -rf "$work"
}

system_python -c 'import tomllib' 2>/dev/null || {
    complain "deploy-lint: needs Python 3.11 or newer, as Debian 12 has; this is $(system_python --version 2>&1)"
    exit 1
}
if [ ! -e "$VENV/installed" ]; then
    rm -rf "$VENV"
    system_python -m venv "$VENV"
    retried "$VENV/bin/pip" install -q --disable-pip-version-check --no-deps --only-binary=:all: -r "$REQUIREMENTS"
    touch "$VENV/installed"
fi
cd scripts/deploy
"$VENV/bin/check-jsonschema" --builtin-schema vendor.compose-spec compose.yaml
"$VENV/bin/kubernetes-validate" --strict --quiet kubernetes/*.yaml
"$VENV/bin/hadolint" Dockerfile
fetch_promtool
if [ -x "$PROMTOOL" ]; then
    "$PROMTOOL" check rules alerts.yaml
    "$PROMTOOL" test rules alerts_test.yaml
fi
cd "$HERE/.."
cargo metadata --no-deps --format-version 1 --offline 2>/dev/null | jq -r '.packages[].targets[] | select(.kind[0] == "bin") | .name' |
    PRIMARY_PORT=$PRIMARY_PORT REPLICA_PORT=$REPLICA_PORT ETCD_PORT=$ETCD_PORT REDIS_PORT=$REDIS_PORT S3_PORT=$S3_PORT API_LISTEN=$API_LISTEN \
        "$VENV/bin/python" "$HERE/python/deploy_lint.py"
