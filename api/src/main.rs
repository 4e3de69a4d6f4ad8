//! The process of the API.

use std::process::ExitCode;

use api::{app::App, discard::Discarder, params::multipart::max_body_bytes, server::handler};

fn main() -> ExitCode {
    service::run("api", async |process: service::Process| {
        let app = App::new(&process)?;
        // What is thrown away of a request may be as large as an upload.
        let max_bytes = max_body_bytes(app.settings.upload.max_bytes);
        let admin = app.admin.clone();
        let discarder = Discarder::new(max_bytes, move || admin.is_stopping());
        process.serve_http(handler(app, discarder)).await
    })
}
