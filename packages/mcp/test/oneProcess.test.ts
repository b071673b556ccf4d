import { AuditTrail, Connector, DefinitionError, IdempotencyStore, Policy, Principal, Tool } from "@ferrule/core"
import * as SqliteIdempotencyStore from "@ferrule/core/SqliteIdempotencyStore"
import { Identity, Mcp } from "@ferrule/mcp"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Exit, Layer, Logger, Schema, Scope } from "effect"
import { HttpRouter } from "effect/http"
import { type ChildProcess, fork } from "node:child_process"
import { createHash } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PassThrough } from "node:stream"
import * as ProcessLock from "../src/internal/processLock.ts"

const fields = Schema.Struct({ name: Schema.String.check(Schema.isMaxLength(9)).annotate({ description: "A name." }) })
const Make = Tool.write("make", {
  title: "Make",
  description: "Stands for a write, in a test of instances.",
  input: fields,
  output: fields,
  allow: Policy.role("maker"),
  idempotency: { identity: ["name"], recovery: "repeatable" }
})
const Workshop = Connector.make("one-process-workshop", { version: "1.0.0", tools: [Make] })

const servicesWith = (store: Layer.Layer<IdempotencyStore, unknown>) =>
  Layer.mergeAll(
    Workshop.toLayer({ make: (input) => Effect.succeed(input) }),
    store,
    AuditTrail.layerNone,
    Logger.layer([]),
    Identity.layerDeclared(Principal.make({ id: "ada" }))
  )

/** Serves the connector in this process until the scope closes. */
const serve = (store: Layer.Layer<IdempotencyStore, unknown>) =>
  Effect.provide(Mcp.fetchHandler(Workshop), servicesWith(store))

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "ferrule-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
)

const onFile = Effect.map(temporaryFolder, (folder) =>
  SqliteIdempotencyStore.layer({ filename: join(folder, "writes.db") })
)

describe("a connector with the memory store", () => {
  it.live("is refused a second time, with what to do", () =>
    Effect.gen(function* () {
      yield* serve(IdempotencyStore.layerMemory)
      const error = yield* Effect.flip(serve(IdempotencyStore.layerMemory))
      assert.instanceOf(error, DefinitionError)
      assert.include(error.message, "A second instance of one-process-workshop cannot be built")
      assert.include(error.message, "give both a store that they share, such as SqliteIdempotencyStore")
    })
  )

  it.live("is served again once the first has ended", () =>
    Effect.gen(function* () {
      const first = yield* Scope.make()
      yield* Scope.provide(serve(IdempotencyStore.layerMemory), first)
      yield* Scope.close(first, Exit.void)
      yield* serve(IdempotencyStore.layerMemory)
    })
  )

  it.live("may be served twice when the store is shared", () =>
    Effect.gen(function* () {
      const store = yield* onFile
      yield* serve(store)
      yield* serve(store)
    })
  )

  it.live("may be served by several transports over one store, and is free once all have ended", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const services = yield* Scope.provide(Layer.build(servicesWith(IdempotencyStore.layerMemory)), scope)
      const both = Effect.all([Mcp.fetchHandler(Workshop), Mcp.fetchHandler(Workshop)], { concurrency: 2 })
      const early = yield* Scope.make()
      yield* Scope.provide(Effect.provide(both, services), scope)
      yield* Scope.provide(Effect.provide(Mcp.fetchHandler(Workshop), services), early)
      yield* Scope.close(early, Exit.void)
      assert.instanceOf(yield* Effect.flip(serve(IdempotencyStore.layerMemory)), DefinitionError)
      yield* Scope.close(scope, Exit.void)
      yield* serve(IdempotencyStore.layerMemory)
    })
  )
})

const connectorName = `instances-of-${process.pid}`

interface Instance {
  readonly child: ChildProcess
  /** That it serves, or what keeps it from that. */
  readonly said: string
}

/** Starts an instance as a process of its own, and waits for what it says. */
const start = (way: string, options: { env?: Record<string, string>; uid?: number; name?: string } = {}) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      fork(join(import.meta.dirname, "instance.ts"), [options.name ?? connectorName, way], {
        env: { ...process.env, ...options.env },
        stdio: ["pipe", "ignore", "ignore", "ipc"],
        ...(options.uid === undefined ? {} : { uid: options.uid })
      })
    ),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  ).pipe(
    Effect.flatMap((child) =>
      Effect.callback<Instance>((resume) => {
        child.once("message", (message) => resume(Effect.succeed({ child, said: String(message) })))
        child.once("exit", (code) => resume(Effect.succeed({ child, said: `ended with ${code}` })))
      })
    )
  )

