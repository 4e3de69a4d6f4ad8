//! Runs Lua scripts that need the server's `run_id`; [`super::server_run`] says how that is known.

use std::sync::Arc;

use fred::{
    interfaces::FredResult as Reply,
    types::{Value, scripts::Script},
};

use super::{Client, nodes::run_id_in, scripts::Command, server_run::Known};
use crate::{ScriptCall, Unavailable};

impl Client {
    /// [`Self::run_script`] for a script that only reads, and must know on which run of the server it runs: that is the last argument of each
    /// call, or '' when it isn't known for sure. Then the script asks the server itself. The metrics count it separately.
    ///
    /// It isn't known in a cluster, in the first call on a connection, and where the account may not use `CLIENT`.
    pub async fn get_by_script_of_run(
        self: &Arc<Self>,
        script: &Script,
        calls: &[ScriptCall],
    ) -> Result<Vec<Reply<Value>>, Unavailable> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        // Boxed, because the future's type would nest too deeply for callers.
        self.run("get", Box::pin(self.on_known_run(script, calls)))
            .await
    }

    async fn on_known_run(
        &self,
        script: &Script,
        calls: &[ScriptCall],
    ) -> Reply<Vec<Reply<Value>>> {
        let with = |run_id: &str| -> Vec<ScriptCall> {
            let calls = calls.iter().cloned();
            let with = calls.map(|(keys, mut arguments)| {
                arguments.push(run_id.to_owned());
                (keys, arguments)
            });
            with.collect()
        };
        let name: Command = ("CLIENT", vec!["GETNAME".to_owned()]);
        let known = self.server_run.known().clone();
        if let Some(known) = known {
            let calls = with(&known.run_id);
            let (replies, told) = self
                .scripts(script, &calls, std::slice::from_ref(&name))
                .await?;
            if told.into_iter().next().and_then(text) == Some(known.connection.to_string()) {
                return Ok(replies);
            }
            self.server_run.forget(&known);
        }
        let calls = with("");
        let learning = self.server_run.learn().filter(|_| !self.is_cluster);
        let Some(_learning) = learning else {
            return Ok(self.scripts(script, &calls, &[]).await?.0);
        };
        let connection = format!("{:016x}", rand::random::<u64>());
        let learn = [
            ("CLIENT", vec!["SETNAME".to_owned(), connection.clone()]),
            ("INFO", vec!["server".to_owned()]),
            name,
        ];
        let (replies, told) = self.scripts(script, &calls, &learn).await?;
        let mut told = told.into_iter().skip(1);
        let (info, name) = (told.next().and_then(text), told.next().and_then(text));
        if let Some(run_id) = info.as_deref().and_then(run_id_in)
            && name.as_ref() == Some(&connection)
        {
            *self.server_run.known() = Some(Known {
                connection: connection.into(),
                run_id: run_id.into(),
            });
        }
        Ok(replies)
    }
}

fn text(reply: Reply<Value>) -> Option<String> {
    reply.ok()?.into_string()
}
