#!/usr/bin/env bash
# Chromium without the right to raise its own priority: root has that right, and the services would get no processor beside its windows.
set -euo pipefail
chromium=${CHROMIUM:-/usr/bin/chromium}
own=(setpriv --bounding-set=-sys_nice --inh-caps=-sys_nice)
if "${own[@]}" true 2>/dev/null; then exec "${own[@]}" "$chromium" "$@"; fi
exec "$chromium" "$@"