const end = ({ child }: Instance) =>
  Effect.callback<number | null>((resume) => {
    child.once("exit", (code) => resume(Effect.succeed(code)))
    child.kill("SIGKILL")
  })

describe("a second process with the memory store", () => {
  it.live("is refused on every transport, whatever its folder for temporary files and its user", () =>
    Effect.gen(function* () {
      const first = yield* start("layerHttp", { env: { TMPDIR: yield* temporaryFolder } })
      assert.strictEqual(first.said, "serves")
      const env = { TMPDIR: yield* temporaryFolder }
      // Only the superuser can be somebody else.
      const nobody = process.getuid?.() === 0 ? { uid: 65_534 } : {}
      const others = yield* Effect.all(
        [
          start("fetchHandler", { env }),
          start("layerStdio", { env }),
          start("layerHttpServer", nobody),
          start("layerHttp", { env: { TMPDIR: "/nonexistent" } })
        ],
        { concurrency: 2 }
      )
      for (const { said } of others) {
        assert.include(said, `A second instance of ${connectorName} cannot be built`)
        assert.include(said, "give both a store that they share, such as SqliteIdempotencyStore")
      }
    })
  )

  it.live("starts at once after the first was killed, and of several that start together one does", () =>
    Effect.gen(function* () {
      const first = yield* start("layerStdio")
      assert.strictEqual(first.said, "serves")
      yield* end(first)
      const started = yield* Effect.all(
        Array.from({ length: 4 }, () => start("fetchHandler")),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(started.filter(({ said }) => said === "serves").length, 1)
    })
  )

  it.live("is refused in a cluster too, whose workers share what they listen on", () =>
    Effect.gen(function* () {
      const { said } = yield* start("cluster")
      assert.include(said, `A second instance of ${connectorName} cannot be built`)
      assert.strictEqual(said.split("\n").at(-1), "serves")
    })
  )
})

describe("what holds a connector to one process", () => {
  it.live("does not keep that process alive", () =>
    Effect.gen(function* () {
      const { child, said } = yield* start("idle")
      assert.strictEqual(said, "serves")
      const code = yield* Effect.callback<number | null>((resume) => {
        if (child.exitCode !== null) return resume(Effect.succeed(child.exitCode))
        child.once("exit", (code) => resume(Effect.succeed(code)))
      })
      assert.strictEqual(code, 0)
    })
  )

  const name = `ferrule-${createHash("sha256").update("one-process-workshop").digest("hex").slice(0, 24)}`

  it.live.runIf(process.platform === "linux")("names what some other program holds, and turns away who connects", () =>
    Effect.gen(function* () {
      const squatter = createServer()
      yield* Effect.callback<void>((resume) => {
        squatter.listen(`\0${name}`, () => resume(Effect.void))
      })
      const error = yield* Effect.flip(serve(IdempotencyStore.layerMemory))
      assert.include(String(error), `if there is none, some other program holds the name ${name}`)
      assert.include(String(error), "use SqliteIdempotencyStore, which needs no such name")
      yield* Effect.scoped(serve(yield* onFile))
      yield* Effect.callback<void>((resume) => void squatter.close(() => resume(Effect.void)))

      yield* serve(IdempotencyStore.layerMemory)
      yield* Effect.callback<void>((resume) => {
        connect(`\0${name}`)
          .on("close", () => resume(Effect.void))
          .on("error", () => undefined)
          .resume()
      })
    })
  )

  it.live(
    "is a lock file where there are no such names: one holder, free with its end, and unavailable where it can't be",
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const file = join(folder, "name.lock")
        const first = yield* Scope.make()
        yield* Scope.provide(ProcessLock.holdFile(file), first)
        assert.strictEqual(yield* Effect.flip(ProcessLock.holdFile(file)), "held")
        yield* Scope.close(first, Exit.void)
        const script = `const lock = new (require("node:sqlite").DatabaseSync)(${JSON.stringify(file)})
        lock.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT")
        process.send("held")
        setInterval(() => undefined, 1000)`
        const other = yield* Effect.acquireRelease(
          Effect.sync(() => fork("-e", [script], { stdio: ["ignore", "ignore", "ignore", "ipc"] })),
          (child) => Effect.sync(() => child.kill("SIGKILL"))
        )
        yield* Effect.callback<void>((resume) => void other.once("message", () => resume(Effect.void)))
        assert.strictEqual(yield* Effect.flip(ProcessLock.holdFile(file)), "held")
        yield* end({ child: other, said: "" })
        yield* ProcessLock.holdFile(file)
        assert.strictEqual(
          yield* Effect.flip(ProcessLock.holdFile(join(folder, "missing", "name.lock"))),
          "unavailable"
        )
      })
  )
})

