#!/usr/bin/env bash
# Backs up the database and the objects while the system runs.
#   scripts/backup.sh DIRECTORY    keeps database-<UTC>.sql.gz, one for each call, and objects/, which all of them share
# The database is read in one transaction, before the objects. An object is stored before its row, so every row of the dump has its object.
# Objects that were stored meanwhile have no row in the dump; after a restore the reaper removes them.
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
    sed -n '2,6s/^# \?//p' "$0"
    exit 2
}
need_settings
# A dump holds the hashes of passwords.
umask 077
mkdir -p "$1/objects"
dump=$1/database-$(date -u +%Y%m%dT%H%M%SZ).sql.gz
trap 'rm -f "$dump.part"' EXIT
# The account for migrations may read rows and change tables. The dump needs neither locks nor the state of the server.
database mariadb-dump --single-transaction --skip-lock-tables --skip-add-locks --no-tablespaces --hex-blob --order-by-primary | gzip >"$dump.part"
gzip -dc "$dump.part" | tail -n 1 | grep -q '^-- Dump completed' || {
    complain "the dump of the database is not whole; is the disk of $1 full?"
    exit 1
}
sync "$dump.part"
mv "$dump.part" "$dump"
# An object never changes, so existing copies are kept. The marker of the bucket isn't part of the backup.
objects copy "store:$DOUSHENG_OBJECT_STORE__BUCKET" "$1/objects" --ignore-existing --exclude "/$MARKER"
say "$dump ($(stat -c %s "$dump") bytes) and $(find "$1/objects" -type f | wc -l) objects"
