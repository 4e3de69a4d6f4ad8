//! The Lua scripts for leases and epochs. Each is atomic and works on one bucket. KEYS: epoch, candidate, leases.
//!
//! An epoch is "run token seq gtid": the run id of the server, its maker, and a commit that is newer than every commit that may be missing
//! here (its mark, its counts). The leases are a sorted set of writers by the server time (ms) at which their lease ends. One more member,
//! "whole", tells a complete set from one that was lost and began anew.

use std::sync::LazyLock;

use crate::Script;

/// Lua functions for the scripts of readers: whether every writer holds its lease, the content of an epoch, and whether its run is the
/// server's; `known` is the server's run id, or '' to ask the server.
pub const READING: &str = "
local function now_ms()
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function all_hold(leases)
    return redis.call('ZSCORE', leases, 'whole') and redis.call('ZCOUNT', leases, '-inf', now_ms()) == 0
end
local function text(key)
    local held = redis.pcall('GET', key)
    return type(held) == 'string' and held or ''
end
local function epoch(key)
    return string.match(text(key), '^(%w+) (%x+) (%d+ %S+)$')
end
local function run_id()
    return string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
end
local function is_this_run(run, known)
    return run == (known ~= '' and known or run_id())
end
";

/// A prefix of the other scripts: the run id of this server.
const RUN: &str = "
local run = run_id()
";

/// Renewal, by a writer. ARGV: its id, the end of its lease ('' to look only), the TTL of a lease in ms, a former id or '', the TTL of
/// the set in ms. Returns the time, 1 if the epoch and the set exist, and all writers whose lease has run out.
///
/// After a restart of the server all data may be old and the clock may differ: then every lease has run out until it is renewed. The same
/// holds for a lease that ends later than a TTL from now: the clock was set back.
const RENEW: &str = "
local now, ttl = now_ms(), tonumber(ARGV[3])
local of = epoch(KEYS[1])
local from = '(' .. string.format('%.0f', now + ttl)
if of and of ~= run then
    redis.call('DEL', KEYS[1], KEYS[2])
    of, from = nil, '-inf'
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], from, '(inf')) do
    redis.call('ZADD', KEYS[3], 0, id)
end
if ARGV[2] ~= '' then
    local ends = tonumber(ARGV[2])
    if from == '-inf' or ends > now + ttl then ends = 0 end
    redis.call('ZADD', KEYS[3], ends, ARGV[1])
    if ARGV[4] ~= '' then redis.call('ZREM', KEYS[3], ARGV[4]) end
    redis.call('PEXPIRE', KEYS[3], ARGV[5])
end
local whole = of and redis.call('ZSCORE', KEYS[3], 'whole') and 1 or 0
return { now, whole, redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now) }
";

/// First half of making an epoch, by a keeper. ARGV: token, TTL of the candidate in ms. Returns 1 if this keeper makes the epoch.
const BEGIN: &str = "
if epoch(KEYS[1]) == run and redis.call('ZSCORE', KEYS[3], 'whole') then return 0 end
if string.match(text(KEYS[2]), ' (%w+)$') == run then return 0 end
redis.call('SET', KEYS[2], ARGV[1] .. ' ' .. run, 'PX', ARGV[2])
return 1
";

/// Second half, only if nothing was lost since the first. ARGV: token, 'seq gtid', TTL of the set in ms, all writers. A writer that is
/// missing in the set is added without a lease. Returns 1 if the epoch was made.
const MAKE: &str = "
if text(KEYS[2]) ~= ARGV[1] .. ' ' .. run then return 0 end
for at = 4, #ARGV do redis.call('ZADD', KEYS[3], 'NX', 0, ARGV[at]) end
redis.call('ZADD', KEYS[3], '+inf', 'whole')
redis.call('PEXPIRE', KEYS[3], ARGV[3])
redis.call('SET', KEYS[1], run .. ' ' .. ARGV[1] .. ' ' .. ARGV[2])
redis.call('DEL', KEYS[2])
return 1
";

/// Removes writers whose lease has run out, by a keeper. ARGV: 1 to remove the epoch too (commits of theirs may be missing), the writers.
const REMOVE: &str = "
local now, removed = now_ms(), 0
for at = 2, #ARGV do
    local ends = redis.call('ZSCORE', KEYS[3], ARGV[at])
    if ends and tonumber(ends) <= now then removed = removed + redis.call('ZREM', KEYS[3], ARGV[at]) end
end
if removed > 0 and ARGV[1] == '1' then redis.call('DEL', KEYS[1], KEYS[2]) end
return removed
";

/// Removes a writer that ends with nothing pending. ARGV: its id.
const LEAVE: &str = "return redis.call('ZREM', KEYS[3], ARGV[1])";

fn script(body: &str) -> Script {
    Script::from_lua(format!("{READING}{RUN}{body}"))
}

pub(super) static RENEW_SCRIPT: LazyLock<Script> = LazyLock::new(|| script(RENEW));
pub(super) static BEGIN_SCRIPT: LazyLock<Script> = LazyLock::new(|| script(BEGIN));
pub(super) static MAKE_SCRIPT: LazyLock<Script> = LazyLock::new(|| script(MAKE));
pub(super) static REMOVE_SCRIPT: LazyLock<Script> = LazyLock::new(|| script(REMOVE));
pub(super) static LEAVE_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::from_lua(LEAVE));
