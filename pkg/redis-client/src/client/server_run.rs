//! Which run of the server a connection leads to, so that scripts needn't ask: asking costs more than all else that a read does.
//!
//! The connection is given a name, and its server's run id is noted with that name. Behind each read, in the same trip, the connection
//! is asked for its name. Names end with their connection, and a client never goes back to an older one; so if the name is still there, the
//! read ran on that connection, and so on that run of that server. Otherwise the answers are thrown away.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use fred::{
    interfaces::FredResult as Reply,
    types::{Value, scripts::Script},
};

use super::{Client, nodes::run_id_in};
use crate::{ScriptCall, Unavailable};

/// A command without a key.
pub(super) type Command = (&'static str, Vec<String>);

/// A connection and where it leads.
#[derive(Clone, PartialEq, Eq)]
struct Known {
    /// Its name, which no other has.
    connection: Arc<str>,
    run_id: Arc<str>,
}

/// What a client knows of the server at the other end.
#[derive(Default)]
pub(super) struct ServerRun {
    known: Mutex<Option<Known>>,
    /// Whether somebody is giving the connection a name: two would take it from each other.
    is_being_learnt: AtomicBool,
}

/// Allows one at a time to learn.
struct Learning<'a>(&'a ServerRun);

impl ServerRun {
    fn known(&self) -> MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self, wrong: &Known) {
        let mut known = self.known();
        if known.as_ref() == Some(wrong) {
            *known = None;
        }
    }

    fn learn(&self) -> Option<Learning<'_>> {
        let is_taken = self.is_being_learnt.swap(true, Ordering::AcqRel);
        let learning = (!is_taken).then_some(Learning(self))?;
        // Somebody may have learnt it since: a new name would take the connection from them.
        self.known().is_none().then_some(learning)
    }
}

impl Drop for Learning<'_> {
    fn drop(&mut self) {
        self.0.is_being_learnt.store(false, Ordering::Release);
    }
}

impl Client {
    /// [`Self::get_by_script`] for a script that must know on which run of the server it runs: that is the last argument of each call, or ''
    /// when it isn't known for sure. Then the script asks the server itself.
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
