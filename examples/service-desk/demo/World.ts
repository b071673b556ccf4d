/**
 * All that the demo needs around it: a messenger that fails on demand, the service desk as a process of its own, a client
 * for each person, and eyes of its own on the desk's file. Whatever it starts ends with its scope.
 */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { Data, Deferred, type Duration, Effect, Queue, Schema } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { DatabaseSync } from "node:sqlite"
import * as FlakyUpstream from "../FlakyUpstream.ts"

/** Says which step of the demo did not go as it must, and why. */
export class DemoError extends Data.TaggedError("DemoError")<{ readonly message: string }> {}

export type Person = "vera" | "ana" | "ada"

/** The audit record of one call, as the server logs it. */
export const AuditRecord = Schema.Struct({
  principal: Schema.String,
  tool: Schema.optionalKey(Schema.String),
  decision: Schema.String,
  outcome: Schema.String,
  replayed: Schema.Boolean,
  attempts: Schema.Int,
  duration: Schema.Number
})
export type AuditRecord = typeof AuditRecord.Type

interface Server {
  readonly child: ChildProcess
  readonly url: Deferred.Deferred<URL, DemoError>
  readonly exited: Deferred.Deferred<void>
}

const secret = () => randomBytes(24).toString("base64url")

export const make = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "service-desk-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
  const tokens: Readonly<Record<Person, string>> = { vera: secret(), ana: secret(), ada: secret() }
  const messengerToken = secret()
  const messenger = yield* Effect.mapError(
    FlakyUpstream.start({ token: messengerToken, port: 0 }),
    () => new DemoError({ message: "the messenger can't listen on 127.0.0.1" })
  )
  const records = yield* Queue.unbounded<AuditRecord>()

  const environment = (port: string) => ({
    ...process.env,
    DESK_DATA: folder,
    DESK_PORT: port,
    DESK_VIEWER_TOKEN: tokens.vera,
    DESK_AGENT_TOKEN: tokens.ana,
    DESK_ADMIN_TOKEN: tokens.ada,
    MESSENGER_URL: messenger.url,
    MESSENGER_TOKEN: messengerToken
  })

  /** Starts the service desk, and returns when it listens. */
  const serve = (port: string) =>
    Effect.acquireRelease(
      Effect.sync((): Server => {
        const child = spawn(process.execPath, [join(import.meta.dirname, "..", "http.ts")], {
          env: environment(port),
          stdio: ["ignore", "inherit", "pipe"]
        })
        // For an end that leaves no time for scopes to close.
        process.once("exit", () => child.kill("SIGKILL"))
        const exited = Deferred.makeUnsafe<void>()
        const url = Deferred.makeUnsafe<URL, DemoError>()
        const said: Array<string> = []
        child.once("exit", (code) => {
          const message = [`the service desk ended with code ${code} before it listened`, ...said].join("\n")
          Deferred.doneUnsafe(url, Effect.fail(new DemoError({ message })))
          Deferred.doneUnsafe(exited, Effect.void)
        })
        createInterface({ input: child.stderr }).on("line", (line) => {
          said.push(line)
          const entry = entryOf(line)
          if (entry?.message === "tool call") Queue.offerUnsafe(records, decodeRecord(entry.annotations))
          const address = entry === undefined ? undefined : /^Listening on (http\S+)/.exec(entry.message)?.[1]
          if (address !== undefined) Deferred.doneUnsafe(url, Effect.succeed(new URL("/mcp", address)))
        })
        return { child, url, exited }
      }),
      kill
    ).pipe(
      Effect.flatMap((server) =>
        Effect.as(within("8 seconds", "the service desk did not start", Deferred.await(server.url)), server)
      )
    )

  let server = yield* serve("0")
  const url = yield* Deferred.await(server.url)
  const clients = yield* Effect.all(
    { vera: connect(url, tokens.vera), ana: connect(url, tokens.ana), ada: connect(url, tokens.ada) },
    { concurrency: "unbounded" }
  )
  const desk = yield* open(join(folder, "desk.db"))
  const writes = yield* open(join(folder, "writes.db"))

  return {
    url,
    messenger,
    tools: (person: Person) =>
      Effect.map(
        answerOf(() => clients[person].listTools()),
        ({ tools }) => tools.map(({ name }) => name)
      ),
    call: (person: Person, name: string, args: Record<string, unknown>) =>
      answerOf(() => clients[person].callTool({ name, arguments: args })),
    /** The audit record of the next call that has ended. */
    record: within("5 seconds", "a call left no audit record", Queue.take(records)),
    /** What is in the desk, read from its file. */
    tickets: (subject: string) =>
      desk
        .prepare("SELECT 'T-' || number AS id FROM ticket WHERE subject = ? AND deleted_at IS NULL ORDER BY number")
        .all(subject)
        .map((row) => String(row["id"])),
    count: (table: "ticket" | "reply") => Number(desk.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.["n"]),
    desk,
    writes,
    kill: Effect.suspend(() => kill(server)),
    restart: Effect.map(
      Effect.suspend(() => serve(url.port)),
      (next) => {
        server = next
      }
    )
  }
})

/** Ends the server as a power cut would: it gets no chance to do anything. */
const kill = ({ child, exited }: Server) => {
  child.kill("SIGKILL")
  return Deferred.await(exited)
}

const within = <A, E>(duration: Duration.Input, message: string, effect: Effect.Effect<A, E>) =>
  Effect.timeoutOrElse(effect, { duration, orElse: () => Effect.fail(new DemoError({ message })) })

export type World = Effect.Success<typeof make>

const LogEntry = Schema.Struct({
  message: Schema.String,
  annotations: Schema.Record(Schema.String, Schema.Json)
})
const decodeEntry = Schema.decodeUnknownOption(Schema.fromJsonString(LogEntry))
const decodeRecord = Schema.decodeUnknownSync(AuditRecord)

const entryOf = (line: string) => {
  const entry = decodeEntry(line)
  return entry._tag === "Some" ? entry.value : undefined
}

const connect = (url: URL, token: string) =>
  Effect.acquireRelease(
    Effect.tryPromise({
      try: async () => {
        const client = new Client(
          { name: "demo", version: "1.0.0" },
          { versionNegotiation: { mode: { pin: "2026-07-28" } } }
        )
        const headers = { authorization: `Bearer ${token}` }
        await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }))
        return client
      },
      catch: (cause) => new DemoError({ message: `the client can't connect: ${String(cause)}` })
    }),
    (client) => Effect.promise(() => client.close())
  )

const open = (filename: string) =>
  Effect.acquireRelease(
    Effect.sync(() => new DatabaseSync(filename, { timeout: 1000 })),
    (db) => Effect.sync(() => db.close())
  )

/** A request that the server refused as a whole, or never answered. */
export class NoAnswer extends Data.TaggedError("NoAnswer")<{
  readonly code: number | undefined
  readonly message: string
}> {}

const answerOf = <A>(request: () => Promise<A>): Effect.Effect<A, NoAnswer> =>
  Effect.tryPromise(request).pipe(
    Effect.mapError(({ cause }) => {
      const code = cause instanceof Error && "code" in cause ? cause.code : undefined
      return new NoAnswer({
        code: typeof code === "number" ? code : undefined,
        message: cause instanceof Error ? cause.message : String(cause)
      })
    })
  )
