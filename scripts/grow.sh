#!/usr/bin/env bash
# Fills a database with as many rows as a large installation has, by SQL that MySQL 8 and MariaDB both accept:
#   scripts/grow.sh                       of the system that runs here (make run-all)
#   DOUSHENG_MYSQL__MIGRATE_URL=mysql://user:password@host:port/database scripts/grow.sh
# SCALE=1 makes 1,000,000 users, 1,000,000 videos, 10,000,000 likes and 5,000,000 comments. Everybody likes the last of the videos, and
# the first of the users likes 300,000 videos. SCALE=0.01 makes a hundredth of each; at least 0.001. What is there already stays.
# The schema's rules hold afterwards: names, object keys and publish times are unique, counts equal their rows. Only the rows are made:
# the videos have no objects in the store, so they don't play, and nobody knows the users' passwords.
# It takes minutes, and about 3 GB on each server at SCALE=1. A run that was ended leaves rows without counts: make reconcile ARGS=--fix.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/settings.sh
. "$HERE/lib/settings.sh"
# shellcheck source=scripts/lib/process.sh
. "$HERE/lib/process.sh"
# shellcheck source=scripts/lib/progress.sh
. "$HERE/lib/progress.sh"
# shellcheck source=scripts/lib/backup.sh
. "$HERE/lib/backup.sh"

if [ $# != 0 ]; then
    sed -n '2,9s/^# \?//p' "$0"
    [ "$1" = --help ] && exit 0
    exit 2
fi
SCALE=${SCALE:-1}
is_scale() { [[ $1 =~ ^[0-9]+(\.[0-9]+)?$ ]] && awk -v scale="$1" 'BEGIN { exit !(scale >= 0.001 && scale <= 10) }'; }
is_scale "$SCALE" || {
    complain "SCALE is a number from 0.001 to 10, not \"$SCALE\""
    exit 2
}
[ -n "${DOUSHENG_MYSQL__MIGRATE_URL:-}" ] || eval "$("$HERE/infra.sh" env)"

scaled() { awk -v n="$1" -v scale="$SCALE" 'BEGIN { printf "%d", n * scale }'; }
USERS=$(scaled 1000000) VIDEOS=$(scaled 1000000)
LIKES=$(scaled 10000000) COMMENTS=$(scaled 5000000)
# Of the user who likes the most. Everybody's like of the last video makes USERS.
HEAVY_LIKES=$(scaled 300000)
# Rows of one statement, which is one transaction: large enough to be fast, small enough for a replica to keep up.
BATCH=100000
# Comments of a video. And the likes of a user besides that of the last video: one more for the first REMAINDER users.
COMMENTS_EACH=$((COMMENTS / VIDEOS))
SPREAD=$((LIKES - USERS - HEAVY_LIKES))
LIKES_EACH=$((SPREAD / USERS)) REMAINDER=$((SPREAD % USERS))

sql() { database mariadb -N -e "SET SESSION unique_checks = 0; $1"; }

# n from 0 to COUNT - 1 (at most 100,000), as a table: neither server has a sequence that the other has, and their limits of recursion
# differ. So the digits are joined, no more of them than there must be.
numbers() { # COUNT
    local name digit power=1 highest tables='' sum=0
    for name in a b c d e; do
        highest=$((($1 - 1) / power))
        [ "$highest" -le 9 ] || highest=9
        tables+="${tables:+, }(SELECT 0 AS d"
        for ((digit = 1; digit <= highest; digit++)); do tables+=" UNION ALL SELECT $digit"; done
        tables+=") AS $name" sum+=" + $power * $name.d" power=$((power * 10))
        [ "$power" -lt "$1" ] || break
    done
    say "(SELECT n FROM (SELECT $sum AS n FROM $tables) AS all_of_them WHERE n < $1)"
}

# Calls COMMAND FIRST COUNT for the numbers from 0 to TOTAL - 1, STEP at a time, and says how far it is.
in_batches() { # WHAT TOTAL STEP COMMAND
    local first count start shown=0
    start=$(tenths)
    for ((first = 0; first < $2; first += $3)); do
        count=$(($2 - first < $3 ? $2 - first : $3))
        "$4" "$first" "$count"
        if [ $(($(tenths) - shown)) -ge 100 ]; then
            shown=$(tenths)
            printf '  %-12s %9s   %d of %d\n' "$1" "$(since "$start")" $((first + count)) "$2"
        fi
    done
    printf '  %-12s %9s   done\n' "$1" "$(since "$start")"
}

users() { # FIRST COUNT
    sql "INSERT INTO users (id, name, password_hash)
        SELECT $USER_1 + $1 + n, CONCAT('grown-', $USER_1 + $1 + n), '-' FROM $(numbers "$2") AS numbers"
}

# The author is another one each time; before the first of those that were there, so that no publish time is another's.
videos() { # FIRST COUNT
    sql "INSERT INTO videos
            (id, author_id, title, object_key, cover_key, size_bytes, sha256, duration_ms, width, height, published_ms)
        SELECT $VIDEO_1 + i, $USER_1 + MOD(i * 7, $USERS), CONCAT('Film ', $VIDEO_1 + i),
            CONCAT('videos/00000000-0000-7000-8000-', LPAD($VIDEO_1 + i, 12, '0'), '.mp4'),
            CONCAT('covers/00000000-0000-7000-8000-', LPAD($VIDEO_1 + i, 12, '0'), '.jpg'),
            1000000, SHA2($VIDEO_1 + i, 256), 15000, 720, 1280, $PUBLISHED_1 + i * $PUBLISH_STEP
        FROM (SELECT $1 + n AS i FROM $(numbers "$2") AS numbers) AS these"
}

# Likes of video number v (from 0) by user number u, in the order of the primary key.
likes() { # SELECT of u, v and t: the place in the user's list
    sql "INSERT INTO favorites (user_id, video_id, author_id, liked_us, batch)
        SELECT $USER_1 + u, $VIDEO_1 + v, $USER_1 + MOD(v * 7, $USERS), $LIKED_1 + t, 0 FROM ($1) AS these ORDER BY u, v"
}

heavy_likes() { # FIRST COUNT
    likes "SELECT 0 AS u, ($1 + n) * $((VIDEOS / HEAVY_LIKES)) AS v, $1 + n AS t FROM $(numbers "$2") AS numbers"
}

hot_likes() { # FIRST COUNT
    likes "SELECT $1 + n AS u, $HOT AS v, $((HEAVY_LIKES + 1)) AS t FROM $(numbers "$2") AS numbers"
}

# The users of a batch like videos of one range, so that the index by video grows in one place at a time.
spread_likes() { # FIRST COUNT
    local range=$((VIDEOS * USERS_A_BATCH / USERS)) batch=$(($1 / USERS_A_BATCH))
    likes "SELECT u, v, t FROM (
            SELECT $1 + users.n AS u, $((batch * range)) + MOD(users.n * 7 + k.n, $range) AS v, k.n AS t
            FROM $(numbers "$2") AS users JOIN $(numbers $((LIKES_EACH + 1))) AS k
            WHERE k.n < $LIKES_EACH OR $1 + users.n < $REMAINDER
        ) AS spread WHERE u > 0 AND v < $HOT"
}

