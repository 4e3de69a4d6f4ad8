# shellcheck shell=bash
# Settings of the test servers: the same servers as those of a run, in another directory and on other ports, so that both can be up at once.
# Sourced before settings.sh.

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export DOUSHENG_TEST=1
export DOUSHENG_RUN=${DOUSHENG_TEST_RUN:-$HERE/../.run/test}
mkdir -p "$DOUSHENG_RUN"
DOUSHENG_RUN=$(cd "$DOUSHENG_RUN" && pwd)
export DOUSHENG_PRIMARY_PORT=${DOUSHENG_TEST_PRIMARY_PORT:-23306}
export DOUSHENG_REPLICA_PORT=${DOUSHENG_TEST_REPLICA_PORT:-23307}
export DOUSHENG_ETCD_PORT=${DOUSHENG_TEST_ETCD_PORT:-22379}
export DOUSHENG_ETCD_PEER_PORT=${DOUSHENG_TEST_ETCD_PEER_PORT:-22380}
export DOUSHENG_REDIS_PORT=${DOUSHENG_TEST_REDIS_PORT:-26379}
export DOUSHENG_REPLICAS=${DOUSHENG_TEST_REPLICAS:-1} DOUSHENG_ETCD_NODES=${DOUSHENG_TEST_ETCD_NODES:-}
export DOUSHENG_REDIS_NODES=${DOUSHENG_TEST_REDIS_NODES:-}
# Not 29000: a run's store has 19000 to 19004 and 29000 to 29004.
export DOUSHENG_S3_PORT=${DOUSHENG_TEST_S3_PORT:-20000}
# Tests break servers, so they never use those of a run or those that the environment names.
[ "${OBJECT_STORE:-}" != external ] || export OBJECT_STORE=seaweedfs
[ "${DATABASE:-}" != external ] || export DATABASE=mariadb
for setting in $(compgen -e DOUSHENG_); do
    case $setting in *__* | DOUSHENG_ENVIRONMENT | DOUSHENG_CONFIG) unset "$setting" ;; esac
done

# shellcheck source=scripts/lib/settings.sh
. "$HERE/lib/settings.sh"
# shellcheck source=scripts/lib/process.sh
. "$HERE/lib/process.sh"
# shellcheck source=scripts/lib/nodes.sh
. "$HERE/lib/nodes.sh"

# The variables that tests read.
test_env_lines() {
    local name replica_urls='' mysqld=''
    # Tests start further servers of the same kind.
    ! grep -qs '^mysql ' "$RUN/primary/initialised" || mysqld=$(cut -d ' ' -f 2- "$RUN/primary/initialised")
    for name in $(replicas); do replica_urls+=,mysql://$DB_TEST_USER:$DB_TEST_PASSWORD@127.0.0.1:$(replica_port "$name"); done
    cat <<VARIABLES
export DOUSHENG_TEST_PRIMARY_URL='mysql://$DB_TEST_USER:$DB_TEST_PASSWORD@127.0.0.1:$PRIMARY_PORT'
export DOUSHENG_TEST_REPLICA_URLS='${replica_urls#,}'
export DOUSHENG_TEST_SERVICE_ACCOUNT='$DB_USER:$DB_PASSWORD'
export DOUSHENG_TEST_READ_ACCOUNT='$DB_READ_USER:$DB_READ_PASSWORD'
export DOUSHENG_TEST_MIGRATE_ACCOUNT='$DB_MIGRATE_USER:$DB_MIGRATE_PASSWORD'
export DOUSHENG_TEST_MYSQLD='$mysqld'
export DOUSHENG_TEST_SERVERS='$RUN'
export DOUSHENG_TEST_ETCD='$(etcd_endpoints)'
export DOUSHENG_TEST_REDIS='$(redis_url)'
export DOUSHENG_TEST_OBJECT_STORE='$OBJECT_STORE'
export DOUSHENG_TEST_S3_ENDPOINT='$S3_ENDPOINT'
export DOUSHENG_TEST_S3_ACCESS_KEY='$S3_ACCESS_KEY'
export DOUSHENG_TEST_S3_SECRET_KEY='$S3_SECRET_KEY'
VARIABLES
}
