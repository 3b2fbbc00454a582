"""What the Redis store has the server do at one go, in Lua.

Below the prefix lie

====================  ============================================================================
``o:DIGEST``          an object: a hash with all of it but a long body
``b:BODY:NUMBER``     a block of a long body
``i:DISTRIBUTION``    the index: a sorted set of ``target NUL digest``, in the order of the bytes
``t:DISTRIBUTION``    the same by tag: ``tag NUL target NUL digest``
``g:NUMBER``          an index that was invalidated whole, until its objects are removed
``log``               the latest invalidations, a stream
``ids``               a counter for names
====================  ============================================================================

An object is there only if it stands in the index. So an invalidation is complete when the lines
are gone, and a server that evicts an index takes no object out of its reach. Only objects and
blocks expire; of lines that are left over, each new object finds and removes a few.

All take the prefix as their first argument.
"""

from typing import Final

__all__ = ["DROP_ALL", "GET", "NOTE", "PUT", "REMOVE", "SWEEP"]

_SHARED: Final = """
local P = ARGV[1]
local function name(digest) return P .. 'o:' .. digest end
local function digest_in(line) return string.match(line, '^.*%z(.*)$') end
local function last_note()
  local last = redis.call('XREVRANGE', P .. 'log', '+', '-', 'COUNT', 1)[1]
  return last and last[1] or '0-0'
end
local function note(edge, selection)
  local log = P .. 'log'
  local made = redis.pcall('XADD', log, 'MAXLEN', '~', 1000, '*', 'e', edge, 's', selection)
  -- Without memory for it: who misses what it last heard of takes everything for invalidated.
  if made.err then redis.call('DEL', log) end
end
-- Take an object away. A body that is being read is left for some time.
local function retire(key, kept)
  local o = redis.call('HMGET', key, 'dist', 'line', 'tags', 'body', 'blocks')
  if not o[1] then return false end
  redis.call('ZREM', P .. 'i:' .. o[1], o[2])
  for tag in string.gmatch(o[3], '[^,]+') do
    redis.call('ZREM', P .. 't:' .. o[1], tag .. '\\0' .. o[2])
  end
  if o[4] ~= kept then
    for n = 0, o[5] - 1 do redis.call('EXPIRE', P .. 'b:' .. o[4] .. ':' .. n, 60) end
  end
  redis.call('UNLINK', key)
  return true
end
"""

GET: Final = (
    _SHARED
    + """
local o = redis.call('HMGET', name(ARGV[2]),
  'about', 'seal', 'size', 'sums', 'body', 'data', 'dist', 'line', 'tags', 'blocks')
if not o[1] or not redis.call('ZSCORE', P .. 'i:' .. o[7], o[8]) then return nil end
local tag = string.match(o[9], '[^,]+')
if tag and not redis.call('ZSCORE', P .. 't:' .. o[7], tag .. '\\0' .. o[8]) then return nil end
for n = 0, o[10] - 1 do
  if redis.call('EXISTS', P .. 'b:' .. o[5] .. ':' .. n) == 0 then return nil end
end
return {o[1], o[2], o[3], o[4], o[5], o[6]}
"""
)
"""DIGEST: the object's fields, nil when it is not there whole."""

PUT: Final = (
    _SHARED
    + """
local digest, heard, seconds, dist, line, tags = unpack(ARGV, 2, 7)
local body, blocks = ARGV[8], tonumber(ARGV[9])
local key, index, by_tag = name(digest), P .. 'i:' .. dist, P .. 't:' .. dist
retire(key, body)
if last_note() ~= heard then return 0 end
for n = 0, blocks - 1 do
  if redis.call('EXPIRE', P .. 'b:' .. body .. ':' .. n, seconds) == 0 then return 0 end
end
redis.call('HSET', key, 'dist', dist, 'line', line, 'tags', tags, 'body', body, 'blocks', blocks,
  'about', ARGV[10], 'seal', ARGV[11], 'size', ARGV[12], 'sums', ARGV[13], 'data', ARGV[14])
redis.call('EXPIRE', key, seconds)
redis.call('ZADD', index, 0, line)
for tag in string.gmatch(tags, '[^,]+') do redis.call('ZADD', by_tag, 0, tag .. '\\0' .. line) end
for _, set in ipairs({index, by_tag}) do
  for _, old in ipairs(redis.call('ZRANDMEMBER', set, 2)) do
    if redis.call('EXISTS', name(digest_in(old))) == 0 then redis.call('ZREM', set, old) end
  end
end
return 1
"""
)
"""DIGEST HEARD SECONDS DISTRIBUTION LINE TAGS BODY BLOCKS and the fields.

1 when the object is kept; not when a block has gone, nor after an invalidation that this edge has
not heard of: it may have meant what is put here.
"""

REMOVE: Final = _SHARED + "return retire(name(ARGV[2])) and 1 or 0"
"""DIGEST: take the object away."""

NOTE: Final = _SHARED + "note(ARGV[2], ARGV[3])"
"""EDGE SELECTION: let the others know."""

DROP_ALL: Final = (
    _SHARED
    + """
note(ARGV[2], ARGV[3])
redis.call('UNLINK', P .. 't:' .. ARGV[4])
if redis.call('EXISTS', P .. 'i:' .. ARGV[4]) == 0 then return nil end
local gone = P .. 'g:' .. redis.call('INCR', P .. 'ids')
redis.call('RENAME', P .. 'i:' .. ARGV[4], gone)
return gone
"""
)
"""EDGE SELECTION DISTRIBUTION: none of its objects is there any more. The set with their lines."""

SWEEP: Final = (
    _SHARED
    + """
local set, from, to, most = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local removed, lines = {}, redis.call('ZRANGEBYLEX', set, from, to, 'LIMIT', 0, most)
for _, line in ipairs(lines) do
  redis.call('ZREM', set, line)
  local digest = digest_in(line)
  -- Of a whole index that is gone: the object may have been stored anew.
  local is_new = ARGV[6] ~= '' and redis.call('ZSCORE', P .. 'i:' .. ARGV[6], line)
  if not is_new and retire(name(digest)) then removed[#removed + 1] = digest end
end
return {#lines, removed}
"""
)
"""SET FROM TO MOST DISTRIBUTION: take some objects away whose lines are in that range.

DISTRIBUTION is that of an index that is gone, else empty. The number of lines, and the digests.
"""
