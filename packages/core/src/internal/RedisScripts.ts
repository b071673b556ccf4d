/**
 * The steps of the Redis store, each as one script on one key, by the server's time.
 *
 * A record is a hash of two fields: `state`, and once it is settled `result`. `state` is a text such as
 *
 * ```
 * 2 claimed 1 1790000000000 1790000000000 38500 86400000 5 owner guards
 * ```
 *
 * It has the number of this format; `claimed`, `settled` or `unknown`; the epoch; when the claim was granted; when the record
 * came into this state; its lease, which counts while it is claimed, and its retention, both from then on; the length of the
 * owner in UTF-16 units; the owner; and the guards. Times are epoch milliseconds. What the text says of the retention counts,
 * whatever a restored dump or another server makes of the key's own expiry, which only clears away. What `RedisRecord` can't
 * decode is left as it is.
 *
 * Where a script takes an owner, it is as it stands in that text: the length, the owner, and a space after each.
 */

const reading = (...fields: ReadonlyArray<string>) => `
local key = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local found = redis.pcall('HMGET', key, ${fields.map((field) => `'${field}'`).join(", ")})
if found.err then
  if not string.find(found.err, 'WRONGTYPE', 1, true) then return found end
  found = { false, false }
end
local text = found[1]
`

/** Finds whether there is anything, unless it is a record past its retention. */
const finding = `${reading("state", "result")}
local exists, expired = text, false
if text then
  local since, retention = string.match(text, '^2 %l+ %d+ %d+ (%d+) %d+ (%d+) %d+ ')
  expired = since and #since < 16 and #retention < 16 and since + retention <= now
  exists = not expired
else
  exists = redis.call('EXISTS', key) == 1
end
`

/**
 * Finds the state of the record that the first argument owns: nil when there is none, when it is past its retention, and
 * when it can't be read.
 */
const holding = `${reading("state")}
local state, epoch, createdAt, since, lease, retention, rest =
  string.match(text or '', '^2 (%l+) (%d+) (%d+) (%d+) (%d+) (%d+) (.*)$')
local lapsed = false
if not rest or string.sub(rest, 1, #ARGV[1]) ~= ARGV[1]
  or #epoch > 15 or #createdAt > 15 or #since > 15 or #lease > 15 or #retention > 15 or since + retention <= now
  or state == 'settled' and redis.call('HEXISTS', key, 'result') == 0 then
  state = nil
elseif state == 'claimed' then
  lapsed = since + lease <= now
end
`

// When Redis is full it refuses a script's first write, if that one takes memory, and lets a script finish that has written
// already. So a claim is refused, and what becomes of a write that may be done is kept.
const change = (retention: string, text: string, ...more: ReadonlyArray<string>) => `
redis.call('PEXPIRE', key, ${retention})
if tonumber(${retention}) > 0 then redis.call('HSET', ${["key", "'state'", text, ...more].join(", ")}) end
`

/** Answers with the time, and the fields of what is there. */
export const read = `${finding}
if not exists then return { now } end
return { now, found[1], found[2] }
`

/**
 * Takes owner and guards as one text, lease, a retention that is no shorter, and the last second for a grant. Answers with
 * the time, alone when the claim is granted, and "late" or the fields of what is there when it is not.
 */
export const claim = `${finding}
if exists then return { now, found[1], found[2] } end
if now > ARGV[4] * 1000 then return { now, 'late' } end
if expired then redis.call('DEL', key) end
local time = ' ' .. now
redis.call('HSET', key, 'state', '2 claimed 1' .. time .. time .. ' ' .. ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[1])
redis.call('PEXPIRE', key, ARGV[3])
return { now }
`

/** Takes owner, result, retention. Answers 1 or 0. */
export const settle = `${holding}
if state == 'settled' then return 1 end
if state ~= 'claimed' and state ~= 'unknown' then return 0 end
${change(
  "ARGV[3]",
  "'2 settled ' .. epoch .. ' ' .. createdAt .. ' ' .. now .. ' 0 ' .. ARGV[3] .. ' ' .. rest",
  "'result'",
  "ARGV[2]"
)}
return 1
`

/** Takes owner. Answers 1 or 0. */
export const release = `${holding}
if state ~= 'claimed' then return 0 end
return redis.call('DEL', key)
`

/** Takes owner, 1 when the lease must be over, retention. Answers 1 or 0. */
export const markUnknown = `${holding}
if state ~= 'claimed' or ARGV[2] == '1' and not lapsed then return 0 end
${change("ARGV[3]", "'2 unknown ' .. epoch .. ' ' .. createdAt .. ' ' .. now .. ' 0 ' .. ARGV[3] .. ' ' .. rest")}
return 1
`

/**
 * Takes previous owner, owner, lease, a retention that is no shorter, and the last second for a takeover. Answers with the
 * time, alone when there is nothing to take over, and the new epoch or "late".
 */
export const takeOver = `${holding}
if state ~= 'unknown' and not lapsed then return { now } end
if now > ARGV[5] * 1000 then return { now, 'late' } end
epoch = epoch + 1
local kept = string.format('%.0f', math.max(ARGV[4], since + retention - now))
local guards = string.sub(rest, #ARGV[1] + 1)
${change(
  "kept",
  "'2 claimed ' .. epoch .. ' ' .. createdAt .. ' ' .. now .. ' ' .. ARGV[3] .. ' ' .. kept .. ' ' .. ARGV[2] .. guards"
)}
return { now, epoch }
`
