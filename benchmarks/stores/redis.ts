/**
 * Redis, under keys of its own that are removed in the end. Raw: the client alone, and one script each for the claim and
 * the settle, with the times that a store answers with.
 */
import { NodeRedis } from "@effect/platform-node"
import * as RedisIdempotencyStore from "@ferrule/core/RedisIdempotencyStore"
import { Layer } from "effect"
import { randomUUID } from "node:crypto"
import { createClient } from "redis"
import { openPromise } from "./Callers.ts"
import * as Ferrule from "./ferrule.ts"
import { guards, leaseMillis, newOwner, result, retentionMillis, wrong } from "./Sample.ts"
import type { Opened, Side } from "./Store.ts"

const url = process.env["FERRULE_TEST_REDIS"] ?? "redis://127.0.0.1:6379"

export const open = async (side: Side): Promise<Opened> => {
  const prefix = `ferrule:bench:${randomUUID()}:`
  const client = await connect()
  const opened = await (side === "raw" ? openRaw(client, prefix) : openFerrule(prefix))
  return {
    run: opened.run,
    close: async () => {
      await opened.close()
      for await (const keys of client.scanIterator({ MATCH: `${prefix}*`, COUNT: 1000 })) {
        if (keys.length > 0) await client.unlink(keys)
      }
      await client.close()
    }
  }
}

const connect = async () => {
  const client = createClient({ url, socket: { reconnectStrategy: false } })
  client.on("error", () => {})
  return client.connect()
}

// What a full server would do with the records does not matter here.
const openFerrule = (prefix: string): Promise<Opened> =>
  Ferrule.open(
    Layer.provide(
      RedisIdempotencyStore.layer({ prefix, eviction: "accepted", durability: "memory" }),
      NodeRedis.layer({ url, disableOfflineQueue: true })
    )
  )

const openRaw = async (client: Awaited<ReturnType<typeof connect>>, prefix: string): Promise<Opened> => {
  const [claimDigest, settleDigest] = [await client.scriptLoad(claimScript), await client.scriptLoad(settleScript)]
  const [lease, retention] = [String(leaseMillis), String(retentionMillis)]
  const claim = (key: string, owner: string): Promise<unknown> =>
    client.sendCommand(["EVALSHA", claimDigest, "1", prefix + key, owner, guards, lease, retention])
  const settle = (key: string, owner: string): Promise<unknown> =>
    client.sendCommand(["EVALSHA", settleDigest, "1", prefix + key, owner, result, retention])
  return openPromise(
    {
      first: async (key) => {
        const owner = newOwner()
        if ((await claim(key, owner)) !== 1) wrong("not claimed")
        if ((await settle(key, owner)) !== 1) wrong("not settled")
      },
      replay: async (key) => {
        const found = await claim(key, newOwner())
        if (!Array.isArray(found) || found[5] !== result) wrong("not replayed")
      }
    },
    async () => {}
  )
}

const claimScript = `
local record = redis.call('HMGET', KEYS[1], 'state', 'guards', 'owner', 'epoch', 'lease', 'result', 'created', 'settled')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if not record[1] then
  redis.call('HSET', KEYS[1], 'state', '0', 'guards', ARGV[2], 'owner', ARGV[1], 'epoch', '1', 'lease', now + ARGV[3],
    'created', now)
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  return 1
end
record[9] = record[1] == '0' and tonumber(record[5]) <= now
return record`

const settleScript = `
local record = redis.call('HMGET', KEYS[1], 'owner', 'state')
if record[1] ~= ARGV[1] or record[2] ~= '0' and record[2] ~= '2' then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'state', '1', 'result', ARGV[2], 'settled', now)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1`
