# shellcheck shell=bash
# When the API listens beyond loopback (DOUSHENG_HTTP__LISTEN=0.0.0.0:8080), viewers are on other machines: which address they open, what
# must hold before, and the way to the object store, which itself stays on loopback like every other server. Sourced; needs settings.sh and
# process.sh.

# Whether others than this machine reach the API.
is_open() {
    case $API_LISTEN in
        127.*:* | '[::1]:'*) return 1 ;;
    esac
}

# The name or address by which others reach this machine: that of the route that leads out of it, unless it is given.
open_host() {
    local host=${API_LISTEN%:*}
    case $host in
        0.0.0.0 | '[::]')
            # No packet is sent: the kernel only chooses the address. 192.0.2.1 is nobody's (RFC 5737).
            host=${DOUSHENG_OPEN_HOST:-$(ip -4 route get 192.0.2.1 2>/dev/null | sed -n 's/.* src \([0-9.]*\).*/\1/p')}
            [ -n "$host" ] || host=$(hostname -I 2>/dev/null | awk '{ print $1 }')
            ;;
    esac
    [ -n "$host" ] || {
        complain "this machine has no address in a network; DOUSHENG_OPEN_HOST names the one that others reach it by"
        return 1
    }
    say "$host"
}

# may_open: whoever is in the network may register, upload and write, so the limits are those of production, or somebody has said yes.
may_open() {
    local answer host
    is_open || return 0
    host=$(open_host) || return 1
    [ "${DOUSHENG_LIMITS__DEFAULTS:-}" != production ] && [ "${DOUSHENG_ENVIRONMENT:-}" != production ] && [ "${YES:-}" != 1 ] || return 0
    complain "$API_LISTEN: whoever reaches $host may register, upload and write, with the wide limits of development"
    complain "DOUSHENG_LIMITS__DEFAULTS=production sets strict ones; YES=1 opens it as it is"
    [ -t 0 ] || return 1
    read -r -p "Open it as it is? Type yes: " answer
    [ "$answer" = yes ]
}

# Before others reach the store it gets a secret that nobody can read in this repository.
open_account() {
    # shellcheck disable=SC2034  # stores.sh starts the store with it
    if is_open && [ "$OBJECT_STORE" != external ] && [ -z "${DOUSHENG_OBJECT_STORE__SECRET_KEY:-}" ]; then S3_SECRET_KEY=$(kept_secret s3); fi
}

# The address of the object store for viewers.
s3_public_endpoint() {
    if [ -n "${DOUSHENG_OBJECT_STORE__PUBLIC_ENDPOINT:-}" ]; then
        say "$DOUSHENG_OBJECT_STORE__PUBLIC_ENDPOINT"
    elif is_open && [ "$OBJECT_STORE" != external ]; then
        say "http://$(open_host):$S3_PORT"
    else
        say "$S3_ENDPOINT"
    fi
}

# Whether others need a way to the store: it is ours, and nobody has given it an address of its own.
needs_relay() { is_open && [ "$OBJECT_STORE" != external ] && [ -z "${DOUSHENG_OBJECT_STORE__PUBLIC_ENDPOINT:-}" ]; }

# The store's other ports have no passwords, and SeaweedFS binds all of them alike. So a relay takes viewers to this one alone.
relay_start() {
    local dir=$RUN/relay host
    if ! needs_relay; then
        relay_stop
        return 0
    fi
    host=$(open_host)
    mkdir -p "$dir"
    ln -sfn "$PROJECT/scripts/python/relay.py" "$dir/relay.py"
    alive "$dir/pid" "$dir/relay.py $host $S3_PORT" || {
        relay_stop
        launch "$dir/pid" "$dir/log" python3 "$dir/relay.py" "$host" "$S3_PORT"
    }
    wait_for "the way to the object store at $host:$S3_PORT" 20 relay_answers "$host" || {
        tail -5 "$dir/log" >&2
        return 1
    }
}
# Without a signature the store answers 403, which only it can.
relay_answers() { alive "$RUN/relay/pid" "$RUN/relay/relay.py" && [ "$(curl -s -m 2 -o /dev/null -w '%{http_code}' "http://$1:$S3_PORT/$S3_BUCKET/")" = 403 ]; }
relay_stop() { end "$RUN/relay/pid" "$RUN/relay/relay.py" 10; }
