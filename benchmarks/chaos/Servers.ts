/**
 * Stores to run against: a file, or a server of the run's own that may be killed. Servers listen on free loopback ports and
 * keep their data in the run's folder.
 */
import type { Tool } from "@ferrule/core"
import * as SqlIdempotencyStore from "@ferrule/core/SqlIdempotencyStore"
import { Data, Effect, Layer, Schedule, type Scope } from "effect"
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { chownSync, existsSync, mkdirSync, readdirSync } from "node:fs"
import { connect, createServer, type AddressInfo } from "node:net"
import { join } from "node:path"
import { promisify } from "node:util"
import type { Dice } from "./Dice.ts"
import * as Bank from "./Bank.ts"
import { type Fault, faults } from "./History.ts"
import type { Request } from "./ledger-server.ts"
import * as Proxy from "./Proxy.ts"
import type { Reaper } from "./Reaper.ts"
import * as Store from "./Store.ts"
import { recoveries } from "./Tools.ts"

/** Says what could not be started. */
export class ServerError extends Data.TaggedError("ServerError")<{
  readonly message: string
  readonly cause?: unknown
}> {}

export interface Running {
  readonly address: Store.Address
  /** The faults that can strike it and what it serves. */
  readonly faults: ReadonlyArray<Fault>
  readonly recoveries: ReadonlyArray<Tool.Recovery>
  /** Whether its times are the workers' own, who are on one machine and so have one clock. */
  readonly sharesClock: boolean
  /** Kills the server, starts it again and waits until it answers. */
  readonly restart: Effect.Effect<void>
  /** Breaks connections to it. */
  readonly cut: (dice: Dice) => Effect.Effect<void>
  /** What writes have left in the store's own database since the last report. */
  readonly report: Effect.Effect<ReadonlyArray<Request>>
}

/** Starts a store. It is there until the scope closes. */
export const start = (
  kind: Store.Kind,
  folder: string,
  reaper: Reaper
): Effect.Effect<Running, ServerError, Scope.Scope> => {
  switch (kind) {
    case "sqlite":
      return Effect.succeed({
        address: { kind, filename: join(folder, "store.db") },
        faults: ["kill", "pause", "drop", "clock"],
        recoveries: ["repeatable", "downstream-key", "reconcile", "unknown"],
        sharesClock: true,
        restart: Effect.void,
        cut: () => Effect.void,
        report: Effect.succeed([])
      })
    case "postgres":
      return postgres(folder, reaper)
    case "redis":
      return redis(folder, reaper)
  }
}

interface Command {
  readonly file: string
  readonly args: ReadonlyArray<string>
  readonly user?: { readonly uid: number; readonly gid: number }
  readonly answers: Effect.Effect<void, ServerError>
}

/** Runs a server behind a proxy. */
const serve = Effect.fnUntraced(function* (command: Command, port: number, reaper: Reaper) {
  let server: ChildProcess | undefined
  const begin = Effect.gen(function* () {
    const child = spawn(command.file, command.args, { stdio: "ignore", ...command.user })
    server = child
    yield* attempt(`${command.file} can't be started`, () => once(child, "spawn"))
    reaper.watch(child.pid!)
    const ended = Effect.callback<never, ServerError>((resume) => {
      child.once("exit", () => resume(Effect.fail(new ServerError({ message: `${command.file} ended by itself` }))))
    })
    yield* Effect.raceFirst(command.answers, ended)
  })
  const end = Effect.promise(async () => {
    if (server?.pid === undefined || server.exitCode !== null || server.signalCode !== null) return
    const ended = once(server, "exit")
    server.kill("SIGKILL")
    await ended
    reaper.forget(server.pid!)
  })
  // Right after its end the memory or the port of the old one can still be taken.
  const patiently = Effect.retry(
    Effect.tapError(begin, () => end),
    Schedule.spaced("50 millis").pipe(Schedule.upTo({ duration: "10 seconds" }))
  )
  yield* Effect.acquireRelease(patiently, () => end)
  const proxy = yield* Proxy.make(port)
  return {
    port: proxy.port,
    cut: proxy.cut,
    restart: Effect.uninterruptible(Effect.orDie(Effect.andThen(end, patiently)))
  }
})

