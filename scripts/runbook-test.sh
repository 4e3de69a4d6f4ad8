#!/usr/bin/env bash
# Tests every command of the documents on a system of its own: first those of the guides (docs-test.sh), then those of the runbook
# (scripts/deploy/runbook.md): rotate the key for tokens, replace Redis, back up, lose the primary and promote a replica, add a replica,
# lose everything and restore. After each step all data must be there. Takes about 2 minutes; the programs must be built. For faults under
# load see make chaos.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$HERE/.."
for setting in $(compgen -e DOUSHENG_); do
    case $setting in DOUSHENG_TOOLS | DOUSHENG_RUNBOOK_*) ;; *) unset "$setting" ;; esac
done
unset OBJECT_STORE
[ "${DATABASE:-}" != external ] || unset DATABASE
# Other ports than those of a run, the tests and chaos, so that all may be up at once.
export DOUSHENG_RUN=$PWD/.run/runbook DOUSHENG_TOOLS=${DOUSHENG_TOOLS:-$PWD/.run/tools}
port=${DOUSHENG_RUNBOOK_PORT:-31100}
# The store also takes the ports 10000 higher. All are below 32768, because higher ports are used by outgoing connections.
export DOUSHENG_PRIMARY_PORT=$port DOUSHENG_REPLICA_PORT=$((port + 1)) DOUSHENG_ETCD_PORT=$((port + 10)) DOUSHENG_ETCD_PEER_PORT=$((port + 11)) \
    DOUSHENG_REDIS_PORT=$((port + 20)) DOUSHENG_S3_PORT=$((port - 9100)) DOUSHENG_HTTP__LISTEN=127.0.0.1:$((port + 80))
# shellcheck source=scripts/lib/settings.sh
. "$HERE/lib/settings.sh"
# shellcheck source=scripts/lib/process.sh
. "$HERE/lib/process.sh"
# shellcheck source=scripts/lib/progress.sh
. "$HERE/lib/progress.sh"
API=http://$API_LISTEN
BACKUP=$RUN/backup
# The files of this script survive a reset of the system.
SYSTEM=$RUN/system
export DOUSHENG_RUN=$SYSTEM
# The system belongs to this script, so it is deleted without asking.
export YES=1

leave() {
    local result=$?
    trap - EXIT INT TERM
    if [ $result = 0 ]; then
        "$HERE/dousheng.sh" reset >/dev/null
        rm -rf "$RUN"
    else
        complain "FAILED. What it left is in $RUN"
        "$HERE/dousheng.sh" stop >/dev/null || true
    fi
    exit $result
}

post() { curl -sS -m 20 -X POST "$API/douyin/$1" --data-urlencode "token=$TOKEN" "${@:2}"; }
ok() { jq -e '.status_code == 0' >/dev/null; }
comment() { post comment/action/ -d action_type=1 -d "video_id=$1" --data-urlencode "comment_text=$2"; } # VIDEO TEXT

# Everything that a user can see: the feed with its counts, the authors, the comments, the user's likes. Without the queries of URLs: their
# signatures change every half an hour.
seen() { everything_seen | sed -E 's/\?[^" ]*X-Amz-[^" ]*//'; }
everything_seen() {
    local video author
    curl -sS -m 20 "$API/douyin/feed/?token=$TOKEN" >"$RUN/page"
    ok <"$RUN/page"
    jq -S '.video_list | map(del(.play_url, .cover_url))' "$RUN/page"
    for author in $(jq '.video_list[].author.id' "$RUN/page" | sort -nu); do
        curl -sS -m 20 "$API/douyin/user/?user_id=$author&token=$TOKEN" | jq -S .user
    done
    for video in $(jq '.video_list[].id' "$RUN/page"); do
        curl -sS -m 20 "$API/douyin/comment/list/?video_id=$video&token=$TOKEN" | jq -S .comment_list
    done
    curl -sS -m 20 "$API/douyin/favorite/list/?user_id=$USER_ID&token=$TOKEN" | jq -S '.video_list | map(del(.play_url, .cover_url))'
    # The videos themselves, by their URLs, with their content types.
    for video in $(jq -r '.video_list[] | .play_url, .cover_url' "$RUN/page"); do
        curl -sSf -m 20 "$video" -o "$RUN/object" -w '%{content_type} '
        sha256sum <"$RUN/object"
    done
}

