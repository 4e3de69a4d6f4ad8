//! The Lua scripts that set and read marks, each atomic. A value is "seq gtid".

use std::sync::LazyLock;

use redis_client::{Script, leases};

/// A writer's. KEYS: marks. ARGV: seq, gtid, TTL in ms. How many were set: not those where a later commit's mark is, which lives longer.
const MARK: &str = "
local set = 0
for _, key in ipairs(KEYS) do
    local held = redis.pcall('GET', key)
    local seq = type(held) == 'string' and tonumber(string.match(held, '^(%d+) '))
    if not seq or seq <= tonumber(ARGV[1]) then
        redis.call('SET', key, ARGV[1] .. ' ' .. ARGV[2], 'PX', ARGV[3])
        set = set + 1
    end
end
return set
";

/// A reader's. KEYS: epoch, leases, marks. ARGV: the run id of the server if it is known, else ''. What the epoch says, then what each mark
/// says, '' where there is none; nothing without an epoch of this run of the server, or while a writer's lease has run out.
const READ: &str = "
local of, _, commit = epoch(KEYS[1])
if not of or not all_hold(KEYS[2]) or not is_this_run(of, ARGV[1]) then return {} end
local found = { commit }
for at = 3, #KEYS do found[#found + 1] = text(KEYS[at]) end
return found
";

pub(crate) static MARK_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::from_lua(MARK));
pub(crate) static READ_SCRIPT: LazyLock<Script> =
    LazyLock::new(|| Script::from_lua(format!("{}{READ}", leases::READING)));
