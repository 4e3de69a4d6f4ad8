//! What must happen in Redis at once. Each script is about one counter, or about those of one bucket, so a cluster can run it too.
//!
//! Every one of those that write may be run twice, late or never: none adds, all set what is exact and not older.

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

/// A reader's. KEYS: epoch, leases, counters. Their texts; nothing at all while they can't be trusted.
const LOOK_UP: &str = "
if not epoch(KEYS[1]) or not all_hold(KEYS[2]) then return false end
return redis.call('MGET', unpack(KEYS, 3))
";

/// A writer's: sets its exact count unless the key's is as new. Renews first; where that fails there is no key, and it is
/// created, lest a loader that has read before the commit does so.
/// KEYS: counter. ARGV: count, seq, now in s, expiry in ms. 1 when set.
const COMMIT: &str = "
if redis.call('PEXPIRE', KEYS[1], ARGV[4]) == 1 then
  local _, seq = read(KEYS[1])
  if seq and tonumber(seq) >= tonumber(ARGV[2]) then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. ARGV[3], 'PX', ARGV[4])
return 1
";

/// A reader's, of an absent key: looks again, and only then takes the lock.
/// KEYS: counter, lock. ARGV: token, life of the lock in ms. The text when there is one, else 1 when locked, 0 when another has it.
const ACQUIRE: &str = "
if read(KEYS[1]) then return redis.call('GET', KEYS[1]) end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
return 0
";

/// A loader's: gives the lock back, and creates the key unless it is there. Without the lock it does nothing: what took that
/// away (a writer that knows better, FLUSHALL, its expiry) made the loaded count worthless.
/// It knows of no commit that its count includes, hence position 0.
/// KEYS: counter, lock. ARGV: token, count, now in s, expiry in ms; no count: only gives back. 1 when created.
const LOADED: &str = "
if redis.pcall('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
if not ARGV[2] or read(KEYS[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2] .. ' 0 ' .. ARGV[3], 'PX', ARGV[4])
return 1
";

/// A hit's: renews the expiry, if nobody has since.
/// KEYS: counter. ARGV: now in s, expiry in ms, renewed before this second is long ago. 1 when renewed.
const RENEW: &str = "
local count, seq, renewed = read(KEYS[1])
if not count or tonumber(renewed) >= tonumber(ARGV[3]) then return 0 end
redis.call('SET', KEYS[1], count .. ' ' .. seq .. ' ' .. ARGV[1], 'PX', ARGV[2])
return 1
";

/// The compare's: sets the exact count where the key is still what was found wrong. Whoever changed it meanwhile knew better.
/// KEYS: counter. ARGV: count, seq, now in s, expiry in ms, 'count seq' as found ('' for garbage). 1 when set.
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

pub(super) static LOOK_UP_SCRIPT: LazyLock<Script> =
    LazyLock::new(|| Script::from_lua(format!("{}{LOOK_UP}", leases::READING)));
pub(super) static COMMIT_SCRIPT: LazyLock<Script> = LazyLock::new(|| script(COMMIT));
pub(super) static ACQUIRE_SCRIPT: LazyLock<Script> = LazyLock::new(|| script(ACQUIRE));
pub(super) static LOADED_SCRIPT: LazyLock<Script> = LazyLock::new(|| script(LOADED));
pub(super) static RENEW_SCRIPT: LazyLock<Script> = LazyLock::new(|| script(RENEW));
pub(super) static REPAIR_SCRIPT: LazyLock<Script> = LazyLock::new(|| script(REPAIR));
