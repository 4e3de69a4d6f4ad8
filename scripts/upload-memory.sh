#!/usr/bin/env bash
# A benchmark: how much an upload adds to the resident memory of the API. Prints a line for each size in MiB (default 200 and 1024). Needs a
# running system (make run-all). It starts an API process of its own with a higher limit for uploads.
#   scripts/upload-memory.sh [MiB...]
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$HERE/.."
# shellcheck source=scripts/lib/settings.sh
. "$HERE/lib/settings.sh"
# shellcheck source=scripts/lib/process.sh
. "$HERE/lib/process.sh"
# shellcheck source=scripts/lib/progress.sh
. "$HERE/lib/progress.sh"

DIR=$RUN/upload-memory
LISTEN=127.0.0.1:${DOUSHENG_BENCHMARK_PORT:-18080}

leave() {
    local result=$?
    trap - EXIT INT TERM
    end "$DIR/pid" "$DIR/api" 35
    [ $result = 0 ] || tail -n 20 "$DIR/log" >&2 || true
    rm -rf "$DIR"
    exit $result
}

memory() { awk -v key="$1:" '$1 == key { print int($2 / 1024) }' "/proc/$(cat "$DIR/pid")/status"; }

start_api() {
    local bin
    bin=$(cargo metadata --no-deps --format-version 1 | jq -r .target_directory)/debug
    need_port "${LISTEN##*:}" DOUSHENG_BENCHMARK_PORT "the benchmark"
    eval "$("$HERE/infra.sh" env)"
    : "${DOUSHENG_AUTH__JWT_KEYS:=$(cat "$RUN/secrets/jwt")}"
    : "${DOUSHENG_RPC__SECRET:=$(cat "$RUN/secrets/rpc")}"
    export DOUSHENG_AUTH__JWT_KEYS DOUSHENG_RPC__SECRET DOUSHENG_HTTP__LISTEN=$LISTEN DOUSHENG_UPLOAD__MAX_BYTES=$((8 << 30))
    ln -sfn "$bin/api" "$DIR/api"
    launch "$DIR/pid" "$DIR/log" "$DIR/api"
    wait_for "the API of the benchmark" 30 http_ok "http://$LISTEN/douyin/feed/"
}

# A short clip, padded to the size by a box that players skip. The file is sparse and takes no disk space.
make_video() { # MIB
    local file=$DIR/$1.mp4 size clip fill
    [ -s "$DIR/clip.mp4" ] || ffmpeg -hide_banner -nostdin -loglevel error -y -f lavfi -i testsrc=size=180x320:rate=15:duration=1 \
        -c:v libx264 -preset ultrafast -pix_fmt yuv420p -movflags +faststart "$DIR/clip.mp4"
    cp "$DIR/clip.mp4" "$file"
    size=$(($1 << 20)) clip=$(stat -c %s "$file")
    fill=$(printf '%08x' $((size - clip)))
    printf '%b' "\\x${fill:0:2}\\x${fill:2:2}\\x${fill:4:2}\\x${fill:6:2}free" >>"$file"
    truncate -s "$size" "$file"
}

upload() { # MIB TOKEN
    local before reply start
    make_video "$1"
    before=$(memory VmRSS)
    echo 5 >"/proc/$(cat "$DIR/pid")/clear_refs" # the peak counts from here
    start=$(tenths)
    reply=$(curl -sS -m 900 "http://$LISTEN/douyin/publish/action/" --form-string "token=$2" --form-string "title=$1 MiB" \
        -F "data=@$DIR/$1.mp4;type=video/mp4")
    [ "$(jq -r .status_code <<<"$reply")" = 0 ] || {
        complain "upload of $1 MiB: $reply"
        return 1
    }
    printf '  %5d MiB in %8s   resident before %4d MiB, at most %4d MiB: +%d MiB\n' "$1" "$(since "$start")" "$before" \
        "$(memory VmHWM)" "$(($(memory VmHWM) - before))"
    rm -f "$DIR/$1.mp4"
}

need_cargo
mkdir -p "$DIR"
trap leave EXIT
trap 'exit 130' INT TERM
start_api
account=(--data-urlencode "username=bench-$(date +%s)" --data-urlencode "password=dousheng-bench")
token=$(curl -sS -m 20 "http://$LISTEN/douyin/user/register/" "${account[@]}" | jq -r .token)
sizes=("$@")
[ ${#sizes[@]} -gt 0 ] || sizes=(200 1024)
for size in "${sizes[@]}"; do upload "$size" "$token"; done
