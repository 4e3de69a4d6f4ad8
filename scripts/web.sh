#!/usr/bin/env bash
# Builds the web page (api/web) into api/web/dist; the next build of the API embeds it. Does nothing if the page hasn't changed. Needs
# Node.js 20 or newer with npm; packages go to api/web/node_modules.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$HERE/../api/web"
# shellcheck source=scripts/lib/settings.sh
. "$HERE/lib/settings.sh"
# shellcheck source=scripts/lib/process.sh
. "$HERE/lib/process.sh"
# shellcheck source=scripts/lib/web.sh
. "$HERE/lib/web.sh"

has_node || {
    complain "the web page needs Node.js 20 or newer and npm: https://nodejs.org, or your system's packages"
    exit 1
}
# A lock, because two builds at once would overwrite each other's files.
mkdir -p "$PROJECT/.run"
exec 8>"$PROJECT/.run/web.lock"
flock 8
want=$(sha256sum package-lock.json)
if [ "$(cat node_modules/.made-from 2>/dev/null)" != "$want" ]; then
    npm ci --ignore-scripts
    say "$want" >node_modules/.made-from
fi
want=$(web_sources | xargs -d '\n' sha256sum | sha256sum)
if [ ! -e dist/index.html ] || [ "$(cat node_modules/.built-from 2>/dev/null)" != "$want" ]; then
    npm run build
    say "$want" >node_modules/.built-from
fi
