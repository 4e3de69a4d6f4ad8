//! The echo service as a process, for the tests of this crate.

#![allow(clippy::panic, reason = "a vital task panics, when told to")]

use std::{path::Path, process::ExitCode, time::Duration};

use idl::user::UserServiceClientBuilder;
use service::Need;

fn main() -> ExitCode {
    let name = std::env::var(echo::NAME_VARIABLE).unwrap_or_else(|_| echo::SERVICE.to_owned());
    service::run(&name, async |process: service::Process| {
        let next = process.client(UserServiceClientBuilder::new(echo::SERVICE));
        let handler = echo::Echo::new(next);
        if name != echo::SERVICE {
            process.check_service(echo::SERVICE, Need::Required);
        }
        // There while the file is.
        if let Some(file) = std::env::var_os(echo::NEEDED_FILE_VARIABLE) {
            process.check("file", Need::Optional, move || {
                let found = std::fs::metadata(&file).map(drop);
                async move { found }
            });
        }
        if let Some(file) = std::env::var_os(echo::PANIC_FILE_VARIABLE) {
            vital::spawn("fragile", async move {
                while !Path::new(&file).exists() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                panic!("of the test");
            });
        }
        if std::env::var_os(echo::STALL_VARIABLE).is_some() {
            std::future::pending::<()>().await;
        }
        process.serve_rpc(handler).await
    })
}
