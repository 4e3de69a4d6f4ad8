# shellcheck shell=bash
# Starts and stops etcd, Redis and the object store, each in a directory of its own in $RUN.

etcd_start() {
    local names name cluster=
    names=$(etcd_names)
    node_count_keep etcd "$(wc -l <<<"$names")"
    for name in $names; do cluster+=,$(etcd_member "$name")=$(etcd_peer "$name"); done
    # Members wait for each other, so all are started before the script waits for the first.
    for name in $names; do etcd_launch "$name" "${cluster#,}"; done
    for name in $names; do
        wait_for "$name" 30 http_ok "$(etcd_client "$name")/health" || {
            tail -20 "$RUN/$name/log" >&2
            return 1
        }
    done
}

# The name of an etcd member.
etcd_member() { say "dousheng${1#etcd}"; } # NAME

etcd_ports() { # NAME: fails if one that it needs is taken
    local client peer
    client=$(etcd_client "$1") peer=$(etcd_peer "$1")
    alive "$RUN/$1/pid" "$RUN/$1/data" || {
        need_port "${client##*:}" DOUSHENG_ETCD_PORT "$1" && need_port "${peer##*:}" DOUSHENG_ETCD_PEER_PORT "$1"
    }
}

etcd_launch() { # NAME CLUSTER
    local dir=$RUN/$1 client peer
    client=$(etcd_client "$1") peer=$(etcd_peer "$1")
    mkdir -p "$dir"
    ! alive "$dir/pid" "$dir/data" || return 0
    etcd_ports "$1"
    launch "$dir/pid" "$dir/log" etcd --name "$(etcd_member "$1")" --data-dir "$dir/data" --logger=zap \
        --auto-compaction-mode=periodic --auto-compaction-retention=1h \
        --listen-client-urls "$client" --advertise-client-urls "$client" \
        --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" --initial-cluster "$2"
}

redis_start() {
    local names name count
    names=$(redis_names)
    count=$(wc -l <<<"$names")
    [ "$count" != 2 ] || {
        complain "DOUSHENG_REDIS_NODES: 1, or a cluster of 3 or more, not 2"
        return 1
    }
    node_count_keep redis "$count"
    for name in $names; do redis_launch "$name" "$count"; done
    for name in $names; do
        wait_for "$name" 20 redis-cli -p "$(redis_port "$name")" ping || {
            tail -20 "$RUN/$name/log" >&2
            return 1
        }
    done
    [ "$count" = 1 ] || redis_cluster
}

redis_ports() { # NAME COUNT
    local port
    port=$(redis_port "$1")
    alive "$RUN/$1/pid" "$RUN/$1/redis-server" || {
        need_port "$port" DOUSHENG_REDIS_PORT "$1" && {
            [ "$2" = 1 ] || need_port $((port + 100)) DOUSHENG_REDIS_PORT "the bus of $1"
        }
    }
}

redis_launch() { # NAME COUNT
    local dir=$RUN/$1 port cluster=()
    port=$(redis_port "$1")
    mkdir -p "$dir"
    ! alive "$dir/pid" "$dir/redis-server" || return 0
    redis_ports "$1" "$2"
    if [ "$2" != 1 ]; then
        cluster=(--cluster-enabled yes --cluster-port $((port + 100)) --cluster-node-timeout 2000)
    fi
    # Redis rewrites its command line but keeps the path of its program, so this link identifies the process.
    ln -sfn "$(command -v redis-server)" "$dir/redis-server"
    launch "$dir/pid" "$dir/log" "$dir/redis-server" --bind 127.0.0.1 --port "$port" --dir "$dir" --daemonize no \
        --appendonly yes --appendfsync everysec --save '' --databases 16 --maxmemory 256mb --maxmemory-policy noeviction "${cluster[@]}"
}

# Joins the nodes to a cluster, if they aren't yet, and waits until each knows all others.
redis_cluster() {
    local name addresses=()
    if [ "$(redis_cluster_info redis cluster_slots_assigned)" != 16384 ]; then
        for name in $(redis_names); do addresses+=("127.0.0.1:$(redis_port "$name")"); done
        redis-cli --cluster create "${addresses[@]}" --cluster-yes >>"$RUN/redis/log"
    fi
    for name in $(redis_names); do wait_for "the Redis Cluster, as $name sees it," 30 redis_cluster_whole "$name"; done
}
redis_cluster_info() { redis-cli -p "$(redis_port "$1")" cluster info | tr -d '\r' | awk -F: -v key="$2" '$1 == key { print $2 }'; } # NAME FIELD
redis_cluster_whole() { [ "$(redis_cluster_info "$1" cluster_state)" = ok ]; }                                                    # NAME

# Stops all members that exist, whatever number is configured now.
stores_stop() {
    # shellcheck disable=SC2034  # etcd_names and redis_names (nodes.sh) ask for them
    local name ETCD_NODES='' REDIS_NODES=''
    relay_stop &
    s3_stop &
    for name in $(etcd_names); do end "$RUN/$name/pid" "$RUN/$name/data" 15 & done
    for name in $(redis_names); do end "$RUN/$name/pid" "$RUN/$name/redis-server" 15 & done
    wait
}

# SeaweedFS leaves sockets in /tmp; a socket of another user would break the next start.
weed_remove_sockets() {
    local i
    for i in 0 1 2 3 4; do
        rm -f /tmp/seaweedfs-*-$((S3_PORT + i)).sock /tmp/seaweedfs-*-$((S3_PORT + 10000 + i)).sock 2>/dev/null || true
    done
}

