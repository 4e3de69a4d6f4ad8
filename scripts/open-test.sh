#!/usr/bin/env bash
# Tests what a phone in the same network sees of `DOUSHENG_HTTP__LISTEN=0.0.0.0:… make run-all`: a client in a network namespace of its own,
# joined to this machine by a pair of virtual interfaces, uses the page, publishes and watches a video, and reaches nothing else. On a system
# of its own; takes a minute or two after a build. Needs root and `ip` (package iproute2), for the namespace; part of `make deploy-test`.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$HERE/.."
for setting in $(compgen -e DOUSHENG_); do
    case $setting in DOUSHENG_TOOLS | DOUSHENG_OPEN_TEST_PORT) ;; *) unset "$setting" ;; esac
done
unset OBJECT_STORE YES CI
[ "${DATABASE:-}" != external ] || unset DATABASE
export DOUSHENG_RUN=$PWD/.run/open DOUSHENG_TOOLS=${DOUSHENG_TOOLS:-$PWD/.run/tools}
port=${DOUSHENG_OPEN_TEST_PORT:-31400}
# The store also takes the ports 10000 higher. All are below 32768, because higher ports are used by outgoing connections.
export DOUSHENG_PRIMARY_PORT=$port DOUSHENG_REPLICA_PORT=$((port + 1)) DOUSHENG_ETCD_PORT=$((port + 10)) DOUSHENG_ETCD_PEER_PORT=$((port + 11)) \
    DOUSHENG_REDIS_PORT=$((port + 20)) DOUSHENG_S3_PORT=$((port - 9100)) DOUSHENG_INSTANCES=1
# Addresses for documentation (RFC 5737): no network has them.
export DOUSHENG_OPEN_HOST=198.51.100.1
LISTEN=0.0.0.0:$((port + 80))
# shellcheck source=scripts/lib/settings.sh
. "$HERE/lib/settings.sh"
# shellcheck source=scripts/lib/process.sh
. "$HERE/lib/process.sh"
# shellcheck source=scripts/lib/progress.sh
. "$HERE/lib/progress.sh"
# shellcheck source=scripts/lib/install.sh
. "$HERE/lib/install.sh"
# shellcheck source=scripts/lib/web.sh
. "$HERE/lib/web.sh"
PHONE=dousheng-phone
PAGE=http://$DOUSHENG_OPEN_HOST:$((port + 80))
STORE=http://$DOUSHENG_OPEN_HOST:$S3_PORT

phone() { ip netns exec $PHONE "$@"; }

# The interface goes with the namespace that holds its other end.
network_down() { ! ip netns pids $PHONE >/dev/null 2>&1 || ip netns del $PHONE; }
network_up() {
    network_down
    ip netns add $PHONE
    ip link add dousheng0 type veth peer name phone0 netns $PHONE
    ip addr add $DOUSHENG_OPEN_HOST/30 dev dousheng0
    ip link set dousheng0 up
    ip -n $PHONE addr add 198.51.100.2/30 dev phone0
    ip -n $PHONE link set phone0 up
    ip -n $PHONE link set lo up
}

leave() {
    local result=$?
    trap - EXIT INT TERM
    network_down || true
    if [ $result = 0 ]; then
        YES=1 "$HERE/dousheng.sh" reset >/dev/null
        rm -rf "$RUN"
    else
        complain "FAILED. What it left is in $RUN"
        "$HERE/dousheng.sh" stop >/dev/null || true
    fi
    exit $result
}

fail() {
    complain "$*"
    return 1
}

refused_without_a_yes() {
    ! DOUSHENG_HTTP__LISTEN=$LISTEN "$HERE/dousheng.sh" start </dev/null || fail "it started without a yes"
}

open_start() { DOUSHENG_LIMITS__DEFAULTS=production DOUSHENG_HTTP__LISTEN=$LISTEN "$HERE/dousheng.sh" start </dev/null | tee "$RUN/said"; }

says_what_to_open() { grep -qF "$PAGE/" "$RUN/said"; }

json() { jq -er "$1"; }

film() { ffmpeg -v error -y -f lavfi -i testsrc2=size=320x240:rate=24 -f lavfi -i sine -t 2 -c:v libx264 -pix_fmt yuv420p -c:a aac "$RUN/film.mp4"; }

# The whole test of the page, as on a phone: browsers keep some functions from a page that comes by plain http from another machine.
browses() {
    use_node || return 1
    [ -e api/web/dist/index.html ] || fail "the page isn't built: make web"
    film
    seq 500 >"$RUN/text.mp4"
    PAGE=$PAGE STORE=$STORE FILM=$RUN/film.mp4 TEXT=$RUN/text.mp4 PICTURES=$RUN phone node api/web/test/browser.mjs
}

