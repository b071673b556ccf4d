/**
 * Everything that the show needs: a schema in PostgreSQL and a prefix in Redis that are its own, the messenger, the
 * instances, the balancer, the clients, and eyes of its own on the database. All of it ends with the scope.
 */
import { NodeRedis } from "@effect/platform-node"
import { Context, Effect, Layer, Logger } from "effect"
import { randomBytes, randomInt } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DemoError } from "../../service-desk/demo/World.ts"
import * as FlakyUpstream from "../../service-desk/FlakyUpstream.ts"
import * as Balancer from "./Balancer.ts"
import * as Caller from "./Caller.ts"
import * as Instance from "./Instance.ts"
import * as Ledger from "./Ledger.ts"
import * as Program from "./Program.ts"

export interface Options {
  readonly store: "postgres" | "redis"
  readonly instances: number
}

export const make = Effect.fnUntraced(function* (options: Options) {
  const name = `scale_out_${randomBytes(4).toString("hex")}`
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "scale-out-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
  const database = yield* schema(name)
  if (options.store === "redis") yield* keysBehind(`${name}:`)

  const secret = () => randomBytes(24).toString("base64url")
  const token = secret()
  const messengerToken = secret()
  const messenger = yield* Effect.mapError(
    FlakyUpstream.start({ token: messengerToken, port: 0 }),
    () => new DemoError({ message: "the messenger can't listen on 127.0.0.1" })
  )
  const environment = {
    NODE_ENV: "production",
    DESK_STORE: options.store,
    DESK_POSTGRES: database,
    ...(options.store === "redis" && { DESK_REDIS: redis, DESK_REDIS_PREFIX: `${name}:` }),
    DESK_HOSTS: "127.0.0.1",
    DESK_AGENT_TOKEN: token,
    MESSENGER_URL: messenger.url,
    MESSENGER_TOKEN: messengerToken
  }

  const migration = yield* Program.start({
    command: process.execPath,
    args: [join(import.meta.dirname, "..", "migrate.ts")],
    env: environment
  })
  const how = yield* migration.ended
  if (how !== "code 0") {
    return yield* new DemoError({ message: `the tables could not be made (${how}): ${migration.lastWords()}` })
  }

  const [balancerPort, ...ports] = yield* freePorts(1 + 2 * options.instances)
  const instances = yield* Effect.forEach(Array.from({ length: options.instances }), (_, index) =>
    Instance.make({ name: `desk-${index + 1}`, port: ports[2 * index], healthPort: ports[2 * index + 1] }, environment)
  )
  yield* Effect.forEach(instances, (instance) => instance.start, { concurrency: "unbounded" })
  const balancer = yield* Balancer.start({ folder, port: balancerPort, instances })
  const callers = yield* Effect.forEach(
    Array.from({ length: 8 }),
    (_, index) => Caller.connect(balancer.url, token, index % 2 === 0 ? "2026-07-28" : "2025-11-25"),
    { concurrency: "unbounded" }
  )
  // Nobody creates a ticket without having looked first, and the first call of a process is its slowest.
  yield* Effect.forEach(callers, (caller) => caller.insist("search_tickets", { text: "offline" }))
  return {
    instances,
    balancer,
    callers,
    messenger,
    ledger: yield* Ledger.make(database),
    /** What the callers were given, for each subject that they asked a ticket for. */
    given: new Map<string, string>()
  }
})

export type World = Effect.Success<ReturnType<typeof make>>

/** A ticket of that subject; the subject tells operations apart. */
export const ticket = (subject: string) => ({
  queue: "support",
  subject,
  body: "Please have a look.",
  requester: "kim@acme.example"
})

export const named = ({ instances }: World, name: string): Instance.Instance => {
  const found = instances.find((instance) => instance.name === name)
  if (found === undefined) throw new DemoError({ message: `there is no instance ${name}` })
  return found
}

/** How often the clients had to repeat a call. */
export const repeats = ({ callers }: World): number => callers.reduce((sum, caller) => sum + caller.repeats(), 0)

const postgres = process.env["FERRULE_TEST_POSTGRES"] ?? "postgres://ferrule:ferrule@127.0.0.1:5432/ferrule"
const redis = process.env["FERRULE_TEST_REDIS"] ?? "redis://127.0.0.1:6379"

/** Makes a schema, and gives the address of a database in which it is the one that is used. It goes with the scope. */
const schema = Effect.fnUntraced(function* (name: string) {
  const sql = yield* Ledger.connect(postgres)
  yield* Effect.acquireRelease(Effect.orDie(sql`CREATE SCHEMA ${sql(name)}`), () =>
    Effect.orDie(sql`DROP SCHEMA ${sql(name)} CASCADE`)
  )
  const url = new URL(postgres)
  url.searchParams.set("options", `-csearch_path=${name}`)
  return url.href
})

/** Removes the keys with that prefix when the scope closes, and fails now where no Redis answers. */
const keysBehind = Effect.fnUntraced(function* (prefix: string) {
  const { client } = yield* Layer.build(NodeRedis.layer({ url: redis })).pipe(
    Effect.provide(Logger.layer([])),
    Effect.map(Context.get(NodeRedis.NodeRedis)),
    Effect.mapError(({ cause }) => new DemoError({ message: `Redis does not answer: ${String(cause)}` }))
  )
  yield* Effect.addFinalizer(() =>
    Effect.promise(async () => {
      for await (const keys of client.scanIterator({ MATCH: `${prefix}*`, COUNT: 1000 })) {
        if (keys.length > 0) await client.del(keys)
      }
    })
  )
})

/**
 * Finds ports that nobody listens on, below those that the system gives to outgoing connections: an instance that is
 * started again needs the one that it had.
 */
const freePorts = (count: number) =>
  Effect.callback<ReadonlyArray<number>>((resume) => {
    const found: Array<number> = []
    const next = () => {
      if (found.length === count) return resume(Effect.succeed(found))
      const port = randomInt(20_000, 32_000)
      if (found.includes(port)) return next()
      const server = createServer()
      server.once("error", next)
      server.listen(port, "127.0.0.1", () => {
        found.push(port)
        server.close(next)
      })
    }
    next()
  })
