# shellcheck shell=bash
# What is MySQL's own (DATABASE=mysql, the server that MYSQLD names): how a server is made and started, and the words of its replication.
# mariadb.sh has the same for MariaDB. The clients are MariaDB's, which speak with both. Sourced; needs settings.sh and database.sh.
# shellcheck disable=SC2034  # used by database.sh and replicas.sh

DB_ENGINE=MySQL
DB_SERVER=$MYSQLD
# The admin works without a password, but only over the unix socket, and only the user who runs this can reach that (db_make_data).
DB_ADMIN=root
DB_SEES_REPLICATION="REPLICATION CLIENT"
DB_SEES_ALL="PROCESS, REPLICATION CLIENT"
DB_POSITION=@@global.gtid_executed
DB_SEMI_SYNC=rpl_semi_sync_source
# The variables and plugins have had the names used here since then. The services need 8.0.22.
MYSQL_OLDEST=8.0.26

db_need_server() {
    local version
    [ -x "$MYSQLD" ] || {
        complain "DATABASE=mysql needs MYSQLD=, the path of a mysqld (scripts/README.md says where to get one)"
        return 1
    }
    version=$("$MYSQLD" --no-defaults --version 2>/dev/null | sed -nE 's/.* Ver ([0-9]+\.[0-9]+\.[0-9]+).*/\1/p')
    case $("$MYSQLD" --no-defaults --version 2>/dev/null) in
        *MariaDB*) complain "MYSQLD=$MYSQLD is MariaDB's: leave out DATABASE=mysql" && return 1 ;;
    esac
    [ -n "$version" ] || {
        complain "MYSQLD=$MYSQLD doesn't tell its version: does it run?"
        "$MYSQLD" --no-defaults --version >&2 || true
        return 1
    }
    [ "$(printf '%s\n' "$MYSQL_OLDEST" "$version" | sort -V | head -n 1)" = "$MYSQL_OLDEST" ] || {
        complain "MySQL $version is too old: these scripts need $MYSQL_OLDEST or newer"
        return 1
    }
}

# Some builds lack the plugins for semi-synchronous replication. Then commits don't wait for a replica.
db_has_semi_sync() { [ -e "$(mysql_plugins)/semisync_source.so" ]; }
mysql_plugins() { "$MYSQLD" --no-defaults --verbose --help 2>/dev/null | awk '$1 == "plugin-dir" { print $2 }'; }

db_options() {
    cat <<'CNF'
mysqlx=OFF
secure_file_priv=NULL
loose-innodb_redo_log_capacity=32M
# A new replica is filled from the primary's log, so it must be whole. A real one would be filled by the clone plugin.
binlog_expire_logs_seconds=0
gtid_mode=ON
enforce_gtid_consistency=ON
replica_parallel_workers=2
replica_preserve_commit_order=ON
replica_net_timeout=10
CNF
    ! db_has_semi_sync || cat <<'CNF'
plugin-load-add=semisync_source.so;semisync_replica.so
rpl_semi_sync_source_enabled=ON
rpl_semi_sync_replica_enabled=ON
rpl_semi_sync_source_wait_point=AFTER_SYNC
rpl_semi_sync_source_timeout=1000
CNF
}

db_make_data() { # DIRECTORY of the server
    chmod 700 "$1/data"
    "$MYSQLD" --no-defaults --initialize-insecure --user="$(id -un)" --datadir="$1/data" --tmpdir="$1/tmp" \
        --character-set-server=utf8mb4 --collation-server=utf8mb4_unicode_ci
}

db_wait() { say "SELECT WAIT_FOR_EXECUTED_GTID_SET('${1//[[:space:]]/}', $2)"; } # POSITION SECONDS: 0 when the server has executed it

replica_status() { db_admin "$1" -e 'SHOW REPLICA STATUS\G'; } # REPLICA
replica_start() { db_admin "$1" -e 'START REPLICA' 2>/dev/null; }
replica_apply() { db_admin "$1" -e 'START REPLICA SQL_THREAD' 2>/dev/null; }
replica_forget() { db_admin "$1" -e 'STOP REPLICA; RESET REPLICA ALL'; }
replica_followed() { say "$(replica_knows "$1" Source_Host):$(replica_knows "$1" Source_Port)"; }

replica_delay() { # REPLICA SECONDS
    db_admin "$1" -e "STOP REPLICA SQL_THREAD; CHANGE REPLICATION SOURCE TO SOURCE_DELAY=$2; START REPLICA SQL_THREAD"
}

replica_change_primary() { # REPLICA
    db_admin "$1" -e "STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=$PRIMARY_PORT, SOURCE_USER='repl',
        SOURCE_PASSWORD='$DB_REPLICATION_PASSWORD', SOURCE_AUTO_POSITION=1, SOURCE_CONNECT_RETRY=1, SOURCE_RETRY_COUNT=0,
        GET_SOURCE_PUBLIC_KEY=1"
}

# A replica gets everything from the primary's log, from the first transaction on.
replica_copy() { # REPLICA
    local purged
    purged=$(db_admin primary -N -e 'SELECT @@global.gtid_purged')
    [ -z "$purged" ] || {
        complain "the $1 can't be filled: the log of the primary no longer begins with its first transaction"
        return 1
    }
}

# Everything that the replica has received, executed or not.
mysql_received="SELECT GTID_SUBTRACT(CONCAT_WS(',', @@global.gtid_executed,
    NULLIF((SELECT GROUP_CONCAT(received_transaction_set) FROM performance_schema.replication_connection_status), '')), '')"

replica_lacks() { # REPLICA POSITION: it hasn't received all up to there
    [ "$(db_admin "$1" -N -e "SELECT GTID_SUBSET('${2//[[:space:]]/}', ($mysql_received))")" != 1 ]
}

# How many transactions the replica has received; empty if it doesn't answer. A set is "server:1-5:7,server:1-3".
replica_received() { # REPLICA
    local received
    received=$(db_admin "$1" -N -r -e "$mysql_received" 2>/dev/null) || return 1
    tr -d '[:space:]' <<<"$received" | tr ',' '\n' | awk -F: '{ for (i = 2; i <= NF; i++) { n = split($i, ends, "-"); sum += ends[n] - ends[1] + 1 } }
        END { print sum + 0 }'
}

# Whether the replica has executed all that it received.
replica_is_done() { # REPLICA
    [ "$(db_admin "$1" -N -e "SELECT GTID_SUBSET(($mysql_received), @@global.gtid_executed)")" = 1 ]
}
