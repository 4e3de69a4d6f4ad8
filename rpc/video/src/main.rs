//! The process of the video service. It also runs the reaper, of which one works at a time.

use std::process::ExitCode;

use idl::video::{VideoServiceRequestRecv, VideoServiceServer};
use rpc_server::DataLayer;
use rpc_video::{Reaper, Reaping, VideoService, media::Media};
use service::Need;
use storage::Store;

fn main() -> ExitCode {
    service::run("video", async |process: service::Process| {
        let data = DataLayer::connect(&process)?;
        let DataLayer { db, counters } = data.clone();
        let settings = process.settings();
        let store = Store::new(&settings.object_store)?;
        let bucket = store.clone();
        process.check("object_store", Need::Required, move || {
            bucket.clone().ping()
        });
        let media = Media::new(settings);
        // A missing program must show now, not at the first upload.
        media.check_programs().await?;
        let reaper = Reaper::new(db.clone(), store.clone(), &settings.reaper);
        let reaping = Reaping::start(reaper, &settings.reaper);
        let handler = VideoService::new(db, counters, store, media, &settings.upload);
        data.join().await;
        let served = process
            .serve_rpc::<_, VideoServiceRequestRecv>(VideoServiceServer::from_handler(handler))
            .await;
        reaping.stop().await;
        data.leave().await;
        served
    })
}
