#!/usr/bin/env bash
# Backs up the database and the objects while the system runs.
#   scripts/backup.sh DIRECTORY    keeps database-<UTC>.sql.gz, one for each call, and objects/, which all of them share
# The database is read in one transaction, before the objects. An object is stored before its row, so every row of the dump has its object.
# Objects that were stored meanwhile have no row in the dump; after a restore the reaper removes them.
# Read is the first of DOUSHENG_MYSQL__REPLICA_URLS, once it has all that the primary had at the start; without one, or if it is too late, the
# primary. BACKUP_FROM=primary reads the primary in any case.
# DOUSHENG_MYSQL__MIGRATE_URL and DOUSHENG_OBJECT_STORE__* choose database and store; the default is this machine's own.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/settings.sh
. "$HERE/lib/settings.sh"
# shellcheck source=scripts/lib/process.sh
. "$HERE/lib/process.sh"
# shellcheck source=scripts/lib/backup.sh
. "$HERE/lib/backup.sh"

[ $# = 1 ] || {
    sed -n '2,8s/^# \?//p' "$0"
    exit 2
}
need_settings
# A dump holds the hashes of passwords.
umask 077
mkdir -p "$1/objects"
dump=$1/database-$(date -u +%Y%m%dT%H%M%SZ).sql.gz
trap 'rm -f "$dump.part"' EXIT
# Prints the address of the replica that is to be read, if there is one that has what the primary has now.
replica_to_read() {
    local replica=${DOUSHENG_MYSQL__REPLICA_URLS:-} position wait
    replica=${replica%%,*}
    if [ -z "$replica" ] || [ "${BACKUP_FROM:-}" = primary ]; then return 1; fi
    if position=$(database mariadb -N -e 'SELECT @@global.gtid_binlog_pos' 2>/dev/null); then
        wait="MASTER_GTID_WAIT('$position', 60)"
    else
        position=$(database mariadb -N -e "SELECT IF(@@global.gtid_mode LIKE 'ON%', @@global.gtid_executed, '')") || return 1
        wait="WAIT_FOR_EXECUTED_GTID_SET('${position//[[:space:]]/}', 60)"
    fi
    # Without GTIDs nobody knows what a replica has.
    [ -n "$position" ] || return 1
    if [ "$(DOUSHENG_MYSQL__MIGRATE_URL=$replica database mariadb -N -e "SELECT $wait")" = 0 ]; then
        say "$replica"
    else
        complain "the first replica hasn't caught up with the primary within 60 s: the primary is read"
        return 1
    fi
}

if source=$(replica_to_read); then server="the replica"; else source=$DOUSHENG_MYSQL__MIGRATE_URL server="the primary"; fi
# The account for migrations may read rows and change tables. The dump needs neither locks nor the state of the server.
DOUSHENG_MYSQL__MIGRATE_URL=$source database mariadb-dump --single-transaction --skip-lock-tables --skip-add-locks --no-tablespaces --hex-blob --order-by-primary | gzip >"$dump.part"
gzip -dc "$dump.part" | tail -n 1 | grep -q '^-- Dump completed' || {
    complain "the dump of the database is not whole; is the disk of $1 full?"
    exit 1
}
sync "$dump.part"
mv "$dump.part" "$dump"
# An object never changes, so a copy of its size is kept. A shorter one is of a backup that was killed: rclone before 1.63 (Debian has 1.60)
# writes under the final name. In one stream a copy grows from its beginning; in several its end may be there before its middle.
# The marker of the bucket isn't part of the backup.
objects copy "store:$DOUSHENG_OBJECT_STORE__BUCKET" "$1/objects" --size-only --multi-thread-streams 0 --exclude "/$MARKER"
say "$dump ($(stat -c %s "$dump") bytes, of $server) and $(find "$1/objects" -type f | wc -l) objects"
