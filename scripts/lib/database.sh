# shellcheck shell=bash
# A primary and its replicas (GTID, semi-synchronous AFTER_SYNC) in $RUN/primary, $RUN/replica, $RUN/replica-2 and so on; or with
# DATABASE=external somebody else's, which are only named. For making and promoting replicas see replicas.sh. What MariaDB and MySQL call
# by different words is in mariadb.sh and mysql.sh. Sourced; needs settings.sh, process.sh and nodes.sh.

case $DATABASE in
    # With somebody else's servers none is made, and no word of these files is used.
    mariadb | external)
        # shellcheck source=scripts/lib/mariadb.sh
        . "$PROJECT/scripts/lib/mariadb.sh"
        ;;
    mysql)
        # shellcheck source=scripts/lib/mysql.sh
        . "$PROJECT/scripts/lib/mysql.sh"
        ;;
    *)
        complain "DATABASE is mariadb, mysql or external, not \"$DATABASE\""
        exit 2
        ;;
esac

# What changes servers changes only ours.
db_need_own() { # COMMAND
    [ "$DATABASE" != external ] || {
        complain "$1: the database is somebody else's (DATABASE=external), and these scripts don't touch its servers"
        return 1
    }
}

# The socket is named relative to the data directory: an absolute path may be too long for one.
db_admin() { # primary|replica… [client arguments]
    local server=$1
    shift
    (cd "$RUN/$server/data" && exec mariadb --no-defaults --socket=m.sock -u"$DB_ADMIN" "$@")
}

# Runs a client with the account of the services; on a replica it can only read.
db_client() { # primary|replica… [client arguments]
    local port=$PRIMARY_PORT user=$DB_USER password=$DB_PASSWORD
    db_need_own sql
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
[mysqld]
user=$(id -un)
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
# Statements that take longer count as slow.
long_query_time=1
innodb_buffer_pool_size=64M
innodb_flush_log_at_trx_commit=1
sync_binlog=1
log_bin=binlog
relay_log=relay
relay_log_recovery=ON
$(db_options)
CNF
}

db_initialise() { # primary|replica…: once; a half-made data directory is made again
    local dir=$RUN/$1 made_by=mariadb
    if [ -e "$dir/initialised" ]; then
        [ ! -s "$dir/initialised" ] || read -r made_by _ <"$dir/initialised"
        [ "$made_by" = "$DATABASE" ] || {
            complain "the $1 in $RUN was made with DATABASE=$made_by, not $DATABASE; make reset begins from nothing"
            return 1
        }
        return 0
    fi
    rm -rf "$dir/data"
    mkdir -p "$dir/data"
    db_make_data "$dir" >"$dir/install.log" 2>&1 || {
        head -15 "$dir/install.log" >&2
        return 1
    }
    # Later commands go on with the same server (settings.sh).
    say "$DATABASE $MYSQLD" >"$dir/initialised"
}

db_port() { # NAME PORT SETTING: fails if it is taken
    alive "$RUN/$1/pid" "$RUN/$1/my.cnf" || need_port "$2" "$3" "the $DB_ENGINE $1"
}

db_start_one() { # primary|replica… PORT SETTING SERVER_ID READ_ONLY
    local server=$1 dir=$RUN/$1
    if alive "$dir/pid" "$dir/my.cnf"; then
        wait_for "$DB_ENGINE $server" 60 db_answers "$server"
        return
    fi
    db_port "$server" "$2" "$3"
    db_configure "$server" "$2" "$4" "$5"
    db_initialise "$server"
    launch "$dir/pid" "$dir/log" "$DB_SERVER" --defaults-file="$dir/my.cnf"
    wait_for "$DB_ENGINE $server" 60 db_answers "$server" || {
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
    say "GRANT $DB_SEES_REPLICATION ON *.* TO '$DB_READ_USER'@'127.0.0.1';"
    if [ "$TEST_SERVERS" = 1 ]; then
        db_account "$DB_TEST_USER" "$DB_TEST_PASSWORD" "ALL PRIVILEGES"
        # Tests look for the statements of the processes that they start.
        say "GRANT $DB_SEES_ALL ON *.* TO '$DB_TEST_USER'@'127.0.0.1';"
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
    [ "$DATABASE" != external ] || return 0
    db_has_semi_sync || say "$DB_ENGINE: $DB_SERVER has no plugin for semi-synchronous replication: commits don't wait for a replica"
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
    # By a promotion that failed on its last step.
    rm -f "$RUN/primary/chosen"
    db_accounts
    for name in $(replicas); do
        replica_fill "$name"
        replica_follow "$name"
    done
    replicas_catch_up
}

# Whether the database that was chosen can be had.
db_chosen() {
    if [ "$DATABASE" = external ]; then
        db_named
    else
        db_not_named
        db_need_server
    fi
}

# The addresses of somebody else's database, which the environment gives.
db_named() {
    [ -n "${DOUSHENG_MYSQL__PRIMARY_URL:-}" ] || {
        complain "DATABASE=external needs DOUSHENG_MYSQL__PRIMARY_URL (and __REPLICA_URLS if there are replicas, __MIGRATE_URL for an account that makes tables)"
        return 1
    }
}

# Host, port and database of a URL, without the account.
db_place() { say "${1##*@}" | sed 's/?.*//'; } # URL

# Without DATABASE=external a URL in the environment would be overridden; that must not happen in silence.
db_not_named() {
    local ours=mysql://$DB_USER:$DB_PASSWORD@127.0.0.1:$PRIMARY_PORT/$DB_NAME
    case ${DOUSHENG_MYSQL__PRIMARY_URL:-$ours} in
        "$ours") ;;
        *)
            complain "DOUSHENG_MYSQL__PRIMARY_URL names another database than the one that these scripts start: DATABASE=external uses it; otherwise unset it"
            return 1
            ;;
    esac
}

db_stop() { # the replicas first: a primary that stops waits for their acknowledgements
    local name
    for name in $(replicas); do end "$RUN/$name/pid" "$RUN/$name/my.cnf" 60; done
    end "$RUN/primary/pid" "$RUN/primary/my.cnf" 60
}

db_set_semi_sync() { # on|off, until the primary is started again
    db_has_semi_sync || {
        complain "semi-sync: $DB_SERVER has no plugin for it"
        return 1
    }
    case ${1:-} in
        on) db_admin primary -e "SET GLOBAL ${DB_SEMI_SYNC}_enabled = ON" && wait_for "semi-synchronous replication" 15 semi_sync_on ;;
        off) db_admin primary -e "SET GLOBAL ${DB_SEMI_SYNC}_enabled = OFF" ;;
        *)
            complain "semi-sync: on or off"
            return 2
            ;;
    esac
}
