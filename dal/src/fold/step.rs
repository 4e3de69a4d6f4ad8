//! Runs one step of the folder, such as a transaction or the read of a page, within a deadline and with metrics.

use std::{future::Future, time::Duration};

use sea_orm::DbErr;
use telemetry::metrics::Verb;

use crate::{observe::on_primary, pool::within};

/// For one transaction of the folder, or one page.
const DEADLINE: Duration = Duration::from_secs(10);

/// A part of a round.
pub(super) async fn step<T>(work: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
    on_primary(Verb::Background, within(DEADLINE, work)).await
}
