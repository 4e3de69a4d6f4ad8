#!/usr/bin/env bash
# Entry point of the stand-in for MariaDB's image: of what that does with its environment, as much as compose.yaml uses.
set -euo pipefail
DATA=/var/lib/mysql

sql() { mariadb --no-defaults --socket=/run/mysqld/mysqld.sock -uroot "$@"; }

# Statements of the image itself aren't replicated; those of the database are.
first_statements() {
    echo "SET SESSION sql_log_bin = 0;"
    echo "CREATE USER IF NOT EXISTS 'healthcheck'@'localhost' IDENTIFIED VIA unix_socket;"
    echo "CREATE USER IF NOT EXISTS 'healthcheck'@'127.0.0.1' IDENTIFIED BY 'healthcheck';"
    echo "GRANT ${MARIADB_HEALTHCHECK_GRANTS:-USAGE} ON *.* TO 'healthcheck'@'127.0.0.1';"
    if [ -z "${MARIADB_MASTER_HOST:-}" ]; then
        echo "CREATE USER '$MARIADB_REPLICATION_USER'@'%' IDENTIFIED BY '$MARIADB_REPLICATION_PASSWORD';"
        echo "GRANT REPLICATION SLAVE ON *.* TO '$MARIADB_REPLICATION_USER'@'%';"
        echo "SET SESSION sql_log_bin = 1; CREATE DATABASE IF NOT EXISTS \`$MARIADB_DATABASE\`; USE \`$MARIADB_DATABASE\`;"
        cat /docker-entrypoint-initdb.d/*.sql
    else
        echo "CHANGE MASTER TO MASTER_HOST='$MARIADB_MASTER_HOST', MASTER_USER='$MARIADB_REPLICATION_USER',
            MASTER_PASSWORD='$MARIADB_REPLICATION_PASSWORD', MASTER_CONNECT_RETRY=10;"
    fi
    echo "SET SESSION sql_log_bin = 0; ALTER USER 'root'@'localhost' IDENTIFIED BY '$MARIADB_ROOT_PASSWORD';"
}

mkdir -p /run/mysqld
if [ ! -e $DATA/initialised ]; then
    find $DATA -mindepth 1 -delete
    mariadb-install-db --no-defaults --user=root --datadir=$DATA --skip-test-db --auth-root-authentication-method=normal >/dev/null
    mariadbd --user=root "$@" --skip-networking --skip-slave-start --socket=/run/mysqld/mysqld.sock &
    until sql -e 'SELECT 1' >/dev/null 2>&1; do
        kill -0 $!
        sleep 0.2
    done
    first_statements | sql
    kill -TERM $!
    wait $!
    touch $DATA/initialised
fi
exec mariadbd --user=root --socket=/run/mysqld/mysqld.sock "$@"
