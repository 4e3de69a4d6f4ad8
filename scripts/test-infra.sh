#!/usr/bin/env bash
# Keeps the servers of the tests up, for running single tests while working:
#   scripts/test-infra.sh up && eval "$(scripts/test-infra.sh env)" && cargo test --workspace --test dal
#   scripts/test-infra.sh status | down          down deletes the data too
# `make test` uses what is kept up this way, and otherwise brings up and takes down its own.
set -euo pipefail
# shellcheck source=scripts/lib/test-servers.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/test-servers.sh"

case ${1:-} in
    up)
        "$HERE/infra.sh" install
        "$HERE/infra.sh" start
        touch "$RUN/kept"
        say "the servers of the tests are up; for a single test: eval \"\$(scripts/test-infra.sh env)\" && cargo test --workspace --test dal"
        ;;
    env) test_env_lines ;;
    status | sql | replica-delay | semi-sync) exec "$HERE/infra.sh" "$@" ;;
    down)
        rm -f "$RUN/kept"
        "$HERE/infra.sh" reset
        ;;
    *)
        sed -n '2,5s/^# \?//p' "$0"
        exit 2
        ;;
esac
