/**
 * All that the demo needs around it: the company's identity provider and ledger, the connector as a process of its own, and
 * an agent for each person. Whatever it starts ends with its scope.
 */
import { Deferred, type Duration, Effect } from "effect"
import { spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { DemoError } from "../../service-desk/demo/World.ts"
import type { Person } from "../company/Accounts.ts"
import * as IdentityProvider from "../company/IdentityProvider.ts"
import * as LedgerServer from "../company/LedgerServer.ts"
import * as Agent from "./Agent.ts"

const secret = () => randomBytes(24).toString("base64url")

export const people = {
  cleo: { id: "cleo", role: "clerk", password: secret() },
  adam: { id: "adam", role: "accountant", password: secret() },
  olga: { id: "olga", role: "auditor", password: secret() }
} as const satisfies Record<string, Person>

export type Name = keyof typeof people

/** How long a token for the ledger lives, in seconds. Short, so that the demo sees it end. */
export const tokenLifetime = 2

const audience = "https://ledger.acme.example/"

export const make = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "ledger-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
  const clientSecretFile = join(folder, "client-secret")
  const secrets = [secret()]
  writeFileSync(clientSecretFile, secrets[0]!, { mode: 0o600 })

  // The tokens of a resource server name its URL, so its port is chosen before it starts.
  const port = yield* freePort
  const resource = `http://127.0.0.1:${port}/mcp`
  const connectorId = "ledger-connector"
  const provider = yield* started(
    "the identity provider",
    IdentityProvider.start({
      port: 0,
      people: Object.values(people),
      agent: Agent.registration,
      connector: { id: connectorId, secret: secrets[0]!, resource },
      ledger: { resource: audience, tokenLifetime }
    })
  )
  const ledger = yield* started("the ledger", LedgerServer.start({ port: 0, issuer: provider.issuer, audience }))
  const log = yield* connector({
    LEDGER_PORT: String(port),
    LEDGER_RESOURCE: resource,
    LEDGER_ISSUER: provider.issuer,
    LEDGER_CLIENT_ID: connectorId,
    LEDGER_CLIENT_SECRET_FILE: clientSecretFile,
    LEDGER_UPSTREAM_URL: ledger.url,
    LEDGER_UPSTREAM_AUDIENCE: audience,
    LEDGER_DATA: folder
  })

  const endpoint = new URL(resource)
  const answers: Array<string> = []
  const fetchAndKeep: typeof fetch = async (input, init) => {
    const response = await fetch(input, init)
    if (new URL(response.url).origin === endpoint.origin) {
      answers.push(JSON.stringify([...response.headers]), await response.clone().text())
    }
    return response
  }

  return {
    endpoint,
    audience,
    provider,
    ledger,
    /** Lets an agent act for a person, who signs in. */
    signIn: (name: Name) =>
      Effect.acquireRelease(
        attempt(`${name} could not sign in`, () => Agent.connect(endpoint, people[name], fetchAndKeep)),
        ({ client }) => Effect.promise(() => client.close())
      ),
    fetch: fetchAndKeep,
    /** Puts the connector's next secret in its file, by a rename, as secret managers do. */
    replaceSecret: (next: string) => {
      secrets.push(next)
      writeFileSync(`${clientSecretFile}.next`, next, { mode: 0o600 })
      renameSync(`${clientSecretFile}.next`, clientSecretFile)
    },
    newSecret: secret,
    /** Every place where a token must not be, by what a reviewer would call it. */
    outputs: () => ({
      "the answers to the agents": answers.join("\n"),
      "the connector's log": log.join("\n"),
      "the audit trail": filesIn(folder, /\.jsonl$/),
      "the record of writes": filesIn(folder, /^writes\.db/),
      "the ledger's log": JSON.stringify(ledger.log)
    }),
    auditRecords: () =>
      filesIn(folder, /\.jsonl$/)
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>),
    /** What must be nowhere: each token and each secret that was ever in use. */
    canaries: () => [...provider.issued, ...secrets, ...Object.values(people).map(({ password }) => password)]
  }
})

export type World = Effect.Success<typeof make>

/** Runs what is asynchronous, and says what did not work. */
export const attempt = <A>(problem: string, run: () => Promise<A>) =>
  Effect.tryPromise({
    try: run,
    catch: (cause) =>
      new DemoError({ message: `${problem}: ${cause instanceof Error ? cause.message : String(cause)}` })
  })

const started = <A, R>(what: string, start: Effect.Effect<A, Error, R>) =>
  Effect.mapError(start, () => new DemoError({ message: `${what} can't listen on 127.0.0.1` }))

/** Starts the connector, and gives what it writes to its log when it listens. */
const connector = (environment: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const log: Array<string> = []
    const listening = yield* Deferred.make<void, DemoError>()
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        const child = spawn(process.execPath, [join(import.meta.dirname, "..", "http.ts")], {
          env: { ...process.env, ...environment },
          stdio: ["ignore", "ignore", "pipe"]
        })
        // For an end that leaves no time for scopes to close.
        process.once("exit", () => child.kill("SIGKILL"))
        child.once("exit", (code) => {
          const message = [`the connector ended with code ${code} before it listened`, ...log].join("\n")
          Deferred.doneUnsafe(listening, Effect.fail(new DemoError({ message })))
        })
        createInterface({ input: child.stderr }).on("line", (line) => {
          log.push(line)
          if (line.includes("Listening on")) Deferred.doneUnsafe(listening, Effect.void)
        })
        return child
      }),
      (child) =>
        Effect.callback<void>((resume) => {
          if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
          child.once("exit", () => resume(Effect.void))
          child.kill("SIGTERM")
        })
    )
    yield* within("15 seconds", "the connector did not start", Deferred.await(listening))
    return log
  })

const freePort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

const filesIn = (folder: string, name: RegExp) =>
  readdirSync(folder)
    .filter((file) => name.test(file))
    .map((file) => readFileSync(join(folder, file), "latin1"))
    .join("\n")

const within = <A, E>(duration: Duration.Input, message: string, effect: Effect.Effect<A, E>) =>
  Effect.timeoutOrElse(effect, { duration, orElse: () => Effect.fail(new DemoError({ message })) })
