# shellcheck shell=bash
# What this machine must be and have, checked before anything is installed or built. settings.sh sources it first of
# all; written for old versions of bash.

# A full build takes 6 minutes of two cores, 4 GB of target/, and 2 GB of memory beside the servers (scripts/README.md, "Build time").
NEEDED_MEMORY_MB=3000
NEEDED_DISK_MB=8000

need_linux() {
    if [ "$(uname -s)" != Linux ]; then
        printf 'Dousheng runs on Linux, and this is %s: use a Linux machine, a virtual one, or WSL 2 on Windows.\n' "$(uname -s)" >&2
        exit 1
    fi
    if [ "${BASH_VERSINFO[0]}" -lt 5 ]; then
        printf 'Dousheng needs bash 5 or newer, and this is %s.\n' "$BASH_VERSION" >&2
        exit 1
    fi
    if ! command -v flock >/dev/null; then
        printf 'flock is missing: it is in the package util-linux.\n' >&2
        exit 1
    fi
}

# Memory that is free or can be freed, and room on the disk of this tree. A tree that was built needs little more.
need_room() {
    local memory disk
    [ ! -d target/debug/deps ] || return 0
    memory=$(($(awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo) / 1024))
    disk=$(df -Pm . | awk 'NR == 2 { print $4 }')
    if [ "$memory" -lt $NEEDED_MEMORY_MB ]; then
        complain "$memory MB of memory are free; the build and the servers need $NEEDED_MEMORY_MB"
        return 1
    fi
    if [ "$disk" -lt $NEEDED_DISK_MB ]; then
        complain "$disk MB are free on the disk of $PWD; the build and the data need $NEEDED_DISK_MB"
        return 1
    fi
}

need_linux
