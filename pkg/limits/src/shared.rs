//! Rate limits counted over all processes, in Redis: one key for each class and subject, so that the nodes of a cluster share them.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use redis_client::{BadUrl, Client, Script, Unavailable, Value};

use crate::{Claim, gcra::Step};

/// [`Step::take`] and [`Step::charge`] by the clock of Redis, which all processes share; a key ends when it says nothing any more.
/// KEYS: one. ARGV: cost, window, both in µs, 1 to charge what has happened, how long ago in µs. How long to wait, then for how long it
/// is exhausted, in µs.
static STEP: LazyLock<Script> = LazyLock::new(|| {
    Script::from_lua(
        "
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local held = redis.pcall('GET', KEYS[1])
local before = math.max(type(held) == 'string' and tonumber(held) or 0, now - ARGV[4])
local after = before + ARGV[1]
local wait = after - now - ARGV[2]
if wait > 0 and ARGV[3] ~= '1' then
    return { string.format('%.0f', wait), string.format('%.0f', math.max(before - now, 0)) }
end
local left = math.max(after - now, 0)
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', string.format('%.0f', math.ceil(left / 1000) + 1))
return { '0', string.format('%.0f', left) }
",
    )
});

/// When a step happens.
#[derive(Debug, Clone, Copy)]
pub(crate) enum When {
    /// Now, if the limit allows it.
    IfAllowed,
    /// It happened this long ago.
    Ago(Duration),
}

/// The answer of Redis to one step.
pub(crate) struct Answer {
    /// How long to wait; zero: the step was taken.
    pub(crate) wait: Duration,
    pub(crate) exhausted_for: Duration,
}

#[derive(Clone)]
pub(crate) struct Shared {
    client: Arc<Client>,
    prefix: Arc<str>,
}

impl Shared {
    pub(crate) fn connect(redis: &settings::Redis) -> Result<Self, BadUrl> {
        Ok(Self {
            client: Client::open("limits", redis, redis.limits_db)?,
            prefix: redis.key_prefix.as_str().into(),
        })
    }

    /// Runs all steps in one round trip. `None` for a step whose answer isn't understood.
    pub(crate) async fn steps(
        &self,
        steps: &[(Claim, Step, When)],
    ) -> Result<Vec<Option<Answer>>, Unavailable> {
        let calls: Vec<redis_client::ScriptCall> = steps
            .iter()
            .map(|(claim, step, when)| {
                let (class, subject) = (claim.class(), claim.subject());
                let key = format!("{}{{l:{}:{subject:016x}}}", self.prefix, class.name());
                let (happened, ago) = match when {
                    When::IfAllowed => (0, 0),
                    When::Ago(ago) => (1, ago.as_micros()),
                };
                let arguments = vec![
                    step.cost.to_string(),
                    step.window.to_string(),
                    happened.to_string(),
                    ago.to_string(),
                ];
                (vec![key], arguments)
            })
            .collect();
        let replies = self.client.run_script(&STEP, &calls).await?;
        Ok(replies
            .into_iter()
            .map(|reply| parse(reply.ok()?))
            .collect())
    }
}

fn parse(reply: Value) -> Option<Answer> {
    let Value::Array(parts) = reply else {
        return None;
    };
    let mut parts = parts
        .into_iter()
        .map(|part| part.into_string()?.parse().ok().map(Duration::from_micros));
    Some(Answer {
        wait: parts.next()??,
        exhausted_for: parts.next()??,
    })
}
