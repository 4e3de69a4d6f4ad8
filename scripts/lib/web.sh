# shellcheck shell=bash
# What the web page is built with, and from. Sourced.

# Whether Node.js is there, and new enough.
has_node() {
    command -v npm >/dev/null && command -v node >/dev/null && [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ]
}

# In api/web: what the built page depends on.
web_sources() {
    find . ../openapi.json -type f -not -path './node_modules/*' -not -path './dist/*' -not -path './test/*' -not -path './docs/*' \
        -not -name schema.d.ts -not -name README.md | sort
}
