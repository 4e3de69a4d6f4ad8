#!/usr/bin/env bash
# The infrastructure as local processes: MariaDB (or MySQL) primary and replicas, etcd, Redis, an object store.
#   scripts/infra.sh install [command...]       what is missing; further commands (shellcheck, nft:nftables) too
#   scripts/infra.sh start | stop | status      everything; safe to repeat
#   scripts/infra.sh ports                      whether the ports of what doesn't run are free
#   scripts/infra.sh env                        the settings that name these servers: eval "$(scripts/infra.sh env)"
#   scripts/infra.sh sql primary|replica [...]  a database client as the services' account there
#   scripts/infra.sh replica-delay SECONDS      delays the replica; 0 ends it
#   scripts/infra.sh semi-sync on|off           whether commits wait for the replica's acknowledgement
#   scripts/infra.sh add-replica                adds a replica, filled from the primary
#   scripts/infra.sh promote                    promotes a replica when the primary is lost for good
#   scripts/infra.sh replace-redis              replaces Redis by an empty one
#   scripts/infra.sh reset                      stops and deletes all data; asks before (not in CI, not with YES=1)
# Needs no Docker and no system service. Ports and other settings: scripts/README.md.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/settings.sh
. "$HERE/lib/settings.sh"
# shellcheck source=scripts/lib/process.sh
. "$HERE/lib/process.sh"
# shellcheck source=scripts/lib/nodes.sh
. "$HERE/lib/nodes.sh"
# shellcheck source=scripts/lib/install.sh
. "$HERE/lib/install.sh"
# shellcheck source=scripts/lib/open.sh
. "$HERE/lib/open.sh"
# shellcheck source=scripts/lib/database.sh
. "$HERE/lib/database.sh"
# shellcheck source=scripts/lib/replicas.sh
. "$HERE/lib/replicas.sh"
# shellcheck source=scripts/lib/stores.sh
. "$HERE/lib/stores.sh"

start() {
    local jobs=() job result=0
    may_open
    open_account
    # Before anything runs: what was refused leaves nothing behind.
    db_chosen
    db_start & jobs+=($!)
    etcd_start & jobs+=($!)
    redis_start & jobs+=($!)
    s3_start & jobs+=($!)
    for job in "${jobs[@]}"; do wait "$job" || result=1; done
    [ $result != 0 ] || relay_start || result=1
    [ $result = 0 ] || complain "infrastructure: not all of it is up; logs are in $RUN/*/log"
    return $result
}

# Whether the ports of what doesn't run yet are free. `make run-all` asks before the long build.
ports() {
    local name count
    db_chosen
    if [ "$DATABASE" != external ]; then
        db_port primary "$PRIMARY_PORT" DOUSHENG_PRIMARY_PORT
        for name in $(replicas); do db_port "$name" "$(replica_port "$name")" DOUSHENG_REPLICA_PORT; done
    fi
    for name in $(etcd_names); do etcd_ports "$name"; done
    count=$(redis_names | wc -l)
    for name in $(redis_names); do redis_ports "$name" "$count"; done
    s3_ports
}

stop() { # whoever used them is gone by now
    stores_stop &
    db_stop
    wait
}

status_line() { # NAME WORD ADDRESS
    if alive "$RUN/$1/pid" "$2"; then
        printf '  %-10s up    %-28s pid %s\n' "$1" "$3" "$(cat "$RUN/$1/pid")"
    else
        printf '  %-10s down\n' "$1"
        return 1
    fi
}

status() {
    local result=0 name address
    if [ "$DATABASE" = external ]; then
        say "  primary    external $(db_place "${DOUSHENG_MYSQL__PRIMARY_URL:-}")"
    else
        status_line primary "$RUN/primary/my.cnf" "127.0.0.1:$PRIMARY_PORT ($DB_ENGINE)" || result=1
        for name in $(replicas); do
            status_line "$name" "$RUN/$name/my.cnf" "127.0.0.1:$(replica_port "$name")" && db_replica_report "$name" || result=1
        done
    fi
    for name in $(etcd_names); do
        address=$(etcd_client "$name")
        status_line "$name" "$RUN/$name/data" "${address#http://}" || result=1
    done
    for name in $(redis_names); do status_line "$name" "$RUN/$name/redis-server" "127.0.0.1:$(redis_port "$name")" || result=1; done
    if [ "$OBJECT_STORE" = external ]; then
        say "  s3         external $S3_ENDPOINT"
    else
        status_line s3 "$RUN/s3/data" "127.0.0.1:$S3_PORT ($OBJECT_STORE)" || result=1
        ! needs_relay || status_line relay "$RUN/relay/relay.py" "$(open_host):$S3_PORT" || result=1
    fi
    return $result
}

