#!/usr/bin/env bash
# Tests what a start does first, on bare systems: in a fresh root of each distribution it installs what is missing, builds the web page, and
# starts the servers. Prints a row for each. Part of `make deploy-test`.
#   scripts/install-test.sh [bookworm|trixie|jammy|noble...]
# Needs root; installs debootstrap. The roots are packed in .run/machines/roots, so a second run downloads only the packages of the install step.
# A distribution that no mirror serves here is named as not run. Nothing that runs in a root outlives this script.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$HERE/.."
for setting in $(compgen -e DOUSHENG_); do
    case $setting in DOUSHENG_INSTALL_TEST_PORT) ;; *) unset "$setting" ;; esac
done
unset OBJECT_STORE DATABASE MYSQLD YES CI
export DOUSHENG_RUN=$PWD/.run/machines
# shellcheck source=scripts/lib/settings.sh
. "$HERE/lib/settings.sh"
# shellcheck source=scripts/lib/process.sh
. "$HERE/lib/process.sh"
# shellcheck source=scripts/lib/progress.sh
. "$HERE/lib/progress.sh"
# shellcheck source=scripts/lib/install.sh
. "$HERE/lib/install.sh"
# shellcheck source=scripts/lib/roots.sh
. "$HERE/lib/roots.sh"
# The network is this machine's, so the servers in the roots need ports of their own.
PORT=${DOUSHENG_INSTALL_TEST_PORT:-31300}

# What a root is asked to do. It prints what it found, a line each.
in_root() {
    cat <<SCRIPT
set -euo pipefail
cd /src
export DOUSHENG_PRIMARY_PORT=$PORT DOUSHENG_REPLICA_PORT=$((PORT + 1)) DOUSHENG_ETCD_PORT=$((PORT + 10)) DOUSHENG_ETCD_PEER_PORT=$((PORT + 11)) \
    DOUSHENG_REDIS_PORT=$((PORT + 20)) DOUSHENG_S3_PORT=$((PORT - 9100)) LC_ALL=C
SCRIPT
    cat <<'SCRIPT'
begun=$SECONDS
scripts/infra.sh install
echo "FOUND install $((SECONDS - begun)) s"
scripts/infra.sh install
scripts/infra.sh start
echo "FOUND database $(scripts/infra.sh sql replica -N -e 'SELECT VERSION()')"
echo "FOUND etcd $(etcd --version | sed -n 's/^etcd Version: //p')"
echo "FOUND Redis $(redis-server --version | sed 's/.* v=\([0-9.]*\) .*/\1/')"
echo "FOUND ffmpeg $(ffmpeg -version | sed -n '1s/^ffmpeg version \([^ ]*\).*/\1/p')"
scripts/infra.sh status
YES=1 scripts/infra.sh reset
scripts/web.sh
test -s api/web/dist/index.html
. scripts/lib/settings.sh && . scripts/lib/process.sh && . scripts/lib/install.sh && . scripts/lib/web.sh
use_node
echo "FOUND Node.js $(node --version)"
SCRIPT
}

# Lines of the log of a root: what it found, one after the other.
found() { sed -n 's/^FOUND //p' "$1" | paste -sd, | sed 's/,/, /g'; } # LOG

# The last thing that was said about what is wrong.
why() { grep -v '^FOUND' "$1" | tail -n 1 | cut -c1-160; } # LOG

# Ubuntu 22.04 has an etcd that is too old; the install step says so, by its name and with a way out.
refused_as_it_should() { [ "$1" = jammy ] && grep -q '^etcd 3\.3\..* is too old: put etcd 3.4 or newer into PATH' "$2"; } # SUITE LOG

test_one() { # SUITE
    local log=$RUN/$1.log result=0
    root_make "$1" >"$log" 2>&1 || {
        say "| $1 | NOT RUN: $(why "$log") |"
        return 0
    }
    tree_copy "$ROOTS/$1/src" || return 1
    in_root >"$ROOTS/$1/asked"
    root_run "$1" bash /asked >>"$log" 2>&1 </dev/null || result=1
    if [ $result = 0 ]; then
        say "| $1 | $(found "$log") |"
    elif refused_as_it_should "$1" "$log"; then
        say "| $1 | refused: $(grep -h 'is too old' "$log" | tail -n 1 | sed 's/ (.*//') |"
        result=0
    else
        say "| $1 | FAILED: $(why "$log") ($log) |"
    fi
    root_remove "$1"
    return $result
}

leave() {
    local result=$?
    trap - EXIT INT TERM
    for suite in "${suites[@]}"; do root_remove "$suite" || true; done
    exit $result
}

if [ "$(id -u)" != 0 ]; then
    complain "SKIPPED: a root of another distribution needs root"
    exit 1
fi
suites=("$@")
[ $# != 0 ] || suites=(bookworm trixie jammy noble)
mkdir -p "$ROOTS"
lock install-test
trap leave EXIT
trap 'exit 130' INT TERM
step install "the lines above name what could not be installed" "$HERE/infra.sh" install debootstrap curl git
result=0
for suite in "${suites[@]}"; do test_one "$suite" || result=1; done
[ $result = 0 ]
