//! The process of the API.

use std::process::ExitCode;

use api::{app::App, params::multipart::max_body_bytes, server::handler};
use service::{Discarder, Need, Process};
use storage::Store;

fn main() -> ExitCode {
    service::run("api", async |process: Process| {
        let app = App::new(process.settings().clone(), &process.clients())?;
        check(&process, &app.store);
        // What is thrown away of a request may be as large as an upload.
        let max_bytes = max_body_bytes(app.settings.upload.max_bytes);
        let admin = process.admin().clone();
        let discarder = Discarder::new(max_bytes, move || admin.is_stopping());
        let handler = handler(app, process.admin().clone(), discarder);
        process.serve_http(handler).await
    })
}

/// What `/readyz` looks at. The main job is to log in, to show the feed with its videos, and to publish.
fn check(process: &Process, store: &Store) {
    for service in ["user", "video"] {
        process.check_service(service, Need::Required);
    }
    // Without them pages show the counts of the last fold, and nobody's likes and follows.
    for service in ["favorite", "comment", "relation", "message"] {
        process.check_service(service, Need::Optional);
    }
    let store = store.clone();
    process.check("object_store", Need::Required, move || store.clone().ping());
}
