#!/usr/bin/env bash
# Adds sample users and videos through the HTTP API of a running system. What exists is kept.
#   scripts/seed.sh [http://127.0.0.1:8080]
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/settings.sh
. "$HERE/lib/settings.sh"
# shellcheck source=scripts/lib/process.sh
. "$HERE/lib/process.sh"
# shellcheck source=scripts/lib/progress.sh
. "$HERE/lib/progress.sh"

API=${1:-http://$API_LISTEN}
CLIPS=$RUN/seed
PASSWORD=dousheng-seed

# User, title, picture (an ffmpeg source), pitch of the sound in Hz.
samples() {
    cat <<'LIST'
林小满|Test card, first thing in the morning|testsrc2=size=360x640:rate=24|440
林小满|Colour bars and a steady tone|smptehdbars=size=640x360:rate=24|1000
林小满|生命游戏|life=size=180x320:rate=24:mold=10:ratio=0.1:death_color=#203040:life_color=#40e0a0,scale=360:640:flags=neighbor|330
mei|Into the Mandelbrot set|mandelbrot=size=360x640:rate=24|220
mei|A cellular automaton, rule 110|cellauto=size=180x320:rate=24:rule=110,scale=360:640:flags=neighbor|550
mei|渐变|gradients=size=360x640:rate=24:speed=0.05|294
zhou_123|Sierpinski, falling|sierpinski=size=360x640:rate=24|392
zhou_123|A plain test picture|testsrc=size=480x480:rate=24|262
LIST
}

request() { # a curl command line; prints the JSON reply
    curl -sS -m 120 "$@" || {
        complain "no answer from $API: is it running? (make run-all)"
        return 1
    }
}

status_of() { jq -r .status_code <<<"$1"; }

# Registers the user, or logs in one that exists; prints "user_id token".
sign_in() { # NAME
    local reply path
    for path in register login; do
        reply=$(request "$API/douyin/user/$path/" --data-urlencode "username=$1" --data-urlencode "password=$PASSWORD")
        if [ "$(status_of "$reply")" = 0 ]; then
            jq -r '"\(.user_id) \(.token)"' <<<"$reply"
            return 0
        fi
    done
    complain "user $1: $(jq -r .status_msg <<<"$reply")"
    return 1
}

make_clip() { # FILE SOURCE PITCH
    [ ! -s "$1" ] || return 0
    ffmpeg -hide_banner -nostdin -loglevel error -y -f lavfi -i "$2" -f lavfi -i "sine=frequency=$3" -t 3 \
        -c:v libx264 -preset veryfast -pix_fmt yuv420p -c:a aac -b:a 64k -movflags +faststart -f mp4 "$1.part"
    mv "$1.part" "$1"
}

published() { # USER_ID TITLE TOKEN
    request "$API/douyin/publish/list/?user_id=$1" -H "Authorization: Bearer $3" |
        jq -e --arg title "$2" '.video_list | any(.title == $title)' >/dev/null
}

publish() { # TOKEN TITLE FILE; --form-string: a title may begin with @ or <
    local reply
    reply=$(request "$API/douyin/publish/action/" --form-string "token=$1" --form-string "title=$2" -F "data=@$3;type=video/mp4")
    [ "$(status_of "$reply")" = 0 ] || {
        complain "\"$2\": $(jq -r .status_msg <<<"$reply")"
        return 1
    }
}

mkdir -p "$CLIPS"
total=$(samples | wc -l) number=0
while IFS='|' read -r -u 3 user title source pitch; do
    number=$((number + 1)) start=$(tenths) note=published
    session=$(sign_in "$user")
    read -r user_id token <<<"$session"
    if published "$user_id" "$title" "$token"; then
        note="was there"
    else
        make_clip "$CLIPS/$number.mp4" "$source" "$pitch"
        publish "$token" "$title" "$CLIPS/$number.mp4"
    fi
    printf '  %d/%d  %-9s %9s   %s: %s\n' "$number" "$total" "$note" "$(since "$start")" "$user" "$title"
done 3< <(samples)
say "log in as 林小满, mei or zhou_123 with the password $PASSWORD"
