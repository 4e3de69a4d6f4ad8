# shellcheck shell=bash
# Makes, attaches and promotes replicas, in the words of mariadb.sh or mysql.sh. Sourced; needs database.sh and nodes.sh.

db_status_variable() { db_admin primary -N -e "SHOW STATUS LIKE '$1'" | cut -f2; }
# After a timeout the primary acknowledges without its replicas, until one of them has caught up. If there is nothing to catch up with, this
# turns semi-synchronous replication on again. A server without it is content with replicas that follow.
semi_sync_on() {
    local name
    if ! db_has_semi_sync; then
        for name in $(replicas); do replica_follows "$name" || return 1; done
        return 0
    fi
    [ "$(db_status_variable "${DB_SEMI_SYNC}_clients")" -ge "$(replicas | wc -l)" ] || return 1
    [ "$(db_status_variable "${DB_SEMI_SYNC}_status")" = ON ] || replicas_lack_something ||
        db_admin primary -e "SET GLOBAL ${DB_SEMI_SYNC}_enabled = OFF; SET GLOBAL ${DB_SEMI_SYNC}_enabled = ON"
    [ "$(db_status_variable "${DB_SEMI_SYNC}_status")" = ON ]
}
replicas_lack_something() {
    local name position
    position=$(db_position)
    for name in $(replicas); do ! replica_lacks "$name" "$position" || return 0; done
    return 1
}
db_position() { db_admin primary -N -r -e "SELECT $DB_POSITION"; }

replica_knows() { replica_status "$1" | awk -v key="$2:" '$1 == key { print $2 }'; } # REPLICA FIELD
replica_follows() { [ "$(replica_status "$1" | grep -cE '_(IO|SQL)_Running: Yes')" = 2 ]; } # REPLICA

replica_fill() { # REPLICA
    local dir=$RUN/$1
    [ ! -e "$dir/filled" ] || return 0
    replica_copy "$1"
    touch "$dir/filled"
}

replica_follow() { # REPLICA
    # By a promotion that was given up.
    rm -f "$RUN/$1/chosen"
    # Repeated when the address of the primary has changed.
    [ "$(replica_followed "$1")" = "127.0.0.1:$PRIMARY_PORT" ] || replica_change_primary "$1"
    replica_start "$1"
}

replicas_catch_up() {
    local name position
    wait_for "semi-synchronous replication" 30 semi_sync_on || {
        for name in $(replicas); do replica_status "$name" | grep -E 'Running|Error' >&2; done
        return 1
    }
    position=$(db_position)
    for name in $(replicas); do
        # A replica with a configured delay only needs the log; waiting until it has applied it would take too long.
        [ "$(replica_knows "$name" SQL_Delay)" = 0 ] || continue
        [ "$(db_admin "$name" -N -e "$(db_wait "$position" 60)")" = 0 ] || {
            complain "the $name did not catch up within 60 s"
            return 1
        }
    done
}

db_set_replica_delay() { # SECONDS, 0 ends it
    local name
    case ${1:-} in
        '' | *[!0-9]*)
            complain "replica-delay: whole seconds, 0 ends the delay"
            return 2
            ;;
    esac
    for name in $(replicas); do replica_delay "$name" "$1"; done
    wait_for "semi-synchronous replication" 15 semi_sync_on
    say "$(replicas | xargs): $1 s behind from now on"
}

db_replica_report() { # REPLICA
    db_answers "$1" || return 0
    replica_status "$1" |
        awk -F': ' '/(Slave|Replica)_(IO|SQL)_Running:|Seconds_Behind_|SQL_Delay|Last_(IO|SQL)_Error:/ { gsub(/^ +/, "", $1); if ($2 != "") print "    " $1 " " $2 }'
}

replica_add() {
    local name
    name=$(node_name replica "$(($(replicas | wc -l) + 1))")
    # shellcheck disable=SC2034  # replicas (nodes.sh) counts by it
    REPLICAS=$(node_number "$name")
    db_chosen
    db_start
    say "$name follows the primary at 127.0.0.1:$(replica_port "$name"); make roll tells the services of it"
}

# Promotes a replica when the primary is lost for good. The replica that received most becomes the primary, at the primary's address, so no
# setting changes. A commit is acknowledged only when a replica has it (AFTER_SYNC), so no acknowledged write is missing, provided that
# semi-synchronous replication was on. The old primary's data is set aside. It must never rejoin as it is, because it may have transactions
# that no other server has.
# May be run again after it failed or was killed at any step: `chosen` stands in the directory of the replica from the choice on, also once that
# is the primary's, until the new primary answers. Chosen anew, another replica could win, which lacks acknowledged writes.
db_promote() {
    local best
    [ -e "$RUN/primary/chosen" ] || db_take_place
    best=$(cat "$RUN/primary/chosen")
    rm -f "$RUN/primary/filled"
    db_start_one primary "$PRIMARY_PORT" DOUSHENG_PRIMARY_PORT 1 OFF
    db_accounts
    rm -f "$RUN/primary/chosen"
    say "$best is the primary now, at 127.0.0.1:$PRIMARY_PORT; scripts/infra.sh start makes a new replica in its place"
}

# Chooses a replica and moves it to the place of the primary.
db_take_place() {
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
        replica_apply "$best"
        wait_for "the $best, which executes what it has received," 600 replica_is_done "$best"
        say "$best has executed everything up to transaction $most, and takes the place of the primary"
        # Before it forgets what it received.
        say "$best" >"$RUN/$best/chosen"
    fi
    # It doesn't answer when an earlier run has stopped it, after this step.
    ! db_answers "$best" || replica_forget "$best"
    end "$RUN/$best/pid" "$RUN/$best/my.cnf" 60
    if [ -d "$RUN/primary" ]; then mv "$RUN/primary" "$RUN/primary.lost-$(date -u +%Y%m%dT%H%M%SZ)"; fi
    mv "$RUN/$best" "$RUN/primary"
}
