#!/usr/bin/env bash
# Tests the API against its own document with schemathesis: generated requests, right and wrong, to every route, uploads too.
# Starts a system of its own on other ports and deletes it again, also after a failure or Ctrl-C. Minutes.
#   scripts/fuzz.sh [arguments of schemathesis run]    for example: --seed 7, or --include-operation-id feed
# FUZZ_API=http://… tests a running API instead, and leaves its videos and comments there. FUZZ_CASES=200 makes it shorter.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Nothing is written to servers that the environment names.
for setting in $(compgen -e DOUSHENG_); do
    case $setting in DOUSHENG_TOOLS | DOUSHENG_FUZZ_*) ;; *) unset "$setting" ;; esac
done
unset OBJECT_STORE
[ "${DATABASE:-}" != external ] || unset DATABASE
# Other ports than those of a run and of the tests, so that all may be up at once.
export DOUSHENG_RUN=${DOUSHENG_FUZZ_RUN:-$HERE/../.run/fuzz}
mkdir -p "$DOUSHENG_RUN"
DOUSHENG_RUN=$(cd "$DOUSHENG_RUN" && pwd)
export DOUSHENG_PRIMARY_PORT=${DOUSHENG_FUZZ_PRIMARY_PORT:-26306}
export DOUSHENG_REPLICA_PORT=${DOUSHENG_FUZZ_REPLICA_PORT:-26307}
export DOUSHENG_ETCD_PORT=${DOUSHENG_FUZZ_ETCD_PORT:-25379}
export DOUSHENG_ETCD_PEER_PORT=${DOUSHENG_FUZZ_ETCD_PEER_PORT:-25380}
export DOUSHENG_REDIS_PORT=${DOUSHENG_FUZZ_REDIS_PORT:-29379}
export DOUSHENG_S3_PORT=${DOUSHENG_FUZZ_S3_PORT:-23000}
export DOUSHENG_HTTP__LISTEN=${DOUSHENG_FUZZ_LISTEN:-127.0.0.1:18080}
export DOUSHENG_INSTANCES=1 DOUSHENG_AUTH__BCRYPT_COST=4
# shellcheck source=scripts/lib/settings.sh
. "$HERE/lib/settings.sh"
# shellcheck source=scripts/lib/process.sh
. "$HERE/lib/process.sh"
# shellcheck source=scripts/lib/install.sh
. "$HERE/lib/install.sh"
# shellcheck source=scripts/lib/progress.sh
. "$HERE/lib/progress.sh"
cd "$HERE/.."

API=${FUZZ_API:-http://$API_HERE}
REQUIREMENTS=$HERE/python/fuzz-requirements.txt
VENV=$TOOLS/schemathesis-$(sed -n 's/^schemathesis==//p' "$REQUIREMENTS")
# Requests for each route; more than 10,000 in all.
CASES=${FUZZ_CASES:-1000}

# Checks that don't fit the contract: they expect a 4xx, but the API reports errors with HTTP 200 and a `status_code`.
MEANINGLESS=(
    negative_data_rejection # wrong data must be a 4xx
    missing_required_header # so must a header that isn't there
    ignored_auth            # a missing or wrong token must be 401
)

install_schemathesis() {
    [ ! -e "$VENV/installed" ] || return 0
    rm -rf "$VENV"
    system_python -m venv "$VENV"
    "$VENV/bin/pip" install -q --disable-pip-version-check --no-deps --only-binary=:all: -r "$REQUIREMENTS"
    touch "$VENV/installed"
}

# The first user, with one small film.
seed() {
    local session film=$RUN/film.mp4
    ffmpeg -hide_banner -nostdin -loglevel error -y -f lavfi -i testsrc=size=64x64:rate=10 -t 1 -c:v libx264 -pix_fmt yuv420p "$film"
    session=$(curl -sS --fail "$API/douyin/user/register/" -d "username=fuzz-$RANDOM$RANDOM" -d password=fuzzing)
    jq -er .token <<<"$session" >"$RUN/token"
    curl -sS --fail "$API/douyin/publish/action/" -F token="$(cat "$RUN/token")" -F title=Film -F data=@"$film" | jq -e '.status_code == 0'
}

# Requests by the API's own count: all, and those answered with 5xx.
counted() {
    curl -sS --fail "$API/metrics" | awk '
        /^http_requests_total\{/ { all += $NF; if ($0 ~ /status="5/) failed += $NF }
        END { printf "%d %d\n", all, failed }'
}

leave() {
    local result=$?
    trap - EXIT INT TERM
    [ -n "${FUZZ_API:-}" ] || YES=1 "$HERE/dousheng.sh" reset >"$RUN.reset.log" 2>&1 || cat "$RUN.reset.log" >&2
    exit "$result"
}

lock fuzz
trap leave EXIT
trap 'exit 130' INT TERM
step schemathesis "it comes from PyPI, pinned in scripts/python/fuzz-requirements.txt" install_schemathesis
[ -n "${FUZZ_API:-}" ] || step system "scripts/fuzz.sh has ports of its own; they stand at its top" "$HERE/dousheng.sh" start
step seed "the API must answer at $API" seed
read -r requests_before failed_before < <(counted)
FUZZ_TOKEN=$(cat "$RUN/token")
export FUZZ_TOKEN FUZZ_FILM=$RUN/film.mp4 SCHEMATHESIS_HOOKS=fuzz_hooks PYTHONPATH=$HERE/python PYTHONDONTWRITEBYTECODE=1
# One worker, because the parser isn't thread-safe in Python 3.11. It stores failures in the current directory.
cd "$RUN"
result=0
excluded=$(IFS=,; say "${MEANINGLESS[*]}")
"$VENV/bin/schemathesis" run "$API/openapi.json" --phases examples,coverage,fuzzing --checks all --exclude-checks "$excluded" \
    --max-examples "$CASES" --seed 1 --workers 1 --request-timeout 30 --continue-on-failure --warnings off \
    --output-sanitize false "$@" || result=$?
read -r requests failed < <(counted)
say "requests that the API counted: $((requests - requests_before)), of them answered with 5xx: $((failed - failed_before))"
[ "$failed" = "$failed_before" ] && [ "$result" = 0 ]
