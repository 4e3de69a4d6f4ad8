//! The process of the user service. It also removes pictures that no profile has; one process at a time does.

use std::process::ExitCode;

use auth::Passwords;
use idl::user::{UserServiceRequestRecv, UserServiceServer};
use rpc_server::DataLayer;
use rpc_user::{
    UserService,
    pictures::{Pictures, Removing},
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
        let pictures = Pictures::new(db.clone(), store);
        let removing = Removing::start(pictures.clone());
        let handler = UserService::new(db, counters, passwords, pictures);
        data.join().await;
        let served = process
            .serve_rpc::<_, UserServiceRequestRecv>(UserServiceServer::from_handler(handler))
            .await;
        removing.stop().await;
        data.leave().await;
        served
    })
}
