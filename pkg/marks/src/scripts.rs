//! The Lua scripts that set and read marks, each atomic. A value is "seq gtid".

use std::sync::LazyLock;

use redis_client::{Script, leases};

/// A writer's. KEYS: mark. ARGV: seq, gtid, life in ms. 1 when set, 0 when a later commit's mark is there, which lives longer.
const MARK: &str = "
local held = redis.pcall('GET', KEYS[1])
local seq = type(held) == 'string' and tonumber(string.match(held, '^(%d+) '))
if seq and seq > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2], 'PX', ARGV[3])
return 1
";

/// A reader's. KEYS: epoch, leases, marks. What the epoch says, and those marks that are there; nothing without an epoch of this run
/// of the server, or while a writer's lease has run out.
const READ: &str = "
local of, _, commit = epoch(KEYS[1])
if not of or not all_hold(KEYS[2]) then return {} end
if of ~= string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') then return {} end
local found = { commit }
for at = 3, #KEYS do
    local mark = text(KEYS[at])
    if mark ~= '' then found[#found + 1] = mark end
end
return found
";

pub(crate) static MARK_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::from_lua(MARK));
pub(crate) static READ_SCRIPT: LazyLock<Script> =
    LazyLock::new(|| Script::from_lua(format!("{}{READ}", leases::READING)));
