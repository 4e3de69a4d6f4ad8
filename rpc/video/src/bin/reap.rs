//! One pass of the reaper over everything; prints what it removed. Waits for another process that is at it.

use std::{process::ExitCode, time::Duration};

use dal::Db;
use rpc_video::{Reaped, Reaper};
use storage::Store;
use tokio::time::{Instant, sleep};

/// How long another process may be at it.
const WAIT: Duration = Duration::from_secs(60);
/// How often it is asked.
const LOOK: Duration = Duration::from_millis(500);

#[tokio::main]
async fn main() -> ExitCode {
    match reap().await {
        Ok(Reaped {
            uploads,
            objects,
            parts,
            keys,
            failed,
        }) => {
            println!(
                "reaped: {uploads} uploads; without a row: {objects} objects, {parts} unfinished uploads; {keys} idempotency keys"
            );
            if failed == 0 {
                return ExitCode::SUCCESS;
            }
            eprintln!(
                "reap: {failed} could not be removed; what stands above says why, and make reap tries again"
            );
        }
        Err(error) => eprintln!("reap: {error}"),
    }
    ExitCode::FAILURE
}

async fn reap() -> Result<Reaped, Box<dyn std::error::Error + Send + Sync>> {
    let settings = settings::Settings::load()?;
    telemetry::init("reap", &settings.log, &settings.trace)?;
    let db = Db::connect(&settings.mysql)?;
    let store = Store::new(&settings.object_store)?;
    let mut reaper = Reaper::new(db, store, &settings.reaper);
    let deadline = Instant::now() + WAIT;
    loop {
        if let Some(reaped) = reaper.pass().await? {
            return Ok(reaped);
        } else if Instant::now() > deadline {
            return Err(
                "another process has been reaping for 60 s: see the logs of the video service"
                    .into(),
            );
        }
        sleep(LOOK).await;
    }
}
