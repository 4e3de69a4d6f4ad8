//! The message service's process.

use std::process::ExitCode;

use idl::{
    message::{MessageServiceRequestRecv, MessageServiceServer},
    user::UserServiceClientBuilder,
};
use rpc_message::MessageService;
use rpc_server::DataLayer;

fn main() -> ExitCode {
    service::run("message", async |process: service::Process| {
        let data = DataLayer::connect(&process)?;
        let DataLayer { db, counters } = data.clone();
        let user = process.client(UserServiceClientBuilder::new("user"));
        let server = MessageServiceServer::from_handler(MessageService::new(db, counters, user));
        data.join().await;
        let served = process
            .serve_rpc::<_, MessageServiceRequestRecv>(server)
            .await;
        data.leave().await;
        served
    })
}
