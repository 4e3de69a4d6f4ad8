# shellcheck shell=bash
# What backup.sh and restore.sh share: where the database and the objects are, by the settings of the services, or, where they say
# nothing, those of this machine's own servers. Sourced; needs settings.sh, process.sh and HERE.

need_settings() {
    local variable
    [ -n "${DOUSHENG_MYSQL__MIGRATE_URL:-}" ] || eval "$("$HERE/infra.sh" env)"
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

# database PROGRAM [ARGUMENTS]: a client or a dump of the database; the password is on no command line.
database() {
    local program=$1 url=${DOUSHENG_MYSQL__MIGRATE_URL#*://} account place
    shift
    account=${url%@*} place=${url##*@}
    MYSQL_PWD=$(percent_decoded "${account#*:}") "$program" --no-defaults --default-character-set=utf8mb4 \
        -h"${place%%[:/]*}" -P"$(expr "$place" : '[^:/]*:\([0-9]*\)' || say 3306)" -u"$(percent_decoded "${account%%:*}")" "$@" "${place#*/}"
}

# objects COMMAND ARGUMENTS: rclone, which knows the bucket as store:. Debian's (1.60) takes certificates by its own argument alone, and
# fails where the variable names some.
objects() {
    local certificates=(${AWS_CA_BUNDLE:+--ca-cert "$AWS_CA_BUNDLE"})
    RCLONE_CONFIG_STORE_TYPE=s3 RCLONE_CONFIG_STORE_PROVIDER=Other RCLONE_CONFIG_STORE_FORCE_PATH_STYLE=true \
        RCLONE_CONFIG_STORE_ENDPOINT=$DOUSHENG_OBJECT_STORE__ENDPOINT RCLONE_CONFIG_STORE_REGION=${DOUSHENG_OBJECT_STORE__REGION:-us-east-1} \
        RCLONE_CONFIG_STORE_ACCESS_KEY_ID=$DOUSHENG_OBJECT_STORE__ACCESS_KEY \
        RCLONE_CONFIG_STORE_SECRET_ACCESS_KEY=$DOUSHENG_OBJECT_STORE__SECRET_KEY \
        env -u AWS_CA_BUNDLE rclone --config /dev/null "${certificates[@]}" --retries 3 --timeout 60s --contimeout 10s "$@"
}
