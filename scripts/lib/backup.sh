# shellcheck shell=bash
# Shared by backup.sh and restore.sh: finds the database and the objects by the settings of the services; the default is this machine's own
# servers. Sourced; needs settings.sh, process.sh and HERE.

# The object that ties a bucket to its database (rpc/video/src/reaper/bucket.rs).
# shellcheck disable=SC2034  # used by the scripts that source this
MARKER=bucket-id

need_settings() {
    local variable
    # With somebody else's database the store may still be ours.
    if [ -z "${DOUSHENG_MYSQL__MIGRATE_URL:-}" ] || { [ "$DATABASE" = external ] && [ -z "${DOUSHENG_OBJECT_STORE__ENDPOINT:-}" ]; }; then
        eval "$("$HERE/infra.sh" env)"
    fi
    for variable in MYSQL__MIGRATE_URL OBJECT_STORE__ENDPOINT OBJECT_STORE__BUCKET OBJECT_STORE__ACCESS_KEY OBJECT_STORE__SECRET_KEY; do
        variable=DOUSHENG_$variable
        [ -n "${!variable:-}" ] || {
            complain "$variable is not set: all of the database's and the object store's settings, or none of them"
            return 1
        }
    done
    for variable in mariadb mariadb-dump rclone; do
        command -v "$variable" >/dev/null || {
            complain "$variable is missing: scripts/infra.sh install rclone"
            return 1
        }
    done
}

percent_decoded() { printf '%b' "${1//%/\\x}"; }

# Translates the query of a URL into options of MariaDB's clients, one on each line. As in the services, only VERIFY_CA and VERIFY_IDENTITY
# check the certificate.
tls_options() { # QUERY
    local pairs pair value mode=PREFERRED ca=${DOUSHENG_TLS__CA_FILE:-}
    IFS='&' read -r -a pairs <<<"$1"
    for pair in "${pairs[@]}"; do
        value=$(percent_decoded "${pair#*=}")
        case ${pair%%=*} in
            ssl-mode | sslmode) mode=${value^^} ;;
            ssl-ca | sslca) ca=$value ;;
            ssl-cert | sslcert) say "--ssl-cert=$value" ;;
            ssl-key | sslkey) say "--ssl-key=$value" ;;
        esac
    done
    case $mode in
        DISABLED) say --skip-ssl ;;
        PREFERRED) ;;
        REQUIRED) say --ssl ;;
        # The clients check certificate and name together, or nothing.
        VERIFY_CA | VERIFY_IDENTITY) printf '%s\n' --ssl --ssl-verify-server-cert "--ssl-ca=${ca:-/etc/ssl/certs/ca-certificates.crt}" ;;
        *)
            complain "DOUSHENG_MYSQL__MIGRATE_URL: ssl-mode is DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY, not \"$mode\""
            return 1
            ;;
    esac
}

# database PROGRAM [ARGUMENTS]: a client or a dump of the database; the password is on no command line.
database() {
    local program=$1 url=${DOUSHENG_MYSQL__MIGRATE_URL#*://} query='' options account place tls=()
    shift
    case $url in *\?*) query=${url#*\?} url=${url%%\?*} ;; esac
    options=$(tls_options "$query")
    [ -z "$options" ] || mapfile -t tls <<<"$options"
    account=${url%@*} place=${url##*@}
    local connection=(--no-defaults --default-character-set=utf8mb4 "${tls[@]}" -h"${place%%[:/]*}"
        -P"$(expr "$place" : '[^:/]*:\([0-9]*\)' || say 3306)" -u"$(percent_decoded "${account%%:*}")")
    local -x MYSQL_PWD
    MYSQL_PWD=$(percent_decoded "${account#*:}")
    # The clients themselves don't enforce TLS.
    if [[ ${query^^} =~ SSL-?MODE=REQUIRED ]] && [[ $(mariadb "${connection[@]}" -N -e "SHOW SESSION STATUS LIKE 'Ssl_cipher'") != Ssl_cipher$'\t'?* ]]; then
        complain "DOUSHENG_MYSQL__MIGRATE_URL asks for TLS (ssl-mode=REQUIRED), and the server speaks none"
        return 1
    fi
    "$program" "${connection[@]}" "$@" "${place#*/}"
}

# objects COMMAND ARGUMENTS: rclone, which knows the bucket as store:. Debian's (1.60) takes certificates by its own argument alone, and
# fails where the variable names some.
objects() {
    local bundle=${AWS_CA_BUNDLE:-${DOUSHENG_TLS__CA_FILE:-}}
    local certificates=(${bundle:+--ca-cert "$bundle"})
    RCLONE_CONFIG_STORE_TYPE=s3 RCLONE_CONFIG_STORE_PROVIDER=Other RCLONE_CONFIG_STORE_FORCE_PATH_STYLE=true \
        RCLONE_CONFIG_STORE_ENDPOINT=$DOUSHENG_OBJECT_STORE__ENDPOINT RCLONE_CONFIG_STORE_REGION=${DOUSHENG_OBJECT_STORE__REGION:-us-east-1} \
        RCLONE_CONFIG_STORE_ACCESS_KEY_ID=$DOUSHENG_OBJECT_STORE__ACCESS_KEY \
        RCLONE_CONFIG_STORE_SECRET_ACCESS_KEY=$DOUSHENG_OBJECT_STORE__SECRET_KEY \
        env -u AWS_CA_BUNDLE rclone --config /dev/null "${certificates[@]}" --retries 3 --timeout 60s --contimeout 10s "$@"
}
