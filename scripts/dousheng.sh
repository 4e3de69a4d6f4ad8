#!/usr/bin/env bash
# The whole system on this machine.
#   scripts/dousheng.sh start             installs, builds and starts what is missing; waits until all is healthy
#   scripts/dousheng.sh stop              services first, each finishing its work, then the servers
#   scripts/dousheng.sh status
#   scripts/dousheng.sh logs [user-1]     follows the logs of all services, or of one
#   scripts/dousheng.sh config            the settings that the services run with, and where each came from
#   scripts/dousheng.sh roll [RATE]       restarts every process, one at a time; under a load of RATE requests/s, if given
#   scripts/dousheng.sh rotate-key [finish]  signs tokens with a new key, nobody is logged out; finish: removes the old key
#   scripts/dousheng.sh crash RATE        kills one instance of each service under such a load, and starts it again
#   scripts/dousheng.sh reconcile [--fix] compares every count with its rows
#   scripts/dousheng.sh reap [--adopt]    removes what killed uploads left behind; --adopt: the bucket is this database's, whatever it holds
#   scripts/dousheng.sh moderate video|comment|suspend|readmit ID REASON...    takes down a video or a comment; suspends a user, or no longer
#   scripts/dousheng.sh reset             stops everything and deletes its data; asks before (not in CI, not with YES=1)
# State is in .run/ (DOUSHENG_RUN). Settings: scripts/README.md.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$HERE/.."
# shellcheck source=scripts/lib/settings.sh
. "$HERE/lib/settings.sh"
# shellcheck source=scripts/lib/process.sh
. "$HERE/lib/process.sh"
# shellcheck source=scripts/lib/nodes.sh
. "$HERE/lib/nodes.sh"
# shellcheck source=scripts/lib/progress.sh
. "$HERE/lib/progress.sh"
# shellcheck source=scripts/lib/install.sh
. "$HERE/lib/install.sh"
# shellcheck source=scripts/lib/web.sh
. "$HERE/lib/web.sh"
# shellcheck source=scripts/lib/open.sh
. "$HERE/lib/open.sh"
# shellcheck source=scripts/lib/services.sh
. "$HERE/lib/services.sh"

export DOUSHENG_RUN=$RUN DOUSHENG_HTTP__LISTEN=$API_LISTEN

build() { cargo build --workspace --bins; }

# The key for tokens and the secret for RPC of this installation.
secrets() {
    [ -n "${DOUSHENG_AUTH__JWT_KEYS:-}" ] || DOUSHENG_AUTH__JWT_KEYS=$(kept_secret jwt dev1:)
    [ -n "${DOUSHENG_RPC__SECRET:-}" ] || DOUSHENG_RPC__SECRET=$(kept_secret rpc)
    export DOUSHENG_AUTH__JWT_KEYS DOUSHENG_RPC__SECRET
}

# The addresses of the servers. Only `migrate` gets the account that changes tables; no service has it in its environment.
servers() {
    eval "$("$HERE/infra.sh" env)"
    MIGRATE_URL=$DOUSHENG_MYSQL__MIGRATE_URL
    unset DOUSHENG_MYSQL__MIGRATE_URL
}

migrate() { DOUSHENG_MYSQL__MIGRATE_URL=$MIGRATE_URL "$BIN/migrate"; }

# One process at a time, so that the other instance still answers.
start_instance() { # SERVICE NUMBER
    local action=instance_start STEP_NOTE=started
    if instance_alive "$1" "$2"; then
        action=instance_await STEP_NOTE="was running"
        if instance_outdated "$1" "$2"; then action=instance_renew STEP_NOTE="renewed: its program or its settings are new"; fi
    fi
    step "$1-$2" "the reason stands above; settings are explained in pkg/settings/defaults.toml, ports in scripts/README.md" \
        "$action" "$1" "$2"
}

start_services() {
    local list line
    mapfile -t list < <(instances)
    for line in "${list[@]}"; do
        # shellcheck disable=SC2086  # two words
        start_instance $line
    done
}

# Running processes that are no longer wanted: fewer instances, or a service that was removed.
retire() {
    local list line
    mapfile -t list < <(comm -23 <(known_instances | sort) <(instances | sort))
    for line in "${list[@]}"; do
        # shellcheck disable=SC2086
        instance_stop $line
        rm -rf "$RUN/services/${line/ /-}"
    done
}

stop_services() {
    local list line jobs=()
    mapfile -t list < <(known_instances)
    # The API stops first, so that its requests in flight still reach the services.
    for line in "${list[@]}"; do
        # shellcheck disable=SC2086
        case $line in api*) instance_stop $line & jobs+=($!) ;; esac
    done
    for line in "${jobs[@]}"; do wait "$line"; done
    jobs=()
    for line in "${list[@]}"; do
        # shellcheck disable=SC2086
        instance_stop $line &
        jobs+=($!)
    done
    for line in "${jobs[@]}"; do wait "$line"; done
}

