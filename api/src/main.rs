//! The process of the API.

use std::process::ExitCode;

use api::{app::App, router::router, server::handler};

fn main() -> ExitCode {
    service::run("api", async |process: service::Process| {
        let app = App::new(&process)?;
        process.serve_http(handler(router(&app))).await
    })
}
