# shellcheck shell=bash
# MariaDB: a primary and its replicas (GTID, semi-synchronous AFTER_SYNC) in $RUN/primary, $RUN/replica, $RUN/replica-2 and so on.
# For making and promoting replicas see replicas.sh.
# The admin account works without a password, but only over the unix socket and for the user who runs this.

DB_ADMIN=$(id -un)

# The socket is named relative to the data directory: an absolute path may be too long for one.
db_admin() { # primary|replica… [client arguments]
    local server=$1
    shift
    (cd "$RUN/$server/data" && exec mariadb --no-defaults --socket=m.sock -u"$DB_ADMIN" "$@")
}

# Runs a client with the account of the services; on a replica it can only read.
db_client() { # primary|replica… [client arguments]
    local port=$PRIMARY_PORT user=$DB_USER password=$DB_PASSWORD
    case $1 in
        primary) ;;
        replica | replica-[2-9]) port=$(replica_port "$1") user=$DB_READ_USER password=$DB_READ_PASSWORD ;;
        *)
            complain "sql: primary or replica, not \"$1\""
            return 2
            ;;
    esac
    shift
    MYSQL_PWD=$password exec mariadb --no-defaults --default-character-set=utf8mb4 -h127.0.0.1 -P"$port" -u"$user" -D"$DB_NAME" "$@"
}

db_answers() { db_admin "$1" -e 'SELECT 1' >/dev/null 2>&1; }

db_configure() { # primary|replica… PORT SERVER_ID READ_ONLY
    local dir=$RUN/$1
    # A server deletes old temporary tables when it starts, so two servers must not share a directory for them.
    mkdir -p "$dir/tmp"
    cat >"$dir/my.cnf" <<CNF
[mariadbd]
user=$DB_ADMIN
datadir=$dir/data
tmpdir=$dir/tmp
socket=m.sock
pid-file=$dir/pid
port=$2
bind-address=127.0.0.1
server_id=$3
read_only=$4
skip-name-resolve
character-set-server=utf8mb4
collation-server=utf8mb4_unicode_ci
sql_mode=ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION
transaction-isolation=READ-COMMITTED
default-time-zone=+00:00
max_connections=800
innodb_buffer_pool_size=64M
innodb_log_file_size=16M
innodb_flush_log_at_trx_commit=1
sync_binlog=1
log_bin=binlog
binlog_format=ROW
expire_logs_days=7
log_slave_updates=ON
gtid_strict_mode=ON
relay_log=relay
relay_log_recovery=ON
slave_parallel_threads=2
slave_net_timeout=10
master_retry_count=0
rpl_semi_sync_master_enabled=ON
rpl_semi_sync_slave_enabled=ON
rpl_semi_sync_master_wait_point=AFTER_SYNC
rpl_semi_sync_master_timeout=1000
CNF
}

db_initialise() { # primary|replica…: once; a half-made data directory is made again
    local dir=$RUN/$1
    [ ! -e "$dir/initialised" ] || return 0
    rm -rf "$dir/data"
    mkdir -p "$dir/data"
    # --force: works even if this machine's name can't be resolved.
    mariadb-install-db --no-defaults --force --user="$DB_ADMIN" --datadir="$dir/data" --tmpdir="$dir/tmp" --skip-test-db \
        --auth-root-authentication-method=socket --auth-root-socket-user="$DB_ADMIN" >"$dir/install.log" 2>&1 || {
        head -15 "$dir/install.log" >&2
        return 1
    }
    touch "$dir/initialised"
}

db_port() { # NAME PORT SETTING: fails if it is taken
    alive "$RUN/$1/pid" "$RUN/$1/my.cnf" || need_port "$2" "$3" "the MariaDB $1"
}

db_start_one() { # primary|replica… PORT SETTING SERVER_ID READ_ONLY
    local server=$1 dir=$RUN/$1
    if alive "$dir/pid" "$dir/my.cnf"; then
        wait_for "MariaDB $server" 60 db_answers "$server"
        return
    fi
    db_port "$server" "$2" "$3"
    db_configure "$server" "$2" "$4" "$5"
    db_initialise "$server"
    launch "$dir/pid" "$dir/log" mariadbd --defaults-file="$dir/my.cnf"
    wait_for "MariaDB $server" 60 db_answers "$server" || {
        tail -20 "$dir/log" >&2
        return 1
    }
}

