#!/usr/bin/env bash
# Makes a small world through the HTTP API of a running system: users who publish, like, comment, follow and write to each other. What exists
# is kept, so a second run adds nothing. What there is to make stands in scripts/seed/.
#   scripts/seed.sh [http://127.0.0.1:8080]
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/settings.sh
. "$HERE/lib/settings.sh"
# shellcheck source=scripts/lib/process.sh
. "$HERE/lib/process.sh"
# shellcheck source=scripts/lib/progress.sh
. "$HERE/lib/progress.sh"

API=${1:-http://$API_HERE}
CLIPS=$RUN/seed
PASSWORD=dousheng-seed
# Of a clip; long enough to be watched, short enough to be made in a second or two.
SECONDS_EACH=5
declare -A USER_ID TOKEN VIDEO_ID

lines() { grep -v '^#' "$HERE/seed/$1.txt"; } # FILE

request() { # a curl command line; prints the JSON reply
    curl -sS -m 120 "$@" || {
        complain "no answer from $API: is it running? (make run-all)"
        return 1
    }
}

# A request that must succeed; prints the reply.
done_as() { # WHAT, a curl command line
    local what=$1 reply
    shift
    reply=$(request "$@")
    [ "$(jq -r .status_code <<<"$reply")" = 0 ] || {
        complain "$what: $(jq -r .status_msg <<<"$reply")"
        return 1
    }
    say "$reply"
}

progress() { # WHAT COUNT START
    printf '  %-12s %4d %9s\n' "$1" "$2" "$(since "$3")"
}

# Registers the user, or logs in one that exists.
sign_in() { # NAME
    local reply path
    for path in register login; do
        reply=$(request "$API/douyin/user/$path/" --data-urlencode "username=$1" --data-urlencode "password=$PASSWORD")
        if [ "$(jq -r .status_code <<<"$reply")" = 0 ]; then
            USER_ID[$1]=$(jq -r .user_id <<<"$reply")
            TOKEN[$1]=$(jq -r .token <<<"$reply")
            return 0
        fi
    done
    complain "user $1: $(jq -r .status_msg <<<"$reply")"
    return 1
}

# A calm moving picture in portrait format, with a soft chord.
make_clip() { # FILE CHORD PICTURE
    local red green blue sound="" note amplitude=0.06 last=$((SECONDS_EACH - 1))
    # Computed for a fraction of the points and the moments; enlarged, and blended in between.
    IFS='~' read -r red green blue <<<"$(sed -E 's/([XY])/(1.25*\1)/g' <<<"$3")"
    for note in $2; do sound+="${sound:+ + }$amplitude*sin(2*PI*$note*t)*(0.8+0.2*sin(2*PI*0.3*t))"; done
    ffmpeg -hide_banner -nostdin -loglevel error -y -f lavfi \
        -i "color=black:size=144x256:rate=8,format=gbrp,geq=r='clip($red,0,255)':g='clip($green,0,255)':b='clip($blue,0,255)',format=yuv420p,framerate=fps=24,scale=540:960:flags=bicubic" \
        -f lavfi -i "aevalsrc='$sound':s=44100,afade=t=in:d=1,afade=t=out:st=$last:d=1" -t "$SECONDS_EACH" \
        -c:v libx264 -preset veryfast -crf 25 -pix_fmt yuv420p -c:a aac -b:a 64k -movflags +faststart -f mp4 "$1.part"
    mv "$1.part" "$1"
}

# The titles that a user has published, each with its id in front.
works() { # USER
    request "$API/douyin/publish/list/?user_id=${USER_ID[$1]}" -H "Authorization: Bearer ${TOKEN[$1]}" |
        jq -r '.video_list[] | "\(.id) \(.title)"'
}

remember_works() { # USER
    local id title
    while read -r id title; do
        [ -z "$id" ] || VIDEO_ID[$title]=$id
    done < <(works "$1")
}

# Waits until everybody sees the videos of a user: a busy machine converts them later.
await_works() { # USER
    local deadline=$((SECONDS + 120))
    until request "$API/douyin/publish/list/?user_id=${USER_ID[$1]}" -H "Authorization: Bearer ${TOKEN[$1]}" |
        jq -e 'all(.video_list[]; .state == "ready")' >/dev/null; do
        [ "$SECONDS" -lt "$deadline" ] || {
            complain "the videos of $1 are not ready after 120 s: does a transcoder run? (scripts/dousheng.sh status)"
            return 1
        }
        sleep 1
    done
}

mkdir -p "$CLIPS"
start=$(tenths)
mapfile -t users < <(lines videos | cut -d'|' -f1 | awk '!seen[$0]++')
for user in "${users[@]}"; do
    sign_in "$user"
    remember_works "$user"
done
progress users "${#users[@]}" "$start"

# As many at once as there are cores; each title has its file.
start=$(tenths) number=0 made=0
while IFS='|' read -r -u 3 user title chord picture; do
    number=$((number + 1))
    file=$CLIPS/$number-$SECONDS_EACH.mp4
    if [ -z "${VIDEO_ID[$title]:-}" ] && [ ! -s "$file" ]; then
        while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n; done
        make_clip "$file" "$chord" "$picture" &
        made=$((made + 1))
    fi
done 3< <(lines videos)
while [ -n "$(jobs -rp)" ]; do wait -n; done
progress clips "$made" "$start"

# --form-string: a title may begin with @ or <.
start=$(tenths) number=0 made=0
while IFS='|' read -r -u 3 user title _; do
    number=$((number + 1))
    [ -z "${VIDEO_ID[$title]:-}" ] || continue
    done_as "\"$title\"" "$API/douyin/publish/action/" --form-string "token=${TOKEN[$user]}" --form-string "title=$title" \
        -F "data=@$CLIPS/$number-$SECONDS_EACH.mp4;type=video/mp4" >/dev/null
    made=$((made + 1))
done 3< <(lines videos)
for user in "${users[@]}"; do
    await_works "$user"
    remember_works "$user"
done
progress videos "$made" "$start"

start=$(tenths) made=0
while IFS='|' read -r -u 3 user other; do
    done_as "$user follows $other" "$API/douyin/relation/action/" -d "token=${TOKEN[$user]}" -d "to_user_id=${USER_ID[$other]}" -d action_type=1 >/dev/null
    made=$((made + 1))
done 3< <(lines follows)
progress follows "$made" "$start"

start=$(tenths) made=0
while IFS='|' read -r -u 3 user title; do
    done_as "$user likes $title" "$API/douyin/favorite/action/" -d "token=${TOKEN[$user]}" -d "video_id=${VIDEO_ID[$title]}" -d action_type=1 >/dev/null
    made=$((made + 1))
done 3< <(lines likes)
progress likes "$made" "$start"

start=$(tenths) made=0
while IFS='|' read -r -u 3 user title text; do
    video=${VIDEO_ID[$title]}
    ! request "$API/douyin/comment/list/?video_id=$video" |
        jq -e --arg text "$text" '.comment_list | any(.content == $text)' >/dev/null || continue
    done_as "$user on $title" "$API/douyin/comment/action/" -d "token=${TOKEN[$user]}" -d "video_id=$video" -d action_type=1 \
        --data-urlencode "comment_text=$text" >/dev/null
    made=$((made + 1))
done 3< <(lines comments)
progress comments "$made" "$start"

# Of a chat all or nothing: whether there are messages is looked at before the first is sent.
start=$(tenths) made=0
declare -A IS_NEW
while IFS='|' read -r -u 3 user other text; do
    pair=$(printf '%s\n' "$user" "$other" | sort | paste -sd'|')
    if [ -z "${IS_NEW[$pair]:-}" ]; then
        IS_NEW[$pair]=$(request "$API/douyin/message/chat/?to_user_id=${USER_ID[$other]}" -H "Authorization: Bearer ${TOKEN[$user]}" |
            jq -r '.message_list == []')
    fi
    [ "${IS_NEW[$pair]}" = true ] || continue
    done_as "$user to $other" "$API/douyin/message/action/" -d "token=${TOKEN[$user]}" -d "to_user_id=${USER_ID[$other]}" -d action_type=1 \
        --data-urlencode "content=$text" >/dev/null
    made=$((made + 1))
done 3< <(lines chats)
progress messages "$made" "$start"
say "log in as ${users[*]} with the password $PASSWORD"
