/**
 * A messenger that fails as real ones do, for the demo and the tests: a server of its own, over real HTTP.
 *
 * Faults are scripted. `POST /admin/faults` takes a list, and each request to `/mails` or `/pages` uses up the next one.
 * `GET /admin/state` shows what was carried out and how each request was answered. Mail with an `Idempotency-Key` that it
 * has seen is not sent again. `node FlakyUpstream.ts` runs it by hand on port 4010.
 */
import { Effect, Schema } from "effect"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"

const Fault = Schema.Union([
  /** Refuses before anything is done. */
  Schema.Struct({ kind: Schema.Literal("refuse"), status: Schema.Int, retryAfter: Schema.optionalKey(Schema.Int) }),
  /** Does what was asked, and answers late. */
  Schema.Struct({ kind: Schema.Literal("slow"), millis: Schema.Int }),
  /** Does what was asked, and drops the connection instead of answering. */
  Schema.Struct({ kind: Schema.Literal("drop") })
])
export type Fault = typeof Fault.Type

const Mail = Schema.Struct({ to: Schema.String, subject: Schema.String, body: Schema.String })
const Page = Schema.Struct({ ticketId: Schema.String, queue: Schema.String, summary: Schema.String })

/** What was carried out, and the status that each request got: 0 where the connection was dropped. */
export interface State {
  readonly mails: ReadonlyArray<typeof Mail.Type & { readonly id: string; readonly key: string | undefined }>
  readonly pages: ReadonlyArray<typeof Page.Type & { readonly id: string }>
  readonly answers: ReadonlyArray<number>
}

export interface FlakyUpstream {
  readonly url: string
  readonly script: (...faults: ReadonlyArray<Fault>) => void
  readonly state: () => State
}

/** Starts the server; 0 takes any free port. It stops when the scope closes. */
export const start = (options: { readonly token: string; readonly port: number }) =>
  Effect.acquireRelease(
    Effect.callback<FlakyUpstream & { readonly stop: () => void }, Error>((resume) => {
      const messenger = make(options.token)
      const server = createServer((request, response) => {
        messenger.answer(request, response).catch(() => response.writeHead(400).end())
      })
      server.once("error", (error) => resume(Effect.fail(error)))
      server.listen(options.port, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        const stop = () => {
          server.close()
          server.closeAllConnections()
        }
        resume(Effect.succeed({ ...messenger, url: `http://127.0.0.1:${port}`, stop }))
      })
    }),
    ({ stop }) => Effect.sync(stop)
  )

const make = (token: string) => {
  const faults: Array<Fault> = []
  const mails: Array<State["mails"][number]> = []
  const pages: Array<State["pages"][number]> = []
  const answers: Array<number> = []

  const carryOut = (route: string, body: unknown, key: string | undefined): unknown => {
    if (route === "POST /mails") {
      const sent = key === undefined ? undefined : mails.find((mail) => mail.key === key)
      if (sent !== undefined) return { id: sent.id }
      const id = `M-${mails.length + 1}`
      mails.push({ ...Schema.decodeUnknownSync(Mail)(body), id, key })
      return { id }
    }
    if (route === "POST /pages") {
      const id = `P-${pages.length + 1}`
      pages.unshift({ ...Schema.decodeUnknownSync(Page)(body), id })
      return { id }
    }
    return undefined
  }

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? "/", "http://messenger")
    const route = `${request.method} ${url.pathname}`
    const send = (status: number, body: unknown, headers: Record<string, string> = {}) => {
      if (!url.pathname.startsWith("/admin/")) answers.push(status)
      response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body))
    }

    if (route === "GET /admin/state") return send(200, { mails, pages, answers })
    if (route === "POST /admin/faults") {
      faults.push(...Schema.decodeUnknownSync(Schema.Array(Fault))(await read(request)))
      return send(204, null)
    }
    if (request.headers.authorization !== `Bearer ${token}`) return send(401, { error: "unauthorized" })
    if (route !== "POST /mails" && route !== "POST /pages" && route !== "GET /pages") return send(404, {})

    const body = request.method === "POST" ? await read(request) : undefined
    const fault = faults.shift()
    if (fault?.kind === "refuse") {
      return send(fault.status, { error: "try later" }, retryAfter(fault.retryAfter))
    }
    const ticketId = url.searchParams.get("ticketId")
    const result =
      carryOut(route, body, request.headers["idempotency-key"]?.toString()) ??
      pages.filter((page) => page.ticketId === ticketId)
    if (fault?.kind === "slow") await sleep(fault.millis)
    if (fault?.kind === "drop") {
      answers.push(0)
      request.socket.destroy()
      return
    }
    send(200, result)
  }

  return {
    answer,
    script: (...next: ReadonlyArray<Fault>): void => void faults.push(...next),
    state: (): State => ({ mails: [...mails], pages: [...pages], answers: [...answers] })
  }
}

const retryAfter = (seconds: number | undefined): Record<string, string> =>
  seconds === undefined ? {} : { "retry-after": String(seconds) }

const read = async (request: IncomingMessage): Promise<unknown> => {
  let text = ""
  for await (const chunk of request.setEncoding("utf8")) text += chunk
  return JSON.parse(text)
}

if (process.argv[1] === import.meta.filename) {
  const { runMain } = await import("@effect/platform-node/NodeRuntime")
  runMain(
    Effect.scoped(
      Effect.gen(function* () {
        const { url } = yield* start({ token: "messenger-demo-token", port: 4010 })
        yield* Effect.log(`The flaky messenger listens on ${url}`)
        return yield* Effect.never
      })
    )
  )
}
