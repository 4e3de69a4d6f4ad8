//! Vital tasks: when one panics, the process ends with an error.
//!
//! `service` waits for [`failure`], logs it and ends the process. Otherwise a queue would have no worker, or a view would never be renewed,
//! for as long as the process runs. A task that returns or is aborted is no failure.

use std::{sync::LazyLock, thread};

use tokio::{sync::watch, task::JoinHandle};

/// The name of the first task that panicked.
static FAILED: LazyLock<watch::Sender<Option<&'static str>>> =
    LazyLock::new(|| watch::Sender::new(None));

/// Spawns a vital task on the tokio runtime. `name` is for the log.
pub fn spawn(
    name: &'static str,
    task: impl Future<Output = ()> + Send + 'static,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let _told = ToldOfPanic(name);
        task.await;
    })
}

/// The first task that panicked, if one did.
pub fn failed() -> Option<&'static str> {
    *FAILED.borrow()
}

/// Resolves when a vital task has panicked, with its name.
pub async fn failure() -> &'static str {
    let mut failed = FAILED.subscribe();
    // The sender lives as long as the process.
    if let Ok(failed) = failed.wait_for(Option::is_some).await
        && let Some(name) = *failed
    {
        return name;
    }
    std::future::pending().await
}

/// Reports the panic of its task when it is dropped.
struct ToldOfPanic(&'static str);

impl Drop for ToldOfPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            FAILED.send_if_modified(|failed| {
                let is_first = failed.is_none();
                failed.get_or_insert(self.0);
                is_first
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_told_by_name_and_neither_an_end_nor_an_abort_is() {
        let sleeping = spawn("sleeping", std::future::pending());
        sleeping.abort();
        sleeping.await.unwrap_err();
        spawn("done", async {}).await.unwrap();
        assert_eq!(failed(), None);
        let panics = spawn("panics", async { panic!("of the test") });
        assert_eq!(failure().await, "panics");
        panics.await.unwrap_err();
        spawn("second", async { panic!("of the test") })
            .await
            .unwrap_err();
        assert_eq!(failed(), Some("panics"));
    }
}
