#!/usr/bin/env bash
# Go and Rust together, by code that Kitex generates from idl/ (idl/kitex/README.md): a client in Go against our services, then a comment
# service in Go behind our API, in the place of ours. On a system of its own, which is deleted again, also after a failure or Ctrl-C.
# Says so and does nothing where Go isn't installed.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$HERE/.."
for setting in $(compgen -e DOUSHENG_); do
    case $setting in DOUSHENG_TOOLS | DOUSHENG_INTEROP_*) ;; *) unset "$setting" ;; esac
done
unset OBJECT_STORE
[ "${DATABASE:-}" != external ] || unset DATABASE
# Other ports than those of a run, the tests, chaos and the runbook, so that all may be up at once. The store also takes the ports 10000 higher.
export DOUSHENG_RUN=$PWD/.run/interop DOUSHENG_TOOLS=${DOUSHENG_TOOLS:-$PWD/.run/tools}
port=${DOUSHENG_INTEROP_PORT:-31200}
export DOUSHENG_PRIMARY_PORT=$port DOUSHENG_REPLICA_PORT=$((port + 1)) DOUSHENG_ETCD_PORT=$((port + 10)) DOUSHENG_ETCD_PEER_PORT=$((port + 11)) \
    DOUSHENG_REDIS_PORT=$((port + 20)) DOUSHENG_S3_PORT=$((port - 9100)) DOUSHENG_HTTP__LISTEN=127.0.0.1:$((port + 80))
export DOUSHENG_INSTANCES=1 DOUSHENG_AUTH__BCRYPT_COST=4
# shellcheck source=scripts/lib/settings.sh
. "$HERE/lib/settings.sh"
# shellcheck source=scripts/lib/process.sh
. "$HERE/lib/process.sh"
# shellcheck source=scripts/lib/progress.sh
. "$HERE/lib/progress.sh"
# shellcheck source=scripts/lib/services.sh
. "$HERE/lib/services.sh"
# The system belongs to this script, so it is deleted without asking.
export YES=1
API=http://$API_LISTEN
MODULE=$PWD/idl/kitex
GO_COMMENT=127.0.0.1:$((port + 90))
GO_DIR=$RUN/go-comment

go_is_there() {
    local needed have
    needed=$(sed -n 's/^go //p' "$MODULE/go.mod")
    # In the module's directory, where Go may fetch the version that go.mod asks for.
    have=$(cd "$MODULE" && go env GOVERSION 2>/dev/null) || return 1
    printf '%s\n' "$needed" "${have#go}" | sort -V -C
}

leave() {
    local result=$?
    trap - EXIT INT TERM
    go_comment_stop
    if [ $result = 0 ]; then
        "$HERE/dousheng.sh" reset >/dev/null
        rm -rf "$RUN"
    else
        complain "FAILED. The logs are in $RUN"
        "$HERE/dousheng.sh" stop >/dev/null || true
    fi
    exit $result
}

programs() {
    "$MODULE/generate.sh"
    cd "$MODULE"
    go vet ./...
    go test ./...
    go build -buildvcs=false -o "$RUN/bin/" ./client ./comment
}

# What the services have of the settings, for the programs in Go.
environment() {
    eval "$("$HERE/infra.sh" env)"
    unset DOUSHENG_MYSQL__MIGRATE_URL
    DOUSHENG_RPC__SECRET=$(cat "$RUN/secrets/rpc")
    export DOUSHENG_RPC__SECRET
}

get() { curl -sS -m 20 "$API/douyin/$1"; }
post() { curl -sS -m 20 "$API/douyin/$1" "${@:2}"; } # PATH ARGUMENTS OF CURL...

# expect CODE WHAT: the answer on standard input has this status_code. It goes on to standard output.
expect() {
    local answer
    answer=$(cat)
    [ "$(jq -r .status_code <<<"$answer")" = "$1" ] || {
        complain "$2: $1 was expected: $answer"
        return 1
    }
    say "$answer"
}

same() { # WHAT GOT WANTED
    [ "$2" = "$3" ] || {
        complain "$1: \"$2\" instead of \"$3\""
        return 1
    }
}

films_are_shown() { get feed/ | jq -e '.video_list | length == 3'; }

# Two users, whose tokens are in files of their names, and three films of the first.
people() {
    local n
    for n in author reader; do
        post user/register/ -d "username=$n" --data-urlencode "password=password of $n" | expect 0 "registration of $n" | jq -r .token >"$RUN/$n"
    done
    for n in 1 2 3; do
        ffmpeg -hide_banner -nostdin -loglevel error -y -f lavfi -i testsrc=size=64x64:rate=10 -t "$n" -c:v libx264 -pix_fmt yuv420p "$RUN/film.mp4"
        post publish/action/ -F "token=$(cat "$RUN/author")" -F "title=Film $n 影片" -F "data=@$RUN/film.mp4" | expect 0 "publish $n"
    done
    # On a busy machine a transcoder may have to make them.
    wait_for "the feed of 3 films" 60 films_are_shown
}

go_client() { "$RUN/bin/client" -api "$API" author "password of author"; }

