# shellcheck shell=bash
# Steps: one line each with its seconds; a failed one shows the end of its log and what to try. Sourced; needs settings.sh.

tenths() { say $((${EPOCHREALTIME/[.,]/} / 100000)); }
since() { # START: seconds with one decimal
    local d=$(($(tenths) - $1))
    say "$((d / 10)).$((d % 10)) s"
}

# A long step prints every 15 s what it is doing, as long as the script runs.
heartbeat() { # NAME LOG START
    while sleep 15 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
        printf '  %-12s %9s   %s\n' "$1" "$(since "$3")" "$(tail -n 1 "$2" 2>/dev/null | cut -c1-90)"
    done
}

# step NAME HINT COMMAND...: ends the script when the command fails. Its output goes to $RUN/logs/NAME.log.
# Don't call it in a condition: the command relies on `set -e`.
step() {
    local name=$1 hint=$2 log=$RUN/logs/$1.log start pulse result
    shift 2
    mkdir -p "$RUN/logs"
    : >"$log"
    start=$(tenths)
    heartbeat "$name" "$log" "$start" 9>&- &
    pulse=$!
    set +e
    (
        set -e
        "$@"
    ) >>"$log" 2>&1
    result=$?
    set -e
    kill "$pulse" 2>/dev/null || true
    wait "$pulse" 2>/dev/null || true
    if [ $result = 0 ]; then
        printf '  %-12s %9s   %s\n' "$name" "$(since "$start")" "${STEP_NOTE:-}"
    else
        printf '  %-12s %9s   FAILED. The end of %s:\n' "$name" "$(since "$start")" "$log" >&2
        tail -n 20 "$log" | sed 's/^/    | /' >&2
        complain "  Try: $hint"
        exit 1
    fi
}

# Finds cargo, also in rustup's directory, which isn't in every PATH.
need_cargo() {
    export PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
    command -v cargo >/dev/null || {
        complain "cargo is missing: install Rust from https://rustup.rs"
        return 1
    }
    # rustup fetches the version of rust-toolchain.toml by itself. Where it can't, without a network, its default will do if that is
    # the same version.
    local wanted
    wanted=$(sed -n 's/^channel = "\(.*\)"$/\1/p' "$PROJECT/rust-toolchain.toml")
    if ! (cd "$PROJECT" && cargo --version) >/dev/null 2>&1 && [[ $(cargo +stable --version 2>/dev/null) = "cargo $wanted "* ]]; then
        export RUSTUP_TOOLCHAIN=stable
    fi
}