# Creates an account with exactly these privileges in our database.
db_account() { # USER PASSWORD PRIVILEGES
    local account="'$1'@'127.0.0.1'"
    say "CREATE USER IF NOT EXISTS $account IDENTIFIED BY '$2';"
    say "REVOKE ALL PRIVILEGES, GRANT OPTION FROM $account;"
    say "GRANT $3 ON \`$DB_NAME\`.* TO $account;"
    if [ "$TEST_SERVERS" = 1 ]; then say "GRANT $3 ON \`dt\\_%\`.* TO $account;"; fi
}

db_account_statements() { # may be run again
    local rows="SELECT, INSERT, UPDATE, DELETE"
    say "CREATE DATABASE IF NOT EXISTS \`$DB_NAME\` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;"
    say "CREATE USER IF NOT EXISTS 'repl'@'127.0.0.1' IDENTIFIED BY '$DB_REPLICATION_PASSWORD';"
    say "GRANT REPLICATION SLAVE ON *.* TO 'repl'@'127.0.0.1';"
    db_account "$DB_USER" "$DB_PASSWORD" "$rows"
    db_account "$DB_MIGRATE_USER" "$DB_MIGRATE_PASSWORD" "$rows, CREATE, ALTER, DROP, INDEX, REFERENCES"
    db_account "$DB_READ_USER" "$DB_READ_PASSWORD" SELECT
    # The services check whether replication runs before they use a replica.
    say "GRANT SLAVE MONITOR ON *.* TO '$DB_READ_USER'@'127.0.0.1';"
    if [ "$TEST_SERVERS" = 1 ]; then
        db_account "$DB_TEST_USER" "$DB_TEST_PASSWORD" "ALL PRIVILEGES"
        # Tests look for the statements of the processes that they start.
        say "GRANT PROCESS, SLAVE MONITOR, BINLOG MONITOR ON *.* TO '$DB_TEST_USER'@'127.0.0.1';"
    fi
}

# Runs only if the accounts have changed, because every statement adds a transaction to the log.
db_accounts() {
    local made=$RUN/primary/accounts sum
    sum=$(db_account_statements | sha256sum)
    [ "$(cat "$made" 2>/dev/null)" != "$sum" ] || return 0
    db_account_statements | db_admin primary
    say "$sum" >"$made"
}

db_start() {
    local name jobs=()
    # Refuses to start an empty primary when there are replicas, because they would have more data than it.
    for name in $(replicas); do
        if [ -e "$RUN/$name/filled" ] && [ ! -e "$RUN/primary/initialised" ]; then
            complain "the primary's data is gone, and $name has what it had: scripts/infra.sh promote (scripts/deploy/runbook.md); make reset begins from nothing"
            return 1
        fi
    done
    db_start_one primary "$PRIMARY_PORT" DOUSHENG_PRIMARY_PORT 1 OFF & jobs+=($!)
    for name in $(replicas); do
        db_start_one "$name" "$(replica_port "$name")" DOUSHENG_REPLICA_PORT "$(($(node_number "$name") + 1))" ON & jobs+=($!)
    done
    for name in "${jobs[@]}"; do wait "$name"; done
    db_accounts
    for name in $(replicas); do
        replica_fill "$name"
        replica_follow "$name"
    done
    replicas_catch_up
}

db_stop() { # the replicas first: a primary that stops waits for their acknowledgements
    local name
    for name in $(replicas); do end "$RUN/$name/pid" "$RUN/$name/my.cnf" 60; done
    end "$RUN/primary/pid" "$RUN/primary/my.cnf" 60
}

db_set_semi_sync() { # on|off, until the primary is started again
    case ${1:-} in
        on) db_admin primary -e 'SET GLOBAL rpl_semi_sync_master_enabled = ON' && wait_for "semi-synchronous replication" 15 semi_sync_on ;;
        off) db_admin primary -e 'SET GLOBAL rpl_semi_sync_master_enabled = OFF' ;;
        *)
            complain "semi-sync: on or off"
            return 2
            ;;
    esac
}
