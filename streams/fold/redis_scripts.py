"""The Lua scripts of a fold's store; each is atomic in Redis, so a reader never sees half of a write.

All but the claim and the withdrawal begin with the same fence, explained in `redis_store`.
"""

from __future__ import annotations

# Redis numbers are float64: an epoch can grow while it is below 2^52, which as microseconds is the year 2112.
# KEYS[1] is a state. `epoch` and `serial` are 0 when it has none, or a value that no owner could have written.
_HELD = """
local function number(text)
  local found = tonumber(text or 0)
  if not found or found ~= found or math.abs(found) > 9007199254740991 then return 0 end
  return found
end
local held = redis.pcall('HMGET', KEYS[1], 'epoch', 'serial')
if held.err then
  if not string.find(held.err, 'WRONGTYPE', 1, true) then return held end
  redis.call('DEL', KEYS[1])
  held = {}
end
local epoch, serial = number(held[1]), number(held[2])
"""

CLAIM = (
    _HELD
    + """
local now = redis.call('TIME')
local claimed = tonumber(now[1]) * 1000000 + tonumber(now[2])
if epoch >= 4503599627370496 then epoch = 0 end
if claimed <= epoch then claimed = epoch + 1 end
redis.call('HSET', KEYS[1], 'epoch', string.format('%.0f', claimed), 'serial', '0')
return string.format('%.0f', claimed)
"""
)

# The scripts below begin with the fence. ARGV: epoch, serial of the owner's last write, serial of this write.
# Returns 0: refused. 2: the state is gone or older than the last write (or an older owner wrote after it was lost).
FENCE = (
    _HELD
    + """
if epoch > tonumber(ARGV[1]) then return 0 end
local lost = epoch < tonumber(ARGV[1]) or serial < tonumber(ARGV[2])
"""
)
_UNLESS_LOST = FENCE + "if lost then return 2 end\n"
# Redis, when it resumes, may run a write that its owner gave up after the write that replaced it: skip the older one.
_COUNT = """
if not lost and serial >= tonumber(ARGV[3]) then return 1 end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'serial', ARGV[3])
"""

# Add the names ARGV[first..last] to the set KEYS[2]; a key of another type is replaced.
_LIST = """
for i = first, last do
  local added = redis.pcall('SADD', KEYS[2], ARGV[i])
  if type(added) == 'table' then
    if not string.find(added.err, 'WRONGTYPE', 1, true) then return added end
    redis.call('DEL', KEYS[2])
    redis.call('SADD', KEYS[2], ARGV[i])
  end
end
"""

# KEYS: state, set of names; ARGV, further: names. A serial above all of the owner's writes is not the owner's and would
# block all its writes: refuse, so that the owner claims again and starts from 0.
CHECK = (
    _UNLESS_LOST
    + """
if serial > tonumber(ARGV[3]) then return 0 end
local first, last = 4, #ARGV
"""
    + _LIST
    + "return 1"
)

# ARGV, further: 1 if the fields are the complete state, then field and value in turns. After a loss only a complete
# state may be written, which also sets the epoch; a partial one would hide the loss and is no valid state.
SAVE = (
    FENCE
    + "if lost and ARGV[4] == '0' then return 2 end\n"
    + _COUNT
    + """
for i = 5, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
return 1
"""
)

# KEYS: state, set of names, one key per text; ARGV, further: channel, message, number of names, names, texts.
PUBLISH = (
    _UNLESS_LOST
    + _COUNT
    + """
local first, last = 7, 6 + tonumber(ARGV[6])
"""
    + _LIST
    + """
for i = 3, #KEYS do redis.call('SET', KEYS[i], ARGV[last - 2 + i]) end
redis.call('PUBLISH', ARGV[4], ARGV[5])
return 1
"""
)

# KEYS: state, set of names, one key per board; ARGV, further: the boards' names.
PRUNE = (
    _UNLESS_LOST
    + _COUNT
    + """
for i = 3, #KEYS do redis.call('DEL', KEYS[i]) end
for i = 4, #ARGV do redis.call('SREM', KEYS[2], ARGV[i]) end
return 1
"""
)


# KEYS: state, then all keys to delete; ARGV: epoch of the last owner when the views were found. A later owner keeps the
# arena. Serial -1 belongs to no owner, so a withdrawal whose answer was lost can run again.
WITHDRAW = (
    _HELD
    + """
local seen = tonumber(ARGV[1])
if epoch > seen and serial ~= -1 then return 0 end
for i = 1, #KEYS do redis.call('DEL', KEYS[i]) end
redis.call('HSET', KEYS[1], 'epoch', string.format('%.0f', math.max(epoch, seen) + 1), 'serial', '-1')
return 1
"""
)
NO_OWNER = b"-1"

# KEYS: state, the stop notice, and the release request, if this answers it. ARGV, further: the notice (empty: none),
# channel, message.
TELL_STOPPED = (
    FENCE
    + """
local gone = redis.call('DEL', unpack(KEYS, 2))
if ARGV[4] ~= '' then redis.call('SET', KEYS[2], ARGV[4]) end
if ARGV[4] ~= '' or gone ~= 0 then redis.call('PUBLISH', ARGV[5], ARGV[6]) end
return 1
"""
)
