#!/usr/bin/env bash
# Of the checks that MariaDB's image has under this name, those that compose.yaml asks for.
set -euo pipefail

ask() { mariadb --no-defaults -h127.0.0.1 -uhealthcheck -phealthcheck -e "$1"; }

for check; do
    case $check in
        --connect | --innodb_initialized) ask 'SELECT 1' >/dev/null ;;
        --replication_io) ask 'SHOW SLAVE STATUS\G' | grep -q 'Slave_IO_Running: Yes' ;;
        --replication_sql) ask 'SHOW SLAVE STATUS\G' | grep -q 'Slave_SQL_Running: Yes' ;;
        --replication) ;;
        *) exit 2 ;;
    esac
done
