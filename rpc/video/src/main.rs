//! The process of the video service. It also reaps, when no other process does.

use std::process::ExitCode;

use dal::{Db, Marks, counters::Counters};
use idl::video::{VideoServiceRequestRecv, VideoServiceServer};
use rpc_video::{Reaper, Reaping, VideoService, media::Media};
use service::Need;
use storage::Store;

fn main() -> ExitCode {
    service::run("video", async |process: service::Process| {
        let settings = process.settings();
        let marks = Marks::connect(&settings.redis, &settings.mysql)?;
        let db = Db::connect(&settings.mysql)?.with_marks(marks);
        for server in db.servers() {
            let need = Need::required_if(server.is_primary());
            process.check(&server.name(), need, move || server.clone().ping());
        }
        let names = db.clone();
        process.check("gtids", Need::Optional, move || names.clone().has_gtids());
        let counters = Counters::connect(&settings.redis, db.clone())?;
        let redis = counters.clone();
        process.check("redis", Need::Optional, move || redis.clone().ping());
        let store = Store::new(&settings.object_store)?;
        let bucket = store.clone();
        process.check("object_store", Need::Required, move || {
            bucket.clone().ping()
        });
        let media = Media::new(settings);
        // Better now, with a word on what is missing, than at the first upload.
        media.check_programs().await?;
        let reaper = Reaper::new(db.clone(), store.clone(), &settings.reaper);
        let reaping = Reaping::start(reaper, &settings.reaper);
        let (last_db, last_counters) = (db.clone(), counters.clone());
        let handler = VideoService::new(db, counters, store, media, &settings.upload);
        last_db.join(&last_counters).await;
        let served = process
            .serve_rpc::<_, VideoServiceRequestRecv>(VideoServiceServer::from_handler(handler))
            .await;
        reaping.stop().await;
        last_db.leave(&last_counters).await;
        served
    })
}
