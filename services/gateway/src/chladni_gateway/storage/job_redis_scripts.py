"""The scripts by which the jobs in Redis change; `job_redis` says what the keys are.

A script gets the common beginning of all keys, since the names of further keys are known only inside it.
"""

from __future__ import annotations

from typing import Final

_ADD: Final = """
local p, id = KEYS[1], ARGV[1]
if redis.call('EXISTS', p .. 'job:' .. id) == 1 then return {'known', id} end
if ARGV[6] ~= '' then
  local known = redis.call('GET', p .. 'name:' .. ARGV[6])
  if known and redis.call('EXISTS', p .. 'job:' .. known) == 1 then return {'known', known} end
end
local own = redis.call('SCARD', p .. 'unfinished:owner:' .. ARGV[2])
local host = redis.call('SCARD', p .. 'unfinished:caller:' .. ARGV[3])
local all = redis.call('SCARD', p .. 'unfinished')
if own >= tonumber(ARGV[8]) or host >= tonumber(ARGV[9]) or all >= tonumber(ARGV[10]) then
  return {'full', own, host, all}
end
redis.call('HSET', p .. 'job:' .. id, 'owner', ARGV[2], 'caller', ARGV[3], 'created_at', ARGV[4],
  'details', ARGV[5], 'name', ARGV[6], 'finished_at', '', 'last_number', 0, 'worker', '', 'attempts', 0,
  'is_cancelled', 0)
redis.call('SET', p .. 'clip:' .. id, ARGV[7])
redis.call('SADD', p .. 'unfinished', id)
redis.call('SADD', p .. 'unfinished:owner:' .. ARGV[2], id)
redis.call('SADD', p .. 'unfinished:caller:' .. ARGV[3], id)
redis.call('ZADD', p .. 'owned:' .. ARGV[2], ARGV[4], id)
if ARGV[6] ~= '' then redis.call('SET', p .. 'name:' .. ARGV[6], id) end
redis.call('HSET', p .. 'job:' .. id, 'entry', redis.call('XADD', p .. 'queue', '*', 'job', id))
redis.call('PUBLISH', p .. 'changes', id)
return {'added', id}
"""
# A script whose first write needs no memory may write on when the memory is full: new jobs are refused then,
# but those that were accepted go on, and so make room.
_WHEN_FULL: Final = "redis.call('DEL', KEYS[1] .. 'nothing')"
_CLAIM: Final = """
local p, id, entry = KEYS[1], ARGV[1], ARGV[3]
local job = p .. 'job:' .. id
if redis.call('HGET', job, 'finished_at') ~= '' or redis.call('HGET', job, 'entry') ~= entry then
  redis.call('XACK', p .. 'queue', ARGV[4], entry)
  redis.call('XDEL', p .. 'queue', entry)
  return false
end
redis.call('HSET', job, 'worker', ARGV[2])
return {redis.call('HINCRBY', job, 'attempts', ARGV[5]), redis.call('HGET', job, 'is_cancelled'),
  redis.call('GET', p .. 'clip:' .. id) or ''}
"""
_RENEW: Final = """
local p, result = KEYS[1], {}
for index = 3, #ARGV do
  local job = p .. 'job:' .. ARGV[index]
  local facts = redis.call('HMGET', job, 'worker', 'finished_at', 'entry', 'is_cancelled')
  if facts[1] ~= ARGV[1] or facts[2] ~= '' then
    result[#result + 1] = 'lost'
  else
    redis.call('XCLAIM', p .. 'queue', ARGV[2], ARGV[1], 0, facts[3], 'JUSTID')
    result[#result + 1] = facts[4] == '1' and 'cancelled' or 'held'
  end
end
return result
"""
_APPEND: Final = """
local p, id, number = KEYS[1], ARGV[1], tonumber(ARGV[3])
local job, events = p .. 'job:' .. id, p .. 'events:' .. id
local facts = redis.call('HMGET', job, 'worker', 'finished_at', 'last_number', 'entry', 'owner', 'caller')
if facts[1] ~= ARGV[2] then return 0 end
if tonumber(facts[3]) >= number then
  local found = redis.call('XRANGE', events, number .. '-0', number .. '-0')
  return (found[1] and found[1][2][2] == ARGV[4]) and 1 or 0
end
if facts[2] ~= '' then return 0 end
redis.call('XADD', events, 'MAXLEN', ARGV[7], number .. '-0', 'content', ARGV[4])
redis.call('HSET', job, 'last_number', number)
if ARGV[10] == '1' then redis.call('HSET', job, 'attempts', 1) end
if ARGV[5] ~= '' then redis.call('HSET', p .. 'preview:' .. id, 'number', number, 'preview', ARGV[5]) end
if ARGV[6] ~= '' then
  redis.call('HSET', job, 'finished_at', ARGV[6])
  redis.call('XACK', p .. 'queue', ARGV[8], facts[4])
  redis.call('XDEL', p .. 'queue', facts[4])
  redis.call('DEL', p .. 'clip:' .. id)
  redis.call('SREM', p .. 'unfinished', id)
  redis.call('SREM', p .. 'unfinished:owner:' .. facts[5], id)
  redis.call('SREM', p .. 'unfinished:caller:' .. facts[6], id)
  redis.call('ZADD', p .. 'finished', ARGV[6], id)
end
if ARGV[9] ~= '' then
  redis.call('HSET', p .. 'report:' .. id, 'content', ARGV[9], 'attempts', 0)
  redis.call('ZADD', p .. 'reports', redis.call('TIME')[1], id)
end
redis.call('PUBLISH', p .. 'changes', id)
return 1
"""
_CLAIM_REPORT: Final = """
local p, now = KEYS[1], redis.call('TIME')
local seconds = tonumber(now[1]) + tonumber(now[2]) / 1e6
local id = redis.call('ZRANGE', p .. 'reports', '-inf', seconds, 'BYSCORE', 'LIMIT', 0, 1)[1]
if not id then return false end
redis.call('ZADD', p .. 'reports', seconds + tonumber(ARGV[1]), id)
local attempt = redis.call('HINCRBY', p .. 'report:' .. id, 'attempts', 1)
return {id, redis.call('HGET', p .. 'report:' .. id, 'content') or '', attempt}
"""
_POSTPONE_REPORT: Final = """
local p, id = KEYS[1], ARGV[1]
local now = redis.call('TIME')
redis.call('ZADD', p .. 'reports', 'XX', tonumber(now[1]) + tonumber(now[2]) / 1e6 + tonumber(ARGV[2]), id)
if ARGV[3] == '0' and redis.call('EXISTS', p .. 'report:' .. id) == 1 then
  redis.call('HINCRBY', p .. 'report:' .. id, 'attempts', -1)
end
return 1
"""
_REMOVE_REPORT: Final = """
redis.call('DEL', KEYS[1] .. 'report:' .. ARGV[1])
redis.call('ZREM', KEYS[1] .. 'reports', ARGV[1])
return 1
"""
_RELEASE: Final = """
local p, id = KEYS[1], ARGV[1]
local job = p .. 'job:' .. id
local facts = redis.call('HMGET', job, 'worker', 'finished_at', 'entry', 'attempts')
if facts[2] ~= '' then return 0 end
local least = (facts[1] == '' or facts[1] == ARGV[2]) and 0 or 1
if tonumber(facts[4]) > least then redis.call('HINCRBY', job, 'attempts', -1) end
if facts[1] ~= ARGV[2] then return 0 end
redis.call('XACK', p .. 'queue', ARGV[3], facts[3])
redis.call('XDEL', p .. 'queue', facts[3])
redis.call('HSET', job, 'worker', '', 'entry', redis.call('XADD', p .. 'queue', '*', 'job', id))
redis.call('PUBLISH', p .. 'changes', id)
return 1
"""
_CANCEL: Final = """
local p, id = KEYS[1], ARGV[1]
if redis.call('HGET', p .. 'job:' .. id, 'finished_at') == '' then
  redis.call('HSET', p .. 'job:' .. id, 'is_cancelled', 1)
  redis.call('PUBLISH', p .. 'changes', id)
end
return 1
"""
_REMOVE: Final = """
local p = KEYS[1]
for _, id in ipairs(ARGV) do
  local facts = redis.call('HMGET', p .. 'job:' .. id, 'owner', 'name', 'finished_at')
  if facts[3] and facts[3] ~= '' then
    redis.call('ZREM', p .. 'owned:' .. facts[1], id)
    redis.call('ZREM', p .. 'finished', id)
    if facts[2] ~= '' then redis.call('DEL', p .. 'name:' .. facts[2]) end
    redis.call('DEL', p .. 'job:' .. id, p .. 'events:' .. id, p .. 'preview:' .. id)
  end
end
return 1
"""

SCRIPTS: Final = {
    "add": _ADD,
    "claim": _WHEN_FULL + _CLAIM,
    "renew": _RENEW,
    "append": _WHEN_FULL + _APPEND,
    "release": _WHEN_FULL + _RELEASE,
    "cancel": _WHEN_FULL + _CANCEL,
    "remove": _REMOVE,
    "claim_report": _WHEN_FULL + _CLAIM_REPORT,
    "postpone_report": _WHEN_FULL + _POSTPONE_REPORT,
    "remove_report": _REMOVE_REPORT,
}
"""The scripts by name."""