publishes_and_watches() {
    local token url
    phone curl -sSf -m 10 "$PAGE/" -D "$RUN/head" -o "$RUN/page"
    grep -qi '<!doctype html>' "$RUN/page"
    grep -qi "media-src 'self' blob: $STORE" "$RUN/head"
    film
    token=$(phone curl -sSf -m 20 "$PAGE/douyin/user/register/" -d username=phone -d password=a-good-password | json .token)
    phone curl -sSf -m 60 "$PAGE/douyin/publish/action/" -H "Authorization: Bearer $token" -F "token=$token" -F title=film -F "data=@$RUN/film.mp4" |
        json '.status_code == 0'
    phone curl -sSf -m 10 "$PAGE/douyin/feed/" >"$RUN/feed"
    for url in play_url cover_url; do
        url=$(json ".video_list[0].$url" <"$RUN/feed")
        [[ $url = "$STORE"/* ]] || fail "a viewer can't reach $url"
        phone curl -sSf -m 20 "$url" -o "$RUN/object"
        file=$(stat -c %s "$RUN/object")
        [ "$file" -gt 1000 ] || fail "$url: $file bytes"
    done
    # A browser asks for parts.
    url=$(json '.video_list[0].play_url' <"$RUN/feed")
    [ "$(phone curl -sS -m 20 -r 0-99 "$url" -o "$RUN/object" -w '%{http_code} %{size_download}')" = "206 100" ]
    [ "$(phone curl -sS -m 20 "${url/play/lay}x" -o "$RUN/object" -w '%{http_code}')" = 403 ]
}

# Every port on which something of this system listens, one a line.
ports() {
    local file
    for file in "$RUN"/services/*/{address,admin}; do
        [ ! -e "$file" ] || say "$(sed 's/.*://' "$file")"
    done
    printf '%s\n' "$PRIMARY_PORT" "$REPLICA_PORT" "$ETCD_PORT" "$ETCD_PEER_PORT" "$REDIS_PORT"
    for file in 1 2 3 4 10000 10001 10002 10003 10004; do say $((S3_PORT + file)); done
}

reaches_nothing_else() {
    local one reached=0
    mapfile -t all < <(ports | sort -nu)
    for one in "${all[@]}"; do
        [ "$one" != $((port + 80)) ] || continue
        # A port that nobody listens on would prove nothing.
        [ -n "$(listeners "$one")" ] || fail "nothing listens on $one"
        if phone timeout 3 bash -c "exec 3<>/dev/tcp/$DOUSHENG_OPEN_HOST/$one" 2>/dev/null; then
            complain "port $one can be reached from the network"
            reached=1
        fi
    done
    [ $reached = 0 ]
    say "${#all[@]} ports, none of which can be reached"
    [ "$(phone curl -sS -m 10 "$PAGE/readyz" -o "$RUN/object" -w '%{http_code}')" = 404 ]
    # The account that stands in the repository opens nothing.
    [ "$(phone curl -sS -m 10 "$STORE/$S3_BUCKET/?list-type=2" --aws-sigv4 aws:amz:us-east-1:s3 -u dousheng-dev:dousheng-dev-secret \
        -o "$RUN/object" -w '%{http_code}')" = 403 ]
}

# A start without the setting takes it all back.
closes_again() {
    DOUSHENG_HTTP__LISTEN=127.0.0.1:$((port + 80)) "$HERE/dousheng.sh" start
    curl -sSf -m 10 "http://127.0.0.1:$((port + 80))/douyin/feed/" >"$RUN/feed"
    [[ $(json '.video_list[0].play_url' <"$RUN/feed") = http://127.0.0.1:$S3_PORT/* ]]
    for one in $((port + 80)) "$S3_PORT"; do
        ! phone timeout 3 bash -c "exec 3<>/dev/tcp/$DOUSHENG_OPEN_HOST/$one" 2>/dev/null || fail "port $one can still be reached"
    done
}

if [ "$(id -u)" != 0 ] || ! command -v ip >/dev/null; then
    complain "SKIPPED: the network namespace needs root and ip (package iproute2)"
    exit 1
fi
mkdir -p "$RUN"
lock open-test
trap leave EXIT
trap 'exit 130' INT TERM
see="$RUN/logs has what each step printed, and $RUN/services what the services said"
YES=1 step fresh "$see" "$HERE/dousheng.sh" reset
step install "$see" "$HERE/infra.sh" install chromium
step network "ip netns and veth must work here" network_up
step refusal "$see" refused_without_a_yes
step open "$see" open_start
step address "$see" says_what_to_open
step browser "$see" browses
step viewer "$see" publishes_and_watches
step wall "$see" reaches_nothing_else
step closed "$see" closes_again
