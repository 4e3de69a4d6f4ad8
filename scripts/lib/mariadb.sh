# shellcheck shell=bash
# What is MariaDB's own: how a server is made and started, and the words of its replication. mysql.sh has the same for MySQL.
# Sourced; needs settings.sh and database.sh.
# shellcheck disable=SC2034  # used by database.sh and replicas.sh

DB_ENGINE=MariaDB
DB_SERVER=mariadbd
# The admin works without a password, but only over the unix socket and for the user who runs this.
DB_ADMIN=$(id -un)
# What an account needs to see whether replication runs, and what the tests' account sees beside it: the statements of others.
DB_SEES_REPLICATION="SLAVE MONITOR"
DB_SEES_ALL="PROCESS, SLAVE MONITOR, BINLOG MONITOR"
# The newest commit of a primary, in the words of SQL.
DB_POSITION=@@global.gtid_binlog_pos
DB_SEMI_SYNC=rpl_semi_sync_master

db_need_server() { :; } # install brings it
db_has_semi_sync() { :; }

# Lines of my.cnf for a server that logs, has GTIDs, and is primary or replica.
db_options() {
    cat <<'CNF'
innodb_log_file_size=16M
binlog_format=ROW
expire_logs_days=7
log_slave_updates=ON
gtid_strict_mode=ON
slave_parallel_threads=2
slave_net_timeout=10
master_retry_count=0
rpl_semi_sync_master_enabled=ON
rpl_semi_sync_slave_enabled=ON
rpl_semi_sync_master_wait_point=AFTER_SYNC
rpl_semi_sync_master_timeout=1000
CNF
}

db_make_data() { # DIRECTORY of the server
    # --force: works even if this machine's name can't be resolved.
    mariadb-install-db --no-defaults --force --user="$DB_ADMIN" --datadir="$1/data" --tmpdir="$1/tmp" --skip-test-db \
        --auth-root-authentication-method=socket --auth-root-socket-user="$DB_ADMIN"
}

db_wait() { say "SELECT MASTER_GTID_WAIT('$1', $2)"; } # POSITION SECONDS: 0 when the server has executed it

replica_status() { db_admin "$1" -e 'SHOW SLAVE STATUS\G'; } # REPLICA
replica_start() { db_admin "$1" -e 'START SLAVE' 2>/dev/null; }
replica_apply() { db_admin "$1" -e 'START SLAVE SQL_THREAD' 2>/dev/null; }
replica_forget() { db_admin "$1" -e 'STOP SLAVE; RESET SLAVE ALL'; }
replica_followed() { say "$(replica_knows "$1" Master_Host):$(replica_knows "$1" Master_Port)"; }

# Both threads must be stopped for it.
replica_delay() { db_admin "$1" -e "STOP SLAVE; CHANGE MASTER TO MASTER_DELAY=$2; START SLAVE"; } # REPLICA SECONDS

replica_change_primary() { # REPLICA
    db_admin "$1" -e "STOP SLAVE; CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=$PRIMARY_PORT, MASTER_USER='repl',
        MASTER_PASSWORD='$DB_REPLICATION_PASSWORD', MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1"
}

# Copies the data of the primary, with its accounts and its position. For a database of many GB mariadb-backup is faster
# (scripts/deploy/README.md).
replica_copy() { # REPLICA
    db_admin "$1" -e 'STOP SLAVE; RESET MASTER'
    (cd "$RUN/primary/data" && exec mariadb-dump --no-defaults --socket=m.sock -u"$DB_ADMIN" --all-databases --single-transaction \
        --flush-privileges --gtid --master-data=1) | db_admin "$1" --init-command='SET sql_log_bin = 0'
}

replica_lacks() { [ "$(replica_knows "$1" Gtid_IO_Pos)" != "$2" ]; } # REPLICA POSITION: it hasn't received all up to there

# The number of the last transaction that the replica received; empty if it doesn't answer.
replica_received() { replica_knows "$1" Gtid_IO_Pos 2>/dev/null | sed 's/.*-//'; } # REPLICA

# Whether the replica has executed all that it received.
replica_is_done() { # REPLICA
    [ "$(db_admin "$1" -N -e 'SELECT @@global.gtid_slave_pos')" = "$(replica_knows "$1" Gtid_IO_Pos)" ]
}
