#!/usr/bin/env bash
# Puts a backup into a system that is empty; its services must not run.
#   scripts/restore.sh DIRECTORY [DUMP]    DUMP: one of DIRECTORY/database-*.sql.gz, by default the newest
# Refused where there are users, so that nobody's data is overwritten. Redis needs no backup: empty it (scripts/infra.sh replace-redis)
# before the services start; counts are made anew from the rows.
# Which database and which store: DOUSHENG_MYSQL__MIGRATE_URL and DOUSHENG_OBJECT_STORE__*; unset, this machine's own.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/settings.sh
. "$HERE/lib/settings.sh"
# shellcheck source=scripts/lib/process.sh
. "$HERE/lib/process.sh"
# shellcheck source=scripts/lib/backup.sh
. "$HERE/lib/backup.sh"

[ $# = 1 ] || [ $# = 2 ] || {
    sed -n '2,6s/^# \?//p' "$0"
    exit 2
}
need_settings
dump=${2:-$(find "$1" -maxdepth 1 -name 'database-*.sql.gz' | sort | tail -n 1)}
if [ ! -s "$dump" ] || [ ! -d "$1/objects" ]; then
    complain "$1 holds no backup: there should be database-….sql.gz and objects/"
    exit 1
fi
gzip -t "$dump"
# Without tables the question itself fails, which says the same as an empty one; a server that is away is found before.
database mariadb -e 'SELECT 1' >/dev/null
if [ -n "$(database mariadb -N -e 'SELECT 1 FROM users LIMIT 1' 2>/dev/null)" ]; then
    complain "restore: there are users in this database, and a backup replaces all; name an empty one, or empty this one yourself"
    exit 1
fi
bucket=store:$DOUSHENG_OBJECT_STORE__BUCKET
objects mkdir "$bucket"
# Objects first: a row must never be seen without its object. A file has no type of its own, so each is told by its name.
while read -r extension type; do
    objects copy "$1/objects" "$bucket" --include "*.$extension" --header-upload "Content-Type: $type"
done <<'TYPES'
mp4 video/mp4
mov video/quicktime
webm video/webm
mkv video/x-matroska
jpg image/jpeg
TYPES
objects check "$1/objects" "$bucket" --one-way 2>/dev/null || {
    complain "not every object of $1/objects arrived in $DOUSHENG_OBJECT_STORE__BUCKET; try again"
    exit 1
}
gzip -dc "$dump" | database mariadb
say "$dump and $(find "$1/objects" -type f | wc -l) objects are in place: $(database mariadb -N -e 'SELECT COUNT(*) FROM users') users, $(database mariadb -N -e 'SELECT COUNT(*) FROM videos') videos"
