//! The user service's process. In the background it also removes pictures that no profile has, and finishes deletions of accounts. A named
//! lock lets one process at a time do each.

use std::process::ExitCode;

use auth::Passwords;
use idl::{
    comment::CommentServiceClientBuilder,
    favorite::FavoriteServiceClientBuilder,
    relation::RelationServiceClientBuilder,
    user::{UserServiceRequestRecv, UserServiceServer},
    video::VideoServiceClientBuilder,
};
use rpc_server::DataLayer;
use rpc_user::{
    DeletionTask, Deletions, UserService,
    pictures::{Pictures, UnusedPictureTask},
};
use service::Need;
use storage::Store;

fn main() -> ExitCode {
    service::run("user", async |process: service::Process| {
        let data = DataLayer::connect(&process)?;
        let DataLayer { db, counters } = data.clone();
        let settings = process.settings();
        let store = Store::new(&settings.object_store)?;
        let bucket = store.clone();
        // Without it everything works but new pictures.
        process.check("object_store", Need::Optional, move || {
            bucket.clone().ping()
        });
        let passwords = Passwords::new(settings.bcrypt_cost(), settings.auth.bcrypt_parallel)?;
        let pictures = Pictures::new(db.clone(), store, &settings.mysql);
        let unused_picture_task = UnusedPictureTask::start(pictures.clone());
        let deletions = Deletions::new(
            db.clone(),
            process.client(VideoServiceClientBuilder::new("video")),
            process.client(FavoriteServiceClientBuilder::new("favorite")),
            process.client(CommentServiceClientBuilder::new("comment")),
            process.client(RelationServiceClientBuilder::new("relation")),
        );
        let deletion_task = DeletionTask::start(deletions.clone());
        let handler = UserService::new(db, counters, passwords, pictures, deletions);
        data.join().await;
        let served = process
            .serve_rpc::<_, UserServiceRequestRecv>(UserServiceServer::from_handler(handler))
            .await;
        unused_picture_task.stop().await;
        deletion_task.stop().await;
        data.leave().await;
        served
    })
}
