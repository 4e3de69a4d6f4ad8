#!/usr/bin/env bash
# Fuzzes the parsers of untrusted input (api/fuzz) with cargo-fuzz: each target for FUZZ_SECONDS (default 60), beginning with its seeds. First
# each target prints its speed for inputs of growing size; a speed that falls shows quadratic time. Inputs that were found go to
# .run/fuzz-targets/<target>/, crashing ones to artifacts/ there. The next run begins with all of them.
#   scripts/fuzz-targets.sh [target...]    for example: params
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$HERE/.."
# shellcheck source=scripts/lib/settings.sh
. "$HERE/lib/settings.sh"
# shellcheck source=scripts/lib/process.sh
. "$HERE/lib/process.sh"
# shellcheck source=scripts/lib/install.sh
. "$HERE/lib/install.sh"
# shellcheck source=scripts/lib/progress.sh
. "$HERE/lib/progress.sh"

VERSION=0.13.2
SECONDS_EACH=${FUZZ_SECONDS:-60}
case $SECONDS_EACH in
    '' | *[!0-9]* | 0*)
        complain "FUZZ_SECONDS: a whole number of seconds from 1 up, not '$SECONDS_EACH'"
        exit 2
        ;;
esac
TARGETS=("$@")
[ $# -gt 0 ] || TARGETS=(params multipart content_disposition complete)
FUZZ=$TOOLS/cargo-fuzz-$VERSION/bin/cargo-fuzz
# The sanitizers need a nightly compiler. Coverage needs only this variable.
export RUSTC_BOOTSTRAP=1

install_cargo_fuzz() {
    [ -x "$FUZZ" ] || cargo install --quiet --locked --version "$VERSION" --root "$TOOLS/cargo-fuzz-$VERSION" cargo-fuzz
}

# Our code has no `unsafe`, so the fuzzer looks for panics, hangs and more than 1 GiB of memory.
build() { (cd api && "$FUZZ" build --sanitizer none "$@"); }

fuzz() { # TARGET
    local found=$RUN/fuzz-targets/$1 result=0
    mkdir -p "$found/corpus" "$found/artifacts"
    # Inputs that crashed before are tried first; those that still crash are reported again.
    find "$found/artifacts" -type f -exec mv -t "$found/corpus" {} +
    say "$1, for $SECONDS_EACH s:"
    (cd api && "$FUZZ" run --sanitizer none "$1" "$found/corpus" "fuzz/seeds/$1" -- -max_total_time="$SECONDS_EACH" \
        -timeout=5 -rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix="$found/artifacts/") >"$found/log" 2>&1 || result=$?
    grep -E '^MB/s|^stat::|^Done|ERROR|panicked|SUMMARY|artifact' "$found/log" || true
    [ $result = 0 ] || {
        tail -n 20 "$found/log" | sed 's/^/    | /' >&2
        complain "$1 failed: the log is $found/log, the input in $found/artifacts. Again: (cd api && RUSTC_BOOTSTRAP=1 $FUZZ run --sanitizer none $1 FILE)"
        return 1
    }
}

need_cargo
step install "cargo install --locked --version $VERSION --root $TOOLS/cargo-fuzz-$VERSION cargo-fuzz; cargo fetches it" install_cargo_fuzz
step build "libFuzzer needs a C++ compiler (apt-get install g++); then: cd api && RUSTC_BOOTSTRAP=1 $FUZZ build --sanitizer none" build
for target in "${TARGETS[@]}"; do
    fuzz "$target"
done