same_is_seen() { # AFTER WHAT
    seen >"$RUN/now"
    cmp -s "$RUN/before" "$RUN/now" || {
        complain "$1, something else is seen:"
        diff "$RUN/before" "$RUN/now" | head -n 40 >&2
        return 1
    }
}

# Waits until the counts are as before: for a moment they may come from the last fold.
soon_the_same() { # AFTER WHAT
    wait_for "$1, the same as before" 30 same_is_seen "$1" || same_is_seen "$1"
}

use() { # likes and comments of a user of its own
    local reply video
    "$HERE/seed.sh" "$API"
    reply=$(curl -sS -m 20 "$API/douyin/user/register/" -d username=runbook -d password=a-good-password)
    TOKEN=$(jq -r .token <<<"$reply") USER_ID=$(jq -r .user_id <<<"$reply")
    printf 'TOKEN=%s USER_ID=%s\n' "$TOKEN" "$USER_ID" >"$RUN/session"
    for video in $(curl -sS -m 20 "$API/douyin/feed/" | jq '.video_list[].id'); do
        post favorite/action/ -d action_type=1 -d "video_id=$video" | ok
        comment "$video" "On video $video" | ok
    done
    seen >"$RUN/before"
}

# Sends requests until it is stopped; each must succeed.
asks_on() {
    local reply
    trap 'exit 0' TERM
    while :; do
        reply=$(curl -sS -m 20 "$API/douyin/favorite/list/?user_id=$USER_ID&token=$TOKEN" 2>&1)
        ok <<<"$reply" || say "$reply" >>"$RUN/refused"
        sleep 0.05
    done
}

rotate() {
    local asking
    : >"$RUN/refused"
    asks_on &
    asking=$!
    "$HERE/dousheng.sh" rotate-key
    kill -TERM $asking
    wait $asking || true
    [ ! -s "$RUN/refused" ] || {
        head -n 3 "$RUN/refused" >&2
        return 1
    }
    same_is_seen "with a token of the old key"
    ! "$HERE/dousheng.sh" rotate-key || return 1
    TOKEN=$(curl -sS -m 20 "$API/douyin/user/login/" -d username=runbook -d password=a-good-password | jq -r .token)
    "$HERE/dousheng.sh" rotate-key finish
    same_is_seen "with a token of the new key"
    # A token of the old key is no longer valid.
    # shellcheck source=/dev/null
    ! (. "$RUN/session" && post favorite/action/ -d action_type=1 -d video_id=1 | ok)
    printf 'TOKEN=%s USER_ID=%s\n' "$TOKEN" "$USER_ID" >"$RUN/session"
}

replace_redis() {
    "$HERE/infra.sh" replace-redis
    soon_the_same "with an empty Redis"
}

# The last write is acknowledged a moment before the primary is lost, and no backup contains it. At first its process still holds the port, so
# the promotion fails on its last step, and is completed by the next.
promote() {
    local video n pid
    video=$(jq '.video_list[0].id' "$RUN/page")
    for n in {1..30}; do comment "$video" "Comment number $n" | ok; done
    pid=$(cat "$SYSTEM/primary/pid")
    kill -STOP "$pid"
    rm -rf "$SYSTEM/primary"
    if "$HERE/infra.sh" start; then
        complain "an empty primary took the place of the lost one"
        return 1
    fi
    if "$HERE/infra.sh" promote; then
        complain "a replica was promoted although the lost primary holds its port"
        return 1
    fi
    kill -KILL "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
    "$HERE/infra.sh" promote
    "$HERE/infra.sh" start
    wait_for "a comment after the promotion" 20 comment_taken "$video"
    n=$(curl -sS -m 20 "$API/douyin/comment/list/?video_id=$video&token=$TOKEN" | jq '[.comment_list[].content | select(startswith("Comment number"))] | length')
    [ "$n" = 30 ] || {
        complain "of 30 comments that were acknowledged $n are left"
        return 1
    }
    "$HERE/dousheng.sh" reconcile
    seen >"$RUN/before"
}
comment_taken() { comment "$1" "After the promotion" | ok; }

