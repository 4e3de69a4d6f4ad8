//! What runs in Redis, each script at one moment. A value is "seq gtid"; an epoch has the server's run before that.

use std::sync::LazyLock;

use redis::Script;

/// In front of every script: the run of this server, the text of a key ('' for none, or one of another type), and what an epoch
/// of this run says.
const PRELUDE: &str = "
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local function text(key)
    local held = redis.pcall('GET', key)
    return type(held) == 'string' and held or ''
end
local function epoch(key)
    local of, rest = string.match(text(key), '^(%w+) (.+)$')
    return of == run and rest
end
";

/// A writer's. KEYS: mark. ARGV: seq, gtid, life in ms. 1 when set, 0 when a later commit's mark is there, which lives longer.
const MARK: &str = "
local held = redis.pcall('GET', KEYS[1])
local seq = type(held) == 'string' and tonumber(string.match(held, '^(%d+) '))
if seq and seq > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2], 'PX', ARGV[3])
return 1
";

/// A reader's. KEYS: epoch, marks. The epoch and those marks that are there; nothing without an epoch of this run.
const READ: &str = "
local found = { epoch(KEYS[1]) or nil }
if not found[1] then return {} end
for at = 2, #KEYS do
    local mark = text(KEYS[at])
    if mark ~= '' then found[#found + 1] = mark end
end
return found
";

/// A keeper's, first half. KEYS: epoch, candidate. ARGV: token, life of the candidate in ms. 1 when this keeper makes the epoch.
const BEGIN: &str = "
if epoch(KEYS[1]) then return 0 end
local held = text(KEYS[2])
if string.match(held, ' (%w+)$') == run then return 0 end
redis.call('SET', KEYS[2], ARGV[1] .. ' ' .. run, 'PX', ARGV[2])
return 1
";

/// A keeper's, second half: only if nothing was lost since the first. KEYS: epoch, candidate. ARGV: token, seq, gtid. 1 when made.
const MAKE: &str = "
if text(KEYS[2]) ~= ARGV[1] .. ' ' .. run then return 0 end
redis.call('SET', KEYS[1], run .. ' ' .. ARGV[2] .. ' ' .. ARGV[3])
redis.call('DEL', KEYS[2])
return 1
";

pub(crate) static MARK_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::from_lua(MARK));
pub(crate) static READ_SCRIPT: LazyLock<Script> = LazyLock::new(|| script(READ));
pub(crate) static BEGIN_SCRIPT: LazyLock<Script> = LazyLock::new(|| script(BEGIN));
pub(crate) static MAKE_SCRIPT: LazyLock<Script> = LazyLock::new(|| script(MAKE));

fn script(body: &str) -> Script {
    Script::from_lua(format!("{PRELUDE}{body}"))
}