go_comment_start() { # [SECRET]
    mkdir -p "$GO_DIR"
    DOUSHENG_RPC__SECRET=${1:-$DOUSHENG_RPC__SECRET} launch "$GO_DIR/pid" "$GO_DIR/log" "$RUN/bin/comment" -listen "$GO_COMMENT"
    wait_for "the comment service in Go" 20 registered comment "$GO_COMMENT"
}
go_comment_stop() { end "$GO_DIR/pid" "$RUN/bin/comment" 20; }

comments_answer() { get "comment/list/?video_id=$VIDEO" | expect 0 comments; }
comments_are_away() { get "comment/list/?video_id=$VIDEO" | expect 20002 "comments without a service"; }

is_passed_over() { grep -F "an instance is passed over" "$(instance_dir api 1)/log" | grep -qF "comment/$GO_COMMENT"; }

# Who registers without our secret isn't called.
stranger() {
    instance_stop comment 1
    go_comment_start "another-secret-of-32-bytes-or-more"
    wait_for "the refusal of its registration" 20 is_passed_over
    comments_are_away
    go_comment_stop
}

comment() { # TOKEN VIDEO TEXT [ARGUMENTS OF CURL...]
    post comment/action/ -d action_type=1 -d "token=$1" -d "video_id=$2" --data-urlencode "comment_text=$3" "${@:4}"
}
delete() { post comment/action/ -d action_type=2 -d "token=$1" -d "video_id=$2" -d "comment_id=$3"; } # TOKEN VIDEO COMMENT

behind_the_api() {
    local author reader first second id
    author=$(cat "$RUN/author") reader=$(cat "$RUN/reader")
    go_comment_start
    wait_for "comments over HTTP" 20 comments_answer
    first=$(comment "$reader" "$VIDEO" "第一条 comment" -D "$RUN/headers" | expect 0 "a comment")
    same "its text" "$(jq -r .comment.content <<<"$first")" "第一条 comment"
    same "its writer" "$(jq -r .comment.user.name <<<"$first")" reader
    # The id of the request came along.
    id=$(tr -d '\r' <"$RUN/headers" | sed -n 's/^x-request-id: //Ip')
    grep -qF "request $id" "$GO_DIR/log" || {
        complain "request $id isn't in the service's log"
        return 1
    }
    second=$(comment "$author" "$VIDEO" second -H "Idempotency-Key: once" | expect 0 "a comment with a key")
    comment "$author" "$VIDEO" second -H "Idempotency-Key: once" | expect 0 "the same again" >"$RUN/again"
    same "the same again" "$(jq .comment.id "$RUN/again")" "$(jq .comment.id <<<"$second")"
    comments_answer >"$RUN/list"
    same "the list" "$(jq -r '[.comment_list[].content] | join(", ")' "$RUN/list")" "second, 第一条 comment"

    comment "$author" "$VIDEO" third -H "Idempotency-Key: once" | expect 10013 "another text with the same key"
    comment "$author" 999999 text | expect 10007 "a comment under no video"
    delete "$reader" "$VIDEO" "$(jq .comment.id <<<"$second")" | expect 10009 "the deletion of another's comment"
    delete "$reader" "$VIDEO" 999999 | expect 10008 "the deletion of no comment"
    # The author of the video may.
    delete "$author" "$VIDEO" "$(jq .comment.id <<<"$first")" | expect 0 "a deletion"
    comments_answer >"$RUN/list"
    same "the list after it" "$(jq -r '[.comment_list[].content] | join(", ")' "$RUN/list")" second
    # Nothing of that was ours.
    same "rows of comments" "$("$HERE/infra.sh" sql primary -N -e 'SELECT COUNT(*) FROM comments')" 0
    "$RUN/bin/client" -comment
}

back() {
    go_comment_stop
    same "its registration" "$(registry_call range comment "$GO_COMMENT" | jq -r '.count // 0')" 0
    comments_are_away
    instance_start comment 1
    wait_for "comments over HTTP" 20 comments_answer
    same "the list" "$(comments_answer | jq '.comment_list | length')" 0
}

go_is_there || {
    say "interop: skipped: Go $(sed -n 's/^go //p' "$MODULE/go.mod") or newer is not installed"
    exit 0
}
"$MODULE/generate.sh" module
# A sum that differs is no missing network: that fails.
if ! fetched=$(cd "$MODULE" && go mod download 2>&1) && [[ $fetched != *"checksum mismatch"* ]]; then
    say "interop: skipped: the modules of idl/kitex can't be fetched: ${fetched##*$'\n'}"
    exit 0
fi
lock interop
need_cargo
trap leave EXIT
trap 'exit 130' INT TERM
# What a failed run left.
go_comment_stop
"$HERE/dousheng.sh" reset >/dev/null
step programs "Go fetches the modules that idl/kitex/go.sum names; GOPROXY says from where" programs
step system "scripts/interop.sh has ports of its own; they stand at its top" "$HERE/dousheng.sh" start
BIN=$(cargo metadata --no-deps --format-version 1 | jq -r .target_directory)/debug
environment
step people "the API must answer at $API" people
VIDEO=$(get feed/ | jq -r '.video_list[0].id')
step client "a client in Go, idl/kitex/client, got something else than it should" go_client
step stranger "an instance that isn't signed must not be called" stranger
step comments "the comment service in Go, idl/kitex/comment; its log is $GO_DIR/log" behind_the_api
step back "our comment service, when that in Go is away" back
