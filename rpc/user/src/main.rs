//! The process of the user service.

use std::process::ExitCode;

use auth::Passwords;
use dal::Db;
use idl::user::{UserServiceRequestRecv, UserServiceServer};
use rpc_server::check_servers;
use rpc_user::UserService;

fn main() -> ExitCode {
    service::run("user", async |process: service::Process| {
        let settings = process.settings();
        let db = Db::connect(&settings.mysql)?;
        check_servers(&process, &db);
        let passwords = Passwords::new(settings.bcrypt_cost(), settings.auth.bcrypt_parallel)?;
        process
            .serve_rpc::<_, UserServiceRequestRecv>(UserServiceServer::from_handler(
                UserService::new(db, passwords),
            ))
            .await
    })
}
