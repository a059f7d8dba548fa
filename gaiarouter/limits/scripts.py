"""The scripts that Redis runs, each as one step that nothing comes between. Times are the server's, in seconds.

A window is a hash: `l`, the level at the time `t`; time lowers it at the limit's rate, and what would lift it above the
limit is refused (GCRA, see meter.py). Slots are a sorted set of requests by when they are given up for lost, which
their process puts off as long as it lives.
"""

from __future__ import annotations

from typing import Final

# KEYS: of every limit. ARGV: the request's id, for how many seconds its slot is kept, then for each limit: `window`,
# amount, limit, rate; or `slots`, 1, limit, 0. Returns the number of the limit that refuses (0: none) and the wait in
# seconds, then for each limit its level before this request.
TAKE: Final = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local levels, refused, wait = {}, 0, 0
for i, key in ipairs(KEYS) do
  local at = 3 + (i - 1) * 4
  local amount, limit, rate = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local level
  if ARGV[at] == 'slots' then
    redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
    level = redis.call('ZCARD', key)
  else
    local kept = redis.call('HMGET', key, 'l', 't')
    level = math.max(0, (tonumber(kept[1]) or 0) - math.max(0, now - (tonumber(kept[2]) or now)) * rate)
  end
  levels[i] = level
  if refused == 0 and level + amount > limit + 0.000001 then
    refused = i
    if rate > 0 then wait = (level + amount - limit) / rate end
  end
end
if refused == 0 then
  for i, key in ipairs(KEYS) do
    local at = 3 + (i - 1) * 4
    local amount, rate = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 3])
    if ARGV[at] == 'slots' then
      redis.call('ZADD', key, now + tonumber(ARGV[2]), ARGV[1])
      redis.call('PEXPIRE', key, math.ceil(ARGV[2] * 1000))
    else
      local level = levels[i] + amount
      redis.call('HSET', key, 'l', string.format('%.6f', level), 't', string.format('%.6f', now))
      redis.call('EXPIRE', key, math.ceil(level / rate) + 1)
    end
  end
end
local told = {tostring(refused), string.format('%.6f', wait)}
for i, level in ipairs(levels) do told[i + 2] = string.format('%.6f', level) end
return told
"""

# KEYS: of slots. ARGV: for how many seconds they are kept from now, then the request's id for each.
RENEW: Final = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
for i, key in ipairs(KEYS) do
  redis.call('ZADD', key, now + tonumber(ARGV[1]), ARGV[i + 1])
  redis.call('PEXPIRE', key, math.ceil(ARGV[1] * 1000))
end
return 1
"""

# KEYS: of every limit. ARGV: the request's id, then for each limit: `window`, what to add to the level (less than
# nothing gives back), rate; or `slots`, 0, 0.
SETTLE: Final = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
for i, key in ipairs(KEYS) do
  local at = 2 + (i - 1) * 3
  if ARGV[at] == 'slots' then
    redis.call('ZREM', key, ARGV[1])
  else
    local change, rate = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
    local kept = redis.call('HMGET', key, 'l', 't')
    local level = math.max(0, (tonumber(kept[1]) or 0) - math.max(0, now - (tonumber(kept[2]) or now)) * rate)
    level = math.max(0, level + change)
    if level == 0 then
      redis.call('DEL', key)
    else
      redis.call('HSET', key, 'l', string.format('%.6f', level), 't', string.format('%.6f', now))
      redis.call('EXPIRE', key, math.ceil(level / rate) + 1)
    end
  end
end
return 1
"""