# The services' settings that follow from the ports and accounts here.
env_lines() {
    local host=127.0.0.1 name public_endpoint primary replica_urls='' migrate
    public_endpoint=$(s3_public_endpoint)
    if [ "$DATABASE" = external ]; then
        db_named
        primary=$DOUSHENG_MYSQL__PRIMARY_URL replica_urls=${DOUSHENG_MYSQL__REPLICA_URLS:-} migrate=${DOUSHENG_MYSQL__MIGRATE_URL:-$primary}
    else
        for name in $(replicas); do replica_urls+=,mysql://$DB_READ_USER:$DB_READ_PASSWORD@$host:$(replica_port "$name")/$DB_NAME; done
        primary=mysql://$DB_USER:$DB_PASSWORD@$host:$PRIMARY_PORT/$DB_NAME
        migrate=mysql://$DB_MIGRATE_USER:$DB_MIGRATE_PASSWORD@$host:$PRIMARY_PORT/$DB_NAME
    fi
    printf "export DOUSHENG_MYSQL__%s=%q\n" PRIMARY_URL "$primary" REPLICA_URLS "${replica_urls#,}" MIGRATE_URL "$migrate"
    cat <<VARIABLES
export DOUSHENG_ETCD__ENDPOINTS='$(etcd_endpoints)'
export DOUSHENG_REDIS__URL='$(redis_url)'
export DOUSHENG_OBJECT_STORE__ENDPOINT='$S3_ENDPOINT'
export DOUSHENG_OBJECT_STORE__PUBLIC_ENDPOINT='$public_endpoint'
export DOUSHENG_OBJECT_STORE__REGION='$S3_REGION'
export DOUSHENG_OBJECT_STORE__BUCKET='$S3_BUCKET'
export DOUSHENG_OBJECT_STORE__ACCESS_KEY='$S3_ACCESS_KEY'
export DOUSHENG_OBJECT_STORE__SECRET_KEY='$S3_SECRET_KEY'
VARIABLES
}

reset() {
    # The data of the test servers is deleted without asking.
    [ "$TEST_SERVERS" = 1 ] || may_delete "the data of all servers in $RUN"
    stop
    [ "$DATABASE" != external ] || say "the database is somebody else's (DATABASE=external) and keeps its data"
    rm -rf "${RUN:?}"/{relay,primary,primary.lost-*,replica,replica-[2-9],etcd,etcd-[2-9],redis,redis-[2-9],s3}
}

# Redis holds only counts, marks and rate limits. They are rebuilt from MySQL or begin anew.
replace_redis() {
    local name
    for name in $(redis_names); do end "$RUN/$name/pid" "$RUN/$name/redis-server" 15; done
    for name in $(redis_names); do rm -rf "${RUN:?}/$name"/{appendonlydir,nodes.conf,dump.rdb}; done
    redis_start
    say "an empty Redis answers at $(redis_url)"
}

case ${1:-} in
    install)
        shift
        (
            RUN=$TOOLS # two runs share the tools
            lock install
            infra_install "$@"
        )
        ;;
    start | stop | reset)
        lock infrastructure
        "$1"
        ;;
    add-replica)
        db_need_own "$1"
        lock infrastructure
        replica_add
        ;;
    promote)
        db_need_own "$1"
        lock infrastructure
        db_promote
        ;;
    replace-redis)
        lock infrastructure
        replace_redis
        ;;
    status | ports) "$1" ;;
    env) env_lines ;;
    sql)
        shift
        db_client "${1:-}" "${@:2}"
        ;;
    semi-sync)
        db_need_own "$1"
        db_set_semi_sync "${2:-}"
        ;;
    replica-delay)
        db_need_own "$1"
        db_set_replica_delay "${2:-}"
        ;;
    *)
        sed -n '2,14s/^# \?//p' "$0"
        exit 2
        ;;
esac