comments() { # FIRST COUNT
    sql "INSERT INTO comments (video_id, user_id, content, created_ms)
        SELECT $VIDEO_1 + v, $USER_1 + MOD(v * 31 + k.n * 17, $USERS), CONCAT('Comment ', k.n + 1),
            $PUBLISHED_1 + v * $PUBLISH_STEP + 1000 + k.n
        FROM (SELECT $1 + n AS v FROM $(numbers "$2") AS numbers) AS videos
            JOIN $(numbers "$COMMENTS_EACH") AS k ORDER BY v, k.n"
}

# counted KIND ID: what the rows with these ids make, as counters.
counted() { # KIND TABLE COLUMN FIRST_ID COUNT
    sql "INSERT INTO counters (kind, target_id, value, dirty)
        SELECT $1, $3, COUNT(*), 0 FROM $2 WHERE $3 BETWEEN $4 AND $4 + $5 - 1 GROUP BY $3"
}

video_counters() { # FIRST COUNT
    counted 1 favorites video_id $((VIDEO_1 + $1)) "$2"
    counted 2 comments video_id $((VIDEO_1 + $1)) "$2"
}

# Likes have no index by author: added up by their videos, which were counted before.
user_counters() { # FIRST COUNT
    local first=$((USER_1 + $1))
    sql "INSERT INTO counters (kind, target_id, value, dirty)
        SELECT 3, author_id, SUM(value), 0 FROM videos JOIN counters ON kind = 1 AND target_id = videos.id
        WHERE author_id BETWEEN $first AND $first + $2 - 1 GROUP BY author_id"
    counted 4 favorites user_id "$first" "$2"
    counted 5 videos author_id "$first" "$2"
}

read -r USER_1 VIDEO_1 OLDEST <<<"$(sql "SELECT (SELECT COALESCE(MAX(id), 0) + 1 FROM users),
    (SELECT COALESCE(MAX(id), 0) + 1 FROM videos),
    (SELECT LEAST(COALESCE(MIN(published_ms), UNIX_TIMESTAMP() * 1000), UNIX_TIMESTAMP() * 1000) FROM videos)" | tr '\t.' '  ')"
[[ ${VIDEO_1:-} =~ ^[0-9]+$ && ${OLDEST:-} =~ ^[0-9]+$ ]] || {
    complain "no answer from the database, or its tables are missing: make run-all, or target/debug/migrate"
    exit 1
}
# Over three years, until a day ago.
PUBLISH_STEP=$((3 * 365 * 86400000 / VIDEOS))
PUBLISHED_1=$((OLDEST - 86400000 - VIDEOS * PUBLISH_STEP))
LIKED_1=$(((OLDEST - 86400000) * 1000))
HOT=$((VIDEOS - 1))
USERS_A_BATCH=$((BATCH / (LIKES_EACH + 1)))
[ "$USERS_A_BATCH" -le "$USERS" ] || USERS_A_BATCH=$USERS

in_batches users "$USERS" "$BATCH" users
in_batches videos "$VIDEOS" "$BATCH" videos
in_batches "heavy likes" "$HEAVY_LIKES" "$BATCH" heavy_likes
in_batches "hot likes" "$USERS" "$BATCH" hot_likes
in_batches likes "$USERS" "$USERS_A_BATCH" spread_likes
in_batches comments "$VIDEOS" $((BATCH / COMMENTS_EACH)) comments
in_batches "video counts" "$VIDEOS" "$BATCH" video_counters
in_batches "user counts" "$USERS" "$BATCH" user_counters
say "users $USER_1 to $((USER_1 + USERS - 1)), videos $VIDEO_1 to $((VIDEO_1 + VIDEOS - 1)): user $USER_1 likes $HEAVY_LIKES videos, $USERS users like video $((VIDEO_1 + HOT))"
