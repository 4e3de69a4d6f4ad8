# shellcheck shell=bash
# Starts and stops our services. Instance N of service S has the directory $RUN/services/S-N with its pid, log, address and a link to its
# program, which identifies its command line. Sourced; needs settings.sh, process.sh and BIN (the directory of the programs).

instances() { # what should run, "service number" a line
    local service n
    for service in $RPC_SERVICES; do
        for ((n = 1; n <= INSTANCES; n++)); do say "$service $n"; done
    done
    for ((n = 1; n <= TRANSCODERS; n++)); do say "transcoder $n"; done
    for ((n = 1; n <= INSTANCES; n++)); do say "api $n"; done
}

# Whether it takes calls, and so is registered.
is_called() { # SERVICE
    case " $RPC_SERVICES " in *" $1 "*) return 0 ;; esac
    return 1
}

instance_dir() { say "$RUN/services/$1-$2"; }
instance_alive() { alive "$(instance_dir "$1" "$2")/pid" "$(instance_dir "$1" "$2")/$1"; }
# Its program was built anew, or it would be started with other settings.
instance_outdated() {
    local dir
    dir=$(instance_dir "$1" "$2")
    [ "$BIN/$1" -nt "$dir/pid" ] || [ "$(cat "$dir/settings" 2>/dev/null)" != "$(settings_sum "$1")" ]
}
# The settings of a service as a sum, which tells no secret. Only the API reads the keys for tokens.
settings_sum() { # SERVICE
    printenv | grep -E '^DOUSHENG_([A-Z0-9_]+__|CONFIG=|ENVIRONMENT=)' |
        { if [ "$1" = api ]; then cat; else grep -v '^DOUSHENG_AUTH__JWT_KEYS='; fi; } | LC_ALL=C sort | sha256sum
}

# The address of an instance, "host:port"; for the API it is a setting.
instance_address() {
    if [ "$1" = api ]; then say "$API_HERE"; else cat "$(instance_dir "$1" "$2")/address" 2>/dev/null; fi
}

# The address of its admin port, "host:port": /healthz, /readyz, /metrics.
instance_admin() { cat "$(instance_dir "$1" "$2")/admin" 2>/dev/null; }

# Starts an instance and waits until it is ready.
instance_start() {
    instance_launch "$1" "$2"
    instance_await "$1" "$2"
}

instance_renew() {
    instance_stop "$1" "$2"
    instance_start "$1" "$2"
}

# The API processes share a port, so that one answers while another is restarted.
api_port() { api_alive || need_port "${API_LISTEN##*:}" DOUSHENG_HTTP__LISTEN "the API"; }

instance_launch() {
    local dir
    dir=$(instance_dir "$1" "$2")
    mkdir -p "$dir"
    [ "$1" != api ] || api_port
    if is_called "$1"; then registry_forget "$1" "$2"; fi
    rm -f "$dir/address" "$dir/admin"
    ln -sfn "$BIN/$1" "$dir/$1"
    (
        cd "$dir" || exit
        export DOUSHENG_ADDRESS_FILE=$dir/address DOUSHENG_ADMIN_ADDRESS_FILE=$dir/admin DOUSHENG_HTTP__SHARED_PORT=true
        launch "$dir/pid" "$dir/log" "$dir/$1"
    )
    settings_sum "$1" >"$dir/settings"
}

# SIGTERM begins the graceful shutdown: deregister, drain, end.
instance_stop() {
    local dir
    dir=$(instance_dir "$1" "$2")
    end "$dir/pid" "$dir/$1" 35
    rm -f "$dir/address" "$dir/admin"
}

# The state of an instance from its /readyz: up, degraded or down (table in scripts/README.md).
instance_state() {
    local admin
    admin=$(instance_admin "$1" "$2") && curl -s -m 5 "http://$admin/readyz" | jq -er .state
}

# Whether an instance is ready and its callers find it.
instance_healthy() {
    local state
    state=$(instance_state "$1" "$2") && [ "$state" != down ] || return 1
    if [ "$1" = api ]; then
        api_healthy "$2"
    elif is_called "$1"; then
        registered "$1" "$(instance_address "$1" "$2")"
    fi
}

# Whether any process of the API runs.
api_alive() {
    local n
    for ((n = 1; n <= INSTANCES; n++)); do
        if instance_alive api "$n"; then return 0; fi
    done
    return 1
}

# Whether the API listens; any process may answer on the shared port.
api_healthy() { [ -s "$(instance_dir api "$1")/address" ] && feed_answers; }

feed_answers() { curl -sf -m 5 "http://$API_HERE/douyin/feed/" | jq -e '.status_code == 0' >/dev/null; }

registry_call() { # range|deleterange SERVICE ADDRESS: etcd's JSON gateway; keys travel in base64
    local key=${DOUSHENG_ETCD__PREFIX:-kitex/registry-etcd}/$2/$3
    curl -sf -m 5 "http://127.0.0.1:$ETCD_PORT/v3/kv/$1" -d "{\"key\":\"$(printf %s "$key" | base64 -w0)\"}"
}
registered() { [ "$(registry_call range "$1" "$2" | jq -r '.count // 0')" = 1 ]; }

# Removes the registration of a killed process, which would otherwise be called until its lease ends.
registry_forget() {
    local address
    address=$(instance_address "$1" "$2") && [ -n "$address" ] || return 0
    registry_call deleterange "$1" "$address" >/dev/null || true
}

# Waits for an instance; fails at once when its process has ended.
instance_await() {
    local deadline=$((SECONDS + 45)) log
    log=$(instance_dir "$1" "$2")/log
    until instance_healthy "$1" "$2" 2>/dev/null; do
        if ! instance_alive "$1" "$2"; then
            complain "$1-$2 ended; the end of $log:"
            tail -n 17 "$log" >&2
            return 1
        elif [ "$SECONDS" -ge "$deadline" ]; then
            complain "$1-$2 runs but was not healthy within 45 s (address: $(instance_address "$1" "$2" || echo none yet)); the end of $log:"
            tail -n 17 "$log" >&2
            return 1
        fi
        sleep 0.1
    done
}

# Each directory under services/, "service number" a line.
known_instances() {
    local dir name
    for dir in "$RUN"/services/*-*/; do
        [ -d "$dir" ] || continue
        name=$(basename "$dir")
        say "${name%-*} ${name##*-}"
    done
}