# The filer and the volume server speak plain HTTP on loopback: without these keys they would hand out any object.
weed_security() { # FILE
    local section
    [ ! -s "$1" ] || return 0
    (
        umask 077
        for section in jwt.signing jwt.signing.read jwt.filer_signing jwt.filer_signing.read; do
            printf '[%s]\nkey = "%s"\n' "$section" "$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')"
        done >"$1"
    )
}

s3_ports() {
    local i
    ! alive "$RUN/s3/pid" "$RUN/s3/data" || return 0
    case $OBJECT_STORE in
        seaweedfs) for i in 0 1 2 3 4 10000 10001 10002 10003 10004; do need_port $((S3_PORT + i)) DOUSHENG_S3_PORT SeaweedFS || return 1; done ;;
        minio) need_port "$S3_PORT" DOUSHENG_S3_PORT MinIO ;;
    esac
}

weed_start() {
    local dir=$RUN/s3
    [ -x "$WEED" ] || {
        complain "SeaweedFS is not installed: scripts/infra.sh install"
        return 1
    }
    s3_ports
    mkdir -p "$dir/data"
    rm -f "$dir/data/mini.options" "$dir/s3.sock" # it would read its last flags from there
    weed_remove_sockets
    weed_security "$dir/security.toml"
    cd "$dir" || return
    export AWS_ACCESS_KEY_ID=$S3_ACCESS_KEY AWS_SECRET_ACCESS_KEY=$S3_SECRET_KEY GOMEMLIMIT=256MiB
    launch "$dir/pid" "$dir/log" "$WEED" -logtostderr mini -dir="$dir/data" -ip=127.0.0.1 -ip.bind=127.0.0.1 \
        -s3.port="$S3_PORT" -master.port=$((S3_PORT + 1)) -volume.port=$((S3_PORT + 2)) -filer.port=$((S3_PORT + 3)) \
        -admin.port=$((S3_PORT + 4)) -s3.localSocket=s3.sock -disableHttp -admin.ui=false -webdav=false \
        -s3.port.iceberg=0 -s3.port.lance=0 -s3.autoCreateBucket=false -s3.allowedOrigins='*' \
        -master.telemetry=false -master.volumeSizeLimitMB=1024 -volume.preStopSeconds=0
}

minio_start() {
    local dir=$RUN/s3 binary=${MINIO_BIN:-$(command -v minio || true)}
    [ -x "$binary" ] || {
        complain "OBJECT_STORE=minio needs a MinIO binary: name it by MINIO_BIN or put it into PATH"
        return 1
    }
    s3_ports
    mkdir -p "$dir/data"
    export MINIO_ROOT_USER=$S3_ACCESS_KEY MINIO_ROOT_PASSWORD=$S3_SECRET_KEY MINIO_BROWSER=off MINIO_UPDATE=off
    launch "$dir/pid" "$dir/log" "$binary" server "$dir/data" --address "127.0.0.1:$S3_PORT"
}

# A signed request to the store; the secret goes in by standard input, not on a command line that all can read.
s3_request() { # METHOD PATH: prints the HTTP status
    printf 'user = "%s:%s"\n' "$S3_ACCESS_KEY" "$S3_SECRET_KEY" |
        curl -s -m 10 -K - -o /dev/null -w '%{http_code}' -X "$1" --aws-sigv4 "aws:amz:$S3_REGION:s3" \
            -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' "$S3_ENDPOINT$2"
}

# Creates the bucket. If it exists, MinIO and SeaweedFS answer 409, and S3 may answer 200.
s3_bucket_made() {
    case $(s3_request PUT "/$S3_BUCKET") in 200 | 409) ;; *) return 1 ;; esac
}

# The store takes its account at its start: after a change of it a new start is needed.
s3_account() { printf '%s:%s' "$S3_ACCESS_KEY" "$S3_SECRET_KEY" | sha256sum; }
s3_renew() {
    local account=$RUN/s3/account
    [ "$(cat "$account" 2>/dev/null)" = "$(s3_account)" ] || [ ! -e "$account" ] || s3_stop
    s3_account >"$account"
}

s3_start() {
    local dir=$RUN/s3
    mkdir -p "$dir"
    s3_renew
    case $OBJECT_STORE in
        seaweedfs) alive "$dir/pid" "$dir/data" || (weed_start) ;;
        minio) alive "$dir/pid" "$dir/data" || (minio_start) ;;
        external)
            [ -n "$S3_ENDPOINT" ] || {
                complain "OBJECT_STORE=external needs DOUSHENG_OBJECT_STORE__ENDPOINT"
                return 1
            }
            ;;
        *)
            complain "OBJECT_STORE is seaweedfs, minio or external, not \"$OBJECT_STORE\""
            return 1
            ;;
    esac
    wait_for "bucket $S3_BUCKET at $S3_ENDPOINT" 40 s3_bucket_made || {
        complain "the object store answered $(s3_request PUT "/$S3_BUCKET") when asked to make the bucket"
        [ ! -e "$dir/log" ] || tail -20 "$dir/log" >&2
        return 1
    }
}

s3_stop() {
    [ -e "$RUN/s3/pid" ] || return 0 # the sockets would be another's
    end "$RUN/s3/pid" "$RUN/s3/data" 20
    weed_remove_sockets
}
