#!/usr/bin/env bash
# Restores a backup into an empty system whose services don't run.
#   scripts/restore.sh DIRECTORY [DUMP]    DUMP: one of DIRECTORY/database-*.sql.gz, by default the newest
# New rows get ids above all that were given after the dump.
# Refused if the database has users, so that no data is overwritten. Redis needs no backup: empty it (scripts/infra.sh replace-redis) before
# the services start; the counts are rebuilt from the rows.
# DOUSHENG_MYSQL__MIGRATE_URL and DOUSHENG_OBJECT_STORE__* choose database and store; the default is this machine's own.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/settings.sh
. "$HERE/lib/settings.sh"
# shellcheck source=scripts/lib/process.sh
. "$HERE/lib/process.sh"
# shellcheck source=scripts/lib/backup.sh
. "$HERE/lib/backup.sh"

# Ids that were given after the dump must not be given again: clients and tokens still use them. Their number is unknown; this is an upper
# bound for each second since the dump.
IDS_PER_SECOND=1000
LEAST_IDS=10000000

raise_ids() {
    local made age step table last
    made=$(gzip -dc "$dump" | sed -n 's/^-- Dump completed on *//p' | tail -n 1)
    # The time inside of the dump is local time; the name that backup.sh gave it is UTC.
    if [[ $(basename "$dump") =~ ^database-([0-9]{8})T([0-9]{2})([0-9]{2})([0-9]{2})Z ]]; then
        made="${BASH_REMATCH[1]} ${BASH_REMATCH[2]}:${BASH_REMATCH[3]}:${BASH_REMATCH[4]} UTC"
    fi
    age=$(($(date +%s) - $(date -d "$made" +%s)))
    step=$((IDS_PER_SECOND * (age > 0 ? age : 0)))
    [ $step -ge $LEAST_IDS ] || step=$LEAST_IDS
    for table in users videos comments follows messages; do
        # An older dump may lack it.
        [ -n "$(database mariadb -N -e "SHOW TABLES LIKE '$table'")" ] || continue
        last=$(database mariadb -N -e "SELECT COALESCE(MAX(id), 0) FROM $table")
        database mariadb -e "ALTER TABLE $table AUTO_INCREMENT = $((last + step))"
    done
}

# Ties this bucket to this database, for the reaper. A new bucket gets a new marker, so that a copy of a database isn't tied to the bucket of
# the original. A bucket that has a marker keeps it.
tie() {
    local marker
    marker=$(objects cat "$bucket/$MARKER" 2>/dev/null || true)
    if [ -z "$marker" ]; then
        marker=$(cat /proc/sys/kernel/random/uuid)
        # An old dump without this table gets it when the services start, and is tied then.
        database mariadb -e "REPLACE INTO bucket (id, marker, bound_ms) VALUES (1, '$marker', UNIX_TIMESTAMP() * 1000)" 2>/dev/null || return 0
        printf %s "$marker" | objects rcat "$bucket/$MARKER"
    elif [ "$marker" != "$(database mariadb -N -e 'SELECT marker FROM bucket' 2>/dev/null)" ]; then
        complain "the bucket $DOUSHENG_OBJECT_STORE__BUCKET is marked as another database's: nothing is removed from it until you say that it is this one's: make reap ARGS=--adopt"
    fi
}

[ $# = 1 ] || [ $# = 2 ] || {
    sed -n '2,7s/^# \?//p' "$0"
    exit 2
}
need_settings
dump=${2:-$(find "$1" -maxdepth 1 -name 'database-*.sql.gz' | sort | tail -n 1)}
if [ ! -s "$dump" ] || [ ! -d "$1/objects" ]; then
    complain "$1 holds no backup: there should be database-….sql.gz and objects/"
    exit 1
fi
gzip -t "$dump"
# Without tables the query fails, which also means an empty database. A server that is away was noticed before.
database mariadb -e 'SELECT 1' >/dev/null
if [ -n "$(database mariadb -N -e 'SELECT 1 FROM users LIMIT 1' 2>/dev/null)" ]; then
    complain "restore: there are users in this database, and a backup replaces all; name an empty one, or empty this one yourself"
    exit 1
fi
bucket=store:$DOUSHENG_OBJECT_STORE__BUCKET
objects mkdir "$bucket"
# Objects first, so that no row is visible without its object. The content type follows from the name of the file.
while read -r extension type; do
    objects copy "$1/objects" "$bucket" --include "*.$extension" --header-upload "Content-Type: $type"
done <<'TYPES'
mp4 video/mp4
mov video/quicktime
webm video/webm
mkv video/x-matroska
jpg image/jpeg
png image/png
webp image/webp
TYPES
objects check "$1/objects" "$bucket" --one-way 2>/dev/null || {
    complain "not every object of $1/objects arrived in $DOUSHENG_OBJECT_STORE__BUCKET; try again"
    exit 1
}
gzip -dc "$dump" | database mariadb
raise_ids
tie
say "$dump and $(find "$1/objects" -type f | wc -l) objects are in place: $(database mariadb -N -e 'SELECT COUNT(*) FROM users') users, $(database mariadb -N -e 'SELECT COUNT(*) FROM videos') videos"
# Its counts and marks are of later rows than these; here nobody can know whether it is empty.
say "before the services start, empty a Redis that was used before: scripts/infra.sh replace-redis"