address_line() { printf '  %-22s %-40s %s\n' "$@"; }
addresses() {
    local service number
    say
    ! is_open || address_line "for others" "http://$(open_host):${API_LISTEN##*:}/" "open it on a phone in the same network"
    address_line "web page" "http://$API_HERE/" ""
    address_line "HTTP API" "http://$API_HERE/douyin/feed/" ""
    while read -r service number; do
        [ "$service" = api ] || address_line "service $service-$number" "$(instance_address "$service" "$number")" "make logs s=$service-$number"
    done < <(instances)
    if [ "$DATABASE" = external ]; then
        address_line "database" "external" ""
    else
        address_line "primary" "127.0.0.1:$PRIMARY_PORT ($DATABASE)" "scripts/infra.sh sql primary"
        for service in $(replicas); do
            address_line "$service" "127.0.0.1:$(replica_port "$service")" "scripts/infra.sh sql $service"
        done
    fi
    for service in $(etcd_names); do address_line "$service" "$(etcd_client "$service")" ""; done
    for service in $(redis_names); do
        address_line "$service" "127.0.0.1:$(redis_port "$service")" "redis-cli -p $(redis_port "$service")"
    done
    address_line "object store" "$S3_ENDPOINT/$S3_BUCKET" "$OBJECT_STORE"
}

# What would stop the start later is found before the long build.
machine() {
    need_room
    "$HERE/infra.sh" ports
    api_port
}

start() {
    may_open
    need_cargo
    step machine "free what the lines above name" machine
    step install "the lines above name what could not be installed; as a plain user this needs sudo" "$HERE/infra.sh" install
    web
    step build "cargo build --workspace --bins" build
    BIN=$(cargo metadata --no-deps --format-version 1 | jq -r .target_directory)/debug
    # Strangers learn nothing of how it is.
    ! is_open || export DOUSHENG_HTTP__ADMIN_PATHS=${DOUSHENG_HTTP__ADMIN_PATHS:-off}
    # may_open was answered above.
    step servers "scripts/infra.sh status; a port that is taken is named above with its setting" env YES=1 "$HERE/infra.sh" start
    servers
    secrets
    step migrate "scripts/infra.sh sql primary shows the state" migrate
    retire
    start_services
    addresses
}

stop() {
    step services "scripts/dousheng.sh status" stop_services
    step servers "scripts/infra.sh status" "$HERE/infra.sh" stop
}

instance_status() { # SERVICE NUMBER
    local name=$1-$2 state="not healthy" pid
    if ! instance_alive "$1" "$2"; then
        printf '  %-10s down\n' "$name"
        return 1
    fi
    pid=$(cat "$(instance_dir "$1" "$2")/pid")
    if instance_healthy "$1" "$2" 2>/dev/null; then state=$(instance_state "$1" "$2" || true); fi
    printf '  %-10s %-11s %-17s admin %-17s pid %s, %s MiB\n' "$name" "$state" "$(instance_address "$1" "$2" || true)" \
        "$(instance_admin "$1" "$2" || true)" "$pid" \
        "$(($(awk '$1 == "VmRSS:" { print $2 }' "/proc/$pid/status") / 1024))"
    [ "$state" = up ]
}

status() {
    local list line result=0
    mapfile -t list < <(instances)
    for line in "${list[@]}"; do
        # shellcheck disable=SC2086
        instance_status $line || result=1
    done
    "$HERE/infra.sh" status || result=1
    return $result
}

# The settings as `start` passes them to the services; a program started by hand would have others.
config() {
    need_cargo
    servers
    if [ -s "$RUN/secrets/jwt" ]; then secrets; fi
    cargo run -q -p settings --bin config
}

