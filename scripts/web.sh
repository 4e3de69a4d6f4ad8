#!/usr/bin/env bash
# Builds the web page (api/web) into api/web/dist; the next build of the API embeds it. Does nothing if the page hasn't changed. Brings
# Node.js where the system's is missing or too old; packages go to api/web/node_modules. Ends with 3 when the packages can't be fetched.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$HERE/../api/web"
# shellcheck source=scripts/lib/settings.sh
. "$HERE/lib/settings.sh"
# shellcheck source=scripts/lib/process.sh
. "$HERE/lib/process.sh"
# shellcheck source=scripts/lib/install.sh
. "$HERE/lib/install.sh"
# shellcheck source=scripts/lib/web.sh
. "$HERE/lib/web.sh"

# A lock, because two builds at once would overwrite each other's files.
mkdir -p "$PROJECT/.run"
exec 8>"$PROJECT/.run/web.lock"
flock 8
use_node || install_node || exit 3
want=$(sha256sum package-lock.json)
if [ "$(cat node_modules/.made-from 2>/dev/null)" != "$want" ]; then
    retried npm ci --ignore-scripts || {
        complain "npm could not fetch the packages of the web page (api/web/package-lock.json)"
        exit 3
    }
    say "$want" >node_modules/.made-from
fi
want=$(web_sources | xargs -d '\n' sha256sum | sha256sum)
if [ ! -e dist/index.html ] || [ "$(cat node_modules/.built-from 2>/dev/null)" != "$want" ]; then
    npm run build
    say "$want" >node_modules/.built-from
fi
