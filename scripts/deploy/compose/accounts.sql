-- What scripts/lib/database.sh makes, for clients that come from other containers. Executed once, when the primary is made; replicas get it
-- with everything else. The passwords are those of development.
CREATE USER 'dousheng'@'%' IDENTIFIED BY 'dousheng-dev';
GRANT SELECT, INSERT, UPDATE, DELETE ON `dousheng`.* TO 'dousheng'@'%';
CREATE USER 'dousheng_migrate'@'%' IDENTIFIED BY 'dousheng-migrate-dev';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON `dousheng`.* TO 'dousheng_migrate'@'%';
CREATE USER 'dousheng_read'@'%' IDENTIFIED BY 'dousheng-read-dev';
GRANT SELECT ON `dousheng`.* TO 'dousheng_read'@'%';
GRANT SLAVE MONITOR ON *.* TO 'dousheng_read'@'%';
