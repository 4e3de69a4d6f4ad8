//! The process of the favorite service. It also folds the ledger, when no other process does.

use std::process::ExitCode;

use dal::{Db, Marks, counters::Counters, fold::Folder};
use idl::{
    favorite::{FavoriteServiceRequestRecv, FavoriteServiceServer},
    video::VideoServiceClientBuilder,
};
use rpc_favorite::FavoriteService;
use service::Need;

fn main() -> ExitCode {
    service::run("favorite", async |process: service::Process| {
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
        let folder = Folder::start(db.clone(), counters.clone(), &settings.counters);
        let video = process.client(VideoServiceClientBuilder::new("video"));
        let (last_db, last_counters) = (db.clone(), counters.clone());
        let handler = FavoriteService::new(db, counters, video);
        last_db.join(&last_counters).await;
        let served = process
            .serve_rpc::<_, FavoriteServiceRequestRecv>(FavoriteServiceServer::from_handler(
                handler,
            ))
            .await;
        folder.stop().await;
        last_db.leave(&last_counters).await;
        served
    })
}