logs() { # [SERVICE-NUMBER]
    local files
    mapfile -t files < <(compgen -G "$RUN/services/${1:-*}/log")
    [ ${#files[@]} -gt 0 ] || {
        complain "no log of ${1:-any service} in $RUN/services"
        return 1
    }
    exec tail -n 20 -F "${files[@]}"
}

reset() {
    may_delete "all data in $RUN (databases, videos, registrations, secrets, logs)"
    say "stopping everything and deleting its data in $RUN"
    stop
    YES=1 "$HERE/infra.sh" reset
    rm -rf "${RUN:?}"/{services,secrets,logs,seed}
}

# under_load RATE COMMAND...: runs the command under a load and prints what failed.
under_load() {
    local rate=$1 load result=0 before
    shift
    : >"$RUN/kills"
    before=$(comments_sent)
    DOUSHENG_URL=http://$API_HERE DOUSHENG_KILLS=$RUN/kills "$BIN/load" "$rate" 600 &
    load=$!
    # A step that fails ends this script; the load must not outlive it.
    # shellcheck disable=SC2064
    trap "kill -TERM $load 2>/dev/null || true" EXIT
    wait_for "the load" 60 loaded "$before"
    "$@" || result=$?
    kill -TERM "$load"
    wait "$load" || result=$?
    trap - EXIT
    return $result
}

# Finds the programs and the servers, before a process is restarted, killed or run.
for_instances() {
    BIN=$(cargo metadata --no-deps --format-version 1 | jq -r .target_directory)/debug
    servers
    secrets
}

# Restarts every process while another instance answers. With a rate, a load runs meanwhile and prints what failed.
roll() { # [RATE]
    for_instances
    if [ -n "${1:-}" ]; then under_load "$1" renew_all; else renew_all; fi
}
renew_all() {
    local list line
    mapfile -t list < <(instances)
    for line in "${list[@]}"; do
        # shellcheck disable=SC2086
        STEP_NOTE=renewed step "${line/ /-}" "scripts/dousheng.sh status; make logs s=${line/ /-}" instance_renew $line
    done
}

# Adds a new key for tokens. First every process learns it, then it signs. Tokens of the old key stay valid until they expire.
rotate_key() { # [finish]
    local keys new
    [ -z "${DOUSHENG_AUTH__JWT_KEYS:-}" ] || {
        complain "rotate-key: DOUSHENG_AUTH__JWT_KEYS decides the keys here, not $RUN/secrets/jwt; pkg/settings/defaults.toml tells how to change it"
        return 1
    }
    for_instances
    keys=$DOUSHENG_AUTH__JWT_KEYS
    case ${1:-}:$keys in
        finish:*) use_keys "the new key alone" "${keys%%,*}" ;;
        :*,*)
            complain "rotate-key: two keys are good already. When tokens of the older one have expired (auth.token_ttl_s): scripts/dousheng.sh rotate-key finish"
            return 1
            ;;
        :*)
            new=key$(date -u +%Y%m%dT%H%M%SZ):$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
            use_keys "both known" "$keys,$new"
            use_keys "the new one signs" "$new,$keys"
            ;;
        *)
            complain "rotate-key: nothing or finish, not \"$1\""
            return 2
            ;;
    esac
}
# Only the API reads tokens.
use_keys() { # NOTE KEYS
    local number file=$RUN/secrets/jwt
    (umask 077 && say "$2" >"$file.new")
    mv "$file.new" "$file"
    export DOUSHENG_AUTH__JWT_KEYS=$2
    for ((number = 1; number <= INSTANCES; number++)); do
        STEP_NOTE=$1 step "api-$number" "make logs s=api-$number" instance_renew api "$number"
    done
}

# Kills one instance of each service with SIGKILL and starts it again. The load prints what failed.
crash() { # RATE
    for_instances
    under_load "${1:?requests a second}" crash_each
}
crash_each() {
    local service
    for service in $RPC_SERVICES; do
        STEP_NOTE="killed, started again" step "$service-1" "make logs s=$service-1" crash_one "$service"
    done
}
crash_one() { # SERVICE
    local dir before
    dir=$(instance_dir "$1" 1)
    alive "$dir/pid" "$dir/$1"
    before=$(date +%s%3N)
    kill -KILL "$(cat "$dir/pid")"
    say "$before $(date +%s%3N)" >>"$RUN/kills"
    # The time until an operator would notice.
    sleep 2
    instance_start "$1" 1
    sleep 1
}
# Both API processes share the port and either may answer, so this sums what the services have served.
comments_sent() {
    local number total=0 served
    for number in $(instances | awk '$1 == "comment" { print $2 }'); do
        served=$(curl -s -m 2 "http://$(instance_admin comment "$number")/metrics" | awk '/^rpc_server_requests_total.*add_comment/ { n += $NF } END { print n + 0 }')
        total=$((total + served))
    done
    say "$total"
}
loaded() { [ "$(comments_sent)" -gt $(($1 + 20)) ]; } # COUNT, before the load

# Runs one of our programs to its end, with the settings of the services.
run_once() { # PROGRAM ARGUMENTS...
    for_instances
    exec "$BIN/$1" "${@:2}"
}

case ${1:-} in
    start | stop | reset)
        lock services
        "$1"
        ;;
    status) status ;;
    config) config ;;
    logs) logs "${2:-}" ;;
    reconcile | reap | moderate) run_once "$@" ;;
    roll)
        lock services
        roll "${2:-}"
        ;;
    rotate-key)
        lock services
        rotate_key "${2:-}"
        ;;
    crash)
        lock services
        crash "${2:-}"
        ;;
    *)
        sed -n '2,15s/^# \?//p' "$0"
        exit 2
        ;;
esac
