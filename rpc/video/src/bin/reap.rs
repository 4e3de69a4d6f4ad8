//! Makes one pass of the reaper over everything, and prints what it removed. If another process makes a pass, it waits for its end.
//! `--adopt` binds bucket and database whatever their markers say, and takes every object without a row for a leftover.

use std::{process::ExitCode, time::Duration};

use dal::Db;
use idl::{comment::CommentServiceClientBuilder, favorite::FavoriteServiceClientBuilder};
use rpc_video::{Deletions, Reaped, Reaper};
use service::Clients;
use storage::Store;
use tokio::time::{Instant, sleep};

/// How long it waits for the pass of another process.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// Between two attempts.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

#[tokio::main]
async fn main() -> ExitCode {
    match reap().await {
        Ok(Reaped {
            uploads,
            objects,
            parts,
            keys,
            deletions,
            noted,
            failed,
        }) => {
            println!(
                "reaped: {uploads} uploads; long without a row: {objects} objects, {parts} unfinished uploads; {keys} idempotency keys; \
                 {deletions} deletions completed; \
                 newly found without a row, and left: {noted}"
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
    let adopts_bucket = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--adopt") => true,
        Some(other) => return Err(format!("{other} is not --adopt").into()),
    };
    let settings = settings::Settings::load()?;
    telemetry::init("reap", &settings.log, &settings.trace)?;
    let db = Db::connect(&settings.mysql)?;
    let store = Store::new(&settings.object_store)?;
    let clients = Clients::new("reap", &settings).await?;
    let deletions = Deletions::new(
        db.clone(),
        store.clone(),
        clients.client(FavoriteServiceClientBuilder::new("favorite")),
        clients.client(CommentServiceClientBuilder::new("comment")),
    );
    let mut reaper = Reaper::new(db, store, &settings.reaper)
        .full_scan()
        .with_deletions(deletions);
    if adopts_bucket {
        reaper = reaper.adopting_bucket();
    }
    let deadline = Instant::now() + MAX_WAIT;
    loop {
        if let Some(reaped) = reaper.pass().await? {
            return Ok(reaped);
        } else if Instant::now() > deadline {
            return Err(
                "another process has been reaping for 60 s: see the logs of the video service"
                    .into(),
            );
        }
        sleep(RETRY_INTERVAL).await;
    }
}
