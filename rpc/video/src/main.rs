//! The video service's process. In the background it also runs the reaper and finishes deletions that are not complete. A named lock lets
//! one process at a time do each.

use std::process::ExitCode;

use idl::{
    comment::CommentServiceClientBuilder,
    favorite::FavoriteServiceClientBuilder,
    video::{VideoServiceRequestRecv, VideoServiceServer},
};
use rpc_server::DataLayer;
use rpc_video::{DeletionTask, Deletions, Reaper, ReaperTask, VideoService, media::Media};
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
        let deletions = Deletions::new(
            db.clone(),
            store.clone(),
            process.client(FavoriteServiceClientBuilder::new("favorite")),
            process.client(CommentServiceClientBuilder::new("comment")),
        );
        let reaper = Reaper::new(db.clone(), store.clone(), &settings.reaper)
            .with_deletions(deletions.clone());
        let reaper_task = ReaperTask::start(reaper, &settings.reaper);
        let deletion_task = DeletionTask::start(deletions.clone());
        let handler =
            VideoService::new(db, counters, store, media, settings).with_deletions(deletions);
        data.join().await;
        let served = process
            .serve_rpc::<_, VideoServiceRequestRecv>(VideoServiceServer::from_handler(handler))
            .await;
        reaper_task.stop().await;
        deletion_task.stop().await;
        data.leave().await;
        served
    })
}