const postgres = Effect.fnUntraced(function* (folder: string, reaper: Reaper) {
  const data = join(folder, "postgres")
  const bin = postgresFolder()
  // PostgreSQL refuses to run as root.
  const user = process.getuid?.() === 0 ? userOf("postgres") : undefined
  mkdirSync(data)
  if (user !== undefined) chownSync(data, user.uid, user.gid)
  const init = ["-D", data, "-U", "ferrule", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
  yield* run(join(bin, "initdb"), init, user)
  const port = yield* freePort
  const server = yield* serve(
    {
      file: join(bin, "postgres"),
      args: ["-D", data, "-h", "127.0.0.1", "-p", String(port), "-k", "", "-c", "max_connections=200"],
      ...(user !== undefined && { user }),
      answers: until(run(join(bin, "pg_isready"), ["-q", "-h", "127.0.0.1", "-p", String(port)], undefined))
    },
    port,
    reaper
  )
  const database = yield* Layer.build(yield* Effect.promise(() => Store.database(port))).pipe(Effect.orDie)
  const within = Effect.provideContext(database)
  yield* Effect.orDie(within(Effect.andThen(Layer.build(SqlIdempotencyStore.layerMigrations()), Bank.prepare)))
  const running: Running = {
    ...server,
    address: { kind: "postgres", port: server.port },
    faults,
    recoveries,
    sharesClock: false,
    // After a restart the first connections that it takes from its pool are dead.
    report: Effect.orDie(Effect.retry(within(Bank.report), { times: 20 }))
  }
  return running
})

const redis = Effect.fnUntraced(function* (folder: string, reaper: Reaper) {
  const port = yield* freePort
  const durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction"]
  const server = yield* serve(
    {
      file: "redis-server",
      args: ["--bind", "127.0.0.1", "--port", String(port), "--dir", folder, ...durable],
      answers: until(ping(port))
    },
    port,
    reaper
  )
  const running: Running = {
    ...server,
    address: { kind: "redis", port: server.port },
    faults,
    recoveries: recoveries.filter((recovery) => recovery !== "transactional"),
    sharesClock: false,
    report: Effect.succeed([])
  }
  return running
})

/** Where Debian keeps PostgreSQL's programs, the newest version first; elsewhere they are on the PATH. */
const postgresFolder = (): string => {
  const root = "/usr/lib/postgresql"
  if (!existsSync(root)) return ""
  const [newest] = readdirSync(root).sort((one, other) => Number(other) - Number(one))
  return newest === undefined ? "" : join(root, newest, "bin")
}

const userOf = (name: string) => {
  const id = (what: string) => Number(execFileSync("id", [what, name], { encoding: "utf8" }))
  return { uid: id("-u"), gid: id("-g") }
}

const run = (file: string, args: ReadonlyArray<string>, user: Command["user"]): Effect.Effect<void, ServerError> =>
  attempt(`${file} failed`, () => promisify(execFile)(file, [...args], { ...user, cwd: "/" }))

const attempt = (message: string, attempt: () => Promise<unknown>): Effect.Effect<void, ServerError> =>
  Effect.asVoid(Effect.tryPromise({ try: attempt, catch: (cause) => new ServerError({ message, cause }) }))

const until = (attempt: Effect.Effect<void, ServerError>): Effect.Effect<void, ServerError> =>
  Effect.retry(attempt, Schedule.spaced("20 millis").pipe(Schedule.upTo({ duration: "10 seconds" })))

const ping = (port: number): Effect.Effect<void, ServerError> =>
  Effect.callback((resume) => {
    const socket = connect({ port, host: "127.0.0.1" }, () => void socket.write("PING\r\n"))
    const end = (error?: ServerError) => {
      socket.destroy()
      resume(error === undefined ? Effect.void : Effect.fail(error))
    }
    // It answers with an error while it still reads its file.
    socket.on("data", (answer) =>
      end(answer.toString().startsWith("+PONG") ? undefined : new ServerError({ message: "Redis is loading" }))
    )
    socket.on("error", (cause) => end(new ServerError({ message: "Redis does not answer", cause })))
    socket.on("close", () => end(new ServerError({ message: "Redis closed the connection" })))
  })

const freePort: Effect.Effect<number> = Effect.promise(async () => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
})
