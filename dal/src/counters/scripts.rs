//! The Lua scripts: what must happen in Redis atomically. Each takes one counter, or counters of one bucket, so that a cluster can run it.
//!
//! A script that writes may run twice, late or never: none adds to a count, all set an exact count that isn't older.
//!
//! To a reader an entry is a count only if its position isn't before that of the epoch's commit.

use std::sync::LazyLock;

use redis_client::{Script, leases};

/// Reads an entry as [`super::entry::Entry::parse`] does: nothing for an absent key, another type, or garbage.
const READ: &str = "
local function read(key)
  local text = redis.pcall('GET', key)
  if type(text) ~= 'string' then return nil end
  local count, seq, renewed = string.match(text, '^(%d+) (%d+) (%d+)$')
  if count and #count <= 18 and #seq <= 15 and #renewed <= 15 then return count, seq, renewed end
  return nil
end
";

/// The position of an epoch's commit.
const POSITION: &str = "
local function position(commit)
  return tonumber(string.match(commit, '^%d+'))
end
";

/// For a reader. KEYS: epoch, leases, counters. ARGV: the run id of the server if it is known, otherwise ''. Returns the position of the
/// epoch's commit and the counters' texts; nothing at all while they can't be trusted.
const LOOK_UP: &str = "
local of, _, commit = epoch(KEYS[1])
if not of or not all_hold(KEYS[2]) or not is_this_run(of, ARGV[1]) then return false end
return { position(commit), redis.call('MGET', unpack(KEYS, 3)) }
";

/// For a writer: sets its exact count unless the key's is as new. Renews the expiry first. If that fails there is no key, and it is
/// created, so that a loader that has read before the commit can't create it.
/// KEYS: counters. ARGV: seq, now in s, expiry in ms, a count for each counter. How many were set.
const COMMIT: &str = "
local set = 0
for at = 1, #KEYS do
  local key, seq = KEYS[at], nil
  if redis.call('PEXPIRE', key, ARGV[3]) == 1 then
    local _, held = read(key)
    seq = tonumber(held)
  end
  if not seq or seq < tonumber(ARGV[1]) then
    redis.call('SET', key, ARGV[3 + at] .. ' ' .. ARGV[1] .. ' ' .. ARGV[2], 'PX', ARGV[3])
    set = set + 1
  end
end
return set
";

/// For a reader that found no count: checks again, then takes the lock.
/// KEYS: counter, lock, epoch. ARGV: token, TTL of the lock in ms. Returns the text if it is a count; otherwise, if the lock was taken,
/// the position of the epoch's commit (0: no epoch); nothing if the lock wasn't taken.
const ACQUIRE: &str = "
local of, _, commit = epoch(KEYS[3])
local since = commit and position(commit) or 0
local _, seq = read(KEYS[1])
if of and seq and tonumber(seq) >= since and is_this_run(of, '') then return redis.call('GET', KEYS[1]) end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return since end
return false
";

/// For a loader: releases the lock, and sets its count unless the key's is as new. If the lock is lost it does nothing: whatever took it
/// away (a writer's deletion, FLUSHALL, its expiry) has made the loaded count useless. `seq` is what [`ACQUIRE`] gave: the count was
/// read later, so it includes that commit. If the epoch is another one by now, its end has made the count useless, too.
/// KEYS: counter, lock, epoch. ARGV: token, count, seq, now in s, expiry in ms; without a count it only releases. Returns 1 if set.
const LOADED: &str = "
if redis.pcall('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
if not ARGV[2] then return 0 end
local _, _, commit = epoch(KEYS[3])
if (commit and position(commit) or 0) ~= tonumber(ARGV[3]) then return 0 end
local _, held = read(KEYS[1])
if held and tonumber(held) >= tonumber(ARGV[3]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[4], 'PX', ARGV[5])
return 1
";

/// For a hit: renews the expiry unless that was done recently.
/// KEYS: counter. ARGV: now in s, expiry in ms, the second before which a renewal is old. Returns 1 if renewed.
const RENEW: &str = "
local count, seq, renewed = read(KEYS[1])
if not count or tonumber(renewed) >= tonumber(ARGV[3]) then return 0 end
redis.call('SET', KEYS[1], count .. ' ' .. seq .. ' ' .. ARGV[1], 'PX', ARGV[2])
return 1
";

/// For a comparison: sets the exact count if the key still has the wrong value. A changed value is newer and stays.
/// KEYS: counter. ARGV: count, seq, now in s, expiry in ms, 'count seq' as found ('' for garbage). Returns 1 if set.
const REPAIR: &str = "
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local count, seq = read(KEYS[1])
if (count and count .. ' ' .. seq or '') ~= ARGV[5] then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. ARGV[3], 'PX', ARGV[4])
return 1
";

fn script(body: &str) -> Script {
    Script::from_lua(format!("{READ}{body}"))
}

/// A script that reads the epoch.
fn script_of_epoch(body: &str) -> Script {
    script(&format!("{}{POSITION}{body}", leases::READING))
}

pub(super) static LOOK_UP_SCRIPT: LazyLock<Script> = LazyLock::new(|| script_of_epoch(LOOK_UP));
pub(super) static COMMIT_SCRIPT: LazyLock<Script> = LazyLock::new(|| script(COMMIT));
pub(super) static ACQUIRE_SCRIPT: LazyLock<Script> = LazyLock::new(|| script_of_epoch(ACQUIRE));
pub(super) static LOADED_SCRIPT: LazyLock<Script> = LazyLock::new(|| script_of_epoch(LOADED));
pub(super) static RENEW_SCRIPT: LazyLock<Script> = LazyLock::new(|| script(RENEW));
pub(super) static REPAIR_SCRIPT: LazyLock<Script> = LazyLock::new(|| script(REPAIR));
