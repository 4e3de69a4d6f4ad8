//! The process of the API.

use std::process::ExitCode;

use api::{app::App, discard::Discarder, params::multipart::largest_body, server::handler};

fn main() -> ExitCode {
    service::run("api", async |process: service::Process| {
        let app = App::new(&process)?;
        // What is thrown away of a request may be as large as an upload.
        let max_bytes = largest_body(app.settings.upload.max_bytes);
        let admin = app.admin.clone();
        let discarder = Discarder::new(max_bytes, move || admin.is_stopping());
        process.serve_http(handler(app, discarder)).await
    })
}
