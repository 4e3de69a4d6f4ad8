//! The relation service's process.

use std::process::ExitCode;

use idl::{
    relation::{RelationServiceRequestRecv, RelationServiceServer},
    user::UserServiceClientBuilder,
};
use rpc_relation::RelationService;
use rpc_server::DataLayer;

fn main() -> ExitCode {
    service::run("relation", async |process: service::Process| {
        let data = DataLayer::connect(&process)?;
        let DataLayer { db, counters } = data.clone();
        let user = process.client(UserServiceClientBuilder::new("user"));
        let server = RelationServiceServer::from_handler(RelationService::new(db, counters, user));
        data.join().await;
        let served = process
            .serve_rpc::<_, RelationServiceRequestRecv>(server)
            .await;
        data.leave().await;
        served
    })
}
