/**
 * The upstream of the connector, in a process of its own that is never killed: `node ledger-server.ts <seed> <timeout>`. What it
 * has applied is the truth that answers are judged by.
 *
 * - `POST /append` adds an entry, each time it is asked.
 * - `POST /keyed` adds an entry once for each `Idempotency-Key`, and answers a repeat with the first one's.
 * - `POST /set` sets the amount of an account. Its answer is the same each time.
 * - `POST /find` tells whether there is an entry, and which.
 *
 * While faults are on, some requests meet one: the connection is cut before or after the entry is made, the answer is an
 * error although it is, or either comes after the caller's timeout.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"
import { setTimeout } from "node:timers/promises"
import * as Dice from "./Dice.ts"

const fates = ["cut before", "cut after", "503 before", "503 after", "429", "applies late", "answers late"] as const

/** A request as the ledger saw it. `applied` says that it changed the ledger, `entry` which entry it made or found. */
export interface Request {
  readonly operation: string
  readonly path: string
  /** The call and the attempt that sent it. */
  readonly attempt: string
  readonly amount: number | undefined
  readonly at: number
  readonly fate: (typeof fates)[number] | undefined
  entry: number | undefined
  applied: boolean
  /** When the whole answer was handed over; never, when the connection ended before. */
  answeredAt: number | undefined
}

export type Command = { readonly faults: number } | { readonly report: true }

interface Entry {
  readonly account: string
  readonly amount: number
  readonly entry: number
}

const [seed, timeout] = process.argv.slice(2).map(Number) as [number, number]
const dice = Dice.make(seed)
let faults = 0
let requests: Array<Request> = []
let count = 0
const byOperation = new Map<string, Entry>()
const byKey = new Map<string, Entry>()

const now = () => performance.timeOrigin + performance.now()

const apply = (request: Request, account: string, key: string): Entry => {
  const { amount = 0, operation, path } = request
  const earlier = path === "/keyed" ? byKey.get(key) : path === "/set" ? byOperation.get(operation) : undefined
  if (path === "/keyed" && earlier !== undefined) return earlier
  request.applied = true
  const entry = { account, amount, entry: earlier?.entry ?? ++count }
  byOperation.set(operation, entry)
  byKey.set(key, entry)
  return entry
}

const serve = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
  const { account, amount, attempt, operation } = JSON.parse(await text(incoming)) as Request & { account: string }
  const path = incoming.url!
  const fate = dice.chance(faults) ? dice.pick(fates) : undefined
  const request: Request = {
    operation,
    path,
    attempt,
    amount,
    at: now(),
    fate,
    entry: undefined,
    applied: false,
    answeredAt: undefined
  }
  requests.push(request)
  response.once("finish", () => (request.answeredAt = now()))

  const answer = (status: number, body: object) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))

  await setTimeout(dice.between(1, 10) + (fate === "applies late" ? timeout + 20 : 0))
  if (fate === "cut before") return void response.destroy()
  if (fate === "503 before") return void answer(503, {})
  if (fate === "429") return void answer(429, {})

  const entry =
    path === "/find"
      ? byOperation.get(operation)
      : apply(request, account, incoming.headers["idempotency-key"] as string)
  request.entry = entry?.entry

  await setTimeout(dice.chance(0.1) ? dice.between(20, 80) : dice.between(1, 15))
  if (fate === "answers late") await setTimeout(timeout + 20)
  if (fate === "cut after") return void response.destroy()
  if (fate === "503 after") return void answer(503, {})
  answer(200, path === "/find" ? { found: entry ?? null } : entry!)
}

// A connection that idles is not closed, since a request may be on its way on it: that would be a fault nobody asked for.
const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (incoming, response) => {
  serve(incoming, response).catch(() => response.destroy())
})

server.listen(0, "127.0.0.1", () => process.send!((server.address() as AddressInfo).port))
process.on("disconnect", () => process.exit())
process.on("message", (command: Command) => {
  if ("faults" in command) faults = command.faults
  else {
    process.send!(requests)
    requests = []
  }
})
