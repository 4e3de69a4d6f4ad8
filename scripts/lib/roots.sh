# shellcheck shell=bash
# Bare systems of other distributions, each in a directory $ROOTS/SUITE, made by debootstrap and packed in $ROOTS/SUITE.tar for the next time.
# Sourced; needs settings.sh and process.sh. Only for root.

ROOTS=$RUN/roots

# The keys that Ubuntu signs with are in a package of its own, which Debian doesn't have: pinned by hash.
UBUNTU_KEYRING=pool/main/u/ubuntu-keyring/ubuntu-keyring_2023.11.28.1_all.deb
UBUNTU_KEYRING_SHA256=36de43b15853ccae0028e9a767613770c704833f82586f28eb262f0311adb8a8

suite_origin() { # SUITE
    case $1 in
        bookworm | trixie) say Debian ;;
        jammy | noble) say Ubuntu ;;
        *)
            complain "no such distribution: \"$1\" (bookworm, trixie, jammy, noble)"
            return 1
            ;;
    esac
}

# The mirror that apt uses on this machine, if it is one of this distribution's; else the one that debootstrap itself would take.
suite_mirror() { # ORIGIN SCRIPT
    local mirror
    # shellcheck disable=SC2016  # apt's own variables
    mirror=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' | awk -v origin="$1" '$1 == origin && !/security/ { print $2; exit }')
    [ -n "$mirror" ] || mirror=$(awk '$1 == "default_mirror" && $2 !~ /old-releases/ { print $2; exit }' "/usr/share/debootstrap/scripts/$2")
    say "$mirror"
}

ubuntu_keyring() { # MIRROR: the file's name
    local keyring=/usr/share/keyrings/ubuntu-archive-keyring.gpg deb=$ROOTS/ubuntu-keyring.deb
    if [ ! -e $keyring ]; then
        keyring=$ROOTS/ubuntu-keyring$keyring
        [ -e "$keyring" ] || {
            curl -sSf -m 60 -o "$deb" "${1%/}/$UBUNTU_KEYRING" && say "$UBUNTU_KEYRING_SHA256  $deb" | sha256sum -c --quiet &&
                dpkg-deb -x "$deb" "$ROOTS/ubuntu-keyring"
        } || return 1
    fi
    say "$keyring"
}

# A fresh root, with apt's lists and the certificates that this machine trusts.
root_make() { # SUITE
    local root=$ROOTS/$1 origin script=$1 mirror options=()
    origin=$(suite_origin "$1")
    root_remove "$1"
    if [ ! -e "$root.tar" ]; then
        # Older versions of debootstrap don't know the newest suites, which are made like the others.
        if [ ! -e "/usr/share/debootstrap/scripts/$1" ]; then
            case $origin in Ubuntu) script=gutsy ;; Debian) script=sid ;; esac
        fi
        mirror=$(suite_mirror "$origin" "$script")
        curl -sf -m 20 -o "$ROOTS/release" "${mirror%/}/dists/$1/InRelease" || {
            complain "no mirror serves $1 here"
            return 1
        }
        if [ "$origin" = Ubuntu ]; then options=("--components=main,universe" --keyring="$(ubuntu_keyring "$mirror")"); fi
        debootstrap --variant=minbase "${options[@]}" "$1" "$root" "$mirror" "$script" || return 1
        tar -C "$root" -cf "$root.tar.new" . && mv "$root.tar.new" "$root.tar"
    else
        mkdir -p "$root"
        tar -C "$root" -xf "$root.tar"
    fi
    cp -L /etc/resolv.conf "$root/etc/resolv.conf"
    mkdir -p "$root/usr/local/share/ca-certificates"
    cp -r /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/"
}

# Runs a command in it. Its processes are in a namespace of their own and end with it; its mounts go with them, however this ends.
root_run() { # SUITE COMMAND...
    local root=$ROOTS/$1
    shift
    # shellcheck disable=SC2016  # for the shell in the namespace
    unshare --mount --pid --fork --kill-child=KILL --propagation private -- bash -c '
        mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && mount -t tmpfs tmpfs "$0/run" &&
            exec env -u BASH_ENV HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin chroot "$0" "$@"' "$root" "$@"
}

root_remove() { rm -rf --one-file-system "${ROOTS:?}/$1"; } # SUITE

# The tree as it is here, without what git ignores.
tree_copy() { # DIRECTORY
    mkdir -p "$1"
    git -C "$PROJECT" ls-files -z --cached --others --exclude-standard | tar -C "$PROJECT" --null --ignore-failed-read -T - -cf - | tar -C "$1" -xf -
}