add_replica() {
    "$HERE/infra.sh" add-replica
    "$HERE/dousheng.sh" roll
    same_is_seen "with two replicas"
    [ "$("$HERE/infra.sh" sql replica-2 -N -e 'SELECT COUNT(*) FROM comments')" = "$("$HERE/infra.sh" sql primary -N -e 'SELECT COUNT(*) FROM comments')" ]
}

back_up() {
    local readable object whole
    "$HERE/backup.sh" "$BACKUP"
    readable=$(find "$BACKUP" -perm /077)
    [ -z "$readable" ] || {
        complain "others may read the backup, which holds the hashes of passwords: $readable"
        return 1
    }
    # As a backup that is killed leaves it.
    object=$(find "$BACKUP/objects" -type f -size +1k -print -quit)
    whole=$(sha256sum <"$object")
    truncate -s 1000 "$object"
    # A second backup adds a dump, and copies no objects but those that aren't whole. A URL may contain connection options.
    sleep 1
    (
        eval "$("$HERE/infra.sh" env)"
        DOUSHENG_MYSQL__MIGRATE_URL+="?ssl-mode=PREFERRED" "$HERE/backup.sh" "$BACKUP"
    )
    [ "$(sha256sum <"$object")" = "$whole" ] || {
        complain "a copy that was cut short is not whole after the next backup: $object"
        return 1
    }
    if "$HERE/restore.sh" "$BACKUP"; then
        complain "a system with users was overwritten"
        return 1
    fi
}

# New rows get ids that were never used before, also not by rows that no backup contains.
newest_user() {
    curl -sS -m 20 "$API/douyin/user/register/" -d "username=newest-$RANDOM-$RANDOM" -d password=a-good-password | jq .user_id
}

restore() {
    local last
    last=$(newest_user)
    "$HERE/dousheng.sh" reset
    "$HERE/infra.sh" start
    "$HERE/restore.sh" "$BACKUP"
    "$HERE/dousheng.sh" start
    # The keys for tokens aren't part of a backup.
    TOKEN=$(curl -sS -m 20 "$API/douyin/user/login/" -d username=runbook -d password=a-good-password | jq -r .token)
    same_is_seen "restored"
    "$HERE/dousheng.sh" reconcile
    "$HERE/dousheng.sh" reap
    # The same rows, and the same objects.
    "$HERE/backup.sh" "$BACKUP-again"
    cmp <(newest_rows "$BACKUP") <(newest_rows "$BACKUP-again")
    diff -r "$BACKUP/objects" "$BACKUP-again/objects"
    [ "$(newest_user)" -gt "$last" ]
}
# Without the time of the dump, the table of writing processes, and the next ids.
newest_rows() {
    gzip -dc "$(find "$1" -name 'database-*' | sort | tail -n 1)" |
        sed -e '/^-- /d' -e 's/ AUTO_INCREMENT=[0-9]*//' -e '/^INSERT INTO .\(folder\|bucket\|reaper_watermarks\|writers\). /,/;$/d'
}

session() { # COMMAND: as the user of this test
    # shellcheck source=/dev/null
    . "$RUN/session"
    "$@"
}

mkdir -p "$RUN"
lock runbook
trap leave EXIT
trap 'exit 130' INT TERM
see="$RUN/logs has what each step printed, and $SYSTEM/services what the services said"
rm -rf "$BACKUP" "$BACKUP-again"
step fresh "$see" "$HERE/dousheng.sh" reset
step install "$see" "$HERE/infra.sh" install rclone
step start "$see" "$HERE/dousheng.sh" start
step documents "$see" "$HERE/docs-test.sh" "$API"
step use "$see" use
step rotate-key "$see" session rotate
step replace-redis "$see" session replace_redis
step promote "$see" session promote
step add-replica "$see" session add_replica
step back-up "$see" session back_up
step restore "$see" session restore
