#!/usr/bin/env bash
# Draws deploy/dashboard.webp, the picture of the dashboard in the operator's guide, from a running system (make run-all) under
# load: a Prometheus of its own scrapes all processes meanwhile. Grafana isn't needed. For the picture in the guide `make roll` ran meanwhile.
#   scripts/dashboard-picture.sh [MINUTES] [ROW OF THE DASHBOARD...]
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/settings.sh
. "$HERE/lib/settings.sh"
# shellcheck source=scripts/lib/process.sh
. "$HERE/lib/process.sh"
# shellcheck source=scripts/lib/install.sh
. "$HERE/lib/install.sh"

MINUTES=${1:-4}
shift || true
[ $# != 0 ] || set -- "Is it well?" HTTP RPC Database
PORT=${DOUSHENG_PROMETHEUS_PORT:-19090}
DIR=$RUN/dashboard

# Written once a second, and read again by Prometheus: so processes that start later are scraped, too.
write_targets() {
    grep -h . "$RUN"/services/*/admin | jq -R . | jq -s '[{ targets: . }]' >"$DIR/targets.new"
    mv "$DIR/targets.new" "$DIR/targets.json"
}

leave() {
    local result=$?
    trap - EXIT INT TERM
    end "$DIR/pid" "$PROMETHEUS" 10
    [ $result = 0 ] || tail -n 5 "$DIR/log" >&2 || true
    rm -rf "$DIR"
    exit $result
}

compgen -G "$RUN/services/*/admin" >/dev/null || {
    complain "no process runs here: make run-all"
    exit 1
}
PROMETHEUS=$(from_debian prometheus prometheus)
VENV=$(python_tools dashboard "$HERE/python/dashboard-requirements.txt")
mkdir -p "$DIR"
trap leave EXIT
trap 'exit 130' INT TERM
need_port "$PORT" DOUSHENG_PROMETHEUS_PORT "Prometheus"
write_targets
cat >"$DIR/prometheus.yml" <<CONFIG
global: { scrape_interval: 2s }
scrape_configs:
  - job_name: dousheng
    file_sd_configs: [{ files: ["$DIR/targets.json"], refresh_interval: 2s }]
CONFIG
launch "$DIR/pid" "$DIR/log" "$PROMETHEUS" --config.file="$DIR/prometheus.yml" --storage.tsdb.path="$DIR/data" \
    --web.listen-address="127.0.0.1:$PORT"
wait_for "Prometheus" 30 http_ok "http://127.0.0.1:$PORT/-/ready"
say "scraping for $MINUTES minutes"
for _ in $(seq $((MINUTES * 60))); do
    write_targets
    sleep 1
done
"$VENV/bin/python" "$HERE/python/draw_dashboard.py" "http://127.0.0.1:$PORT" "$MINUTES" "$HERE/deploy/dashboard.webp" "$@"
say "scripts/deploy/dashboard.webp"
