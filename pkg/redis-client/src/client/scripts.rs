//! Lua scripts: run by their hash, many in one round trip, and loaded when the server doesn't know them.

use std::sync::Arc;

use fred::{
    error::{Error, ErrorKind},
    interfaces::{ClientLike as _, FredResult as Reply},
    types::{ClusterHash, CustomCommand, Value, scripts::Script},
    util::redis_keyslot,
};

use super::{Client, LEASE};
use crate::{ScriptCall, Unavailable};

/// A command without a key.
pub(super) type Command = (&'static str, Vec<String>);

impl Client {
    /// Runs a script for each of `calls`, in one round trip; the answers are in their order.
    pub async fn run_script(
        self: &Arc<Self>,
        script: &Script,
        calls: &[ScriptCall],
    ) -> Result<Vec<Reply<Value>>, Unavailable> {
        self.run_script_as("script", script, calls).await
    }

    /// [`Self::run_script`] for a lease. No request waits for it, so it isn't counted as a round trip.
    pub(crate) async fn run_lease_script(
        self: &Arc<Self>,
        script: &Script,
        calls: &[ScriptCall],
    ) -> Result<Vec<Reply<Value>>, Unavailable> {
        self.run_script_as(LEASE, script, calls).await
    }

    async fn run_script_as(
        self: &Arc<Self>,
        operation: &'static str,
        script: &Script,
        calls: &[ScriptCall],
    ) -> Result<Vec<Reply<Value>>, Unavailable> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        // Boxed, because the future's type would nest too deeply for callers.
        let work = Box::pin(async { Ok(self.scripts(script, calls, &[]).await?.0) });
        self.run(operation, work).await
    }

    /// Runs a script for each of `calls`, and behind them other commands, in one round trip unless the script must be loaded. The answers to
    /// both.
    pub(super) async fn scripts(
        &self,
        script: &Script,
        calls: &[ScriptCall],
        behind: &[Command],
    ) -> Reply<(Vec<Reply<Value>>, Vec<Reply<Value>>)> {
        let (mut replies, mut told) = self.pipeline(script, calls, behind).await?;
        // A server that has just restarted doesn't know the script. In a cluster this may be one node of many.
        let unknown: Vec<usize> = (0..)
            .zip(&replies)
            .filter_map(|(at, reply)| is_unknown(reply).then_some(at))
            .collect();
        if !unknown.is_empty() {
            script.load(&self.client).await?;
            let again: Vec<ScriptCall> = unknown
                .iter()
                .filter_map(|at| calls.get(*at).cloned())
                .collect();
            let (answers, told_again) = self.pipeline(script, &again, behind).await?;
            told = told_again;
            for (at, answer) in unknown.into_iter().zip(answers) {
                if let Some(reply) = replies.get_mut(at) {
                    *reply = answer;
                }
            }
        }
        Ok((replies, told))
    }

    async fn pipeline(
        &self,
        script: &Script,
        calls: &[ScriptCall],
        behind: &[Command],
    ) -> Reply<(Vec<Reply<Value>>, Vec<Reply<Value>>)> {
        let pipeline = self.client.pipeline();
        for (keys, arguments) in calls {
            // fred's pipelines have no method for EVALSHA. It doesn't know where a custom command has its key, so the slot is given.
            let slot = keys.first().map(|key| redis_keyslot(key.as_bytes()));
            let command = CustomCommand::new("EVALSHA", ClusterHash::from(slot), false);
            let head = [script.sha1().to_string(), keys.len().to_string()];
            let arguments: Vec<String> =
                head.iter().chain(keys).chain(arguments).cloned().collect();
            let () = pipeline.custom(command, arguments).await?;
        }
        for (name, arguments) in behind {
            let command = CustomCommand::new_static(name, ClusterHash::FirstKey, false);
            let () = pipeline.custom(command, arguments.clone()).await?;
        }
        let sent = calls.len() + behind.len();
        let mut replies: Vec<Reply<Value>> = pipeline.try_all().await;
        if replies.len() == sent && sent > 1 {
            let told = replies.split_off(calls.len());
            return Ok((replies, told));
        }
        // The pipeline failed as a whole, or is one command whose error may be the connection's.
        match replies.pop() {
            Some(Err(error)) if sent > 1 || is_connection_fault(&error) => Err(error),
            Some(reply) if sent == 1 => Ok((vec![reply], Vec::new())),
            _ => Err(Error::new(ErrorKind::Protocol, "replies are missing")),
        }
    }
}

/// Whether the server doesn't know the script.
fn is_unknown(reply: &Reply<Value>) -> bool {
    matches!(reply, Err(error) if error.details().starts_with("NOSCRIPT"))
}

/// Whether this is a failure of the connection, not an answer.
fn is_connection_fault(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::IO | ErrorKind::Timeout | ErrorKind::Canceled | ErrorKind::Routing
    )
}
