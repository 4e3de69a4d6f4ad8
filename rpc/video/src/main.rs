//! The process of the video service.

use std::process::ExitCode;

use dal::{Db, Marks, counters::Counters};
use idl::video::VideoServiceServer;
use rpc_video::{VideoService, media::Media};
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
        process
            .serve_rpc(VideoServiceServer::new(VideoService::new(
                db, counters, store, media,
            )))
            .await
    })
}
