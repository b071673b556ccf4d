/**
 * The steps of the Redis store, each as one script on one key, by the server's time.
 *
 * A record is a hash. `leaseUntil` counts while it is claimed, `result` and `settledAt` once it is settled; times are epoch
 * milliseconds. `expiresAt` says when a record is past its retention, whatever a restored dump or another server makes of
 * the key's own expiry, which only clears away. What `RedisRecord` can't decode is left as it is.
 */

/** The fields of a record in the order in which `claim` answers with them. */
export const fields = [
  "format",
  "state",
  "owner",
  "epoch",
  "guards",
  "createdAt",
  "expiresAt",
  "leaseUntil",
  "result",
  "settledAt"
]

/** The highest number of 15 digits, as long as a number in a record may be. */
const lastMoment = 999_999_999_999_999

const reading = (names: ReadonlyArray<string>) => `
local key = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local record = redis.pcall('HMGET', key, ${names.map((name) => `'${name}'`).join(", ")})
if record.err then
  if not string.find(record.err, 'WRONGTYPE', 1, true) then return record end
  record = {}
end
local function number(text)
  return text and #text < 16 and string.find(text, '^%d+$') and tonumber(text)
end
`

/**
 * Finds the state of the record that the first argument owns: nil when there is none, when it is past its retention, and
 * when it can't be read.
 */
const holding = `${reading(["format", "owner", "expiresAt", "state", "leaseUntil", "epoch", "createdAt", "guards", "settledAt"])}
local expiresAt, epoch, state, lapsed = number(record[3]), number(record[6]), nil, false
if record[1] == '1' and record[2] == ARGV[1] and record[8] and number(record[7]) and epoch
  and expiresAt and expiresAt > now then
  state = record[4]
  if state == 'claimed' then
    local leaseUntil = number(record[5])
    if leaseUntil then lapsed = leaseUntil <= now else state = nil end
  elseif state == 'settled' and not (number(record[9]) and redis.call('HEXISTS', key, 'result') == 1) then
    state = nil
  end
end
`

// When Redis is full it refuses a script's first write, if that one takes memory, and lets a script finish that has written
// already. So a claim is refused, and what becomes of a write that may be done is kept.
const change = (expiresAt: string, values: string) => `
local expiresAt = math.min(${expiresAt}, ${lastMoment})
redis.call('PEXPIREAT', key, expiresAt)
if expiresAt > now then redis.call('HSET', key, 'expiresAt', expiresAt, ${values}) end
`

/** Finds what is there, unless it is a record past its retention. */
const finding = `${reading(fields)}
local expired = record[1] == '1' and (number(record[7]) or now + 1) <= now
local found = not expired and (record[1] or redis.call('EXISTS', key) == 1)
`

/** Answers with the time, and "none" or the fields of what is there. */
export const read = `${finding}
return { now, found and record or 'none' }
`

/**
 * Takes owner, guards, lease, retention and the last moment for a grant. Answers with the time, and "granted", "late", or
 * the fields of what is there.
 */
export const claim = `${finding}
if found then return { now, record } end
if now > tonumber(ARGV[5]) then return { now, 'late' } end
if expired then redis.call('DEL', key) end
local leaseUntil = math.min(now + ARGV[3], ${lastMoment})
local expiresAt = math.max(leaseUntil, math.min(now + ARGV[4], ${lastMoment}))
redis.call('HSET', key, 'format', '1', 'state', 'claimed', 'owner', ARGV[1], 'epoch', '1', 'guards', ARGV[2],
  'createdAt', now, 'expiresAt', expiresAt, 'leaseUntil', leaseUntil)
redis.call('PEXPIREAT', key, expiresAt)
return { now, 'granted' }
`

/** Takes owner, result, retention. Answers 1 or 0. */
export const settle = `${holding}
if state == 'settled' then return 1 end
if state ~= 'claimed' and state ~= 'unknown' then return 0 end
${change("now + ARGV[3]", "'state', 'settled', 'result', ARGV[2], 'settledAt', now")}
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
${change("now + ARGV[3]", "'state', 'unknown'")}
return 1
`

/**
 * Takes previous owner, owner, lease, retention and the last moment for a takeover. Answers with the time, and the new epoch,
 * "late", or "none".
 */
export const takeOver = `${holding}
if state ~= 'unknown' and not lapsed then return { now, 'none' } end
if now > tonumber(ARGV[5]) then return { now, 'late' } end
local leaseUntil = math.min(now + ARGV[3], ${lastMoment})
${change(
  "math.max(expiresAt, leaseUntil, now + ARGV[4])",
  "'state', 'claimed', 'owner', ARGV[2], 'epoch', epoch + 1, 'leaseUntil', leaseUntil"
)}
return { now, epoch + 1 }
`
