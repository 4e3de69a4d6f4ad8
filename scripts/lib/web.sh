# shellcheck shell=bash
# Node.js and the sources of the web page. Sourced.

# Whether Node.js is installed and new enough.
has_node() {
    command -v npm >/dev/null && command -v node >/dev/null && [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ]
}

# The files in api/web that the page is built from.
web_sources() {
    find . ../openapi.json -type f -not -path './node_modules/*' -not -path './dist/*' -not -path './test/*' -not -path './docs/*' \
        -not -name schema.d.ts -not -name README.md | sort
}
