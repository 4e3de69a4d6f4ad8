# shellcheck shell=bash
# Directories, ports and accounts. Sourced by every script; runs nothing. Each value can be set in the environment; scripts/README.md lists
# them. The settings of the services are explained in pkg/settings/defaults.toml.
# shellcheck disable=SC2034  # used by the scripts that source this

# shellcheck source=scripts/lib/machine.sh
. "${BASH_SOURCE[0]%/*}/machine.sh"
PROJECT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
RUN=${DOUSHENG_RUN:-$PROJECT/.run}            # data, logs and pid files
TOOLS=${DOUSHENG_TOOLS:-$PROJECT/.run/tools}  # what install fetched besides packages; shared by run and test, kept by reset
case $RUN in /*) ;; *) RUN=$PROJECT/$RUN ;; esac

PRIMARY_PORT=${DOUSHENG_PRIMARY_PORT:-13306}
REPLICA_PORT=${DOUSHENG_REPLICA_PORT:-13307}
ETCD_PORT=${DOUSHENG_ETCD_PORT:-12379}
ETCD_PEER_PORT=${DOUSHENG_ETCD_PEER_PORT:-12380}
REDIS_PORT=${DOUSHENG_REDIS_PORT:-16379}
# The number of servers of each kind. It matters at the first start only, which remembers it (lib/nodes.sh).
REPLICAS=${DOUSHENG_REPLICAS:-1}
ETCD_NODES=${DOUSHENG_ETCD_NODES:-}
REDIS_NODES=${DOUSHENG_REDIS_NODES:-}
# SeaweedFS takes five ports from here, and the five that lie 10000 above them.
S3_PORT=${DOUSHENG_S3_PORT:-19000}

# mariadb | mysql (the server that MYSQLD names) | external (somebody else's, named by DOUSHENG_MYSQL__PRIMARY_URL). Where a server was made
# before, it is the same again; the primary may be lost.
for made in "$RUN"/{primary,replica,replica-[2-9]}/initialised; do
    if [ -z "${DATABASE:-}" ] && [ -s "$made" ]; then
        read -r DATABASE made_with <"$made"
        MYSQLD=${MYSQLD:-$made_with}
    fi
done
DATABASE=${DATABASE:-mariadb}
MYSQLD=${MYSQLD:-}
case $MYSQLD in '' | /*) ;; *) MYSQLD=$PWD/$MYSQLD ;; esac

# seaweedfs | minio (a binary in MINIO_BIN or PATH) | external (someone else's, named by DOUSHENG_OBJECT_STORE__ENDPOINT)
OBJECT_STORE=${OBJECT_STORE:-seaweedfs}
S3_ENDPOINT=http://127.0.0.1:$S3_PORT
[ "$OBJECT_STORE" != external ] || S3_ENDPOINT=${DOUSHENG_OBJECT_STORE__ENDPOINT:-}
S3_REGION=${DOUSHENG_OBJECT_STORE__REGION:-us-east-1}
S3_BUCKET=${DOUSHENG_OBJECT_STORE__BUCKET:-videos}
S3_ACCESS_KEY=${DOUSHENG_OBJECT_STORE__ACCESS_KEY:-dousheng-dev}
S3_SECRET_KEY=${DOUSHENG_OBJECT_STORE__SECRET_KEY:-dousheng-dev-secret}
# Made when others first reach the store (lib/open.sh), and kept.
[ -n "${DOUSHENG_OBJECT_STORE__SECRET_KEY:-}" ] || [ "$OBJECT_STORE" = external ] || [ ! -s "$RUN/secrets/s3" ] || S3_SECRET_KEY=$(cat "$RUN/secrets/s3")

# The development accounts; the servers listen on loopback only. Services write on the primary and read on the replica; only
# migrations change tables.
DB_NAME=dousheng
DB_USER=dousheng
DB_PASSWORD=dousheng-dev
DB_READ_USER=dousheng_read
DB_READ_PASSWORD=dousheng-read-dev
DB_MIGRATE_USER=dousheng_migrate
DB_MIGRATE_PASSWORD=dousheng-migrate-dev
DB_REPLICATION_PASSWORD=dousheng-repl-dev
# The account that creates and drops the databases of tests; only on the test servers.
DB_TEST_USER=dousheng_test
DB_TEST_PASSWORD=dousheng-test-dev

# 1: the accounts have the same privileges in the databases dt_* of the tests as in ours.
TEST_SERVERS=${DOUSHENG_TEST:-0}

API_LISTEN=${DOUSHENG_HTTP__LISTEN:-127.0.0.1:8080}
# Where this machine itself reaches the API.
case $API_LISTEN in
    0.0.0.0:*) API_HERE=127.0.0.1:${API_LISTEN##*:} ;;
    '[::]:'*) API_HERE="[::1]:${API_LISTEN##*:}" ;;
    *) API_HERE=$API_LISTEN ;;
esac

# Servers in Debian lie outside a plain user's PATH.
export PATH=$PATH:/usr/local/sbin:/usr/sbin

# The names of our RPC services, which are also the names of their programs.
RPC_SERVICES="user video favorite comment relation message"
# Instances of each service.
INSTANCES=${DOUSHENG_INSTANCES:-2}
# Processes of the transcoder, which takes its work from the database and serves no calls.
TRANSCODERS=${DOUSHENG_TRANSCODERS:-1}
