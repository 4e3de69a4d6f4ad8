//! The process of the API.

use std::process::ExitCode;

use api::{app::App, router::router};
use volo_http::server::Server;

fn main() -> ExitCode {
    service::run("api", async |process: service::Process| {
        let app = App::new(&process)?;
        let http = &process.settings().http;
        let (listener, closer) = process.listen(http.listen, http.shared_port).await?;
        // Another room's features turn HTTP/2 on in hyper; the contract speaks HTTP/1.1.
        Server::new(router(&app))
            .http1_only()
            .register_shutdown_hook(closer.hook())
            .run(listener)
            .await
    })
}
