# shellcheck shell=bash
# Makes, attaches and promotes replicas. Sourced; needs database.sh and nodes.sh.

db_status_variable() { db_admin primary -N -e "SHOW STATUS LIKE '$1'" | cut -f2; }
# After a timeout the primary acknowledges without its replicas, until one of them has caught up. If there is nothing to catch up with, this
# turns semi-synchronous replication on again.
semi_sync_on() {
    [ "$(db_status_variable Rpl_semi_sync_master_clients)" -ge "$(replicas | wc -l)" ] || return 1
    [ "$(db_status_variable Rpl_semi_sync_master_status)" = ON ] || replicas_lack_something ||
        db_admin primary -e 'SET GLOBAL rpl_semi_sync_master_enabled = OFF; SET GLOBAL rpl_semi_sync_master_enabled = ON'
    [ "$(db_status_variable Rpl_semi_sync_master_status)" = ON ]
}
replicas_lack_something() {
    local name position
    position=$(db_admin primary -N -e 'SELECT @@global.gtid_binlog_pos')
    for name in $(replicas); do [ "$(replica_knows "$name" Gtid_IO_Pos)" = "$position" ] || return 0; done
    return 1
}

replica_knows() { db_admin "$1" -e 'SHOW SLAVE STATUS\G' | awk -v key="$2:" '$1 == key { print $2 }'; } # REPLICA FIELD

# Copies the data of the primary, with its accounts and its position, to a new replica. For a database of many GB mariadb-backup is faster
# (scripts/deploy/README.md).
replica_fill() { # REPLICA
    local dir=$RUN/$1
    [ ! -e "$dir/filled" ] || return 0
    db_admin "$1" -e 'STOP SLAVE; RESET MASTER'
    (cd "$RUN/primary/data" && exec mariadb-dump --no-defaults --socket=m.sock -u"$DB_ADMIN" --all-databases --single-transaction \
        --flush-privileges --gtid --master-data=1) | db_admin "$1" --init-command='SET sql_log_bin = 0'
    touch "$dir/filled"
}

replica_follow() { # REPLICA
    # Repeated when the address of the primary has changed.
    if [ "$(replica_knows "$1" Master_Host):$(replica_knows "$1" Master_Port)" != "127.0.0.1:$PRIMARY_PORT" ]; then
        db_admin "$1" -e "STOP SLAVE; CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=$PRIMARY_PORT, MASTER_USER='repl',
            MASTER_PASSWORD='$DB_REPLICATION_PASSWORD', MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1"
    fi
    db_admin "$1" -e 'START SLAVE' 2>/dev/null
}

replicas_catch_up() {
    local name position
    wait_for "semi-synchronous replication" 30 semi_sync_on || {
        for name in $(replicas); do db_admin "$name" -e 'SHOW SLAVE STATUS\G' | grep -E 'Running|Error' >&2; done
        return 1
    }
    position=$(db_admin primary -N -e 'SELECT @@global.gtid_binlog_pos')
    for name in $(replicas); do
        # A replica with a configured delay only needs the log; waiting until it has applied it would take too long.
        [ "$(replica_knows "$name" SQL_Delay)" = 0 ] || continue
        [ "$(db_admin "$name" -N -e "SELECT MASTER_GTID_WAIT('$position', 60)")" = 0 ] || {
            complain "the $name did not catch up within 60 s"
            return 1
        }
    done
}

db_set_replica_delay() { # SECONDS, 0 ends it; both threads must be stopped for the change
    local name
    case ${1:-} in
        '' | *[!0-9]*)
            complain "replica-delay: whole seconds, 0 ends the delay"
            return 2
            ;;
    esac
    for name in $(replicas); do db_admin "$name" -e "STOP SLAVE; CHANGE MASTER TO MASTER_DELAY=$1; START SLAVE"; done
    wait_for "semi-synchronous replication" 15 semi_sync_on
    say "$(replicas | xargs): $1 s behind from now on"
}

db_replica_report() { # REPLICA
    db_answers "$1" || return 0
    db_admin "$1" -e 'SHOW SLAVE STATUS\G' |
        awk -F': ' '/Slave_(IO|SQL)_Running:|Seconds_Behind_Master|SQL_Delay|Last_(IO|SQL)_Error:/ { gsub(/^ +/, "", $1); if ($2 != "") print "    " $1 " " $2 }'
}

replica_add() {
    local name
    name=$(node_name replica "$(($(replicas | wc -l) + 1))")
    # shellcheck disable=SC2034  # replicas (nodes.sh) counts by it
    REPLICAS=$(node_number "$name")
    db_start
    say "$name follows the primary at 127.0.0.1:$(replica_port "$name"); make roll tells the services of it"
}

# The number of the last transaction that the replica received; empty if it doesn't answer.
replica_received() { replica_knows "$1" Gtid_IO_Pos 2>/dev/null | sed 's/.*-//'; } # REPLICA

# Whether the replica has executed all that it received.
replica_is_done() { # REPLICA
    [ "$(db_admin "$1" -N -e 'SELECT @@global.gtid_slave_pos')" = "$(replica_knows "$1" Gtid_IO_Pos)" ]
}

# Promotes a replica when the primary is lost for good. The replica that received most becomes the primary, at the primary's address, so no
# setting changes. A commit is acknowledged only when a replica has it (AFTER_SYNC), so no acknowledged write is missing, provided that
# Rpl_semi_sync_master_status was ON. The old primary's data is set aside. It must never rejoin as it is, because it may have transactions
# that no other server has.
db_promote() {
    local name best='' most=-1 received
    ! alive "$RUN/primary/pid" "$RUN/primary/my.cnf" || {
        complain "promote: the primary runs (pid $(cat "$RUN/primary/pid")); two primaries would lose writes. End it first, if it is lost"
        return 1
    }
    for name in $(replicas); do
        # Chosen by an earlier run that was interrupted.
        if [ -e "$RUN/$name/chosen" ]; then best=$name; fi
    done
    if [ -z "$best" ]; then
        for name in $(replicas); do
            received=$(replica_received "$name") || received=
            if [ -n "$received" ] && [ "$received" -gt "$most" ]; then best=$name most=$received; fi
        done
        [ -n "$best" ] || {
            complain "promote: no replica answers; scripts/infra.sh status shows them. None may be restarted before this: it would forget what it has received and not yet executed"
            return 1
        }
        # Its receiver thread isn't restarted until everything is executed, because that would discard the received transactions. The wait is
        # as long as the lag of the replica.
        db_admin "$best" -e 'START SLAVE SQL_THREAD' 2>/dev/null
        wait_for "the $best, which executes what it has received," 600 replica_is_done "$best"
        say "$best has executed everything up to transaction $most, and takes the place of the primary"
        db_admin "$best" -e 'STOP SLAVE; RESET SLAVE ALL'
        touch "$RUN/$best/chosen"
    fi
    end "$RUN/$best/pid" "$RUN/$best/my.cnf" 60
    if [ -d "$RUN/primary" ]; then mv "$RUN/primary" "$RUN/primary.lost-$(date -u +%Y%m%dT%H%M%SZ)"; fi
    mv "$RUN/$best" "$RUN/primary"
    rm -f "$RUN/primary/chosen" "$RUN/primary/filled"
    db_start_one primary "$PRIMARY_PORT" DOUSHENG_PRIMARY_PORT 1 OFF
    db_accounts
    say "$best is the primary now, at 127.0.0.1:$PRIMARY_PORT; scripts/infra.sh start makes a new replica in its place"
}
