//! The favorite service's process. In the background it also runs the folder. A named lock for each of the folder's tasks lets one
//! process at a time do it.

use std::process::ExitCode;

use dal::fold::Folder;
use idl::{
    favorite::{FavoriteServiceRequestRecv, FavoriteServiceServer},
    video::VideoServiceClientBuilder,
};
use rpc_favorite::FavoriteService;
use rpc_server::DataLayer;

fn main() -> ExitCode {
    service::run("favorite", async |process: service::Process| {
        let data = DataLayer::connect(&process)?;
        let DataLayer { db, counters } = data.clone();
        let folder = Folder::start(db.clone(), counters.clone(), &process.settings().counters);
        let video = process.client(VideoServiceClientBuilder::new("video"));
        let server = FavoriteServiceServer::from_handler(FavoriteService::new(db, counters, video));
        data.join().await;
        let served = process
            .serve_rpc::<_, FavoriteServiceRequestRecv>(server)
            .await;
        folder.stop().await;
        data.leave().await;
        served
    })
}
