//! The process of the transcoder: makes of uploads what viewers get. It serves no calls, only its admin port.

use std::process::ExitCode;

use rpc_server::DataLayer;
use rpc_video::{Transcoder, TranscoderTask};
use service::Need;
use storage::Store;

fn main() -> ExitCode {
    service::run("transcoder", async |process: service::Process| {
        let data = DataLayer::connect(&process)?;
        let DataLayer { db, counters } = data.clone();
        let settings = process.settings();
        let store = Store::new(&settings.object_store)?;
        let bucket = store.clone();
        process.check("object_store", Need::Required, move || {
            bucket.clone().ping()
        });
        let transcoder = Transcoder::new(db, counters, store, settings);
        // A missing program must show now, not at the first job.
        transcoder.check_programs().await?;
        data.join().await;
        let transcoder_task = TranscoderTask::start(transcoder);
        process.stopped().await;
        transcoder_task.stop().await;
        data.leave().await;
        Ok(())
    })
}
