//! The metrics of semi-synchronous replication: whether it is active on the primary, and how many replicas acknowledge.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};
use telemetry::metrics;

/// Sets the gauges to what the primary says now.
pub(super) async fn update_metrics(primary: &DatabaseConnection) -> Result<(), DbErr> {
    // The names are MariaDB's, and MySQL's old and new ones.
    let sql = "SHOW GLOBAL STATUS WHERE Variable_name IN \
         ('Rpl_semi_sync_master_status', 'Rpl_semi_sync_master_clients', \
          'Rpl_semi_sync_source_status', 'Rpl_semi_sync_source_clients')";
    let statement = Statement::from_string(DbBackend::MySql, sql);
    let (mut active, mut replicas) = (false, 0);
    for row in primary.query_all_raw(statement).await? {
        let name: String = row.try_get_by_index(0)?;
        let value: String = row.try_get_by_index(1)?;
        if name.to_ascii_lowercase().ends_with("_status") {
            active = value == "ON";
        } else {
            replicas = value.parse().unwrap_or(0);
        }
    }
    metrics::semi_sync(active, replicas);
    Ok(())
}
