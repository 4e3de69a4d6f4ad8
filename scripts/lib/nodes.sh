# shellcheck shell=bash
# Several servers of one kind: replicas, members of etcd, nodes of a Redis Cluster. The first has the plain name ("etcd"), the others a
# number ("etcd-2"); their ports follow each other. Sourced; needs settings.sh and process.sh.

# The name of a server, which is also its directory in $RUN.
node_name() { # KIND NUMBER
    if [ "$2" = 1 ]; then say "$1"; else say "$1-$2"; fi
}

node_number() { # NAME
    case $1 in *-*) say "${1##*-}" ;; *) say 1 ;; esac
}

# The number of members of a kind. The first start decides it, because etcd and Redis can't change it by a setting.
node_count() { # etcd|redis ASKED SETTING
    local made=$RUN/$1/nodes known=
    if [ -s "$made" ]; then known=$(cat "$made"); elif [ -d "$RUN/$1" ]; then known=1; fi
    case ${2:-${known:-1}} in
        "${known:-${2:-1}}") say "${known:-${2:-1}}" ;;
        *)
            complain "$3: $RUN has $1 with $known node(s), not $2; unset it, or begin anew by make reset"
            return 1
            ;;
    esac
}

node_count_keep() { # etcd|redis COUNT
    mkdir -p "$RUN/$1"
    say "$2" >"$RUN/$1/nodes"
}

nodes() { # KIND COUNT: the names
    local n
    for ((n = 1; n <= $2; n++)); do node_name "$1" "$n"; done
}

# The configured replicas, and those that were added later.
replicas() {
    local n
    for ((n = 1; n <= REPLICAS; n++)); do node_name replica "$n"; done
    for ((n = REPLICAS + 1; n <= 9; n++)); do [ ! -e "$RUN/$(node_name replica "$n")/initialised" ] || node_name replica "$n"; done
}

replica_port() { say $((REPLICA_PORT + $(node_number "$1") - 1)); } # NAME

etcd_names() {
    local count
    count=$(node_count etcd "$ETCD_NODES" DOUSHENG_ETCD_NODES) && nodes etcd "$count"
}
etcd_client() { say "http://127.0.0.1:$((ETCD_PORT + 2 * ($(node_number "$1") - 1)))"; }    # NAME
etcd_peer() { say "http://127.0.0.1:$((ETCD_PEER_PORT + 2 * ($(node_number "$1") - 1)))"; } # NAME
etcd_endpoints() {
    local name list=
    for name in $(etcd_names); do list+=,$(etcd_client "$name"); done
    say "${list#,}"
}

redis_names() {
    local count
    count=$(node_count redis "$REDIS_NODES" DOUSHENG_REDIS_NODES) && nodes redis "$count"
}
redis_port() { say $((REDIS_PORT + $(node_number "$1") - 1)); } # NAME
# redis://… of a Redis, redis-cluster://… of several.
redis_url() {
    local name url=redis://127.0.0.1:$REDIS_PORT parameters=
    for name in $(redis_names); do
        [ "$name" = redis ] || parameters+="&node=127.0.0.1:$(redis_port "$name")"
    done
    [ -z "$parameters" ] || url="redis-cluster://127.0.0.1:$REDIS_PORT?${parameters#&}"
    say "$url"
}