const environment = (NODE_ENV: string) => ConfigProvider.layer(ConfigProvider.fromUnknown({ NODE_ENV }))

type Serving = Effect.Effect<unknown, unknown, Layer.Success<ReturnType<typeof servicesWith>> | Scope.Scope>

const httpWays = (options: { readonly singleInstance?: boolean }): ReadonlyArray<Serving> => [
  Layer.build(Layer.provide(Mcp.layerHttp(Workshop, { path: "/mcp", ...options }), HttpRouter.layer)),
  Layer.build(Mcp.layerHttpServer(Workshop, { port: 0, ...options })),
  Mcp.fetchHandler(Workshop, options)
]

describe("a connector with the memory store, over HTTP in production", () => {
  const inProduction = Layer.merge(servicesWith(IdempotencyStore.layerMemory), environment("production"))

  it.live("is refused on every way, with what to do", () =>
    Effect.gen(function* () {
      for (const options of [{}, { singleInstance: false }]) {
        for (const way of httpWays(options)) {
          const error = yield* Effect.flip(Effect.provide(way, inProduction))
          assert.instanceOf(error, DefinitionError)
          assert.strictEqual(
            error.message,
            `An instance of one-process-workshop on the memory store, over HTTP in production (NODE_ENV), cannot be built:
  - a second instance, or this one after a restart, would execute the same write again: give it a shared store (SqliteIdempotencyStore on one machine, SqlIdempotencyStore or RedisIdempotencyStore on several), or say singleInstance: true in the options of the server if no second instance ever runs beside it`
          )
        }
      }
    })
  )

  it.live("is served when its operator says that it is the only one, and is still held to one process", () =>
    Effect.gen(function* () {
      for (const way of httpWays({ singleInstance: true })) {
        const scope = yield* Scope.make()
        yield* Scope.provide(Effect.provide(way, inProduction), scope)
        const error = yield* Effect.flip(serve(IdempotencyStore.layerMemory))
        assert.include(String(error), "A second instance of one-process-workshop cannot be built")
        yield* Scope.close(scope, Exit.void)
      }
    })
  )

  it.live("is told by the environment of its process", () =>
    Effect.gen(function* () {
      const env = { NODE_ENV: "production" }
      const refused = yield* start("layerHttpServer", { env })
      assert.include(refused.said, `An instance of ${connectorName} on the memory store, over HTTP in production`)
      const accepted = yield* start("layerHttpServer, singleInstance", { env })
      assert.strictEqual(accepted.said, "serves")
    })
  )

  it.live("needs no word where the store is shared, on stdio, or elsewhere than in production", () =>
    Effect.gen(function* () {
      yield* Effect.scoped(Effect.provide(serve(yield* onFile), environment("production")))
      yield* Effect.scoped(Effect.provide(serve(IdempotencyStore.layerMemory), environment("staging")))
      const stdin = new PassThrough()
      stdin.end()
      yield* Mcp.runStdio(Workshop, { stdin, stdout: new PassThrough() }).pipe(
        Effect.provide([servicesWith(IdempotencyStore.layerMemory), environment("production")])
      )
      const refused = yield* Effect.flip(Effect.provide(serve(IdempotencyStore.layerMemory), environment("production")))
      assert.instanceOf(refused, DefinitionError)
    })
  )

  it.live("is refused where the environment can't be read", () =>
    Effect.gen(function* () {
      const broken = ConfigProvider.make(() => Effect.fail(new ConfigProvider.SourceError({ message: "no access" })))
      const refused = yield* Effect.flip(
        Effect.provide(serve(IdempotencyStore.layerMemory), ConfigProvider.layer(broken))
      )
      assert.include(String(refused), "over HTTP in production")
    })
  )
})
